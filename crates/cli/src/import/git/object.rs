//! The id git gives to a commit or to a file's content.

use std::fmt;

/// An object id: 20 bytes in a SHA-1 repository, 32 in a SHA-256 one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Bytes that count; the rest of `bytes` is zero.
    length: u8,
    bytes: [u8; 32],
}

impl ObjectId {
    /// From its hexadecimal form; `None` if it is not one in full length.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != 40 && hex.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self { length: (hex.len() / 2) as u8, bytes })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let hex = &hex[..2 * usize::from(self.length)];
        f.pad(std::str::from_utf8(hex).expect("hexadecimal digits are ASCII"))
    }
}

impl serde::Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ObjectId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hex;
        impl serde::de::Visitor<'_> for Hex {
            type Value = ObjectId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object id of 40 or 64 hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, hex: &str) -> Result<ObjectId, E> {
                ObjectId::parse(hex.as_bytes())
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(hex), &self))
            }
        }
        deserializer.deserialize_str(Hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_both_lengths() {
        for hex in ["0123456789abcdef0123456789abcdef01234567", &"5a".repeat(32)] {
            let id = ObjectId::parse(hex.as_bytes()).unwrap();
            assert_eq!(id.to_string(), hex);
            assert_eq!(id.as_bytes().len() * 2, hex.len());
        }
    }

    #[test]
    fn refuses_everything_else() {
        for hex in ["", "0123", &"g".repeat(40), &"A".repeat(40), &"0".repeat(41)] {
            assert_eq!(ObjectId::parse(hex.as_bytes()), None, "{hex:?}");
        }
    }
}
