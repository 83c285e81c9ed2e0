//! Appends: callers that each write a stream of their own, one event at a time,
//! and give the next when the last is answered.
//!
//! ```text
//!   caller 0  ──── answered ───── answered ──
//!   caller 1  ─────── answered ──── answered ─
//!                │ lead-in │  counted  │ the last answers are waited for
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_bench::latency::Latency;

use crate::failure::{Failure, with_causes};
use crate::servers::book::Book;
use crate::servers::client::Client;
use crate::servers::stamp::Stamp;

/// How many, how fast, for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Each has a stream of its own, or several; never shares one.
    pub callers: u32,
    /// How many streams there are: each caller has its share of them.
    pub streams: u32,
    /// Of all callers together; `None` for as fast as it goes.
    pub per_s: Option<f64>,
    /// Before answers are counted.
    pub lead_in: Duration,
    /// While they are.
    pub time: Duration,
}

/// What was answered.
#[derive(Default)]
pub struct Answers {
    /// How long each counted answer took, in seconds.
    pub took: Vec<f32>,
    /// By stream, how many were answered, counted or not.
    pub events: Vec<(u32, u64)>,
    /// Each of these, and when it was answered; only where appends come at a pace, to be
    /// followed. Of those that come as fast as they can it would be most of what the
    /// machine writes to its memory.
    pub at: Vec<(Stamp, Instant)>,
    /// The first that was not done: of a caller, its last.
    pub refusal: Option<String>,
    /// While they were counted.
    pub counted: Option<Range<Instant>>,
}

impl Answers {
    /// Also those of another caller.
    fn add(&mut self, other: Self) {
        self.took.extend(other.took);
        self.events.extend(other.events);
        self.at.extend(other.at);
        self.refusal = self.refusal.take().or(other.refusal);
    }

    /// Whether what happened then is counted.
    pub fn is_counted(&self, at: Instant) -> bool {
        self.counted.as_ref().is_none_or(|counted| counted.contains(&at))
    }

    /// As a distribution.
    pub fn latency(&self) -> Latency {
        let mut latency = Latency::new();
        self.took.iter().for_each(|took| latency.record(Duration::from_secs_f32(*took)));
        latency
    }

    /// How many were answered, counted or not.
    pub fn count(&self) -> u64 {
        self.events.iter().map(|(_, count)| count).sum()
    }

    /// An error if any append was not done, or if what is in the store is not
    /// what was answered.
    pub fn are_in(&self, book: &Book) -> Result<(), Failure> {
        if let Some(refusal) = &self.refusal {
            return Err(format!("an append was not done: {refusal}").into());
        }
        book.holds(self.events.iter().copied())
    }
}

/// Appends until the time is over, and waits for all answers.
pub async fn appends<C: Client>(clients: &[Arc<C>], plan: Plan) -> Answers {
    let begin = Instant::now();
    let callers: Vec<_> = (0..plan.callers)
        .map(|caller| {
            let client = Arc::clone(&clients[caller as usize % clients.len()]);
            tokio::spawn(call(client, caller, plan, begin))
        })
        .collect();
    let counted = begin + plan.lead_in..begin + plan.lead_in + plan.time;
    let mut answers = Answers { counted: Some(counted), ..Answers::default() };
    for caller in callers {
        answers.add(caller.await.expect("a caller does not panic"));
    }
    answers
}

async fn call<C: Client>(client: Arc<C>, caller: u32, plan: Plan, begin: Instant) -> Answers {
    let counted = begin + plan.lead_in..begin + plan.lead_in + plan.time;
    let mut streams: Vec<(u32, u64, Option<u64>)> =
        (caller..plan.streams).step_by(plan.callers as usize).map(|stream| (stream, 0, None)).collect();
    let mut answers = Answers::default();
    for turn in 0_u64.. {
        if let Some(per_s) = plan.per_s {
            let due = (turn * u64::from(plan.callers) + u64::from(caller)) as f64 / per_s;
            tokio::time::sleep_until((begin + Duration::from_secs_f64(due)).into()).await;
        }
        let started = Instant::now();
        if started >= counted.end {
            break;
        }
        let among = turn as usize % streams.len();
        let (stream, revision, after) = &mut streams[among];
        let stamp = Stamp { stream: *stream, revision: *revision };
        match client.append(stamp, *after).await {
            Ok(answer) => {
                let now = Instant::now();
                if plan.per_s.is_some() {
                    answers.at.push((stamp, now));
                }
                if counted.contains(&now) {
                    answers.took.push((now - started).as_secs_f32());
                }
                *revision += 1;
                *after = Some(answer);
            }
            Err(failure) => {
                answers.refusal = Some(with_causes(&*failure));
                break;
            }
        }
    }
    answers.events = streams.iter().map(|(stream, count, _)| (*stream, *count)).collect();
    answers
}

