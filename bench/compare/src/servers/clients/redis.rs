//! Redis: one of its streams for all of ours, so that there is an order of all
//! events.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, Client as Server, Cmd, cmd};
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::stamp::Stamp;

/// A connection.
pub struct Redis(MultiplexedConnection);

const KEY: &str = "events";
/// How many events are asked for at once.
const PAGE: usize = 10_000;

fn add(stamp: Stamp) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(KEY).arg("*").arg("stream").arg(stamp.stream_name()).arg("data").arg(&*stamp.payload());
    add
}

/// What is under `data` in one of its entries.
fn data(entry: &StreamId) -> Result<Vec<u8>, Failure> {
    Ok(entry.get("data").ok_or("an entry came back without data")?)
}

impl Client for Redis {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let server = Server::open(format!("redis://127.0.0.1:{port}"))?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = server.get_multiplexed_async_connection_with_config(&config).await?;
        // Until it has read its file, it answers that it is loading.
        cmd("XLEN").arg(KEY).query_async::<u64>(&mut connection.clone()).await?;
        Ok(Self(connection))
    }

    async fn append(&self, stamp: Stamp, _: Option<u64>) -> Result<u64, Failure> {
        add(stamp).query_async::<String>(&mut self.0.clone()).await?;
        Ok(stamp.revision)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        let mut pipeline = redis::pipe();
        events.iter().for_each(|stamp| {
            pipeline.add_command(add(*stamp)).ignore();
        });
        Ok(pipeline.query_async::<()>(&mut self.0.clone()).await?)
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let mut connection = self.0.clone();
        let mut from = "-".to_owned();
        loop {
            let mut range = cmd("XRANGE");
            range.arg(KEY).arg(&from).arg("+").arg("COUNT").arg(PAGE);
            let page: StreamRangeReply = range.query_async(&mut connection).await?;
            for entry in &page.ids {
                see(&data(entry)?);
            }
            match page.ids.last() {
                Some(last) if page.ids.len() == PAGE => from = format!("({}", last.id),
                _ => return Ok(()),
            }
        }
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let mut connection = self.0.clone();
        let mut after = "$".to_owned();
        loop {
            let mut read = cmd("XREAD");
            read.arg("COUNT").arg(PAGE).arg("BLOCK").arg(0).arg("STREAMS").arg(KEY).arg(&after);
            let page: StreamReadReply = read.query_async(&mut connection).await?;
            for entry in page.keys.iter().flat_map(|key| &key.ids) {
                if !pass_on(&heard, &data(entry)?)? {
                    return Ok(());
                }
                after.clone_from(&entry.id);
            }
        }
    }
}
