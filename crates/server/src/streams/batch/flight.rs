//! Appends of one call that have come and are not answered.
//!
//! ```text
//!   taken ─► handed over, all ─► heard, mostly in order ─► answered
//!            at once                      │
//!                                         └─► set aside: its stream has to be
//!                                             looked at ─► behind all that came
//!                                             before it: tried again ─► answered
//! ```
//!
//! The first attempts of what came together go to the store together, and their
//! answers come to one place. It waits for those of the first group, because a store
//! answers nearly always in order; the others are looked at when that takes long.
//!
//! Invariant: appends to the same stream are recorded in the order in which they
//! came, if they are. The store judges first attempts in that order. What is tried
//! again waits until all before it are answered or are tried again as well, and
//! among those each has its [`turn`](crate::rules::turn).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use factum_core::{Answers as Awaited, AppendError, Appended, EventStore};
use factum_wire::Failure;
use factum_wire::batch::Answers;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::rules::turn::{Line, Turns};
use crate::rules::write::{Heard, Refusal, Write, Written, deliberate};

use super::asker::Asker;

/// How often appends are looked at that others before them hold up, and those whose
/// client waits no longer.
const LOOK: Duration = Duration::from_millis(5);

/// One append, on its way.
pub struct InFlight {
    #[allow(missing_docs)]
    pub asker: Asker,
    #[allow(missing_docs)]
    pub write: Write,
    /// Until when its client waits, if not for ever.
    pub deadline: Option<Instant>,
}

/// What became of one that was tried again.
type TriedAgain = (Asker, Arc<Write>, Line, Result<Written, Refusal>);

/// Appends that were handed over together.
struct Group {
    /// Each with its number, until it is heard.
    appends: Vec<Option<(u64, InFlight)>>,
    /// How many at the front are heard.
    heard: usize,
    /// Until all have come.
    answers: Option<Box<dyn Awaited>>,
    /// The first deadline.
    deadline: Option<Instant>,
}

impl Group {
    /// Tells what has come, each with its number.
    fn poll(&mut self, context: &mut Context<'_>, tell: &mut impl FnMut(u64, InFlight, Heard)) {
        let Self { appends, answers, .. } = self;
        let Some(awaited) = answers else { return };
        let mut heard = |place: usize, answer: Result<Appended, AppendError>| {
            // Whose client waits no longer is not there.
            if let Some((number, append)) = appends.get_mut(place).and_then(Option::take) {
                tell(number, append, Heard::of(answer));
            }
        };
        if awaited.poll_answers(context, &mut heard).is_ready() {
            *answers = None;
        }
    }

    /// The number of the first that is not heard.
    fn first(&mut self) -> Option<u64> {
        while self.appends.get(self.heard).is_some_and(Option::is_none) {
            self.heard += 1;
        }
        let first = self.appends.get(self.heard)?.as_ref();
        first.map(|(number, _)| *number)
    }

    /// Takes those out whose client waits no longer.
    fn late(&mut self, now: Instant) -> Vec<InFlight> {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let is_late = |append: &mut (u64, InFlight)| append.1.deadline.is_some_and(|at| at <= now);
        let late = self.appends.iter_mut().filter_map(|append| append.take_if(is_late));
        let late: Vec<_> = late.map(|(_, append)| append).collect();
        self.deadline = self.appends.iter().flatten().filter_map(|(_, append)| append.deadline).min();
        late
    }
}

/// The appends of one call.
pub struct Flight {
    store: Arc<dyn EventStore>,
    /// The number of the next.
    next: u64,
    /// Those that the store does not have yet.
    taken: Vec<(u64, InFlight)>,
    groups: VecDeque<Group>,
    /// By their numbers, those that are to be tried again, and what the store said.
    aside: BTreeMap<u64, (InFlight, Option<Written>)>,
    turns: Turns,
    again: FuturesUnordered<BoxFuture<'static, TriedAgain>>,
    count: usize,
    bytes: u64,
    looks: Interval,
}

