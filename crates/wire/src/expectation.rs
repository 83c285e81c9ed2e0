//! Expected revisions as they travel: four forms of the same group of fields,
//! and a number for texts and trailers.

use factum_core::{ExpectedRevision, Revision};

use crate::failure::Failure;
use crate::proto::streams;

/// The number that stands for an expectation in texts and trailers.
pub fn number(expected: ExpectedRevision) -> i64 {
    match expected {
        ExpectedRevision::Any => -2,
        ExpectedRevision::NoStream => -1,
        ExpectedRevision::Exists => -4,
        ExpectedRevision::Exact(revision) => i64::try_from(revision.get()).unwrap_or(i64::MAX),
    }
}

/// The number that stands for where a stream is.
pub fn actual_number(actual: Option<Revision>) -> i64 {
    actual.map_or(-1, |revision| i64::try_from(revision.get()).unwrap_or(i64::MAX))
}

fn exact(revision: u64) -> ExpectedRevision {
    ExpectedRevision::Exact(Revision::new(revision))
}

fn missing() -> Failure {
    Failure::Invalid(
        "the expected revision is missing: send a revision, no_stream, any or stream_exists".to_owned(),
    )
}

macro_rules! from_wire {
    ($(#[$doc:meta])* $name:ident, $($path:ident)::+, $exact:ident) => {
        $(#[$doc])*
        pub fn $name(expected: Option<streams::$($path)::+>) -> Result<ExpectedRevision, Failure> {
            use streams::$($path)::+ as Wire;
            Ok(match expected.ok_or_else(missing)? {
                Wire::$exact(revision) => exact(revision),
                Wire::NoStream(_) => ExpectedRevision::NoStream,
                Wire::Any(_) => ExpectedRevision::Any,
                Wire::StreamExists(_) => ExpectedRevision::Exists,
            })
        }
    };
}

from_wire! {
    /// Of an append.
    of_append, append_req::options::ExpectedStreamRevision, Revision
}
from_wire! {
    /// Of an append in a batch.
    of_batch, batch_append_req::options::ExpectedStreamPosition, StreamPosition
}
from_wire! {
    /// Of a delete.
    of_delete, delete_req::options::ExpectedStreamRevision, Revision
}
from_wire! {
    /// Of a tombstone.
    of_tombstone, tombstone_req::options::ExpectedStreamRevision, Revision
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::client::Empty;
    use streams::append_req::options::ExpectedStreamRevision as Wire;

    #[test]
    fn every_form_is_understood_and_none_is_refused() {
        let rows = [
            (Wire::Any(Empty {}), ExpectedRevision::Any, -2),
            (Wire::NoStream(Empty {}), ExpectedRevision::NoStream, -1),
            (Wire::StreamExists(Empty {}), ExpectedRevision::Exists, -4),
            (Wire::Revision(7), exact(7), 7),
            (Wire::Revision(u64::MAX), exact(u64::MAX), i64::MAX),
        ];
        for (wire, expected, as_number) in rows {
            assert_eq!(of_append(Some(wire)).unwrap(), expected);
            assert_eq!(number(expected), as_number);
        }
        assert!(of_append(None).unwrap_err().to_string().contains("missing"));
        assert_eq!((actual_number(None), actual_number(Some(Revision::new(3)))), (-1, 3));
    }
}
