//! What the tail promises, over histories nobody would think of: a plain list of
//! events is the judge.

use factum_core::{ContentType, EventType, Revision, Tags, Timestamp, Uuid};
use factum_wire::filter::Of;
use factum_wire::proto::streams::read_req::options::FilterOptions;
use factum_wire::proto::streams::read_req::options::filter_options::{Expression, Filter as Subject, Window};

use super::*;
use crate::dice::steps;

/// An event as a store gives it.
pub fn event(position: u64, stream: &str, event_type: &str, bytes: usize) -> Arc<RecordedEvent> {
    Arc::new(RecordedEvent {
        position: Position::new(position),
        stream: StreamName::new(stream.to_owned()).unwrap(),
        revision: Revision::FIRST,
        recorded_at: Timestamp::from_micros(0),
        id: Uuid::nil(),
        event_type: EventType::new(event_type.to_owned()).unwrap(),
        schema_version: 1,
        content_type: ContentType::Json,
        data: vec![b'x'; bytes].into(),
        metadata: Vec::new().into(),
        tags: Tags::none(),
        occurred_at: None,
        correlation_id: None,
        causation_id: None,
    })
}

impl Tail {
    /// Everything before this position was handed out.
    pub fn end(&self) -> u64 {
        self.0.lock().board.end()
    }
}

/// A filter of prefixes.
pub fn prefixes(of: Of, prefixes: &[&str], checkpoint_every: u32) -> Filter {
    let prefix = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    filter(of, Expression { regex: String::new(), prefix }, checkpoint_every)
}

/// A filter by an expression.
pub fn expression(of: Of, regex: &str, checkpoint_every: u32) -> Filter {
    filter(of, Expression { regex: regex.to_owned(), prefix: Vec::new() }, checkpoint_every)
}

fn filter(of: Of, expression: Expression, checkpoint_every: u32) -> Filter {
    let subject = match of {
        Of::Stream => Subject::StreamIdentifier(expression),
        Of::Type => Subject::EventType(expression),
    };
    let window = Some(Window::Max(checkpoint_every));
    let options = FilterOptions { filter: Some(subject), window, checkpoint_interval_multiplier: 1 };
    Filter::decode(options, true).unwrap()
}

const STREAMS: [&str; 5] = ["cart-1", "cart-12", "car", "order-7", "$$cart-1"];
const TYPES: [&str; 4] = ["Item", "ItemAdded", "Paid", "$metadata"];

/// Followers may want this.
fn interest(dice: u8) -> Interest {
    let filter = |filter| Interest::of(&Arc::new(filter)).unwrap();
    match dice % 10 {
        0 => Interest::Everything,
        1 => Interest::Stream(StreamName::new("cart-1").unwrap()),
        2 => Interest::Stream(StreamName::new("none").unwrap()),
        3 => filter(prefixes(Of::Stream, &["cart-1"], 32)),
        4 => filter(prefixes(Of::Stream, &["cart", "cart-12", "order"], 3)),
        5 => filter(prefixes(Of::Type, &["Item", "Gone"], 7)),
        6 => filter(prefixes(Of::Type, &["Gone"], 32)),
        7 => filter(expression(Of::Type, r"^(?!\$)", 32)),
        8 => filter(expression(Of::Type, r"^(?!\$)", 5)),
        _ => filter(expression(Of::Stream, "^Gone", 10)),
    }
}

fn wants(interest: &Interest, event: &RecordedEvent) -> bool {
    match interest {
        Interest::Everything => true,
        Interest::Stream(name) => event.stream == *name,
        Interest::Prefixes(filter) | Interest::Expression(filter) => filter.matches(event).unwrap(),
    }
}

struct Follower {
    interest: Interest,
    every: Option<u64>,
    seat: Option<Seat>,
    /// It has all it wants before this.
    next: u64,
    /// Where it began, and what it was given since.
    began: u64,
    given: Vec<u64>,
    checkpoint: Option<u64>,
}

#[derive(Default)]
struct World {
    log: Vec<Arc<RecordedEvent>>,
    tail: Tail,
    following: Option<Following>,
    /// Up to where the task has come.
    handed_out: usize,
    to_sieve: Vec<u64>,
    followers: Vec<Follower>,
}

