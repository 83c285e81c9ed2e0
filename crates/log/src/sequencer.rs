//! The sequencer: judges appends one after another and gives them their place.
//!
//! It judges against everything it has accepted so far, durable or not, so a
//! thousand appends to one stream go out with one flush. An answer that rests
//! on something not durable yet (a conflict with an event still being written,
//! say) is held back until it is: nobody learns of an event that a crash then
//! unmakes.
//!
//! ```text
//!             ┌── accepted ──▶ open batch ──▶ writer ──▶ receipt
//!   request ──┼── refused ───▶ held until what it rests on is committed
//!             └── old ───────▶ resolver (which may read the disk) ──▶ answer, or back
//! ```
//!
//! It never reads the disk, and it waits for callers only for as long as that
//! saves them a flush. It has a thread of its
//! own, but a caller that finds nothing going on does the sequencer's work
//! itself: that saves a lone caller two changes of thread per append.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    AppendError, Appended, Durability, InvalidAppend, Position, Revision, StorageError, Timestamp,
};
use smallvec::SmallVec;

use crate::buffers::Buffer;
use crate::commit::Batch;
use crate::engine::Engine;
use crate::housekeeper::Job;
use crate::index::live::Live;
use crate::lone::Led;
use crate::mailbox::Wake;
use crate::recent::Recent;
use crate::reply::{Replies, Reply};
use crate::request::{Asked, Request, WritePart};
use crate::resolve::{Candidate, Question};
use crate::segment::batch::padded_bytes;
use crate::segment::format::{
    BATCH_BYTES_MAX, BATCH_HEADER_BYTES, BLOCK_BYTES, SEGMENT_HEADER_BYTES, batch_flags,
};
use crate::segment::{Segment, record};

/// After how much quiet the last batch is confirmed by an empty one.
const HEARTBEAT_AFTER: Duration = Duration::from_millis(100);

/// How long the first caller may take to come back: a thread must wake up.
const GATHER_FIRST_GAP: Duration = Duration::from_micros(50);
/// How long each further one may take; also how long to stay awake for one while a
/// batch is being written.
const GATHER_GAP: Duration = Duration::from_micros(10);
/// How long to go on gathering in all: about the flush it saves.
const GATHER_TIME_MAX: Duration = Duration::from_micros(150);
/// With fewer callers than this there is nothing to save.
const GATHER_APPENDS_MIN: usize = 8;
/// More appends than this fill a batch well enough.
const GATHER_APPENDS_MAX: usize = 256;

/// For so many appends what they touch is fetched at once.
const LOOK_AHEAD: usize = 16;

/// Batches up to this size are written by the sequencer itself; handing them
/// to the writer's thread would cost more than preparing the next one
/// meanwhile saves.
pub const WRITE_INLINE_BYTES_MAX: u64 = 128 * 1024;

/// So many batches behind a larger one are handed over as well: where batches are now a
/// little larger than that and now a little smaller, to take turns costs both, the change
/// of threads and the time in which the next could have been prepared.
const HAND_OVER_BEHIND: u32 = 4;

/// Which batches the writer's thread writes.
#[derive(Debug, Default)]
pub struct Route {
    /// How many more it does because of a large one before them.
    behind_large: u32,
}

impl Route {
    /// Whether it is to write the next batch, of so many bytes.
    fn hands_over(&mut self, bytes: u64) -> bool {
        let (is_large, is_behind) = (bytes > WRITE_INLINE_BYTES_MAX, self.behind_large > 0);
        self.behind_large = if is_large { HAND_OVER_BEHIND } else { self.behind_large.saturating_sub(1) };
        is_large || is_behind
    }
}

/// The state that gives places.
pub struct Sequencer {
    /// The segment being filled.
    pub segment: Arc<Segment>,
    /// Where its next batch begins.
    pub offset: u64,
    /// The position the next event gets.
    pub next_position: u64,
    /// Recorded-at of the last batch; the next is not earlier.
    pub last_recorded_at: Timestamp,
    pub recent: Recent,
    pub open: OpenBatch,
    pub deferred: Vec<Deferred>,
    /// How many appends the last batch held, and the one before it.
    pub last_appends: [usize; 2],
    #[allow(missing_docs)]
    pub route: Route,
    /// How many bytes the next batch may have, so that its buffer fits.
    pub batch_bytes_expected: u64,
    pub inbox: VecDeque<Box<Request>>,
    /// Whether the log let go of its files: another may have them by now.
    pub has_ended: bool,
}

