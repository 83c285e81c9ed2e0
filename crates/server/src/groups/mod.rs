//! Persistent subscriptions: groups of consumers that share the events of a
//! stream or of the log, and say of each what became of it.
//!
//! ```text
//!   calls ──► registry ──► runner, a task for each group that is used
//!                │            │
//!             config          ├── group: the machine that decides
//!          (which there       │     progress, strategy, member, times
//!               are)          │     aside, sequences
//!                             ├── cursor: what it reads
//!                             ├── ledger: what it writes down
//!                             │     checkpoint, parked
//!                             └── a channel for each consumer ──► answers
//! ```
//!
//! Every event is delivered at least once, and not again after it was acked:
//! for as long as the server runs without exception, and after a restart except
//! for what was acked since the last checkpoint. A checkpoint is a set, not a
//! place, so that an event that takes long does not make those behind it come
//! again. An event that cannot be handled is parked alone, or, where a group is to
//! keep the order of streams, with what is behind it in its stream. A consumer that
//! does not answer, or does not read, costs the others nothing.
//!
//! Everything a group has is events in ordinary streams of the store, and
//! survives with it.

pub mod aside;
pub mod checkpoint;
pub mod config;
pub mod cursor;
pub mod group;
pub mod ledger;
pub mod listen;
pub mod member;
pub mod page;
pub mod parked;
pub mod progress;
pub mod rate;
pub mod registry;
pub mod runner;
pub mod sequences;
pub mod shown;
pub mod strategy;
pub mod times;

use std::sync::Arc;

use factum_wire::Failure;
use factum_wire::groups::member::{self as said, Joining, Saying};
use factum_wire::groups::{GroupInfo, GroupKey, Source, control, info, settings};
use factum_wire::proto::client::Empty;
use factum_wire::proto::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptions;
use factum_wire::proto::persistent_subscriptions::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, GetInfoReq, GetInfoResp, ListReq, ListResp, ReadReq,
    ReadResp, ReplayParkedReq, ReplayParkedResp, TruncateParkedReq, TruncateParkedResp, UpdateReq,
    UpdateResp,
};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::blocking::blocking;
use crate::failure;
use crate::rules::standing::Standing;
use crate::serve::Services;
use crate::system::source::Source as StreamSource;

use self::registry::Registry;
use self::runner::{Command, Join, Stands};

/// The header in which a client says what it calls itself.
const CONNECTION_NAME: &str = "connection-name";

/// What one that does not say is called.
const NAMELESS: &str = "<unknown>";

/// The service.
#[derive(Clone)]
pub struct GroupsService {
    services: Services,
    registry: Registry,
}

impl GroupsService {
    pub fn new(services: Services, registry: Registry) -> Self {
        Self { services, registry }
    }

    /// How a group stands, with what only the store knows.
    async fn stands(&self, key: &GroupKey) -> Result<Stood, Failure> {
        let (Stands { mut info, parked, low, rests_at }, _) = self.registry.ask(key, Command::Info).await?;
        let store = Arc::clone(&self.services.store);
        blocking(move || {
            let (_, at) = ledger::streams(&info.key)?;
            let (first, end) = parked::range(&Standing::look(&*store, &at)?);
            info.parked = parked.left_before(end).saturating_sub(parked.left_before(first));
            info.last_known = match &info.key.source {
                Source::All => store.last_position().map_err(failure::of_read)?.map(|last| last.get()),
                Source::Stream(stream) => {
                    let last = StreamSource::new(stream.clone())?.last(&*store)?;
                    last.map(|last| last.get())
                }
            };
            // One that rests does not notice that more has come.
            let has_seen = |last| rests_at.is_none_or(|next| last < next);
            info.is_live &= info.last_known.is_none_or(has_seen);
            Ok(Stood { info, low })
        })
        .await
    }
}

/// How a group stands, and before what everything is done.
struct Stood {
    info: GroupInfo,
    low: u64,
}

