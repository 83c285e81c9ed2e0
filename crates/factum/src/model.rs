//! Models: states that are folded from events, and which events those are.
//!
//! A model is plain data. Its keys say what it is about; the rest begins at its
//! default and is changed by [`Evolve`] and nothing else, so the same events
//! always give the same state. `#[derive(Aggregate)]` finds its events in one
//! stream, `#[derive(Model)]` by the tags of its keys; a tuple of models is a
//! model of everything they read.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

use factum_core::{EventType, NameError, Position, RecordedEvent, StreamName, Tag};

use crate::Boundary;
use crate::boundary::StreamText;
use crate::event::{DecodeError, FieldShape, Id, Shape};

/// How an event changes a state. No clock, no randomness, no input or output:
/// replaying must come to the same.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how `{E}` changes it",
    label = "no `Evolve<{E}>`",
    note = "write `impl Evolve<{E}> for {Self} {{ fn evolve(&mut self, event: &{E}) {{ match event {{ ... }} }} }}`"
)]
pub trait Evolve<E> {
    /// Changes the state by one event.
    fn evolve(&mut self, event: &E);

    /// The same, knowing where the event stands. Override it to apply the
    /// rules of their time to old events, by `recorded.schema_version`, by
    /// `recorded.recorded_at`, or by [the program that made
    /// it](crate::command::producer_of).
    fn evolve_at(&mut self, event: &E, recorded: &RecordedEvent) {
        let _ = recorded;
        self.evolve(event);
    }
}

/// What a field of a model that is no key is before any event: its default.
#[diagnostic::on_unimplemented(
    message = "nothing says what a field of type `{Self}` is before any event",
    label = "no `Default`",
    note = "what is no `#[key]` begins at its default: derive `Default` on `{Self}`, in an enum with `#[default]` on the variant it begins as; or make the field an `Option`, which begins as `None`"
)]
pub trait Begins {
    /// It.
    fn begin() -> Self;
}

impl<T: Default> Begins for T {
    fn begin() -> Self {
        Self::default()
    }
}

/// A state and which events it is folded from.
///
/// Its keys say which events; everything else begins at its default. A state is
/// kept warm by type and keys, so two models that differ in anything else before
/// the first event would be taken for one another: make that a key, or another
/// type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "not a model",
    note = "put `#[derive(Aggregate, Clone)]` on it if its events are one stream, `#[derive(Model, Clone)]` if they are found by tags, and `#[folds(TheEnum)]` below",
    note = "make one by `{Self}::of(its_keys)`; several in a tuple are a model too"
)]
pub trait Model: Clone + Send + Sync + 'static {
    /// How many parts its boundary has.
    const PARTS: usize;
    /// For messages and snapshots.
    const NAME: &'static str;

    /// Which events it reads, and what must not change while it decides.
    fn boundary(&self) -> Result<Boundary, BoundaryError>;

    /// The stream, if its boundary is one stream and follows from the stream's name
    /// and this type: a state that is warm is found by it, and no boundary made.
    fn one_stream(&self) -> Option<StreamText> {
        None
    }

    /// Changes the state by one event that was found through this part of the
    /// boundary.
    fn apply(&mut self, part: usize, recorded: &RecordedEvent) -> Result<(), FoldError>;

    /// The same, of an event that was just made: `read_back` is what the type that
    /// made it reads in `recorded`. If that is what [`apply`](Self::apply) would
    /// decode, it need not be decoded once more; `()` is nothing that was read.
    fn apply_read_back(
        &mut self,
        part: usize,
        recorded: &RecordedEvent,
        read_back: &dyn Any,
    ) -> Result<(), FoldError> {
        let _ = read_back;
        self.apply(part, recorded)
    }

    /// What it folds and holds, one for each part: a snapshot of another shape
    /// is not used.
    fn shapes() -> Vec<ModelShape>;
}

/// A model of one stream, named by one id: what derives [`Aggregate`](macro@crate::Aggregate).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "what derives `Aggregate` is one stream; for a model found by tags write a `Projection`"
)]
pub trait OneStream: Model {
    /// Its name as that of a read model: `open_order` of an `OpenOrder`.
    const TABLE: &'static str;
    /// That of its `#[folds(...)]`.
    const VERSION: u32;
}

/// What a model folds and holds, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShape {
    /// Raised when the same events are to give another state, because `evolve`,
    /// a rule of `evolve_at`, an upcaster, a `From` or a serde default does
    /// something else: `#[folds(Account, version = 2)]`.
    pub version: u32,
    /// The events it is folded from.
    pub events: Vec<Shape>,
    /// The fields of its state.
    pub fields: Vec<FieldShape>,
}

macro_rules! tuple_model {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Model),+> Model for ($($name,)+) {
            const PARTS: usize = 0 $(+ $name::PARTS)+;
            const NAME: &'static str = "a tuple of models";

            fn boundary(&self) -> Result<Boundary, BoundaryError> {
                let mut boundary = Boundary::default();
                $(boundary.join(self.$at.boundary()?);)+
                Ok(boundary)
            }

            fn apply(&mut self, part: usize, recorded: &RecordedEvent) -> Result<(), FoldError> {
                self.apply_read_back(part, recorded, &())
            }

            fn apply_read_back(
                &mut self,
                part: usize,
                recorded: &RecordedEvent,
                read_back: &dyn Any,
            ) -> Result<(), FoldError> {
                let mut end = 0;
                $(
                    let begin = end;
                    end += $name::PARTS;
                    if part < end {
                        return self.$at.apply_read_back(part - begin, recorded, read_back);
                    }
                )+
                let _ = end;
                Ok(())
            }

            fn shapes() -> Vec<ModelShape> {
                [$($name::shapes()),+].concat()
            }
        }
    };
}

