//! [`Index`]: who wants an event, found without asking everybody.
//!
//! ```text
//!   event of stream "cart-12", type "ItemAdded"
//!     everything ──────────────────────────── all of these
//!     streams    "cart-12" ────────────────── one look
//!     prefixes   of streams: lengths 3, 5 ─── "car", "cart-": a look for each
//!                of types: length 4 ───────── "Item"        length there is
//! ```
//!
//! So an event costs as much as there are different lengths of prefixes, however
//! many prefixes there are, and what it is wanted by.
//!
//! Invariant: nobody is found twice for one event. Of the prefixes of a filter only
//! those are kept that no other of them covers, and a text begins with at most one
//! of these.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use factum_core::{RecordedEvent, StreamName};
use factum_wire::Filter;
use factum_wire::filter::Of;

use super::Interest;
use super::member::Member;

/// Members by their numbers.
pub type Members = BTreeMap<u64, Arc<Member>>;

/// See the module.
#[derive(Default)]
pub struct Index {
    everything: Members,
    streams: HashMap<StreamName, Members>,
    of_stream: Prefixes,
    of_type: Prefixes,
}

impl Index {
    /// Adds a member; what an expression wants is not found here.
    pub fn add(&mut self, number: u64, member: &Arc<Member>, interest: &Interest) {
        let member = Arc::clone(member);
        match interest {
            Interest::Everything => drop(self.everything.insert(number, member)),
            Interest::Stream(name) => {
                self.streams.entry(name.clone()).or_default().insert(number, member);
            }
            Interest::Prefixes(filter) => {
                let of = self.prefixes(filter.of());
                shortest(filter).for_each(|prefix| of.add(prefix, number, &member));
            }
            Interest::Expression(_) => {}
        }
    }

    /// Removes it again.
    pub fn remove(&mut self, number: u64, interest: &Interest) {
        match interest {
            Interest::Everything => drop(self.everything.remove(&number)),
            Interest::Stream(name) => {
                if let Some(members) = self.streams.get_mut(name) {
                    members.remove(&number);
                    if members.is_empty() {
                        self.streams.remove(name);
                    }
                }
            }
            Interest::Prefixes(filter) => {
                let of = self.prefixes(filter.of());
                shortest(filter).for_each(|prefix| of.remove(prefix, number));
            }
            Interest::Expression(_) => {}
        }
    }

    /// All who want an event, each once.
    pub fn who_wants<'a>(&'a self, event: &'a RecordedEvent) -> impl Iterator<Item = &'a Arc<Member>> {
        let of_stream = self.of_stream.found(Of::Stream.text(event));
        let of_type = self.of_type.found(Of::Type.text(event));
        let stream = self.streams.get(&event.stream).into_iter();
        let members = [&self.everything].into_iter().chain(stream).chain(of_stream).chain(of_type);
        members.flat_map(BTreeMap::values)
    }

    fn prefixes(&mut self, of: Of) -> &mut Prefixes {
        match of {
            Of::Stream => &mut self.of_stream,
            Of::Type => &mut self.of_type,
        }
    }
}

#[derive(Default)]
struct Prefixes {
    members: HashMap<Box<[u8]>, Members>,
    /// How many of them have this length.
    lengths: BTreeMap<usize, usize>,
}

impl Prefixes {
    fn add(&mut self, prefix: &str, number: u64, member: &Arc<Member>) {
        let members = self.members.entry(prefix.as_bytes().into()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            Members::new()
        });
        members.insert(number, Arc::clone(member));
    }

    fn remove(&mut self, prefix: &str, number: u64) {
        let Some(members) = self.members.get_mut(prefix.as_bytes()) else { return };
        members.remove(&number);
        if members.is_empty() {
            self.members.remove(prefix.as_bytes());
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
    }

    fn found<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Members> {
        let lengths = self.lengths.range(..=text.len()).map(|(length, _)| *length);
        lengths.filter_map(|length| self.members.get(&text.as_bytes()[..length]))
    }
}

/// The prefixes of a filter that none of its others covers.
fn shortest(filter: &Filter) -> impl Iterator<Item = &str> {
    let mut sorted: Vec<_> = filter.prefixes().unwrap_or_default().iter().map(String::as_str).collect();
    // What a prefix covers follows it.
    sorted.sort_unstable();
    sorted.dedup_by(|next, kept| next.starts_with(*kept));
    sorted.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::tests::{event, prefixes};

    #[test]
    fn of_prefixes_those_are_kept_that_no_other_covers() {
        let rows: [(&[&str], &[&str]); 4] = [
            (&["ab", "a", "b", "abc", "a"], &["a", "b"]),
            (&["a-b", "a", "ab"], &["a"]),
            (&["", "x"], &[""]),
            (&[], &[]),
        ];
        for (texts, kept) in rows {
            assert_eq!(shortest(&prefixes(Of::Type, texts, 1)).collect::<Vec<_>>(), kept);
        }
    }

    #[test]
    fn an_event_finds_everyone_who_wants_it_once_and_nobody_who_left() {
        let stream = |name: &str| Interest::Stream(StreamName::new(name.to_owned()).unwrap());
        let filter = |of, texts: &[&str]| Interest::Prefixes(Arc::new(prefixes(of, texts, 1)));
        let rows = [
            (Interest::Everything, true),
            (stream("cart-12"), true),
            (stream("none"), false),
            (filter(Of::Stream, &["cart-", "car", "x"]), true),
            (filter(Of::Type, &["cart-", "car", "x"]), false),
            (filter(Of::Type, &["Item", "ItemAdded"]), true),
            (filter(Of::Type, &[]), false),
            (filter(Of::Stream, &["é"]), false),
        ];
        let mut index = Index::default();
        // Each twice, the second of which stays.
        for (number, (interest, _)) in (0..).zip(rows.iter().chain(&rows)) {
            index.add(number, &Arc::new(Member::new(number)), interest);
        }
        for (number, (interest, _)) in (0..).zip(&rows) {
            index.remove(number, interest);
        }
        let second = || (rows.len() as u64..).zip(&rows);
        let expected: Vec<_> = second().filter(|(_, (_, wants))| *wants).map(|(number, _)| number).collect();
        let event = event(0, "cart-12", "ItemAdded", 0);
        let mut found: Vec<_> = index.who_wants(&event).map(|member| member.from()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (number, (interest, _)) in second() {
            index.remove(number, interest);
        }
        let Index { everything, streams, of_stream, of_type } = index;
        assert!(everything.is_empty() && streams.is_empty());
        for prefixes in [of_stream, of_type] {
            assert!(prefixes.members.is_empty() && prefixes.lengths.is_empty());
        }
    }
}
