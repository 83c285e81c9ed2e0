//! A group at work: one task that feeds its machine and does what comes out.
//!
//! ```text
//!   cursor ──pages──►┐                  ┌──► a channel for each consumer
//!   parked ──pages──►│  Group (decides) │
//!   commands ───────►│                  ├──► one append at a time
//!   time ───────────►┘                  └──► answers
//! ```
//!
//! The task waits for nobody: a consumer that does not read has no room, and
//! what reads and writes the store goes on beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{AppendError, Clock, EventStore};
use factum_wire::Failure;
use factum_wire::groups::member::Verdict;
use factum_wire::groups::{GroupInfo, GroupKey, MemberInfo};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::blocking::blocking;
use crate::failure;
use crate::rules::standing::Standing;
use crate::serve::Services;
use crate::stopping::Stopping;

use super::checkpoint::Checkpoint;
use super::config::GroupConfig;
use super::cursor::{self, Cursor, Fetched, Found};
use super::group::{Group, Write};
use super::ledger::Ledger;
use super::member::MemberId;
use super::parked;
use super::progress::Progress;
use super::rate::Rate;
use super::shown::Shown;
use super::times::Times;

/// How often the machine is asked for what takes too long or is due.
const TICK: Duration = Duration::from_millis(200);

/// How many commands are taken before events go out.
const COMMANDS_MAX: usize = 256;

/// How long the last write may take.
pub const LAST_WRITE: Duration = Duration::from_secs(2);

/// What is asked of a group.
pub enum Command {
    Join(Join, oneshot::Sender<Result<Joined, Failure>>),
    Leave(MemberId),
    /// It did what nobody understands.
    Expel(MemberId, Failure),
    Ack(MemberId, Vec<Uuid>),
    Nack(MemberId, Vec<Uuid>, Verdict, String),
    Info(oneshot::Sender<Result<Stands, Failure>>),
    /// Parked events before this revision are to come again.
    Replay(Option<u64>, oneshot::Sender<Result<(), Failure>>),
    /// Parked events before this revision are given up.
    Truncate(Option<u64>, oneshot::Sender<Result<(), Failure>>),
    /// Everybody is told this, and it is over.
    End(Failure, LastWrite),
}

/// Whether a group that ends writes down how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastWrite {
    Yes,
    /// There is nothing to come back to.
    No,
}

/// A consumer that joins.
pub struct Join {
    pub slots: usize,
    /// Its address, and what it calls itself.
    pub from: String,
    pub name: String,
}

/// A consumer that has joined.
pub struct Joined {
    pub id: MemberId,
    pub events: mpsc::Receiver<(Arc<Shown>, u32)>,
    /// Why it is no longer a consumer.
    pub end: oneshot::Receiver<Failure>,
}

/// How a group stands, but for what only the store knows.
pub struct Stands {
    pub info: GroupInfo,
    /// What of the parked events is done.
    pub parked: Progress,
    /// Everything before this revision, or position, is done.
    pub low: u64,
    /// Before which it has read everything, if it does not read on: there is no
    /// room for more.
    pub rests_at: Option<u64>,
}

struct Outlet {
    events: mpsc::Sender<(Arc<Shown>, u32)>,
    end: oneshot::Sender<Failure>,
    from: String,
    name: String,
    rate: Rate,
}

/// Whoever waits for an answer.
type Answer = oneshot::Sender<Result<(), Failure>>;

/// What is under way beside the task; `None` if nothing is.
type Work<T> = Option<BoxFuture<'static, T>>;

struct Runner {
    services: Services,
    key: GroupKey,
    config: GroupConfig,
    group: Group<Arc<Shown>>,
    outlets: BTreeMap<MemberId, Outlet>,
    cursor: Option<Cursor>,
    ledger: Option<Ledger>,
    turning: Work<(Option<Cursor>, cursor::Page)>,
    fetching: Work<Result<Fetched, Failure>>,
    replaying: Work<Result<parked::Page, Failure>>,
    writing: Work<(Ledger, Result<Written, Failure>)>,
    /// Where parked events stand, for whom, and what is then to be done.
    looking: Work<Result<(u64, u64), Failure>>,
    looked_for: Option<(Wish, Option<u64>, Answer)>,
    is_live: bool,
    /// Whether there is a checkpoint.
    is_written: bool,
    rate: Rate,
}

