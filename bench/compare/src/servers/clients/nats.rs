//! NATS JetStream: one stream of the server, with a subject for each of ours.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{Context, ContextBuilder};
use futures_util::StreamExt as _;
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::servers::client::{Client, Delivered, pass_on};
use crate::servers::stamp::Stamp;

/// A connection.
pub struct Nats(Context);

const STREAM: &str = "EVENTS";
/// An answer that takes longer than this is an error.
const ANSWER_MAX: Duration = Duration::from_secs(60);

fn subject(stamp: Stamp) -> String {
    format!("events.{}", stamp.stream_name())
}

impl Nats {
    async fn consumer(&self, deliver_policy: DeliverPolicy) -> Result<Ordered, Failure> {
        let stream = self.0.get_stream(STREAM).await?;
        let deliver_subject = self.0.client().new_inbox();
        let config = OrderedConfig { deliver_subject, deliver_policy, ..OrderedConfig::default() };
        Ok(stream.create_consumer(config).await?.messages().await?)
    }
}

impl Client for Nats {
    async fn connect(port: u16) -> Result<Self, Failure> {
        let client = async_nats::connect(format!("nats://127.0.0.1:{port}")).await?;
        let context = ContextBuilder::new().timeout(ANSWER_MAX).ack_timeout(ANSWER_MAX).build(client);
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec!["events.>".to_owned()],
            storage: StorageType::File,
            ..Config::default()
        };
        context.get_or_create_stream(config).await?;
        Ok(Self(context))
    }

    async fn append(&self, stamp: Stamp, after: Option<u64>) -> Result<u64, Failure> {
        let message = PublishMessage::build()
            .payload(stamp.payload())
            .expected_last_subject_sequence(after.unwrap_or(0));
        Ok(self.0.send_publish(subject(stamp), message).await?.await?.sequence)
    }

    async fn fill(&self, events: &[Stamp]) -> Result<(), Failure> {
        let mut answers = Vec::with_capacity(events.len());
        for stamp in events {
            answers.push(self.0.publish(subject(*stamp), stamp.payload()).await?);
        }
        for answer in answers {
            answer.await?;
        }
        Ok(())
    }

    async fn read_all(&self, see: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Failure> {
        let mut stream = self.0.get_stream(STREAM).await?;
        let all = stream.info().await?.state.messages;
        let mut messages = self.consumer(DeliverPolicy::All).await?;
        for _ in 0..all {
            let message = messages.next().await.ok_or("the consumer ended")??;
            see(&message.payload);
        }
        Ok(())
    }

    async fn follow(self: Arc<Self>, heard: UnboundedSender<Delivered>) -> Result<(), Failure> {
        let mut messages = self.consumer(DeliverPolicy::New).await?;
        while let Some(message) = messages.next().await {
            if !pass_on(&heard, &message?.payload)? {
                return Ok(());
            }
        }
        Err("the consumer ended".into())
    }
}
