//! The names users give: streams and their categories, event types, tags.
//!
//! All of them are text, compared byte for byte: no case folding and no Unicode
//! normalisation, so what was written is what is found. Refused are
//!
//! - the empty name, because nothing could be asked for by it;
//! - a name over its limit ([`StreamName::BYTES_MAX`] and friends), because
//!   every record carries its names and an index must be able to bound them;
//! - control characters, line separators and text-direction overrides, because
//!   a name is printed in terminals, logs and reports and must not be able to
//!   forge a line or hide a part of itself.
//!
//! Everything else is allowed: spaces, slashes, dots, any script. No name is
//! ever used as a file name. Names that begin with `$` are kept for the
//! system's own streams by convention; the store does not treat them apart.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There are no characters in it.
    #[error("{what} is empty: give it at least one character")]
    Empty {
        /// What was being named.
        what: &'static str,
    },
    /// It has more bytes of UTF-8 than fit.
    #[error("{what} has {bytes} bytes, and at most {limit} are allowed: shorten it")]
    TooLong {
        /// What was being named.
        what: &'static str,
        /// Its length in bytes of UTF-8.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// It holds a character that could forge what a reader sees.
    #[error(
        "{what} holds {character:?} at byte {offset}: control characters, line separators and direction overrides are refused; remove or escape it"
    )]
    Forbidden {
        /// What was being named.
        what: &'static str,
        /// The first such character.
        character: char,
        /// Where it begins, in bytes.
        offset: usize,
    },
    /// Its bytes are not UTF-8.
    #[error("{what} is not valid UTF-8 at byte {offset}: names are text; escape other bytes first")]
    NotUtf8 {
        /// What was being named.
        what: &'static str,
        /// Where the first bad byte is.
        offset: usize,
    },
}

fn check(what: &'static str, text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > limit {
        return Err(NameError::TooLong { what, bytes: text.len(), limit });
    }
    if is_printable_ascii(text.as_bytes()) {
        return Ok(());
    }
    match text.char_indices().find(|(_, character)| is_forbidden(*character)) {
        Some((offset, character)) => Err(NameError::Forbidden { what, character, offset }),
        None => Ok(()),
    }
}

/// The same, of bytes that ought to be UTF-8.
fn check_bytes(what: &'static str, text: &[u8], limit: usize) -> Result<(), NameError> {
    if is_printable_ascii(text) && (1..=limit).contains(&text.len()) {
        return Ok(());
    }
    let not_utf8 = |error: std::str::Utf8Error| NameError::NotUtf8 { what, offset: error.valid_up_to() };
    check(what, str::from_utf8(text).map_err(not_utf8)?, limit)
}

/// Nearly every name is; that is seen without decoding it, many bytes at a time
/// because none of them ends the look.
fn is_printable_ascii(text: &[u8]) -> bool {
    text.iter().fold(true, |so_far, byte| so_far & (0x20..0x7f).contains(byte))
}