#[derive(Clone, Copy)]
enum Wish {
    Replay,
    Truncate,
}

/// Runs a group until it is ended or the server stops. `before` is the task
/// that ran it last, which must be over.
pub async fn run(
    services: Services,
    key: GroupKey,
    config: GroupConfig,
    before: Option<tokio::task::JoinHandle<()>>,
    mut commands: mpsc::Receiver<Command>,
    stopping: Stopping,
) {
    if let Some(before) = before {
        // However it ended, it no longer writes.
        let _ = before.await;
    }
    let opened = match Runner::open(services, key, config).await {
        Ok(runner) => runner.begun().await,
        Err(failure) => Err(failure),
    };
    match opened {
        Ok(runner) => runner.run(commands, stopping).await,
        Err(failure) => {
            commands.close();
            while let Some(command) = commands.recv().await {
                command.refuse(&failure);
            }
        }
    }
}

impl Command {
    fn refuse(self, failure: &Failure) {
        // Whoever no longer waits for it need not be told.
        match self {
            Self::Join(_, reply) => drop(reply.send(Err(failure.clone()))),
            Self::Info(reply) => drop(reply.send(Err(failure.clone()))),
            Self::Replay(_, reply) | Self::Truncate(_, reply) => drop(reply.send(Err(failure.clone()))),
            Self::Leave(_) | Self::Expel(..) | Self::Ack(..) | Self::Nack(..) | Self::End(..) => {}
        }
    }
}

/// The result of what is under way; never, if nothing is.
async fn done<T>(work: &mut Work<T>) -> T {
    match work {
        Some(under_way) => {
            let result = under_way.await;
            *work = None;
            result
        }
        None => std::future::pending().await,
    }
}

impl Runner {
    async fn open(services: Services, key: GroupKey, config: GroupConfig) -> Result<Self, Failure> {
        let (at, of, how) = (services.clone(), key.clone(), config.clone());
        let (store, now) = (Arc::clone(&services.store), services.clock.now());
        let (ledger, checkpoint, cursor, is_written, parked) = blocking(move || {
            let (ledger, found) = Ledger::open(&*at.store, of.clone())?;
            let is_written = found.is_some();
            let checkpoint = found.unwrap_or_else(|| Checkpoint::beginning_at(how.begins));
            let cursor = match Cursor::open(at.store, at.clock, &of, &how, checkpoint.source.low) {
                Ok(cursor) => Some(cursor),
                // What is parked can still be delivered.
                Err(Failure::StreamDeleted { .. }) => None,
                Err(failure) => return Err(failure),
            };
            let strategy = how.settings.strategy;
            let parked = match strategy.parks_sequences() {
                true => parked::sequences(&*store, ledger.parked(), checkpoint.parked.low, strategy, now)?,
                false => Vec::new(),
            };
            Ok((ledger, checkpoint, cursor, is_written, parked))
        })
        .await?;
        let mut group = Group::new(config.settings.clone(), checkpoint);
        for (at, sequence) in parked {
            group.was_parked(at, sequence);
        }
        Ok(Self {
            services,
            key,
            group,
            config,
            outlets: BTreeMap::new(),
            cursor,
            ledger: Some(ledger),
            turning: None,
            fetching: None,
            replaying: None,
            writing: None,
            looking: None,
            looked_for: None,
            is_live: false,
            is_written,
            rate: Rate::default(),
        })
    }

