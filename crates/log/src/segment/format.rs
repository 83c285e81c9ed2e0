//! What a byte at an offset of a segment file means.
//!
//! All numbers are little-endian. A segment is a file of a fixed size:
//!
//! ```text
//!   0         4096              12288             16384                 file_bytes
//!   ├─ header ─┼─── batch 0 ─────┼─── batch 1 ─────┼─── ... ─── zeros ──┤
//! ```
//!
//! **Header**, 64 bytes, stored twice (at 0 and at 2048) so that one bad sector
//! does not take the file's identity:
//!
//! ```text
//!   0  magic u64        8  format u32      12  segment u32     16  store id [16]
//!  32  file_bytes u64  40  zeros           60  crc32c of 0..60
//! ```
//!
//! **Batch**: the unit of commit; whole appends only. Begins on a multiple of
//! 4096 and is padded with zeros to one, so that no later write touches a
//! block that holds acknowledged bytes.
//!
//! ```text
//!   0  magic u32        4  format u16       6  flags u16        8  segment u32
//!  12  epoch u32       16  sequence u64    24  first_position u64
//!  32  events u32      36  body_bytes u32  40  recorded_at i64 (µs)
//!  48  durable_sequence u64                56  previous_crc u32
//!  60  crc32c u32, salted, of 0..60, the body and the padding
//!  64  body: `events` records, one after another
//! ```
//!
//! `sequence` counts batches over the whole store from 1; `previous_crc` is
//! the `crc32c` of batch `sequence - 1`, also across segments;
//! `durable_sequence` is the last batch known to be on disk when this one was
//! built. A batch that fails its check although a later one names it durable
//! was acknowledged: that is damage, not a torn tail.
//!
//! **Record**: one event, a multiple of 8 bytes long:
//!
//! ```text
//!   0  bytes u32        4  crc32c u32, salted
//!   8  position u64    16  revision u64    24  recorded_at i64 (µs)
//!  32  event id [16]   48  flags u16       50  stream_bytes u16
//!  52  type_bytes u16  54  content_type_bytes u16
//!  56  schema_version u32                  60  tags_bytes u32
//!  64  metadata_bytes u32                  68  data_bytes u32
//!  72  occurred_at i64, correlation id [16], causation id [16]: each if flagged
//!      stream, type, content type, tags, metadata, data, zeros to a multiple of 8
//! ```
//!
//! A record's crc covers 32.. first, then 0..4 and 8..32: the caller computes
//! the long part, the sequencer, which knows the place, adds the short one.
//!
//! Both checksums start from a salt that is secret to the store, so nobody who
//! only chooses payloads can forge a batch or a record inside one.

/// The format this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// Batches begin on multiples of this.
pub const BLOCK_BYTES: u64 = 4096;

/// Where the first batch begins.
pub const SEGMENT_HEADER_BYTES: u64 = BLOCK_BYTES;
/// Where the second copy of the header is.
pub const SEGMENT_HEADER_COPY_AT: u64 = 2048;
/// How many bytes of each copy mean something.
pub const SEGMENT_HEADER_USED: usize = 64;
/// First bytes of a segment file: `factseg1`.
pub const SEGMENT_MAGIC: u64 = u64::from_le_bytes(*b"factseg1");

/// Length of a batch header.
pub const BATCH_HEADER_BYTES: usize = 64;
/// First bytes of a batch: `fbat`.
pub const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"fbat");

/// The flags of a batch.
pub mod batch_flags {
    /// The first batch after the store was opened.
    pub const OPENED: u16 = 1;
    /// Without events: it only says that what came before is durable.
    pub const HEARTBEAT: u16 = 2;
    /// The last batch before the store was closed in order.
    pub const CLOSED: u16 = 4;
}

/// Length of the fixed part of a record.
pub const RECORD_HEADER_BYTES: usize = 72;
/// Records are multiples of this.
pub const RECORD_ALIGN: usize = 8;
/// Where the part of a record begins that its caller knows.
pub const RECORD_OWN_AT: usize = 32;

/// The flags of a record.
pub mod record_flags {
    /// It has an occurred-at.
    pub const OCCURRED_AT: u16 = 1;
    /// It has a correlation id.
    pub const CORRELATION: u16 = 2;
    /// It has a causation id.
    pub const CAUSATION: u16 = 4;
    /// Its content type is `application/octet-stream`.
    pub const BINARY: u16 = 8;
    /// Its content type is written out.
    pub const OTHER_CONTENT: u16 = 16;
}

/// How large the open batch may grow while the one before is being written.
/// One append may be larger.
pub const BATCH_BYTES_MAX: u64 = 1024 * 1024;

/// How large one append may be as stored, whatever the segments' size.
pub const APPEND_BYTES_MAX: u64 = 32 * 1024 * 1024;

const _: () = {
    assert!(SEGMENT_HEADER_COPY_AT as usize + SEGMENT_HEADER_USED <= SEGMENT_HEADER_BYTES as usize);
    assert!(RECORD_HEADER_BYTES.is_multiple_of(RECORD_ALIGN));
    assert!(BATCH_HEADER_BYTES.is_multiple_of(RECORD_ALIGN));
    assert!(BATCH_BYTES_MAX.is_multiple_of(BLOCK_BYTES));
};

/// The next multiple of [`BLOCK_BYTES`].
pub fn round_to_block(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// A little-endian number at an offset; `None` if the bytes end before.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

/// As [`u16_at`].
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// As [`u16_at`].
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// As [`u16_at`].
pub fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    bytes.get(at..)?.first_chunk().map(|chunk| i64::from_le_bytes(*chunk))
}

/// As [`u16_at`].
pub fn bytes16_at(bytes: &[u8], at: usize) -> Option<[u8; 16]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Writes a field at an offset that the caller knows to be inside.
pub fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}
