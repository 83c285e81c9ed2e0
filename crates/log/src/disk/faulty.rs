//! A simulated disk that does what disks do at their worst, from one seed.
//!
//! ```text
//!             write, allocate             sync
//!   engine ───────────────────▶ cached ───────────▶ durable     of each file
//!             create, rename,             sync_dir
//!             remove
//!          ◀─────────────────── cached      pending ┄┄┄┄┄┄┄┐
//!             read, list                                   ▼
//!                                          crash: each kept, torn or lost
//! ```
//!
//! - **Volatile and durable** (`platter.rs`, `directory.rs`). Reads see what was
//!   written; a power loss keeps what was synced. A file's content and its
//!   directory entry become durable apart: a file whose content was synced is
//!   still gone if its directory was not.
//! - **Crashes** ([`CrashPlan`]). [`FaultyDisk::crash`] answers with another
//!   disk: the one the next start finds. Pending writes survive or not, in any
//!   order, whole or torn; pending entries likewise; or, when only the process
//!   was killed, all of them survive.
//! - **Faults** ([`Fault`], [`Injection`]). The n-th operation fails, is cut
//!   short, is acknowledged and forgotten, lands elsewhere, or is the last one
//!   before the machine stops. Counting n up until a run goes by without the
//!   fault tries every one of its operations.
//! - **Failed syncs** ([`FailedSync`]). As on Linux: what was pending counts as
//!   clean afterwards, so it can be read, and no later sync makes it durable.
//! - **Rot** (`flip_bit`, `swap`, ...). What time and hands do to files at rest.
//!
//! The same seed and the same operations give the same result. What it does
//! not simulate: permissions, links, and time.

mod crash;
mod dice;
mod directory;
mod fault;
mod file;
mod platter;
mod rot;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

pub use crash::{CrashPlan, Filling, Grain, PowerLoss, Shape, Survival, Tearing};
pub use dice::Dice;
pub use fault::{Fault, Injection, Operation, Times};
pub use platter::FailedSync;

use super::memory::length;
use super::{DirEntry, Disk, DiskFile, DiskLock, check_name, not_a_plain_file};
use directory::{Directory, Entry, parent};
use fault::Armed;
use file::FaultyFile;
use platter::Platter;
use trace::Trace;

/// A disk that can fail. Clones share it.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Mutex<State>>);

struct State {
    dice: Dice,
    has_root: bool,
    is_locked: bool,
    directory: Directory,
    /// By the number that stands in [`Entry::File`].
    platters: BTreeMap<u64, Platter>,
    next_platter: u64,
    dir_syncs: BTreeMap<String, u64>,
    operations: u64,
    armed: Vec<Armed>,
    is_off: bool,
    settings: Settings,
    trace: Trace,
}

/// What the disk is like; stays over a crash.
#[derive(Clone, Default)]
struct Settings {
    failed_sync: FailedSync,
    drops_syncs: bool,
    drops_dir_syncs: bool,
    room: Option<u64>,
    spares_unchanged: bool,
}

impl FaultyDisk {
    /// A disk without a store on it.
    pub fn new(seed: u64) -> Self {
        Self::with(State {
            dice: Dice::new(seed),
            has_root: false,
            is_locked: false,
            directory: Directory::default(),
            platters: BTreeMap::new(),
            next_platter: 0,
            dir_syncs: BTreeMap::new(),
            operations: 0,
            armed: Vec::new(),
            is_off: false,
            settings: Settings::default(),
            trace: Trace::default(),
        })
    }

