//! What came back of each stream, so that no server gets a figure for events it
//! lost, gave twice, or gave in another order.

use crate::failure::Failure;
use crate::servers::stamp::Stamp;

/// Which streams are only written to see whether anybody listens; they are in
/// no book.
pub const PROBE: u32 = 0x00ff_ffff;

/// Events as they came back.
#[derive(Debug, Default)]
pub struct Book {
    /// By stream: the revision that has to come next.
    next: Vec<u64>,
    /// How many came back.
    events: u64,
    /// The first that was not the next one.
    fault: Option<String>,
}

impl Book {
    /// One more, as it came back.
    pub fn see(&mut self, payload: &[u8]) {
        match Stamp::of(payload) {
            Ok(stamp) => self.enter(stamp),
            Err(failure) => self.fault = self.fault.take().or(Some(failure.to_string())),
        }
    }

    /// One more.
    pub fn enter(&mut self, stamp: Stamp) {
        if stamp.stream == PROBE {
            return;
        }
        let stream = stamp.stream as usize;
        if stream >= self.next.len() {
            self.next.resize(stream + 1, 0);
        }
        let next = &mut self.next[stream];
        self.events += 1;
        if stamp.revision == *next {
            *next += 1;
        } else if self.fault.is_none() {
            let (name, revision) = (stamp.stream_name(), stamp.revision);
            let what = if revision < *next { "came twice or late" } else { "came before its turn" };
            self.fault = Some(format!("revision {revision} of {name} {what}, where {next} had to come"));
        }
    }

    /// Whether every event that was answered came back once and in order, and
    /// no others did: by stream, how many were answered.
    pub fn holds(&self, answered: impl IntoIterator<Item = (u32, u64)>) -> Result<(), Failure> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone().into());
        }
        let mut all = 0;
        for (stream, answered) in answered {
            let came = self.next.get(stream as usize).copied().unwrap_or(0);
            if came != answered {
                let name = crate::servers::stamp::stream_name(stream);
                return Err(format!("{came} events of {name} came back, and {answered} were answered").into());
            }
            all += answered;
        }
        match self.events - all {
            0 => Ok(()),
            more => Err(format!("{more} events came back of streams nobody wrote").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(stamps: &[(u32, u64)]) -> Book {
        let mut book = Book::default();
        stamps.iter().for_each(|(stream, revision)| {
            book.see(&Stamp { stream: *stream, revision: *revision }.payload());
        });
        book
    }

    fn told(book: &Book, answered: &[(u32, u64)]) -> String {
        book.holds(answered.iter().copied()).unwrap_err().to_string()
    }

    #[test]
    fn streams_that_came_back_whole_hold() {
        let whole = book(&[(1, 0), (7, 0), (1, 1), (PROBE, 5)]);
        whole.holds([(1, 2), (7, 1)]).unwrap();
        whole.holds([(1, 2), (7, 1), (3, 0)]).unwrap();
    }

    #[test]
    fn whatever_is_lost_or_twice_or_out_of_order_is_found() {
        assert_eq!(told(&book(&[(1, 0)]), &[(1, 2)]), "1 events of s-000001 came back, and 2 were answered");
        assert_eq!(told(&book(&[(1, 0), (2, 0)]), &[(1, 1)]), "1 events came back of streams nobody wrote");
        assert!(told(&book(&[(1, 0), (1, 0)]), &[(1, 1)]).contains("came twice or late"));
        assert!(told(&book(&[(1, 1), (1, 0)]), &[(1, 2)]).contains("came before its turn"));
        let mut torn = Book::default();
        torn.see(b"{}");
        assert!(told(&torn, &[]).contains("not written"));
    }
}
