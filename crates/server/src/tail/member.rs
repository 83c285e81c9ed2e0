//! [`Member`]: what lies ready for one follower on the tail.
//!
//! ```text
//!   notes   event 7 │ event 9 │ checkpoint 12 │ event 14      positions only
//!   off     from 15 on it reads by itself, if it did not take the notes in time
//! ```
//!
//! Invariants: notes are in the order of the log, and all before them was either
//! taken or not wanted; there are at most so many; of checkpoints that follow one
//! another only the last is there. Who is off gets no more notes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many events may lie ready for one follower.
pub const EVENTS_MAX: usize = 512;

/// What a follower is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It wants the event of this position.
    Event(u64),
    /// It was told of all it wants up to here, and a checkpoint is due.
    Checkpoint(u64),
    /// From this position on it reads by itself.
    Off(u64),
}

/// See the module.
pub struct Member {
    /// It has what is before, or will read that by itself.
    from: u64,
    mail: Mutex<Mail>,
}

#[derive(Default)]
struct Mail {
    notes: VecDeque<Note>,
    /// How many of them are events.
    events: usize,
    off: Option<u64>,
    waits: Option<Waker>,
}

impl Member {
    /// One who wants to be told from this position on.
    pub fn new(from: u64) -> Self {
        Self { from, mail: Mutex::default() }
    }

    /// From where on it is told.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// It wants this event. Gives who is to be woken.
    pub fn event(&self, at: u64) -> Option<Waker> {
        let mut mail = self.open(at)?;
        if mail.events == EVENTS_MAX {
            mail.off = Some(at);
        } else {
            mail.events += 1;
            mail.notes.push_back(Note::Event(at));
        }
        mail.waits.take()
    }

    /// A checkpoint is due. Whether it is to be woken for that some time.
    pub fn checkpoint(&self, at: u64) -> bool {
        let Some(mut mail) = self.open(at) else { return false };
        match mail.notes.back_mut() {
            Some(Note::Checkpoint(last)) => *last = at,
            _ => mail.notes.push_back(Note::Checkpoint(at)),
        }
        mail.waits.is_some()
    }

    /// Who is to be woken, if it waits.
    pub fn waits(&self) -> Option<Waker> {
        self.mail().waits.take()
    }

    /// From here on it gets nothing. Gives who is to be woken.
    pub fn off(&self, at: u64) -> Option<Waker> {
        let mut mail = self.mail();
        if mail.off.is_some() {
            return None;
        }
        // What is before its beginning it reads in any case.
        mail.off = Some(at.max(self.from));
        mail.waits.take()
    }

    /// Ready when there is something to take.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut mail = self.mail();
        if !mail.notes.is_empty() || mail.off.is_some() {
            return Poll::Ready(());
        }
        match &mut mail.waits {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// What comes next.
    pub fn take(&self) -> Option<Note> {
        let mut mail = self.mail();
        match mail.notes.pop_front() {
            Some(note) => {
                mail.events -= usize::from(matches!(note, Note::Event(_)));
                Some(note)
            }
            None => mail.off.map(Note::Off),
        }
    }

    /// Its mail, if it is to hear of this position.
    fn open(&self, at: u64) -> Option<MutexGuard<'_, Mail>> {
        let mail = self.mail();
        (at >= self.from && mail.off.is_none()).then_some(mail)
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(member: &Member) -> Vec<Note> {
        let mut notes = Vec::new();
        while let Some(note) = member.take() {
            notes.push(note);
            if matches!(note, Note::Off(_)) {
                break;
            }
        }
        notes
    }

    #[test]
    fn checkpoints_take_the_place_of_those_before_them_but_not_of_events() {
        let member = Member::new(5);
        member.checkpoint(4);
        member.event(3);
        assert_eq!(taken(&member), []);
        for at in [5, 6, 7] {
            member.checkpoint(at);
        }
        member.event(8);
        member.checkpoint(8);
        assert_eq!(taken(&member), [Note::Checkpoint(7), Note::Event(8), Note::Checkpoint(8)]);
    }

    #[test]
    fn who_takes_nothing_is_off_after_so_many_and_keeps_what_it_has() {
        let member = Member::new(0);
        for at in 0..EVENTS_MAX as u64 + 9 {
            member.event(2 * at);
        }
        member.checkpoint(9_999);
        assert!(member.off(10_000).is_none());
        let notes = taken(&member);
        assert_eq!(notes.len(), EVENTS_MAX + 1);
        assert_eq!(
            notes[EVENTS_MAX - 1..],
            [Note::Event(2 * (EVENTS_MAX as u64 - 1)), Note::Off(2 * EVENTS_MAX as u64)]
        );
    }

    #[test]
    fn what_is_before_its_beginning_is_not_read_twice() {
        let member = Member::new(7);
        member.off(3);
        assert_eq!(taken(&member), [Note::Off(7)]);
    }

    #[test]
    fn who_waits_is_woken_by_the_first_word_only() {
        let member = Member::new(0);
        let mut context = Context::from_waker(Waker::noop());
        assert!(member.event(0).is_none(), "nobody waits yet");
        assert!(member.poll_ready(&mut context).is_ready());
        assert_eq!(taken(&member), [Note::Event(0)]);
        assert!(member.poll_ready(&mut context).is_pending());
        assert!(member.event(1).is_some());
        assert!(member.event(2).is_none(), "it is awake");
        assert!(member.poll_ready(&mut context).is_ready());
        assert_eq!(taken(&member), [Note::Event(1), Note::Event(2)]);
        assert!(member.poll_ready(&mut context).is_pending());
        assert!(member.off(3).is_some());
        assert!(member.poll_ready(&mut context).is_ready());
    }
}
