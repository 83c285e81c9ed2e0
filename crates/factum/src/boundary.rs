//! Boundaries: what is read is what is guarded.
//!
//! A boundary has parts, one for each model. Each part says which events are
//! read, and how an append is refused if one of them came in meanwhile:
//!
//! ```text
//!   Balance::of(ada)             stream account-ada          at the revision that was read
//!   Seats::of(course)            types × tag course:rust     no such event after the position
//!                                                            up to which was read
//!   (Balance, Seats)             both, in one atomic append
//! ```
//!
//! It also knows names: what is decided about a subject is mostly an event of that
//! subject, whose stream and tag are then those of the boundary, shared and not made
//! again:
//!
//! ```text
//!   one piece of memory     account:ada │ account-ada
//!                           tag           stream
//! ```

use factum_core::name::TagSet;
use factum_core::{EventType, NameError, Query, QueryItem, Selection, StreamName, Tags};
use smallvec::{SmallVec, smallvec};

use crate::event::Id;
use crate::event::id::{IdText, is_text_of};
use crate::model::{BoundaryError, Key, Selected};

/// Which events a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Boundary {
    pub(crate) parts: SmallVec<[Part; 1]>,
}

/// The events of one model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    pub read: Selection,
    pub guard: Guard,
    /// Of a stream: the tag of the id that names it. None if that is too long for
    /// one.
    pub id_tag: Tags,
}

/// What must not change while a decision is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// The stream that is read stays at its revision.
    Revision,
    /// No event that this selects is appended.
    Condition(Box<QueryItem>),
}

/// What a subject's stream would be called: not checked, and where it stands.
#[derive(Debug)]
pub struct StreamText(IdText);

impl StreamText {
    /// Category and id.
    pub fn of(category: &str, id: &impl Id) -> Self {
        Self(IdText::after(category, id))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Boundary {
    /// The stream of one subject.
    pub fn stream(category: &str, id: &impl Id, selected: &Selected) -> Result<Self, BoundaryError> {
        let types = selected.get();
        if let Some(error) = &types.nothing_in_stream {
            return Err(error.clone());
        }
        let (name, id_tag) = names(category, id)?;
        let guard = if types.commute() {
            Guard::Condition(Box::new(QueryItem {
                types: types.guarded.clone(),
                tags: vec![id.tag()?],
                ..QueryItem::default()
            }))
        } else {
            Guard::Revision
        };
        Ok(Self { parts: smallvec![Part { read: Selection::Stream(name), guard, id_tag }] })
    }

    /// The events that carry all of these keys as tags.
    pub fn tagged(keys: &[&dyn Key], selected: &Selected) -> Result<Self, BoundaryError> {
        let types = selected.get();
        if let Some(error) = &types.nothing {
            return Err(error.clone());
        }
        let tags = keys.iter().map(|key| key.tag()).collect::<Result<Vec<_>, _>>()?;
        let item = |types: &[EventType]| QueryItem {
            types: types.to_vec(),
            tags: tags.clone(),
            ..QueryItem::default()
        };
        let read = Selection::Query(Query::item(item(&types.folded)));
        let guard = Guard::Condition(Box::new(item(&types.guarded)));
        Ok(Self { parts: smallvec![Part { read, guard, id_tag: Tags::none() }] })
    }

    /// The stream and the tag of an event with this id, if it is one of those that
    /// are read here.
    pub(crate) fn names_of<I: Id>(&self, category: &str, id: &I) -> Option<(&StreamName, &Tags)> {
        self.parts.iter().find_map(|part| part.names_of(category, id))
    }

    /// The stream, if it is one and nothing else.
    pub(crate) fn one_stream(&self) -> Option<&StreamName> {
        match &self.parts[..] {
            [Part { read: Selection::Stream(name), .. }] => Some(name),
            _ => None,
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// What an append condition guards; `None` if revisions guard everything.
    pub(crate) fn condition(&self) -> Option<Query> {
        let mut items = self.parts.iter().filter_map(|part| match &part.guard {
            Guard::Condition(item) if !item.types.is_empty() => Some(QueryItem::clone(item)),
            _ => None,
        });
        let first = Query::item(items.next()?);
        Some(items.fold(first, Query::or))
    }

    /// Whether events it reads may come in between without refusing an append.
    pub(crate) fn lets_some_commute(&self) -> bool {
        self.parts.iter().any(|part| match (&part.read, &part.guard) {
            (Selection::Query(read), Guard::Condition(item)) => read.items() != std::slice::from_ref(&**item),
            (_, Guard::Condition(_)) => true,
            (_, Guard::Revision) => false,
        })
    }

    /// Whether the boundary would read an event like this.
    pub fn reads(&self, stream: &StreamName, event_type: &EventType, tags: &Tags) -> bool {
        self.parts.iter().any(|part| part.reads(stream, event_type, tags))
    }
}

/// What an event with this id is stored under.
fn names<I: Id>(category: &str, id: &I) -> Result<(StreamName, Tags), NameError> {
    let text = IdText::of(id);
    let (key, text) = (I::KEY.as_bytes(), text.as_bytes());
    let mut tags = TagSet::with_room(2 + key.len() + category.len() + 2 * (1 + text.len()));
    // What has so long an id cannot be recorded, but it can be asked for.
    let _ = tags.insert(&[key, b":", text]);
    let (tags, name) = tags.tags_and_stream(&[category.as_bytes(), b"-", text]);
    Ok((name?, tags.unwrap_or_default()))
}

/// What comes after this and a joint.
fn strip<'a>(text: &'a [u8], before: &str, joint: u8) -> Option<&'a [u8]> {
    match text.strip_prefix(before.as_bytes())? {
        [first, rest @ ..] if *first == joint => Some(rest),
        _ => None,
    }
}

/// Whether they are the same name; one that stands in the same place is, which is
/// known without looking at it.
pub(crate) fn is_same(one: &StreamName, other: &StreamName) -> bool {
    std::ptr::eq(one.as_str(), other.as_str()) || one == other
}

impl Part {
    fn names_of<I: Id>(&self, category: &str, id: &I) -> Option<(&StreamName, &Tags)> {
        let Selection::Stream(name) = &self.read else { return None };
        let [_, _, tag @ ..] = &self.id_tag.as_stored()[..] else { return None };
        let known = strip(name.as_str().as_bytes(), category, b'-')?;
        let is_it = strip(tag, I::KEY, b':') == Some(known) && is_text_of(known, id);
        is_it.then_some((name, &self.id_tag))
    }

    #[inline]
    pub(crate) fn reads(&self, stream: &StreamName, event_type: &EventType, tags: &Tags) -> bool {
        match &self.read {
            Selection::All => true,
            Selection::Stream(name) => is_same(name, stream),
            Selection::Query(query) => query.may_select(stream, event_type, tags),
        }
    }
}
