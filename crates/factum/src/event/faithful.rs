//! Types of which every value is read back as it was written, whatever the value.
//!
//! An event is read back before it is recorded, since one that is in the log can
//! neither be changed nor taken back. Where the types of its fields promise what
//! that would show, it is known when the program is compiled and need not be shown
//! for each event: whole numbers, texts, typed ids of these, lists and options of
//! them. A float may be no number, a type with a `Deserialize` of its own may
//! refuse what it wrote, and `#[serde(...)]` may leave out what is asked for: such
//! events are read back, each of them.

use std::marker::PhantomData;

use uuid::Uuid;

/// A type of which every value is read back as it was written, in every codec.
pub trait Faithful {
    /// Said by types that hold others.
    const HOLDS: bool = true;
    /// Nothing at all is one of its values: within another option it could not be
    /// told from none.
    const MAY_BE_NOTHING: bool = false;
}

macro_rules! faithful {
    ($($name:ty),+) => { $(impl Faithful for $name {})+ };
}

faithful!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, bool, char, String, Uuid);

impl<T: Faithful> Faithful for Vec<T> {
    const HOLDS: bool = T::HOLDS;
}

impl<T: Faithful> Faithful for Option<T> {
    const HOLDS: bool = T::HOLDS && !T::MAY_BE_NOTHING;
    const MAY_BE_NOTHING: bool = true;
}

/// For derived code: `Asked::<T>::IS_FAITHFUL` is what `T` says, and false for a
/// type that says nothing, if [`OrNot`] is in scope.
pub struct Asked<T>(PhantomData<T>);

impl<T: Faithful> Asked<T> {
    /// What it says.
    pub const IS_FAITHFUL: bool = T::HOLDS;
}

/// What holds for types that say nothing: their own constant goes before this one.
pub trait OrNot {
    /// Nobody knows.
    const IS_FAITHFUL: bool = false;
}

impl<T> OrNot for Asked<T> {}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::event::{Decoded, Event, Stored};

    #[derive(crate::Id, Clone, Debug, PartialEq)]
    struct Name(String);
    #[derive(crate::Id, Clone, Debug, PartialEq)]
    struct Number(i64);
    #[derive(crate::Id, Clone, Debug, PartialEq)]
    struct Wrapped(Own);

    /// Knows how it is written itself.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Own(u8);
    impl std::fmt::Display for Own {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            std::fmt::Display::fmt(&self.0, formatter)
        }
    }

    #[derive(crate::Event, Clone, Debug, PartialEq)]
    enum Plain {
        Nothing,
        Numbers {
            #[id]
            id: Number,
            a: u64,
            b: i64,
            c: i8,
            d: usize,
            e: Vec<u16>,
            f: Option<u32>,
        },
        Texts {
            #[id]
            id: Name,
            #[tag]
            other: Option<Number>,
            a: String,
            b: char,
            c: Vec<Option<String>>,
            d: Option<Vec<Uuid>>,
            r#type: bool,
        },
    }

    #[derive(crate::Event, Clone, Debug, PartialEq)]
    #[event(codec = msgpack)]
    struct Packed {
        a: u64,
        b: i64,
        c: Vec<Option<String>>,
        d: char,
        e: Uuid,
        f: Vec<u8>,
    }

    #[derive(crate::Event, Clone, Debug, PartialEq)]
    struct Empty;

    macro_rules! doubtful {
        ($($name:ident $field:ty),+) => {
            $(#[derive(crate::Event, Clone, Debug, PartialEq)]
            struct $name { field: $field })+
            const DOUBTFUL: &[bool] = &[$($name::IS_FAITHFUL),+];
        };
    }
    doubtful!(Float f64, Floats Vec<f32>, Foreign Own, WrappedForeign Wrapped, Twice Option<Option<u8>>,
        TwiceInside Vec<Option<Option<u8>>>, Large u128, Boxed Box<str>);

    #[derive(crate::Event, Clone, Debug, PartialEq)]
    struct LeftOut {
        #[serde(skip_serializing)]
        field: u8,
    }
    #[derive(crate::Event, Clone, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Told {
        field: u8,
    }
    #[derive(crate::Event, Clone, Debug, PartialEq)]
    enum ToldInOne {
        One {
            field: u8,
        },
        #[serde(rename_all = "camelCase")]
        Other {
            field: u8,
        },
    }
    #[derive(crate::Event, Clone, Debug, PartialEq)]
    enum Outer {
        #[event(name = "Empty")]
        Mine {
            must: u8,
        },
        Inner(Empty),
    }

    #[test]
    fn types_say_whether_they_are() {
        assert_eq!([Plain::IS_FAITHFUL, Packed::IS_FAITHFUL, Empty::IS_FAITHFUL], [true; 3]);
        assert_eq!(DOUBTFUL, [false; 8]);
        let told = [LeftOut::IS_FAITHFUL, Told::IS_FAITHFUL, ToldInOne::IS_FAITHFUL, Outer::IS_FAITHFUL];
        assert_eq!(told, [false; 4]);
    }

    fn assert_read_back<E: Event + Debug + PartialEq>(event: &E) -> Result<(), TestCaseError> {
        assert!(E::IS_FAITHFUL);
        let encoded = event.encode().unwrap();
        prop_assert_eq!(E::decode(Stored::from(&encoded)).unwrap(), Decoded::Event(event.clone()));
        Ok(())
    }

    fn name() -> impl Strategy<Value = Name> {
        "[a-zäß🦀\"\\\\ ]{1,12}".prop_map(Name)
    }

    proptest! {
        #[test]
        fn every_value_is_read_back_as_it_was_written(
            (id, a, b, c, d) in (any::<i64>(), any::<u64>(), any::<i64>(), any::<i8>(), any::<usize>()),
            (e, f) in (any::<Vec<u16>>(), any::<Option<u32>>()),
        ) {
            let id = Number(id);
            assert_read_back(&Plain::Numbers { id, a, b, c, d, e, f })?;
            assert_read_back(&Plain::Nothing)?;
            assert_read_back(&Empty)?;
        }

        #[test]
        fn texts_too(
            (id, other, a, b) in (name(), any::<Option<i64>>(), any::<String>(), any::<char>()),
            (c, d, r#type) in (any::<Vec<Option<String>>>(), any::<Option<Vec<u128>>>(), any::<bool>()),
        ) {
            let (other, d) = (other.map(Number), d.map(|d| d.into_iter().map(Uuid::from_u128).collect()));
            assert_read_back(&Plain::Texts { id, other, a, b, c, d, r#type })?;
        }

        #[test]
        fn packed_ones_too(
            (a, b, c) in (any::<u64>(), any::<i64>(), any::<Vec<Option<String>>>()),
            (d, e, f) in (any::<char>(), any::<u128>(), any::<Vec<u8>>()),
        ) {
            assert_read_back(&Packed { a, b, c, d, e: Uuid::from_u128(e), f })?;
        }
    }
}