/// Whether names refuse this character; for whoever escapes foreign names.
pub fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ByteString);

        impl $name {
            /// The most bytes of UTF-8 there may be.
            pub const BYTES_MAX: usize = $limit;

            /// Checks and takes a text; see [the module](self) for what is refused.
            pub fn new(text: impl Into<ByteString>) -> Result<Self, NameError> {
                let text = text.into();
                check($what, &text, Self::BYTES_MAX)?;
                Ok(Self(text))
            }

            /// As [`Self::new`], of a text of the program, which is not copied.
            pub fn from_static(text: &'static str) -> Result<Self, NameError> {
                Self::new(ByteString::from_static(text))
            }

            /// As [`Self::new`], from bytes that ought to be UTF-8.
            pub fn from_utf8(bytes: impl Into<Bytes>) -> Result<Self, NameError> {
                let text = Self::utf8(bytes.into())?;
                Self::new(text)
            }

            /// For a store reading back what [`Self::new`] accepted when it
            /// was written: only the encoding is checked again, nothing copied.
            pub fn from_stored(bytes: Bytes) -> Result<Self, NameError> {
                Ok(Self(Self::utf8(bytes)?))
            }

            fn utf8(bytes: Bytes) -> Result<ByteString, NameError> {
                ByteString::try_from(bytes)
                    .map_err(|error| NameError::NotUtf8 { what: $what, offset: error.valid_up_to() })
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its bytes, shared and not copied.
            pub fn to_bytes(&self) -> Bytes {
                self.0.as_bytes().clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;
            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    };
}

name! {
    /// The name of a stream: the ordered events of one subject.
    StreamName, "the stream name", 1024
}
name! {
    /// What kind of fact an event is, e.g. `OrderPlaced`.
    EventType, "the event type", 256
}
name! {
    /// A label that queries and append conditions can ask for, e.g. `course:c1`.
    Tag, "the tag", 256
}

name! {
    /// What the streams of many subjects of one kind have in common: the part
    /// of their names before the first `-`; see [`StreamName::category`].
    Category, "the category", 1024
}

impl StreamName {
    /// The text before the first `-`: `cart-42` is of category `cart`. A name
    /// without one, or with nothing before it, has no category, nor has one
    /// that begins with `$`.
    pub fn category(&self) -> Option<&str> {
        category_of(self.as_str())
    }
}

/// As [`StreamName::category`], of a name as it is stored.
pub fn category_of(stream: &str) -> Option<&str> {
    let (category, _) = stream.split_once('-')?;
    (!category.is_empty() && !category.starts_with('$')).then_some(category)
}

/// The tags of one event: a small set, in the order they were given.
///
/// Kept in the form it is stored in, so that neither reading nor writing an
/// event copies a tag: for each tag its length as u16 little-endian, then its
/// text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Bytes);

/// Why tags cannot be given to an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{count} tags, and an event may carry at most {}: keep those that conditions and queries need",
    Tags::COUNT_MAX
)]
pub struct TooManyTags {
    count: usize,
}

impl Tags {
    /// The most tags an event may carry.
    pub const COUNT_MAX: usize = 64;

    /// No tags.
    pub const fn none() -> Self {
        Self(Bytes::new())
    }

    /// The given tags; one given twice counts once.
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Result<Self, TooManyTags> {
        let mut set = TagSet::default();
        for tag in tags {
            let begin = set.write(&[tag.as_str().as_bytes()]);
            set.keep(begin);
        }
        set.tags()
    }

    /// Takes back what [`Self::as_stored`] gave; `None` if it is not that.
    pub fn from_stored(stored: Bytes) -> Option<Self> {
        let mut rest = &stored[..];
        let mut count = 0;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let text = after.get(..usize::from(u16::from_le_bytes(*length)))?;
            if !text.is_ascii() {
                std::str::from_utf8(text).ok()?;
            }
            rest = &after[text.len()..];
            count += 1;
        }
        (rest.is_empty() && count <= Self::COUNT_MAX).then_some(Self(stored))
    }

    /// The stored form described at the type.
    pub fn as_stored(&self) -> &Bytes {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each tag's text, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts().map_while(|text| std::str::from_utf8(text).ok())
    }

    /// The same, as bytes of UTF-8, for whoever only compares or hashes them.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        stored_texts(&self.0)
    }

    /// Whether this tag is among them.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.texts().any(|text| text == tag.as_str().as_bytes())
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The texts in the stored form of [`Tags`].
fn stored_texts(stored: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stored;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = after;
        Some(text)
    })
}

/// [`Tags`] in the making, of texts that are no [`Tag`]s yet: each is put together
/// where it will be stored.
#[derive(Debug, Clone, Default)]
pub struct TagSet {
    stored: Vec<u8>,
    count: usize,
}

impl TagSet {
    /// Room for a few short tags, and the name of a stream.
    const BYTES_LIKELY: usize = 96;

    /// With room for so much text and no more, for what is kept.
    pub fn with_room(bytes: usize) -> Self {
        Self { stored: Vec::with_capacity(bytes), count: 0 }
    }

