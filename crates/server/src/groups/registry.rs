//! All groups: which there are, and which of them run.
//!
//! What there is stands in the configuration, which is looked at again for
//! each call; what runs is here, and follows it. A group runs from the first
//! call that needs it on. Whoever changes the configuration appends, and only
//! then makes the change felt, so that no lock is held over an append.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use factum_core::{Append, AppendError, EventStore, ExpectedRevision};
use factum_wire::Failure;
use factum_wire::groups::{Definition, GroupKey, GroupStart, Source};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::blocking::blocking;
use crate::failure;
use crate::rules::metadata::StreamMetadata;
use crate::rules::named::Named;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::system::source::Source as StreamSource;

use super::config::{Config, GroupConfig};
use super::ledger;
use super::runner::{self, Command, LAST_WRITE, LastWrite};

/// In KurrentDB's words.
const BEYOND_THE_END: &str = "Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.";

/// How many commands may wait for a group.
const COMMANDS_MAX: usize = 1_024;

/// All groups of a store.
#[derive(Clone)]
pub struct Registry {
    services: Services,
    stopping: Stopping,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    config: Config,
    running: BTreeMap<GroupKey, Running>,
    /// What ran before and may not be over yet.
    ending: BTreeMap<GroupKey, JoinHandle<()>>,
}

struct Running {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl Registry {
    pub fn new(services: Services, stopping: Stopping) -> Self {
        Self { services, stopping, known: Arc::default() }
    }

    /// Makes a group.
    pub async fn create(&self, definition: Definition) -> Result<(), Failure> {
        ledger::streams(&definition.key)?;
        let Definition { key, start, filter, settings } = definition;
        self.change(move |store, config| {
            if config.groups.contains_key(&key) {
                return Err(Failure::GroupExists { group: key.clone() });
            }
            let begins = begins(store, &key, start)?;
            let (settings, filter) = (settings.clone(), filter.clone());
            let changed = config.next().get();
            config.groups.insert(key.clone(), GroupConfig { settings, start, begins, filter, changed });
            Ok(Vec::new())
        })
        .await
    }

    /// Makes a group behave otherwise. It keeps its filter and how far it is.
    pub async fn update(&self, definition: Definition) -> Result<(), Failure> {
        let Definition { key, start, settings, .. } = definition;
        self.change(move |store, config| {
            let changed = config.next().get();
            let unknown = || Failure::GroupDoesNotExist { group: key.clone() };
            let group = config.groups.get_mut(&key).ok_or_else(unknown)?;
            // Counts only as long as there is no checkpoint; the end stays what it was.
            if start != group.start {
                (group.start, group.begins) = (start, begins(store, &key, start)?);
            }
            (group.settings, group.changed) = (settings.clone(), changed);
            Ok(Vec::new())
        })
        .await
    }

    /// Ends a group, and gives up how far it was and what it parked.
    pub async fn delete(&self, key: GroupKey) -> Result<(), Failure> {
        self.change(move |_, config| {
            if config.groups.remove(&key).is_none() {
                return Err(Failure::GroupDoesNotExist { group: key.clone() });
            }
            let (checkpoint, parked) = ledger::streams(&key)?;
            Ok(vec![checkpoint, parked])
        })
        .await
    }

    /// Ends all groups, to be begun again from what is written down.
    pub fn restart(&self) {
        let mut known = self.known();
        let running: Vec<_> = known.running.keys().cloned().collect();
        for key in running {
            known.end(&key, Failure::GroupDropped { group: key.clone() }, LastWrite::Yes);
        }
    }

    /// Done when no group runs any more; each ends by itself when the server
    /// stops, and within a time.
    pub async fn ended(&self) {
        let tasks: Vec<_> = {
            let mut known = self.known();
            let running = std::mem::take(&mut known.running).into_values().map(|running| running.task);
            running.chain(std::mem::take(&mut known.ending).into_values()).collect()
        };
        // One that takes too long has nothing left that it could still do.
        let _ = tokio::time::timeout(LAST_WRITE, futures_util::future::join_all(tasks)).await;
    }

    /// Groups of this source, or all.
    pub async fn list(&self, source: Option<&Source>) -> Result<Vec<GroupKey>, Failure> {
        self.refresh().await?;
        let known = self.known();
        let of_source = |key: &&GroupKey| source.is_none_or(|source| key.source == *source);
        Ok(known.config.groups.keys().filter(of_source).cloned().collect())
    }

