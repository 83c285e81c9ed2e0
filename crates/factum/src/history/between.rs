//! How long it takes from one event of a flow to another, over all flows.
//!
//! ```text
//!   flow 1   placed ───────────▶ shipped         2 days
//!   flow 2     placed ──────▶ shipped            1 day
//!   flow 3           placed                      open
//! ```

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use factum_core::{EventType, Query, Read, Start, Timestamp};
use uuid::Uuid;

use super::happened::happened_at;
use crate::event::{Decoded, Event, unwind};
use crate::model::{BoundaryError, FoldError};
use crate::store::{Store, StoreError};
use crate::{Boundary, Moment};

/// Times to be taken: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Timing<E, A, B> {
    store: Store,
    ends: (A, B),
    from: Option<Moment>,
    until: Moment,
    events: PhantomData<fn() -> E>,
}

/// How long flows took from one event to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// One for each flow that has both events, the shortest first.
    pub durations: Vec<Duration>,
    /// How many flows have only the first event.
    pub open: u64,
}

impl Store {
    /// How long it takes from the first event of a flow that is `first` to the next
    /// one that is `then`, over all flows; by when they happened, or were recorded if
    /// nobody said. The store finds the events by their types.
    ///
    /// ```
    /// # use factum::prelude::*;
    /// # #[derive(Id, Clone, Debug, PartialEq)] struct OrderId(String);
    /// # #[derive(Event, Clone, Debug, PartialEq)]
    /// # enum Order { Placed { #[id] id: OrderId }, Shipped { #[id] id: OrderId } }
    /// # let store = Store::memory();
    /// # store.record([Order::Placed { id: "1".into() }, Order::Shipped { id: "1".into() }]).run()?;
    /// let times = store
    ///     .time_between(
    ///         |order: &Order| matches!(order, Order::Placed { .. }),
    ///         |order: &Order| matches!(order, Order::Shipped { .. }),
    ///     )
    ///     .run()?;
    /// assert_eq!((times.durations.len(), times.open), (1, 0));
    /// # Ok::<(), StoreError>(())
    /// ```
    pub fn time_between<E, A, B>(&self, first: A, then: B) -> Timing<E, A, B>
    where
        E: Event,
        A: Fn(&E) -> bool,
        B: Fn(&E) -> bool,
    {
        let ends = (first, then);
        Timing { store: self.clone(), ends, from: None, until: Moment::Now, events: PhantomData }
    }
}

impl<E, A, B> Timing<E, A, B>
where
    E: Event,
    A: Fn(&E) -> bool,
    B: Fn(&E) -> bool,
{
    /// Of what was recorded from this position or time on.
    pub fn from(self, moment: impl Into<Moment>) -> Self {
        Self { from: Some(moment.into()), ..self }
    }

    /// Of what was recorded up to this position or time.
    pub fn until(self, moment: impl Into<Moment>) -> Self {
        Self { until: moment.into(), ..self }
    }

    /// Reads the events and takes the times.
    pub fn run(self) -> Result<Times, StoreError> {
        let Self { store, ends: (first, then), from, until, .. } = self;
        let log = &**store.events();
        let no_stream = Boundary::default();
        let from = from.map_or(Ok(Start::Edge), |from| from.start(log, &no_stream))?;
        let until = until.until(log, &no_stream)?;
        let names = E::shapes().into_iter().map(|shape| EventType::new(shape.name));
        let query = Query::types(names.collect::<Result<Vec<_>, _>>().map_err(BoundaryError::from)?);
        let mut open: HashMap<Uuid, Option<Timestamp>> = HashMap::new();
        let mut durations = Vec::new();
        for recorded in log.read(Read::query(query).from(from).until(until))? {
            let recorded = recorded?;
            let Some(flow) = recorded.correlation_id else { continue };
            let event = match unwind::decode::<E>((&recorded).into()) {
                Ok(Decoded::Event(event)) => event,
                Ok(Decoded::UnknownType | Decoded::SkippedVersion) => continue,
                Err(error) => return Err(FoldError::unreadable(&recorded, error).into()),
            };
            let at = happened_at(&recorded);
            match open.get_mut(&flow) {
                Some(begun) if begun.is_some() && then(&event) => {
                    let begun = begun.take().map_or(at, |begun| begun.min(at));
                    durations.push(Duration::from_micros(at.as_micros().abs_diff(begun.as_micros())));
                }
                Some(_) => {}
                None if first(&event) => drop(open.insert(flow, Some(at))),
                None => {}
            }
        }
        durations.sort_unstable();
        Ok(Times { durations, open: open.values().flatten().count() as u64 })
    }
}

impl<E, A, B> IntoFuture for Timing<E, A, B>
where
    E: Event,
    A: Fn(&E) -> bool + Send + 'static,
    B: Fn(&E) -> bool + Send + 'static,
{
    type Output = Result<Times, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

impl Times {
    /// So many of a hundred flows took at most this long; `None` if none has both
    /// events. 50 is the median.
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let last = self.durations.len().checked_sub(1)?;
        let rank = (self.durations.len() * usize::from(percent.min(100))).div_ceil(100);
        Some(self.durations[rank.saturating_sub(1).min(last)])
    }
}
