//! The deserialiser that answers every question with a guess.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::search::{Hint, Refused, Search, Style};

/// Texts that types of common libraries accept, the plain ones first. A new one
/// goes to the end: samples that are locked already stay what they are.
const TEXTS: [&str; 22] = [
    "text",
    "018f4e2a-7b3c-7d10-8a5b-3c9d2e1f4a6b",
    "2026-01-31T12:00:00Z",
    "2026-01-31",
    "1",
    "12:00:00",
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00+00:00[UTC]",
    "2026-01-31 12:00:00.0 +00:00:00",
    "1.50",
    "a",
    "EUR",
    "en",
    "ada@example.org",
    "https://example.org/",
    "127.0.0.1",
    "127.0.0.1:80",
    "PT1H",
    "1.0.0",
    "DE89370400440532013000",
    "00",
    "",
];
const WHOLE: [u32; 6] = [1, 0, 2, 10, 100, 1_769_860_800];
const BROKEN: [f64; 3] = [1.5, 1.0, 0.0];
/// A value of this depth is one that contains itself.
const DEPTH_MAX: usize = 48;
/// How often a type may contain itself.
const WITHIN_ITSELF_MAX: usize = 1;

pub struct Guesser<'s> {
    search: &'s mut Search,
    /// The fields from the outermost to here.
    fields: Vec<&'static str>,
    /// The types from the outermost to here.
    types: Vec<&'static str>,
}

impl<'s> Guesser<'s> {
    pub fn new(search: &'s mut Search) -> Self {
        Self { search, fields: Vec::new(), types: Vec::new() }
    }

    /// Where it stands; after a refusal, where it was refused.
    pub fn path(&self) -> String {
        self.fields.join(".")
    }

    /// A field's own name is the text one would write into an example first.
    fn text(&mut self, others: usize) -> Result<&'static str, usize> {
        let name = self.fields.last().copied();
        let named = usize::from(name.is_some());
        let candidates = named + TEXTS.len();
        match self.search.choose(candidates + others) {
            0 if named == 1 => Ok(name.unwrap_or_default()),
            taken if taken < candidates => Ok(TEXTS[taken - named]),
            taken => Err(taken - candidates),
        }
    }

    /// One of the texts that were asked for here before.
    fn wanted(&mut self) -> Option<&'static str> {
        let path = self.path();
        let texts = *self.search.texts.get(&path)?;
        Some(texts[self.variant(&path, texts.len())])
    }

    /// Which variant of an enum to take.
    fn variant(&mut self, place: &str, variants: usize) -> usize {
        self.search.enums.insert(place.to_owned(), variants);
        match self.search.variants.get(place) {
            Some(wanted) => (*wanted).min(variants - 1),
            None => self.search.choose(variants),
        }
    }

    fn inside<T>(
        &mut self,
        name: &'static str,
        visit: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let before = self.types.iter().filter(|outer| **outer == name).count();
        if before > WITHIN_ITSELF_MAX || self.types.len() > DEPTH_MAX {
            return Err(Refused::because(format!("{name} contains itself without end")));
        }
        self.types.push(name);
        let visited = visit(self)?;
        self.types.pop();
        Ok(visited)
    }

    fn fields<'de, V: Visitor<'de>>(
        &mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut at = 0;
        let visited = visitor.visit_map(Fields { guesser: self, name, fields, at: &mut at });
        if let Err(Refused { hint: Some(Hint::DuplicateField), .. }) = &visited
            && self.search.aliases.insert((name, at.saturating_sub(1)))
        {
            self.search.learn();
        }
        visited
    }

    /// A map whose keys are not known, but by what was refused before.
    fn map<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Refused> {
        let path = self.path();
        let known = self.search.keys.get(&path).cloned().unwrap_or_default();
        let keys = match self.search.choose(2) {
            0 if known.is_empty() => vec!["key"],
            _ => known,
        };
        let depth = self.fields.len();
        match visitor.visit_map(Keys { guesser: self, keys, at: 0 }) {
            Ok(visited) => {
                self.fields.truncate(depth);
                // What an enum with its tag inside misses, it says only later.
                self.search.last_map = Some(path);
                Ok(visited)
            }
            Err(mut refused) => {
                if let Some(Hint::MissingField(field)) = refused.hint {
                    self.search.add_key(path, field);
                    refused.hint = None;
                }
                Err(refused)
            }
        }
    }
}

