//! What came before, and the decision to be tried.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{
    Append, ExpectedRevision, ManualClock, NewEvent, Position, Read, RecordedEvent, StreamName,
};
use smallvec::smallvec;

use super::fact::Fact;
use super::outcome::Outcome;
use super::report::{self, Report};
use super::view;
use super::world::{self, TestTime};
use crate::command::{ACTOR, Context};
use crate::emitted::{Emitted, IntoEvents};
use crate::event::EncodeError;
use crate::{Boundary, Decide, DecideError, Model, Moment, Projection, Store};

/// A history to decide on: events, several of them, or `()` for none.
///
/// Events of several enums come in a tuple, or by [`Given::and`].
#[must_use = "nothing is tested until `when` or `then_model`"]
#[track_caller]
pub fn given(events: impl IntoEvents) -> Given {
    Given::nothing().and(events)
}

/// What came before, in a world of its own.
#[derive(Clone)]
pub struct Given {
    store: Store,
    clock: Arc<ManualClock>,
    context: Context,
    may_emit_elsewhere: bool,
}

impl Given {
    pub(super) fn nothing() -> Self {
        let (store, clock) = world::store();
        Self { store, clock, context: Context::default(), may_emit_elsewhere: false }
    }

    /// Also these events, each recorded by itself, in order.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    #[track_caller]
    pub fn and(self, events: impl IntoEvents) -> Self {
        let emitted = Emitted::of(events);
        if let Some(error) = refused(&emitted) {
            panic!("{}", report::chain("a given event cannot be stored", &error));
        }
        for event in emitted.events {
            let one = Emitted { events: smallvec![event] };
            if let Err(error) = self.store.record(one).context(self.context.clone()).run() {
                panic!("{}", report::chain("a given event cannot be recorded", &error));
            }
        }
        self
    }

    /// An event as it once was stored, for what no code of today would write.
    #[track_caller]
    pub(super) fn and_stored(self, stream: StreamName, event: NewEvent) -> Self {
        let append = Append::to(stream, ExpectedRevision::Any, [event]);
        if let Err(error) = self.store.events().append(append) {
            panic!("{}", report::chain("an event of the history cannot be recorded", &error));
        }
        self
    }

    /// The time from here on: a `Timestamp`, or a text as
    /// `"2026-03-01T10:00:00Z"`. It was [`BEGINNING`](super::BEGINNING) before.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    #[track_caller]
    pub fn at(self, time: impl TestTime) -> Self {
        self.clock.set(time.time());
        self
    }

