//! Appends on their way: prepared by their caller, so that the sequencer has only
//! to give them their places.
//!
//! ```text
//!   appends   │ 0             │ 1      │ 2        one, or many that came together
//!   events    │ a │ b │ c     │ d      │ e │
//!   records   │ ▒▒▒ │ ▒ │ ▒▒▒ │ ▒▒▒▒▒▒ │ ▒▒▒ │    without their places
//! ```
//!
//! What came together lies together, each kind of part in one list: an append of one
//! event takes no memory of its own, and whoever judges them walks along.

use factum_core::{
    Append, AppendCondition, AppendError, ExpectedRevision, InvalidAppend, StreamName, WhenFull,
};
use smallvec::SmallVec;

use crate::buffers::Buffers;
use crate::index::keys::{self, KeyHash, Wanted};
use crate::reply::Reply;
use crate::secret::{Secret, StreamHash};
use crate::segment::record;

/// Appends that came together are this long at most; a longer one comes alone.
pub const TOGETHER_BYTES_MAX: usize = 128 * 1024;

/// Appends, encoded, in the order in which they are to be judged.
pub struct Request {
    /// Their records, one after another.
    pub records: Vec<u8>,
    appends: SmallVec<[AppendPart; 1]>,
    events: SmallVec<[EventPart; 1]>,
    keys: SmallVec<[KeyHash; 4]>,
    /// The key of events that turn out to begin their stream.
    beginning: KeyHash,
    writes: SmallVec<[WritePart; 1]>,
    checks: Vec<CheckPart>,
    /// Where the answers go of those that have none.
    pub reply: Reply,
}

/// One append of a request.
struct AppendPart {
    /// Where its parts end among all.
    records_end: u32,
    events_end: u32,
    keys_end: u32,
    writes_end: u32,
    checks_end: u32,
    condition: Option<Box<ConditionPart>>,
}

/// Where the parts of an append begin.
#[derive(Default)]
struct Begin {
    records: usize,
    events: usize,
    keys: usize,
    writes: usize,
    checks: usize,
}

/// One append, to be judged.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub records: &'a [u8],
    /// One for each record.
    pub events: &'a [EventPart],
    /// Keys of all events.
    keys: &'a [KeyHash],
    /// The key of those that turn out to begin their stream.
    pub beginning: KeyHash,
    pub writes: &'a [WritePart],
    pub checks: &'a [CheckPart],
    pub condition: Option<&'a ConditionPart>,
}

/// One event of an append.
#[derive(Clone)]
pub struct EventPart {
    /// Where its record ends among its append's.
    end: u32,
    /// Checksum of the part of the record that has no place in it.
    pub own_crc: u32,
    pub id: [u8; 16],
    /// Its id within its stream, hashed.
    pub key: u64,
    /// Where its keys end among its append's.
    keys_end: u32,
}

/// One stream written.
#[derive(Clone)]
pub struct WritePart {
    pub stream: StreamName,
    pub hash: StreamHash,
    pub expected: ExpectedRevision,
    /// How many of the append's events are its.
    pub events: u32,
}

/// One stream checked.
#[derive(Clone)]
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

/// How many bytes the records of an append take, if it can be accepted at all;
/// `bytes_max` is what fits into a batch.
pub fn check(append: &Append, bytes_max: u64) -> Result<usize, InvalidAppend> {
    append.validate()?;
    let records = append
        .writes
        .iter()
        .flat_map(|write| write.events.iter().map(|event| record::encoded_bytes(event, &write.stream)));
    let bytes = records.sum();
    if bytes > bytes_max {
        return Err(InvalidAppend::TooLarge { bytes, limit: bytes_max });
    }
    Ok(bytes as usize)
}

/// Refuses an append of so many bytes that would rather not wait, where so many are
/// waiting.
pub fn check_room(
    when_full: WhenFull,
    bytes: usize,
    waiting: u64,
    limit_bytes: u64,
) -> Result<(), AppendError> {
    match when_full == WhenFull::Refuse && waiting + bytes as u64 > limit_bytes {
        true => Err(AppendError::Overloaded { queued_bytes: waiting, limit_bytes }),
        false => Ok(()),
    }
}

impl Request {
    /// Without an append yet, with room for so many, each of one event and this long.
    /// Boxed, because it is large and goes from hand to hand.
    pub fn new(secret: Secret, count: usize, bytes: usize, buffers: &Buffers, reply: Reply) -> Box<Self> {
        Box::new(Self {
            records: buffers.take(count * bytes),
            appends: SmallVec::with_capacity(count),
            events: SmallVec::with_capacity(count),
            // Few have more than a type, a category and a tag.
            keys: SmallVec::with_capacity(3 * count),
            beginning: secret.beginning(),
            writes: SmallVec::with_capacity(count),
            checks: Vec::new(),
            reply,
        })
    }

