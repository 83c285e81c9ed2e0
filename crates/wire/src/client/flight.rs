//! What was sent and is not answered: kept as it was sent, so that what has to be
//! sent again is cut out of it.
//!
//! ```text
//!   number    7      8      9     10     11    12
//!          │ Sent │  -   │ Sent │ Sent │ Sent │ -  │     one call, its messages
//!          └─ a message, packed ┘└── the next ─────┘     in order
//! ```
//!
//! A call numbers its appends by their place in it, so that an answer is looked
//! for nowhere. What belongs to a call that is over is not taken for another's.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::queue::{Parcel, Queue};
use super::sent::Sent;
use crate::proto::store::AppendRequest;

/// One message on its way.
struct Message {
    /// The number of its first append.
    first: u64,
    packed: Bytes,
    /// Those that are not answered, each at its place.
    appends: Vec<Option<Sent>>,
    unanswered: usize,
    /// At which tick it was sent.
    since: u64,
}

/// All of one call.
#[derive(Default)]
pub struct Flight {
    /// Which call it is.
    call: u64,
    /// Whether it has begun, and not ended.
    is_open: bool,
    /// Whoever sends, before it has begun.
    sender: Option<Waker>,
    messages: VecDeque<Message>,
    next: u64,
    pub ticks: u64,
}

impl Flight {
    /// A call is being opened, which is this one.
    pub fn open(&mut self) -> u64 {
        self.call += 1;
        self.next = 0;
        self.call
    }

    /// The server has taken the call.
    pub fn begin(&mut self) {
        self.is_open = true;
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// The call is over. Gives what is not answered, in order.
    pub fn end(&mut self) -> impl Iterator<Item = (Sent, Bytes)> + use<> {
        self.is_open = false;
        let messages = std::mem::take(&mut self.messages);
        messages.into_iter().flat_map(|Message { packed, appends, .. }| {
            appends.into_iter().flatten().map(move |sent| {
                let bytes = packed.slice(sent.place.clone());
                (sent, bytes)
            })
        })
    }

    /// The next message of a call, when it has begun and there is something to
    /// send; `None` when the call is over, or nothing will come.
    pub fn poll_send(
        &mut self,
        call: u64,
        queue: &Queue,
        context: &mut Context<'_>,
    ) -> Poll<Option<AppendRequest>> {
        if call != self.call {
            return Poll::Ready(None);
        }
        if !self.is_open {
            self.sender = Some(context.waker().clone());
            return Poll::Pending;
        }
        queue.poll_next(context).map(|parcel| Some(self.send(parcel?)))
    }

    fn send(&mut self, parcel: Parcel) -> AppendRequest {
        let count = parcel.packed.count() as u32;
        let packed = parcel.packed.into_bytes();
        let message = Message {
            first: self.next,
            packed: packed.clone(),
            unanswered: parcel.appends.len(),
            appends: parcel.appends.into_iter().map(Some).collect(),
            since: self.ticks,
        };
        self.next += u64::from(count);
        self.messages.push_back(message);
        AppendRequest { appends: packed, count }
    }

    /// The append with this number, which is answered. One that was overdue is
    /// there no more.
    pub fn take(&mut self, number: u64) -> Option<Sent> {
        let after = self.messages.partition_point(|message| message.first <= number);
        let message = self.messages.get_mut(after.checked_sub(1)?)?;
        let place = usize::try_from(number - message.first).ok()?;
        let sent = message.appends.get_mut(place)?.take()?;
        message.unanswered -= 1;
        while self.messages.front().is_some_and(|message| message.unanswered == 0) {
            self.messages.pop_front();
        }
        Some(sent)
    }

    /// Takes those that were sent so many ticks ago and are not answered.
    pub fn take_overdue(&mut self, ticks: u64) -> Vec<Sent> {
        let mut overdue = Vec::new();
        while let Some(message) = self.messages.front()
            && self.ticks - message.since > ticks
        {
            overdue
                .extend(self.messages.pop_front().into_iter().flat_map(|message| message.appends).flatten());
        }
        overdue
    }

    /// Whether everything is answered.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