    /// These, and whatever is inserted.
    pub fn beginning_with(tags: &Tags) -> Self {
        let mut set = Self::default();
        set.make_room(tags.0.len());
        set.stored.extend_from_slice(&tags.0);
        set.count = tags.texts().count();
        set
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One more, of these parts joined, checked as [`Tag::from_utf8`] does; one
    /// that is there already counts once.
    pub fn insert(&mut self, parts: &[&[u8]]) -> Result<(), NameError> {
        let begin = self.write(parts);
        if let Err(refused) = check_bytes("the tag", &self.stored[begin + 2..], Tag::BYTES_MAX) {
            self.stored.truncate(begin);
            return Err(refused);
        }
        self.keep(begin);
        Ok(())
    }

    /// Writes one behind the others, and says where it begins.
    fn write(&mut self, parts: &[&[u8]]) -> usize {
        let begin = self.stored.len();
        let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        self.make_room(2 + bytes);
        // A length that does not fit is refused, or was.
        self.stored.extend_from_slice(&(bytes as u16).to_le_bytes());
        parts.iter().for_each(|part| self.stored.extend_from_slice(part));
        begin
    }

    fn make_room(&mut self, bytes: usize) {
        let likely = if self.stored.capacity() == 0 { Self::BYTES_LIKELY } else { 0 };
        self.stored.reserve(bytes.max(likely));
    }

    /// Keeps the one that begins there, unless it is one of the others.
    fn keep(&mut self, begin: usize) {
        let (others, last) = self.stored.split_at(begin);
        let is_there = stored_texts(others).any(|other| *other == last[2..]);
        match is_there {
            true => self.stored.truncate(begin),
            false => self.count += 1,
        }
    }

    /// All of them, in the order they came.
    pub fn tags(self) -> Result<Tags, TooManyTags> {
        self.check_count()?;
        Ok(Tags(self.stored.into()))
    }

    /// The same, and the name of a stream, of these parts joined: all texts of an
    /// event in one piece of memory.
    pub fn tags_and_stream(
        mut self,
        stream: &[&[u8]],
    ) -> (Result<Tags, TooManyTags>, Result<StreamName, NameError>) {
        let count = self.check_count();
        let end = self.stored.len();
        stream.iter().for_each(|part| self.stored.extend_from_slice(part));
        let mut tags = Bytes::from(self.stored);
        let stream = tags.split_off(end);
        (count.map(|()| Tags(tags)), StreamName::from_utf8(stream))
    }

    fn check_count(&self) -> Result<(), TooManyTags> {
        match self.count {
            count if count > Tags::COUNT_MAX => Err(TooManyTags { count }),
            _ => Ok(()),
        }
    }
}

/// A text shared between many values, e.g. in errors that many callers get.
pub type SharedText = Arc<str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_any_printable_text() {
        for text in ["a", "order-1", "src/main.rs", "../etc/passwd", "Grüße 🦀", "$all", "a b", "CON"] {
            assert_eq!(StreamName::new(text).unwrap().as_str(), text);
        }
        assert!(StreamName::new("x".repeat(StreamName::BYTES_MAX)).is_ok());
    }

