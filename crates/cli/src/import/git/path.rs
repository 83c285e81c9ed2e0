//! Git paths as text. A path is any bytes but NUL; a stream name is printable
//! UTF-8 of at most 1,024 bytes. This is the mapping between the two.
//!
//! ```text
//!   path                    stream
//!   src/main.rs             file-src/main.rs
//!   100%.txt                file-100%25.txt
//!   a<LF>b                  file-a%0Ab
//!   caf<E9>  (Latin-1)      file-caf%E9
//!   <1,100 bytes>           file-<the first 986>%~<hash of the whole path>
//! ```
//!
//! Invariants: [`unescape`] undoes [`escape`] for all bytes, so two paths
//! never share an escaped form. `%` is always followed by two digits in an
//! escaped path, so a shortened name, which holds `%~`, is never the name of
//! another, short path. Folding reads the path from the events' data, where it
//! always stands in full, and never from the stream's name.

use std::fmt::Write as _;

use factum_core::name::is_forbidden;
use factum_core::{StreamName, Uuid};

/// What the names of path streams begin with: their category is `file`.
pub const STREAM_PREFIX: &str = "file-";

/// The bytes as printable text: what a name refuses, what is not UTF-8, and
/// `%` itself become `%` and two hexadecimal digits for each byte.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let percent = |text: &mut String, bytes: &[u8]| {
        for byte in bytes {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || is_forbidden(character) {
                percent(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(character);
            }
        }
        percent(&mut text, chunk.invalid());
    }
    text
}

/// Undoes [`escape`]; `None` for a `%` without two digits.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>()?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(bytes)
}

/// A stream name made of `prefix` and any bytes, shortened where it must be.
pub fn stream_of(prefix: &str, bytes: &[u8]) -> StreamName {
    let mut name = format!("{prefix}{}", escape(bytes));
    if name.len() > StreamName::BYTES_MAX {
        // The hash is of the whole, so that long names stay apart.
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_URL, bytes).simple().to_string();
        let mut end = StreamName::BYTES_MAX - hash.len() - 2;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name.push_str("%~");
        name.push_str(&hash);
    }
    StreamName::new(name).expect("what names refuse was escaped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_survives_being_a_text() {
        let rows: &[(&[u8], &str)] = &[
            (b"src/main.rs", "src/main.rs"),
            (b"a b \"q\" 'r' \\", "a b \"q\" 'r' \\"),
            (b"100%", "100%25"),
            (b"%41", "%2541"),
            (b"a\nb\tc\x1b\x7f", "a%0Ab%09c%1B%7F"),
            ("Grüße 🦀".as_bytes(), "Grüße 🦀"),
            ("x\u{202e}y\u{85}".as_bytes(), "x%E2%80%AEy%C2%85"),
            (b"caf\xe9\xff", "caf%E9%FF"),
            (b"\xe2\x82", "%E2%82"),
        ];
        for (bytes, text) in rows {
            assert_eq!(escape(bytes), *text);
            assert_eq!(unescape(text).as_deref(), Some(*bytes));
            assert_eq!(stream_of(STREAM_PREFIX, bytes).as_str(), format!("file-{text}"));
        }
        for broken in ["%", "%4", "a%zz", "%+1", "%~"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
    }

    #[test]
    fn long_paths_are_shortened_and_stay_apart() {
        let long = |end: &str| format!("{}{end}", "ü/".repeat(400));
        let (a, b) = (stream_of("file-", long("a").as_bytes()), stream_of("file-", long("b").as_bytes()));
        assert_ne!(a, b);
        assert!(a.as_str().len() <= StreamName::BYTES_MAX && a.as_str().contains("%~"), "{a}");
        assert_eq!(a.category(), Some("file"));
        // A path spelled like a shortened name gets another name.
        let spelled = a.as_str().strip_prefix("file-").unwrap().as_bytes();
        assert_ne!(stream_of("file-", spelled), a);
        let fits = vec![b'x'; StreamName::BYTES_MAX - 5];
        assert!(!stream_of("file-", &fits).as_str().contains("%~"));
    }
}