    /// Encodes one more append, which was checked.
    pub fn add(&mut self, append: &Append, condition: Option<Box<ConditionPart>>, secret: Secret) {
        let salt = secret.salt();
        let (records, keys) = (self.records.len(), self.keys.len());
        for write in &append.writes {
            let hash = secret.stream(write.stream.as_str());
            let category = keys::of_stream(secret, write.stream.as_str());
            for event in &write.events {
                let own_crc = record::encode(event, &write.stream, salt, &mut self.records);
                keys::of_event(secret, category, event.event_type.as_str(), event.tags.texts(), |key| {
                    self.keys.push(key);
                });
                self.events.push(EventPart {
                    end: (self.records.len() - records) as u32,
                    own_crc,
                    id: *event.id.as_bytes(),
                    key: secret.event_id(hash, event.id.as_bytes()),
                    keys_end: (self.keys.len() - keys) as u32,
                });
            }
            self.writes.push(WritePart {
                stream: write.stream.clone(),
                hash,
                expected: write.expected,
                events: write.events.len() as u32,
            });
        }
        for check in &append.checks {
            let hash = secret.stream(check.stream.as_str());
            self.checks.push(CheckPart { stream: check.stream.clone(), hash, expected: check.expected });
        }
        self.reply.grow();
        self.end_append(condition);
    }

    fn end_append(&mut self, condition: Option<Box<ConditionPart>>) {
        self.appends.push(AppendPart {
            records_end: self.records.len() as u32,
            events_end: self.events.len() as u32,
            keys_end: self.keys.len() as u32,
            writes_end: self.writes.len() as u32,
            checks_end: self.checks.len() as u32,
            condition,
        });
    }

    /// How many appends there are.
    pub fn len(&self) -> usize {
        self.appends.len()
    }

    fn begin(&self, at: usize) -> Begin {
        let before = at.checked_sub(1).and_then(|before| self.appends.get(before));
        before.map_or_else(Begin::default, |before| Begin {
            records: before.records_end as usize,
            events: before.events_end as usize,
            keys: before.keys_end as usize,
            writes: before.writes_end as usize,
            checks: before.checks_end as usize,
        })
    }

    /// One of its appends.
    pub fn append(&self, at: usize) -> Asked<'_> {
        let (begin, end) = (self.begin(at), &self.appends[at]);
        Asked {
            records: &self.records[begin.records..end.records_end as usize],
            events: &self.events[begin.events..end.events_end as usize],
            keys: &self.keys[begin.keys..end.keys_end as usize],
            beginning: self.beginning,
            writes: &self.writes[begin.writes..end.writes_end as usize],
            checks: &self.checks[begin.checks..end.checks_end as usize],
            condition: end.condition.as_deref(),
        }
    }

    /// From one of its appends on: of each with an event, the first stream written
    /// and the first event.
    pub fn firsts(&self, from: usize) -> impl Iterator<Item = (&WritePart, &EventPart)> {
        (from..self.len()).filter_map(|at| {
            let begin = self.begin(at);
            let is_written = self.appends[at].events_end as usize > begin.events;
            is_written.then(|| (&self.writes[begin.writes], &self.events[begin.events]))
        })
    }

    /// The condition of an append.
    pub fn condition_mut(&mut self, at: usize) -> Option<&mut ConditionPart> {
        self.appends[at].condition.as_deref_mut()
    }

    /// One of its appends by itself, whose answer goes there. It takes the condition
    /// with it.
    pub fn split(&mut self, at: usize, reply: Reply) -> Box<Self> {
        let condition = self.appends[at].condition.take();
        let asked = self.append(at);
        let mut alone = Box::new(Self {
            records: asked.records.to_vec(),
            appends: SmallVec::new(),
            events: asked.events.iter().cloned().collect(),
            keys: asked.keys.into(),
            beginning: self.beginning,
            writes: asked.writes.iter().cloned().collect(),
            checks: asked.checks.to_vec(),
            reply,
        });
        alone.end_append(condition);
        alone
    }
}

impl<'a> Asked<'a> {
    /// The events of each write: first, and one after the last.
    pub fn ranges(self) -> impl Iterator<Item = (&'a WritePart, std::ops::Range<usize>)> {
        let mut begin = 0;
        self.writes.iter().map(move |write| {
            let range = begin..begin + write.events as usize;
            begin = range.end;
            (write, range)
        })
    }

    /// The record of an event.
    pub fn record(self, index: usize) -> &'a [u8] {
        &self.records[self.record_range(index)]
    }

    /// Where the record of an event is in `records`.
    pub fn record_range(self, index: usize) -> std::ops::Range<usize> {
        let begin = index.checked_sub(1).map_or(0, |before| self.events[before].end as usize);
        begin..self.events[index].end as usize
    }

    /// The keys of an event.
    pub fn keys(self, index: usize) -> &'a [KeyHash] {
        let begin = index.checked_sub(1).map_or(0, |before| self.events[before].keys_end as usize);
        &self.keys[begin..self.events[index].keys_end as usize]
    }
}

impl ConditionPart {
    /// Nothing is looked up yet.
    pub fn new(condition: AppendCondition, secret: Secret) -> Self {
        let wanted = Wanted::of(&condition.query, secret);
        let clear_before = condition.after.map_or(0, |after| after.next().get());
        Self { condition, wanted, clear_before, matched: None }
    }
}