    #[test]
    fn refuses_with_a_reason() {
        let rows: &[(&str, &str)] = &[
            ("", "is empty"),
            ("a\nb", "control characters"),
            ("a\u{0}b", "control characters"),
            ("\u{1b}[31m", "control characters"),
            ("a\u{85}b", "control characters"),
            ("a\u{202e}b", "direction overrides"),
            ("a\u{2028}b", "line separators"),
        ];
        for (text, reason) in rows {
            let error = StreamName::new(*text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        let error = StreamName::new("x".repeat(StreamName::BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error, NameError::TooLong { what: "the stream name", bytes: 1025, limit: 1024 });
        let error = Tag::from_utf8(&b"ab\xff"[..]).unwrap_err();
        assert_eq!(error, NameError::NotUtf8 { what: "the tag", offset: 2 });
    }

    #[test]
    fn twins_in_two_unicode_forms_are_two_names() {
        assert_ne!(StreamName::new("caf\u{e9}").unwrap(), StreamName::new("cafe\u{301}").unwrap());
    }

    #[test]
    fn category_is_the_text_before_the_first_dash() {
        let rows = [
            ("cart-42-x", Some("cart")),
            ("a b-", Some("a b")),
            ("cart", None),
            ("-x", None),
            ("$ce-cart", None),
            ("$$cart-1", None),
        ];
        for (name, category) in rows {
            assert_eq!(StreamName::new(name).unwrap().category(), category, "{name}");
        }
    }

    #[test]
    fn tags_are_a_set_that_survives_storage() {
        let tag = |text: &str| Tag::new(text.to_owned()).unwrap();
        let tags = Tags::new([tag("a"), tag("course:c1"), tag("a")]).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["a", "course:c1"]);
        assert!(tags.contains(&tag("course:c1")) && !tags.contains(&tag("course:c")));
        assert_eq!(Tags::from_stored(tags.as_stored().clone()), Some(tags));
        for broken in [&b"\x01"[..], b"\x02\x00a", b"\x01\x00\xff"] {
            assert_eq!(Tags::from_stored(Bytes::from_static(broken)), None);
        }
        assert!(Tags::new((0..65).map(|n| tag(&format!("t{n}")))).is_err());
    }

    #[test]
    fn a_set_of_texts_comes_to_the_same_tags() {
        let mut set = TagSet::default();
        for parts in [&[&b"a"[..]][..], &[b"course", b":", b"c1"], &[b"a"]] {
            set.insert(parts).unwrap();
        }
        let tag = |text: &str| Tag::new(text.to_owned()).unwrap();
        assert_eq!(set.clone().tags(), Tags::new([tag("a"), tag("course:c1")]));
        for refused in ["", "a\nb", &"x".repeat(Tag::BYTES_MAX + 1), &"x".repeat(1 << 16)] {
            assert_eq!(set.insert(&[refused.as_bytes()]).unwrap_err(), Tag::new(refused).unwrap_err());
        }
        assert_eq!(set.clone().tags().unwrap().iter().count(), 2, "what was refused is not in it");
        assert_eq!(set.insert(&[b"ab\xff"]).unwrap_err(), Tag::from_utf8(&b"ab\xff"[..]).unwrap_err());
        let (tags, stream) = set.clone().tags_and_stream(&[b"course-", b"c1"]);
        assert_eq!(tags, set.clone().tags());
        assert_eq!(stream, StreamName::new("course-c1"));
        let (tags, stream) = set.clone().tags_and_stream(&[b"a\nb"]);
        assert_eq!((tags.clone(), stream), (set.clone().tags(), StreamName::new("a\nb")));
        let tags = tags.unwrap();
        let mut more = TagSet::beginning_with(&tags);
        assert_eq!((more.clone().tags(), more.is_empty()), (Ok(tags), false));
        more.insert(&[b"course:c1"]).unwrap();
        assert_eq!(more.clone().tags(), set.clone().tags(), "it was there already");
        (0..63).for_each(|n: u32| more.insert(&[b"t", n.to_string().as_bytes()]).unwrap());
        assert_eq!(more.tags().unwrap_err(), TooManyTags { count: 65 });
        (0..63).for_each(|n: u32| set.insert(&[b"t", n.to_string().as_bytes()]).unwrap());
        assert_eq!(set.clone().tags_and_stream(&[b"s"]).0, set.clone().tags());
        assert_eq!(set.tags().unwrap_err(), TooManyTags { count: 65 });
        assert_eq!(TagSet::default().tags(), Ok(Tags::none()));
    }

    #[test]
    fn a_text_of_the_program_is_checked_too() {
        assert_eq!(EventType::from_static("Opened"), EventType::new("Opened"));
        assert!(EventType::from_static("").is_err());
    }
}
