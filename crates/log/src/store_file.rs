//! The `STORE` file: what a store is, written once when it is created.
//!
//! ```text
//! factum store
//! format 1
//! id 0190b6a4-...
//! secret 0123456789abcdef
//! segment_bytes_first 67108864
//! segment_bytes_max 268435456
//! crc32c 89abcdef
//! ```
//!
//! Text, so that an operator can read it. The last line is the checksum of all
//! before it. It is written last: a directory without it holds no store yet.

use std::io;

use factum_core::StorageError;
use uuid::Uuid;

use crate::disk::{Disk, read_exact_at, write_all_at};
use crate::error::OpenError;
use crate::options::LogOptions;
use crate::secret::Secret;
use crate::segment::format::{APPEND_BYTES_MAX, BLOCK_BYTES, FORMAT, SEGMENT_HEADER_BYTES};
use crate::segment::io_error;

/// Its name.
pub const STORE_FILE: &str = "STORE";
const TEMPORARY: &str = "STORE.tmp";
const FIRST_LINE: &str = "factum store";
const BYTES_MAX: u64 = 4096;

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Tells this store's files from any other's.
    pub id: Uuid,
    /// See [`Secret`].
    pub secret: Secret,
    segment_bytes_first: u64,
    segment_bytes_max: u64,
}

impl StoreFile {
    /// A new store with these sizes.
    pub fn new(options: &LogOptions) -> Result<Self, OpenError> {
        check_sizes(options.segment_bytes_first, options.segment_bytes_max)?;
        Ok(Self {
            id: Uuid::new_v4(),
            secret: Secret::new(),
            segment_bytes_first: options.segment_bytes_first,
            segment_bytes_max: options.segment_bytes_max,
        })
    }

    /// Size of a segment's file: each is twice as large as the one before it,
    /// up to the maximum, so small stores stay small.
    pub fn segment_bytes(&self, number: u32) -> u64 {
        let doublings = number.saturating_sub(1).min(40);
        self.segment_bytes_first.saturating_mul(1 << doublings).min(self.segment_bytes_max)
    }

    /// How large one append may be as stored: it must fit into any segment.
    pub fn append_bytes_max(&self) -> u64 {
        (self.segment_bytes_first - SEGMENT_HEADER_BYTES - BLOCK_BYTES).min(APPEND_BYTES_MAX)
    }

    /// Reads it; `None` if there is none.
    pub fn load(disk: &dyn Disk, path: &str) -> Result<Option<Self>, OpenError> {
        let failed = |error| OpenError::Storage(io_error("read", STORE_FILE, error));
        let file = match disk.open(STORE_FILE, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let bytes = file.bytes().map_err(failed)?;
        let mut text = vec![0; bytes.min(BYTES_MAX) as usize];
        read_exact_at(&*file, &mut text, 0).map_err(failed)?;
        Self::parse(&String::from_utf8_lossy(&text), path).map(Some)
    }

    pub(crate) fn parse(text: &str, path: &str) -> Result<Self, OpenError> {
        let corrupt = |what: &str| {
            OpenError::Storage(StorageError::Corrupt {
                file: STORE_FILE.into(),
                offset: 0,
                positions: None,
                what: what.into(),
            })
        };
        let Some(rest) = text.strip_prefix(FIRST_LINE) else {
            return Err(corrupt("it does not begin with `factum store`"));
        };
        let field = |name: &str| {
            let line = rest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or_else(|| corrupt(&format!("the line `{name}` is missing")))
        };
        // The format comes before the checksum: a newer one may compute it otherwise.
        let format: u32 = field("format")?.parse().map_err(|_| corrupt("the format is no number"))?;
        if format > FORMAT {
            return Err(OpenError::NewerFormat { path: path.to_owned(), found: format, known: FORMAT });
        }
        let crc =
            u32::from_str_radix(field("crc32c")?, 16).map_err(|_| corrupt("the checksum is no number"))?;
        let covered = text.find("crc32c ").map_or("", |at| &text[..at]);
        if crc32c::crc32c(covered.as_bytes()) != crc {
            return Err(corrupt("the checksum does not match"));
        }
        let number = |name: &str, radix: u32| {
            u64::from_str_radix(field(name)?, radix).map_err(|_| corrupt(&format!("`{name}` is no number")))
        };
        let sizes = (number("segment_bytes_first", 10)?, number("segment_bytes_max", 10)?);
        check_sizes(sizes.0, sizes.1).map_err(|error| corrupt(&error.to_string()))?;
        Ok(Self {
            id: field("id")?.parse().map_err(|_| corrupt("the id is no UUID"))?,
            secret: Secret::from_stored(number("secret", 16)?),
            segment_bytes_first: sizes.0,
            segment_bytes_max: sizes.1,
        })
    }

    fn text(&self) -> String {
        let lines = format!(
            "{FIRST_LINE}\nformat {FORMAT}\nid {}\nsecret {:016x}\nsegment_bytes_first {}\nsegment_bytes_max {}\n",
            self.id,
            self.secret.to_stored(),
            self.segment_bytes_first,
            self.segment_bytes_max,
        );
        let crc = crc32c::crc32c(lines.as_bytes());
        format!("{lines}crc32c {crc:08x}\n")
    }

    /// Writes it; from then on the store exists.
    pub fn create(&self, disk: &dyn Disk) -> Result<(), StorageError> {
        let failed = |doing| move |error| io_error(doing, STORE_FILE, error);
        match disk.remove(TEMPORARY) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove")(error)),
            _ => {}
        }
        let file = disk.create(TEMPORARY).map_err(failed("create"))?;
        write_all_at(&*file, self.text().as_bytes(), 0).map_err(failed("write"))?;
        file.sync().map_err(failed("flush"))?;
        disk.rename(TEMPORARY, STORE_FILE).map_err(failed("rename"))?;
        disk.sync_dir("").map_err(failed("flush"))
    }
}

/// Refuses sizes of segments that cannot be.
fn check_sizes(first: u64, max: u64) -> Result<(), OpenError> {
    for (name, value) in [("segment_bytes_first", first), ("segment_bytes_max", max)] {
        // Offsets of records are kept as u32 in units of 8 bytes.
        let (least, most) = (16 * BLOCK_BYTES, 16 * 1024 * 1024 * 1024);
        if !value.is_multiple_of(BLOCK_BYTES) || value < least || value > most {
            let allowed = format!("a multiple of {BLOCK_BYTES} from {least} to {most}");
            return Err(OpenError::Option { name, value, allowed });
        }
    }
    if max < first {
        let allowed = format!("at least segment_bytes_first ({first})");
        return Err(OpenError::Option { name: "segment_bytes_max", value: max, allowed });
    }
    Ok(())
}
