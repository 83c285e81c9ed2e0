//! Answers to appends as they are told.
//!
//! ```text
//!    0  number u64         8  flags u16, zeros   12  length u32
//!   16  of a receipt:   first position u64, last position u64, recorded_at i64
//!                       (µs); then, `length` times, whether there is a revision
//!                       u8, and which u64
//!       of a refusal:   an `AppendError` as a message, of `length` bytes
//! ```

use bytes::Bytes;
use factum_core::{AppendError, Appended, Durability, Position, Revision, Timestamp};
use prost::Message;

use super::{Cut, put, u16_at, u32_at, u64_at};
use crate::proto::store as proto;
use crate::store::{Malformed, error};

/// Room for some dozens, that it need not be made little by little.
const ROOM_BYTES: usize = 4 * 1024;

/// Length of what every answer has.
const HEAD_BYTES: usize = 16;
/// Length of what every receipt has.
const RECEIPT_BYTES: usize = 24;
/// Length of the revision of one stream.
const REVISION_BYTES: usize = 9;

mod flags {
    pub const REFUSED: u16 = 1;
    /// There was something to record.
    pub const POSITIONS: u16 = 2;
    pub const RECORDED_AT: u16 = 4;
    /// The events survive what a disk survives; else they are in memory.
    pub const DISK: u16 = 8;
    pub const REPEATED: u16 = 16;
    pub const ALL: u16 = 31;
}

/// Answers, packed.
#[derive(Debug, Clone, Default)]
pub struct PackedAnswers {
    bytes: Vec<u8>,
    count: usize,
}

impl PackedAnswers {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds the answer to the append with this number.
    pub fn push(&mut self, number: u64, answer: &Result<Appended, AppendError>) {
        if self.count == 0 {
            self.bytes.reserve(ROOM_BYTES);
        }
        self.count += 1;
        match answer {
            Ok(appended) => self.push_receipt(number, appended),
            Err(refused) => {
                let refused = error::encode_append(refused);
                self.push_head(number, flags::REFUSED, refused.encoded_len());
                // A vector has room for anything.
                let _ = refused.encode(&mut self.bytes);
            }
        }
    }

    fn push_receipt(&mut self, number: u64, appended: &Appended) {
        let flag = |is_there: bool, flag: u16| if is_there { flag } else { 0 };
        let flags = flag(appended.positions.is_some(), flags::POSITIONS)
            | flag(appended.recorded_at.is_some(), flags::RECORDED_AT)
            // What has no flag here is promised as the least.
            | flag(appended.durability == Durability::Disk, flags::DISK)
            | flag(appended.repeated, flags::REPEATED);
        self.push_head(number, flags, appended.revisions.len());
        let position = |position: Option<Position>| position.map_or(0, Position::get).to_le_bytes();
        let mut receipt = [0; RECEIPT_BYTES];
        put(&mut receipt, 0, position(appended.first_position()));
        put(&mut receipt, 8, position(appended.last_position()));
        put(&mut receipt, 16, appended.recorded_at.map_or(0, Timestamp::as_micros).to_le_bytes());
        self.bytes.extend_from_slice(&receipt);
        for revision in &appended.revisions {
            let mut told = [0; REVISION_BYTES];
            told[0] = revision.is_some().into();
            put(&mut told, 1, revision.map_or(0, Revision::get).to_le_bytes());
            self.bytes.extend_from_slice(&told);
        }
    }

    fn push_head(&mut self, number: u64, flags: u16, length: usize) {
        let mut head = [0; HEAD_BYTES];
        put(&mut head, 0, number.to_le_bytes());
        put(&mut head, 8, flags.to_le_bytes());
        put(&mut head, 12, (length as u32).to_le_bytes());
        self.bytes.extend_from_slice(&head);
    }

    /// They alone.
    pub fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}

/// Which append is answered, and how.
type Answer = (u64, Result<Appended, AppendError>);

/// Packed answers, one by one. The first that is none is the last.
#[derive(Debug, Clone, Default)]
pub struct UnpackedAnswers {
    bytes: Bytes,
    at: usize,
}

impl UnpackedAnswers {
    /// Of what [`PackedAnswers`] gave.
    pub fn of(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    fn answer(&mut self) -> Result<Answer, Malformed> {
        let mut cut = Cut { bytes: &self.bytes, at: self.at };
        let head: &[u8; HEAD_BYTES] = cut.head()?;
        let (flags, length) = (u16_at(head, 8), u32_at(head, 12));
        let answer = match flags & flags::REFUSED != 0 {
            true => {
                let refused = proto::AppendError::decode(cut.part(length as usize)?);
                let refused = refused.map_err(|error| Malformed::new(&error.to_string()))?;
                Err(error::decode_append(refused)?)
            }
            false => Ok(unpack_receipt(&mut cut, flags, length)?),
        };
        self.at = cut.at;
        Ok((u64_at(head, 0), answer))
    }
}

impl Iterator for UnpackedAnswers {
    type Item = Result<Answer, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let answer = self.answer();
        if answer.is_err() {
            *self = Self::default();
        }
        Some(answer)
    }
}

fn unpack_receipt(cut: &mut Cut<'_>, flags: u16, revisions: u32) -> Result<Appended, Malformed> {
    if flags & !flags::ALL != 0 {
        return Err(Malformed::new("an answer has a flag that is not known"));
    }
    let is_flagged = |flag: u16| flags & flag != 0;
    let receipt: &[u8; RECEIPT_BYTES] = cut.head()?;
    let position = |at: usize| Position::new(u64_at(receipt, at));
    let mut appended = Appended {
        positions: is_flagged(flags::POSITIONS).then(|| position(0)..=position(8)),
        revisions: Default::default(),
        recorded_at: is_flagged(flags::RECORDED_AT)
            .then(|| Timestamp::from_micros(u64_at(receipt, 16) as i64)),
        durability: if is_flagged(flags::DISK) { Durability::Disk } else { Durability::Memory },
        repeated: is_flagged(flags::REPEATED),
    };
    appended.revisions.reserve(cut.at_most(revisions, REVISION_BYTES));
    for _ in 0..revisions {
        let told: &[u8; REVISION_BYTES] = cut.head()?;
        appended.revisions.push((told[0] != 0).then(|| Revision::new(u64_at(told, 1))));
    }
    Ok(appended)
}
