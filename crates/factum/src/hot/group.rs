//! A group: the commands that share one append, and what each is answered.
//!
//! ```text
//!   concert-1      │ a a │ b │ d d d │        expects the revision that was decided on
//!   $command-<b>   │ B │                      idempotency keys, last
//!   positions        0 1   2   3 4 5   6
//!
//!   a: 0..=1    b: 2    c: rejected, rests on all that is in the group    d: 3..=5
//! ```
//!
//! The events of a command stand next to one another, and the commands one after
//! another in the order in which they were decided: what was folded ahead is what
//! the log has. An append has the events of a stream together, so a command that
//! writes to more than one stream is the only one with events in its group, and
//! one that would go back to an earlier stream has to wait for the next.

use std::collections::HashSet;

use factum_core::{
    Append, AppendCondition, Appended, EventType, ExpectedRevision, NewEvent, Position, Revision, Selection,
    StreamName, StreamWrite,
};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::boundary::Boundary;
use crate::draft::NewEvents;
use crate::hot::command::{Outcome, Waiting};
use crate::idempotency::{CommandDone, Span};
use crate::receipt::Receipt;
use crate::store::Store;

/// Where each part of the boundary must stand; `None` if a condition guards it.
pub type Guards = SmallVec<[Option<ExpectedRevision>; 1]>;

pub struct Group<M> {
    members: Vec<Member<M>>,
    guards: Guards,
    /// Everything up to here is in what was decided on.
    after: Option<Position>,
    /// Whether the log was read for it.
    is_fresh: bool,
    writes: Vec<StreamWrite>,
    streams: HashSet<StreamName>,
    events: usize,
    bytes: usize,
    /// No other command may join.
    is_sealed: bool,
}

struct Member<M> {
    waiting: Waiting<M>,
    is_rejected: bool,
    share: Share,
}

/// Which of the group's events are a member's.
#[derive(Default)]
struct Share {
    /// The stream written, and the first of its events, if there are any.
    write: usize,
    first: usize,
    /// How many in all, and how many of them in that stream.
    events: usize,
    in_write: usize,
    correlation_id: Option<Uuid>,
    outside_boundary: Vec<EventType>,
    /// Of the state it was decided on.
    revision: Option<Revision>,
}

impl<M> Default for Group<M> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            guards: Guards::new(),
            after: None,
            is_fresh: false,
            writes: Vec::new(),
            streams: HashSet::new(),
            events: 0,
            bytes: 0,
            is_sealed: false,
        }
    }
}

impl<M> Group<M> {
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether these can stand behind what is there.
    pub fn has_place_for(&self, events: &[(StreamName, NewEvent)]) -> bool {
        let (Some(last), Some((stream, _))) = (self.writes.last(), events.first()) else { return true };
        let is_spread = events.iter().any(|(other, _)| other != stream);
        !is_spread && (last.stream == *stream || !self.streams.contains(stream))
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    pub fn seal(&mut self) {
        self.is_sealed = true;
    }

    /// The idempotency keys it records.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let recorded = self.members.iter().filter(|member| !member.is_rejected && member.share.events > 0);
        recorded.filter_map(|member| member.waiting.command.key())
    }

    /// What the first member is decided on.
    pub fn begin(&mut self, guards: Guards, after: Option<Position>, is_fresh: bool) {
        (self.guards, self.after, self.is_fresh) = (guards, after, is_fresh);
    }

    /// Whether the log was read for it, and not for one before.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// The append that it was decided on top of ends there. Nothing it reads came
    /// in between: that was the append's guard.
    pub fn note_landed(&mut self, last: Position) {
        self.after = self.after.max(Some(last));
    }

    /// A member that leads to no event.
    pub fn add_without_events(&mut self, waiting: Waiting<M>, is_rejected: bool, revision: Option<Revision>) {
        self.members.push(Member { waiting, is_rejected, share: Share { revision, ..Share::default() } });
    }