    /// So much later.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    pub fn later(self, by: Duration) -> Self {
        self.clock.advance(i64::try_from(by.as_micros()).unwrap_or(i64::MAX));
        self
    }

    /// Who acts from here on; kept as metadata `actor`.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    pub fn by(mut self, actor: impl Into<String>) -> Self {
        self.context.metadata.insert(ACTOR.to_owned(), actor.into().into());
        self
    }

    /// Lets decisions emit events that their own boundary does not read, which
    /// otherwise fails the test. Right where an event is for others only, such
    /// as a notice that no later decision of this kind rests on.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    pub fn may_emit_elsewhere(self) -> Self {
        Self { may_emit_elsewhere: true, ..self }
    }

    /// The store it is all in, for what has no word here: views, reading,
    /// several commands.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock of that store.
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// Decides, as [`Store::decide`] does.
    #[track_caller]
    pub fn when<M, F, I, R>(self, model: M, mut decide: F) -> Outcome<M, R>
    where
        M: Model,
        F: FnMut(&M) -> Result<I, R>,
        I: IntoEvents,
        R: Debug,
    {
        let answer = self.decided(&model, &mut decide);
        self.outcome(model, answer)
    }

    /// [`Given::when`] by the model's own [`Decide`].
    #[track_caller]
    pub fn when_command<M, C>(self, model: M, command: C) -> Outcome<M, M::Rejection>
    where
        M: Decide<C, Rejection: Debug>,
        C: Clone,
    {
        self.when(model, |model: &M| model.decide(command.clone()).map(Emitted::of))
    }

    /// [`Given::when`] of a command that is delivered twice: the second time
    /// nothing more may be recorded. It may be rejected then, or come to nothing.
    #[track_caller]
    pub fn when_delivered_twice<M, F, I, R>(self, model: M, mut decide: F) -> Outcome<M, R>
    where
        M: Model,
        F: FnMut(&M) -> Result<I, R>,
        I: IntoEvents,
        R: Debug,
    {
        let first = self.decided(&model, &mut decide);
        let given = self.end();
        if let Ok(again) = self.decided(&model, &mut decide)
            && !again.is_empty()
        {
            let mut report = Report::about("the command was delivered twice and took effect twice");
            report.seeded(&self.seeded(given), &model);
            report.events("recorded again the second time", &facts(&again));
            report.note(
                "let the decision see by its state that it was carried out, or give the command an idempotency key",
            );
            panic!("{report}");
        }
        self.outcome(model, first)
    }

    /// What `model` is after all this.
    #[track_caller]
    pub fn then_model<M: Model>(self, model: M, look: impl FnOnce(&M)) -> Self {
        self.as_of(Moment::Now).then_model(model, look)
    }

    /// What the rows of a projection are after all this, in any order. It is also
    /// replayed in every way it may be interrupted, as by
    /// [`check::replay`](crate::view::check::replay).
    #[track_caller]
    pub fn then_view<P: Projection<Row: Debug + PartialEq>>(
        self,
        projection: P,
        rows: impl IntoIterator<Item = P::Row>,
    ) -> Self {
        let actual = view::rows_now(&self.store, &projection);
        view::expect::<P>(rows, actual, |title| self.projected::<P>(&title, self.end(), &[]));
        self
    }

    /// What was there, what a decision added, and what of it a projection reads.
    pub(super) fn projected<P: Projection>(
        &self,
        title: &str,
        seeded: u64,
        added: &[RecordedEvent],
    ) -> Report {
        let mut report = Report::about(title);
        let mut events = self.seeded(seeded);
        report.numbered("given", 0, &events);
        let added = facts(added);
        if !added.is_empty() {
            report.numbered("recorded by the decision", events.len(), &added);
            events.extend(added);
        }
        view::not_read::<P>(&mut report, &events);
        report
    }

    /// For models as they were at a position, a revision or a time.
    pub fn as_of(self, moment: impl Into<Moment>) -> Past {
        Past { given: self, moment: moment.into() }
    }

    /// How many events there are.
    pub(super) fn end(&self) -> u64 {
        match self.store.events().last_position() {
            Ok(last) => last.map_or(0, |last| last.get() + 1),
            Err(error) => panic!("{}", report::chain("the store in memory cannot be read", &error)),
        }
    }

    /// The first so many events.
    pub(super) fn seeded(&self, count: u64) -> Vec<Fact> {
        facts(&self.recorded(0, count))
    }

    fn recorded(&self, from: u64, count: u64) -> Vec<RecordedEvent> {
        let from = factum_core::Start::Position(Position::new(from));
        let events = self.store.events().read(Read::all().from(from).limit(count));
        match events.and_then(Iterator::collect) {
            Ok(events) => events,
            Err(error) => panic!("{}", report::chain("the store in memory cannot be read", &error)),
        }
    }

    #[track_caller]
    fn outcome<M, R>(self, model: M, answer: Result<Vec<RecordedEvent>, R>) -> Outcome<M, R> {
        let recorded = answer.as_ref().map_or(0, |events| events.len() as u64);
        let given = self.end() - recorded;
        Outcome::new(self, given, model, answer)
    }

    /// What the decision came to, held against the rules of every decision.
    #[track_caller]
    fn decided<M, F, I, R>(&self, model: &M, decide: &mut F) -> Result<Vec<RecordedEvent>, R>
    where
        M: Model,
        F: FnMut(&M) -> Result<I, R>,
        I: IntoEvents,
        R: Debug,
    {
        let before = self.end();
        let unlike = RefCell::new(None);
        let asked_twice = |state: &M| {
            let first = decide(state).map(Emitted::of);
            let second = decide(state).map(Emitted::of);
            let same = match (&first, &second) {
                (Ok(first), Ok(second)) => report::is_same(&emitted(first), &emitted(second)),
                (Err(first), Err(second)) => format!("{first:?}") == format!("{second:?}"),
                _ => false,
            };
            if !same {
                *unlike.borrow_mut() = Some((answer_text(&first), answer_text(&second)));
            }
            first
        };
        let deciding = self.store.decide(model.clone(), asked_twice).context(self.context.clone());
        let answer = deciding.run();
        if let Some((first, second)) = unlike.into_inner() {
            let mut report = Report::about("the decision gave another answer when it was asked again");
            report.seeded(&self.seeded(before), model);
            report.lines("first answer", &first);
            report.lines("second answer", &second);
            report.note(
                "a decision is asked again after a conflict: it must be pure. Take times, ids and chance as part of the command",
            );
            panic!("{report}");
        }
        match answer {
            Ok(receipt) => {
                let recorded = self.recorded(before, receipt.events());
                if !receipt.outside_boundary.is_empty() && !self.may_emit_elsewhere {
                    let seeded = self.seeded(before);
                    panic!("{}", report::outside_boundary(&seeded, model, &facts(&recorded)));
                }
                Ok(recorded)
            }
            Err(DecideError::Rejected(rejection)) => Err(rejection),
            Err(DecideError::Store(error)) => {
                panic!("{}", report::chain("the decision could not be carried out", &error))
            }
            // Neither has a cause here: nobody else writes, and there is no key.
            Err(DecideError::Conflict { .. } | DecideError::AlreadyDone(_)) => {
                unreachable!("a test has one writer and no idempotency key")
            }
        }
    }
}