/// The batch being filled. Nothing of it is visible.
#[derive(Default)]
pub struct OpenBatch {
    first_position: u64,
    recorded_at: Option<Timestamp>,
    events: u32,
    /// Room for a header, and the records; begun with the first of them.
    buffer: Option<Buffer>,
    body_bytes: u64,
    replies: Replies,
}

/// An answer that rests on an event which is not committed yet.
pub struct Deferred {
    rests_on: u64,
    then: Then,
}

enum Then {
    Answer(Reply, Result<Appended, AppendError>),
    Resolve(Box<Question>),
}

/// How one write stands to what is already recorded.
enum Standing {
    New,
    /// Its first event may be the one at this revision.
    Candidate(u64),
    Failed(AppendError, Option<u64>),
}

enum Verdict {
    Accept,
    Answer(Result<Appended, AppendError>, Option<u64>),
    /// Compare with what is recorded.
    Compare(SmallVec<[Candidate; 1]>, u64),
    /// Look for a match of the condition among what is committed.
    LookBack,
}

impl Sequencer {
    /// The sequencer's thread.
    pub fn run(engine: &Engine) {
        loop {
            let wake = engine.mailbox.wait_for_work(HEARTBEAT_AFTER);
            let mut sequencer = engine.sequencer.lock();
            match wake {
                Wake::Work => sequencer.drive(engine),
                Wake::Idle => sequencer.heartbeat(engine),
                Wake::Closing => return,
            }
        }
    }

    /// Works until nothing waits and nothing is held back.
    pub fn drive(&mut self, engine: &Engine) {
        loop {
            self.take_all(engine);
            self.gather(engine);
            self.deliver(engine);
            match self.open.is_empty() {
                false if !engine.mailbox.is_writing() => self.dispatch(engine, engine.has_own_threads()),
                true if self.deferred.is_empty() && engine.mailbox.is_idle() => break,
                _ => engine.mailbox.wait_for_writer_or_requests(GATHER_GAP),
            }
        }
        self.after_commit(engine);
    }

    fn take_all(&mut self, engine: &Engine) {
        engine.mailbox.drain_into(&mut self.inbox);
        let mut near = 0;
        while let Some(mut request) = self.inbox.pop_front() {
            for at in 0..request.len() {
                if near == 0 {
                    near = self.look_ahead(engine, &request, at);
                }
                near -= 1;
                self.take(engine, &mut request, at);
            }
            engine.buffers.take_back(request.records);
        }
    }

    /// Looks up what the next appends will be judged by, and says of how many. What
    /// is far off in memory is then fetched for all of them at once, and not for
    /// one after another; nothing is decided by it.
    fn look_ahead(&self, engine: &Engine, request: &Request, at: usize) -> usize {
        let next = self.inbox.iter().flat_map(|request| request.firsts(0));
        let mut near = request.firsts(at).chain(next).take(LOOK_AHEAD).peekable();
        let Some(first) = near.next() else { return LOOK_AHEAD };
        if near.peek().is_none() {
            return 1;
        }
        let live = engine.live.read();
        for (write, event) in std::iter::once(first).chain(near) {
            let is_known = match write.expected.first_revision() {
                None => self.recent.find_id(write.hash, &event.id, event.key).is_some(),
                // Told by its revision, it is only noted.
                Some(_) => self.recent.is_noted(event.key),
            };
            std::hint::black_box((live.head(write.hash), is_known));
        }
        LOOK_AHEAD
    }

    /// The callers of the last batch have just got their answers, and most of
    /// them come back with their next append at once. Left alone, two groups
    /// of callers form, each waiting out the other's flush; so this goes on
    /// taking while as many as the last two batches held are not there yet and
    /// the next comes within moments. A few callers are never waited for.
    fn gather(&mut self, engine: &Engine) {
        let expected = (self.last_appends[0] + self.last_appends[1]).min(GATHER_APPENDS_MAX);
        if expected < GATHER_APPENDS_MIN || self.open.is_empty() {
            return;
        }
        let patience = engine.mailbox.patience(GATHER_TIME_MAX);
        let mut gap = GATHER_FIRST_GAP;
        while self.open.replies.len() < expected
            && !engine.mailbox.is_writing()
            && engine.mailbox.comes_within(gap, patience)
        {
            self.take_all(engine);
            gap = GATHER_GAP;
        }
    }