    /// Has read what is there, or a page of it: the first that asks is told how
    /// the group stands, and not that it was only just begun.
    async fn begun(mut self) -> Result<Self, Failure> {
        if let Some(cursor) = self.cursor.take() {
            let (cursor, page) = cursor.turn(self.group.wants()).await;
            if let Some(failure) = self.take_page(cursor, page) {
                return Err(failure);
            }
        }
        Ok(self)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut stopping: Stopping) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let begun = ticks.tick().await;
        let (end, last_write) = loop {
            self.begin_work();
            tokio::select! {
                command = commands.recv() => {
                    self.group.time(begun.elapsed());
                    let mut next = command;
                    let mut end = None;
                    for taken in 1.. {
                        match next {
                            Some(Command::End(failure, last_write)) => end = Some((failure, last_write)),
                            Some(command) => self.obey(command),
                            // Nobody can reach it any more.
                            None => end = Some((self.dropped(), LastWrite::Yes)),
                        }
                        // What was taken is obeyed: nothing is taken that could not be.
                        if end.is_some() || taken == COMMANDS_MAX {
                            break;
                        }
                        next = match commands.try_recv() {
                            Ok(command) => Some(command),
                            Err(_) => break,
                        };
                    }
                    if let Some(end) = end {
                        break end;
                    }
                }
                (cursor, page) = done(&mut self.turning) => {
                    if let Some(failure) = self.take_page(cursor, page) {
                        break (failure, LastWrite::Yes);
                    }
                }
                fetched = done(&mut self.fetching) => self.take_fetched(fetched),
                page = done(&mut self.replaying) => self.take_parked(page),
                (ledger, written) = done(&mut self.writing) => self.take_written(ledger, written),
                range = done(&mut self.looking) => self.take_range(range),
                _ = ticks.tick() => {
                    self.group.tick();
                    self.measure(begun.elapsed());
                }
                () = stopping.said() => break (Failure::NotReady, LastWrite::Yes),
            }
            self.group.time(begun.elapsed());
            self.deliver();
        };
        commands.close();
        if last_write == LastWrite::Yes {
            // What cannot be written now comes again after the next start.
            let _ = tokio::time::timeout(LAST_WRITE, self.finish()).await;
        }
        for outlet in self.outlets.into_values() {
            let _ = outlet.end.send(end.clone());
        }
        while let Some(command) = commands.recv().await {
            command.refuse(&end);
        }
    }

    /// Begins whatever can be done beside the task and is not under way.
    fn begin_work(&mut self) {
        let wanted = self.group.wants();
        let batch = self.config.settings.read_batch_size as usize;
        // Whether somebody is there to be given events or not.
        if wanted >= batch
            && self.turning.is_none()
            && let Some(cursor) = self.cursor.take()
        {
            self.turning = Some(cursor.turn(wanted).boxed());
        }
        if self.fetching.is_none() {
            let places = self.group.wants_aside();
            if !places.is_empty() {
                let (at, key, config) = (self.services.clone(), self.key.clone(), self.config.clone());
                let fetch = move || cursor::fetch(&at, &key, &config, &places);
                self.fetching = Some(blocking(fetch).boxed());
            }
        }
        if self.replaying.is_none()
            && let (Some(range), Some(ledger)) = (self.group.wants_parked(), &self.ledger)
        {
            let (at, parked) = (self.services.clone(), ledger.parked().clone());
            let read = move || parked::read(&*at.store, &parked, range, wanted.max(1), at.clock.now());
            self.replaying = Some(blocking(read).boxed());
        }
        if self.writing.is_none()
            && let Some(ledger) = self.ledger.take()
        {
            match self.group.write_due() {
                Some(write) => self.begin_write(ledger, write),
                None => self.ledger = Some(ledger),
            }
        }
    }

    fn begin_write(&mut self, ledger: Ledger, write: Write<Arc<Shown>>) {
        let Services { store, clock, .. } = self.services.clone();
        self.writing = Some(write_down(store, clock, ledger, write).boxed());
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Join(join, reply) => {
                // Somebody who no longer waits for it must not be a consumer.
                if let Err(Ok(joined)) = reply.send(self.join(join)) {
                    self.leave(joined.id);
                }
            }
            Command::Leave(id) => self.leave(id),
            Command::Expel(id, failure) => self.expel(id, failure),
            Command::Ack(id, ids) => self.group.ack(id, &ids),
            Command::Nack(id, ids, verdict, reason) => {
                // What is free by now is for those that have waited for longer.
                if verdict == Verdict::Retry {
                    self.deliver();
                }
                self.group.nack(id, &ids, verdict, &reason);
                if verdict == Verdict::Stop {
                    self.expel(id, self.dropped());
                }
            }
            Command::Info(reply) => drop(reply.send(Ok(self.stands()))),
            Command::Replay(until, reply) => self.look(Wish::Replay, until, reply),
            Command::Truncate(until, reply) => self.look(Wish::Truncate, until, reply),
            // The loop has its own way with it.
            Command::End(..) => {}
        }
    }

    fn join(&mut self, join: Join) -> Result<Joined, Failure> {
        let full = || Failure::GroupFull { group: self.key.clone() };
        let id = self.group.join(join.slots).ok_or_else(full)?;
        let (events, receiver) = mpsc::channel(join.slots);
        let (end, ended) = oneshot::channel();
        let Join { from, name, .. } = join;
        self.outlets.insert(id, Outlet { events, end, from, name, rate: Rate::default() });
        Ok(Joined { id, events: receiver, end: ended })
    }

    fn leave(&mut self, id: MemberId) {
        self.outlets.remove(&id);
        self.group.leave(id);
    }

    fn expel(&mut self, id: MemberId, failure: Failure) {
        if let Some(outlet) = self.outlets.remove(&id) {
            // It may be gone already.
            let _ = outlet.end.send(failure);
        }
        self.group.leave(id);
    }

    fn dropped(&self) -> Failure {
        Failure::GroupDropped { group: self.key.clone() }
    }

    fn failed(&self, reason: &str) -> Failure {
        Failure::GroupFailed { group: self.key.clone(), reason: reason.to_owned() }
    }

    fn take_page(&mut self, cursor: Option<Cursor>, page: cursor::Page) -> Option<Failure> {
        for found in page.found {
            match found {
                Found::Event { at, bucket, shown } => self.group.feed(at, shown.id(), bucket, shown),
                Found::Passed { at, counts } => self.group.pass(at, counts),
            }
        }
        if let Some(cursor) = &cursor {
            self.is_live = cursor.is_live;
        }
        self.cursor = cursor;
        page.end
    }

    fn take_fetched(&mut self, fetched: Result<Fetched, Failure>) {
        let Ok(fetched) = fetched else { return self.group.not_fetched() };
        for (at, shown) in fetched {
            let bucket = shown.bucket(self.config.settings.strategy);
            self.group.feed_aside(at, shown.id(), bucket, shown);
        }
    }

    fn take_parked(&mut self, page: Result<parked::Page, Failure>) {
        match page {
            Ok(page) => {
                let strategy = self.config.settings.strategy;
                for (at, shown) in page.events {
                    let bucket = shown.bucket(strategy);
                    self.group.feed_parked(at, shown.id(), bucket, Arc::new(shown));
                }
                if let Some(last) = page.end.checked_sub(1) {
                    self.group.pass_parked(last);
                }
            }
            // They stay where they are.
            Err(_) => self.group.stop_replay(),
        }
    }

    fn take_written(&mut self, ledger: Ledger, written: Result<Written, Failure>) {
        self.ledger = Some(ledger);
        match written {
            Ok(Written { checkpoint, parked_from }) => {
                self.is_written = true;
                if let Some(first) = parked_from {
                    self.group.parked_from(first);
                }
                self.group.written(checkpoint);
            }
            Err(_) => self.group.not_written(),
        }
    }

    /// Replaying and truncating begin with a look at what is parked.
    fn look(&mut self, wish: Wish, until: Option<u64>, reply: Answer) {
        if self.group.is_replaying() || self.looking.is_some() {
            let reason = "parked events are being replayed or truncated already: wait until that is done";
            return drop(reply.send(Err(self.failed(reason))));
        }
        let at = Arc::clone(&self.services.store);
        let streams = super::ledger::streams(&self.key);
        let look = move || Ok(parked::range(&Standing::look(&*at, &streams?.1)?));
        self.looking = Some(blocking(look).boxed());
        self.looked_for = Some((wish, until, reply));
    }

    fn take_range(&mut self, range: Result<(u64, u64), Failure>) {
        let Some((wish, until, reply)) = self.looked_for.take() else { return };
        let answer = range.map(|(first, end)| {
            let until = until.map_or(end, |until| until.min(end));
            self.group.unstick();
            if let Some(before) = first.checked_sub(1) {
                self.group.pass_parked(before);
            }
            match wish {
                Wish::Replay => {
                    self.group.replay(until);
                }
                Wish::Truncate => {
                    if let Some(last) = until.checked_sub(1) {
                        self.group.pass_parked(last);
                    }
                }
            }
        });
        // Whoever asked may be gone; it is done all the same.
        let _ = reply.send(answer);
    }

    fn deliver(&mut self) {
        for (id, outlet) in &self.outlets {
            self.group.outlet(*id, outlet.events.capacity());
        }
        for delivery in self.group.deliver() {
            if let Some(outlet) = self.outlets.get(&delivery.member) {
                // There was room, or nobody listens any more and that is told apart.
                let _ = outlet.events.try_send((delivery.item.event, delivery.item.retries));
            }
        }
    }

    fn measure(&mut self, now: Duration) {
        self.rate.measure(now, self.group.delivered);
        for (id, outlet) in &mut self.outlets {
            let delivered = self.group.members().get(*id).map_or(0, |member| member.delivered);
            outlet.rate.measure(now, delivered);
        }
    }

    fn stands(&self) -> Stands {
        let group = &self.group;
        let members = self.outlets.iter().filter_map(|(id, outlet)| {
            let member = group.members().get(*id)?;
            Some(MemberInfo {
                from: outlet.from.clone(),
                name: outlet.name.clone(),
                delivered: member.delivered,
                per_second: outlet.rate.per_second(),
                times: member.times.as_ref().map(Times::all).unwrap_or_default(),
                free: member.room(),
                in_flight: member.in_flight,
            })
        });
        let info = GroupInfo {
            key: self.key.clone(),
            settings: self.config.settings.clone(),
            start: self.config.start,
            members: members.collect(),
            is_live: self.is_live,
            is_replaying: group.is_replaying(),
            delivered: group.delivered,
            per_second: self.rate.per_second(),
            checkpointed: group.durable().source.low.checked_sub(1).filter(|_| self.is_written),
            last_known: None,
            waiting: group.waiting(),
            again: group.again(),
            in_flight: group.in_flight(),
            outstanding: group.outstanding(),
            parked: 0,
        };
        let rests_at = self.turning.is_none().then(|| group.next());
        Stands { info, parked: group.parked().clone(), low: group.low(), rests_at }
    }

    /// The write under way, and then one of whatever is left.
    async fn finish(&mut self) {
        for _ in 0..2 {
            if self.writing.is_some() {
                let (ledger, written) = done(&mut self.writing).await;
                self.take_written(ledger, written);
            }
            if let Some(ledger) = self.ledger.take() {
                match self.group.write_now() {
                    Some(write) => self.begin_write(ledger, write),
                    None => return self.ledger = Some(ledger),
                }
            }
        }
    }
}