/// A moment of the past to look at.
#[must_use = "nothing is looked at until `then_model` or `then_view`"]
pub struct Past {
    given: Given,
    moment: Moment,
}

impl Past {
    /// What `model` was at that moment.
    #[track_caller]
    pub fn then_model<M: Model>(self, model: M, look: impl FnOnce(&M)) -> Given {
        match self.given.store.load(model).as_of(self.moment).run() {
            Ok(loaded) => look(&loaded.model),
            Err(error) => panic!("{}", report::chain("the model cannot be folded", &error)),
        }
        self.given
    }

    /// What the rows of a projection were at that moment, in any order.
    #[track_caller]
    pub fn then_view<P: Projection<Row: Debug + PartialEq>>(
        self,
        projection: P,
        rows: impl IntoIterator<Item = P::Row>,
    ) -> Given {
        let Self { given, moment } = self;
        let actual = view::rows_as_of(&given.store, projection, moment);
        view::expect::<P>(rows, actual, |title| {
            given.projected::<P>(&format!("{title} at that moment"), given.end(), &[])
        });
        given
    }
}

pub(super) fn facts(events: &[RecordedEvent]) -> Vec<Fact> {
    events.iter().map(Fact::from).collect()
}

pub(super) fn emitted(emitted: &Emitted) -> Vec<Fact> {
    let nothing = Boundary::default();
    let made = emitted.each_made(&nothing).filter_map(Result::ok);
    made.map(|made| Fact::from(&made.encoded)).collect()
}

/// Why one of them cannot be stored.
pub(super) fn refused(emitted: &Emitted) -> Option<EncodeError> {
    emitted.each_made(&Boundary::default()).find_map(Result::err)
}

fn answer_text<R: Debug>(answer: &Result<Emitted, R>) -> Vec<String> {
    match answer {
        Ok(events) => emitted(events).iter().map(ToString::to_string).collect(),
        Err(rejection) => vec![format!("rejected: {rejection:?}")],
    }
}