impl Flight {
    /// To this store.
    pub fn to(store: Arc<dyn EventStore>) -> Self {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            store,
            next: 0,
            taken: Vec::new(),
            groups: VecDeque::new(),
            aside: BTreeMap::new(),
            turns: Turns::default(),
            again: FuturesUnordered::new(),
            count: 0,
            bytes: 0,
            looks,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes of events they have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// One more, behind the others.
    pub fn take(&mut self, append: InFlight) {
        let number = self.next;
        self.next += 1;
        self.count += 1;
        self.bytes += append.asker.bytes;
        match append.write.is_hopeful() {
            true => self.taken.push((number, append)),
            false => drop(self.aside.insert(number, (append, None))),
        }
    }

    /// Hands over what was taken, and answers what can be.
    pub fn poll(&mut self, context: &mut Context<'_>, answers: &mut Answers) {
        self.hand_over();
        self.hear(context, answers, Polled::InOrder);
        while self.count > 0 && self.looks.poll_tick(context).is_ready() {
            self.hear(context, answers, Polled::All);
            self.turn_away_the_late(answers);
        }
        self.try_again();
        while let Poll::Ready(Some(tried)) = self.again.poll_next_unpin(context) {
            let (asker, write, line, written) = tried;
            self.turns.forget(line);
            self.count -= 1;
            self.bytes -= asker.bytes;
            answers.push(&asker.answer(&write, written));
        }
    }

    fn hand_over(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let appends = std::mem::take(&mut self.taken);
        // Kept, because it may have to be tried again: the bytes are shared.
        let mut hopes = appends.iter().map(|(_, append)| append.write.hope(append.write.events.clone()));
        let answers = Some(self.store.append_each(&mut hopes));
        let deadline = appends.iter().filter_map(|(_, append)| append.deadline).min();
        let appends = appends.into_iter().map(Some).collect();
        self.groups.push_back(Group { appends, heard: 0, answers, deadline });
    }

    /// What has come of the first group, and of the next when that is over; or of
    /// all of them.
    fn hear(&mut self, context: &mut Context<'_>, answers: &mut Answers, polled: Polled) {
        let Self { groups, aside, count, bytes, .. } = self;
        let mut tell = |number, append: InFlight, heard| match heard {
            Heard::LookFirst(repeated) => drop(aside.insert(number, (append, repeated))),
            Heard::Answer(written) => {
                *count -= 1;
                *bytes -= append.asker.bytes;
                answers.push(&append.asker.answer(&append.write, written));
            }
        };
        for group in groups.iter_mut() {
            group.poll(context, &mut tell);
            if group.answers.is_some() && polled == Polled::InOrder {
                break;
            }
        }
        while groups.front().is_some_and(|group| group.answers.is_none()) {
            groups.pop_front();
        }
    }

    /// Answers those whose client waits no longer. What the store has of them it may
    /// record or not.
    fn turn_away_the_late(&mut self, answers: &mut Answers) {
        let now = Instant::now();
        let Self { groups, aside, count, bytes, .. } = self;
        let late = groups.iter_mut().flat_map(|group| group.late(now));
        let is_late = |_: &u64, (append, _): &mut (InFlight, _)| append.deadline.is_some_and(|at| at <= now);
        for append in late.chain(aside.extract_if(.., is_late).map(|(_, (append, _))| append)) {
            *count -= 1;
            *bytes -= append.asker.bytes;
            answers.push(&append.asker.refused(&Failure::TimedOut));
        }
    }

    /// What was set aside and has nothing before it that is not heard.
    fn try_again(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        let first = self.groups.iter_mut().find_map(Group::first);
        while let Some(next) = self.aside.first_entry()
            && first.is_none_or(|first| *next.key() < first)
        {
            let (append, repeated) = next.remove();
            let InFlight { asker, write, deadline } = append;
            let (turn, line) = self.turns.next(write.named.target());
            let write = Arc::new(write);
            let trying = deliberate(Arc::clone(&self.store), Arc::clone(&write), repeated, turn);
            let tried = async move {
                let written = match deadline {
                    None => trying.await,
                    Some(deadline) => match tokio::time::timeout_at(deadline, trying).await {
                        Ok(written) => written,
                        Err(_) => Err(Refusal::Failed(Failure::TimedOut)),
                    },
                };
                (asker, write, line, written)
            };
            self.again.push(tried.boxed());
        }
    }
}

/// Which groups are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polled {
    InOrder,
    All,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passing::{Otherwise, Passing};
    use crate::rules::named::Named;
    use crate::rules::write::write;
    use crate::streams::batch::tests::request;
    use factum_core::{Append, EventType, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName, Uuid};
    use factum_wire::codec;
    use factum_wire::proto::client::StreamIdentifier;
    use factum_wire::proto::streams::BatchAppendResp;
    use factum_wire::proto::streams::batch_append_resp::Result as BatchResult;
    use std::future::poll_fn;
    use std::sync::Mutex;
    use std::task::Waker;

    /// Whether the answers to a group are let through.
    #[derive(Default)]
    struct Gate(Mutex<(bool, Option<Waker>)>);

    impl Gate {
        fn open(&self) {
            let mut gate = self.0.lock().unwrap();
            gate.0 = true;
            if let Some(waiting) = gate.1.take() {
                waiting.wake();
            }
        }
    }

    /// The answers behind a gate.
    struct Gated(Arc<Gate>, Box<dyn Awaited>);

    impl Awaited for Gated {
        fn poll_answers(&mut self, context: &mut Context<'_>, tell: &mut factum_core::Tell<'_>) -> Poll<()> {
            let mut gate = self.0.0.lock().unwrap();
            if !gate.0 {
                gate.1 = Some(context.waker().clone());
                return Poll::Pending;
            }
            drop(gate);
            self.1.poll_answers(context, tell)
        }
    }

    /// A store that judges at once and answers groups when it is let.
    #[derive(Default)]
    struct Slow {
        store: MemoryStore,
        gates: Mutex<Vec<Arc<Gate>>>,
    }

