//! Columns: what kind of cell a field becomes, found from its type.
//!
//! A type is asked to read itself from a [`Probe`], which notes what it asked
//! for and gives it nothing. `Option<AccountId>` asks for an option, then for a
//! newtype, then for a text: a nullable column of texts.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

/// One field of a row, as a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The field's name.
    pub name: &'static str,
    /// What its cells hold.
    pub kind: Kind,
    /// Whether a cell may hold nothing.
    pub is_nullable: bool,
    /// Whether it is part of the row's key.
    pub is_key: bool,
    /// Whether rows are found by it.
    pub is_indexed: bool,
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of up to 64 bits.
    Integer,
    /// A number with a fraction.
    Real,
    /// 0 or 1.
    Boolean,
    #[allow(missing_docs)]
    Text,
    /// The name of a variant, or its JSON if it has fields.
    Variant,
    /// JSON: lists, structs, maps.
    Json,
}

impl Column {
    /// The column for a field of this type.
    pub fn of<T: DeserializeOwned>(name: &'static str) -> Self {
        let mut column =
            Self { name, kind: Kind::Json, is_nullable: false, is_key: false, is_indexed: false };
        // It always fails: there is nothing to be read.
        let _ = T::deserialize(Probe(&mut column));
        column
    }

    /// As part of the row's key.
    pub fn key(self) -> Self {
        Self { is_key: true, ..self }
    }

    /// With an index.
    pub fn indexed(self) -> Self {
        Self { is_indexed: true, ..self }
    }
}

/// Notes what a type asks for.
struct Probe<'a>(&'a mut Column);

/// Every probe ends in this.
#[derive(Debug)]
struct Noted;

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type was noted")
    }
}

impl std::error::Error for Noted {}

impl serde::de::Error for Noted {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! notes {
    ($($method:ident $kind:ident),* $(,)?) => {
        $(
            fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Noted> {
                self.0.kind = Kind::$kind;
                Err(Noted)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Noted;

    notes! {
        deserialize_bool Boolean,
        deserialize_i8 Integer,
        deserialize_i16 Integer,
        deserialize_i32 Integer,
        deserialize_i64 Integer,
        deserialize_i128 Integer,
        deserialize_u8 Integer,
        deserialize_u16 Integer,
        deserialize_u32 Integer,
        deserialize_u64 Integer,
        deserialize_u128 Integer,
        deserialize_f32 Real,
        deserialize_f64 Real,
        deserialize_char Text,
        deserialize_str Text,
        deserialize_string Text,
        deserialize_identifier Text,
        deserialize_any Json,
        deserialize_ignored_any Json,
        deserialize_bytes Json,
        deserialize_byte_buf Json,
        deserialize_seq Json,
        deserialize_map Json,
        deserialize_unit Json,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Noted> {
        self.0.is_nullable = true;
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Noted> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Noted> {
        self.0.kind = Kind::Variant;
        Err(Noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_known_by_its_type() {
        let column = Column::of::<Option<u32>>("n");
        assert_eq!((column.kind, column.is_nullable), (Kind::Integer, true));
        assert_eq!(Column::of::<String>("s").kind, Kind::Text);
        assert_eq!(Column::of::<(i32, i32)>("pair").kind, Kind::Json);
        assert_eq!(Column::of::<serde_json::Value>("any").kind, Kind::Json);
        assert_eq!(Column::of::<Box<f32>>("f").kind, Kind::Real);
    }
}
