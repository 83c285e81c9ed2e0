//! Events delivered as they are appended: one connection appends, another
//! follows, and both look at the same clock.
//!
//! ```text
//!   writer     append ──────── answered ─┐
//!   server            flush              ├─ the delay
//!   follower                   delivered ┘     (none, if it came first)
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_bench::latency::Latency;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::servers::append::{Answers, Plan, appends};
use crate::servers::book::{Book, PROBE};
use crate::servers::client::{Client, Delivered};
use crate::servers::stamp::Stamp;

/// How long a follower may take to begin, and to be given what is left.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often an event is appended to see whether it has begun.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// Appends while somebody follows; what was answered, and what was delivered in
/// the order it was.
pub async fn live<C: Client>(
    writers: &[Arc<C>],
    follower: Arc<C>,
    plan: Plan,
) -> Result<(Answers, Vec<Delivered>), Failure> {
    let (sender, mut heard) = unbounded_channel();
    let mut following = Ends(tokio::spawn(follower.follow(sender)));
    begin(&*writers[0], &mut heard, &mut following.0).await?;
    let answers = appends(writers, plan).await;
    let mut delivered = Vec::with_capacity(answers.at.len());
    let all = answers.at.len();
    let waited = tokio::time::timeout(WAIT_MAX, async {
        while delivered.len() < all {
            match heard.recv().await {
                Some((stamp, _)) if stamp.stream == PROBE => {}
                Some(event) => delivered.push(event),
                None => break,
            }
        }
    });
    match waited.await {
        Ok(()) if delivered.len() == all => Ok((answers, delivered)),
        _ => Err(format!(
            "of {all} events {} were not delivered within {} s",
            all - delivered.len(),
            WAIT_MAX.as_secs()
        )
        .into()),
    }
}

/// A task that ends when this is dropped.
struct Ends<T>(JoinHandle<T>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Appends to a stream nobody looks at until the follower hears of it.
async fn begin<C: Client>(
    writer: &C,
    heard: &mut UnboundedReceiver<Delivered>,
    following: &mut JoinHandle<Result<(), Failure>>,
) -> Result<(), Failure> {
    let asked = Instant::now();
    let mut after = None;
    for revision in 0.. {
        tokio::select! {
            ended = &mut *following => {
                ended??;
                return Err("the subscription ended".into());
            }
            event = heard.recv() => {
                if event.is_some() {
                    return Ok(());
                }
            }
            () = tokio::time::sleep(PROBE_EVERY) => {
                if asked.elapsed() > WAIT_MAX {
                    return Err("nothing is delivered".into());
                }
                after = Some(writer.append(Stamp { stream: PROBE, revision }, after).await?);
            }
        }
    }
    Ok(())
}

/// How long after it was answered each counted event was delivered.
pub fn delays(answers: &Answers, delivered: &[Delivered]) -> Latency {
    let at: HashMap<Stamp, Instant> = delivered.iter().copied().collect();
    let mut delays = Latency::new();
    for (stamp, answered) in answers.at.iter().filter(|(_, answered)| answers.is_counted(*answered)) {
        if let Some(delivered) = at.get(stamp) {
            delays.record(delivered.saturating_duration_since(*answered));
        }
    }
    delays
}

/// What was delivered, as a book.
pub fn book(delivered: &[Delivered]) -> Book {
    let mut book = Book::default();
    delivered.iter().for_each(|(stamp, _)| book.enter(*stamp));
    book
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_from_the_answer_and_never_less_than_none() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let stamp = |revision| Stamp { stream: 0, revision };
        let at_all = vec![(stamp(0), at(1)), (stamp(1), at(20)), (stamp(2), at(30))];
        let answers = Answers { at: at_all, counted: Some(at(10)..at(100)), ..Answers::default() };
        let delivered = [(stamp(0), at(500)), (stamp(1), at(25)), (stamp(2), at(29))];
        let delays = delays(&answers, &delivered);
        assert_eq!(delays.count(), 2, "the first was not counted");
        assert!((delays.max_us() - 5_000.0).abs() < 10.0, "{}", delays.max_us());
        assert!(delays.at_us(0.1) < 1.0, "{}", delays.at_us(0.1));
    }

    #[test]
    fn what_is_delivered_twice_is_in_the_book() {
        let event = (Stamp { stream: 3, revision: 0 }, Instant::now());
        book(&[event]).holds([(3, 1)]).unwrap();
        assert!(book(&[event, event]).holds([(3, 1)]).is_err());
    }
}
