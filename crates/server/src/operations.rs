//! The service `Operations`: what an operator asks of a node.
//!
//! Much of it is about what is not here, and is answered as a node answers that
//! has it and nothing to do: there is no other node to resign for, no index to
//! merge, and nothing that a scavenge could remove.

use factum_wire::Failure;
use factum_wire::proto::client::Empty;
use factum_wire::proto::operations::operations_server::Operations;
use factum_wire::proto::operations::scavenge_resp::ScavengeResult;
use factum_wire::proto::operations::{ScavengeResp, SetNodePriorityReq, StartScavengeReq, StopScavengeReq};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::stopping::Asking;

/// The service.
pub struct OperationsService {
    /// By which a client asks the server to stop.
    asking: Asking,
}

impl OperationsService {
    #[allow(missing_docs)]
    pub fn new(asking: Asking) -> Self {
        Self { asking }
    }
}

fn done() -> Result<Response<Empty>, Status> {
    Ok(Response::new(Empty {}))
}

#[tonic::async_trait]
impl Operations for OperationsService {
    /// It begins, and is over at once.
    async fn start_scavenge(&self, _: Request<StartScavengeReq>) -> Result<Response<ScavengeResp>, Status> {
        Ok(Response::new(ScavengeResp {
            scavenge_id: Uuid::new_v4().to_string(),
            scavenge_result: ScavengeResult::Started as i32,
        }))
    }

    /// None is ever under way.
    async fn stop_scavenge(
        &self,
        request: Request<StopScavengeReq>,
    ) -> Result<Response<ScavengeResp>, Status> {
        let id = request.into_inner().options.map(|options| options.scavenge_id).unwrap_or_default();
        Err(Failure::ScavengeNotFound { id }.into())
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
        Err(Failure::Absent(
            "persistent subscriptions are not here yet, so that there are none to restart".to_owned(),
        )
        .into())
    }
}
