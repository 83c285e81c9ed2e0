//! Appends and their receipts.

use factum_core::{
    Append, AppendCondition, Appended, Durability, ExpectedRevision, Position, Revision, StreamCheck,
    StreamName, StreamWrite, Timestamp, WhenFull,
};

use super::proto::expected::Expected;
use super::{Malformed, error, event, proto, read};

/// About how many bytes an append takes.
pub fn weight(append: &Append) -> u64 {
    let events = append.writes.iter().flat_map(|write| &write.events);
    events.map(event::weight).sum::<u64>() + 64
}

/// An append, as a message with this number.
pub fn encode(append: Append, number: u64) -> proto::Append {
    let writes = append.writes.into_iter().map(|write| proto::StreamWrite {
        stream: write.stream.to_bytes(),
        expected: Some(encode_expected(write.expected)),
        events: write.events.into_iter().map(event::encode_new).collect(),
    });
    let checks = append.checks.into_iter().map(|check| proto::StreamCheck {
        stream: check.stream.to_bytes(),
        expected: Some(encode_expected(check.expected)),
    });
    proto::Append {
        number,
        writes: writes.collect(),
        checks: checks.collect(),
        condition: append.condition.map(|condition| proto::AppendCondition {
            query: Some(read::encode_query(&condition.query)),
            after: condition.after.map(Position::get),
        }),
        refuse_when_full: append.when_full == WhenFull::Refuse,
    }
}

/// An append, and its number.
pub fn decode(append: proto::Append) -> Result<(u64, Append), Malformed> {
    let writes = append.writes.into_iter().map(|write| {
        Ok(StreamWrite {
            stream: StreamName::from_utf8(write.stream)?,
            expected: decode_expected(write.expected)?,
            events: write.events.into_iter().map(event::decode_new).collect::<Result<_, Malformed>>()?,
        })
    });
    let checks = append.checks.into_iter().map(|check| {
        Ok(StreamCheck {
            stream: StreamName::from_utf8(check.stream)?,
            expected: decode_expected(check.expected)?,
        })
    });
    let condition = append.condition.map(|condition| {
        let query = condition.query.ok_or_else(|| Malformed::lacks("the condition's query"))?;
        Ok::<_, Malformed>(AppendCondition {
            query: read::decode_query(query)?,
            after: condition.after.map(Position::new),
        })
    });
    let decoded = Append {
        writes: writes.collect::<Result<_, Malformed>>()?,
        checks: checks.collect::<Result<_, Malformed>>()?,
        condition: condition.transpose()?,
        when_full: if append.refuse_when_full { WhenFull::Refuse } else { WhenFull::Wait },
    };
    Ok((append.number, decoded))
}

/// The answer to the append with this number.
pub fn encode_answer(number: u64, answer: Result<Appended, factum_core::AppendError>) -> proto::Answer {
    use proto::answer::Outcome;
    let outcome = match answer {
        Ok(appended) => Outcome::Appended(encode_receipt(&appended)),
        Err(refused) => Outcome::Error(error::encode_append(&refused)),
    };
    proto::Answer { number, outcome: Some(outcome) }
}

/// Which append is answered, and how.
#[allow(clippy::type_complexity)] // an answer inside what decoding comes to
pub fn decode_answer(
    answer: proto::Answer,
) -> Result<(u64, Result<Appended, factum_core::AppendError>), Malformed> {
    use proto::answer::Outcome;
    let outcome = match answer.outcome.ok_or_else(|| Malformed::lacks("an append's outcome"))? {
        Outcome::Appended(appended) => Ok(decode_receipt(appended)),
        Outcome::Error(refused) => Err(error::decode_append(refused)?),
    };
    Ok((answer.number, outcome))
}

fn encode_receipt(appended: &Appended) -> proto::Appended {
    let revisions = appended.revisions.iter();
    proto::Appended {
        first_position: appended.first_position().map(Position::get),
        last_position: appended.last_position().map(Position::get),
        revisions: revisions
            .map(|revision| proto::StreamRevision { revision: revision.map(Revision::get) })
            .collect(),
        recorded_at: appended.recorded_at.map(Timestamp::as_micros),
        durability: match appended.durability {
            Durability::Disk => proto::Durability::Disk,
            // What has no word here is promised as the least.
            _ => proto::Durability::Memory,
        }
        .into(),
        repeated: appended.repeated,
    }
}

fn decode_receipt(appended: proto::Appended) -> Appended {
    let positions = appended.first_position.zip(appended.last_position);
    Appended {
        positions: positions.map(|(first, last)| Position::new(first)..=Position::new(last)),
        durability: match appended.durability() {
            proto::Durability::Disk => Durability::Disk,
            proto::Durability::Memory => Durability::Memory,
        },
        revisions: appended.revisions.into_iter().map(|one| one.revision.map(Revision::new)).collect(),
        recorded_at: appended.recorded_at.map(Timestamp::from_micros),
        repeated: appended.repeated,
    }
}

pub(super) fn encode_expected(expected: ExpectedRevision) -> proto::Expected {
    let standing = |standing: proto::Standing| Expected::Standing(standing.into());
    let expected = match expected {
        ExpectedRevision::Any => standing(proto::Standing::Any),
        ExpectedRevision::NoStream => standing(proto::Standing::NoStream),
        ExpectedRevision::Exists => standing(proto::Standing::Exists),
        ExpectedRevision::Exact(revision) => Expected::Exact(revision.get()),
    };
    proto::Expected { expected: Some(expected) }
}

pub(super) fn decode_expected(expected: Option<proto::Expected>) -> Result<ExpectedRevision, Malformed> {
    let standing = match expected.and_then(|expected| expected.expected) {
        Some(Expected::Exact(revision)) => return Ok(ExpectedRevision::Exact(Revision::new(revision))),
        Some(Expected::Standing(standing)) => standing,
        None => return Err(Malformed::lacks("an expected revision")),
    };
    // One that is not known must not be taken for `Any`.
    match proto::Standing::try_from(standing) {
        Ok(proto::Standing::Any) => Ok(ExpectedRevision::Any),
        Ok(proto::Standing::NoStream) => Ok(ExpectedRevision::NoStream),
        Ok(proto::Standing::Exists) => Ok(ExpectedRevision::Exists),
        Err(_) => Err(Malformed(format!("there is no expectation {standing}"))),
    }
}
