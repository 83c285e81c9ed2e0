//! Typed ids: what an event is about, and what it can be found by.

use std::fmt::{self, Display, Write};

/// An id with a type of its own, such as `AccountId`. Made by
/// [`#[derive(Id)]`](macro@crate::Id) on a struct with one unnamed field.
///
/// Its type names the tag (`AccountId("ada")` makes `account:ada`), so one
/// account has one tag whatever the field is called that refers to it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a typed id",
    label = "not a typed id",
    note = "give it a type of its own: `#[derive(Id, Clone, Debug, PartialEq)] struct AccountId(String);`",
    note = "the type's name becomes the name of the tag"
)]
pub trait Id: Display + Clone + Send + Sync + 'static {
    /// The tag's name: the type's name without `Id`, beginning in lower case.
    const KEY: &'static str;

    /// Writes its text, the same as [`Display`] does. Derived ids of numbers and
    /// texts do it without the machinery of formatting, several times a command.
    fn write_text(&self, text: &mut dyn Write) -> fmt::Result {
        write!(text, "{self}")
    }
}

const HAS_TEXT: &str = "an id has a text, or its `Display` is wrong";

/// A text that ends with an id; a short one where it stands.
#[derive(Debug)]
pub(crate) struct IdText {
    near: [u8; Self::NEAR_MAX],
    /// All of a longer one.
    far: Vec<u8>,
    bytes: usize,
}

impl IdText {
    const NEAR_MAX: usize = 64;

    /// Of the id alone.
    pub fn of(id: &impl Id) -> Self {
        Self::after("", id)
    }

    /// Of this and the id.
    #[inline]
    pub fn after(before: &str, id: &impl Id) -> Self {
        let mut text = Self { near: [0; Self::NEAR_MAX], far: Vec::new(), bytes: 0 };
        text.push(before.as_bytes());
        if !before.is_empty() {
            text.push(b"-");
        }
        id.write_text(&mut text).expect(HAS_TEXT);
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.near.get(..self.bytes).unwrap_or(&self.far)
    }

    #[inline]
    fn push(&mut self, piece: &[u8]) {
        let end = self.bytes + piece.len();
        match self.near.get_mut(self.bytes..end) {
            Some(room) => room.copy_from_slice(piece),
            None => {
                if self.far.is_empty() {
                    self.far.extend_from_slice(&self.near[..self.bytes]);
                }
                self.far.extend_from_slice(piece);
            }
        }
        self.bytes = end;
    }
}

impl Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Whether this is the text of an id; looked at while that is written.
pub(crate) fn is_text_of(text: &[u8], id: &impl Id) -> bool {
    /// What is still to be written.
    struct Rest<'a>(&'a [u8]);
    impl Write for Rest<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(text);
    id.write_text(&mut rest).is_ok() && rest.0.is_empty()
}

/// Any number of typed ids: one, an option of one, a list of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make a tag",
    label = "not a typed id, nor an option or a list of them",
    note = "give it a type of its own: `#[derive(Id, Clone, Debug, PartialEq)] struct CouponId(String);`"
)]
pub trait Ids {
    /// The name all their tags have.
    const KEY: &'static str;
    /// Calls `found` with the tag's name and each id.
    fn each(&self, found: &mut dyn FnMut(&'static str, &dyn Display));
}

impl<I: Id> Ids for I {
    const KEY: &'static str = I::KEY;
    fn each(&self, found: &mut dyn FnMut(&'static str, &dyn Display)) {
        found(I::KEY, self);
    }
}

impl<I: Id> Ids for Option<I> {
    const KEY: &'static str = I::KEY;
    fn each(&self, found: &mut dyn FnMut(&'static str, &dyn Display)) {
        self.iter().for_each(|id| found(I::KEY, id));
    }
}

impl<I: Id> Ids for Vec<I> {
    const KEY: &'static str = I::KEY;
    fn each(&self, found: &mut dyn FnMut(&'static str, &dyn Display)) {
        self.iter().for_each(|id| found(I::KEY, id));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[derive(crate::Id, Clone, Debug)]
    struct Name(String);

    #[derive(crate::Id, Clone, Debug)]
    struct Large(u128);

    #[derive(crate::Id, Clone, Debug)]
    struct Small(i8);

    #[derive(crate::Id, Clone, Debug)]
    struct Random(Uuid);

    /// Written in several pieces, of which only the last goes beyond what is near.
    #[derive(Clone, Debug)]
    struct InPieces(u8);
    impl Display for InPieces {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..40).try_for_each(|piece| write!(f, "{}.{piece}-", self.0))
        }
    }
    impl Id for InPieces {
        const KEY: &'static str = "pieces";
    }

    fn assert_written_as_displayed(id: &impl Id) {
        let text = id.to_string();
        assert_eq!(IdText::of(id).as_bytes(), text.as_bytes());
        assert_eq!(IdText::after("kind", id).as_bytes(), format!("kind-{text}").as_bytes());
        assert!(is_text_of(text.as_bytes(), id));
        for other in [format!("{text}0"), format!("0{text}"), text.chars().skip(1).collect()] {
            assert_eq!(is_text_of(other.as_bytes(), id), other == text, "{other:?} for {text:?}");
        }
    }

    #[test]
    fn the_text_is_the_same_without_formatting() {
        for text in ["", "ada", "Grüße 🦀", &"x".repeat(59), &"x".repeat(64), &"x".repeat(100)] {
            assert_written_as_displayed(&Name(text.to_owned()));
        }
        for number in [0, 1, u128::MAX] {
            assert_written_as_displayed(&Large(number));
        }
        for number in [i8::MIN, -1, 0, i8::MAX] {
            assert_written_as_displayed(&Small(number));
        }
        assert_written_as_displayed(&Random(Uuid::from_u128(7)));
        assert_written_as_displayed(&InPieces(7));
    }
}
