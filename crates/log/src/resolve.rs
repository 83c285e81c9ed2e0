//! Questions about appends that only the log itself can answer: is this a
//! repetition, and does something that is committed match a condition. Asked by
//! the sequencer, answered beside it, because the answer may need the disk.
//!
//! Conditions are looked after by their caller first ([`look_back`]), in the order
//! in which appends are handed over. Only one that would have waited for the disk
//! in a caller that must not, or that was overtaken by a segment being sealed,
//! comes to the resolver, and is judged after those handed over meanwhile.

use std::collections::VecDeque;

use factum_core::{
    Append, AppendError, Appended, Direction, Durability, Position, ReadError, Revision, StorageError,
    Timestamp,
};
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::engine::Engine;
use crate::read::Bounds;
use crate::read::query::Selected;
use crate::read::stream::{StreamPlace, find_revision};
use crate::reply::Reply;
use crate::request::{Asked, ConditionPart, Request, WritePart};
use crate::segment::format::RECORD_OWN_AT;

/// A request that could not be judged from memory.
pub enum Question {
    /// Are its events recorded already?
    Repeat {
        request: Box<Request>,
        /// One for each write.
        candidates: SmallVec<[Candidate; 1]>,
    },
    /// Does an old event match its condition?
    Condition { request: Box<Request> },
}

/// What memory knows of one write.
pub enum Candidate {
    /// Its events are new.
    New,
    /// Its first event may be the one at this revision.
    At(u64),
    /// It cannot be accepted.
    Failed(AppendError),
}

/// The list of questions.
#[derive(Default)]
pub struct Resolver {
    state: Mutex<(VecDeque<Question>, bool)>,
    work: Condvar,
}

impl Resolver {
    /// Adds a question.
    pub fn push(&self, question: Question) {
        self.state.lock().0.push_back(question);
        self.work.notify_one();
    }

    /// Ends the thread once the list is empty.
    pub fn close(&self) {
        self.state.lock().1 = true;
        self.work.notify_all();
    }

    /// Drops the questions that came up since the thread ended.
    pub fn shut(&self) {
        let unheard = std::mem::take(&mut self.state.lock().0);
        drop(unheard);
    }

    /// The resolver's thread.
    pub fn run(&self, engine: &Engine) {
        loop {
            let mut state = self.state.lock();
            let question = loop {
                if let Some(question) = state.0.pop_front() {
                    break question;
                }
                if state.1 {
                    return;
                }
                self.work.wait(&mut state);
            };
            drop(state);
            if let Some(request) = question.answer(engine) {
                engine.mailbox.push(request);
            }
        }
    }
}

impl Question {
    /// Finds the answer and gives it, or gives the request back to be judged
    /// once more.
    pub fn answer(self, engine: &Engine) -> Option<Box<Request>> {
        match self {
            Self::Repeat { request, candidates } => {
                let answer = first_receipt(engine, request.append(0), candidates);
                request.reply.send(answer);
                None
            }
            Self::Condition { mut request } => {
                let looked = match request.condition_mut(0) {
                    Some(part) => look_back(engine, part, true),
                    None => Ok(()),
                };
                if let Err(error) = looked {
                    request.reply.send(Err(AppendError::Storage(error)));
                    return None;
                }
                Some(request)
            }
        }
    }

    /// Who waits for the answer.
    pub fn into_reply(self) -> Reply {
        match self {
            Self::Repeat { request, .. } | Self::Condition { request } => request.reply,
        }
    }
}

/// A write whose events are all recorded.
struct Repeat {
    first_position: u64,
    last_position: u64,
    last_revision: u64,
    recorded_at: Timestamp,
}

