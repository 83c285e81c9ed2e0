//! cqrs-es: an aggregate whose commands write events into a sink, in
//! PostgreSQL through its own repository.

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository as _, PersistedEventStore, SerializedEvent};
use cqrs_es::{Aggregate, AggregateContext as _, AggregateError, DomainEvent, EventStore as _};
use postgres_es::{PostgresCqrs, PostgresEventRepository, default_postgress_pool, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx::{Pool, Postgres};

use super::IN_POSTGRES;
use crate::counters::{Counters, Home, Past, Raised};
use crate::failure::Failure;
use crate::patience::{Attempt, until_done};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Counter {
    Raised { by: u32 },
}

impl DomainEvent for Counter {
    fn event_type(&self) -> String {
        "Raised".into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Sum {
    sum: u64,
}

#[derive(Debug)]
struct Raise {
    by: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("the counter is full")]
struct Full;

impl Aggregate for Sum {
    const TYPE: &'static str = "counter";
    type Command = Raise;
    type Event = Counter;
    type Error = Full;
    type Services = ();

    async fn handle(&mut self, command: Raise, (): &(), sink: &EventSink<Self>) -> Result<(), Full> {
        self.sum.checked_add(u64::from(command.by)).ok_or(Full)?;
        sink.write(Counter::Raised { by: command.by }, self).await;
        Ok(())
    }

    fn apply(&mut self, event: Counter) {
        let Counter::Raised { by } = event;
        self.sum += u64::from(by);
    }
}

/// The schema of `db/init.sql` in postgres-es, without what its own tests add.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS events (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

/// Commands go through the framework, the rest through the store below it.
pub struct CqrsEs {
    pool: Pool<Postgres>,
    framework: PostgresCqrs<Sum>,
    store: PersistedEventStore<PostgresEventRepository, Sum>,
}

fn name(id: u32) -> String {
    format!("counter-{id}")
}

impl Counters for CqrsEs {
    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        let pool = default_postgress_pool(home.postgres_url).await;
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Self {
            framework: postgres_cqrs(pool.clone(), Vec::new(), ()),
            store: PersistedEventStore::new_event_store(PostgresEventRepository::new(pool.clone())),
            pool,
        })
    }

    async fn fill(&self, past: &[Past]) -> Result<(), Failure> {
        let event = Counter::Raised { by: 1 };
        let payload = serde_json::to_value(&event)?;
        let events = past.iter().map(|past| {
            let sequence = past.after as usize + 1;
            let (event_type, version) = (event.event_type(), event.event_version());
            let metadata = serde_json::json!({});
            SerializedEvent::new(
                name(past.id),
                sequence,
                Sum::TYPE.into(),
                event_type,
                version,
                payload.clone(),
                metadata,
            )
        });
        let events: Vec<_> = events.collect();
        PostgresEventRepository::new(self.pool.clone()).persist::<Sum>(&events, None).await?;
        Ok(())
    }

    async fn raise(&self, id: u32) -> Result<Raised, Failure> {
        let name = name(id);
        until_done(async || match self.framework.execute(&name, Raise { by: 1 }).await {
            Ok(()) => Ok(Attempt::Done),
            Err(conflict @ AggregateError::AggregateConflict) => Ok(Attempt::Conflict(conflict.into())),
            Err(error) => Err(error.into()),
        })
        .await
    }

    async fn sum(&self, id: u32) -> Result<u64, Failure> {
        Ok(self.store.load_aggregate(&name(id)).await?.aggregate().sum)
    }

    fn durability(&self) -> String {
        IN_POSTGRES.into()
    }
}