impl World {
    fn step(&mut self, action: u8, dice: u8) {
        let n = usize::from(dice);
        let chosen = n % self.followers.len().max(1);
        match action % 16 {
            0..=3 => self.append(1 + n % 5, dice),
            // Sometimes more than anybody has room for.
            4 => self.append(n * n / 64, dice),
            5..=7 => self.hand_out(1 + n % BATCH_MAX),
            8 => self.sieve(n),
            9 => self.begin(dice),
            10 if !self.followers.is_empty() => self.read(chosen, 1 + n % 7),
            11 if !self.followers.is_empty() => self.read(chosen, usize::MAX),
            12 if !self.followers.is_empty() => self.sit_down(chosen),
            13 | 14 if !self.followers.is_empty() => self.hear(chosen, n),
            15 if n < 40 => self.following = None,
            15 if n < 80 && !self.followers.is_empty() => drop(self.followers.swap_remove(chosen)),
            _ => {}
        }
    }

    fn append(&mut self, count: usize, dice: u8) {
        for nth in 0..count {
            let dice = usize::from(dice) + nth * nth;
            let (stream, event_type) = (STREAMS[dice % STREAMS.len()], TYPES[dice / 7 % TYPES.len()]);
            self.log.push(event(self.log.len() as u64, stream, event_type, dice % 3));
        }
    }

    fn hand_out(&mut self, count: usize) {
        if self.following.is_some() {
            let end = self.log.len().min(self.handed_out + count);
            self.to_sieve.extend(self.tail.0.hand_out(&self.log[self.handed_out..end]).0);
            self.handed_out = end;
        }
    }

    fn sieve(&mut self, n: usize) {
        if !self.to_sieve.is_empty() {
            let sieve = self.to_sieve.swap_remove(n % self.to_sieve.len());
            let at_work = AtWork { shared: Some(Arc::clone(&self.tail.0)), sieve };
            // Sometimes its thread is taken away.
            if !n.is_multiple_of(16) {
                at_work.run();
            }
        }
    }

    fn begin(&mut self, dice: u8) {
        if self.followers.len() < 24 {
            let interest = interest(dice);
            let every = match &interest {
                Interest::Prefixes(filter) | Interest::Expression(filter) => Some(filter.checkpoint_every),
                _ => None,
            };
            let began = self.log.len() as u64 / u64::from(1 + dice / 64);
            let (next, given) = (began, Vec::new());
            self.followers.push(Follower {
                interest,
                every,
                seat: None,
                next,
                began,
                given,
                checkpoint: None,
            });
        }
    }

    /// By itself, as far as it may.
    fn read(&mut self, at: usize, max: usize) {
        let Self { log, followers, .. } = self;
        let follower = &mut followers[at];
        let end = follower.seat.as_ref().map_or(log.len() as u64, |seat| seat.from().get());
        assert!(end <= log.len() as u64, "it is told from a place that is not there yet");
        while follower.next < end && follower.given.len() < max {
            if wants(&follower.interest, &log[follower.next as usize]) {
                follower.given.push(follower.next);
            }
            follower.next += 1;
        }
    }

    fn sit_down(&mut self, at: usize) {
        let follower = &mut self.followers[at];
        if follower.seat.is_none() {
            let mut state = self.tail.0.lock();
            if !state.is_followed {
                self.tail.0.begin_at(&mut state, self.log.len() as u64);
                self.handed_out = self.log.len();
                self.following = Some(Following(Arc::clone(&self.tail.0)));
            }
            let every = follower.every.map(|events| Every { events, by: follower.next + events - 1 });
            let seat = self.tail.seat(&mut state, follower.interest.clone(), follower.next, every);
            assert!(seat.from().get() >= follower.next);
            follower.seat = Some(seat);
        }
    }

    fn hear(&mut self, at: usize, max: usize) {
        let Self { log, followers, .. } = self;
        let follower = &mut followers[at];
        let is_ready = follower.seat.as_ref().is_some_and(|seat| follower.next >= seat.from().get());
        let passes_over = |follower: &Follower, until: u64| {
            assert!(follower.next <= until, "{until} comes after {}", follower.next);
            let passed = &log[follower.next as usize..until as usize];
            assert!(!passed.iter().any(|event| wants(&follower.interest, event)), "something is left out");
        };
        for _ in 0..max {
            let Some(said) = follower.seat.as_ref().filter(|_| is_ready).and_then(Seat::next) else { return };
            match said {
                Said::Event(event) => {
                    let position = event.position.get();
                    assert_eq!(event, log[position as usize]);
                    passes_over(follower, position);
                    assert!(wants(&follower.interest, &event), "nobody asked for {event:?}");
                    follower.given.push(position);
                    follower.next = position + 1;
                }
                Said::Checkpoint(position) => {
                    let position = position.get();
                    assert!(follower.checkpoint < Some(position) && follower.every.is_some());
                    follower.checkpoint = Some(position);
                    if position + 1 != follower.next {
                        passes_over(follower, position + 1);
                    }
                    follower.next = position + 1;
                }
                Said::Off(from) => {
                    passes_over(follower, from.get());
                    follower.next = from.get();
                    follower.seat = None;
                }
            }
        }
    }

