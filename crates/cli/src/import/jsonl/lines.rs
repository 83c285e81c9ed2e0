//! Lines of a source of any size, with a hash over everything read so far.
//!
//! ```text
//!   ┌BOM┐
//!   │   │{"stream":...}␊{"stream":...}␍␊␊{"stream":...}
//!   └───┴───────┬──────┴───────┬───────┴┴───────┬──────
//!             line 1         line 2    3 empty  4, without an end: a line all the same
//!   ├──────── bytes, hash ────────────►│
//! ```
//!
//! Invariants: at most [`LINE_BYTES_MAX`] bytes of a line are in memory, also
//! when the source holds no line end at all; bytes and hash count what the
//! source holds, with line ends and byte-order mark.

use std::io::{self, BufRead};

use xxhash_rust::xxh3::Xxh3;

/// Longest line that is taken: the largest event and room for what is around it.
pub const LINE_BYTES_MAX: usize = 17 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How far a source was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Lines read, the last one perhaps without an end.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Their hash (XXH3, 128 bits).
    pub hash: u128,
    /// Whether the last line had an end.
    pub ended: bool,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It stands in the buffer, without its end.
    Line,
    /// It has more bytes than are taken; its beginning stands in the buffer.
    TooLong {
        /// How many.
        bytes: u64,
    },
}

/// Reads lines.
pub struct Lines<R> {
    source: R,
    hash: Xxh3,
    lines: u64,
    bytes: u64,
    ended: bool,
    limit: usize,
}

impl<R: BufRead> Lines<R> {
    /// From the beginning of a source.
    pub fn new(source: R) -> Self {
        Self::with_limit(source, LINE_BYTES_MAX)
    }

    fn with_limit(source: R, limit: usize) -> Self {
        Self { source, hash: Xxh3::new(), lines: 0, bytes: 0, ended: true, limit }
    }

    /// How far it was read.
    pub fn mark(&self) -> Mark {
        Mark { lines: self.lines, bytes: self.bytes, hash: self.hash.digest128(), ended: self.ended }
    }

    /// Reads over what an earlier run read; `false` if the source says
    /// something else there, or ends earlier.
    pub fn skip_to(&mut self, mark: &Mark) -> io::Result<bool> {
        let mut left = mark.bytes;
        while left > 0 {
            let block = self.source.fill_buf()?;
            if block.is_empty() {
                return Ok(false);
            }
            let taken = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.hash.update(&block[..taken]);
            self.source.consume(taken);
            left -= taken as u64;
        }
        (self.lines, self.bytes, self.ended) = (mark.lines, mark.bytes, mark.ended);
        if self.hash.digest128() != mark.hash {
            return Ok(false);
        }
        if self.ended {
            return Ok(true);
        }
        // The last line had no end. It has one now, or it is still the last;
        // anything else has made it another line.
        let mut rest = Vec::new();
        let found = self.next(&mut rest)?;
        self.lines = mark.lines;
        Ok(match found {
            None => true,
            Some(Found::Line) => rest.is_empty(),
            Some(Found::TooLong { .. }) => false,
        })
    }

    /// The next line, into `line`; `None` at the end of the source.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Found>> {
        line.clear();
        let first = self.bytes == 0;
        let mut length = 0;
        loop {
            let block = match self.source.fill_buf() {
                Ok(block) => block,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if block.is_empty() {
                if length == 0 {
                    return Ok(None);
                }
                self.ended = false;
                break;
            }
            let end = block.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(block.len(), |end| end + 1);
            let text = end.unwrap_or(taken);
            let room = self.limit.saturating_sub(line.len());
            line.extend_from_slice(&block[..text.min(room)]);
            self.hash.update(&block[..taken]);
            self.source.consume(taken);
            self.bytes += taken as u64;
            length += text as u64;
            if end.is_some() {
                self.ended = true;
                break;
            }
        }
        self.lines += 1;
        if length > line.len() as u64 {
            return Ok(Some(Found::TooLong { bytes: length }));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if first && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some(Found::Line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<String> {
        // A tiny buffer, so that lines lie across its edge.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, bytes));
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while lines.next(&mut line).unwrap().is_some() {
            all.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(lines.mark().bytes, bytes.len() as u64);
        assert_eq!(lines.mark().lines, all.len() as u64);
        assert_eq!(lines.mark().hash, xxhash_rust::xxh3::xxh3_128(bytes));
        all
    }

    #[test]
    fn finds_lines_however_they_end() {
        let rows: &[(&str, &[&str])] = &[
            ("", &[]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("alpha\r\nbeta\r\n", &["alpha", "beta"]),
            ("a\n\n\nb", &["a", "", "", "b"]),
            ("\u{feff}a\n\u{feff}b\n", &["a", "\u{feff}b"]),
            ("a\rb\n", &["a\rb"]),
        ];
        for (text, lines) in rows {
            assert_eq!(read(text.as_bytes()), *lines, "{text:?}");
        }
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let text = format!("short\n{}\nafter\n", "x".repeat(1000));
        let mut lines = Lines::with_limit(io::BufReader::with_capacity(7, text.as_bytes()), 100);
        let mut line = Vec::new();
        assert_eq!(lines.next(&mut line).unwrap(), Some(Found::Line));
        assert_eq!(lines.next(&mut line).unwrap(), Some(Found::TooLong { bytes: 1000 }));
        assert_eq!(line.len(), 100);
        assert_eq!(lines.next(&mut line).unwrap(), Some(Found::Line));
        assert_eq!((line.as_slice(), lines.mark().lines), (&b"after"[..], 3));
    }

    #[test]
    fn skips_exactly_what_was_read_before() {
        let rows: &[(&str, &str, bool, u64, Option<&str>)] = &[
            // before, after, same?, lines, the next line
            ("a\nb\n", "a\nb\nc\n", true, 2, Some("c")),
            ("a\nb\n", "a\nb\n", true, 2, None),
            ("a\nb", "a\nb\nc", true, 2, Some("c")),
            ("a\nb", "a\nb\r\nc", true, 2, Some("c")),
            ("a\nb", "a\nb", true, 2, None),
            ("a\nb", "a\nbb\n", false, 0, None),
            ("a\nb\n", "a\nB\n", false, 0, None),
            ("a\nb\n", "a\n", false, 0, None),
            ("", "a\n", true, 0, Some("a")),
        ];
        for (before, after, same, count, next) in rows {
            let mut line = Vec::new();
            let mut first = Lines::new(before.as_bytes());
            while first.next(&mut line).unwrap().is_some() {}
            let mut second = Lines::new(after.as_bytes());
            assert_eq!(second.skip_to(&first.mark()).unwrap(), *same, "{before:?} {after:?}");
            if *same {
                assert_eq!(second.mark().lines, *count, "{before:?} {after:?}");
                let found = second.next(&mut line).unwrap().map(|_| String::from_utf8(line).unwrap());
                assert_eq!(found.as_deref(), *next, "{before:?} {after:?}");
            }
        }
    }
}
