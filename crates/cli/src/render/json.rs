//! JSON as this program writes it: compact, on one line, and harmless on a terminal.
//!
//! JSON itself demands that characters below U+0020 are escaped in texts; this
//! also escapes the other characters names refuse. Stored JSON is passed
//! through as it is, digit for digit, without the line breaks between its parts.

use std::io::{self, Write};

use factum_core::name::is_forbidden;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

struct Harmless<F>(F);

/// Passes what lays the text out to the formatter inside.
macro_rules! layout {
    ($($method:ident $(($first:ident))?),*) => {$(
        fn $method<W: ?Sized + Write>(&mut self, writer: &mut W $(, $first: bool)?) -> io::Result<()> {
            self.0.$method(writer $(, $first)?)
        }
    )*};
}

impl<F: Formatter> Formatter for Harmless<F> {
    layout!(
        begin_array,
        end_array,
        begin_array_value(first),
        end_array_value,
        begin_object,
        end_object,
        begin_object_key(first),
        begin_object_value,
        end_object_value
    );

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_harmless(writer, fragment)
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_harmless(writer, fragment)
    }
}

/// Inside a JSON text every character may be written as an escape; outside of
/// texts JSON has no characters to escape but white space, which is left out.
fn write_harmless<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    if fragment.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return writer.write_all(fragment.as_bytes());
    }
    let mut rest = fragment;
    while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_forbidden(*character)) {
        writer.write_all(&rest.as_bytes()[..at])?;
        if character >= ' ' {
            write!(writer, "\\u{:04x}", u32::from(character))?;
        }
        rest = &rest[at + character.len_utf8()..];
    }
    writer.write_all(rest.as_bytes())
}

/// Writes a value without a line end.
pub fn write(writer: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    // The formatter writes a few bytes at a time; they are gathered first.
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless(CompactFormatter)))?;
    writer.write_all(&bytes)
}

/// A value as text on one line.
pub fn text(value: &impl Serialize) -> String {
    in_memory(value, CompactFormatter)
}

/// A value as text on indented lines.
pub fn pretty(value: &impl Serialize) -> String {
    in_memory(value, PrettyFormatter::new())
}

fn in_memory(value: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::new();
    match value.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless(formatter))) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        // Memory does not fail, and every value written here has text keys.
        Err(error) => format!("({error})"),
    }
}

/// A value as one cell of a table: a text as itself, nothing as nothing.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => super::text::escape(text).into_owned(),
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn is_harmless_and_keeps_its_meaning() {
        let value = serde_json::json!({ "a\u{7f}": "\u{1b}[2J\u{9b}\u{202e}ü\n" });
        let written = text(&value);
        assert_eq!(written, "{\"a\\u007f\":\"\\u001b[2J\\u009b\\u202eü\\n\"}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }

    #[test]
    fn stored_json_passes_digit_for_digit_on_one_line() {
        let raw: &RawValue =
            serde_json::from_str("{\n\t\"n\": 12345678901234567890.10,\r\n \"t\": \"\u{85}\"}").unwrap();
        assert_eq!(text(&raw), "{\"n\": 12345678901234567890.10, \"t\": \"\\u0085\"}");
    }
}
