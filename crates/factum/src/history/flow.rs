//! One flow: everything that one user's action led to, and what led to what.
//!
//! ```text
//!   OrderPlaced                     the first event: its id is the flow's
//!     PaymentCharged                caused by it
//!       OrderShipped                caused by that
//!     ReceiptSent
//! ```
//!
//! The log has no index of flows, so it is read from one moment to another. Say when
//! the flow began if the log is long.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use factum_core::{Read, RecordedEvent, Start};
use uuid::Uuid;

use super::happened::happened_at;
use super::printable::Printable;
use crate::command::actor_of;
use crate::store::{Store, StoreError};
use crate::{Boundary, Moment};

/// A flow to be followed: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Following {
    store: Store,
    correlation_id: Uuid,
    from: Option<Moment>,
    until: Moment,
}

/// The events of one flow, in the order of the log. [`Display`] shows what led to
/// what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its id: that of its first event, unless the command said otherwise.
    pub correlation_id: Uuid,
    /// Its events.
    pub events: Vec<RecordedEvent>,
}

impl Store {
    /// All events of one flow, whatever their streams and types: what a user's action
    /// led to. The id is in the receipt of each of its commands.
    ///
    /// ```
    /// # use factum::prelude::*;
    /// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
    /// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Opened { #[id] id: CartId } }
    /// let store = Store::memory();
    /// let receipt = store.record(Cart::Opened { id: "c1".into() }).run()?;
    /// let flow = store.flow(receipt.correlation_id.ok_or("it recorded an event")?).run()?;
    /// assert_eq!(flow.events.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flow(&self, correlation_id: Uuid) -> Following {
        Following { store: self.clone(), correlation_id, from: None, until: Moment::Now }
    }
}

impl Following {
    /// Reading the log from this position or time on.
    pub fn from(self, moment: impl Into<Moment>) -> Self {
        Self { from: Some(moment.into()), ..self }
    }

    /// Reading the log up to this position or time.
    pub fn until(self, moment: impl Into<Moment>) -> Self {
        Self { until: moment.into(), ..self }
    }

    /// Reads the log.
    pub fn run(self) -> Result<Flow, StoreError> {
        let Self { store, correlation_id, from, until } = self;
        let log = &**store.events();
        let no_stream = Boundary::default();
        let from = from.map_or(Ok(Start::Edge), |from| from.start(log, &no_stream))?;
        let until = until.until(log, &no_stream)?;
        let mut events = Vec::new();
        for event in log.read(Read::all().from(from).until(until))? {
            let event = event?;
            if event.correlation_id == Some(correlation_id) {
                events.push(event);
            }
        }
        Ok(Flow { correlation_id, events })
    }
}

impl IntoFuture for Following {
    type Output = Result<Flow, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

impl Flow {
    /// What led to an event, the first cause first, the event itself last; nothing if
    /// it is not of this flow.
    pub fn chain(&self, event: Uuid) -> Vec<&RecordedEvent> {
        let mut chain = Vec::new();
        let mut wanted = Some(event);
        // A cause stands before what it caused, so one look backwards finds them all.
        for event in self.events.iter().rev() {
            if wanted == Some(event.id) {
                wanted = event.causation_id;
                chain.push(event);
            }
        }
        chain.reverse();
        chain
    }

    /// What an event led to directly.
    pub fn caused_by(&self, event: Uuid) -> impl Iterator<Item = &RecordedEvent> {
        self.events.iter().filter(move |caused| caused.causation_id == Some(event))
    }

    /// From its first event to its last, by when they happened or were recorded.
    pub fn duration(&self) -> Duration {
        let times = || self.events.iter().map(|event| happened_at(event).as_micros());
        let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        Duration::from_micros(last.abs_diff(first))
    }
}

impl Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.events.len();
        let events = if count == 1 { "event" } else { "events" };
        writeln!(f, "flow {}: {count} {events} in {:?}", self.correlation_id, self.duration())?;
        let mut depths: HashMap<Uuid, usize> = HashMap::new();
        for event in &self.events {
            let cause = event.causation_id.and_then(|cause| depths.get(&cause));
            let depth = cause.map_or(0, |depth| depth + 1);
            depths.insert(event.id, depth);
            let (time, indent) = (happened_at(event), "  ".repeat(depth));
            write!(f, "{time}  {indent}{}  {} revision {}", event.event_type, event.stream, event.revision)?;
            match actor_of(event) {
                Some(actor) => writeln!(f, "  by {}", Printable(actor))?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
