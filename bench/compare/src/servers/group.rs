//! A persistent subscription: four consumers share the events of one stream,
//! and one in a hundred of these is parked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kurrentdb::{
    NakAction, PersistentSubscriptionOptions, ReadStreamOptions, StreamPosition,
    SubscribeToPersistentSubscriptionOptions,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::servers::append::STREAM_EVENTS;
use crate::servers::client::Client;
use crate::servers::clients::factum::{self, Factum};
use crate::servers::stamp::{Stamp, stream_name};

/// How many events there are to get through.
pub const EVENTS: u64 = 100_000;
/// One in so many is parked.
const PARKED_EVERY: u64 = 100;
/// How many consumers share them.
const CONSUMERS: usize = 4;
/// How many events each is given ahead of what it has answered.
const BUFFER: usize = 500;
/// The stream they are in, and the name of the group.
const STREAM: u32 = 0;
const GROUP: &str = "compare";
/// How long there may be nothing to hear before something is lost.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long it is listened for events that come again.
const LISTEN_ON: Duration = Duration::from_secs(1);
/// How long the last events may take to be parked, and how often that is looked at.
const PARKED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What became of every event.
#[derive(Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    settled: Vec<bool>,
    count: u64,
    again: u64,
}

impl Ledger {
    /// For so many events.
    pub fn new(events: u64) -> Self {
        let settled = vec![false; events as usize];
        Self(Mutex::new(Entries { settled, count: 0, again: 0 }))
    }

    /// One that was delivered, and is answered now.
    fn settle(&self, revision: u64) -> Result<(), Failure> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = entries
            .settled
            .get_mut(revision as usize)
            .ok_or_else(|| format!("revision {revision} was delivered, and never written"))?;
        if std::mem::replace(settled, true) {
            entries.again += 1;
        } else {
            entries.count += 1;
        }
        Ok(())
    }

    /// How many were answered.
    fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// An error if any was lost, or came again after it was answered.
    fn is_right(&self) -> Result<(), Failure> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = entries.settled.len() as u64;
        match (all - entries.count, entries.again) {
            (0, 0) => Ok(()),
            (0, again) => Err(format!("{again} events came again after they were answered").into()),
            (lost, _) => Err(format!("{lost} of {all} events were never delivered").into()),
        }
    }
}

/// Fills the stream.
pub async fn fill(client: &Factum<true>) -> Result<(), Failure> {
    for first in (0..EVENTS).step_by(STREAM_EVENTS as usize) {
        let events: Vec<Stamp> =
            (first..first + STREAM_EVENTS).map(|revision| Stamp { stream: STREAM, revision }).collect();
        client.fill(&events).await?;
    }
    Ok(())
}

/// Lets the consumers get through it; how long they took.
pub async fn consume(port: u16) -> Result<Duration, Failure> {
    let admin = factum::client(port)?;
    let from_start = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
    admin.create_persistent_subscription(stream_name(STREAM), GROUP, &from_start).await.map_err(is_there)?;
    let ledger = Arc::new(Ledger::new(EVENTS));
    let (say, mut words) = unbounded_channel();
    let begin = Instant::now();
    // They end when this is dropped.
    let mut consumers = JoinSet::new();
    for _ in 0..CONSUMERS {
        let (client, ledger, say) = (factum::client(port)?, Arc::clone(&ledger), say.clone());
        consumers.spawn(async move { serve(&client, &ledger, &say).await });
    }
    let took = loop {
        tokio::select! {
            Some(ended) = consumers.join_next() => {
                ended??;
                return Err("a consumer was sent away".into());
            }
            word = tokio::time::timeout(SILENCE_MAX, words.recv()) => match word {
                Ok(_) if ledger.count() == EVENTS => break begin.elapsed(),
                Ok(_) => {}
                Err(_) => ledger.is_right()?,
            }
        }
    };
    tokio::time::sleep(LISTEN_ON).await;
    ledger.is_right()?;
    // The consumers have said so; their group may still be writing it down.
    let parked_stream = format!("$persistentsubscription-{}::{GROUP}-parked", stream_name(STREAM));
    let asked = Instant::now();
    loop {
        let parked = count(&admin, &parked_stream).await?;
        if parked == EVENTS / PARKED_EVERY {
            return Ok(took);
        }
        if parked > EVENTS / PARKED_EVERY || asked.elapsed() > PARKED_WITHIN {
            return Err(
                format!("{} events were parked, and {parked} are there", EVENTS / PARKED_EVERY).into()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One consumer, until it is dropped.
async fn serve(
    client: &kurrentdb::Client,
    ledger: &Ledger,
    say: &UnboundedSender<()>,
) -> Result<(), Failure> {
    let options = SubscribeToPersistentSubscriptionOptions::default().buffer_size(BUFFER);
    let mut subscription = client
        .subscribe_to_persistent_subscription(stream_name(STREAM), GROUP, &options)
        .await
        .map_err(is_there)?;
    loop {
        let event = subscription.next().await?;
        let stamp = Stamp::of(factum::data(&event))?;
        if is_parked(stamp.revision) {
            subscription.nack(&event, NakAction::Park, "one in a hundred").await?;
        } else {
            subscription.ack(&event).await?;
        }
        ledger.settle(stamp.revision)?;
        if say.send(()).is_err() {
            return Ok(());
        }
    }
}

fn is_parked(revision: u64) -> bool {
    revision % PARKED_EVERY == PARKED_EVERY - 1
}

async fn count(client: &kurrentdb::Client, stream: &str) -> Result<u64, Failure> {
    let mut events = client.read_stream(stream, &ReadStreamOptions::default()).await?;
    let mut count = 0;
    while events.next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// A server without persistent subscriptions says so.
fn is_there(error: kurrentdb::Error) -> Failure {
    match error.is_unsupported_feature() {
        true => "not there: the server has no persistent subscriptions".into(),
        false => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_finds_what_was_lost_and_what_came_again() {
        let ledger = Ledger::new(3);
        (0..2).for_each(|revision| ledger.settle(revision).unwrap());
        assert_eq!(ledger.is_right().unwrap_err().to_string(), "1 of 3 events were never delivered");
        ledger.settle(2).unwrap();
        ledger.is_right().unwrap();
        assert_eq!(ledger.count(), 3);
        ledger.settle(1).unwrap();
        let told = ledger.is_right().unwrap_err().to_string();
        assert_eq!(told, "1 events came again after they were answered");
        assert!(ledger.settle(3).is_err());
    }

    #[test]
    fn one_in_a_hundred_is_parked() {
        let parked = (0..EVENTS).filter(|revision| is_parked(*revision)).count() as u64;
        assert_eq!(parked, EVENTS / PARKED_EVERY);
    }

    #[test]
    fn a_server_without_groups_is_told_apart() {
        let told = is_there(kurrentdb::Error::UnsupportedFeature).to_string();
        assert_eq!(told, "not there: the server has no persistent subscriptions");
        assert!(!is_there(kurrentdb::Error::AccessDenied).to_string().contains("not there"));
    }
}
