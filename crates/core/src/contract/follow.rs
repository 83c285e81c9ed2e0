//! [`Follower`]: a subscription, all it has said, and whether that was lawful.
//!
//! ```text
//!            ┌──── CaughtUp ────┐
//!            │                  ▼
//!       catching up            live
//!            ▲                  │
//!            └─── FellBehind ───┘
//! ```
//!
//! In both states come events, in order, each once, none that is not selected
//! and none left out; a `Checkpoint` or `CaughtUp` at a position says that
//! everything up to it was looked at.

use std::time::Duration;

use crate::{
    Direction, EventStore, Position, Read, RecordedEvent, Selection, Signal, Start, Subscribe, SubscribeFrom,
    Subscription,
};

use super::PATIENCE;
use super::case::Case;
use super::oracle::wanted;

pub struct Follower {
    case: Case,
    subscribe: Subscribe,
    subscription: Box<dyn Subscription>,
    /// The end of the log when it began; where `Now` begins.
    end: u64,
    pub signals: Vec<Signal>,
}

impl Follower {
    pub fn new(case: Case, store: &dyn EventStore, subscribe: Subscribe) -> Self {
        let end = case.last_position(store).map_or(0, |last| last.get() + 1);
        let subscription = case.ok("subscribing", store.subscribe(subscribe.clone()));
        Self { case, subscribe, subscription, end, signals: Vec::new() }
    }

    pub fn subscription(&mut self) -> &mut dyn Subscription {
        &mut *self.subscription
    }

    /// The next signal, which must come.
    pub fn signal(&mut self) -> Signal {
        match self.case.ok("a subscription", self.subscription.next_within(PATIENCE)) {
            Some(signal) => {
                self.signals.push(signal.clone());
                signal
            }
            None => self.case.fail(format_args!("no signal came in time, after {}", Said(&self.signals))),
        }
    }

    /// Every signal that is there already.
    pub fn drain(&mut self) {
        while let Some(signal) = self.case.ok("a subscription", self.subscription.next_within(Duration::ZERO))
        {
            self.signals.push(signal);
        }
    }

    /// Follows until it has said that it is live at this position.
    pub fn until_caught_up(&mut self, last: Option<Position>) {
        while self.signal() != Signal::CaughtUp(last) {
            let far = matches!(self.signals.last(), Some(Signal::CaughtUp(found)) if *found >= last);
            if far {
                self.case.fail(format_args!("it was to catch up with {last:?}: {}", Said(&self.signals)));
            }
        }
    }

    /// Follows until all wanted events of this log came, and no further.
    pub fn until_all_came(&mut self, log: &[RecordedEvent]) {
        let wanted = self.wanted(log).len();
        let mut came = self.signals.iter().filter(|signal| matches!(signal, Signal::Event(_))).count();
        while came < wanted {
            came += usize::from(matches!(self.signal(), Signal::Event(_)));
        }
    }

    /// The last position it said it had come to.
    pub fn looked_at(&self) -> Option<Position> {
        self.signals.iter().rev().find_map(|signal| match signal {
            Signal::Event(event) => Some(event.position),
            Signal::Checkpoint(position) => Some(*position),
            Signal::CaughtUp(position) => *position,
            Signal::FellBehind { .. } => None,
        })
    }

    fn wanted<'a>(&self, log: &'a [RecordedEvent]) -> Vec<&'a RecordedEvent> {
        let start = match self.subscribe.from {
            SubscribeFrom::Start => Start::Edge,
            SubscribeFrom::After(position) => Start::Position(position.next()),
            SubscribeFrom::AfterRevision(revision) => Start::Revision(revision.next()),
            SubscribeFrom::Time(time) => Start::Time(time),
            SubscribeFrom::Now => Start::Position(Position::new(self.end)),
        };
        let read = Read { direction: Direction::Forward, ..Read::of(self.subscribe.selection.clone()) };
        wanted(log, &read.from(start))
    }

    /// Judges everything said so far, when this is the whole log.
    pub fn judge(&self, log: &[RecordedEvent]) {
        let case = &self.case;
        let wanted = self.wanted(log);
        let mut to_come = wanted.iter().peekable();
        let (mut live, mut looked) = (false, None);
        for (n, signal) in self.signals.iter().enumerate() {
            let told = match signal {
                Signal::Event(event) => {
                    let Some(next) = to_come.next() else {
                        case.fail(format_args!("signal {n} is an event that is not to come: {event:?}"))
                    };
                    let what = format!("signal {n}, the position of the next event");
                    case.equal(&what, &event.position, &next.position);
                    case.equal("the next event", event, next);
                    Some(event.position)
                }
                Signal::Checkpoint(position) => {
                    case.holds(
                        looked < Some(*position),
                        format_args!("signal {n}, {signal:?}, goes forward"),
                    );
                    Some(*position)
                }
                Signal::CaughtUp(position) => {
                    case.holds(!live, format_args!("signal {n}, {signal:?}, comes when it is not live yet"));
                    case.holds(looked <= *position, format_args!("signal {n}, {signal:?}, goes not back"));
                    live = true;
                    *position
                }
                Signal::FellBehind { events } => {
                    case.holds(live, format_args!("signal {n}, {signal:?}, comes when it is live"));
                    let late = *events > self.subscribe.behind_after;
                    case.holds(late, format_args!("signal {n}, {signal:?}, is told when it is so late"));
                    let most = log.len() as u64 - looked.map_or(0, |looked: Position| looked.get() + 1);
                    case.holds(*events <= most, format_args!("signal {n}, {signal:?}, is at most {most}"));
                    live = false;
                    None
                }
            };
            if let Some(told) = told {
                let end = log.last().map(|event| event.position);
                case.holds(Some(told) <= end, format_args!("signal {n}, {signal:?}, is within the log"));
                if let Some(next) = to_come.peek() {
                    let what = format_args!("signal {n}, {signal:?}: the event at {} is out", next.position);
                    case.holds(next.position > told, what);
                }
                self.is_told_in_time(n, looked, told);
                looked = Some(told);
            }
        }
        case.equal("the number of events still to come", &to_come.count(), &0);
    }

    /// A query may be served from an index or by looking at every event; the
    /// subscriber is told how far it has come at least after every stretch of
    /// that many events, or of two if the stretches of the store lie across.
    fn is_told_in_time(&self, n: usize, looked: Option<Position>, told: Position) {
        let (Selection::Query(_), Some(looked)) = (&self.subscribe.selection, looked) else { return };
        let passed = told.get() - looked.get();
        let most = self.subscribe.checkpoint_every.max(1).saturating_mul(2);
        let what = format_args!("signal {n} comes {passed} events after the last one, at most {most}");
        self.case.holds(passed <= most, what);
    }
}

/// The last signals, without what is inside the events.
struct Said<'a>(&'a [Signal]);

impl std::fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} signals", self.0.len())?;
        for signal in &self.0[self.0.len().saturating_sub(8)..] {
            match signal {
                Signal::Event(event) => write!(f, ", Event({})", event.position)?,
                other => write!(f, ", {other:?}")?,
            }
        }
        Ok(())
    }
}