    fn with(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// The disk the next start finds if everything stops now. This one stays
    /// as it is, so that several crashes can be tried from one moment.
    /// Injected faults and counts stay behind; the trace goes on.
    pub fn crash(&self, plan: &CrashPlan) -> Self {
        let state = self.0.lock();
        let (dice, directory, platters) = match plan {
            CrashPlan::Kill => (state.dice.clone(), state.directory.clone(), state.platters.clone()),
            CrashPlan::PowerLoss(loss) => {
                let mut dice = Dice::new(loss.seed);
                let directory = state.directory.after(loss, &mut dice);
                let platters = &state.platters;
                let spares = state.settings.spares_unchanged;
                let platters = platters
                    .iter()
                    .map(|(number, platter)| (*number, platter.after(loss, spares, &mut dice)));
                let platters = platters.collect();
                (dice, directory, platters)
            }
        };
        let platters = keep_reachable(platters, &directory);
        let mut trace = state.trace.clone();
        trace.note_crash(plan);
        Self::with(State {
            dice,
            has_root: state.has_root,
            is_locked: false,
            platters,
            directory,
            next_platter: state.next_platter,
            dir_syncs: BTreeMap::new(),
            operations: 0,
            armed: Vec::new(),
            is_off: false,
            settings: state.settings.clone(),
            trace,
        })
    }

    /// Arms a fault at the n-th operation from now that it fits, counted from 1.
    pub fn fail_nth(&self, nth: u64, fault: Fault, times: Times) {
        self.inject(Injection { times, ..Injection::of(fault).at(nth) });
    }

    /// Arms a fault; several may be armed, and the first that is due strikes.
    pub fn inject(&self, injection: Injection) {
        self.0.lock().armed.push(Armed::new(injection));
    }

    /// Disarms every fault, and forgets how often they fired.
    pub fn disarm(&self) {
        self.0.lock().armed.clear();
    }

    /// How many operations a fault has struck since it was armed.
    pub fn fired(&self) -> u64 {
        self.0.lock().armed.iter().map(|armed| armed.fired).sum()
    }

    /// The same, counting only some faults.
    pub fn fired_by(&self, which: impl Fn(&Fault) -> bool) -> u64 {
        let state = self.0.lock();
        state.armed.iter().filter(|armed| which(armed.fault())).map(|armed| armed.fired).sum()
    }

    /// Whether a [`Fault::Stop`] has struck: nothing works any more.
    pub fn is_off(&self) -> bool {
        self.0.lock().is_off
    }

    /// How many operations were asked for, with those that failed.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// How often each file was synced, by the name it has or last had, with
    /// syncs that failed.
    pub fn syncs(&self) -> BTreeMap<String, u64> {
        let state = self.0.lock();
        let mut syncs = BTreeMap::new();
        for platter in state.platters.values() {
            *syncs.entry(platter.name.clone()).or_insert(0) += platter.syncs;
        }
        syncs
    }

    /// How often each directory was synced (`""`: the store's own), with syncs
    /// that failed.
    pub fn dir_syncs(&self) -> BTreeMap<String, u64> {
        self.0.lock().dir_syncs.clone()
    }

    /// Whether syncs of files only pretend: what is written then never becomes
    /// durable. The negative control for a test of durability: it must fail.
    pub fn drop_syncs(&self, drop: bool) {
        self.0.lock().settings.drops_syncs = drop;
    }

    /// Whether syncs of directories only pretend.
    pub fn drop_dir_syncs(&self, drop: bool) {
        self.0.lock().settings.drops_dir_syncs = drop;
    }

    /// Whether a torn write leaves alone the sectors that it would not have
    /// changed. Real disks do, unless a sector under the head is lost with the
    /// power; a log that writes durable bytes once more, to be sure of them,
    /// relies on it.
    pub fn spare_unchanged(&self, spare: bool) {
        self.0.lock().settings.spares_unchanged = spare;
    }

    /// What a failed sync does to what was pending.
    pub fn on_failed_sync(&self, failed_sync: FailedSync) {
        self.0.lock().settings.failed_sync = failed_sync;
    }

    /// How many bytes all files together may have; `None`: any number. Writes
    /// are cut short at the limit, and refused when not one byte has room.
    pub fn limit_room(&self, bytes: Option<u64>) {
        self.0.lock().settings.room = bytes;
    }

    /// Keeps the last `operations` operations for [`FaultyDisk::story`]; 0: none.
    pub fn record(&self, operations: usize) {
        self.0.lock().trace.keep(operations);
    }

    /// The operations recorded, oldest first, one on each line.
    pub fn story(&self) -> String {
        self.0.lock().trace.to_string()
    }

    /// One operation: counted, struck by a fault if one is due, and noted.
    fn run<T>(&self, call: Call<'_>, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        self.run_struck(call, |state, fault| match fault {
            Some(fault) => Err(fault.error()),
            None => act(state),
        })
    }

    /// The same, for an operation that has its own way with faults.
    fn run_struck<T>(
        &self,
        call: Call<'_>,
        act: impl FnOnce(&mut State, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.0.lock();
        if state.is_off {
            return Err(Fault::Stop.error());
        }
        state.operations += 1;
        let number = state.operations;
        let mut fault = None;
        for armed in &mut state.armed {
            let strikes = armed.strikes(call.operation, call.name);
            fault = fault.or(strikes);
        }
        let result = if let Some(Fault::Stop) = fault {
            // It still happens, but nobody hears of it: the case in which it
            // does not happen is a stop one operation before.
            let _ = act(&mut state, None);
            state.is_off = true;
            Err(Fault::Stop.error())
        } else {
            act(&mut state, fault.clone())
        };
        state.trace.note(number, &call, fault.as_ref(), result.as_ref().err());
        result
    }

    fn file(&self, number: u64, name: &str, is_writable: bool) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { disk: self.clone(), number, name: name.to_owned(), is_writable })
    }
}

