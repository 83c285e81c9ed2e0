//! Subscriptions and their signals.

use factum_core::{Position, Revision, Signal, Subscribe, SubscribeFrom, Timestamp};

use super::proto::signal::Signal as Said;
use super::proto::subscribe_from::From;
use super::{Malformed, event, proto, read};

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

/// A signal, as a message.
pub fn encode_signal(signal: Signal) -> proto::Signal {
    let signal = match signal {
        Signal::Event(event) => Said::Event(event::encode_recorded(event)),
        Signal::Checkpoint(position) => Said::Checkpoint(position.get()),
        Signal::CaughtUp(position) => {
            Said::CaughtUp(proto::CaughtUp { position: position.map(Position::get) })
        }
        Signal::FellBehind { events } => Said::FellBehind(events),
    };
    proto::Signal { signal: Some(signal) }
}

/// A signal.
pub fn decode_signal(signal: proto::Signal) -> Result<Signal, Malformed> {
    Ok(match signal.signal.ok_or_else(|| Malformed::lacks("a signal"))? {
        Said::Event(event) => Signal::Event(event::decode_recorded(event)?),
        Said::Checkpoint(position) => Signal::Checkpoint(Position::new(position)),
        Said::CaughtUp(at) => Signal::CaughtUp(at.position.map(Position::new)),
        Said::FellBehind(events) => Signal::FellBehind { events },
    })
}
