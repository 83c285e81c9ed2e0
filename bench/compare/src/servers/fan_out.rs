//! A thousand subscribers, each with a filter for a stream of its own, while
//! one client appends to all of these streams.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use factum_bench::latency::Latency;
use kurrentdb::{StreamPosition, SubscribeToAllOptions, SubscriptionEvent, SubscriptionFilter};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::servers::append::{Answers, Plan, appends};
use crate::servers::client::{Client, Delivered};
use crate::servers::clients::factum;
use crate::servers::live::{book, delays};
use crate::servers::stamp::{Stamp, stream_name};

/// How many subscribers there are, each for one stream.
pub const SUBSCRIBERS: u32 = 1_000;
/// How many of them share a connection.
const PER_CONNECTION: u32 = 100;
/// How long they may take to begin, and to be given what is left.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Who is given an event so long after it was answered is behind.
const BEHIND_AFTER: Duration = Duration::from_secs(1);

/// What a subscriber has to say.
enum Word {
    Begun,
    Given(u32, Stamp, Instant),
    Ended(Failure),
}

/// What came of it.
pub struct FanOut {
    /// What was appended.
    pub answers: Answers,
    /// From the answer to the delivery.
    pub delays: Latency,
    /// How many subscribers were behind.
    pub behind: u64,
}

/// Appends while all of them listen.
pub async fn fan_out<C: Client>(port: u16, writers: &[Arc<C>], plan: Plan) -> Result<FanOut, Failure> {
    let (say, mut words) = unbounded_channel();
    // They end when this is dropped.
    let mut subscribers = JoinSet::new();
    for first in (0..SUBSCRIBERS).step_by(PER_CONNECTION as usize) {
        let client = factum::client(port)?;
        for subscriber in first..(first + PER_CONNECTION).min(SUBSCRIBERS) {
            let (client, say) = (client.clone(), say.clone());
            subscribers.spawn(async move {
                let ended = listen(&client, subscriber, &say).await;
                let _ = say.send(Word::Ended(ended.err().unwrap_or_else(|| "a subscription ended".into())));
            });
        }
    }
    let begun = tokio::time::timeout(WAIT_MAX, async {
        for _ in 0..SUBSCRIBERS {
            if let Some(Word::Ended(failure)) = words.recv().await {
                return Err(failure);
            }
        }
        Ok(())
    });
    begun.await.map_err(|_| format!("{SUBSCRIBERS} subscriptions did not begin"))??;

    let answers = appends(writers, plan).await;
    let mut delivered = Vec::with_capacity(answers.at.len());
    let heard = tokio::time::timeout(WAIT_MAX, async {
        while delivered.len() < answers.at.len() {
            match words.recv().await {
                Some(Word::Given(subscriber, stamp, at)) if subscriber == stamp.stream => {
                    delivered.push((stamp, at));
                }
                Some(Word::Given(subscriber, stamp, _)) => {
                    let name = stamp.stream_name();
                    return Err(format!("subscriber {subscriber} was given an event of {name}").into());
                }
                Some(Word::Ended(failure)) => return Err(failure),
                Some(Word::Begun) | None => {}
            }
        }
        Ok::<_, Failure>(())
    });
    match heard.await {
        Ok(ended) => ended?,
        Err(_) => {
            let missing = answers.at.len() - delivered.len();
            return Err(format!("{missing} events were never delivered").into());
        }
    }
    answers.are_in(&book(&delivered))?;
    let delays = delays(&answers, &delivered);
    let behind = behind(&answers, &delivered);
    Ok(FanOut { answers, delays, behind })
}

async fn listen(
    client: &kurrentdb::Client,
    subscriber: u32,
    say: &UnboundedSender<Word>,
) -> Result<(), Failure> {
    let filter = SubscriptionFilter::on_stream_name().add_prefix(stream_name(subscriber));
    let options = SubscribeToAllOptions::default().position(StreamPosition::End).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    loop {
        let word = match subscription.next_subscription_event().await? {
            SubscriptionEvent::Confirmed(_) => Word::Begun,
            SubscriptionEvent::EventAppeared(event) => {
                Word::Given(subscriber, Stamp::of(factum::data(&event))?, Instant::now())
            }
            _ => continue,
        };
        if say.send(word).is_err() {
            return Ok(());
        }
    }
}

/// How many streams had an event delivered too long after it was answered.
fn behind(answers: &Answers, delivered: &[Delivered]) -> u64 {
    let answered: HashMap<Stamp, Instant> = answers.at.iter().copied().collect();
    let is_late =
        |(stamp, at): &&Delivered| answered.get(stamp).is_some_and(|answered| *at > *answered + BEHIND_AFTER);
    let streams: HashSet<u32> = delivered.iter().filter(is_late).map(|(stamp, _)| stamp.stream).collect();
    streams.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_is_who_gets_an_event_long_after_its_answer() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let stamp = |stream, revision| Stamp { stream, revision };
        let at_all = vec![(stamp(0, 0), at(0)), (stamp(1, 0), at(100)), (stamp(1, 1), at(90))];
        let answers = Answers { at: at_all, ..Answers::default() };
        let late = [(stamp(0, 0), at(1_000)), (stamp(1, 0), at(1_101)), (stamp(1, 1), at(2_000))];
        assert_eq!(behind(&answers, &late), 1);
        assert_eq!(behind(&answers, &late[..1]), 0);
        assert_eq!(behind(&Answers::default(), &[]), 0);
    }
}
