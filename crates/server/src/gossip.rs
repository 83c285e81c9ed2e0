//! The call by which clients find the members of a cluster.

use std::sync::Arc;

use factum_wire::proto::client::Empty;
use factum_wire::proto::gossip::ClusterInfo;
use factum_wire::proto::gossip::gossip_server::Gossip;
use tonic::{Request, Response, Status};

use crate::node::Node;

/// The service.
pub struct GossipService(pub Arc<Node>);

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        Ok(Response::new(self.0.cluster()))
    }
}
