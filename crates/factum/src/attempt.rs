//! One command on its way, the same for both forms of waiting.
//!
//! ```text
//!   read ──▶ decide ──▶ append ──▶ settle ──▶ receipt, a snapshot that is due
//!    ▲ │        │                    │
//!    │ └────────│─▶ done before      │
//!    └──────────┴────────────────────┘   decided on what is old
//! ```
//!
//! `decide` and `settle` compute. All that reads the log is in steps of its own,
//! which the async form takes on a thread meant for blocking.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use factum_core::{Append, AppendError, Appended, Until};

use crate::appending::is_conflict;
use crate::decide::{DecideError, Deciding};
use crate::draft::Draft;
use crate::emitted::{Emitted, IntoEvents};
use crate::fold::Folded;
use crate::idempotency::CommandDone;
use crate::receipt::Receipt;
use crate::snapshot::Due;
use crate::store::StoreError;
use crate::warm::Slot;
use crate::{Model, Moment};

/// A command on its way, the same for both forms of waiting.
pub struct Attempt<M, F, R> {
    pub deciding: Deciding<M, F, R>,
    /// Where the state is kept for the next decision; found when it begins.
    slot: Option<Arc<Slot<M>>>,
    state: Option<Arc<Folded<M>>>,
    /// Whether the state was read for this command.
    is_fresh: bool,
    /// Whether the state was refused, or is too old to answer on.
    is_old: bool,
    attempts: u32,
    draft: Option<Draft>,
    rejection: Option<R>,
    /// A snapshot of what it came to.
    due: Due<M>,
}

const BEGUN: &str = "it begins before anything else";

#[derive(Clone, Copy)]
pub enum Step {
    /// It came to nothing.
    Nothing,
    /// The state has to be read before this can be answered.
    Read,
    /// There is something to [append](Attempt::append).
    Append,
    /// It was rejected; what is to be recorded of that is appended before it is
    /// answered.
    Reject,
}

pub enum Settled {
    Done(Receipt),
    Again(Duration),
    GiveUp,
}