/// Fills a store with streams of a thousand events each, a few at a time.
pub async fn fill<C: Client>(clients: &[Arc<C>], streams: Range<u32>) -> Result<(), Failure> {
    const AT_ONCE: u32 = 8;
    let fillers: Vec<_> = (0..AT_ONCE)
        .map(|filler| {
            let client = Arc::clone(&clients[filler as usize % clients.len()]);
            let streams = streams.clone();
            tokio::spawn(async move {
                for stream in streams.skip(filler as usize).step_by(AT_ONCE as usize) {
                    let events: Vec<Stamp> =
                        (0..STREAM_EVENTS).map(|revision| Stamp { stream, revision }).collect();
                    client.fill(&events).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for filler in fillers {
        filler.await??;
    }
    Ok(())
}

/// How many events each stream is filled with.
pub const STREAM_EVENTS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::mpsc::UnboundedSender;

    use super::*;
    use crate::servers::client::Delivered;

    /// A server in memory that loses or refuses what it is told to.
    #[derive(Default)]
    struct Fake {
        events: Mutex<Vec<Stamp>>,
        loses_every: Option<u64>,
        refuses_from: Option<u64>,
    }

    impl Client for Fake {
        async fn connect(_: u16) -> Result<Self, Failure> {
            Ok(Self::default())
        }

        async fn append(&self, event: Stamp, after: Option<u64>) -> Result<u64, Failure> {
            tokio::time::sleep(Duration::from_micros(200)).await;
            assert_eq!(after, event.revision.checked_sub(1), "what was answered is given back");
            if self.refuses_from.is_some_and(|from| event.revision >= from) {
                return Err("busy".into());
            }
            if self.loses_every.is_none_or(|every| !(event.revision + 1).is_multiple_of(every)) {
                self.events.lock().unwrap().push(event);
            }
            Ok(event.revision)
        }

        async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
            self.events.lock().unwrap().extend(events);
            Ok(())
        }

        async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
            let events = self.events.lock().unwrap().clone();
            events.iter().for_each(|event| see(&event.payload()));
            Ok(())
        }

        async fn follow(self: Arc<Self>, _: UnboundedSender<Delivered>) -> Result<(), Failure> {
            Err("nothing to follow".into())
        }
    }

    const PLAN: Plan = Plan {
        callers: 4,
        streams: 4,
        per_s: None,
        lead_in: Duration::from_millis(20),
        time: Duration::from_millis(80),
    };

    async fn run(fake: Fake, plan: Plan) -> (Answers, Result<(), Failure>) {
        let fake = Arc::new(fake);
        let answers = appends(&[Arc::clone(&fake)], plan).await;
        let mut book = Book::default();
        fake.read_all(&mut |payload| book.see(payload)).await.unwrap();
        let holds = answers.are_in(&book);
        (answers, holds)
    }

    #[tokio::test]
    async fn what_was_answered_is_there() {
        let (answers, holds) = run(Fake::default(), PLAN).await;
        holds.unwrap();
        let (counted, all) = (answers.took.len() as u64, answers.count());
        assert!((1..all).contains(&counted), "{counted} of {all}");
        assert_eq!(answers.latency().count(), counted);
        assert!(answers.at.is_empty(), "nobody follows");
    }

    #[tokio::test]
    async fn every_caller_goes_round_its_streams() {
        let (answers, holds) = run(Fake::default(), Plan { streams: 10, ..PLAN }).await;
        holds.unwrap();
        assert!(answers.events.len() == 10 && answers.events.iter().all(|(_, count)| *count > 0));
    }

    #[tokio::test]
    async fn a_server_that_loses_or_refuses_gets_no_figure() {
        let (_, holds) = run(Fake { loses_every: Some(10), ..Fake::default() }, PLAN).await;
        assert!(holds.unwrap_err().to_string().contains("came before its turn"));
        let (_, holds) = run(Fake { refuses_from: Some(5), ..Fake::default() }, PLAN).await;
        assert_eq!(holds.unwrap_err().to_string(), "an append was not done: busy");
    }

    #[tokio::test]
    async fn no_faster_than_asked() {
        let plan = Plan { per_s: Some(500.0), ..PLAN };
        let (answers, holds) = run(Fake::default(), plan).await;
        holds.unwrap();
        let most = ((plan.lead_in + plan.time).as_secs_f64() * 500.0).ceil() as usize;
        assert!((1..=most).contains(&answers.at.len()), "{} of {most}", answers.at.len());
        assert_eq!(answers.at.len() as u64, answers.count(), "who follows is told of each");
    }

    #[tokio::test]
    async fn fills_whole_streams() {
        let fake = Arc::new(Fake::default());
        fill(&[Arc::clone(&fake)], 0..20).await.unwrap();
        let mut book = Book::default();
        fake.read_all(&mut |payload| book.see(payload)).await.unwrap();
        book.holds((0..20).map(|stream| (stream, STREAM_EVENTS))).unwrap();
    }
}