    /// One append of a caller that found nothing going on, start to end.
    pub fn lead(&mut self, engine: &Engine, mut request: Box<Request>) {
        for at in 0..request.len() {
            self.take(engine, &mut request, at);
        }
        engine.buffers.take_back(request.records);
        if !self.open.is_empty() {
            self.dispatch(engine, false);
        }
        self.deliver(engine);
        self.after_commit(engine);
    }

    /// The same of a caller that would rather not wait, if it has to for no longer
    /// than allowed: see [`lone`](crate::lone).
    pub fn lead_lone(engine: &Arc<Engine>, request: Box<Request>) -> Result<Led, Box<Request>> {
        let longest = engine.options.async_flush_max;
        if longest.is_zero() || !engine.has_own_threads() || !engine.lone.is_likely(longest) {
            return Err(request);
        }
        let Some(mut sequencer) = engine.sequencer.try_lock() else { return Err(request) };
        let padded = padded_bytes(request.records.len() as u64);
        let fits = sequencer.offset + padded <= sequencer.segment.file_bytes;
        // Whoever appended last was alone, and the one before.
        let alone = sequencer.last_appends.iter().all(|appends| *appends <= 1);
        if !alone || !fits || padded > WRITE_INLINE_BYTES_MAX || !engine.mailbox.is_idle() {
            return Err(request);
        }
        let led = Led::of(engine);
        sequencer.lead(engine, request);
        Ok(led)
    }

    fn after_commit(&mut self, engine: &Engine) {
        if engine.has_own_threads() && engine.writer.lock().uncovered {
            engine.mailbox.tick();
        }
    }

    /// Judges one append and acts on it. Drops one that comes too late, whose
    /// caller is then told that the log is closed.
    fn take(&mut self, engine: &Engine, request: &mut Request, at: usize) {
        if self.has_ended {
            drop(request.reply.take_first());
            return;
        }
        let asked = request.append(at);
        if let Some(cause) = engine.poisoned() {
            request.reply.take_first().send(Err(AppendError::Storage(cause)));
            return;
        }
        if let Err(error) = self.make_room(engine, asked.records.len() as u64) {
            request.reply.take_first().send(Err(AppendError::Storage(error)));
            return;
        }
        let mut live = engine.live.write();
        match self.judge(&live, asked) {
            Verdict::Accept => {
                let receipt = self.accept(engine, &mut live, asked);
                self.open.replies.add(&mut request.reply, receipt);
            }
            Verdict::Answer(answer, rests_on) => {
                drop(live);
                let reply = request.reply.take_first();
                self.when_committed(engine, rests_on, Then::Answer(reply, answer));
            }
            Verdict::Compare(candidates, rests_on) => {
                // Without threads of its own the log compares here and now.
                drop(live);
                let reply = request.reply.take_first();
                let request = request.split(at, reply);
                let question = Question::Repeat { request, candidates };
                self.when_committed(engine, Some(rests_on), Then::Resolve(Box::new(question)));
            }
            Verdict::LookBack => {
                drop(live);
                let reply = request.reply.take_first();
                let request = request.split(at, reply);
                let question = Question::Condition { request };
                if engine.has_own_threads() {
                    self.when_committed(engine, None, Then::Resolve(Box::new(question)));
                } else if let Some(mut request) = question.answer(engine) {
                    // Here and now: nobody comes between.
                    self.take(engine, &mut request, 0);
                }
            }
        }
    }

    /// Follows the order of the specification: repetition, then conflicts of
    /// the writes, then of the checks, then the condition.
    fn judge(&self, live: &Live, request: Asked<'_>) -> Verdict {
        let standings =
            || request.ranges().map(|(write, events)| self.standing(live, request, write, events));
        // Nearly all are one write of something new, for which no list is made.
        if !standings().all(|standing| matches!(standing, Standing::New)) {
            let standings: SmallVec<[Standing; 1]> = standings().collect();
            if standings.iter().any(|standing| matches!(standing, Standing::Candidate(_))) {
                return self.compare(live, request, standings);
            }
            for standing in standings {
                if let Standing::Failed(error, rests_on) = standing {
                    return Verdict::Answer(Err(error), rests_on);
                }
            }
        }
        for check in request.checks {
            let head = live.head(check.hash);
            let actual = head.and_then(|head| Revision::new(head.next_revision).previous());
            if !check.expected.is_met_by(actual) {
                let (stream, expected) = (check.stream.clone(), check.expected);
                let rests_on = head.map(|head| head.last_position);
                return Verdict::Answer(Err(AppendError::Conflict { stream, expected, actual }), rests_on);
            }
        }
        if let Some(verdict) = self.judge_condition(live, request) {
            return verdict;
        }
        if request.events.is_empty() { self.accept_nothing(live, request) } else { Verdict::Accept }
    }

