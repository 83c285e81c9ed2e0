//! Text that came from outside, made fit for a terminal.

use std::borrow::Cow;

use factum_core::name::is_forbidden;
use indicatif::HumanCount;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` with every character that could forge what a reader sees escaped.
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_forbidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_forbidden(character) {
            true => escaped.extend(character.escape_unicode()),
            false => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// How many columns `text` takes.
pub fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// Whether every byte is a character of one column.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// `text` cut to `columns`, with an ellipsis where it was cut.
pub fn cut(text: String, columns: usize) -> String {
    if text.len() <= columns || width(&text) <= columns {
        return text;
    }
    let mut used = 0;
    let mut kept = String::new();
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > columns.saturating_sub(1) {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// A number of bytes as people say it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let mut amount = count as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// `1 event`, `2,000 events`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stored_can_forge_a_line() {
        assert_eq!(escape("plain"), "plain");
        assert_eq!(escape("Grüße 🦀"), "Grüße 🦀");
        assert_eq!(escape("a\x1b[2Jb\nc\u{9b}\u{202e}"), r"a\u{1b}[2Jb\u{a}c\u{9b}\u{202e}");
    }

    #[test]
    fn cuts_by_columns_not_by_bytes() {
        assert_eq!(cut("Grüße".to_owned(), 5), "Grüße");
        assert_eq!(cut("Grüße".to_owned(), 4), "Grü…");
        assert_eq!(cut("日本語".to_owned(), 5), "日本…");
    }

    #[test]
    fn says_bytes_as_people_do() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }
}
