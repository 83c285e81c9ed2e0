//! SierraDB: streams in partitions, over the protocol of Redis.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client as Redis};
use sierradb_client::{
    AsyncTypedCommands as _, EAppendOptions, EMAppendEvent, ExpectedVersion, SierraAsyncClientExt as _,
    SierraMessage,
};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::place;
use crate::servers::stamp::{EVENT_TYPE, Stamp};

/// Some connections: each answers one command after the other, and an append when
/// it is flushed.
pub struct SierraDb {
    client: Redis,
    connections: Vec<MultiplexedConnection>,
    partitions: u16,
}

/// So many callers of one client are answered at the same time.
const CONNECTIONS: usize = 256;

/// It sends a thousand events ahead of those that were acknowledged.
const ACK_EVERY: u64 = 250;

/// How many events are asked for at once.
const PAGE: u64 = 1_000;

/// Streams are spread over the partitions: a key's partition is in the bits
/// from the 46th on.
fn partition_key(stream: u32) -> Uuid {
    Uuid::from_u128((u128::from(stream) & 0xffff) << 46)
}

fn expected(stamp: Stamp) -> ExpectedVersion {
    match stamp.revision.checked_sub(1) {
        None => ExpectedVersion::Empty,
        Some(last) => ExpectedVersion::Exact(last),
    }
}

impl SierraDb {
    /// Callers are dealt to the clients in turn, and have a stream each.
    fn of_stream(&self, stream: u32) -> MultiplexedConnection {
        self.connections[stream as usize / place::CONNECTIONS % CONNECTIONS].clone()
    }
}

impl Client for SierraDb {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let client = Redis::open(format!("redis://127.0.0.1:{port}/?protocol=resp3"))?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let mut connections = Vec::new();
        while connections.len() < CONNECTIONS {
            connections.push(client.get_multiplexed_async_connection_with_config(&config).await?);
        }
        let partitions = connections[0].hello(3).await?.num_partitions;
        Ok(Self { client, connections, partitions })
    }

    async fn append(&self, stamp: Stamp, _: Option<u64>) -> Result<u64, Failure> {
        let options = EAppendOptions::new()
            .partition_key(partition_key(stamp.stream))
            .expected_version(expected(stamp))
            .payload(stamp.payload().to_vec());
        let mut connection = self.of_stream(stamp.stream);
        let answer = connection.eappend(stamp.stream_name(), EVENT_TYPE, options).await?;
        if answer.stream_version != stamp.revision {
            return Err(
                format!("it became version {} and not {}", answer.stream_version, stamp.revision).into()
            );
        }
        Ok(answer.partition_sequence)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        let Some(first) = events.first() else { return Ok(()) };
        let new = |stamp: &Stamp| {
            EMAppendEvent::new(stamp.stream_name(), EVENT_TYPE)
                .expected_version(expected(*stamp))
                .payload(stamp.payload().to_vec())
        };
        let events: Vec<_> = events.iter().map(new).collect();
        self.of_stream(first.stream).emappend(partition_key(first.stream), &events).await?;
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let mut connection = self.of_stream(0);
        for partition in 0..self.partitions {
            let mut from = 0;
            loop {
                let page = connection.epscan_by_id(partition, from, None, Some(PAGE)).await?;
                page.events.iter().for_each(|event| see(&event.payload));
                match page.events.last() {
                    Some(last) if page.has_more => from = last.partition_sequence + 1,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let mut manager = self.client.subscription_manager().await?;
        let mut events = manager.subscribe_to_all_partitions_from_latest().await?;
        let mut acked = 0;
        while let Some(message) = events.next_message().await {
            let SierraMessage::Event { event, cursor, .. } = message else { continue };
            if !pass_on(&heard, &event.payload)? {
                return Ok(());
            }
            if cursor >= acked + ACK_EVERY {
                events.acknowledge_up_to_cursor(cursor).await?;
                acked = cursor;
            }
        }
        Err("the subscription ended".into())
    }
}