    fn standing(
        &self,
        live: &Live,
        request: Asked<'_>,
        write: &WritePart,
        events: std::ops::Range<usize>,
    ) -> Standing {
        let head = live.head(write.hash);
        let actual = head.and_then(|head| Revision::new(head.next_revision).previous());
        let met = write.expected.is_met_by(actual);
        let conflict = || {
            let (stream, expected) = (write.stream.clone(), write.expected);
            Standing::Failed(
                AppendError::Conflict { stream, expected, actual },
                head.map(|head| head.last_position),
            )
        };
        let known = |index: usize| {
            let event = &request.events[index];
            self.recent.find_id(write.hash, &event.id, event.key)
        };
        if events.is_empty() {
            return if met { Standing::New } else { conflict() };
        }
        let (Some(head), Some(first_revision)) = (head, write.expected.first_revision()) else {
            if !met {
                return conflict();
            }
            if head.is_none() {
                return Standing::New;
            }
            // `Any` or `Exists`: told by the ids alone.
            if let Some(event) = known(events.start) {
                return Standing::Candidate(event.revision);
            }
            return match events.clone().skip(1).find_map(|index| Some((index, known(index)?))) {
                Some((index, event)) => {
                    let id = uuid::Uuid::from_bytes(request.events[index].id);
                    Standing::Failed(
                        AppendError::PartlyRepeated { stream: write.stream.clone(), id },
                        Some(event.position),
                    )
                }
                None => Standing::New,
            };
        };
        if met {
            return Standing::New;
        }
        let first_revision = first_revision.get();
        if first_revision >= head.next_revision {
            return conflict();
        }
        let found = known(events.start).is_some_and(|event| event.revision == first_revision);
        // The event there is another one for sure only if it is remembered.
        let remembered = self.recent.floor() == 0
            || (first_revision + 1 == head.next_revision && head.last_position >= self.recent.floor());
        if found || !remembered { Standing::Candidate(first_revision) } else { conflict() }
    }

    fn compare(&self, live: &Live, request: Asked<'_>, standings: SmallVec<[Standing; 1]>) -> Verdict {
        let heads = request.writes.iter().filter_map(|write| live.head(write.hash));
        let rests_on = heads.map(|head| head.last_position).max().unwrap_or_default();
        let candidates = standings.into_iter().map(|standing| match standing {
            Standing::New => Candidate::New,
            Standing::Candidate(revision) => Candidate::At(revision),
            Standing::Failed(error, _) => Candidate::Failed(error),
        });
        Verdict::Compare(candidates.collect(), rests_on)
    }

    fn judge_condition(&self, live: &Live, request: Asked<'_>) -> Option<Verdict> {
        let part = request.condition.as_ref()?;
        let last = self.next_position.checked_sub(1);
        if let Some(after) = part.condition.after
            && last.is_none_or(|last| after.get() > last)
        {
            let error = InvalidAppend::PositionBeyondEnd { after, last: last.map(Position::new) };
            return Some(Verdict::Answer(Err(error.into()), last));
        }
        let fails = |position| {
            let error = AppendError::ConditionFailed { position: Position::new(position) };
            Verdict::Answer(Err(error), Some(position))
        };
        if let Some(position) = part.matched {
            return Some(fails(position));
        }
        if part.clear_before >= self.next_position {
            return None;
        }
        if part.wanted.all {
            return last.map(fails);
        }
        // The caller has looked through what was committed, so that these are few.
        match live.last_match(&part.wanted, part.clear_before) {
            Some(position) => Some(fails(position)),
            None => (part.clear_before < live.first_position()).then_some(Verdict::LookBack),
        }
    }