/// What stands.
struct Written {
    checkpoint: Checkpoint,
    /// Where what was parked begins, if something was.
    parked_from: Option<u64>,
}

/// One append for all of it.
async fn write_down(
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    mut ledger: Ledger,
    write: Write<Arc<Shown>>,
) -> (Ledger, Result<Written, Failure>) {
    let append = match ledger.append(&write, clock.now()) {
        Ok(append) => append,
        Err(failure) => return (ledger, Err(failure)),
    };
    let streams: Vec<_> = append.writes.iter().map(|write| write.stream.clone()).collect();
    match store.append_async(&append).await {
        Ok(appended) => {
            let last = ledger.wrote(&streams, &appended, &write.checkpoint);
            let parked_from = last.map(|last| (last.get() + 1).saturating_sub(write.parks.len() as u64));
            (ledger, Ok(Written { checkpoint: write.checkpoint, parked_from }))
        }
        Err(error @ AppendError::Conflict { .. }) => {
            let mut looking = ledger.clone();
            let looked = blocking(move || looking.look(&*store).map(|()| looking));
            // If that fails as well, it is looked at when the next write fails.
            (looked.await.unwrap_or(ledger), Err(failure::of_append(error)))
        }
        Err(error) => (ledger, Err(failure::of_append(error))),
    }
}

