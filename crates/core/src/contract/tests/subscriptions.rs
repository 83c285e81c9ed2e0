//! Stores whose subscriptions are wrong.

use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::contract::{PATIENCE, subscribe};
use crate::{
    EventStore, EventStoreExt, MemoryStore, Position, Selection, Signal, Subscribe, SubscribeError,
    SubscribeFrom, Subscription, Timestamp,
};

use super::broken::{Broken, Subscribed, Tampered, Unpunctual};
use super::rejects;
use super::sample::stream;

type Subscribing = fn(&MemoryStore, Subscribe) -> Subscribed;

const PAST: &str = "a subscription yields the past from its beginning on, then says it is live";
const LATER: &str = "a live subscription yields what is appended, each event once";

fn subscribing(fault: &str, subscribe: Subscribing, rule: &str) {
    rejects(fault, Broken { subscribe, ..Broken::sound() }, subscribe::check, rule);
}

/// The number of the event, from 1; 0 if the signal is none.
fn counted(count: &mut u64, signal: &Signal) -> u64 {
    match signal {
        Signal::Event(_) => {
            *count += 1;
            *count
        }
        _ => 0,
    }
}

#[test]
fn rejects_wrong_events() {
    subscribing(
        "skips an event",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |count, signal| match counted(count, &signal) {
                7 => vec![],
                _ => vec![signal],
            })
        },
        PAST,
    );
    subscribing(
        "yields an event twice",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |count, signal| match counted(count, &signal) {
                7 => vec![signal.clone(), signal],
                _ => vec![signal],
            })
        },
        PAST,
    );
    subscribing(
        "yields the last event again when it goes live",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |count, signal| match (counted(count, &signal), &signal) {
                (1, _) => vec![signal.clone(), Signal::CaughtUp(None), signal],
                _ => vec![signal],
            })
        },
        PAST,
    );
    subscribing(
        "skips the first event after it has gone live",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |live, signal| match &signal {
                Signal::CaughtUp(_) => {
                    *live = 1;
                    vec![signal]
                }
                Signal::Event(_) if std::mem::take(live) == 1 => vec![],
                _ => vec![signal],
            })
        },
        LATER,
    );
    subscribing(
        "drops what a slow subscriber has not read",
        |store, subscribe| {
            let slow = subscribe.behind_after == 30;
            let tamper: fn(&mut u64, Signal) -> Vec<Signal> = |lost, signal| match &signal {
                Signal::FellBehind { .. } => {
                    *lost = 5;
                    vec![signal]
                }
                Signal::Event(_) if *lost > 0 => {
                    *lost -= 1;
                    vec![]
                }
                _ => vec![signal],
            };
            if slow { Tampered::subscribe(store, subscribe, tamper) } else { store.subscribe(subscribe) }
        },
        "a slow subscriber loses nothing",
    );
    subscribing(
        "skips an event when it passes from past to live",
        |store, subscribe| {
            let passing = subscribe.checkpoint_every == 7;
            let tamper: fn(&mut u64, Signal) -> Vec<Signal> = |fell, signal| match &signal {
                Signal::CaughtUp(_) => {
                    *fell += 1;
                    vec![signal]
                }
                Signal::Event(event) if *fell > 0 && event.event_type.as_str() != "Last" => {
                    *fell = 0;
                    vec![]
                }
                _ => vec![signal],
            };
            if passing { Tampered::subscribe(store, subscribe, tamper) } else { store.subscribe(subscribe) }
        },
        "going from past to live, a subscription misses nothing and repeats nothing",
    );
}