    /// All that was begun goes on until nothing happens any more.
    fn come_to_an_end(mut self) {
        for at in 0..self.followers.len() {
            self.sit_down(at);
        }
        while self.following.is_some() && self.handed_out < self.log.len() || !self.to_sieve.is_empty() {
            self.hand_out(BATCH_MAX);
            self.to_sieve.drain(..).for_each(|sieve| self.tail.0.sieve(sieve));
        }
        let end = self.log.len() as u64;
        for at in 0..self.followers.len() {
            self.read(at, usize::MAX);
            self.hear(at, usize::MAX);
            if self.followers[at].seat.is_none() {
                self.read(at, usize::MAX);
            }
            let Follower { interest, every, seat, next, began, given, .. } = &self.followers[at];
            let wanted = (*began..end).filter(|position| wants(interest, &self.log[*position as usize]));
            assert!(wanted.eq(given.iter().copied()), "{interest:?}");
            if let (Some(every), Some(seat)) = (every, seat) {
                let looked_at_last = end.max(seat.from().get());
                assert!(looked_at_last - next < *every, "it was told nothing for too long: {interest:?}");
            }
        }
        self.followers.clear();
        let state = self.tail.0.lock();
        assert!(state.board.is_empty());
    }
}

fn live_through(steps: &[(u8, u8)]) {
    let mut world = World::default();
    for (action, dice) in steps {
        world.step(*action, *dice);
    }
    world.come_to_an_end();
}

#[test]
fn everyone_is_told_what_they_want_once_and_in_order_whatever_happens() {
    bolero::check!().with_type::<Vec<(u8, u8)>>().for_each(|steps| live_through(steps));
}

/// The same, but longer, from seeds.
#[test]
fn long_lives_end_well_too() {
    for seed in 1..=100_u64 {
        live_through(&steps(seed, 800));
    }
}

/// One event after another, handed out.
fn happens(tail: &Tail, events: &[Arc<RecordedEvent>]) -> Vec<u64> {
    let mut state = tail.0.lock();
    if !state.is_followed {
        tail.0.begin_at(&mut state, 0);
    }
    drop(state);
    tail.0.hand_out(events).0
}

fn sit(tail: &Tail, interest: Interest, next: u64) -> Seat {
    tail.seat(&mut tail.0.lock(), interest, next, None)
}

#[test]
fn an_expression_holds_nobody_up() {
    let tail = Tail::default();
    happens(&tail, &[]);
    let by = |regex| Interest::of(&Arc::new(expression(Of::Type, regex, 32))).unwrap();
    let (one, hostile) = (sit(&tail, by("^A"), 0), sit(&tail, by("^(a|b|ab)*(?>c)"), 0));
    let other = sit(&tail, Interest::Everything, 0);
    let long = format!("{}dc", "ab".repeat(28));
    let sieves = happens(&tail, &[event(0, "s", "A", 0), event(1, "s", &long, 0), event(2, "s", "A", 0)]);
    assert_eq!(sieves.len(), 2, "one for each expression");
    assert!(matches!(other.next(), Some(Said::Event(event)) if event.position.get() == 0));
    assert!(one.next().is_none() && hostile.next().is_none());
    assert_eq!(happens(&tail, &[event(3, "s", "A", 0)]), [0; 0], "somebody is at work already");
    sieves.iter().for_each(|sieve| tail.0.sieve(*sieve));
    let positions: Vec<_> = std::iter::from_fn(|| one.next()).collect();
    assert_eq!(positions.len(), 3, "{positions:?}");
    // Reading by itself, it finds out what is wrong.
    assert!(matches!(hostile.next(), Some(Said::Off(from)) if from.get() == 1));
}

#[test]
fn an_expression_that_comes_too_late_is_tried_by_everyone_for_themselves() {
    let tail = Tail::default();
    happens(&tail, &[]);
    let by = Interest::of(&Arc::new(expression(Of::Type, "^A", 32))).unwrap();
    let seat = sit(&tail, by, 0);
    let many: Vec<_> = (0..recent::EVENTS_MAX as u64).map(|at| event(at, "s", "A", 0)).collect();
    let sieves = happens(&tail, &many);
    let more: Vec<_> = many.iter().map(|event| event.position.get() + many.len() as u64).collect();
    more.into_iter().for_each(|at| drop(happens(&tail, &[event(at, "s", "A", 0)])));
    sieves.iter().for_each(|sieve| tail.0.sieve(*sieve));
    assert!(matches!(seat.next(), Some(Said::Off(from)) if from.get() == 0));
}