    /// A member and its events, for which there is a place.
    pub fn add(&mut self, waiting: Waiting<M>, is_rejected: bool, new: NewEvents, boundary: &Boundary) {
        let NewEvents { events, correlation_id, .. } = new;
        let mut share = Share { correlation_id, events: events.len(), ..Share::default() };
        for (step, (stream, event)) in events.into_iter().enumerate() {
            if !boundary.reads(&stream, &event.event_type, &event.tags) {
                share.outside_boundary.push(event.event_type.clone());
            }
            let write = self.write_of(stream);
            if step == 0 {
                (share.write, share.first) = (write, self.writes[write].events.len());
            }
            match write == share.write {
                true => share.in_write += 1,
                false => self.is_sealed = true,
            }
            self.bytes += event.data.len() + event.metadata.len();
            self.events += 1;
            self.writes[write].events.push(event);
        }
        self.members.push(Member { waiting, is_rejected, share });
    }

    fn write_of(&mut self, stream: StreamName) -> usize {
        if self.writes.last().is_none_or(|last| last.stream != stream) {
            self.streams.insert(stream.clone());
            self.writes.push(StreamWrite { stream, expected: ExpectedRevision::Any, events: Vec::new() });
        }
        self.writes.len() - 1
    }

    /// All of it as one append, with everything it rests on as its guard.
    /// Without events it asks whether that still stands.
    pub fn append(&mut self, boundary: &Boundary, store: &Store) -> Append {
        let mut append = Append::default();
        let mut begins = SmallVec::<[usize; 4]>::new();
        let mut end = 0;
        for mut write in self.writes.drain(..) {
            begins.push(end);
            end += write.events.len();
            write.expected = guard_of(boundary, &self.guards, &write.stream).unwrap_or(write.expected);
            append.writes.push(write);
        }
        for (part, guard) in boundary.parts.iter().zip(&self.guards) {
            let (Selection::Stream(stream), Some(expected)) = (&part.read, guard) else { continue };
            let is_named = append.writes.iter().any(|write| write.stream == *stream)
                || append.checks.iter().any(|check| check.stream == *stream);
            if !is_named {
                append = append.expecting(stream.clone(), *expected);
            }
        }
        if let Some(query) = boundary.condition() {
            append = append.on_condition(AppendCondition { query, after: self.after });
        }
        for member in self.members.iter().filter(|member| !member.is_rejected && member.share.events > 0) {
            let Some(key) = member.waiting.command.key() else { continue };
            let share = &member.share;
            let back = end - begins[share.write] - share.first;
            let (events, first) = (share.events as u64, share.in_write as u64);
            let span = Span { events, first, back: back as u64 };
            let done = CommandDone::of(key, span, &share.outside_boundary);
            append.writes.push(done.write(store.new_id(), share.correlation_id));
            end += 1;
        }
        append
    }

    /// Tells every member what its part of the append is.
    pub fn answer(self, append: &Append, appended: &Appended) {
        let mut begins = SmallVec::<[u64; 4]>::new();
        let mut end = appended.first_position().map_or(0, Position::get);
        for write in &append.writes {
            begins.push(end);
            end += write.events.len() as u64;
        }
        for Member { waiting, is_rejected, share } in self.members {
            let outcome = match is_rejected {
                true => Outcome::Rejected,
                false => Outcome::Done(share.receipt(append, appended, &begins, waiting.attempts + 1)),
            };
            waiting.answer(outcome);
        }
    }

    /// Its commands, to be decided again.
    pub fn into_waiting(self) -> impl DoubleEndedIterator<Item = Waiting<M>> {
        self.members.into_iter().map(|member| member.waiting)
    }
}

impl Share {
    fn receipt(self, append: &Append, appended: &Appended, begins: &[u64], attempts: u32) -> Receipt {
        let mut receipt = Receipt {
            positions: None,
            revision: self.revision,
            correlation_id: self.correlation_id,
            durability: appended.durability,
            attempts,
            outside_boundary: self.outside_boundary,
        };
        if self.events > 0 {
            let first = begins[self.write] + self.first as u64;
            receipt.positions = Some(Position::new(first)..=Position::new(first + self.events as u64 - 1));
            let written = append.writes[self.write].events.len();
            let after = written - (self.first + self.events).min(written);
            let last = appended.revisions.get(self.write).copied().flatten();
            receipt.revision = last.map(|last| Revision::new(last.get() - after as u64));
        }
        receipt
    }
}

fn guard_of(boundary: &Boundary, guards: &Guards, stream: &StreamName) -> Option<ExpectedRevision> {
    let at = boundary.parts.iter().zip(guards).find(
        |(part, guard)| matches!(&part.read, Selection::Stream(name) if name == stream && guard.is_some()),
    )?;
    *at.1
}