#[test]
fn rejects_wrong_beginnings() {
    subscribing(
        "begins at the position it should begin after",
        |store, subscribe| {
            let from = match subscribe.from {
                SubscribeFrom::After(position) => {
                    position.previous().map_or(SubscribeFrom::Start, SubscribeFrom::After)
                }
                other => other,
            };
            store.subscribe(subscribe.from(from))
        },
        PAST,
    );
    subscribing(
        "begins now with the past",
        |store, subscribe| {
            let from = match subscribe.from {
                SubscribeFrom::Now => SubscribeFrom::Start,
                other => other,
            };
            store.subscribe(subscribe.from(from))
        },
        PAST,
    );
    subscribing(
        "begins after a time",
        |store, subscribe| {
            let from = match subscribe.from {
                SubscribeFrom::Time(time) => {
                    SubscribeFrom::Time(Timestamp::from_micros(time.as_micros().saturating_add(1)))
                }
                other => other,
            };
            store.subscribe(subscribe.from(from))
        },
        PAST,
    );
    subscribing(
        "takes a revision to come for the next one",
        |store, subscribe| {
            let from = match (subscribe.from, &subscribe.selection) {
                (SubscribeFrom::AfterRevision(revision), Selection::Stream(stream))
                    if store.last_revision(stream)? < Some(revision) =>
                {
                    SubscribeFrom::Now
                }
                (other, _) => other,
            };
            store.subscribe(subscribe.from(from))
        },
        LATER,
    );
    subscribing(
        "takes a position to come for now",
        |store, subscribe| {
            let from = match subscribe.from {
                SubscribeFrom::After(position) if Some(position) > store.last_position()? => {
                    SubscribeFrom::Now
                }
                other => other,
            };
            store.subscribe(subscribe.from(from))
        },
        LATER,
    );
    subscribing(
        "takes a time to come for now",
        |store, subscribe| {
            let last = store.event_at(Position::FIRST)?.map(|event| event.recorded_at);
            let from = match subscribe.from {
                SubscribeFrom::Time(time) if time != Timestamp::MAX && Some(time) > last => {
                    SubscribeFrom::Now
                }
                other => other,
            };
            match subscribe.selection.clone() {
                Selection::Stream(name) if name == stream("timed") => store.subscribe(subscribe.from(from)),
                _ => store.subscribe(subscribe),
            }
        },
        "a subscription from a time to come yields only what is recorded from then on",
    );
    subscribing(
        "begins when it is first looked at",
        |store, subscribe| Ok(Box::new(Lazy::Not(store.clone(), subscribe))),
        LATER,
    );
    subscribing(
        "ignores a revision where there is no stream",
        |store, subscribe| match store.subscribe(subscribe.clone()) {
            Err(SubscribeError::RevisionWithoutStream) => {
                store.subscribe(subscribe.from(SubscribeFrom::Start))
            }
            other => other,
        },
        "a subscription after a revision needs a stream",
    );
    subscribing(
        "knows no stream that does not exist yet",
        |store, subscribe| match &subscribe.selection {
            Selection::Stream(stream) if store.last_revision(stream)?.is_none() => {
                Err(SubscribeError::Closed)
            }
            _ => store.subscribe(subscribe),
        },
        "a subscription to what does not exist yet is live at once",
    );
}

/// A subscription that is made when it is used.
enum Lazy {
    Not(MemoryStore, Subscribe),
    Begun(Box<dyn Subscription>),
}

impl Lazy {
    fn begun(&mut self) -> Result<&mut dyn Subscription, SubscribeError> {
        if let Self::Not(store, subscribe) = self {
            *self = Self::Begun(store.subscribe(subscribe.clone())?);
        }
        match self {
            Self::Begun(subscription) => Ok(&mut **subscription),
            Self::Not(..) => Err(SubscribeError::Closed),
        }
    }
}

impl Subscription for Lazy {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        self.begun()?.next()
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        self.begun()?.next_within(wait)
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        self.begun()?.poll_next(context)
    }
}