fn first_receipt(
    engine: &Engine,
    request: Asked<'_>,
    candidates: SmallVec<[Candidate; 1]>,
) -> Result<Appended, AppendError> {
    let mut positions: Option<(u64, u64)> = None;
    let mut recorded_at = None;
    let mut revisions = SmallVec::new();
    let mut fresh = false;
    let mut repeated: Option<(&WritePart, usize)> = None;
    for ((write, events), candidate) in request.ranges().zip(candidates) {
        match candidate {
            Candidate::Failed(error) => return Err(error),
            Candidate::New => {
                fresh |= !events.is_empty();
                let head = engine.live.read().head(write.hash);
                revisions.push(head.and_then(|head| Revision::new(head.next_revision).previous()));
            }
            Candidate::At(revision) => {
                let repeat = compare(engine, request, write, events.clone(), revision)?;
                let (first, last) = positions.unwrap_or((repeat.first_position, repeat.last_position));
                positions = Some((first.min(repeat.first_position), last.max(repeat.last_position)));
                recorded_at = recorded_at.max(Some(repeat.recorded_at));
                revisions.push(Some(Revision::new(repeat.last_revision)));
                repeated.get_or_insert((write, events.start));
            }
        }
    }
    if let (true, Some((write, event))) = (fresh, repeated) {
        let id = Uuid::from_bytes(request.events[event].id);
        return Err(AppendError::PartlyRepeated { stream: write.stream.clone(), id });
    }
    let positions = positions.map(|(first, last)| Position::new(first)..=Position::new(last));
    Ok(Appended { positions, revisions, recorded_at, durability: Durability::Disk, repeated: true })
}

/// Compares a write's events with those recorded from a revision on.
fn compare(
    engine: &Engine,
    request: Asked<'_>,
    write: &WritePart,
    events: std::ops::Range<usize>,
    first_revision: u64,
) -> Result<Repeat, AppendError> {
    let by_id = write.expected.first_revision().is_none();
    let not_a_repeat = || {
        if by_id {
            let id = Uuid::from_bytes(request.events[events.start].id);
            return AppendError::PartlyRepeated { stream: write.stream.clone(), id };
        }
        let head = engine.live.read().head(write.hash);
        AppendError::Conflict {
            stream: write.stream.clone(),
            expected: write.expected,
            actual: head.and_then(|head| Revision::new(head.next_revision).previous()),
        }
    };
    let mut repeat =
        Repeat { first_position: u64::MAX, last_position: 0, last_revision: 0, recorded_at: Timestamp::MIN };
    for (revision, index) in (first_revision..).zip(events.clone()) {
        let place = StreamPlace { hash: write.hash, name: write.stream.clone() };
        let found = find_revision(engine, &place, revision).map_err(AppendError::Storage)?;
        let Some(found) = found.filter(|found| found.view().id() == request.events[index].id) else {
            return Err(not_a_repeat());
        };
        if found.view().own() != &request.record(index)[RECORD_OWN_AT..] {
            return Err(AppendError::IdReused {
                stream: write.stream.clone(),
                revision: Revision::new(revision),
                id: Uuid::from_bytes(request.events[index].id),
            });
        }
        let position = found.view().position();
        repeat.first_position = repeat.first_position.min(position);
        repeat.last_position = repeat.last_position.max(position);
        repeat.last_revision = revision;
        repeat.recorded_at = repeat.recorded_at.max(found.view().recorded_at());
    }
    Ok(repeat)
}

/// The condition of an append, looked up as [`look_back`] may.
pub fn condition(
    engine: &Engine,
    append: &Append,
    may_wait: bool,
) -> Result<Option<Box<ConditionPart>>, StorageError> {
    let Some(condition) = &append.condition else { return Ok(None) };
    let mut part = Box::new(ConditionPart::new(condition.clone(), engine.store.secret));
    look_back(engine, &mut part, may_wait)?;
    Ok(Some(part))
}

/// Looks for a match of a condition among what is committed, for as far as that
/// was not done yet, so that the sequencer is left with what is in flight. Whoever
/// may not wait looks only if every index it takes is in memory.
pub fn look_back(engine: &Engine, part: &mut ConditionPart, may_wait: bool) -> Result<(), StorageError> {
    let committed = engine.committed_end();
    if part.wanted.all || part.matched.is_some() || part.clear_before >= committed {
        return Ok(());
    }
    if !may_wait && !engine.has_indexes_since(part.clear_before) {
        return Ok(());
    }
    let bounds = Bounds::positions(part.clear_before..committed);
    let found = Selected::new(engine, part.condition.query.clone(), bounds, Direction::Backward);
    match found.and_then(|mut found| found.next().transpose()) {
        Ok(None) => part.clear_before = committed,
        Ok(Some(event)) => part.matched = Some(event.position.get()),
        Err(ReadError::Storage(error)) => return Err(error),
        Err(_) => return Err(StorageError::Closed),
    }
    Ok(())
}
