//! `factum.store.v3`: the port itself, for those who want all of it: tags,
//! conditions, appends to several streams.
//!
//! Nothing is interpreted here. What a message says is handed to the store, and
//! what the store says is told back, errors by their own names; one file for
//! each call that goes on for longer than one answer.

mod append;
mod page;
mod read;
mod subscribe;

use std::sync::Arc;

use factum_core::{EventStore, Position};
use factum_wire::proto::store::store_server::Store;
use factum_wire::proto::store::{
    AppendRequest, AppendResponse, CountResponse, LastPositionRequest, LastPositionResponse, ReadRequest,
    ReadResponse, SubscribeRequest, SubscribeResponse,
};
use factum_wire::store::{read as messages, status};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::arriving::Arriving;
use crate::blocking::blocking;
use crate::room::Room;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::written;

/// The path of the call whose messages are taken as they come.
pub const APPEND: &str = "/factum.store.v3.Store/Append";

/// Answers that follow one another.
type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// The service.
#[derive(Clone)]
pub struct StoreService {
    store: Arc<dyn EventStore>,
    /// For what is to be appended.
    room: Room,
    /// Becomes true when the server is to stop.
    stopping: Stopping,
}

impl StoreService {
    /// Of these services, until `stopping` becomes true.
    pub fn new(services: &Services, stopping: Stopping) -> Self {
        Self { store: services.store.clone(), room: services.room.clone(), stopping }
    }
}

#[tonic::async_trait]
impl Store for StoreService {
    type AppendStream = Answers<AppendResponse>;
    type ReadStream = written::None<ReadResponse>;
    type SubscribeStream = Answers<SubscribeResponse>;

    async fn append(
        &self,
        mut request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let (store, room) = (Arc::clone(&self.store), self.room.clone());
        let requests = Arriving::with(&mut request)?;
        Ok(Response::new(append::begin(store, room, requests, self.stopping.clone())))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let read = messages::decode(request.into_inner()).map_err(|error| status::of_malformed(&error))?;
        Ok(written::response(read::read(Arc::clone(&self.store), read)))
    }

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let (store, stopping) = (Arc::clone(&self.store), self.stopping.clone());
        Ok(Response::new(subscribe::begin(store, request.into_inner(), stopping)))
    }

    async fn count(&self, request: Request<ReadRequest>) -> Result<Response<CountResponse>, Status> {
        let read = messages::decode(request.into_inner()).map_err(|error| status::of_malformed(&error))?;
        let store = Arc::clone(&self.store);
        let count = blocking(move || Ok(store.count(read))).await?;
        let count = count.map_err(|error| status::of_read(&error))?;
        Ok(Response::new(CountResponse { count }))
    }

    async fn last_position(
        &self,
        _: Request<LastPositionRequest>,
    ) -> Result<Response<LastPositionResponse>, Status> {
        let store = Arc::clone(&self.store);
        let last = blocking(move || Ok(store.last_position())).await?;
        let last = last.map_err(|error| status::of_read(&error))?;
        Ok(Response::new(LastPositionResponse { position: last.map(Position::get) }))
    }
}
