//! Deletes and tombstones.
//!
//! | expected | neither events nor metadata | live | deleted | has a tombstone |
//! |---|---|---|---|---|
//! | any | tombstone only | yes | yes | no |
//! | no stream | tombstone only | if it has no event | yes | no |
//! | exists | no | yes | no, as if it had a tombstone | no |
//! | exactly n | no | if n is its last | if n is its last | no |

use std::sync::Arc;

use factum_core::{Append, AppendError, EventStore, ExpectedRevision, Position};
use factum_wire::Failure;

use crate::blocking::blocking;
use crate::failure;
use crate::system::name::refuse_change;

use super::metadata::StreamMetadata;
use super::named::Named;
use super::standing::{Standing, State, tombstone};
use super::write::Refusal;

use ExpectedRevision::{Any, Exact, Exists, NoStream};

/// How a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It can be begun again.
    Delete,
    /// It cannot.
    Tombstone,
}

/// Removes a stream, and says where that stands in the log.
pub async fn remove(
    store: Arc<dyn EventStore>,
    named: Named,
    expected: ExpectedRevision,
    removal: Removal,
) -> Result<Option<Position>, Refusal> {
    refuse_change(&named)?;
    let named = Arc::new(named);
    loop {
        let (at, looking) = (Arc::clone(&store), Arc::clone(&named));
        let standing = blocking(move || Standing::look(&*at, &looking)).await?;
        match store.append_async(&plan(&standing, &named, expected, removal)?).await {
            Ok(appended) => return Ok(appended.first_position()),
            // It, or its metadata, moved on meanwhile.
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(failure::of_append(error).into()),
        }
    }
}

/// Decides, by the table of this module.
pub fn plan(
    standing: &Standing,
    named: &Named,
    expected: ExpectedRevision,
    removal: Removal,
) -> Result<Append, Refusal> {
    if named.is_metadata {
        let what = "metadata is not deleted by itself: append metadata that says what should hold";
        return Err(Failure::Invalid(format!("stream {:?}: {what}", named.target())).into());
    }
    let last = standing.last;
    let is_there = last.is_some() || standing.metadata_at.is_some();
    let allowed = match (&standing.state, expected) {
        (State::Buried, _) | (State::Deleted(_), Exists) => return Err(named.deleted().into()),
        (_, Any) => is_there || removal == Removal::Tombstone,
        (State::Deleted(_), NoStream) => true,
        (_, NoStream) => last.is_none() && (is_there || removal == Removal::Tombstone),
        (_, Exists) => is_there,
        (_, Exact(revision)) => last == Some(revision),
    };
    if !allowed {
        return Err(Refusal::WrongExpected(last));
    }
    // Who expects nothing in particular is not held up by others' appends.
    let stays = match expected {
        Any | Exists => Any,
        NoStream | Exact(_) => standing.last_expected(),
    };
    let Named { stream, metadata, .. } = named.clone();
    let metadata_stays = standing.metadata_expected();
    Ok(match removal {
        Removal::Delete => {
            Append::to(metadata, metadata_stays, [StreamMetadata::deletion()?]).expecting(stream, stays)
        }
        Removal::Tombstone => {
            Append::to(stream, stays, [tombstone()?]).and_to(metadata, metadata_stays, [tombstone()?])
        }
    })
}
