//! Typed ids: what an event is about, and what it can be found by.

use std::fmt::{self, Display, Write};

use smallvec::SmallVec;

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

/// The text of an id; a short one where it stands.
#[derive(Debug, Default)]
pub(crate) struct IdText(SmallVec<[u8; 36]>);

impl IdText {
    pub fn of(id: &impl Id) -> Self {
        let mut text = Self::default();
        id.write_text(&mut text).expect("an id has a text, or its `Display` is wrong");
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
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

    fn assert_written_as_displayed(id: &impl Id) {
        assert_eq!(IdText::of(id).as_bytes(), id.to_string().as_bytes());
    }

    #[test]
    fn the_text_is_the_same_without_formatting() {
        for text in ["", "ada", "Grüße 🦀", &"x".repeat(100)] {
            assert_written_as_displayed(&Name(text.to_owned()));
        }
        for number in [0, 1, u128::MAX] {
            assert_written_as_displayed(&Large(number));
        }
        for number in [i8::MIN, -1, 0, i8::MAX] {
            assert_written_as_displayed(&Small(number));
        }
        assert_written_as_displayed(&Random(Uuid::from_u128(7)));
    }
}
