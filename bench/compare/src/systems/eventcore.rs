//! eventcore: a command that names its streams, over each of its durable
//! backends.

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, RetryPolicy, StreamId, execute, require,
};
use eventcore_fs::FileEventStore;
use eventcore_postgres::PostgresEventStore;
use eventcore_sqlite::{SqliteEventStore, rusqlite};
use eventcore_types::{EventStore, StreamVersion, StreamWrites};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};

use super::IN_POSTGRES;
use crate::counters::{Counters, Home, Past, Raised};
use crate::failure::Failure;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Counter {
    Raised { counter: StreamId, by: u32 },
}

impl Event for Counter {
    fn stream_id(&self) -> &StreamId {
        let Self::Raised { counter, .. } = self;
        counter
    }

    fn event_type_name() -> &'static str {
        "Counter"
    }
}

#[derive(Command)]
struct Raise {
    #[stream]
    counter: StreamId,
    by: u32,
}

impl CommandLogic for Raise {
    type Event = Counter;
    type State = u64;

    fn apply(&self, sum: u64, event: &Counter) -> u64 {
        let Counter::Raised { by, .. } = event;
        sum + u64::from(*by)
    }

    fn handle(&self, sum: u64) -> Result<NewEvents<Counter>, CommandError> {
        require!(sum.checked_add(u64::from(self.by)).is_some(), "the counter is full");
        Ok(vec![Counter::Raised { counter: self.counter.clone(), by: self.by }].into())
    }
}

impl Raise {
    fn of(id: u32) -> Result<Self, Failure> {
        Ok(Self { counter: stream(id)?, by: 1 })
    }
}

fn stream(id: u32) -> Result<StreamId, Failure> {
    Ok(StreamId::try_new(format!("counter-{id}"))?)
}

/// One of its backends.
pub trait Backend: EventStore + Send + Sync + Sized + 'static {
    /// What a commit survives.
    const DURABILITY: &str;

    /// Opens it, with its tables.
    fn open(home: &Home<'_>) -> impl Future<Output = Result<Self, Failure>> + Send;
}

impl Backend for PostgresEventStore {
    const DURABILITY: &str = IN_POSTGRES;

    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        let store = Self::new(home.postgres_url).await?;
        store.migrate().await;
        Ok(store)
    }
}

impl Backend for SqliteEventStore {
    const DURABILITY: &str = "disk: synchronous is FULL";

    /// As `SqliteEventStore::new` does it, but for the question.
    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        const FULL: i64 = 2;
        let connection = rusqlite::Connection::open(home.dir.join("eventcore.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        if synchronous != FULL {
            return Err(format!("SQLite's synchronous is {synchronous}, and must be {FULL} (FULL)").into());
        }
        let store = Self::from_connection(connection);
        store.migrate().await?;
        Ok(store)
    }
}

impl Backend for FileEventStore {
    const DURABILITY: &str = "disk: file and directory synced";

    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        Ok(Self::open(home.dir.join("eventcore"))?)
    }
}

/// The library over one of them.
pub struct Eventcore<B>(B);

impl<B: Backend> Counters for Eventcore<B> {
    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        Ok(Self(B::open(home).await?))
    }

    async fn fill(&self, past: &[Past]) -> Result<(), Failure> {
        let mut writes = StreamWrites::new();
        let mut last = None;
        for past in past {
            let counter = stream(past.id)?;
            if last.replace(past.id) != Some(past.id) {
                let version = StreamVersion::new(past.after as usize);
                writes = writes.register_stream(counter.clone(), version)?;
            }
            writes = writes.append(Counter::Raised { counter, by: 1 })?;
        }
        self.0.append_events(writes).await?;
        Ok(())
    }

    async fn raise(&self, id: u32) -> Result<Raised, Failure> {
        let response = execute(&self.0, Raise::of(id)?, RetryPolicy::new()).await?;
        Ok(Raised { again: response.attempts() - 1 })
    }

    async fn sum(&self, id: u32) -> Result<u64, Failure> {
        let raise = Raise::of(id)?;
        let events = self.0.read_stream::<Counter>(raise.counter.clone()).await?;
        Ok(events.try_fold(0, |sum, event| std::future::ready(Ok(raise.apply(sum, &event)))).await?)
    }

    fn durability(&self) -> String {
        B::DURABILITY.into()
    }
}
