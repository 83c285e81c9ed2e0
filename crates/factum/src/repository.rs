//! Repositories: find, raise, save; for whoever thinks in objects.
//!
//! ```text
//!   find ──▶ root ──▶ raise ──▶ raise ──▶ save ──▶ receipt
//!            at revision 4      applied, not yet   expects revision 4:
//!                               recorded           otherwise a conflict
//! ```
//!
//! [`Store::decide`] does the same in one call and decides again after a
//! conflict. Here the decision lies in code that has run already, so a conflict
//! is an error: find the root again, and do again what was done to it.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use factum_core::{AppendError, Appended, Durability, NewEvent, Revision, Until};

use crate::appending::is_conflict;
use crate::boundary::Boundary;
use crate::command::Context;
use crate::draft::{self, Draft, unplaced};
use crate::emitted::{Emitted, IntoEvents, Made};
use crate::event::Encoded;
use crate::fold::{self, Folded};
use crate::receipt::Receipt;
use crate::store::{Store, StoreError};
use crate::{Model, Moment};

/// The roots of one kind of model in a store.
pub struct Repository<M> {
    store: Store,
    _model: PhantomData<fn() -> M>,
}

/// A model and the events that were raised on it and are not saved yet.
#[derive(Debug, Clone)]
pub struct Root<M> {
    folded: Folded<M>,
    boundary: Boundary,
    /// Before anything was raised, once something was.
    found: Option<M>,
    uncommitted: Vec<Made>,
    error: Option<StoreError>,
}

/// Why a root was not saved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SaveError {
    /// What was found is not what is there now.
    #[error("somebody else was faster: find it again, and do again what was done to it")]
    Conflict,
    /// The store failed, or an event could not be applied or written.
    #[error(transparent)]
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for SaveError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Find, raise, save.
    ///
    /// ```
    /// # use factum::prelude::*;
    /// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
    /// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Opened { #[id] id: CartId } }
    /// # #[derive(Aggregate, Clone, Debug)] #[folds(Cart)] struct Open { #[key] id: CartId, is_open: bool }
    /// # impl Evolve<Cart> for Open { fn evolve(&mut self, _: &Cart) { self.is_open = true; } }
    /// let store = Store::memory();
    /// let carts = store.repository::<Open>();
    /// assert!(carts.find(Open::of("c1")).run()?.is_none());
    ///
    /// let mut cart = carts.begin(Open::of("c1"))?;
    /// cart.raise(Cart::Opened { id: "c1".into() });
    /// assert!(cart.state().is_open);
    /// carts.save(cart).run()?;
    /// assert!(carts.find(Open::of("c1")).run()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repository<M: Model>(&self) -> Repository<M> {
        Repository { store: self.clone(), _model: PhantomData }
    }
}

impl<M: Model> Repository<M> {
    /// A root to which something has happened; `None` if nothing ever did.
    pub fn find(&self, model: M) -> Finding<M> {
        Finding { store: self.store.clone(), model }
    }

    /// A root to which nothing has happened. Saving it is a conflict if
    /// something has.
    pub fn begin(&self, model: M) -> Result<Root<M>, StoreError> {
        let boundary = model.boundary()?;
        Ok(Root::new(Folded::new(model), boundary))
    }

    /// Records what was raised, if the root still is what was found.
    pub fn save(&self, root: Root<M>) -> Saving<M> {
        Saving { store: self.store.clone(), root, context: Context::default() }
    }
}

impl<M: Model> Root<M> {
    fn new(folded: Folded<M>, boundary: Boundary) -> Self {
        Self { folded, boundary, found: None, uncommitted: Vec::new(), error: None }
    }

    /// The state, with everything raised so far.
    pub fn state(&self) -> &M {
        &self.folded.model
    }

    /// The revision it was found at, which saving expects; `None` if it is new,
    /// or a model of several streams.
    pub fn revision(&self) -> Option<Revision> {
        self.folded.revision()
    }

    /// What was raised and is not saved, in the order in which it will be
    /// recorded: the events of a stream stand together.
    pub fn uncommitted(&self) -> impl ExactSizeIterator<Item = &Encoded> {
        self.uncommitted.iter().map(|made| &made.encoded)
    }

