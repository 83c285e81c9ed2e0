//! What there is much of is told packed: many in one field of one message, one
//! after another, and nothing between them.
//!
//! ```text
//!   ReadResponse    │ recorded event │ recorded event │ ...
//!   AppendRequest   │ append │ append │ ...
//!                       └─► streams, each with its events, and what is guarded
//!   AppendResponse  │ answer │ answer │ ...
//! ```
//!
//! Whoever is told many has most of them from one block, and each is a few views
//! of it: nothing of an event is copied where it is unpacked, and no field is
//! looked for. All numbers are little-endian. What is packed differently is
//! another version of the protocol, whose name is in each call: who speaks
//! another one is refused.
//!
//! Invariants: what is unpacked is what was packed; whatever the bytes, nothing
//! panics, no more memory is taken than they could fill, and names are names.

mod answers;
mod appends;
mod event;
mod recorded;

pub use answers::{PackedAnswers, UnpackedAnswers};
pub use appends::{PackedAppends, UnpackedAppends, packed_bytes};
pub use recorded::{Packed, Unpacked};

use bytes::Bytes;

use super::Malformed;

/// Where something is being unpacked.
struct Cut<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Cut<'a> {
    /// The next bytes, of which there are so many.
    fn head<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let head = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_short)?;
        self.at += N;
        Ok(head)
    }

    /// A view of the next so many bytes. An empty one shares nothing, and costs
    /// nothing to share.
    fn part(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(cut_short)?;
        let part = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(part)
    }

    /// How many there can be at most, of something that has so many bytes at least,
    /// where so many are told.
    fn at_most(&self, told: u32, bytes_min: usize) -> usize {
        (told as usize).min((self.bytes.len() - self.at) / bytes_min)
    }
}

fn cut_short() -> Malformed {
    Malformed::new("something in it is longer than the message")
}

/// A number at its place in a head.
fn put<const N: usize>(head: &mut [u8], at: usize, bytes: [u8; N]) {
    head[at..at + N].copy_from_slice(&bytes);
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}
