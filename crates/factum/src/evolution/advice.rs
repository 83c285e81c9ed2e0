//! Which way to change an event is the cheapest that is safe, as data. The
//! messages of the check and the table in `docs/evolution.md` both say it from
//! here.

use std::fmt;

/// A way to change what events say, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// Nothing that is stored becomes unreadable: accept it.
    Accept,
    /// A field that may be missing: nine changes out of ten.
    OptionalField,
    /// The stored name stays, the source says another.
    KeepStoredName,
    /// Another fact is another type; the old one stays readable.
    NewType,
    /// A raised version, and a function from the old shape to the new one.
    Upcaster,
    /// A copy of the log with changed events. The last resort.
    Rewrite,
}

/// A change of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// A type that was never stored.
    TypeAdded,
    /// A version with an upcaster from the one before.
    VersionAdded,
    /// A field without which events can be read.
    OptionalFieldAdded,
    /// A field that stored events do not have.
    RequiredFieldAdded,
    /// A field that must be there, and did not have to before.
    FieldBecameRequired,
    /// A field that may be missing, and could not before.
    FieldBecameOptional,
    /// The same value under another stored name.
    FieldRenamed,
    /// A field that is no longer read.
    FieldRemoved,
    /// Another type in the source, written in the same way.
    FieldTypeRenamed,
    /// A field of which stored values cannot be read, or not all of them.
    FieldTypeChanged,
    /// Cents that become euros: the same shape, another meaning.
    MeaningChanged,
    /// Something in the type of a field can be there that could not before, or
    /// no sample shows it yet.
    OptionalPartAdded,
    /// What was stored cannot be read, or is written differently.
    StoredFormChanged,
    /// A stored type under another name.
    TypeRenamed,
    /// A stored type that no event has any more.
    TypeRemoved,
    /// A newer version was stored than the newest one here.
    VersionLowered,
    /// Events of a version were stored that no upcaster starts from.
    VersionForgotten,
    /// Events of one subject would go to another stream.
    StreamChanged,
    /// Events carry a tag that older ones do not.
    TagAdded,
    /// Events no longer carry a tag.
    TagRemoved,
    /// Other lints are allowed on the event.
    LintsAllowed,
    /// Another fact happened than before.
    AnotherFact,
    /// What must not be kept was stored.
    StoredByMistake,
}

impl Change {
    /// All of them, as in the table of `docs/evolution.md`.
    pub const ALL: [Self; 23] = [
        Self::TypeAdded,
        Self::VersionAdded,
        Self::OptionalFieldAdded,
        Self::RequiredFieldAdded,
        Self::FieldBecameRequired,
        Self::FieldBecameOptional,
        Self::FieldRenamed,
        Self::FieldRemoved,
        Self::FieldTypeRenamed,
        Self::FieldTypeChanged,
        Self::MeaningChanged,
        Self::OptionalPartAdded,
        Self::StoredFormChanged,
        Self::TypeRenamed,
        Self::TypeRemoved,
        Self::VersionLowered,
        Self::VersionForgotten,
        Self::StreamChanged,
        Self::TagAdded,
        Self::TagRemoved,
        Self::LintsAllowed,
        Self::AnotherFact,
        Self::StoredByMistake,
    ];

    /// The cheapest way that is safe.
    pub fn strategy(self) -> Strategy {
        match self {
            Self::TypeAdded
            | Self::VersionAdded
            | Self::OptionalFieldAdded
            | Self::FieldBecameOptional
            | Self::FieldTypeRenamed
            | Self::OptionalPartAdded
            | Self::TagAdded
            | Self::TagRemoved
            | Self::LintsAllowed => Strategy::Accept,
            Self::RequiredFieldAdded | Self::FieldBecameRequired | Self::FieldRemoved => {
                Strategy::OptionalField
            }
            Self::FieldRenamed | Self::TypeRenamed | Self::StreamChanged => Strategy::KeepStoredName,
            Self::TypeRemoved | Self::AnotherFact => Strategy::NewType,
            Self::FieldTypeChanged
            | Self::MeaningChanged
            | Self::StoredFormChanged
            | Self::VersionLowered
            | Self::VersionForgotten => Strategy::Upcaster,
            Self::StoredByMistake => Strategy::Rewrite,
        }
    }