impl<M, F, I, R> Attempt<M, F, R>
where
    M: Model,
    F: FnMut(&M) -> Result<I, R>,
    I: IntoEvents,
{
    pub fn new(deciding: Deciding<M, F, R>) -> Self {
        Self {
            deciding,
            slot: None,
            state: None,
            is_fresh: false,
            is_old: false,
            attempts: 0,
            draft: None,
            rejection: None,
            due: Due::default(),
        }
    }

    /// Takes the state as it was left by the last decision, if it is there.
    pub fn begin(&mut self) -> Result<(), StoreError> {
        let slot = self.deciding.store.warm_of(&self.deciding.model)?;
        self.state = slot.state.lock().clone();
        self.slot = Some(slot);
        Ok(())
    }

    pub fn needs_reading(&self) -> bool {
        self.is_old || self.state.as_ref().is_none_or(|state| state.is_behind)
    }

    /// Folds what is missing. An error if a command with this key was carried out
    /// before: looked at after the fold, which may show what that came to.
    pub fn read(&mut self) -> Result<(), DecideError<R>> {
        let (store, slot) = (&self.deciding.store, self.slot.as_deref().expect(BEGUN));
        let boundary = &slot.boundary;
        let state = match self.state.take() {
            Some(warm) => {
                let mut state = Arc::unwrap_or_clone(warm);
                state.advance_within(&**store.events(), boundary, Until::Edge, store.patience())?;
                store.snapshot_if_due(boundary, None, &mut state).take(store);
                state
            }
            None => store.fold(self.deciding.model.clone(), boundary, Moment::Now)?,
        };
        let state = Arc::new(state);
        *slot.state.lock() = Some(state.clone());
        self.state = Some(state);
        (self.is_fresh, self.is_old) = (true, false);
        self.check_key()
    }

    fn check_key(&self) -> Result<(), DecideError<R>> {
        let Some(key) = self.deciding.terms.key() else { return Ok(()) };
        match CommandDone::find(&self.deciding.store, key)? {
            Some(receipt) => Err(DecideError::AlreadyDone(receipt)),
            None => Ok(()),
        }
    }

    pub fn decide(&mut self) -> Result<Step, DecideError<R>> {
        let state = self.state.as_deref().expect("it was read before");
        let (deciding, slot) = (&mut self.deciding, self.slot.as_deref().expect(BEGUN));
        let boundary = &slot.boundary;
        let emitted = match (deciding.decide)(&state.model) {
            Ok(events) => Emitted::of(events),
            Err(rejection) if self.is_fresh => {
                let record = deciding.terms.on_rejection();
                if let Some(emitted) = record.map(|record| record(&state.model, &rejection)) {
                    let draft = self.draft.insert(Draft::default());
                    draft.emit(&deciding.store, emitted, boundary, deciding.terms.context())?;
                }
                self.rejection = Some(rejection);
                return Ok(Step::Reject);
            }
            Err(_) => Emitted::default(),
        };
        if emitted.is_empty() {
            // No guard would notice if the state is old.
            self.is_old = !self.is_fresh;
            return Ok(if self.is_fresh { Step::Nothing } else { Step::Read });
        }
        let draft = self.draft.insert(Draft::default());
        draft.emit(&deciding.store, emitted, boundary, deciding.terms.context())?;
        draft.guard(boundary, state, deciding.terms.key(), &deciding.store);
        Ok(Step::Append)
    }

    /// What is to be handed over.
    pub fn append(&self) -> Option<&Append> {
        self.draft.as_ref().map(|draft| &draft.append)
    }

    /// Why it was rejected.
    pub fn rejected(&mut self) -> DecideError<R> {
        DecideError::Rejected(self.rejection.take().expect("it was rejected before"))
    }

    /// What nothing to do is answered with. May ask the store.
    pub fn nothing(&mut self) -> Receipt {
        Receipt {
            positions: None,
            revision: self.state.as_ref().and_then(|state| state.revision()),
            correlation_id: None,
            durability: self.deciding.store.durability(),
            attempts: self.attempts + 1,
            outside_boundary: Vec::new(),
        }
    }

    /// Takes the answer to what was handed over.
    pub fn settle(&mut self, answer: Result<Appended, AppendError>) -> Result<Settled, DecideError<R>> {
        match answer {
            Ok(appended) => {
                self.attempts += 1;
                // It is recorded, whatever the model's code does with it: a panic
                // would have the caller do it once more. It costs the warm state.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    self.keep_what_was_appended(&appended);
                }));
                let draft = self.draft.as_mut().expect("an answer follows a draft");
                let mut receipt = Receipt::of(appended, draft.correlation_id, self.attempts);
                if self.deciding.terms.key().is_some() {
                    receipt.leave_out_last();
                }
                receipt.outside_boundary = std::mem::take(&mut draft.outside_boundary);
                Ok(Settled::Done(receipt))
            }
            Err(error) if is_conflict(&error) => {
                self.draft = None;
                self.is_old = true;
                if !std::mem::take(&mut self.is_fresh) {
                    // Warm from an earlier command, and out of date: nobody was
                    // faster than this one, so it is no attempt.
                    return Ok(Settled::Again(Duration::ZERO));
                }
                self.attempts += 1;
                let pause = self.deciding.terms.retry().pause_after(self.attempts);
                Ok(pause.map_or(Settled::GiveUp, Settled::Again))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The answer, once what is still to be done is done. Takes the snapshot that
    /// is due, and asks why others were faster.
    pub fn end(&mut self, settled: Settled) -> Result<Receipt, DecideError<R>> {
        match settled {
            Settled::Done(receipt) => {
                let due = std::mem::take(&mut self.due);
                // What is recorded stays so if that panics.
                let _ = catch_unwind(AssertUnwindSafe(|| due.take(&self.deciding.store)));
                Ok(receipt)
            }
            // Others were faster, or this very command was.
            Settled::Again(_) | Settled::GiveUp => {
                self.check_key()?;
                Err(DecideError::Conflict { attempts: self.attempts })
            }
        }
    }

    pub fn has_due(&self) -> bool {
        self.due.is_wanted()
    }

    /// The state with the new events folded in is what the next decision
    /// begins with. The guards held, so nothing it reads came in between,
    /// unless the boundary lets some events commute: then it is read first.
    fn keep_what_was_appended(&mut self, appended: &Appended) {
        let (Some(mut state), Some(draft)) = (self.state.take(), &mut self.draft) else { return };
        if appended.repeated {
            return;
        }
        let Slot { boundary, state: slot } = self.slot.as_deref().expect(BEGUN);
        let mut slot = slot.lock();
        // Usually nobody else holds it: then it is changed, not copied.
        if slot.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &state)) {
            *slot = None;
        }
        let is_newest = slot.as_ref().is_none_or(|kept| kept.last < appended.last_position());
        if !is_newest {
            return;
        }
        let folded = Arc::make_mut(&mut state);
        if boundary.lets_some_commute() {
            folded.is_behind = true;
            *slot = Some(state);
            return;
        }
        let store = &self.deciding.store;
        let before = store.watches_transitions::<M>().then(|| folded.model.clone());
        if folded.fold_appended(boundary, draft, appended).is_ok() {
            self.due = store.snapshot_if_due(boundary, before.as_ref(), folded);
            *slot = Some(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[derive(crate::Id, Clone, Debug)]
    struct JarId(u8);
    #[derive(crate::Event, Clone, Debug)]
    enum Jar {
        Filled {
            #[id]
            id: JarId,
        },
    }
    #[derive(crate::Aggregate, Clone, Debug)]
    #[folds(Jar)]
    struct Full {
        #[key]
        id: JarId,
    }
    impl crate::Evolve<Jar> for Full {
        fn evolve(&mut self, _: &Jar) {}
    }

    #[test]
    fn what_is_handed_over_has_the_names_of_the_warm_state() {
        let store = Store::memory();
        let fill = |full: &Full| Ok::<_, ()>(Jar::Filled { id: full.id.clone() });
        store.decide(Full::of(1), fill).run().unwrap();
        let mut attempt = Attempt::new(store.decide(Full::of(1), fill));
        attempt.begin().unwrap();
        assert!(!attempt.needs_reading());
        attempt.decide().unwrap();
        let boundary = &store.warm_of(&Full::of(1)).unwrap().boundary;
        let write = &attempt.append().unwrap().writes[0];
        assert!(std::ptr::eq(write.stream.as_str(), boundary.one_stream().unwrap().as_str()));
        let tags = write.events[0].tags.as_stored();
        assert!(std::ptr::eq(&tags[..], &boundary.parts[0].id_tag.as_stored()[..]));
    }
}
