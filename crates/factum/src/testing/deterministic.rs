//! Whether a fold is one: the same events always come to the same state.
//!
//! ```text
//!   cold     ├──────────────────────────────▶
//!   again    ├──────────────────────────────▶
//!   warm     ├───────────▶├─────────────────▶   stopped after every event in turn
//!   batches  ├──────▶├──────▶├──────▶├──────▶   of 1, 2, 3, ... events
//! ```

use std::fmt::Debug;

use factum_core::{Position, Until};

use super::given::{Given, given};
use super::report::{self, Report};
use crate::emitted::IntoEvents;
use crate::fold::Folded;
use crate::{Boundary, Model};

/// Stopping after every event of a long history would take time squared.
const STOPS_MAX: u64 = 128;

/// Folds `events` into `model` in every way there is, and fails unless all come
/// to the same state: twice from nothing, on from every warm state, and in
/// batches of every size.
///
/// What it finds is an `Evolve` that looks at something besides the state and
/// the event: a clock, chance, a counter outside.
#[track_caller]
pub fn fold_is_deterministic<M: Model + PartialEq + Debug>(model: M, events: impl IntoEvents) {
    given(events).then_fold_is_deterministic(model);
}

impl Given {
    /// [`fold_is_deterministic`] over this history.
    #[track_caller]
    pub fn then_fold_is_deterministic<M: Model + PartialEq + Debug>(self, model: M) -> Self {
        let end = self.end();
        let folding = Folding { given: &self, model: &model, end };
        let cold = folding.stopping_at([]);
        folding.expect("folded again", &cold, folding.stopping_at([]));
        let every = end.div_ceil(STOPS_MAX).max(1);
        for stop in (0..end).step_by(usize::try_from(every).unwrap_or(usize::MAX)) {
            folding.expect(&format!("stopped after position {stop}"), &cold, folding.stopping_at([stop]));
        }
        for batch in (1..=end).step_by(usize::try_from(every).unwrap_or(usize::MAX)) {
            let stops = (0..end).filter(|position| (position + 1) % batch == 0);
            folding.expect(&format!("in batches of {batch}"), &cold, folding.stopping_at(stops));
        }
        self
    }
}

struct Folding<'a, M> {
    given: &'a Given,
    model: &'a M,
    end: u64,
}

impl<M: Model + PartialEq + Debug> Folding<'_, M> {
    /// The state at the end, reached with a pause after each of these positions.
    #[track_caller]
    fn stopping_at(&self, stops: impl IntoIterator<Item = u64>) -> M {
        let boundary: Boundary = match self.model.boundary() {
            Ok(boundary) => boundary,
            Err(error) => panic!("{}", report::chain("the model does not say what it reads", &error)),
        };
        let mut folded = Folded::new(self.model.clone());
        let stops = stops.into_iter().map(|stop| Until::Position(Position::new(stop)));
        for until in stops.chain([Until::Edge]) {
            if let Err(error) = folded.advance(&**self.given.store().events(), &boundary, until) {
                panic!("{}", report::chain("the model cannot be folded", &error));
            }
        }
        folded.model
    }

    #[track_caller]
    fn expect(&self, how: &str, cold: &M, state: M) {
        if *cold != state {
            let mut report = Report::about("the same events came to another state");
            report.seeded(&self.given.seeded(self.end), self.model);
            report.lines("folded once", &[format!("{cold:#?}")]);
            report.lines(how, &[format!("{state:#?}")]);
            report.note(
                "`evolve` may look at nothing but the state and the event: no clock, no chance, no input",
            );
            panic!("{report}");
        }
    }
}