    /// What it is, in a few words.
    pub fn what(self) -> &'static str {
        match self {
            Self::TypeAdded => "a type that was never stored",
            Self::VersionAdded => "a new version with an upcaster to it",
            Self::OptionalFieldAdded => "a new field that may be missing",
            Self::RequiredFieldAdded => "a new field that is not optional",
            Self::FieldBecameRequired => "a field that is no longer optional",
            Self::FieldBecameOptional => "a field that became optional",
            Self::FieldRenamed => "a field stored under another name",
            Self::FieldRemoved => "a field that is gone",
            Self::FieldTypeRenamed => "another type of a field, stored in the same way",
            Self::FieldTypeChanged => "another type of a field",
            Self::MeaningChanged => "the same shape with another meaning",
            Self::OptionalPartAdded => "data of a form that no sample has yet",
            Self::StoredFormChanged => "a stored sample is not read and written as before",
            Self::TypeRenamed => "a type stored under another name",
            Self::TypeRemoved => "a stored type that is gone",
            Self::VersionLowered => "a version older than the stored one",
            Self::VersionForgotten => "a stored version no upcaster starts from",
            Self::StreamChanged => "another stream",
            Self::TagAdded => "a new tag",
            Self::TagRemoved => "a tag that is gone",
            Self::LintsAllowed => "other lints are allowed",
            Self::AnotherFact => "another fact than before",
            Self::StoredByMistake => "stored data that must not be kept",
        }
    }

    /// The cheapest way that is safe, and how it is gone.
    pub fn advice(self) -> &'static str {
        match self {
            Self::TypeAdded => "accept it: nothing stored depends on it",
            Self::VersionAdded => "accept it: every stored sample was read through the upcasters",
            Self::OptionalFieldAdded => "accept it: stored events are read without it",
            Self::RequiredFieldAdded => {
                "stored events lack it: make it an `Option`, or give it `#[serde(default)]`; else raise the version and add an upcaster"
            }
            Self::FieldBecameRequired => {
                "stored events may lack it: keep it an `Option`, or give it `#[serde(default)]`"
            }
            Self::FieldBecameOptional => "accept it: stored events have it, new ones may do without",
            Self::FieldRenamed => {
                "keep the stored name by `#[serde(rename = \"the_stored_name\")]` on the field"
            }
            Self::FieldRemoved => {
                "stored events have it: keep it as an `Option` that is written no more; or raise the version and add an upcaster that drops it"
            }
            Self::FieldTypeRenamed => "accept it: the stored sample is read and written as before",
            Self::FieldTypeChanged => {
                "raise the version, keep the old struct, and name it by `from`, with `impl From<TheOldOne>`; or convert JSON by `upcast(...)`"
            }
            Self::MeaningChanged => {
                "raise the version and convert in an upcaster; better, a new field whose name says what it means"
            }
            Self::OptionalPartAdded => "accept it: stored events are read as before",
            Self::StoredFormChanged => {
                "have its types read and write what is stored, or raise the version and add an upcaster"
            }
            Self::TypeRenamed => "keep the stored name by `#[event(name = \"TheStoredName\")]`",
            Self::TypeRemoved => {
                "stored events of it would be unknown: keep the type and stop emitting it; new facts get new types"
            }
            Self::VersionLowered => "raise the version above every stored one, with upcasters",
            Self::VersionForgotten => {
                "put the upcaster back: `from = ...` or `upcast(...)` has to start at the oldest stored version"
            }
            Self::StreamChanged => {
                "decisions would no longer see the older events: keep the stream by `#[event(category = \"...\")]` on the enum and the same field `#[id]`"
            }
            Self::TagAdded => {
                "stored events do not carry it, so a model found by it will not see them: accept it if that is right, else use a new type"
            }
            Self::TagRemoved => {
                "models found by it will not see new events: accept it if that is right, else mark the field `#[tag]` again"
            }
            Self::LintsAllowed => "accept it if the reasons still hold",
            Self::AnotherFact => {
                "give the new fact a type of its own; old events keep theirs and their meaning"
            }
            Self::StoredByMistake => {
                "copy the log without it into a new store, keeping ids and order; avoid it: encrypt personal data instead"
            }
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::OptionalField => "optional field",
            Self::KeepStoredName => "keep the stored name",
            Self::NewType => "new type",
            Self::Upcaster => "upcaster",
            Self::Rewrite => "rewrite",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_one_row_for_each_change() {
        let guide = include_str!("../../../../docs/evolution.md");
        for change in Change::ALL {
            let row = format!("| {} | {} | {} |", change.what(), change.strategy(), change.advice());
            assert!(guide.contains(&row), "docs/evolution.md needs the row\n{row}");
        }
        let rows = guide.lines().skip_while(|line| !line.starts_with("| change |")).skip(2);
        assert_eq!(rows.take_while(|line| line.starts_with('|')).count(), Change::ALL.len());
    }
}