    impl Slow {
        fn open(&self, group: usize) {
            self.gates.lock().unwrap()[group].open();
        }

        fn recorded(&self, stream: &str) -> Vec<u128> {
            let stream = StreamName::new(stream.to_owned()).unwrap();
            let Ok(events) = self.store.read(Read::stream(stream)) else { return Vec::new() };
            events.map(|event| event.unwrap().id.as_u128()).collect()
        }
    }

    impl Otherwise for Slow {
        fn store(&self) -> &dyn EventStore {
            &self.store
        }

        fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Awaited> {
            let gate = Arc::<Gate>::default();
            self.gates.lock().unwrap().push(Arc::clone(&gate));
            Box::new(Gated(gate, self.store.append_each(appends)))
        }
    }

    fn write_of(stream: &str, id: u128) -> Write {
        let event = NewEvent::new(EventType::new("A").unwrap(), "{}").with_id(Uuid::from_u128(id));
        let named = Named::new(StreamName::new(stream.to_owned()).unwrap()).unwrap();
        Write { named, expected: ExpectedRevision::Any, events: vec![event] }
    }

    fn append(stream: &str, id: u128) -> InFlight {
        let asker = Asker::new(request(id, stream, 0).correlation_id.unwrap(), StreamIdentifier::default());
        InFlight { asker: Asker { bytes: 1, ..asker }, write: write_of(stream, id), deadline: None }
    }

    /// What is answered in that time: what was recorded, and what was not with why.
    async fn answered(flight: &mut Flight, within: Duration) -> Vec<String> {
        let mut answers = Answers::default();
        let all = poll_fn(|context| {
            flight.poll(context, &mut answers);
            if flight.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        let _ = tokio::time::timeout(within, all).await;
        let told: Vec<BatchAppendResp> = codec::read_back(&answers.into_bytes()).unwrap();
        let told = told.into_iter().map(|answer| match answer.result.unwrap() {
            BatchResult::Success(_) => "recorded".to_owned(),
            BatchResult::Error(status) => status.message,
        });
        told.collect()
    }

    fn flight() -> (Arc<Passing<Slow>>, Flight) {
        let store = Arc::<Passing<Slow>>::default();
        (Arc::clone(&store), Flight::to(store))
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_later_is_answered_although_the_first_are_held_up() {
        let (store, mut flight) = flight();
        for (stream, id) in [("a", 1), ("b", 2)] {
            flight.take(append(stream, id));
            assert!(answered(&mut flight, Duration::ZERO).await.is_empty());
        }
        store.0.open(1);
        assert_eq!(answered(&mut flight, LOOK * 2).await, ["recorded"]);
        assert_eq!((flight.count(), flight.bytes()), (1, 1));
        store.0.open(0);
        assert_eq!(answered(&mut flight, LOOK).await, ["recorded"]);
        assert_eq!((flight.count(), flight.bytes(), flight.groups.len()), (0, 0, 0));
    }

    /// With metadata the first attempts are in vain. The second is heard first, and
    /// waits all the same.
    #[tokio::test(start_paused = true)]
    async fn what_is_tried_again_keeps_its_place() {
        let (store, mut flight) = flight();
        write(Arc::<Passing<Slow>>::clone(&store), write_of("$$a", 9)).await.unwrap();
        for id in [1, 2] {
            flight.take(append("a", id));
            assert!(answered(&mut flight, Duration::ZERO).await.is_empty());
        }
        store.0.open(1);
        assert!(answered(&mut flight, LOOK * 10).await.is_empty());
        assert_eq!((flight.aside.len(), store.0.recorded("a")), (1, vec![]));
        store.0.open(0);
        assert_eq!(answered(&mut flight, Duration::from_secs(60)).await, ["recorded", "recorded"]);
        assert_eq!(store.0.recorded("a"), [1, 2]);
        assert_eq!((flight.count(), flight.bytes()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_no_longer_is_told_so_once() {
        let (store, mut flight) = flight();
        write(Arc::<Passing<Slow>>::clone(&store), write_of("$$a", 9)).await.unwrap();
        let patience = Duration::from_millis(100);
        let until = |append: InFlight| InFlight { deadline: Some(Instant::now() + patience), ..append };
        flight.take(until(append("a", 1)));
        flight.take(append("b", 2));
        assert!(answered(&mut flight, Duration::ZERO).await.is_empty());
        flight.take(until(append("a", 3)));
        assert!(answered(&mut flight, Duration::ZERO).await.is_empty());
        // The last is refused, and waits for those before it.
        store.0.open(1);
        assert!(answered(&mut flight, patience - LOOK * 2).await.is_empty());
        assert_eq!(answered(&mut flight, LOOK * 4).await, ["Timeout", "Timeout"]);
        store.0.open(0);
        assert_eq!(answered(&mut flight, patience).await, ["recorded"]);
        assert_eq!((flight.count(), flight.bytes(), store.0.recorded("a")), (0, 0, vec![]));
    }
}
