//! [`Case`]: the rule and the row under test, which every failure names.

use std::fmt::{Debug, Display};
use std::future::poll_fn;

use crate::{
    Append, AppendFuture, Appended, EventStore, Position, Read, ReadError, RecordedEvent, StreamName,
};

use super::answer::Answer;
use super::future;

/// One row of one rule.
#[derive(Clone)]
pub struct Case {
    rule: &'static str,
    row: String,
}

/// The most characters of a value that a failure prints.
const SHOWN_MAX: usize = 1_500;

impl Case {
    pub fn new(rule: &'static str, row: impl Display) -> Self {
        Self { rule, row: row.to_string() }
    }

    /// Another row of the same rule.
    pub fn row(&self, row: impl Display) -> Self {
        Self::new(self.rule, row)
    }

    #[track_caller]
    pub fn fail(&self, says: impl Display) -> ! {
        panic!("the store breaks the contract\n  rule: {}\n  row:  {}\n  {says}", self.rule, self.row)
    }

    #[track_caller]
    pub fn holds(&self, holds: bool, what: impl Display) {
        if !holds {
            self.fail(format_args!("this does not hold: {what}"));
        }
    }

    #[track_caller]
    pub fn equal<T: Debug + PartialEq>(&self, what: &str, found: &T, wanted: &T) {
        if found != wanted {
            let (wanted, found) = (shown(wanted), shown(found));
            self.fail(format_args!("{what}\n    expected: {wanted}\n    found:    {found}"));
        }
    }

    #[track_caller]
    pub fn ok<T, E: Debug>(&self, doing: &str, result: Result<T, E>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => self.fail(format_args!("{doing} failed: {error:?}")),
        }
    }

    /// Appends what must be accepted.
    #[track_caller]
    pub fn append(&self, store: &dyn EventStore, append: Append) -> Appended {
        self.ok("an append", store.append(append))
    }

    /// Appends and compares the answer; a refusal must leave the log alone.
    #[track_caller]
    pub fn answers(&self, store: &dyn EventStore, append: Append, wanted: Answer) {
        let before = self.last_position(store);
        let found = Answer::from(store.append(append));
        self.equal("the answer to the append", &found, &wanted);
        if !matches!(found, Answer::Recorded { .. }) {
            self.equal("the last position after it", &self.last_position(store), &before);
        }
    }

    #[track_caller]
    pub fn last_position(&self, store: &dyn EventStore) -> Option<Position> {
        self.ok("asking for the last position", store.last_position())
    }

    #[track_caller]
    pub fn read(&self, store: &dyn EventStore, read: Read) -> Vec<RecordedEvent> {
        let events = self.ok("a read", store.read(read));
        self.ok("reading on", events.collect())
    }

    /// The whole log.
    #[track_caller]
    pub fn log(&self, store: &dyn EventStore) -> Vec<RecordedEvent> {
        self.read(store, Read::all())
    }

    /// A stream's events; none if there is no such stream.
    #[track_caller]
    pub fn stream(&self, store: &dyn EventStore, stream: &StreamName) -> Vec<RecordedEvent> {
        match store.read(Read::stream(stream.clone())) {
            Ok(events) => self.ok("reading on", events.collect()),
            Err(ReadError::StreamNotFound { .. }) => Vec::new(),
            Err(error) => self.fail(format_args!("a read failed: {error:?}")),
        }
    }

    /// Hands appends over together, and awaits the answer of each.
    #[track_caller]
    pub fn together(&self, store: &dyn EventStore, appends: Vec<Append>) -> Vec<Answer> {
        let mut heard: Vec<Option<Answer>> = appends.iter().map(|_| None).collect();
        let mut answers = store.append_each(&mut appends.into_iter());
        let told = future::wait(poll_fn(|context| {
            answers.poll_answers(context, &mut |place, answer| match heard.get_mut(place) {
                Some(unheard @ None) => *unheard = Some(answer.into()),
                _ => self.fail(format_args!("append {place} of them was answered twice, or is none")),
            })
        }));
        if told.is_none() {
            self.fail("appends that were handed over together were not all answered in time");
        }
        let missing = || self.fail("all were said to be answered, and one was not");
        heard.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }

    /// Awaits an append in flight.
    #[track_caller]
    pub fn awaited(&self, append: AppendFuture) -> Answer {
        match future::wait(append) {
            Some(result) => result.into(),
            None => self.fail("an append in flight was not answered in time"),
        }
    }
}

fn shown(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.chars().nth(SHOWN_MAX).is_none() {
        return text;
    }
    let start: String = text.chars().take(SHOWN_MAX).collect();
    format!("{start}... ({} bytes in all)", text.len())
}
