//! `factum serve` through the crate `kurrentdb`.

use std::sync::Arc;

use kurrentdb::{
    AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, Client as KurrentDb, EventData,
    ReadAllOptions, ResolvedEvent, StreamPosition, StreamState, SubscribeToAllOptions,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::stamp::{EVENT_TYPE, Stamp};

/// A connection; appends go over one batch append call, or over a call each.
pub struct Factum<const BATCH: bool> {
    client: KurrentDb,
    batch: BatchAppendClient,
}

/// The client, without anything open.
pub fn client(port: u16) -> Result<KurrentDb, Failure> {
    let url = format!("kurrentdb://127.0.0.1:{port}?tls=false");
    KurrentDb::new(url.parse()?).map_err(|error| error.to_string().into())
}

/// An event to append.
pub fn event(stamp: Stamp) -> EventData {
    EventData::binary(EVENT_TYPE, stamp.payload())
}

/// What has to be there for an event to be next.
fn state(stamp: Stamp) -> StreamState {
    match stamp.revision.checked_sub(1) {
        None => StreamState::NoStream,
        Some(last) => StreamState::StreamRevision(last),
    }
}

/// The data of what came back.
pub fn data(event: &ResolvedEvent) -> &[u8] {
    &event.get_original_event().data
}

impl<const BATCH: bool> Client for Factum<BATCH> {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let client = client(port)?;
        let batch = client.batch_append(&BatchAppendOptions::default()).await?;
        Ok(Self { client, batch })
    }

    async fn append(&self, event: Stamp, _: Option<u64>) -> Result<u64, Failure> {
        let name = event.stream_name();
        if BATCH {
            self.batch.append_to_stream(name, state(event), vec![self::event(event)]).await?;
        } else {
            let options = AppendToStreamOptions::default().stream_state(state(event));
            self.client.append_to_stream(name, &options, self::event(event)).await?;
        }
        Ok(event.revision)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        let Some(first) = events.first() else { return Ok(()) };
        let events = events.iter().map(|stamp| event(*stamp)).collect();
        self.batch.append_to_stream(first.stream_name(), state(*first), events).await?;
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let mut events = self.client.read_all(&ReadAllOptions::default()).await?;
        while let Some(event) = events.next().await? {
            // Not what the server says of itself.
            if !event.get_original_stream_id().starts_with('$') {
                see(data(&event));
            }
        }
        Ok(())
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let from_now = SubscribeToAllOptions::default().position(StreamPosition::End);
        let mut events = self.client.subscribe_to_all(&from_now).await;
        while pass_on(&heard, data(&events.next().await?))? {}
        Ok(())
    }
}
