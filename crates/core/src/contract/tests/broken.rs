//! [`Broken`]: a memory store of which single functions are replaced by wrong
//! ones.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::answers::Each;
use crate::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, MemoryStore, Position, Read,
    ReadError, Signal, Subscribe, SubscribeError, Subscription,
};

pub type Subscribed = Result<Box<dyn Subscription>, SubscribeError>;

#[derive(Clone)]
pub struct Broken {
    pub store: MemoryStore,
    pub append: fn(&MemoryStore, Append) -> Result<Appended, AppendError>,
    pub append_async: fn(&Broken, Append) -> AppendFuture,
    pub append_each: fn(&Broken, Vec<Append>) -> Box<dyn Answers>,
    pub read: fn(&MemoryStore, Read) -> Result<Events, ReadError>,
    pub count: fn(&MemoryStore, Read) -> Result<u64, ReadError>,
    pub subscribe: fn(&MemoryStore, Subscribe) -> Subscribed,
    pub last_position: fn(&MemoryStore) -> Result<Option<Position>, ReadError>,
}

impl Broken {
    /// Nothing is wrong with it yet.
    pub fn sound() -> Self {
        Self {
            store: MemoryStore::new(),
            append: |store, append| store.append(append),
            append_async: |broken, append| Box::pin(std::future::ready(broken.append(append))),
            append_each: |broken, appends| {
                Box::new(Each::of(appends.into_iter().map(|append| (broken.append_async)(broken, append))))
            },
            read: |store, read| EventStore::read(store, read),
            count: |store, read| store.count(read),
            subscribe: |store, subscribe| store.subscribe(subscribe),
            last_position: |store| store.last_position(),
        }
    }

    /// The same faults in an empty store.
    pub fn fresh(&self) -> Self {
        Self { store: MemoryStore::new(), ..self.clone() }
    }
}

impl EventStore for Broken {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        (self.append)(&self.store, append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        (self.append_async)(self, append.clone())
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        (self.append_each)(self, appends.collect())
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        (self.read)(&self.store, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        (self.count)(&self.store, read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Subscribed {
        (self.subscribe)(&self.store, subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        (self.last_position)(&self.store)
    }
}

/// A subscription whose signals are tampered with on their way.
pub struct Tampered {
    pub inner: Box<dyn Subscription>,
    /// Gives what is passed on in place of a signal; the number is its own to count with.
    pub tamper: fn(&mut u64, Signal) -> Vec<Signal>,
    pub count: u64,
    pub ready: VecDeque<Signal>,
}

impl Tampered {
    pub fn subscribe(
        store: &MemoryStore,
        subscribe: Subscribe,
        tamper: fn(&mut u64, Signal) -> Vec<Signal>,
    ) -> Subscribed {
        let inner = store.subscribe(subscribe)?;
        Ok(Box::new(Self { inner, tamper, count: 0, ready: VecDeque::new() }))
    }

    fn take(&mut self, signal: Signal) {
        self.ready.extend((self.tamper)(&mut self.count, signal));
    }
}

impl Subscription for Tampered {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        loop {
            if let Some(signal) = self.ready.pop_front() {
                return Ok(signal);
            }
            let signal = self.inner.next()?;
            self.take(signal);
        }
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        loop {
            if let Some(signal) = self.ready.pop_front() {
                return Ok(Some(signal));
            }
            match self.inner.next_within(wait)? {
                Some(signal) => self.take(signal),
                None => return Ok(None),
            }
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        loop {
            if let Some(signal) = self.ready.pop_front() {
                return Poll::Ready(Ok(signal));
            }
            match self.inner.poll_next(context) {
                Poll::Ready(Ok(signal)) => self.take(signal),
                other => return other,
            }
        }
    }
}

/// A subscription that waits or wakes in its own way.
pub struct Unpunctual {
    pub inner: Box<dyn Subscription>,
    pub next: fn(&mut dyn Subscription) -> Result<Signal, SubscribeError>,
    pub next_within: fn(&mut dyn Subscription, Duration) -> Result<Option<Signal>, SubscribeError>,
    pub waker: fn(&mut Option<std::task::Waker>, &std::task::Waker) -> std::task::Waker,
    pub first: Option<std::task::Waker>,
}

impl Unpunctual {
    pub fn punctual(inner: Box<dyn Subscription>) -> Self {
        Self {
            inner,
            next: |inner| inner.next(),
            next_within: |inner, wait| inner.next_within(wait),
            waker: |_, waker| waker.clone(),
            first: None,
        }
    }
}

impl Subscription for Unpunctual {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        (self.next)(&mut *self.inner)
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        (self.next_within)(&mut *self.inner, wait)
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        let waker = (self.waker)(&mut self.first, context.waker());
        self.inner.poll_next(&mut Context::from_waker(&waker))
    }
}
