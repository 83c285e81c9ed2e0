//! What an event is found by: its stream and its tags, from the ids in its fields.
//!
//! ```text
//!   decided on      Balance of ada       account:ada   account-ada
//!                                             │             │
//!   an event of     #[id] ada             shared        shared      ada is compared, and
//!                                             ▼             ▼       nothing is made
//!                   #[tag] course c1      account:ada   account-ada
//!                                         course:c1
//! ```
//!
//! What a command leads to is mostly an event of the subject it was decided on. The
//! boundary has that subject's names; an event whose id is the same has the same
//! names, which need not be put together, checked and kept once more. What that cost
//! was more than anything else a command does.

use std::fmt::Display;

use factum_core::name::TagSet;
use factum_core::{ContentType, EventType, StreamName, Tags};

use super::Encoded;
use super::error::EncodeError;
use super::id::{Id, IdText, Ids};
use crate::Boundary;

/// Collects what the derived code finds in an event's fields.
#[derive(Debug)]
pub struct Labels<'a> {
    category: &'a str,
    boundary: &'a Boundary,
    subject: Subject<'a>,
    /// Besides that of a subject whose names are known.
    tags: TagSet,
    error: Option<EncodeError>,
}

/// Whose stream it is.
#[derive(Debug)]
enum Subject<'a> {
    /// That of all events of the category.
    Nobody,
    New(IdText),
    /// The boundary has the names.
    Known {
        stream: &'a StreamName,
        tag: &'a Tags,
    },
}

impl<'a> Labels<'a> {
    /// Of an event of this category that comes of a decision on this boundary.
    pub fn within(category: &'a str, boundary: &'a Boundary) -> Self {
        Self { category, boundary, subject: Subject::Nobody, tags: TagSet::default(), error: None }
    }

    /// A field marked `#[tag]`: a tag for each id in it.
    pub fn tag(&mut self, ids: &impl Ids) -> &mut Self {
        ids.each(&mut |key: &str, id: &dyn Display| self.insert(key, id.to_string().as_bytes()));
        self
    }

    /// The field marked `#[id]`: a tag, and the end of the stream's name.
    pub fn id<I: Id>(&mut self, id: &I) -> &mut Self {
        match self.boundary.names_of(self.category, id) {
            Some((stream, tag)) if self.tags.is_empty() => self.subject = Subject::Known { stream, tag },
            _ => {
                let text = IdText::of(id);
                self.insert(I::KEY, text.as_bytes());
                self.subject = Subject::New(text);
            }
        }
        self
    }

    fn insert(&mut self, key: &str, id: &[u8]) {
        if let Subject::Known { tag, .. } = self.subject
            && self.tags.is_empty()
        {
            self.tags = TagSet::beginning_with(tag);
        }
        if let Err(source) = self.tags.insert(&[key.as_bytes(), b":", id]) {
            self.error = Some(EncodeError::Name(source));
        }
    }

    /// Joins what was found with what is stored.
    pub fn encoded(
        self,
        event_type: EventType,
        schema_version: u32,
        (content_type, data): (ContentType, Vec<u8>),
    ) -> Result<Encoded, EncodeError> {
        if let (Subject::Known { stream, tag }, true) = (&self.subject, self.tags.is_empty())
            && self.error.is_none()
        {
            let (stream, tags) = ((*stream).clone(), (*tag).clone());
            return Ok(Encoded { stream, event_type, schema_version, content_type, data, tags });
        }
        let (tags, stream) = self.made()?;
        Ok(Encoded { stream, event_type, schema_version, content_type, data, tags })
    }

