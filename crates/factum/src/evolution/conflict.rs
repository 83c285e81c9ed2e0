//! Conflicts: one stored type that means different things in one program.

use std::collections::BTreeMap;

use crate::event::Shape;

use super::set::{EventSet, Member};

/// A stored type that two enums describe differently, or one enum twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event_type} is stored by {one} and by {other} {how}: {remedy}")]
pub struct Conflict {
    /// The stored type.
    pub event_type: String,
    /// The enum that was looked at first.
    pub one: &'static str,
    /// The other; the same if it has the type twice.
    pub other: &'static str,
    /// In what they differ.
    how: &'static str,
    remedy: &'static str,
}

/// Stored types that these events do not agree about. A program that has none
/// reads every event in one way; ask at its start, or in a test.
///
/// ```
/// # use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
/// # #[derive(Event, Clone, Debug)] enum Cart { Opened { #[id] id: CartId } }
/// # #[derive(Event, Clone, Debug)] enum Shop { Opened { at: String } }
/// assert!(factum::evolution::conflicts::<(Cart, Shop)>().is_empty());
/// ```
#[must_use = "a conflict means that events are read in two ways"]
pub fn conflicts<E: EventSet>() -> Vec<Conflict> {
    among(&E::members())
}

pub fn among(members: &[Member]) -> Vec<Conflict> {
    let mut first: BTreeMap<&'static str, (&'static str, Shape, String)> = BTreeMap::new();
    let mut conflicts = Vec::new();
    for member in members {
        let streams = member.specimens();
        for shape in (member.shapes)() {
            let at = |other: &Shape| other.name == shape.name && other.version == shape.version;
            let stream = streams.iter().find(|specimen| at(&specimen.shape));
            let stream = stream.map(|specimen| specimen.stream.clone()).unwrap_or_default();
            let Some((one, known, into)) = first.get(shape.name) else {
                first.insert(shape.name, (member.name, shape, stream));
                continue;
            };
            let (how, remedy) = if *one == member.name {
                (
                    "twice",
                    "give one of the two another name, `#[event(name = ...)]`; the second is never read",
                )
            } else if known.version != shape.version {
                ("in different versions", "let both hold the same struct of this event")
            } else if known.oldest != shape.oldest {
                (
                    "back to different versions",
                    "give both the same upcasters, or let both hold the same struct",
                )
            } else if known.fields != shape.fields || known.tags != shape.tags {
                ("in different shapes", "rename one, by `prefix` or `name`, or let both hold the same struct")
            } else if *into != stream {
                ("into different streams", "give the event a category of its own, `#[event(category = ...)]`")
            } else {
                continue;
            };
            conflicts.push(Conflict {
                event_type: shape.name.to_owned(),
                one,
                other: member.name,
                how,
                remedy,
            });
        }
    }
    conflicts
}
