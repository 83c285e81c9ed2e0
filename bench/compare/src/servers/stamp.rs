//! What an event says of itself: its stream and its revision, at both ends of
//! its data, so that whatever a server gives back can be judged by its data
//! alone.
//!
//! ```text
//!   {"at":"00000011000000000000002a","fill":"5f0c...","end":"00000011000000000000002a"}
//!          stream  revision                                 the same again
//! ```
//!
//! All events are 256 bytes long. What fills them is of sixteen letters that do
//! not repeat within a page, so that a server which compresses may gain, but
//! not everything.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::failure::Failure;

/// How long the data of every event is.
pub const PAYLOAD_BYTES: usize = 256;
/// The type of every event.
pub const EVENT_TYPE: &str = "Measured";

const OPEN: &str = "{\"at\":\"";
const FILL: &str = "\",\"fill\":\"";
const END: &str = "\",\"end\":\"";
const CLOSE: &str = "\"}";
const STAMP_BYTES: usize = 24;
const FILL_BYTES: usize = PAYLOAD_BYTES - OPEN.len() - FILL.len() - END.len() - CLOSE.len() - 2 * STAMP_BYTES;

/// Where the fill of all events is cut out of.
static LETTERS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"0123456789abcdef"[(state >> 60) as usize]
    };
    (0..4_096 + FILL_BYTES).map(letter).collect()
});

/// Which event of which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The stream's number.
    pub stream: u32,
    /// How many events of the stream come before it.
    pub revision: u64,
}

impl Stamp {
    /// The name of its stream.
    pub fn stream_name(self) -> String {
        stream_name(self.stream)
    }

    /// The data of the event.
    pub fn payload(self) -> Bytes {
        let at = self.digits();
        let from = self.revision.wrapping_mul(37).wrapping_add(u64::from(self.stream) * 101) % 4_096;
        let fill = &LETTERS[from as usize..][..FILL_BYTES];
        let mut payload = Vec::with_capacity(PAYLOAD_BYTES);
        for part in [OPEN.as_bytes(), &at, FILL.as_bytes(), fill, END.as_bytes(), &at, CLOSE.as_bytes()] {
            payload.extend_from_slice(part);
        }
        payload.into()
    }

    /// The stream and the revision, in digits. By hand, because `format!` took as long for
    /// them as a client for all the rest of an append.
    fn digits(self) -> [u8; STAMP_BYTES] {
        let mut digits = [0; STAMP_BYTES];
        let (stream, revision) = digits.split_at_mut(8);
        for (number, digits) in [(u64::from(self.stream), stream), (self.revision, revision)] {
            for (place, digit) in digits.iter_mut().rev().enumerate() {
                *digit = b"0123456789abcdef"[(number >> (4 * place)) as usize & 15];
            }
        }
        digits
    }

    /// Reads it off an event's data.
    pub fn of(payload: &[u8]) -> Result<Self, Failure> {
        let front = payload.get(OPEN.len()..).and_then(|rest| rest.get(..STAMP_BYTES));
        let back = payload.len().checked_sub(CLOSE.len() + STAMP_BYTES).map(|from| &payload[from..]);
        match (front, back.and_then(|rest| rest.get(..STAMP_BYTES))) {
            (Some(front), Some(back)) if front == back && payload.len() == PAYLOAD_BYTES => {
                let number = |digits: &[u8]| {
                    digits.iter().try_fold(0_u64, |number, digit| {
                        Some(number << 4 | u64::from((*digit as char).to_digit(16)?))
                    })
                };
                let (stream, revision) = front.split_at(8);
                match (number(stream).and_then(|stream| stream.try_into().ok()), number(revision)) {
                    (Some(stream), Some(revision)) => Ok(Self { stream, revision }),
                    _ => Err(foreign(payload)),
                }
            }
            _ => Err(foreign(payload)),
        }
    }
}

/// What the stream of this number is called.
pub fn stream_name(stream: u32) -> String {
    // As `{stream:06}`, which costs several times as much.
    let mut name = String::with_capacity(8);
    name.push_str("s-");
    let digits = stream.checked_ilog10().map_or(1, |below| below + 1).max(6);
    for place in (0..digits).rev() {
        name.push((b'0' + (stream / 10_u32.pow(place) % 10) as u8) as char);
    }
    name
}

fn foreign(payload: &[u8]) -> Failure {
    let start = String::from_utf8_lossy(&payload[..payload.len().min(40)]).into_owned();
    format!("an event of {} bytes came back that was not written: {start:?}", payload.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { stream: 17, revision: 42 };

    #[test]
    fn is_read_back_from_its_data() {
        let far = Stamp { stream: u32::MAX, revision: u64::MAX };
        for stamp in [STAMP, far, Stamp { stream: 0, revision: 0 }] {
            let payload = stamp.payload();
            assert_eq!(payload.len(), PAYLOAD_BYTES);
            assert_eq!(Stamp::of(&payload).unwrap(), stamp);
            serde_json::from_slice::<serde_json::Value>(&payload).unwrap();
        }
        assert_ne!(STAMP.payload(), Stamp { revision: 43, ..STAMP }.payload());
    }

    #[test]
    fn digits_are_as_they_were() {
        for number in [0, 7, 999_999, 1_000_000, u32::MAX] {
            assert_eq!(stream_name(number), format!("s-{number:06}"));
            let revision = u64::from(number) << 21 | 5;
            let digits = Stamp { stream: number, revision }.digits();
            assert_eq!(std::str::from_utf8(&digits).unwrap(), format!("{number:08x}{revision:016x}"));
        }
    }

    #[test]
    fn data_that_was_changed_or_cut_is_not_taken() {
        let payload = STAMP.payload();
        let mut changed = payload.to_vec();
        changed[OPEN.len() + 2] = b'9';
        assert!(Stamp::of(&changed).is_err());
        assert!(Stamp::of(&payload[..PAYLOAD_BYTES - 1]).is_err());
        assert!(Stamp::of(&payload[..9]).is_err());
        assert!(Stamp::of(b"").is_err());
        let told = Stamp::of(b"hello").unwrap_err().to_string();
        assert_eq!(told, "an event of 5 bytes came back that was not written: \"hello\"");
    }
}