tuple_model!(A 0);
tuple_model!(A 0, B 1);
tuple_model!(A 0, B 1, C 2);
tuple_model!(A 0, B 1, C 2, D 3);
tuple_model!(A 0, B 1, C 2, D 3, E 4);
tuple_model!(A 0, B 1, C 2, D 3, E 4, F 5);

/// A typed id as a key of a model.
pub trait Key {
    /// The tag its events carry.
    fn tag(&self) -> Result<Tag, NameError>;
}

impl<I: Id> Key for I {
    fn tag(&self) -> Result<Tag, NameError> {
        Tag::new(format!("{}:{self}", I::KEY))
    }
}

/// Why a model's events cannot be named.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BoundaryError {
    /// A key cannot be part of a stream's name or a tag.
    #[error("a key of the model cannot name a stream or a tag")]
    Name(#[from] NameError),
    /// No event ever goes to a stream of this key.
    #[error(
        "no event of the model goes to a stream named by {key:?}: mark the field of that id `#[id]` in its events; a model whose events carry the id as a `#[tag]` derives `Model`"
    )]
    NothingInStream {
        /// The key's name.
        key: &'static str,
    },
    /// No event could ever be selected.
    #[error(
        "no event of the model carries the tag {key:?}: mark a field of that id `#[tag]` or `#[id]` in its events"
    )]
    NothingTagged {
        /// The tag's name.
        key: &'static str,
    },
    /// Some events carry one of its keys, some another, and none carries all.
    #[error(
        "no event of the model carries all of the tags {keys:?}, and only such events are read: mark fields of all these ids `#[tag]` or `#[id]` in one event, or give each key a model of its own and decide on a tuple of them"
    )]
    NothingTaggedWithAll {
        /// The tags' names.
        keys: Vec<&'static str>,
    },
}

/// Why a state could not be folded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.text())]
pub struct FoldError {
    /// Of the event; [`Position::MAX`] if it was not appended, and will not be.
    pub position: Position,
    /// Of the event.
    pub stream: StreamName,
    /// Of the event; without meaning if it was not appended.
    pub revision: u64,
    /// What is wrong with it.
    #[source]
    pub why: WhyNotFolded,
}

/// What is wrong with an event that could not be folded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WhyNotFolded {
    /// No event of the model has this type.
    #[error(
        "no event of the model is stored as {event_type}: add it to the enum, or write `#[folds(..., unknown = skip)]` on the model"
    )]
    UnknownType {
        /// The stored type.
        event_type: String,
    },
    /// Its bytes cannot be read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

impl FoldError {
    fn text(&self) -> String {
        let Self { position, stream, revision, .. } = self;
        match *position == Position::MAX {
            true => {
                format!("a new event of {stream} cannot be read by its own model, so it was not recorded")
            }
            false => {
                format!("the event at position {position} ({stream} revision {revision}) cannot be read")
            }
        }
    }

    fn at(recorded: &RecordedEvent, why: WhyNotFolded) -> Self {
        Self {
            position: recorded.position,
            stream: recorded.stream.clone(),
            revision: recorded.revision.get(),
            why,
        }
    }

    /// For derived code: a type that no event of the model has.
    pub fn unknown(recorded: &RecordedEvent) -> Self {
        Self::at(recorded, WhyNotFolded::UnknownType { event_type: recorded.event_type.to_string() })
    }

    /// For derived code: bytes that cannot be read.
    pub fn unreadable(recorded: &RecordedEvent, error: DecodeError) -> Self {
        Self::at(recorded, error.into())
    }
}

/// The stored types a model selects; found once for each model.
pub struct Selected {
    find: fn() -> SelectedTypes,
    found: OnceLock<SelectedTypes>,
}

/// See [`Selected`].
#[derive(Debug)]
pub struct SelectedTypes {
    /// All that are folded.
    pub(crate) folded: Vec<EventType>,
    /// Those of them that decisions must not miss.
    pub(crate) guarded: Vec<EventType>,
    /// Why none is.
    pub(crate) nothing: Option<BoundaryError>,
    /// Why none is in a stream of the key.
    pub(crate) nothing_in_stream: Option<BoundaryError>,
}

impl Selected {
    /// For derived code.
    pub const fn new(find: fn() -> SelectedTypes) -> Self {
        Self { find, found: OnceLock::new() }
    }

    pub(crate) fn get(&self) -> &SelectedTypes {
        self.found.get_or_init(self.find)
    }
}

impl SelectedTypes {
    /// Of these shapes, those that carry all of the keys as tags.
    pub fn of(shapes: Vec<Shape>, keys: &[&'static str], commuting: &[&str]) -> Self {
        let is_carried = |key: &&&str| shapes.iter().any(|shape| shape.tags.contains(*key));
        let untagged_key = keys.iter().find(|key| !is_carried(key));
        let folded: Vec<EventType> = shapes
            .iter()
            .filter(|shape| keys.iter().all(|key| shape.tags.contains(key)))
            .filter_map(|shape| EventType::new(shape.name).ok())
            .collect();
        let guarded = folded.iter().filter(|name| !commuting.contains(&name.as_str())).cloned().collect();
        let nothing = match untagged_key {
            Some(key) => Some(BoundaryError::NothingTagged { key }),
            None if folded.is_empty() => Some(BoundaryError::NothingTaggedWithAll { keys: keys.to_vec() }),
            None => None,
        };
        let nothing_in_stream = match keys {
            [key] if !shapes.iter().any(|shape| shape.has_id && shape.tags.contains(key)) => {
                Some(BoundaryError::NothingInStream { key })
            }
            _ => None,
        };
        Self { folded, guarded, nothing, nothing_in_stream }
    }

    pub(crate) fn commute(&self) -> bool {
        self.guarded.len() != self.folded.len()
    }
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