#[cfg(test)]
mod tests {
    use factum_core::{Append, ExpectedRevision, MemoryStore, NewEvent, StreamName};
    use factum_wire::groups::{GroupStart, GroupStrategy, Source};

    use super::*;
    use crate::groups::config::tests::group;

    #[tokio::test]
    async fn every_command_is_obeyed_however_many_wait() {
        let services = Services::of(Arc::new(MemoryStore::new()));
        let key = GroupKey::new(Source::Stream(StreamName::new("a").unwrap()), "g".to_owned()).unwrap();
        let count = 3 * COMMANDS_MAX;
        let (commands, receiver) = mpsc::channel(count);
        let answers: Vec<_> = (0..count)
            .map(|_| {
                let (reply, answer) = oneshot::channel();
                assert!(commands.try_send(Command::Info(reply)).is_ok());
                answer
            })
            .collect();
        let (_stop, stopping) = crate::stopping::stop();
        tokio::spawn(run(services, key, group(GroupStart::First, 0, None), None, receiver, stopping));
        for answer in answers {
            assert!(answer.await.expect("obeyed").is_ok());
        }
    }

    /// An ack and a nack that come together are obeyed as if they had not.
    #[tokio::test]
    async fn what_comes_again_does_not_overtake_what_has_waited() {
        let services = Services::of(Arc::new(MemoryStore::new()));
        let stream = StreamName::new("a").unwrap();
        let events = (0..3).map(|_| NewEvent::json("A", &().into()).unwrap());
        services.store.append(Append::to(stream.clone(), ExpectedRevision::Any, events)).unwrap();
        let key = GroupKey::new(Source::Stream(stream), "g".to_owned()).unwrap();
        let mut config = group(GroupStart::First, 0, None);
        config.settings.strategy = GroupStrategy::RoundRobin;
        let (commands, receiver) = mpsc::channel(8);
        let (_stop, stopping) = crate::stopping::stop();
        tokio::spawn(run(services, key, config, None, receiver, stopping));
        let (reply, answer) = oneshot::channel();
        let join = Join { slots: 2, from: String::new(), name: String::new() };
        assert!(commands.try_send(Command::Join(join, reply)).is_ok());
        let mut joined = answer.await.unwrap().unwrap();
        let (first, second) = (joined.events.recv().await.unwrap().0, joined.events.recv().await.unwrap().0);
        assert!(commands.try_send(Command::Ack(joined.id, vec![first.id()])).is_ok());
        let nack = Command::Nack(joined.id, vec![second.id()], Verdict::Retry, String::new());
        assert!(commands.try_send(nack).is_ok());
        let mut came = Vec::new();
        for _ in 0..2 {
            let (shown, retries) = joined.events.recv().await.unwrap();
            came.push((shown.original().unwrap().revision.get(), retries));
        }
        assert_eq!(came, [(2, 0), (1, 1)]);
    }
}
