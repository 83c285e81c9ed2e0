//! The service `Projections`: of the five that every KurrentDB has, and no
//! others. They are answered from indexes, so that they always run and are
//! always at the end of the log.

use std::sync::Arc;

use factum_core::EventStore;
use factum_wire::proto::client::Empty;
use factum_wire::proto::projections::projections_server::Projections;
use factum_wire::proto::projections::{
    CreateReq, CreateResp, DeleteReq, DeleteResp, DisableReq, DisableResp, EnableReq, EnableResp, ResetReq,
    ResetResp, ResultReq, ResultResp, StateReq, StateResp, StatisticsReq, StatisticsResp, UpdateReq,
    UpdateResp,
};
use factum_wire::{Failure, projection};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use crate::blocking::blocking;
use crate::failure;

/// The service.
pub struct ProjectionsService {
    store: Arc<dyn EventStore>,
}

impl ProjectionsService {
    #[allow(missing_docs)]
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store }
    }
}

/// One of the five cannot be changed.
fn fixed<T>(name: Option<String>, what: &str) -> Result<T, Status> {
    let name = name.unwrap_or_default();
    projection::check(&name)?;
    Err(Failure::Refused(format!(
        "projection '{name}' cannot be {what}: it is an index, which is a part of the log"
    ))
    .into())
}

fn there(name: Option<String>) -> Result<(), Failure> {
    projection::check(&name.unwrap_or_default())
}

#[tonic::async_trait]
impl Projections for ProjectionsService {
    type StatisticsStream = BoxStream<'static, Result<StatisticsResp, Status>>;

    async fn create(&self, _: Request<CreateReq>) -> Result<Response<CreateResp>, Status> {
        let says = "projections in JavaScript are not here: subscribe, and fold the events in your program";
        Err(Failure::Absent(says.to_owned()).into())
    }

    async fn update(&self, request: Request<UpdateReq>) -> Result<Response<UpdateResp>, Status> {
        fixed(request.into_inner().options.map(|options| options.name), "updated")
    }

    async fn delete(&self, request: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        fixed(request.into_inner().options.map(|options| options.name), "deleted")
    }

    async fn disable(&self, request: Request<DisableReq>) -> Result<Response<DisableResp>, Status> {
        fixed(request.into_inner().options.map(|options| options.name), "disabled")
    }

    async fn statistics(
        &self,
        request: Request<StatisticsReq>,
    ) -> Result<Response<Self::StatisticsStream>, Status> {
        let names = projection::asked_for(request.into_inner())?;
        let store = Arc::clone(&self.store);
        let last = blocking(move || store.last_position().map_err(failure::of_read)).await?;
        let told = names.into_iter().map(move |name| Ok(projection::running(name, last)));
        Ok(Response::new(stream::iter(told).boxed()))
    }

    async fn enable(&self, request: Request<EnableReq>) -> Result<Response<EnableResp>, Status> {
        there(request.into_inner().options.map(|options| options.name))?;
        Ok(Response::new(EnableResp {}))
    }

    async fn reset(&self, request: Request<ResetReq>) -> Result<Response<ResetResp>, Status> {
        there(request.into_inner().options.map(|options| options.name))?;
        Ok(Response::new(ResetResp {}))
    }

    async fn state(&self, request: Request<StateReq>) -> Result<Response<StateResp>, Status> {
        there(request.into_inner().options.map(|options| options.name))?;
        Ok(Response::new(StateResp { state: Some(projection::nothing()) }))
    }

    async fn result(&self, request: Request<ResultReq>) -> Result<Response<ResultResp>, Status> {
        there(request.into_inner().options.map(|options| options.name))?;
        Ok(Response::new(ResultResp { result: Some(projection::nothing()) }))
    }

    async fn restart_subsystem(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }
}
