//! What a decision came to, and what was expected of it.

use std::fmt::Debug;

use factum_core::RecordedEvent;

use super::fact::Fact;
use super::given::{Given, emitted, facts, refused};
use super::report::{self, Report};
use super::view;
use crate::emitted::{Emitted, IntoEvents};
use crate::{Model, Projection, Store};

/// What a decision came to. Expectations can be chained.
#[must_use = "nothing is expected yet: call `then`, `then_rejected`, `then_nothing` or `then_view`"]
pub struct Outcome<M, R> {
    given: Given,
    /// How many events there were before the decision.
    seeded: u64,
    model: M,
    answer: Result<Vec<RecordedEvent>, R>,
}

impl<M, R> Outcome<M, R> {
    pub(super) fn new(given: Given, seeded: u64, model: M, answer: Result<Vec<RecordedEvent>, R>) -> Self {
        Self { given, seeded, model, answer }
    }

    /// The events it recorded, with everything that surrounds them; none if it
    /// was rejected.
    pub fn recorded(&self) -> &[RecordedEvent] {
        self.answer.as_deref().unwrap_or_default()
    }

    /// The store it is all in.
    pub fn store(&self) -> &Store {
        self.given.store()
    }
}

impl<M: Model, R: Debug> Outcome<M, R> {
    /// It recorded exactly these events, in this order.
    #[track_caller]
    pub fn then(self, events: impl IntoEvents) -> Expected<M, R> {
        let expected = Emitted::of(events);
        if let Some(error) = refused(&expected) {
            panic!("{}", report::chain("an expected event cannot be stored", &error));
        }
        self.expect_events(&emitted(&expected))
    }

    /// It recorded nothing, and was not rejected either.
    #[track_caller]
    pub fn then_nothing(self) -> Expected<M, R> {
        self.expect_events(&[])
    }

    /// It was rejected, for this reason.
    #[track_caller]
    pub fn then_rejected(self, reason: R) -> Expected<M, R>
    where
        R: PartialEq,
    {
        self.then_rejected_as(&format!("{reason:?}"), |actual| *actual == reason)
    }

    /// It was rejected, for a reason that this says is right.
    #[track_caller]
    pub fn then_rejected_if(self, is_right: impl FnOnce(&R) -> bool) -> Expected<M, R> {
        self.then_rejected_as("for which the closure says true", is_right)
    }

    /// The rows of a projection after it, in any order, whatever it came to. See
    /// [`Given::then_view`].
    #[track_caller]
    pub fn then_view<P: Projection<Row: Debug + PartialEq>>(
        self,
        projection: P,
        rows: impl IntoIterator<Item = P::Row>,
    ) -> Expected<M, R> {
        let actual = view::rows_now(self.store(), &projection);
        view::expect::<P>(rows, actual, |title| {
            let mut report = self.given.projected::<P>(&title, self.seeded, self.recorded());
            if let Err(rejection) = &self.answer {
                report.lines("the decision was rejected", &[format!("{rejection:?}")]);
            }
            report
        });
        Expected(self)
    }

    #[track_caller]
    fn then_rejected_as(self, expected: &str, is_right: impl FnOnce(&R) -> bool) -> Expected<M, R> {
        let title = match &self.answer {
            Err(actual) if is_right(actual) => return Expected(self),
            Err(_) => "the decision was rejected for another reason than expected",
            Ok(events) if events.is_empty() => {
                "a rejection was expected, and the decision came to nothing without one"
            }
            Ok(_) => "a rejection was expected, and the decision was made",
        };
        let mut report = self.report(title);
        report.lines("expected, a rejection", &[expected.to_owned()]);
        self.actual(&mut report);
        panic!("{report}");
    }

    #[track_caller]
    fn expect_events(self, expected: &[Fact]) -> Expected<M, R> {
        let title = match (&self.answer, expected) {
            (Ok(actual), _) if report::is_same(expected, &facts(actual)) => return Expected(self),
            (Err(_), []) => "nothing was expected, and the decision was rejected",
            (Err(_), _) => "events were expected, and the decision was rejected",
            (Ok(actual), _) if actual.is_empty() => "events were expected, and the decision came to nothing",
            (Ok(_), []) => "nothing was expected, and the decision came to events",
            (Ok(_), _) => "the decision came to other events than expected",
        };
        let mut report = self.report(title);
        match &self.answer {
            Ok(actual) => report.compared(expected, &facts(actual)),
            Err(_) => {
                report.events("expected", expected);
                self.actual(&mut report);
            }
        }
        panic!("{report}");
    }

    fn report(&self, title: &str) -> Report {
        let mut report = Report::about(title);
        report.seeded(&self.given.seeded(self.seeded), &self.model);
        report
    }

    fn actual(&self, report: &mut Report) {
        match &self.answer {
            Ok(events) => report.events("actual", &facts(events)),
            Err(rejection) => report.lines("actual, a rejection", &[format!("{rejection:?}")]),
        }
    }
}

/// An outcome that is as expected so far.
pub struct Expected<M, R>(Outcome<M, R>);

impl<M: Model, R> Expected<M, R> {
    /// What the model is after it.
    #[track_caller]
    pub fn then_state(self, look: impl FnOnce(&M)) -> Self {
        look(&self.state());
        self
    }

    /// The model is this after it.
    #[track_caller]
    pub fn then_state_is(self, expected: M) -> Self
    where
        M: PartialEq + Debug,
    {
        let actual = self.state();
        if actual != expected {
            let mut report = Report::about("the state after the decision is not what was expected");
            report.seeded(&self.0.given.seeded(self.0.given.end()), &self.0.model);
            report.lines("expected", &[format!("{expected:#?}")]);
            report.lines("actual", &[format!("{actual:#?}")]);
            panic!("{report}");
        }
        self
    }

    /// What another model is after it.
    #[track_caller]
    pub fn then_model<O: Model>(self, model: O, look: impl FnOnce(&O)) -> Self {
        self.0.given.clone().then_model(model, look);
        self
    }

    /// The rows of a projection after it, in any order. See [`Given::then_view`].
    #[track_caller]
    pub fn then_view<P: Projection<Row: Debug + PartialEq>>(
        self,
        projection: P,
        rows: impl IntoIterator<Item = P::Row>,
    ) -> Self
    where
        R: Debug,
    {
        self.0.then_view(projection, rows)
    }

    /// The events it recorded, with ids, times and metadata.
    pub fn recorded(&self) -> &[RecordedEvent] {
        self.0.recorded()
    }

    /// The store it is all in, for what has no word here.
    pub fn store(&self) -> &Store {
        self.0.store()
    }

    /// The story goes on: what happened next is given to the next decision.
    #[must_use = "nothing is tested until `when` or `then_model`"]
    #[track_caller]
    pub fn and(self, events: impl IntoEvents) -> Given {
        self.0.given.and(events)
    }

    #[track_caller]
    fn state(&self) -> M {
        match self.store().load(self.0.model.clone()).run() {
            Ok(loaded) => loaded.model,
            Err(error) => panic!("{}", report::chain("the model cannot be folded", &error)),
        }
    }
}
