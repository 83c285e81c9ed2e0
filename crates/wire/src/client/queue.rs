//! What was handed over and is not sent yet: packed by whoever hands it over,
//! into the message it will go in.
//!
//! ```text
//!   callers ─► filling ─► │ full │ full │ ─► the call takes one when there is
//!                 │                           room for it on the connection
//!                 └── or this one, if none is full ──►
//! ```
//!
//! What waits while a message is being sent goes with the next one, so that
//! messages grow under load and a lone append waits for nobody.
//!
//! Callers take turns at what is filling, and each copies while it has the turn. A
//! large append would make all others wait for that: it is a full message by itself,
//! made before its turn has come, behind what was filling until then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use factum_core::{Append, AppendError, InvalidAppend, WhenFull};

use super::sent::{Awaited, Sent};
use crate::store::APPEND_BYTES_MAX;
use crate::store::packed::{PackedAppends, packed_bytes};

/// How many appends, and about how many bytes, go in one message.
const APPENDS_MAX: usize = 512;
const BYTES: usize = 1024 * 1024;

/// From how many bytes on an append is a message by itself.
const LARGE_BYTES: u64 = 64 * 1024;

/// How much room is made before it is needed, at most. Messages are not of one length,
/// and one that outgrows its room is copied.
const ROOM_BYTES_MAX: usize = 96 * 1024;

/// What an append takes besides what it is packed in.
const KEPT_BYTES: u64 = 64;

/// Appends that go in one message.
#[derive(Default)]
pub struct Parcel {
    pub packed: PackedAppends,
    pub appends: Vec<Sent>,
}

impl Parcel {
    /// Empty, with room for more than another has.
    fn beside(other: &Self) -> Self {
        Self {
            packed: PackedAppends::with_room((2 * other.packed.bytes()).min(ROOM_BYTES_MAX)),
            appends: Vec::with_capacity((2 * other.appends.len()).min(APPENDS_MAX)),
        }
    }

    /// One append alone, which takes so many bytes.
    fn of_one(append: &Append, bytes: u64) -> (Self, Awaited) {
        // Far from what a machine cannot count.
        let packed = PackedAppends::with_room(bytes as usize);
        let mut alone = Self { packed, appends: Vec::with_capacity(1) };
        let awaited = alone.push(append);
        (alone, awaited)
    }

    fn push(&mut self, append: &Append) -> Awaited {
        let begin = self.packed.bytes();
        self.packed.push(append);
        let (sent, awaited) = Sent::new(append, begin..self.packed.bytes());
        self.appends.push(sent);
        awaited
    }

    fn is_full(&self) -> bool {
        self.appends.len() >= APPENDS_MAX || self.packed.bytes() >= BYTES
    }
}

/// The queue.
pub struct Queue {
    state: Mutex<State>,
    /// Of all that is not answered.
    bytes: AtomicU64,
    limit_bytes: u64,
}

#[derive(Default)]
struct State {
    full: VecDeque<Parcel>,
    /// Behind them, what is added to.
    filling: Parcel,
    is_closed: bool,
    /// Whoever sends, while there is nothing to send.
    sender: Option<Waker>,
    /// Whoever waits for its end.
    waits: Option<Waker>,
}

impl Queue {
    /// Empty; more than so many bytes are refused to whoever would not wait.
    pub fn of(limit_bytes: u64) -> Self {
        Self { state: Mutex::default(), bytes: AtomicU64::new(0), limit_bytes }
    }

    /// Adds an append.
    pub fn push(&self, append: &Append) -> Result<Awaited, AppendError> {
        append.validate()?;
        let bytes = packed_bytes(append);
        if bytes > APPEND_BYTES_MAX {
            return Err(InvalidAppend::TooLarge { bytes, limit: APPEND_BYTES_MAX }.into());
        }
        let kept = bytes + KEPT_BYTES;
        let (queued_bytes, limit_bytes) = (self.bytes.fetch_add(kept, Ordering::Relaxed), self.limit_bytes);
        if append.when_full == WhenFull::Refuse && queued_bytes.saturating_add(kept) > limit_bytes {
            self.bytes.fetch_sub(kept, Ordering::Relaxed);
            return Err(AppendError::Overloaded { queued_bytes, limit_bytes });
        }
        let (awaited, sender) = match bytes < LARGE_BYTES {
            true => {
                let mut state = self.state();
                let awaited = state.filling.push(append);
                if state.filling.is_full() {
                    state.fill();
                }
                (awaited, state.sender.take())
            }
            false => {
                let (alone, awaited) = Parcel::of_one(append, bytes);
                let mut state = self.state();
                state.fill();
                state.full.push_back(alone);
                (awaited, state.sender.take())
            }
        };
        if let Some(sender) = sender {
            sender.wake();
        }
        Ok(awaited)
    }

    /// Whether some wait, and fewer than so many.
    pub fn has_fewer(&self, count: usize) -> bool {
        let state = self.state();
        state.full.is_empty() && (1..count).contains(&state.filling.appends.len())
    }

