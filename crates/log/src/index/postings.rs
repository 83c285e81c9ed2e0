//! Postings: which records of a segment have a key, or belong to a stream.
//!
//! A record is named by its ordinal, its place among the segment's records from
//! 0; ordinals ascend. In a file they have as few bytes as the segment's last
//! ordinal needs, all of one width: any of them is found without reading those
//! before it, from both ends, so that neither the n-th nor the first after a
//! position needs a list to be unpacked. A list that holds every record of its
//! segment takes no room at all.

/// How many bytes an ordinal has in the index of a segment with this many records.
pub fn width(events: usize) -> usize {
    match events {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        0x1_0001..=0x100_0000 => 3,
        _ => 4,
    }
}

/// Writes an ordinal as the `index`-th.
pub fn put(bytes: &mut [u8], index: usize, width: usize, ordinal: u32) {
    let at = index * width;
    bytes[at..at + width].copy_from_slice(&ordinal.to_le_bytes()[..width]);
}

/// Ordinals, ascending.
#[derive(Debug, Clone, Copy)]
pub enum List<'a> {
    /// Every record of a segment with this many.
    Every(u32),
    /// As in a file.
    Packed {
        /// A multiple of the width.
        bytes: &'a [u8],
        #[allow(missing_docs)]
        width: usize,
    },
    /// As in memory.
    Plain(&'a [u32]),
}

impl List<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Every(events) => *events as usize,
            Self::Packed { bytes, width } => bytes.len() / width,
            Self::Plain(ordinals) => ordinals.len(),
        }
    }

    /// One of them.
    pub fn at(&self, index: usize) -> u32 {
        match self {
            Self::Every(_) => index as u32,
            Self::Packed { bytes, width } => {
                let mut ordinal = [0; 4];
                let at = index * width;
                ordinal[..*width].copy_from_slice(&bytes[at..at + width]);
                u32::from_le_bytes(ordinal)
            }
            Self::Plain(ordinals) => ordinals[index],
        }
    }

    /// How many stand before `ordinal`.
    pub fn rank(&self, ordinal: u64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if u64::from(self.at(middle)) < ordinal { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_holds_the_last_ordinal_and_no_more() {
        for (events, bytes) in [(0, 1), (1, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 3), (1 << 24, 3)] {
            assert_eq!(width(events), bytes, "{events}");
            let last = (events as u32).saturating_sub(1);
            let mut packed = vec![0; bytes];
            put(&mut packed, 0, bytes, last);
            assert_eq!(List::Packed { bytes: &packed, width: bytes }.at(0), last);
        }
        assert_eq!(width((1 << 24) + 1), 4);
    }

    #[test]
    fn all_forms_of_a_list_say_the_same() {
        let ordinals: Vec<u32> = (0..300).collect();
        let mut packed = vec![0; 600];
        ordinals.iter().for_each(|ordinal| put(&mut packed, *ordinal as usize, 2, *ordinal));
        let forms = [List::Every(300), List::Packed { bytes: &packed, width: 2 }, List::Plain(&ordinals)];
        for list in forms {
            assert_eq!(list.len(), 300);
            assert!((0..300).all(|n| list.at(n) == n as u32));
            for (ordinal, rank) in [(0, 0), (1, 1), (299, 299), (300, 300), (u64::MAX, 300)] {
                assert_eq!(list.rank(ordinal), rank);
            }
        }
    }
}