/// Drops files that no name leads to, and gives the others the name they have.
fn keep_reachable(mut platters: BTreeMap<u64, Platter>, directory: &Directory) -> BTreeMap<u64, Platter> {
    let reachable: BTreeSet<u64> = directory.files_anywhere().collect();
    platters.retain(|number, _| reachable.contains(number));
    for (name, entry) in directory.entries() {
        if let Entry::File(number) = entry
            && let Some(platter) = platters.get_mut(&number)
        {
            platter.name = name.to_owned();
            platter.syncs = 0;
        }
    }
    platters
}

/// What is asked of the disk.
struct Call<'a> {
    operation: Operation,
    name: &'a str,
    offset: u64,
    bytes: u64,
}

impl<'a> Call<'a> {
    fn on(operation: Operation, name: &'a str) -> Self {
        Self { operation, name, offset: 0, bytes: 0 }
    }

    fn at(self, offset: u64, bytes: usize) -> Self {
        Self { offset, bytes: bytes as u64, ..self }
    }
}

impl State {
    fn find_dir(&self, dir: &str) -> io::Result<()> {
        if !self.has_root {
            return Err(io::ErrorKind::NotFound.into());
        }
        if dir.is_empty() {
            return Ok(());
        }
        check_name(dir)?;
        match self.directory.get(dir) {
            Some(Entry::Dir) => Ok(()),
            Some(Entry::File(_) | Entry::Odd) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Checks a name and that the directory it stands in is there.
    fn find_place(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.find_dir(parent(name))
    }

    /// The number of the file of this name.
    fn find_file(&self, name: &str) -> io::Result<u64> {
        self.find_place(name)?;
        match self.directory.get(name) {
            Some(Entry::File(number)) => Ok(number),
            Some(Entry::Dir | Entry::Odd) => Err(not_a_plain_file(name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn platter(&mut self, number: u64) -> io::Result<&mut Platter> {
        self.platters.get_mut(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<u64> {
        self.find_place(name)?;
        if self.directory.get(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.next_platter;
        self.next_platter += 1;
        self.platters.insert(number, Platter::named(name));
        self.directory.change(vec![(name.to_owned(), Some(Entry::File(number)))]);
        Ok(number)
    }

    /// How many more bytes all files together may have.
    fn room(&self) -> u64 {
        let Some(room) = self.settings.room else { return u64::MAX };
        let files = self.directory.files().filter_map(|number| self.platters.get(&number));
        room.saturating_sub(files.map(Platter::bytes).sum())
    }

    /// Writes as much as there is room for.
    fn write(&mut self, number: u64, buffer: &[u8], offset: u64) -> io::Result<usize> {
        length(offset.saturating_add(buffer.len() as u64))?;
        let room = self.room();
        let end = self.platter(number)?.bytes();
        let fits = end.saturating_add(room).saturating_sub(offset).min(buffer.len() as u64) as usize;
        if fits == 0 && !buffer.is_empty() {
            return Err(Fault::Enospc.error());
        }
        self.platter(number)?.write(&buffer[..fits], offset);
        Ok(fits)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let number = self.find_file(from)?;
        self.find_place(to)?;
        if let Some(Entry::Dir) = self.directory.get(to) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if from != to {
            self.directory.change(vec![(from.to_owned(), None), (to.to_owned(), Some(Entry::File(number)))]);
            self.platter(number)?.name = to.to_owned();
        }
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.find_dir(dir)?;
        let entries = self.directory.entries().filter(|(name, _)| parent(name) == dir);
        let entries = entries.map(|(name, entry)| {
            let name = name.rsplit('/').next().unwrap_or(name).to_owned();
            let (bytes, is_file) = match entry {
                Entry::File(number) => (self.platters.get(&number).map_or(0, Platter::bytes), true),
                Entry::Dir | Entry::Odd => (0, false),
            };
            DirEntry { name, bytes, is_file }
        });
        Ok(entries.collect())
    }
}

impl Disk for FaultyDisk {
    fn create_root(&self) -> io::Result<bool> {
        self.run(Call::on(Operation::CreateDir, ""), |state| {
            Ok(!std::mem::replace(&mut state.has_root, true))
        })
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.run(Call::on(Operation::Lock, ""), |state| {
            state.find_dir("")?;
            if std::mem::replace(&mut state.is_locked, true) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        })?;
        Ok(Box::new(FaultyLock(self.clone())))
    }

    fn lock_holder(&self) -> Option<String> {
        self.0.lock().is_locked.then(|| "this process".to_owned())
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn DiskFile>> {
        let number = self.run(Call::on(Operation::Open, name), |state| state.find_file(name))?;
        Ok(self.file(number, name, write))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let number = self.run(Call::on(Operation::Create, name), |state| state.create(name))?;
        Ok(self.file(number, name, true))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.run(Call::on(Operation::CreateDir, name), |state| {
            state.find_place(name)?;
            match state.directory.get(name) {
                Some(Entry::Dir) => Ok(()),
                Some(Entry::File(_) | Entry::Odd) => Err(io::ErrorKind::AlreadyExists.into()),
                None => {
                    state.directory.change(vec![(name.to_owned(), Some(Entry::Dir))]);
                    Ok(())
                }
            }
        })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DirEntry>> {
        self.run(Call::on(Operation::List, dir), |state| state.list(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.run(Call::on(Operation::Rename, from), |state| state.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.run(Call::on(Operation::Remove, name), |state| {
            state.find_place(name)?;
            match state.directory.get(name) {
                Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
                Some(Entry::File(_) | Entry::Odd) => {
                    state.directory.change(vec![(name.to_owned(), None)]);
                    Ok(())
                }
                None => Err(io::ErrorKind::NotFound.into()),
            }
        })
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.run_struck(Call::on(Operation::SyncDir, dir), |state, fault| {
            state.find_dir(dir)?;
            *state.dir_syncs.entry(dir.to_owned()).or_insert(0) += 1;
            match fault {
                Some(fault) => return Err(fault.error()),
                None if state.settings.drops_dir_syncs => {}
                None => state.directory.sync(dir),
            }
            Ok(())
        })
    }
}

struct FaultyLock(FaultyDisk);

impl DiskLock for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        self.0.0.lock().is_locked = false;
    }
}
