//! What a snapshot is of: the model, its boundary, and the rules it was folded
//! by.

use std::any::type_name;
use std::fmt::Write as _;

use factum_core::Selection;
use xxhash_rust::xxh3::xxh3_64;

use super::SnapshotKey;
use crate::{Boundary, Model};

/// Whose snapshots these are: the type and its keys. Not which types of events
/// it folds: after a change of those the old snapshots are found, discarded and
/// replaced.
pub fn key<M: Model>(boundary: &Boundary) -> SnapshotKey {
    let mut text = type_name::<M>().to_owned();
    for part in &boundary.parts {
        text.push('\n');
        match &part.read {
            Selection::All => text.push_str("all"),
            Selection::Stream(stream) => text.push_str(stream.as_str()),
            Selection::Query(query) => {
                for item in query.items() {
                    let _ = write!(text, "\t{:?}", item.tags);
                }
            }
        }
    }
    SnapshotKey::of(&text)
}

/// What is read, in words; another text is another boundary.
pub fn reads(boundary: &Boundary) -> Vec<String> {
    boundary.parts.iter().map(|part| format!("{:?}", part.read)).collect()
}

/// Changes with the events that are folded, the fields of the state, and the
/// version given to the model; not with what functions do: `evolve` and the rules
/// of `evolve_at`, upcasters, conversions, defaults of missing fields.
pub fn fold_of<M: Model>() -> String {
    format!("{:016x}", xxh3_64(format!("{:?}", M::shapes()).as_bytes()))
}