#[test]
fn followers_with_the_same_expression_share_it() {
    let tail = Tail::default();
    happens(&tail, &[]);
    let by = |of, regex| Interest::of(&Arc::new(expression(of, regex, 32))).unwrap();
    let seats = [
        sit(&tail, by(Of::Type, "^A"), 0),
        sit(&tail, by(Of::Type, "^A"), 0),
        sit(&tail, by(Of::Stream, "^A"), 0),
    ];
    let sieves = happens(&tail, &[event(0, "s", "A", 0)]);
    assert_eq!(sieves.len(), 2);
    sieves.iter().for_each(|sieve| tail.0.sieve(*sieve));
    assert_eq!(seats.each_ref().map(|seat| seat.next().is_some()), [true, true, false]);
}

async fn until(holds: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it took too long");
}

#[tokio::test]
async fn the_task_begins_with_the_first_and_ends_with_the_last() {
    let store = factum_core::MemoryStore::new();
    let tail = Tail::default();
    let is_followed = || tail.0.lock().is_followed;
    for _ in 0..3 {
        let first = tail.join(&store, Interest::Everything, Position::FIRST, None).unwrap();
        let second = tail.join(&store, Interest::Everything, Position::FIRST, None).unwrap();
        assert_eq!(first.from(), second.from());
        drop(first);
        tokio::task::yield_now().await;
        assert!(is_followed());
        drop(second);
        until(|| !is_followed()).await;
        assert!(tail.0.lock().board.is_empty());
    }
}

/// Nothing is kept once nobody can ask for it.
#[tokio::test]
async fn what_is_kept_goes_with_the_last_one() {
    use factum_core::{Append, EventStore, ExpectedRevision, NewEvent};
    let store = factum_core::MemoryStore::new();
    let tail = Tail::default();
    let seat = tail.join(&store, Interest::Everything, Position::FIRST, None).unwrap();
    let name = StreamName::new("s").unwrap();
    let one = NewEvent::json("A", &().into()).unwrap();
    store.append(Append::to(name, ExpectedRevision::Any, [one])).unwrap();
    tokio::time::timeout(Duration::from_secs(30), seat.ready()).await.unwrap();
    let is_kept = || tail.0.recent.read().unwrap().at(0).is_some();
    assert!(is_kept());
    assert!(matches!(seat.next(), Some(Said::Event(_))));
    drop(seat);
    until(|| !is_kept()).await;
}

/// Who wants an event does not wait for those who have time.
#[tokio::test(start_paused = true)]
async fn checkpoints_come_later_and_events_at_once() {
    use factum_core::{Append, EventStore, ExpectedRevision, NewEvent};
    let store = factum_core::MemoryStore::new();
    let append = |event_type: &str| {
        let one = NewEvent::json(event_type, &().into()).unwrap();
        store.append(Append::to(StreamName::new("s").unwrap(), ExpectedRevision::Any, [one])).unwrap();
    };
    let tail = Tail::default();
    let wants = |text: &str| Interest::of(&Arc::new(prefixes(Of::Type, &[text], 1))).unwrap();
    let every = Some(Every { events: 1, by: 0 });
    let seat = |text| tail.join(&store, wants(text), Position::FIRST, every).unwrap();
    let (soon, late) = (seat("A"), seat("B"));
    let begun = tokio::time::Instant::now();
    append("A");
    soon.ready().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(matches!(soon.next(), Some(Said::Event(_))));
    assert!(matches!(soon.next(), Some(Said::Checkpoint(_))));
    // It lies ready for whoever looks.
    assert!(matches!(late.next(), Some(Said::Checkpoint(at)) if at.get() == 0));
    // Of those that become due meanwhile it is told the last.
    let begun = tokio::time::Instant::now();
    let heard = tokio::spawn(async move {
        late.ready().await;
        (begun.elapsed(), late.next())
    });
    tokio::task::yield_now().await;
    for _ in 0..2 {
        append("A");
        soon.ready().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        while soon.next().is_some() {}
    }
    let (waited, said) = heard.await.unwrap();
    assert!(waited >= LATER, "that was too much haste for a checkpoint");
    assert!(matches!(said, Some(Said::Checkpoint(at)) if at.get() == 2));
}