#[tonic::async_trait]
impl PersistentSubscriptions for GroupsService {
    type ReadStream = BoxStream<'static, Result<ReadResp, Status>>;

    async fn create(&self, request: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        self.registry.create(settings::create(request.into_inner())?).await?;
        Ok(Response::new(CreateResp {}))
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        self.registry.update(settings::update(request.into_inner())?).await?;
        Ok(Response::new(UpdateResp {}))
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        self.registry.delete(control::delete(request.into_inner())?).await?;
        Ok(Response::new(DeleteResp {}))
    }

    async fn read(&self, request: Request<Streaming<ReadReq>>) -> Result<Response<Self::ReadStream>, Status> {
        let from = request.remote_addr().map(|from| from.to_string()).unwrap_or_default();
        let name = request.metadata().get(CONNECTION_NAME).and_then(|name| name.to_str().ok());
        let name = name.unwrap_or(NAMELESS).to_owned();
        let mut requests = request.into_inner();
        let first = requests.message().await?.map(said::saying).transpose()?;
        let Some(Saying::Join(Joining { key, slots, ids })) = first else {
            let what = "the first message of a consumer must say which group it joins";
            return Err(Failure::Invalid(what.to_owned()).into());
        };
        let join = Join { slots, from, name };
        let (joined, commands) = self.registry.ask(&key, |reply| Command::Join(join, reply)).await?;
        // Dropped with the answers: then the consumer is gone.
        let (gone, here) = oneshot::channel::<()>();
        tokio::spawn(listen::listen(requests, commands, joined.id, key.clone(), gone));
        let events = ReceiverStream::new(joined.events).map(move |(shown, retries)| {
            // Held until then.
            let _ = &here;
            Ok(shown.message(ids, retries))
        });
        let end = joined.end.map(|end| Err(end.unwrap_or(Failure::NotReady).status()));
        let confirmation = futures_util::stream::iter([Ok(said::confirmation(&key))]);
        let answers = confirmation.chain(events).chain(futures_util::stream::once(end));
        Ok(Response::new(answers.boxed()))
    }

    async fn get_info(&self, request: Request<GetInfoReq>) -> Result<Response<GetInfoResp>, Status> {
        let stood = self.stands(&control::info(request.into_inner())?).await?;
        Ok(Response::new(GetInfoResp { subscription_info: Some(info::encode(&stood.info)) }))
    }

    async fn replay_parked(
        &self,
        request: Request<ReplayParkedReq>,
    ) -> Result<Response<ReplayParkedResp>, Status> {
        let (key, stop_at) = control::replay(request.into_inner())?;
        self.registry.ask(&key, |reply| Command::Replay(stop_at, reply)).await?;
        Ok(Response::new(ReplayParkedResp {}))
    }

    async fn truncate_parked(
        &self,
        request: Request<TruncateParkedReq>,
    ) -> Result<Response<TruncateParkedResp>, Status> {
        let (key, stop_at) = control::truncate(request.into_inner())?;
        self.registry.ask(&key, |reply| Command::Truncate(stop_at, reply)).await?;
        Ok(Response::new(TruncateParkedResp {}))
    }

    async fn list(&self, request: Request<ListReq>) -> Result<Response<ListResp>, Status> {
        let source = control::list(request.into_inner())?;
        let keys = self.registry.list(source.as_ref()).await?;
        if let (Some(source), true) = (source, keys.is_empty()) {
            // No group has an empty name; it stands for all there could be.
            return Err(Failure::GroupDoesNotExist { group: GroupKey { source, name: String::new() } }.into());
        }
        let mut subscriptions = Vec::with_capacity(keys.len());
        for key in keys {
            match self.stands(&key).await {
                Ok(stood) => subscriptions.push(info::encode(&stood.info)),
                // Gone meanwhile.
                Err(Failure::GroupDoesNotExist { .. }) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(Response::new(ListResp { subscriptions }))
    }

    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.registry.restart();
        Ok(Response::new(Empty {}))
    }
}
