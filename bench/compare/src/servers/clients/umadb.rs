//! UmaDB: events without streams, told apart by their tags.

use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::sync::mpsc::UnboundedSender;
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{DcbAppendCondition, DcbEvent, DcbEventStoreAsync as _, DcbQuery, DcbQueryItem};

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::stamp::{EVENT_TYPE, Stamp};

/// A connection.
pub struct UmaDb(AsyncUmaDbClient);

fn event(stamp: Stamp) -> DcbEvent {
    DcbEvent::default().event_type(EVENT_TYPE).tags([stamp.stream_name()]).data(stamp.payload())
}

impl Client for UmaDb {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let client = UmaDbClient::new(format!("http://127.0.0.1:{port}")).connect_async().await?;
        client.head().await?;
        Ok(Self(client))
    }

    async fn append(&self, stamp: Stamp, after: Option<u64>) -> Result<u64, Failure> {
        let same_stream = DcbQuery::new().item(DcbQueryItem::new().tags([stamp.stream_name()]));
        let condition = DcbAppendCondition::new(same_stream).after(after);
        Ok(self.0.append(vec![event(stamp)], Some(condition), None).await?)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        self.0.append(events.iter().map(|stamp| event(*stamp)).collect(), None, None).await?;
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let mut events = self.0.read(None, None, false, None).await?;
        loop {
            let batch = events.next_batch().await?;
            if batch.is_empty() {
                return Ok(());
            }
            batch.iter().for_each(|event| see(&event.event.data));
        }
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let last = self.0.head().await?;
        let mut events = self.0.subscribe(None, last).await?;
        while let Some(event) = events.next().await {
            if !pass_on(&heard, &event?.event.data)? {
                return Ok(());
            }
        }
        Err("the subscription ended".into())
    }
}
