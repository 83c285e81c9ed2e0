//! A store that fails on purpose.

use std::collections::VecDeque;
use std::future::{Future as _, IntoFuture as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use factum::store::StoreOptions;
use factum::{AppendError, EventStore, Position, ReadError, Store};
use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendFuture, Appended, Events, MemoryStore, Read, StorageError, Subscribe,
    SubscribeError, Subscription,
};
use parking_lot::Mutex;

/// What happens to one append.
pub enum Fault {
    None,
    /// Judged at once, answered later.
    Slow(Duration),
    /// The disk is full.
    Full,
    /// It is not recorded, and nobody is told so.
    UnknownNotRecorded,
    /// It is recorded, and nobody is told so.
    UnknownRecorded,
    /// Somebody else appends right before it.
    Outrun(Append),
    /// The store panics.
    Panic,
    /// Happens at once, and is answered when the gate opens.
    Held(Box<Fault>, oneshot::Receiver<()>),
}

/// Opened by being dropped.
pub type Gate = oneshot::Sender<()>;

impl Fault {
    pub fn held(self) -> (Self, Gate) {
        let (gate, opens) = oneshot::channel();
        (Self::Held(Box::new(self), opens), gate)
    }
}

/// The store in memory, with one fault for each append that is handed over by
/// `append_async`, in [`Faulty::both`] also by `append`, and none after the last.
#[derive(Clone)]
pub struct Faulty(Arc<Inner>);

struct Inner {
    memory: MemoryStore,
    faults: Mutex<VecDeque<Fault>>,
    appends: Mutex<usize>,
    fails_both: bool,
}

impl Faulty {
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::with(faults, false)
    }

    pub fn both(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::with(faults, true)
    }

    fn with(faults: impl IntoIterator<Item = Fault>, fails_both: bool) -> Self {
        let faults = Mutex::new(faults.into_iter().collect());
        Self(Arc::new(Inner { memory: MemoryStore::new(), faults, appends: Mutex::new(0), fails_both }))
    }

    pub fn store(&self) -> Store {
        Store::over(Arc::new(self.clone()), StoreOptions::default())
    }

    /// Waits until so many were handed over.
    pub fn wait_for_appends(&self, appends: usize) {
        let begin = Instant::now();
        while self.appends() < appends {
            assert!(begin.elapsed() < TOO_LONG, "{} appends and not {appends}", self.appends());
            std::thread::yield_now();
        }
    }

    /// How many were handed over, in either way.
    pub fn appends(&self) -> usize {
        *self.0.appends.lock()
    }
}

impl Inner {
    fn append(&self, append: Append, fault: Fault) -> Result<Appended, AppendError> {
        match fault {
            Fault::None | Fault::Slow(_) => self.memory.append(append),
            Fault::Full => Err(full()),
            Fault::UnknownNotRecorded => Err(unknown()),
            // What was recorded, if the append was good.
            Fault::UnknownRecorded => self.memory.append(append).and(Err(unknown())),
            Fault::Outrun(outsider) => {
                self.memory.append(outsider)?;
                self.memory.append(append)
            }
            Fault::Panic => panic!("the store panics"),
            Fault::Held(..) => unreachable!("the gate was taken off"),
        }
    }
}

/// Waits until the gate is opened. Who fails before it does so may wait for what is
/// held, which then goes on by itself, so that the failure is told.
async fn opened(gate: oneshot::Receiver<()>) {
    let (mut gate, mut too_long) = (gate.into_future(), futures_timer::Delay::new(TOO_LONG));
    poll_fn(|context| match Pin::new(&mut gate).poll(context) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => Pin::new(&mut too_long).poll(context),
    })
    .await;
}

/// Nothing here takes so long.
const TOO_LONG: Duration = Duration::from_secs(60);

fn unknown() -> AppendError {
    AppendError::Unknown(StorageError::Closed)
}

fn full() -> AppendError {
    AppendError::Storage(StorageError::DiskFull { file: "segment".into() })
}

impl EventStore for Faulty {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        *self.0.appends.lock() += 1;
        let fault = if self.0.fails_both { self.0.faults.lock().pop_front() } else { None };
        self.0.append(append, fault.unwrap_or(Fault::None))
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        *self.0.appends.lock() += 1;
        let fault = self.0.faults.lock().pop_front().unwrap_or(Fault::None);
        let (fault, opens) = match fault {
            Fault::Held(fault, opens) => (*fault, Some(opens)),
            fault => (fault, None),
        };
        let pause = if let Fault::Slow(pause) = fault { pause } else { Duration::ZERO };
        let answer = self.0.append(append.clone(), fault);
        Box::pin(async move {
            if let Some(opens) = opens {
                opened(opens).await;
            }
            if !pause.is_zero() {
                futures_timer::Delay::new(pause).await;
            }
            answer
        })
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&self.0.memory, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.0.memory.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.0.memory.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.memory.last_position()
    }
}