#[test]
fn rejects_wrong_words() {
    const TOLD: &str = "a checkpoint tells of events passed over, when that many were";
    const BEHIND: &str = "a live subscription that is too late is told so";
    subscribing(
        "says twice that it is live",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |_, signal| match &signal {
                Signal::CaughtUp(_) => vec![signal.clone(), signal],
                _ => vec![signal],
            })
        },
        PAST,
    );
    subscribing(
        "says again after each event that it is live",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |live, signal| match &signal {
                Signal::CaughtUp(_) => {
                    *live = 1;
                    vec![signal]
                }
                Signal::Event(event) if *live == 1 => {
                    vec![signal.clone(), Signal::CaughtUp(Some(event.position))]
                }
                _ => vec![signal],
            })
        },
        LATER,
    );
    subscribing(
        "does not say where it is live",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |_, signal| match signal {
                Signal::CaughtUp(_) => vec![Signal::CaughtUp(Some(Position::new(99)))],
                other => vec![other],
            })
        },
        PAST,
    );
    subscribing(
        "gives no checkpoints",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |_, signal| match signal {
                Signal::Checkpoint(_) => vec![],
                other => vec![other],
            })
        },
        TOLD,
    );
    subscribing(
        "gives checkpoints ten times too seldom",
        |store, subscribe| {
            let checkpoint_every = subscribe.checkpoint_every.saturating_mul(10);
            store.subscribe(Subscribe { checkpoint_every, ..subscribe })
        },
        TOLD,
    );
    subscribing(
        "gives a checkpoint beyond what it has looked at",
        |store, subscribe| {
            Tampered::subscribe(store, subscribe, |_, signal| match signal {
                Signal::Checkpoint(position) => vec![Signal::Checkpoint(Position::new(position.get() + 10))],
                other => vec![other],
            })
        },
        TOLD,
    );
    subscribing(
        "never says that it fell behind",
        |store, subscribe| store.subscribe(Subscribe { behind_after: u64::MAX, ..subscribe }),
        BEHIND,
    );
    subscribing(
        "says too early that it fell behind",
        |store, subscribe| {
            let behind_after = if subscribe.behind_after == 10 { 9 } else { subscribe.behind_after };
            store.subscribe(Subscribe { behind_after, ..subscribe })
        },
        BEHIND,
    );
    subscribing(
        "does not count how far it fell behind",
        |store, subscribe| {
            if subscribe.behind_after != 10 {
                return store.subscribe(subscribe);
            }
            Tampered::subscribe(store, subscribe, |_, signal| match signal {
                Signal::FellBehind { events } => vec![Signal::FellBehind { events: events + 1 }],
                other => vec![other],
            })
        },
        BEHIND,
    );
    subscribing(
        "does not say when it has caught up again",
        |store, subscribe| {
            if subscribe.behind_after != 10 {
                return store.subscribe(subscribe);
            }
            Tampered::subscribe(store, subscribe, |live, signal| match &signal {
                Signal::CaughtUp(_) if std::mem::replace(live, 1) == 1 => vec![],
                _ => vec![signal],
            })
        },
        BEHIND,
    );
}

#[test]
fn rejects_unpunctual_waits() {
    const WAIT: &str = "a wait for a signal ends with the signal, or with the time";
    subscribing(
        "does not wait at all",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let next_within = |inner: &mut dyn Subscription, _| inner.next_within(Duration::ZERO);
            Ok(Box::new(Unpunctual { next_within, ..Unpunctual::punctual(inner) }))
        },
        "",
    );
    subscribing(
        "waits too long",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let next_within = |inner: &mut dyn Subscription, wait: Duration| match wait.is_zero() {
                true => inner.next_within(wait),
                false => inner.next_within(wait.saturating_add(PATIENCE)),
            };
            Ok(Box::new(Unpunctual { next_within, ..Unpunctual::punctual(inner) }))
        },
        WAIT,
    );
    subscribing(
        "looks again only when the wait is over",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let next_within = |inner: &mut dyn Subscription, wait: Duration| {
                if let Some(signal) = inner.next_within(Duration::ZERO)? {
                    return Ok(Some(signal));
                }
                thread::sleep(wait.min(PATIENCE));
                inner.next_within(Duration::ZERO)
            };
            Ok(Box::new(Unpunctual { next_within, ..Unpunctual::punctual(inner) }))
        },
        WAIT,
    );
    subscribing(
        "does not wake who is blocked",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let next = |inner: &mut dyn Subscription| loop {
                match inner.next_within(Duration::ZERO)? {
                    Some(signal) => return Ok(signal),
                    None => thread::sleep(PATIENCE * 2),
                }
            };
            Ok(Box::new(Unpunctual { next, ..Unpunctual::punctual(inner) }))
        },
        "every subscriber that waits is woken by an append",
    );
}

#[test]
fn rejects_wrong_wakers() {
    const WAKE: &str = "a subscription that was polled wakes its task when there is more";
    subscribing(
        "wakes no task",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let waker = |_: &mut Option<Waker>, _: &Waker| Waker::noop().clone();
            Ok(Box::new(Unpunctual { waker, ..Unpunctual::punctual(inner) }))
        },
        WAKE,
    );
    subscribing(
        "wakes the first task that polled",
        |store, subscribe| {
            let inner = store.subscribe(subscribe)?;
            let waker = |first: &mut Option<Waker>, now: &Waker| first.get_or_insert(now.clone()).clone();
            Ok(Box::new(Unpunctual { waker, ..Unpunctual::punctual(inner) }))
        },
        WAKE,
    );
}