    /// What is to be sent next; `None` if there is nothing, and will be nothing.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Parcel>> {
        let mut state = self.state();
        match state.full.pop_front() {
            Some(parcel) => Poll::Ready(Some(parcel)),
            None if !state.is_empty() => Poll::Ready(Some(state.take_filling())),
            None if state.is_closed => Poll::Ready(None),
            None => {
                state.sender = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Whether there is something; `false` if there will be nothing.
    pub fn poll_filled(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        match !state.is_empty() {
            true => Poll::Ready(true),
            false if state.is_closed => Poll::Ready(false),
            false => {
                state.sender = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Done when there is nothing, and will be nothing.
    pub fn poll_ended(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        match state.is_closed && state.is_empty() {
            true => Poll::Ready(()),
            false => {
                if !state.waits.as_ref().is_some_and(|waits| waits.will_wake(context.waker())) {
                    state.waits = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Puts in front what has to be sent again, in this order.
    pub fn push_front(&self, again: impl Iterator<Item = (Sent, Bytes)>) {
        let mut parcels = vec![Parcel::default()];
        for (sent, packed) in again {
            if parcels.last().is_none_or(Parcel::is_full) {
                parcels.push(Parcel::default());
            }
            if let Some(parcel) = parcels.last_mut() {
                let begin = parcel.packed.bytes();
                parcel.packed.push_packed(&packed);
                parcel.appends.push(sent.moved(begin..parcel.packed.bytes()));
            }
        }
        let mut state = self.state();
        for parcel in parcels.into_iter().rev().filter(|parcel| !parcel.appends.is_empty()) {
            state.full.push_front(parcel);
        }
    }

    /// Takes everything.
    pub fn take_all(&self) -> impl Iterator<Item = Sent> + use<> {
        let mut state = self.state();
        let (full, filling) = (std::mem::take(&mut state.full), state.take_filling());
        full.into_iter().chain([filling]).flat_map(|parcel| parcel.appends)
    }

    /// Nothing more comes.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let waiting = [state.sender.take(), state.waits.take()];
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// An append is answered, of so many bytes.
    pub fn settle(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64 + KEPT_BYTES, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.full.is_empty() && self.filling.appends.is_empty()
    }

    /// What is filling is full, if there is something in it.
    fn fill(&mut self) {
        if !self.filling.appends.is_empty() {
            let full = self.take_filling();
            self.full.push_back(full);
        }
    }

    fn take_filling(&mut self) -> Parcel {
        let next = Parcel::beside(&self.filling);
        std::mem::replace(&mut self.filling, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::packed::UnpackedAppends;
    use factum_core::{ExpectedRevision, NewEvent, StreamName};

    fn append(bytes: usize) -> Append {
        let event = NewEvent { data: vec![b'1'; bytes].into(), ..NewEvent::json("A", &().into()).unwrap() };
        Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, [event])
    }

    fn parcels(queue: &Queue) -> Vec<Parcel> {
        let mut context = Context::from_waker(Waker::noop());
        let next = || match queue.poll_next(&mut context) {
            Poll::Ready(parcel) => parcel,
            Poll::Pending => None,
        };
        std::iter::from_fn(next).collect()
    }

    /// How many appends each of the messages has.
    fn messages(queue: &Queue) -> Vec<usize> {
        parcels(queue).iter().map(|parcel| parcel.appends.len()).collect()
    }

    #[test]
    fn messages_have_bounds() {
        let queue = Queue::of(0);
        let _small: Vec<_> = (0..APPENDS_MAX + 3).map(|_| queue.push(&append(1)).unwrap()).collect();
        assert_eq!(messages(&queue), [APPENDS_MAX, 3]);
        let half = LARGE_BYTES as usize / 2;
        let _larger: Vec<_> = (0..BYTES / half + 1).map(|_| queue.push(&append(half)).unwrap()).collect();
        assert_eq!(messages(&queue), [BYTES / half, 1]);
    }

    #[test]
    fn a_large_append_goes_alone_in_its_turn() {
        let queue = Queue::of(0);
        let large = LARGE_BYTES as usize;
        let (sizes, together) = ([large, 1, 2, large + 1, large + 2, 3], [1, 2, 1, 1, 1]);
        let _awaited: Vec<_> = sizes.iter().map(|bytes| queue.push(&append(*bytes)).unwrap()).collect();
        assert!(!queue.has_fewer(2), "it is sent at once");
        let parcels = parcels(&queue);
        assert_eq!(parcels.iter().map(|parcel| parcel.appends.len()).collect::<Vec<_>>(), together);
        let sent = parcels.into_iter().flat_map(|Parcel { packed, appends }| {
            let packed = packed.into_bytes();
            appends.into_iter().flat_map(move |sent| UnpackedAppends::of(packed.slice(sent.place)))
        });
        assert!(sent.map(|append| append.unwrap().writes[0].events[0].data.len()).eq(sizes));
    }

    #[test]
    fn who_would_not_wait_is_refused_until_others_are_answered() {
        let queue = Queue::of(1_000);
        let _waits = queue.push(&append(800)).unwrap();
        let refused = queue.push(&append(1).or_refuse()).unwrap_err();
        assert!(matches!(refused, AppendError::Overloaded { limit_bytes: 1_000, .. }), "{refused:?}");
        let _patient = queue.push(&append(1)).unwrap();
        queue.take_all().for_each(|sent| queue.settle(sent.place.len()));
        assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
        queue.push(&append(800).or_refuse()).unwrap();
    }

    #[test]
    fn closed_it_ends_when_it_is_empty() {
        let queue = Queue::of(0);
        let mut context = Context::from_waker(Waker::noop());
        assert!(queue.poll_filled(&mut context).is_pending());
        let _awaited = queue.push(&append(1)).unwrap();
        queue.close();
        assert!(matches!(queue.poll_filled(&mut context), Poll::Ready(true)));
        assert!(queue.poll_ended(&mut context).is_pending());
        assert_eq!(messages(&queue), [1]);
        assert!(queue.poll_ended(&mut context).is_ready());
        assert!(matches!(queue.poll_filled(&mut context), Poll::Ready(false)));
        assert!(matches!(queue.poll_next(&mut context), Poll::Ready(None)));
    }
}
