//! Sets of events: one enum, or several in a tuple.

use crate::event::{DecodeError, Decoded, EncodeError, Encoded, Event, Shape, Stored, unwind};

use super::Specimen;

/// Events that are checked together: an enum, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of events",
    label = "neither an event nor a tuple of events",
    note = "name all enums of events of the program: `(Account, Order)`"
)]
pub trait EventSet {
    #[doc(hidden)]
    fn members() -> Vec<Member>;
}

/// One enum of a set, with its type erased.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// As the compiler calls it.
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) shapes: fn() -> Vec<Shape>,
    pub(super) specimens: fn(&str) -> Vec<Specimen>,
    pub(super) recode: fn(Stored<'_>) -> Result<Recoded, DecodeError>,
    pub(super) read: fn(Stored<'_>) -> Result<Decoded<()>, DecodeError>,
}

/// A stored event that was decoded, as it would be stored today.
pub type Recoded = Decoded<Result<Encoded, EncodeError>>;

impl Member {
    fn of<E: Event>() -> Self {
        Self {
            name: std::any::type_name::<E>(),
            category: E::OWN_CATEGORY,
            shapes: E::shapes,
            specimens: E::specimens,
            recode: |stored| {
                unwind::catch(stored, |stored| Ok(E::decode(stored)?.map(|event| event.encode())))
            },
            read: |stored| Ok(unwind::decode::<E>(stored)?.map(drop)),
        }
    }

    pub(super) fn specimens(&self) -> Vec<Specimen> {
        (self.specimens)(self.category)
    }
}

impl<E: Event> EventSet for E {
    fn members() -> Vec<Member> {
        vec![Member::of::<E>()]
    }
}

macro_rules! tuple_set {
    ($($name:ident),+) => {
        impl<$($name: EventSet),+> EventSet for ($($name,)+) {
            fn members() -> Vec<Member> {
                [$($name::members()),+].concat()
            }
        }
    };
}

tuple_set!(A);
tuple_set!(A, B);
tuple_set!(A, B, C);
tuple_set!(A, B, C, D);
tuple_set!(A, B, C, D, E);
tuple_set!(A, B, C, D, E, F);
tuple_set!(A, B, C, D, E, F, G);
tuple_set!(A, B, C, D, E, F, G, H);
