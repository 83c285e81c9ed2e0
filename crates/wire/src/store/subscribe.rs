//! Subscriptions and their signals.

use bytes::Bytes;
use factum_core::{Position, Revision, Signal, Subscribe, SubscribeFrom, Timestamp};

use super::packed::{Packed, Unpacked};
use super::proto::signal::Signal as Said;
use super::proto::subscribe_from::From;
use super::{Malformed, proto, read};

/// A subscription, as a message.
pub fn encode(subscribe: &Subscribe) -> proto::Begin {
    let from = match subscribe.from {
        SubscribeFrom::Start => From::Start(proto::Empty {}),
        SubscribeFrom::After(position) => From::After(position.get()),
        SubscribeFrom::AfterRevision(revision) => From::AfterRevision(revision.get()),
        SubscribeFrom::Time(time) => From::Time(time.as_micros()),
        SubscribeFrom::Now => From::Now(proto::Empty {}),
    };
    proto::Begin {
        selection: Some(read::encode_selection(&subscribe.selection)),
        from: Some(proto::SubscribeFrom { from: Some(from) }),
        checkpoint_every: subscribe.checkpoint_every,
        behind_after: subscribe.behind_after,
    }
}

/// A subscription.
pub fn decode(begin: proto::Begin) -> Result<Subscribe, Malformed> {
    let from = match begin.from.and_then(|from| from.from) {
        Some(From::Start(_)) => SubscribeFrom::Start,
        Some(From::After(position)) => SubscribeFrom::After(Position::new(position)),
        Some(From::AfterRevision(revision)) => SubscribeFrom::AfterRevision(Revision::new(revision)),
        Some(From::Time(time)) => SubscribeFrom::Time(Timestamp::from_micros(time)),
        Some(From::Now(_)) => SubscribeFrom::Now,
        None => return Err(Malformed::lacks("the subscription's beginning")),
    };
    Ok(Subscribe {
        selection: read::decode_selection(begin.selection)?,
        from,
        checkpoint_every: begin.checkpoint_every,
        behind_after: begin.behind_after,
    })
}

/// Signals, as messages; events that follow one another are in one.
pub fn encode_signals(signals: impl IntoIterator<Item = Signal>) -> Vec<proto::Signal> {
    let mut messages = Vec::new();
    let mut say = |said| messages.push(proto::Signal { signal: Some(said) });
    let mut events = Packed::default();
    for signal in signals {
        let said = match signal {
            Signal::Event(event) => {
                events.push(&event);
                continue;
            }
            Signal::Checkpoint(position) => Said::Checkpoint(position.get()),
            Signal::CaughtUp(position) => {
                Said::CaughtUp(proto::CaughtUp { position: position.map(Position::get) })
            }
            Signal::FellBehind { events } => Said::FellBehind(events),
        };
        if events.count() > 0 {
            say(Said::Events(std::mem::take(&mut events).into_bytes()));
        }
        say(said);
    }
    if events.count() > 0 {
        say(Said::Events(events.into_bytes()));
    }
    messages
}

/// The signals of a message.
pub fn decode_signal(signal: proto::Signal) -> impl Iterator<Item = Result<Signal, Malformed>> {
    let (events, other) = match signal.signal {
        Some(Said::Events(events)) => (events, None),
        Some(Said::Checkpoint(position)) => {
            (Bytes::new(), Some(Ok(Signal::Checkpoint(Position::new(position)))))
        }
        Some(Said::CaughtUp(at)) => {
            (Bytes::new(), Some(Ok(Signal::CaughtUp(at.position.map(Position::new)))))
        }
        Some(Said::FellBehind(events)) => (Bytes::new(), Some(Ok(Signal::FellBehind { events }))),
        None => (Bytes::new(), Some(Err(Malformed::lacks("a signal")))),
    };
    Unpacked::of(events).map(|event| event.map(Signal::Event)).chain(other)
}
