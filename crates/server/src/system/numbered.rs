//! A subscription to a query, whose events come as numbered links.

use std::task::{Context, Poll};
use std::time::Duration;

use factum_core::{RecordedEvent, Signal, SubscribeError, Subscription};

use super::link::link;
use super::name::SystemStream;

/// See the module.
pub struct Numbered {
    stream: SystemStream,
    inner: Box<dyn Subscription>,
    /// The number of the next event that comes.
    next: u64,
    /// Links before this one are passed over.
    first: u64,
}

impl Numbered {
    /// Of a subscription whose next event is number `next`.
    pub fn new(stream: SystemStream, inner: Box<dyn Subscription>, next: u64, first: u64) -> Self {
        Self { stream, inner, next, first }
    }

    fn turn(&mut self, signal: Signal) -> Signal {
        match signal {
            Signal::Event(event) => self.number(&event),
            other => other,
        }
    }

    fn number(&mut self, event: &RecordedEvent) -> Signal {
        let number = self.next;
        self.next += 1;
        match number < self.first {
            true => Signal::Checkpoint(event.position),
            false => Signal::Event(link(&self.stream, number, event)),
        }
    }
}

impl Subscription for Numbered {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        let signal = self.inner.next()?;
        Ok(self.turn(signal))
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        let signal = self.inner.next_within(wait)?;
        Ok(signal.map(|signal| self.turn(signal)))
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        let polled = self.inner.poll_next(context);
        polled.map(|signal| signal.map(|signal| self.turn(signal)))
    }
}