    /// Asks a group, which runs from then on.
    pub async fn ask<T>(
        &self,
        key: &GroupKey,
        command: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Command,
    ) -> Result<(T, mpsc::Sender<Command>), Failure> {
        self.refresh().await?;
        let commands = self.commands(key)?;
        let (reply, answer) = oneshot::channel();
        let dropped = || Failure::GroupDropped { group: key.clone() };
        commands.send(command(reply)).await.map_err(|_| dropped())?;
        Ok((answer.await.map_err(|_| dropped())??, commands))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commands(&self, key: &GroupKey) -> Result<mpsc::Sender<Command>, Failure> {
        let mut known = self.known();
        if let Some(running) = known.running.get(key)
            && !running.commands.is_closed()
        {
            return Ok(running.commands.clone());
        }
        let unknown = || Failure::GroupDoesNotExist { group: key.clone() };
        let config = known.config.groups.get(key).cloned().ok_or_else(unknown)?;
        let ended = known.running.remove(key).map(|running| running.task);
        let before = known.ending.remove(key).or(ended);
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let run =
            runner::run(self.services.clone(), key.clone(), config, before, receiver, self.stopping.clone());
        let running = Running { commands: commands.clone(), task: tokio::spawn(run) };
        known.running.insert(key.clone(), running);
        Ok(commands)
    }

    async fn refresh(&self) -> Result<(), Failure> {
        let store = Arc::clone(&self.services.store);
        let config = blocking(move || Config::load(&*store)).await?;
        self.follow(config);
        Ok(())
    }

    /// Changes the configuration, again if somebody was faster. The change
    /// names streams that are given up with it.
    async fn change(
        &self,
        change: impl Fn(&dyn EventStore, &mut Config) -> Result<Vec<Named>, Failure> + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let change = Arc::new(change);
        loop {
            let Services { store, clock, .. } = self.services.clone();
            let (at, change) = (Arc::clone(&store), Arc::clone(&change));
            let (config, append) = blocking(move || {
                let mut config = Config::load(&*at)?;
                let expected = config.revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
                let given_up = change(&*at, &mut config)?;
                let mut append = Append::to(Config::stream()?, expected, [config.encode(clock.now())?]);
                for named in given_up {
                    append =
                        append.and_to(named.metadata, ExpectedRevision::Any, [StreamMetadata::deletion()?]);
                }
                Ok((config, append))
            })
            .await?;
            match store.append_async(&append).await {
                Ok(appended) => {
                    self.follow(Config { revision: appended.revision(), ..config });
                    return Ok(());
                }
                Err(AppendError::Conflict { .. }) => {}
                Err(error) => return Err(failure::of_append(error)),
            }
        }
    }

    /// Ends what runs and is no longer so.
    fn follow(&self, config: Config) {
        let mut known = self.known();
        if config.revision <= known.config.revision {
            return;
        }
        let before = std::mem::replace(&mut known.config, config);
        for (key, before) in before.groups {
            let group = key.clone();
            let (failure, last_write) = match known.config.groups.get(&key) {
                Some(now) if *now == before => continue,
                Some(_) => (Failure::GroupDropped { group }, LastWrite::Yes),
                None => (Failure::GroupDoesNotExist { group }, LastWrite::No),
            };
            known.end(&key, failure, last_write);
        }
    }
}

impl Known {
    /// What runs ends, once it has done what it was asked before. Whoever asks
    /// from now on asks what runs after it.
    fn end(&mut self, key: &GroupKey, failure: Failure, last_write: LastWrite) {
        let Some(Running { commands, task }) = self.running.remove(key) else { return };
        let ending = tokio::spawn(async move {
            // One that has ended already need not be told, and however it ends it writes no more.
            let _ = commands.send(Command::End(failure, last_write)).await;
            let _ = task.await;
        });
        self.ending.insert(key.clone(), ending);
    }
}

/// The first event a group gets that begins here.
fn begins(store: &dyn EventStore, key: &GroupKey, start: GroupStart) -> Result<u64, Failure> {
    match (start, &key.source) {
        (GroupStart::First, _) => Ok(0),
        // A revision may be one to come; nobody has read a position that is.
        (GroupStart::At(at), Source::All) => {
            let last = store.last_position().map_err(failure::of_read)?;
            match last.is_some_and(|last| at <= last.get()) {
                true => Ok(at),
                false => Err(Failure::GroupFailed { group: key.clone(), reason: BEYOND_THE_END.to_owned() }),
            }
        }
        (GroupStart::At(at), Source::Stream(_)) => Ok(at),
        (GroupStart::End, Source::All) => {
            Ok(store.last_position().map_err(failure::of_read)?.map_or(0, |last| last.get() + 1))
        }
        (GroupStart::End, Source::Stream(stream)) => {
            let last = StreamSource::new(stream.clone())?.last(store)?;
            Ok(last.map_or(0, |last| last.get() + 1))
        }
    }
}
