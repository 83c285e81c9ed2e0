//! Lines that could not be imported, put aside to be mended.
//!
//! ```text
//!   {"parked":{"source":"events.jsonl","line":7,"column":14,"reason":"..."},"text":"..."}
//! ```
//!
//! One line each; mend the `text`, or delete the line, and import the file.
//! Invariants: a line is on the disk here before the store says the import has
//! passed it; a line is parked once, also when the import is killed in between
//! and runs again.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::decode::BadLine;

/// Most of a line's text that is kept; of a longer one the source is the only copy.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Parked {
    parked: About,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct About {
    source: String,
    line: u64,
    column: usize,
    reason: String,
}

/// The file of parked lines.
pub struct Park {
    file: File,
    source: String,
    there: HashSet<u64>,
    unsynced: bool,
}

impl Park {
    /// Opens or creates the file; lines of this source in it are not parked again.
    pub fn open(path: &Path, source: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let (mut there, mut line, mut whole) = (HashSet::new(), Vec::new(), 0);
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.last() == Some(&b'\n') {
                whole += line.len() as u64;
                if let Ok(Parked { parked, .. }) = serde_json::from_slice(&line)
                    && parked.source == source
                {
                    there.insert(parked.line);
                }
            } else if serde_json::from_slice::<Parked>(&line).is_ok() {
                // An editor left out the last line end.
                (&file).write_all(b"\n")?;
                whole += line.len() as u64 + 1;
            }
            line.clear();
        }
        // What a kill left of a last line; it will be parked again.
        file.set_len(whole)?;
        (&file).seek(SeekFrom::End(0))?;
        Ok(Self { file, source: source.to_owned(), there, unsynced: false })
    }

    /// Puts a line aside.
    pub fn put(&mut self, line: u64, text: &[u8], bad: &BadLine) -> io::Result<()> {
        if !self.there.insert(line) {
            return Ok(());
        }
        let text = &text[..text.len().min(TEXT_BYTES_MAX)];
        let about =
            About { source: self.source.clone(), line, column: bad.column, reason: bad.reason.clone() };
        let parked = Parked { parked: about, text: String::from_utf8_lossy(text).into_owned() };
        let mut record = serde_json::to_vec(&parked).map_err(io::Error::other)?;
        record.push(b'\n');
        self.file.write_all(&record)?;
        self.unsynced = true;
        Ok(())
    }

    /// Makes what was put aside durable.
    pub fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parked_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("parked.ndjson");
        let bad = BadLine { column: 3, reason: "no".to_owned() };
        let mut park = Park::open(&path, "a").unwrap();
        park.put(7, b"seven \xff", &bad).unwrap();
        park.put(7, b"seven", &bad).unwrap();
        park.sync().unwrap();
        // A kill in the middle of writing the next one.
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"{\"parked\":{\"sou"].concat()).unwrap();
        let mut park = Park::open(&path, "a").unwrap();
        park.put(7, b"seven", &bad).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        park.put(9, b"nine", &bad).unwrap();
        Park::open(&path, "b").unwrap().put(7, b"of another source", &bad).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        for line in text.lines() {
            serde_json::from_str::<Parked>(line).unwrap();
        }
    }
}
