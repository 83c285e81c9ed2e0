//! Typed ids: what an event is about, and what it can be found by.

use std::fmt::Display;

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