    /// An append without events: everything it expects holds.
    fn accept_nothing(&self, live: &Live, request: Asked<'_>) -> Verdict {
        let heads: SmallVec<[_; 1]> = request.writes.iter().map(|write| live.head(write.hash)).collect();
        let checked = request.checks.iter().filter_map(|check| live.head(check.hash));
        let rests_on = heads.iter().flatten().copied().chain(checked).map(|head| head.last_position).max();
        // That nothing matches a condition rests on all there is.
        let all = request.condition.as_ref().and_then(|_| self.next_position.checked_sub(1));
        let rests_on = rests_on.max(all);
        let revisions = heads.iter().map(|head| Revision::new(head.as_ref()?.next_revision).previous());
        let appended = Appended {
            positions: None,
            revisions: revisions.collect(),
            recorded_at: None,
            durability: Durability::Disk,
            repeated: false,
        };
        Verdict::Answer(Ok(appended), rests_on)
    }

    /// Gives every event its place.
    fn accept(&mut self, engine: &Engine, live: &mut Live, request: Asked<'_>) -> Appended {
        if self.open.is_empty() {
            self.open.first_position = self.next_position;
            // About as many come as last time.
            self.open.replies.reserve(self.last_appends[0]);
        }
        let recorded_at = match self.open.recorded_at {
            Some(time) => time,
            None => {
                let now = engine.options.clock.now().max(self.last_recorded_at);
                self.last_recorded_at = now;
                *self.open.recorded_at.insert(now)
            }
        };
        let first = self.next_position;
        let body_at = self.offset + BATCH_HEADER_BYTES as u64 + self.open.body_bytes;
        let wanted = self.batch_bytes_expected.max(padded_bytes(request.records.len() as u64));
        let buffer = self.open.buffer.get_or_insert_with(|| {
            let mut buffer = engine.buffers.for_batch(wanted as usize);
            buffer.extend(&[0; BATCH_HEADER_BYTES]);
            buffer
        });
        let begin = buffer.len();
        buffer.extend(request.records);
        let records = &mut buffer.as_mut()[begin..];
        let mut revisions = SmallVec::with_capacity(request.writes.len());
        for (write, events) in request.ranges() {
            if events.is_empty() {
                let head = live.head(write.hash);
                revisions.push(head.and_then(|head| Revision::new(head.next_revision).previous()));
                continue;
            }
            let places = events.clone().map(|index| {
                let offset = body_at + request.record_range(index).start as u64;
                (offset, request.keys(index))
            });
            let revision = live.record_all(write.hash, self.next_position, places, request.beginning);
            for (index, revision) in events.clone().zip(revision..) {
                let event = &request.events[index];
                let record = &mut records[request.record_range(index)];
                record::place(record, event.own_crc, self.next_position, revision, recorded_at);
                self.recent.push(write.hash, event.id, event.key, revision);
                self.next_position += 1;
            }
            revisions.push(Some(Revision::new(revision + events.len() as u64 - 1)));
        }
        let appended = Appended {
            positions: Some(Position::new(first)..=Position::new(self.next_position - 1)),
            revisions,
            recorded_at: Some(recorded_at),
            durability: Durability::Disk,
            repeated: false,
        };
        self.open.events += request.events.len() as u32;
        self.open.body_bytes += request.records.len() as u64;
        appended
    }

    /// Has room for this much in the open batch: commits it if it is full,
    /// begins the next segment if this one is.
    fn make_room(&mut self, engine: &Engine, bytes: u64) -> Result<(), StorageError> {
        let fits = |sequencer: &Self| {
            let padded = padded_bytes(sequencer.open.body_bytes + bytes);
            sequencer.offset + padded <= sequencer.segment.file_bytes
        };
        let grown = padded_bytes(self.open.body_bytes + bytes);
        if !self.open.is_empty() && (grown > BATCH_BYTES_MAX || !fits(self)) {
            engine.mailbox.wait_for_writer();
            self.dispatch(engine, engine.has_own_threads());
        }
        if fits(self) { Ok(()) } else { self.roll(engine) }
    }

    /// Begins the next segment. It is prepared already, so this does no I/O;
    /// if it is not, this waits for it.
    fn roll(&mut self, engine: &Engine) -> Result<(), StorageError> {
        debug_assert!(self.open.is_empty());
        let next = engine.next_segment(self.segment.number + 1)?;
        next.begin_at(self.next_position);
        engine.segments.write().push(next.clone());
        engine.live.write().begin_segment(next.number, self.next_position);
        engine.housekeeper.push(Job::Prepare { segment: next.number + 1 });
        self.offset = SEGMENT_HEADER_BYTES;
        self.segment = next;
        Ok(())
    }

