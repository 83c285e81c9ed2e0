//! `factum serve` through Factum's own client, the store over the network.

use std::future::poll_fn;
use std::sync::Arc;

use factum_core::{
    Append, AppendFuture, ContentType, EventStore as _, EventType, ExpectedRevision, NewEvent, Read,
    Revision, Selection, Signal, StreamName, Subscribe, SubscribeFrom,
};
use factum_wire::client::RemoteStore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::stamp::{EVENT_TYPE, Stamp};

/// A connection for appends and one for reads, with a thread behind them.
pub struct FactumOwn(RemoteStore);

/// Events that follow each other in one stream.
fn append(events: &[Stamp]) -> Result<Append, Failure> {
    let first = events.first().ok_or("nothing to append")?;
    let expected = match first.revision.checked_sub(1) {
        None => ExpectedRevision::NoStream,
        Some(last) => ExpectedRevision::Exact(Revision::new(last)),
    };
    let event_type = EventType::from_static(EVENT_TYPE)?;
    let event = |stamp: &Stamp| NewEvent {
        content_type: ContentType::Binary,
        ..NewEvent::new(event_type.clone(), stamp.payload())
    };
    Ok(Append::to(StreamName::new(first.stream_name())?, expected, events.iter().map(event)))
}

impl FactumOwn {
    /// What was handed over need not be kept until it is answered.
    fn hand_over(&self, events: &[Stamp]) -> Result<AppendFuture, Failure> {
        Ok(self.0.append_async(&append(events)?))
    }
}

impl Client for FactumOwn {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let url = format!("factum://127.0.0.1:{port}?tls=false");
        Ok(Self(block_in_place(|| RemoteStore::connect(&url))?))
    }

    async fn append(&self, event: Stamp, _: Option<u64>) -> Result<u64, Failure> {
        self.hand_over(&[event])?.await?;
        Ok(event.revision)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        if !events.is_empty() {
            self.hand_over(events)?.await?;
        }
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        block_in_place(|| {
            for event in self.0.read(Read::all())? {
                let event = event?;
                // Not what the server says of itself.
                if !event.stream.as_str().starts_with('$') {
                    see(&event.data);
                }
            }
            Ok(())
        })
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let from_now = Subscribe::to(Selection::All).from(SubscribeFrom::Now);
        let mut events = block_in_place(|| self.0.subscribe(from_now))?;
        loop {
            let signal = poll_fn(|context| events.poll_next(context)).await?;
            if let Signal::Event(event) = signal
                && !pass_on(&heard, &event.data)?
            {
                return Ok(());
            }
        }
    }
}