    /// Applies events and keeps them to be saved. One that cannot be stored or
    /// applied is told of when it is saved.
    pub fn raise(&mut self, events: impl IntoEvents) {
        let raised = self.uncommitted.len();
        for made in Emitted::of(events).each_made(&self.boundary) {
            match made {
                Ok(made) => self.uncommitted.push(made),
                Err(error) => {
                    self.error.get_or_insert(error.into());
                }
            }
        }
        let found = self.found.get_or_insert_with(|| self.folded.model.clone());
        let mut first = raised;
        if !is_in_order(&self.uncommitted, raised) {
            // They will not stand behind what was raised before: all of it once
            // more, in the order of the log.
            draft::by_stream(&mut self.uncommitted);
            self.folded.model = found.clone();
            first = 0;
        }
        for event in first..self.uncommitted.len() {
            if let Err(error) = self.apply(event) {
                self.error.get_or_insert(error);
            }
        }
    }

    /// What saving comes to if nothing was raised.
    fn unchanged(&self) -> Option<Receipt> {
        let is_unchanged = self.uncommitted.is_empty() && self.error.is_none();
        is_unchanged.then(|| Receipt {
            positions: None,
            revision: self.revision(),
            correlation_id: None,
            durability: Durability::Memory,
            attempts: 1,
            outside_boundary: Vec::new(),
        })
    }

    fn apply(&mut self, event: usize) -> Result<(), StoreError> {
        let Made { encoded: event, read_back, .. } = &self.uncommitted[event];
        let new = NewEvent {
            schema_version: event.schema_version,
            content_type: event.content_type.clone(),
            tags: event.tags.clone(),
            ..NewEvent::new(event.event_type.clone(), event.data.clone())
        };
        let recorded = unplaced(new, event.stream.clone());
        for (at, part) in self.boundary.parts.iter().enumerate() {
            if part.reads(&event.stream, &event.event_type, &event.tags) {
                fold::apply(&mut self.folded.model, at, &recorded, read_back)?;
            }
        }
        Ok(())
    }
}

/// Whether the events from there on go on with the last stream, or with new ones.
fn is_in_order(events: &[Made], from: usize) -> bool {
    (from.max(1)..events.len()).all(|at| {
        let goes_on = |before: &Made| before.encoded.stream == events[at].encoded.stream;
        goes_on(&events[at - 1]) || !events[..at - 1].iter().any(goes_on)
    })
}

/// A root to be found: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Finding<M> {
    store: Store,
    model: M,
}

impl<M: Model> Finding<M> {
    /// Reads and folds.
    pub fn run(self) -> Result<Option<Root<M>>, StoreError> {
        let boundary = self.model.boundary()?;
        let warm = self.store.warm(boundary.clone()).state.lock().as_deref().cloned();
        let folded = match warm {
            Some(mut folded) => {
                let patience = self.store.patience();
                folded.advance_within(&**self.store.events(), &boundary, Until::Edge, patience)?;
                folded
            }
            None => self.store.fold(self.model, &boundary, Moment::Now)?,
        };
        Ok((folded.events > 0).then(|| Root::new(folded, boundary)))
    }
}

impl<M: Model> IntoFuture for Finding<M> {
    type Output = Result<Option<Root<M>>, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

/// A root to be saved: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is saved until it is run or awaited"]
pub struct Saving<M> {
    store: Store,
    root: Root<M>,
    context: Context,
}

impl<M: Model> Saving<M> {
    /// With what surrounds the events.
    pub fn context(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// Records, blocking. Without anything raised there is nothing to record.
    pub fn run(self) -> Result<Receipt, SaveError> {
        if let Some(receipt) = self.root.unchanged() {
            return Ok(receipt);
        }
        let store = self.store.clone();
        let draft = self.draft()?;
        settled(store.append(&draft.append), draft)
    }

    fn draft(self) -> Result<Draft, SaveError> {
        let Root { folded, boundary, uncommitted, error, .. } = self.root;
        if let Some(error) = error {
            return Err(error.into());
        }
        let mut draft = Draft::default();
        draft.add(&self.store, uncommitted, &self.context);
        draft.guard(&boundary, &folded, None, &self.store);
        Ok(draft)
    }
}

fn settled(answer: Result<Appended, AppendError>, draft: Draft) -> Result<Receipt, SaveError> {
    match answer {
        Ok(appended) => {
            let outside_boundary = draft.outside_boundary;
            Ok(Receipt { outside_boundary, ..Receipt::of(appended, draft.correlation_id, 1) })
        }
        Err(error) if is_conflict(&error) => Err(SaveError::Conflict),
        Err(error) => Err(error.into()),
    }
}

impl<M: Model> IntoFuture for Saving<M> {
    type Output = Result<Receipt, SaveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if let Some(receipt) = self.root.unchanged() {
                return Ok(receipt);
            }
            let store = self.store.clone();
            let draft = self.draft()?;
            settled(store.append_async(&draft.append).await, draft)
        })
    }
}
