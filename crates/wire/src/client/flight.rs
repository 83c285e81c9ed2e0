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

/// So many are enough for one message, however many there usually are.
const FEW: usize = 64;

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
    /// How many appends the last message had, and the one before it.
    last: [usize; 2],
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

    /// The next message of a call, as it goes into the connection, when it has begun and there is something to
    /// send; `None` when the call is over, or nothing will come.
    pub fn poll_send(&mut self, call: u64, queue: &Queue, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if call != self.call {
            return Poll::Ready(None);
        }
        if !self.is_open {
            self.sender = Some(context.waker().clone());
            return Poll::Pending;
        }
        queue.poll_next(context).map(|parcel| Some(self.send(parcel?)))
    }

    /// Whether only a few wait, and lately more went together: those who were just
    /// answered are about to come back.
    pub fn is_early(&self, queue: &Queue) -> bool {
        let usual = self.last[0].max(self.last[1]);
        queue.has_fewer(usual.min(FEW))
    }

    fn send(&mut self, parcel: Parcel) -> Bytes {
        let count = parcel.packed.count();
        let (bytes, packed) = parcel.packed.into_message();
        let message = Message {
            first: self.next,
            packed,
            unanswered: parcel.appends.len(),
            appends: parcel.appends.into_iter().map(Some).collect(),
            since: self.ticks,
        };
        self.next += count as u64;
        self.last = [count, self.last[0]];
        self.messages.push_back(message);
        bytes
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::sent::Awaited;
    use crate::proto::store::AppendRequest;
    use crate::store::packed::UnpackedAppends;
    use factum_core::{Append, AppendError, ExpectedRevision, NewEvent, Position, StreamName};
    use prost::Message as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    fn append(stream: &str) -> Append {
        let event = NewEvent::json("A", &().into()).unwrap();
        Append::to(StreamName::new(stream.to_owned()).unwrap(), ExpectedRevision::Any, [event])
    }

    /// The streams of the next message; `None` if there is none.
    fn sent(flight: &mut Flight, call: u64, queue: &Queue) -> Option<Vec<String>> {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(request) = flight.poll_send(call, queue, &mut context) else { return None };
        let request = AppendRequest::decode(request.unwrap().slice(5..)).unwrap();
        let appends: Vec<_> = UnpackedAppends::of(request.appends).collect::<Result<_, _>>().unwrap();
        assert_eq!(appends.len(), request.count as usize);
        Some(appends.into_iter().map(|append| append.writes[0].stream.to_string()).collect())
    }

    fn hand_over(queue: &Queue, streams: &[&str]) -> Vec<Awaited> {
        streams.iter().map(|stream| queue.push(&append(stream)).unwrap()).collect()
    }

    #[test]
    fn answers_find_their_appends_in_any_order_and_the_rest_is_sent_again_in_its_own() {
        let (queue, mut flight) = (Queue::of(0), Flight::default());
        let call = flight.open();
        let mut awaited = hand_over(&queue, &["a", "b", "c"]);
        assert_eq!(sent(&mut flight, call, &queue), None, "the server has not taken the call");
        flight.begin();
        assert_eq!(sent(&mut flight, call, &queue).unwrap(), ["a", "b", "c"]);
        assert_eq!(sent(&mut flight, call, &queue), None);
        awaited.extend(hand_over(&queue, &["d", "e"]));
        assert_eq!(sent(&mut flight, call, &queue).unwrap(), ["d", "e"]);
        let refused = |number: u64| Err(AppendError::ConditionFailed { position: Position::new(number) });
        for number in [3, 0, 2] {
            flight.take(number).unwrap().answer(refused(number));
            assert!(flight.take(number).is_none(), "it is answered");
            let answer = awaited[number as usize].try_recv().unwrap();
            assert_eq!(format!("{answer:?}"), format!("{:?}", refused(number)));
        }
        assert!(flight.take(5).is_none() && flight.take(u64::MAX).is_none(), "there is no such one");
        // The call breaks, with one more handed over, and another begins.
        awaited.extend(hand_over(&queue, &["f"]));
        queue.push_front(flight.end());
        assert!(flight.is_empty());
        let next = flight.open();
        assert_eq!(sent(&mut flight, next, &queue), None, "nor has it taken this one");
        flight.begin();
        let mut context = Context::from_waker(Waker::noop());
        let stale = flight.poll_send(call, &queue, &mut context);
        assert!(matches!(stale, Poll::Ready(None)), "the call that is over takes nothing");
        assert_eq!(sent(&mut flight, next, &queue).unwrap(), ["b", "e"]);
        assert_eq!(sent(&mut flight, next, &queue).unwrap(), ["f"]);
        // They are numbered anew.
        for (number, place) in [(0, 1), (1, 4), (2, 5)] {
            flight.take(number).unwrap().answer(refused(number));
            assert!(awaited[place].try_recv().unwrap().is_err());
        }
        assert!(flight.is_empty());
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_would_send_before_the_call_has_begun_is_woken_for_it() {
        let (queue, mut flight) = (Queue::of(0), Flight::default());
        let call = flight.open();
        let _awaited = hand_over(&queue, &["a"]);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(flight.poll_send(call, &queue, &mut Context::from_waker(&waker)).is_pending());
        assert!(!woken.0.load(Ordering::Relaxed));
        flight.begin();
        assert!(woken.0.load(Ordering::Relaxed));
    }

    #[test]
    fn it_is_empty_when_all_are_answered_whichever_was_the_last() {
        let (queue, mut flight) = (Queue::of(0), Flight::default());
        let call = flight.open();
        flight.begin();
        let mut awaited = Vec::new();
        for _ in 0..3 {
            awaited.extend(hand_over(&queue, &["a", "b"]));
            sent(&mut flight, call, &queue);
        }
        for number in [4, 3, 2, 5, 1, 0] {
            assert!(!flight.is_empty());
            assert!(flight.take(number).is_some());
        }
        assert!(flight.is_empty());
    }

    #[test]
    fn a_few_are_early_only_where_there_were_more() {
        let (queue, mut flight) = (Queue::of(0), Flight::default());
        let call = flight.open();
        flight.begin();
        let mut awaited = Vec::new();
        // One after another, then two at once, and again one after another.
        for (streams, is_early) in [(1, false), (1, false), (2, false), (1, true), (1, true), (1, false)] {
            assert!(!flight.is_early(&queue), "nobody is waited for where nobody is");
            awaited.extend(hand_over(&queue, &["a", "b"][..streams]));
            assert_eq!(flight.is_early(&queue), is_early);
            assert_eq!(sent(&mut flight, call, &queue).unwrap().len(), streams);
        }
        awaited.extend(hand_over(&queue, &["a"; 200]));
        sent(&mut flight, call, &queue);
        awaited.extend(hand_over(&queue, &["a"; FEW - 1]));
        assert!(flight.is_early(&queue));
        awaited.extend(hand_over(&queue, &["a"]));
        assert!(!flight.is_early(&queue));
    }

    #[test]
    fn only_what_was_sent_long_ago_is_overdue() {
        let (queue, mut flight) = (Queue::of(0), Flight::default());
        let call = flight.open();
        flight.begin();
        let _awaited = hand_over(&queue, &["a", "b"]);
        sent(&mut flight, call, &queue);
        flight.ticks = 2;
        let _later = hand_over(&queue, &["c"]);
        sent(&mut flight, call, &queue);
        assert!(flight.take(0).is_some());
        assert_eq!(flight.take_overdue(2).len(), 0);
        flight.ticks = 3;
        assert_eq!(flight.take_overdue(2).len(), 1, "of the first message, what is not answered");
        assert!(flight.take(1).is_none() && !flight.is_empty());
        flight.ticks = 4;
        let _last = hand_over(&queue, &["d"]);
        sent(&mut flight, call, &queue);
        flight.ticks = 7;
        assert_eq!(flight.take_overdue(2).len(), 2, "of all messages that were sent so long ago");
        assert!(flight.is_empty());
    }
}
