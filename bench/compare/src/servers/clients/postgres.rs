//! A message store in plain SQL: what a team writes that has PostgreSQL and
//! wants nothing else.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Row as _};
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered};
use crate::servers::stamp::{EVENT_TYPE, Stamp};

/// Some connections.
pub struct Postgres(PgPool);

/// How many; [`crate::servers::place::CONNECTIONS`] times as many in all.
const CONNECTIONS: u32 = 16;

/// Made by whoever comes first: all others wait for the lock.
const SCHEMA: [&str; 3] = [
    "SELECT pg_advisory_xact_lock(1)",
    "CREATE TABLE IF NOT EXISTS messages (
        position bigserial PRIMARY KEY,
        stream text NOT NULL,
        revision bigint NOT NULL,
        type text NOT NULL,
        data bytea NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        UNIQUE (stream, revision))",
    "CREATE OR REPLACE FUNCTION append(in_stream text, expected bigint, in_type text, in_data bytea)
     RETURNS bigint LANGUAGE plpgsql AS $$
     DECLARE
        last bigint;
        appended bigint;
     BEGIN
        SELECT max(revision) INTO last FROM messages WHERE stream = in_stream;
        IF coalesce(last, -1) <> expected THEN
            RAISE EXCEPTION 'expected revision % of %, which is at %', expected, in_stream, last;
        END IF;
        INSERT INTO messages (stream, revision, type, data)
        VALUES (in_stream, expected + 1, in_type, in_data)
        RETURNING position INTO appended;
        RETURN appended;
     END $$",
];

impl Client for Postgres {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let options =
            PgConnectOptions::new().host("127.0.0.1").port(port).username("factum").database("postgres");
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        crate::postgres::is_durable(&mut *pool.acquire().await?).await?;
        let mut transaction = pool.begin().await?;
        for statement in SCHEMA {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Self(pool))
    }

    async fn append(&self, stamp: Stamp, _: Option<u64>) -> Result<u64, Failure> {
        let position: i64 = sqlx::query_scalar("SELECT append($1, $2, $3, $4)")
            .bind(stamp.stream_name())
            .bind(stamp.revision as i64 - 1)
            .bind(EVENT_TYPE)
            .bind(&*stamp.payload())
            .fetch_one(&self.0)
            .await?;
        Ok(position as u64)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        let streams: Vec<String> = events.iter().map(|stamp| stamp.stream_name()).collect();
        let revisions: Vec<i64> = events.iter().map(|stamp| stamp.revision as i64).collect();
        let payloads: Vec<Vec<u8>> = events.iter().map(|stamp| stamp.payload().to_vec()).collect();
        sqlx::query(
            "INSERT INTO messages (stream, revision, type, data)
             SELECT stream, revision, $1, data FROM unnest($2, $3, $4) AS new (stream, revision, data)",
        )
        .bind(EVENT_TYPE)
        .bind(streams)
        .bind(revisions)
        .bind(payloads)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let query = "SELECT position, stream, revision, type, data, recorded_at::text FROM messages ORDER BY position";
        let mut rows = sqlx::query(query).fetch(&self.0);
        while let Some(row) = rows.try_next().await? {
            see(row.try_get::<&[u8], _>("data")?);
        }
        Ok(())
    }

    async fn follow(self: Arc<Self>, _: UnboundedSender<Delivered>) -> Result<(), Failure> {
        Err("plain SQL has no live subscription: whoever follows has to poll".into())
    }
}