    /// What is not shared.
    fn made(self) -> Result<(Tags, StreamName), EncodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let category = self.category.as_bytes();
        let stream: &[&[u8]] = match &self.subject {
            Subject::Known { stream, .. } => return Ok((self.tags.tags()?, (*stream).clone())),
            Subject::Nobody => &[category],
            Subject::New(subject) => &[category, b"-", subject.as_bytes()],
        };
        let (tags, stream) = self.tags.tags_and_stream(stream);
        let stream = stream?;
        Ok((tags?, stream))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Selected, SelectedTypes};

    #[derive(crate::Id, Clone, Debug)]
    #[id(key = "k")]
    struct Plain(String);
    #[derive(crate::Id, Clone, Debug)]
    #[id(key = "k:x")]
    struct WithColon(String);
    #[derive(crate::Id, Clone, Debug)]
    #[id(key = "k")]
    struct Number(u64);

    fn boundary(category: &str, id: &impl Id) -> Boundary {
        static NOTHING: Selected = Selected::new(|| SelectedTypes::of(Vec::new(), &[], &[]));
        Boundary::stream(category, id, &NOTHING).unwrap()
    }

    fn encoded(
        category: &str,
        boundary: &Boundary,
        id: &impl Id,
        tags: &[Plain],
    ) -> Result<Encoded, EncodeError> {
        let mut labels = Labels::within(category, boundary);
        labels.id(id).tag(&tags.to_vec());
        labels.encoded(EventType::from_static("Happened").unwrap(), 1, (ContentType::Json, Vec::new()))
    }

    /// Whether these texts are one text, in one place.
    fn is_shared(event: &Encoded, boundary: &Boundary) -> (bool, bool) {
        let name = boundary.one_stream().unwrap();
        let tags = &boundary.parts[0].id_tag;
        (
            std::ptr::eq(event.stream.as_str(), name.as_str()),
            std::ptr::eq(&event.tags.as_stored()[..], &tags.as_stored()[..]),
        )
    }

    #[test]
    fn an_event_of_the_subject_has_its_names() {
        let ada = boundary("account", &Plain("ada".into()));
        let event = |id: &str, tags: &[Plain]| encoded("account", &ada, &Plain(id.into()), tags).unwrap();
        assert_eq!(is_shared(&event("ada", &[]), &ada), (true, true));
        assert_eq!(is_shared(&event("bob", &[]), &ada), (false, false));
        let tagged = event("ada", &[Plain("c1".into()), Plain("ada".into())]);
        assert_eq!(is_shared(&tagged, &ada), (true, false));
        assert_eq!(tagged.tags.iter().collect::<Vec<_>>(), ["k:ada", "k:c1"]);
        let mut both = ada.clone();
        both.join(boundary("account", &Plain("bob".into())));
        let bob = encoded("account", &both, &Plain("bob".into()), &[]).unwrap();
        assert!(std::ptr::eq(&bob.tags.as_stored()[..], &both.parts[1].id_tag.as_stored()[..]));
    }

    #[test]
    fn names_are_shared_only_if_nothing_was_tagged_before() {
        let ada = boundary("account", &Plain("ada".into()));
        let in_other_order = |boundary: &Boundary| {
            let mut labels = Labels::within("account", boundary);
            labels.tag(&Plain("c1".into())).id(&Plain("ada".into()));
            let name = EventType::from_static("Happened").unwrap();
            labels.encoded(name, 1, (ContentType::Json, Vec::new())).unwrap()
        };
        assert_eq!(in_other_order(&ada), in_other_order(&Boundary::default()));
    }

    #[test]
    fn an_id_too_long_for_a_tag_is_refused_as_ever() {
        let long = Plain("x".repeat(300));
        let boundary = boundary("account", &long);
        assert!(boundary.parts[0].id_tag.is_empty());
        let refused = |boundary: &Boundary| encoded("account", boundary, &long, &[]).unwrap_err().to_string();
        assert_eq!(refused(&boundary), refused(&Boundary::default()));
    }

    fn assert_same(
        (category, known): (&str, &Boundary),
        id: &impl Id,
        tags: &[Plain],
    ) -> Result<(), TestCaseError> {
        let made = encoded(category, &Boundary::default(), id, tags);
        match (encoded(category, known, id, tags), made) {
            (Ok(shared), Ok(made)) => prop_assert_eq!(shared, made),
            (shared, made) => prop_assert!(shared.is_err() && made.is_err()),
        }
        Ok(())
    }

    proptest! {
        /// Also of ids and categories that would be mixed up if they were only looked
        /// at when they are joined.
        #[test]
        fn shared_names_are_those_that_would_be_made(
            (category, other) in ("[ax](-x)?", "[ax](-x)?"),
            (id, of_boundary) in ("[x1:-]{1,5}", "[x1:-]{1,5}"),
            tags in proptest::collection::vec("[x1]{1,2}", 0..3),
        ) {
            let tags: Vec<_> = tags.into_iter().map(Plain).collect();
            let number = Number(of_boundary.len() as u64);
            for known in [
                boundary(&category, &Plain(id.clone())),
                boundary(&other, &Plain(of_boundary.clone())),
                boundary(&other, &WithColon(of_boundary.clone())),
                boundary(&category, &number),
            ] {
                let within = (category.as_str(), &known);
                assert_same(within, &Plain(id.clone()), &tags)?;
                assert_same(within, &WithColon(id.clone()), &tags)?;
                assert_same(within, &number, &tags)?;
            }
        }
    }
}
