//! An append on its way: prepared by its caller, so that the sequencer has
//! only to give it a place.

use factum_core::{
    Append, AppendCondition, AppendError, Appended, ExpectedRevision, InvalidAppend, StreamName,
};
use smallvec::SmallVec;

use crate::buffers::Buffers;
use crate::index::keys::{self, KeyHash, Wanted};
use crate::secret::{Secret, StreamHash};
use crate::segment::record;

/// Where an append's answer goes.
pub type Reply = oneshot::Sender<Result<Appended, AppendError>>;

/// One append, encoded.
pub struct Request {
    /// Its records, one after another, without their places.
    pub records: Vec<u8>,
    /// One for each record.
    pub events: SmallVec<[EventPart; 1]>,
    /// Keys of all events.
    pub keys: SmallVec<[KeyHash; 4]>,
    /// The key of those that turn out to begin their stream.
    pub beginning: KeyHash,
    pub writes: SmallVec<[WritePart; 1]>,
    pub checks: Vec<CheckPart>,
    pub condition: Option<Box<ConditionPart>>,
    pub reply: Reply,
}

/// One event of a request.
pub struct EventPart {
    /// Where its record ends in `records`.
    pub end: u32,
    /// Checksum of the part of the record that has no place in it.
    pub own_crc: u32,
    pub id: [u8; 16],
    /// Its id within its stream, hashed.
    pub key: u64,
    /// Where its keys end in `keys`.
    pub keys_end: u32,
}

/// One stream written.
pub struct WritePart {
    pub stream: StreamName,
    pub hash: StreamHash,
    pub expected: ExpectedRevision,
    /// How many of the request's events are its.
    pub events: u32,
}

/// One stream checked.
pub struct CheckPart {
    pub stream: StreamName,
    pub hash: StreamHash,
    pub expected: ExpectedRevision,
}

/// The append condition.
pub struct ConditionPart {
    pub condition: AppendCondition,
    pub wanted: Wanted,
    /// No match stands before this position; raised when older events were
    /// looked through on disk.
    pub clear_before: u64,
    /// A match that was found among what is committed.
    pub matched: Option<u64>,
}

impl Request {
    /// Validates and encodes an append. `bytes_max` is what fits into a batch.
    /// Boxed, because it is large and goes from hand to hand.
    pub fn new(
        append: &Append,
        secret: Secret,
        bytes_max: u64,
        buffers: &Buffers,
        reply: Reply,
    ) -> Result<Box<Self>, (InvalidAppend, Reply)> {
        match Self::check(append, bytes_max) {
            Ok(bytes) => Ok(Self::encode(append, secret, buffers.take(bytes as usize), reply)),
            Err(error) => Err((error, reply)),
        }
    }

    fn check(append: &Append, bytes_max: u64) -> Result<u64, InvalidAppend> {
        append.validate()?;
        let records = append
            .writes
            .iter()
            .flat_map(|write| write.events.iter().map(|event| record::encoded_bytes(event, &write.stream)));
        let bytes = records.sum();
        if bytes > bytes_max {
            return Err(InvalidAppend::TooLarge { bytes, limit: bytes_max });
        }
        Ok(bytes)
    }

    fn encode(append: &Append, secret: Secret, records: Vec<u8>, reply: Reply) -> Box<Self> {
        let mut request = Box::new(Self {
            records,
            events: SmallVec::with_capacity(append.event_count()),
            // Few have more than a type, a category and a tag.
            keys: SmallVec::with_capacity(3 * append.event_count()),
            beginning: secret.beginning(),
            writes: SmallVec::with_capacity(append.writes.len()),
            checks: Vec::with_capacity(append.checks.len()),
            condition: append
                .condition
                .clone()
                .map(|condition| Box::new(ConditionPart::new(condition, secret))),
            reply,
        });
        let salt = secret.salt();
        for write in &append.writes {
            let hash = secret.stream(write.stream.as_str());
            let category = keys::of_stream(secret, write.stream.as_str());
            for event in &write.events {
                let own_crc = record::encode(event, &write.stream, salt, &mut request.records);
                keys::of_event(secret, category, event.event_type.as_str(), event.tags.texts(), |key| {
                    request.keys.push(key);
                });
                request.events.push(EventPart {
                    end: request.records.len() as u32,
                    own_crc,
                    id: *event.id.as_bytes(),
                    key: secret.event_id(hash, event.id.as_bytes()),
                    keys_end: request.keys.len() as u32,
                });
            }
            request.writes.push(WritePart {
                stream: write.stream.clone(),
                hash,
                expected: write.expected,
                events: write.events.len() as u32,
            });
        }
        for check in &append.checks {
            let hash = secret.stream(check.stream.as_str());
            request.checks.push(CheckPart { stream: check.stream.clone(), hash, expected: check.expected });
        }
        request
    }

    /// The events of each write: first, and one after the last.
    pub fn ranges(&self) -> impl Iterator<Item = (&WritePart, std::ops::Range<usize>)> {
        let mut begin = 0;
        self.writes.iter().map(move |write| {
            let range = begin..begin + write.events as usize;
            begin = range.end;
            (write, range)
        })
    }

    /// The record of an event.
    pub fn record(&self, index: usize) -> &[u8] {
        &self.records[self.record_range(index)]
    }

    /// Where the record of an event is in `records`.
    pub fn record_range(&self, index: usize) -> std::ops::Range<usize> {
        let begin = index.checked_sub(1).map_or(0, |before| self.events[before].end as usize);
        begin..self.events[index].end as usize
    }

    /// Where the keys of an event are in `keys`.
    pub fn keys_range(&self, index: usize) -> std::ops::Range<usize> {
        let begin = index.checked_sub(1).map_or(0, |before| self.events[before].keys_end as usize);
        begin..self.events[index].keys_end as usize
    }
}

impl ConditionPart {
    fn new(condition: AppendCondition, secret: Secret) -> Self {
        let wanted = Wanted::of(&condition.query, secret);
        let clear_before = condition.after.map_or(0, |after| after.next().get());
        Self { condition, wanted, clear_before, matched: None }
    }
}
