//! disintegrate: a decision over a state that is found by an id, in PostgreSQL.

use std::error::Error as _;
use std::str::FromStr as _;

use disintegrate::serde::json::Json;
use disintegrate::{
    Decision, DecisionError, Event, EventSourcedStateStore, EventStore as _, LoadState as _, NoSnapshot,
    StateMutate, StateQuery,
};
use disintegrate_postgres::{Error, PgDecisionMaker, PgEventId, PgEventStore, decision_maker};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use super::IN_POSTGRES;
use crate::counters::{Counters, Home, Past, Raised};
use crate::failure::Failure;
use crate::patience::{Attempt, until_done};

#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
enum Counter {
    Raised {
        #[id]
        counter_id: i64,
        by: u32,
    },
}

#[derive(Default, StateQuery, Clone, Serialize, Deserialize)]
#[state_query(Counter)]
struct Sum {
    #[id]
    counter_id: i64,
    sum: u64,
}

impl Sum {
    fn of(id: u32) -> Self {
        Self { counter_id: id.into(), sum: 0 }
    }
}

impl StateMutate for Sum {
    fn mutate(&mut self, event: Counter) {
        let Counter::Raised { by, .. } = event;
        self.sum += u64::from(by);
    }
}

struct Raise {
    id: u32,
    by: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("the counter is full")]
struct Full;

impl Decision for Raise {
    type Event = Counter;
    type StateQuery = Sum;
    type Error = Full;

    fn state_query(&self) -> Sum {
        Sum::of(self.id)
    }

    fn process(&self, state: &Sum) -> Result<Vec<Counter>, Full> {
        state.sum.checked_add(u64::from(self.by)).ok_or(Full)?;
        Ok(vec![Counter::Raised { counter_id: self.id.into(), by: self.by }])
    }
}

type Events = PgEventStore<Counter, Json<Counter>>;

/// Commands go through the decision maker, the rest through the stores below it.
pub struct Disintegrate {
    events: Events,
    states: EventSourcedStateStore<PgEventId, Counter, Events, NoSnapshot>,
    decisions: PgDecisionMaker<Counter, Json<Counter>, NoSnapshot>,
}

impl Counters for Disintegrate {
    async fn open(home: &Home<'_>) -> Result<Self, Failure> {
        let pool = PgPool::connect(home.postgres_url).await?;
        let events = if understands_hexadecimal(&pool).await? {
            PgEventStore::try_new(pool, Json::default()).await?
        } else {
            initialize_in_decimal(home.postgres_url).await?;
            PgEventStore::new_uninitialized(pool, Json::default())
        };
        Ok(Self {
            states: EventSourcedStateStore::new(events.clone(), NoSnapshot),
            decisions: decision_maker(events.clone(), NoSnapshot),
            events,
        })
    }

    async fn fill(&self, past: &[Past]) -> Result<(), Failure> {
        let event = |past: &Past| Counter::Raised { counter_id: past.id.into(), by: 1 };
        self.events.append_without_validation(past.iter().map(event).collect()).await?;
        Ok(())
    }

    async fn raise(&self, id: u32) -> Result<Raised, Failure> {
        until_done(async || match self.decisions.make(Raise { id, by: 1 }).await {
            Ok(_) => Ok(Attempt::Done),
            Err(error) if is_conflict(&error) => Ok(Attempt::Conflict(error.into())),
            Err(error) => Err(error.into()),
        })
        .await
    }

    async fn sum(&self, id: u32) -> Result<u64, Failure> {
        Ok(self.states.load(Sum::of(id)).await?.state().sum)
    }

    fn durability(&self) -> String {
        IN_POSTGRES.into()
    }
}

/// Whether the server reads numbers in hexadecimal, which one of the functions
/// has that `try_new` makes.
async fn understands_hexadecimal(pool: &PgPool) -> Result<bool, Failure> {
    let version: String = sqlx::query_scalar("SHOW server_version_num").fetch_one(pool).await?;
    Ok(version.parse::<u32>()? >= 160_000)
}

/// For earlier servers: has the tables and functions made without their bodies
/// being looked at, and writes the same number in decimal. Nothing else changes.
async fn initialize_in_decimal(url: &str) -> Result<(), Failure> {
    let unchecked = PgConnectOptions::from_str(url)?.options([("check_function_bodies", "off")]);
    let pool = PgPool::connect_with(unchecked).await?;
    Events::try_new(pool.clone(), Json::default()).await?;
    const FUNCTION: &str = "SELECT pg_get_functiondef('event_store_begin_epoch'::regproc)";
    let definition: String = sqlx::query_scalar(FUNCTION).fetch_one(&pool).await?;
    sqlx::query(&definition.replace("0xFFFFFFFF", "4294967295")).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Whether another was faster. PostgreSQL may say so at any statement of a
/// serializable transaction; disintegrate gives that a name only if it is said
/// at the commit.
fn is_conflict(error: &DecisionError<Full>) -> bool {
    match error.source().and_then(|source| source.downcast_ref::<Error>()) {
        Some(Error::Concurrency) => true,
        Some(Error::Database(sqlx::Error::Database(error))) => error.code().as_deref() == Some("40001"),
        _ => false,
    }
}
