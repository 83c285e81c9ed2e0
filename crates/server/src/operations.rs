//! The service `Operations`: what an operator asks of a node.
//!
//! Much of it is about what is not here, and is answered as a node answers that
//! has it and nothing to do: there is no other node to resign for, no index to
//! merge, and nothing that a scavenge could remove. A scavenge is over as soon as it
//! began, and whoever stops the last one is told that it is stopped, as by a node
//! whose scavenge takes its time: programs begin one and stop it.

use std::sync::{Mutex, PoisonError};

use factum_wire::Failure;
use factum_wire::proto::client::Empty;
use factum_wire::proto::operations::operations_server::Operations;
use factum_wire::proto::operations::scavenge_resp::ScavengeResult;
use factum_wire::proto::operations::{ScavengeResp, SetNodePriorityReq, StartScavengeReq, StopScavengeReq};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::groups::registry::Registry;
use crate::stopping::Asking;

/// The service.
pub struct OperationsService {
    /// By which a client asks the server to stop.
    asking: Asking,
    groups: Registry,
    /// The last one that began, until somebody stops it.
    scavenge: Mutex<Option<String>>,
}

impl OperationsService {
    #[allow(missing_docs)]
    pub fn new(asking: Asking, groups: Registry) -> Self {
        Self { asking, groups, scavenge: Mutex::default() }
    }
}

fn done() -> Result<Response<Empty>, Status> {
    Ok(Response::new(Empty {}))
}

fn answer(scavenge_id: String, result: ScavengeResult) -> Result<Response<ScavengeResp>, Status> {
    Ok(Response::new(ScavengeResp { scavenge_id, scavenge_result: result as i32 }))
}

#[tonic::async_trait]
impl Operations for OperationsService {
    /// It begins, and there is nothing to do.
    async fn start_scavenge(&self, _: Request<StartScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        let id = Uuid::new_v4().to_string();
        *self.scavenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.clone());
        answer(id, ScavengeResult::Started)
    }

    async fn stop_scavenge(
        &self,
        request: Request<StopScavengeReq>,
    ) -> Result<Response<ScavengeResp>, Status> {
        let id = request.into_inner().options.map(|options| options.scavenge_id).unwrap_or_default();
        let mut last = self.scavenge.lock().unwrap_or_else(PoisonError::into_inner);
        match last.take_if(|last| *last == id) {
            Some(id) => answer(id, ScavengeResult::Stopped),
            None => Err(Failure::ScavengeNotFound { id }.into()),
        }
    }

    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.asking.stop();
        done()
    }

    async fn merge_indexes(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        done()
    }

    async fn resign_node(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        done()
    }

    async fn set_node_priority(&self, _: Request<SetNodePriorityReq>) -> Result<Response<Empty>, Status> {
        done()
    }

    async fn restart_persistent_subscriptions(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.groups.restart();
        done()
    }
}