    /// Sends the open batch off; the writer must be at rest.
    fn dispatch(&mut self, engine: &Engine, may_hand_over: bool) {
        let open = std::mem::take(&mut self.open);
        if let Some(cause) = engine.poisoned() {
            return open.replies.refuse(|| AppendError::Storage(cause.clone()));
        }
        let Some(buffer) = open.buffer else { return };
        self.last_appends = [open.replies.len(), self.last_appends[0]];
        let padded = padded_bytes(open.body_bytes);
        // Many callers come back with about as much as they brought; one alone
        // brings what it brings.
        let expected = (padded + padded / 4).min(BATCH_BYTES_MAX);
        self.batch_bytes_expected = if open.replies.len() > 1 { expected } else { 0 };
        let batch = Batch {
            segment: self.segment.clone(),
            offset: self.offset,
            first_position: open.first_position,
            events: open.events,
            recorded_at: open.recorded_at.unwrap_or(self.last_recorded_at),
            buffer,
            replies: open.replies,
            flags: 0,
        };
        self.offset += padded;
        if self.route.hands_over(padded) && may_hand_over {
            engine.mailbox.hand_over(batch);
        } else {
            engine.writer.lock().commit(engine, batch);
        }
    }

    /// Says durably that the last batch is durable, so that damage to it can
    /// be told from a torn tail. Not at the price of a new segment.
    pub fn heartbeat(&mut self, engine: &Engine) {
        self.confirm(engine, batch_flags::HEARTBEAT);
    }

    /// As [`Self::heartbeat`], and that the log was closed in order.
    pub fn confirm(&mut self, engine: &Engine, flags: u16) {
        let mut writer = engine.writer.lock();
        let idle = self.open.is_empty() && engine.mailbox.is_idle();
        let room = self.offset + BLOCK_BYTES <= self.segment.file_bytes;
        if !idle || !room || !writer.uncovered || engine.poisoned().is_some() {
            return;
        }
        let mut buffer = engine.buffers.for_batch(BLOCK_BYTES as usize);
        buffer.extend(&[0; BATCH_HEADER_BYTES]);
        let batch = Batch {
            segment: self.segment.clone(),
            offset: self.offset,
            first_position: self.next_position,
            events: 0,
            recorded_at: self.last_recorded_at,
            buffer,
            replies: Replies::default(),
            flags,
        };
        self.offset += BLOCK_BYTES;
        writer.commit(engine, batch);
    }

    fn when_committed(&mut self, engine: &Engine, rests_on: Option<u64>, then: Then) {
        match rests_on.filter(|position| *position >= engine.committed_end()) {
            Some(rests_on) => self.deferred.push(Deferred { rests_on, then }),
            None => then.run(engine),
        }
    }

    /// Gives the answers that rest on what is committed by now.
    fn deliver(&mut self, engine: &Engine) {
        if self.deferred.is_empty() {
            return;
        }
        let committed = engine.committed_end();
        let poisoned = engine.poisoned();
        for deferred in std::mem::take(&mut self.deferred) {
            if deferred.rests_on < committed {
                deferred.then.run(engine);
            } else if let Some(cause) = &poisoned {
                deferred.then.give_up(cause.clone());
            } else {
                self.deferred.push(deferred);
            }
        }
    }
}

impl OpenBatch {
    fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }
}

impl Then {
    fn run(self, engine: &Engine) {
        match self {
            Self::Answer(reply, answer) => reply.send(answer),
            Self::Resolve(question) => engine.ask(*question),
        }
    }

    fn give_up(self, cause: StorageError) {
        let reply = match self {
            Self::Answer(reply, _) => reply,
            Self::Resolve(question) => question.into_reply(),
        };
        reply.send(Err(AppendError::Storage(cause)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_behind_a_large_batch_go_the_same_way_for_a_while() {
        let (small, large) = (WRITE_INLINE_BYTES_MAX, WRITE_INLINE_BYTES_MAX + 1);
        let mut route = Route::default();
        let mut ways = |bytes, times: u32| (0..times).map(|_| route.hands_over(bytes)).collect::<Vec<_>>();
        assert_eq!(ways(small, 2), [false; 2]);
        assert_eq!(ways(large, 1), [true]);
        assert_eq!(ways(small, 3), [true; 3]);
        assert_eq!(ways(large, 1), [true], "from here on it is counted again");
        assert_eq!(ways(small, HAND_OVER_BEHIND), vec![true; HAND_OVER_BEHIND as usize]);
        assert_eq!(ways(small, 2), [false; 2]);
    }
}
