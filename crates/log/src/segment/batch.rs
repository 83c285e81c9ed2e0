//! Batches: the unit of commit. The bytes are drawn in [`super::format`].

use factum_core::Timestamp;

use super::format::{
    BATCH_HEADER_BYTES, BATCH_MAGIC, BLOCK_BYTES, FORMAT, i64_at, put, round_to_block, u16_at, u32_at, u64_at,
};

/// A batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// See [`batch_flags`](super::format::batch_flags).
    pub flags: u16,
    /// The segment it belongs to.
    pub segment: u32,
    /// How often the store had been opened for appending when it was written.
    pub epoch: u32,
    /// Its number in the store, from 1.
    pub sequence: u64,
    /// Position of its first event; of the next one to come if it has none.
    pub first_position: u64,
    #[allow(missing_docs)]
    pub events: u32,
    /// Length of its records.
    pub body_bytes: u32,
    /// When its events were recorded.
    pub recorded_at: Timestamp,
    /// The last batch known to be durable when it was built.
    pub durable_sequence: u64,
    /// Checksum of the batch before it.
    pub previous_crc: u32,
    /// Its own checksum.
    pub crc: u32,
}

impl BatchHeader {
    /// Reads the fields; `None` if these bytes do not begin a batch of a
    /// format this program knows. Does not look at the checksum.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if u32_at(bytes, 0)? != BATCH_MAGIC || u32::from(u16_at(bytes, 4)?) > FORMAT {
            return None;
        }
        Some(Self {
            flags: u16_at(bytes, 6)?,
            segment: u32_at(bytes, 8)?,
            epoch: u32_at(bytes, 12)?,
            sequence: u64_at(bytes, 16)?,
            first_position: u64_at(bytes, 24)?,
            events: u32_at(bytes, 32)?,
            body_bytes: u32_at(bytes, 36)?,
            recorded_at: Timestamp::from_micros(i64_at(bytes, 40)?),
            durable_sequence: u64_at(bytes, 48)?,
            previous_crc: u32_at(bytes, 56)?,
            crc: u32_at(bytes, 60)?,
        })
    }

    /// Its length in the file, with padding.
    pub fn padded_bytes(&self) -> u64 {
        padded_bytes(u64::from(self.body_bytes))
    }

    /// Position of the event after its last.
    pub fn end_position(&self) -> u64 {
        self.first_position.saturating_add(u64::from(self.events))
    }

    /// Writes the header in front of `batch`, which holds room for it, the
    /// body and the padding, and completes it with the checksum it returns.
    pub fn seal(&self, batch: &mut [u8], salt: u32) -> u32 {
        debug_assert_eq!(batch.len() as u64, self.padded_bytes());
        put(batch, 0, &BATCH_MAGIC.to_le_bytes());
        put(batch, 4, &(FORMAT as u16).to_le_bytes());
        put(batch, 6, &self.flags.to_le_bytes());
        put(batch, 8, &self.segment.to_le_bytes());
        put(batch, 12, &self.epoch.to_le_bytes());
        put(batch, 16, &self.sequence.to_le_bytes());
        put(batch, 24, &self.first_position.to_le_bytes());
        put(batch, 32, &self.events.to_le_bytes());
        put(batch, 36, &self.body_bytes.to_le_bytes());
        put(batch, 40, &self.recorded_at.as_micros().to_le_bytes());
        put(batch, 48, &self.durable_sequence.to_le_bytes());
        put(batch, 56, &self.previous_crc.to_le_bytes());
        let crc = checksum(batch, salt);
        put(batch, 60, &crc.to_le_bytes());
        crc
    }
}

/// Length in the file of a batch with this much in its body.
pub fn padded_bytes(body_bytes: u64) -> u64 {
    round_to_block(BATCH_HEADER_BYTES as u64 + body_bytes)
}

/// The checksum of a whole padded batch.
pub fn checksum(batch: &[u8], salt: u32) -> u32 {
    let without_itself = crc32c::crc32c_append(salt, &batch[..60]);
    crc32c::crc32c_append(without_itself, &batch[BATCH_HEADER_BYTES..])
}

/// What bytes at a place where a batch may begin turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A whole batch with its checksum right.
    Batch(BatchHeader),
    /// It begins like a batch of this many bytes, of which there are fewer here.
    Longer(u64),
    /// Zeros: nothing was written.
    Nothing,
    /// Neither.
    Broken,
}

/// Looks at the batch that may begin at the beginning of `bytes`, in a segment
/// in which `room` bytes follow from there.
pub fn find(bytes: &[u8], room: u64, segment: u32, salt: u32) -> Found {
    let block = &bytes[..bytes.len().min(BLOCK_BYTES as usize)];
    let Some(header) = BatchHeader::parse(block) else {
        return if block.iter().all(|byte| *byte == 0) { Found::Nothing } else { Found::Broken };
    };
    let length = header.padded_bytes();
    if header.segment != segment || length > room {
        return Found::Broken;
    }
    let Some(batch) = bytes.get(..length as usize) else { return Found::Longer(length) };
    if checksum(batch, salt) == header.crc { Found::Batch(header) } else { Found::Broken }
}