/// Numbers, as the type asks for them; the widest of that type only where these
/// are wanted.
macro_rules! numbers {
    ($($method:ident $candidates:ident $visit:ident $as:ty, $($widest:expr),+;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let all: [$as; _] = [$(<$as>::from($widest)),+];
            let widest = if self.search.style == Style::Widest { &all[..] } else { &[] };
            self.search.is_styled |= !widest.is_empty();
            let taken = self.search.choose(widest.len() + $candidates.len());
            visitor.$visit(match widest.get(taken) {
                Some(number) => *number,
                None => <$as>::from($candidates[taken - widest.len()]),
            })
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Guesser<'_> {
    type Error = Refused;

    numbers! {
        deserialize_u8 WHOLE visit_u64 u64, u8::MAX;
        deserialize_u16 WHOLE visit_u64 u64, u16::MAX;
        deserialize_u32 WHOLE visit_u64 u64, u32::MAX;
        deserialize_u64 WHOLE visit_u64 u64, u64::MAX;
        deserialize_u128 WHOLE visit_u128 u128, u128::MAX;
        deserialize_i8 WHOLE visit_i64 i64, i8::MIN, i8::MAX;
        deserialize_i16 WHOLE visit_i64 i64, i16::MIN, i16::MAX;
        deserialize_i32 WHOLE visit_i64 i64, i32::MIN, i32::MAX;
        deserialize_i64 WHOLE visit_i64 i64, i64::MIN, i64::MAX;
        deserialize_i128 WHOLE visit_i128 i128, i128::MIN, i128::MAX;
        deserialize_f32 BROKEN visit_f64 f64, f32::MAX;
        deserialize_f64 BROKEN visit_f64 f64, f64::MAX;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if let Some(text) = self.wanted() {
            return visitor.visit_str(text);
        }
        // One plain guess of each kind before the second text.
        match self.search.choose(6) {
            0 => visitor.visit_str(self.fields.last().copied().unwrap_or("text")),
            1 => visitor.visit_u64(1),
            2 => self.map(visitor),
            3 => visitor.visit_bool(true),
            4 => visitor.visit_f64(1.5),
            _ => match self.text(2) {
                Ok(text) => visitor.visit_str(text),
                Err(0) => self.deserialize_seq(visitor),
                Err(_) => visitor.visit_unit(),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let taken = self.search.choose(2);
        visitor.visit_bool(taken == 0)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if let Some(text) = self.wanted() {
            return visitor.visit_str(text);
        }
        match self.text(0) {
            Ok(text) => visitor.visit_str(text),
            Err(_) => Err(Refused::because("no text is left to be tried")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bytes(b"bytes")
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let is_sparse = self.search.style == Style::Sparse;
        self.search.is_styled |= is_sparse;
        match (self.search.choose(2), is_sparse) {
            (0, false) | (1, true) => visitor.visit_some(self),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |inside| visitor.visit_newtype_struct(inside))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = 1 - self.search.choose(2);
        visitor.visit_seq(Elements { guesser: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements { guesser: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |inside| visitor.visit_seq(Elements { guesser: inside, left }))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.inside(name, |inside| inside.fields(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if variants.is_empty() {
            return Err(Refused::because(format!("{name} has no variants")));
        }
        let place = format!("{}:{name}", self.path());
        let variant = variants[self.variant(&place, variants.len())];
        self.inside(name, |inside| visitor.visit_enum(OneVariant { guesser: inside, variant }))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

struct Elements<'a, 's> {
    guesser: &'a mut Guesser<'s>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.guesser).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The fields of a struct.
struct Fields<'a, 's> {
    guesser: &'a mut Guesser<'s>,
    name: &'static str,
    fields: &'static [&'static str],
    at: &'a mut usize,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        while self.guesser.search.aliases.contains(&(self.name, *self.at)) {
            *self.at += 1;
        }
        let Some(field) = self.fields.get(*self.at) else { return Ok(None) };
        *self.at += 1;
        let key: StrDeserializer<'_, Refused> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        self.guesser.fields.push(self.fields[*self.at - 1]);
        let value = seed.deserialize(&mut *self.guesser)?;
        self.guesser.fields.pop();
        Ok(value)
    }
}

/// The entries of a map.
struct Keys<'a, 's> {
    guesser: &'a mut Guesser<'s>,
    keys: Vec<&'static str>,
    at: usize,
}

impl<'de> MapAccess<'de> for Keys<'_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(key) = self.keys.get(self.at).copied() else { return Ok(None) };
        self.at += 1;
        self.guesser.fields.push(key);
        if key == "key" {
            // A map's own keys may be of any type.
            return seed.deserialize(&mut *self.guesser).map(Some);
        }
        let key: StrDeserializer<'_, Refused> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let value = seed.deserialize(&mut *self.guesser)?;
        self.guesser.fields.pop();
        Ok(value)
    }
}

struct OneVariant<'a, 's> {
    guesser: &'a mut Guesser<'s>,
    variant: &'static str,
}

impl<'de> EnumAccess<'de> for OneVariant<'_, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let variant: StrDeserializer<'_, Refused> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for OneVariant<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.guesser)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements { guesser: self.guesser, left })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.guesser.fields(self.variant, fields, visitor)
    }
}
