//! The service `Streams`: one file for each call that does more than ask the
//! rules.

mod append;
pub(crate) mod batch;
pub(crate) mod follow;
pub(crate) mod page;
mod read;
pub(crate) mod show;

use std::sync::Arc;
use std::time::Duration;

use factum_wire::proto::streams::streams_server::Streams;
use factum_wire::proto::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
    TombstoneReq, TombstoneResp,
};
use factum_wire::read::{ReadRequest, What};
use factum_wire::{Failure, delete};
use tonic::{Request, Response, Status, Streaming};

use crate::arriving::Arriving;
use crate::blocking::blocking;
use crate::rules::named::Named;
use crate::rules::remove::{self, Removal};
use crate::rules::write::Refusal;
use crate::serve::Services;
use crate::stopping::Stopping;
use crate::tail::Tail;
use crate::written;

/// The most bytes of events in one append.
pub const APPEND_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How long a client may take to send one append; in a batch, up to twice that.
pub const GATHERING_MAX: Duration = Duration::from_secs(60);

/// The service.
#[derive(Clone)]
pub struct StreamsService {
    services: Services,
    /// For all who follow the log live.
    tail: Tail,
    /// Becomes true when the server is to stop.
    stopping: Stopping,
}

impl StreamsService {
    /// Until `stopping` becomes true.
    pub fn new(services: Services, stopping: Stopping) -> Self {
        Self { services, tail: Tail::default(), stopping }
    }

    async fn remove(
        &self,
        (stream, expected): (factum_core::StreamName, factum_core::ExpectedRevision),
        removal: Removal,
    ) -> Result<Option<factum_core::Position>, Failure> {
        let named = Named::new(stream)?;
        let removed = remove::remove(Arc::clone(&self.services.store), named.clone(), expected, removal);
        removed.await.map_err(|refusal| match refusal {
            Refusal::Failed(failure) => failure,
            Refusal::WrongExpected(actual) => {
                Failure::WrongExpected { stream: named.target().clone(), expected, actual }
            }
        })
    }
}

#[tonic::async_trait]
impl Streams for StreamsService {
    type ReadStream = written::None<ReadResp>;
    type BatchAppendStream = written::None<BatchAppendResp>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        // To understand an expression is work.
        let request = match read::has_filter(&request) {
            true => blocking(move || ReadRequest::decode(request)).await?,
            false => ReadRequest::decode(request)?,
        };
        let answers = match request.what {
            What::Stream { .. } | What::All { .. } => read::read(&self.services, request).await?,
            What::FollowStream { .. } | What::FollowAll { .. } => {
                follow::follow(&self.services, &self.tail, request, self.stopping.clone()).await?
            }
        };
        Ok(written::response(answers))
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        append::append(&self.services, request.into_inner()).await.map(Response::new)
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        let at = self.remove(delete::delete(request.into_inner())?, Removal::Delete).await?;
        Ok(Response::new(delete::deleted(at)))
    }

    async fn tombstone(&self, request: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        let at = self.remove(delete::tombstone(request.into_inner())?, Removal::Tombstone).await?;
        Ok(Response::new(delete::buried(at)))
    }

    async fn batch_append(
        &self,
        mut request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Self::BatchAppendStream>, Status> {
        let requests = Arriving::with(&mut request)?;
        Ok(written::response(batch::begin(&self.services, requests, self.stopping.clone())))
    }
}
