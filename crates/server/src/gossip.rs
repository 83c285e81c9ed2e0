//! The call by which clients find the members of a cluster.

use std::sync::Arc;

use factum_core::Clock;
use factum_wire::gossip;
use factum_wire::proto::client::Empty;
use factum_wire::proto::gossip::ClusterInfo;
use factum_wire::proto::gossip::gossip_server::Gossip;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// The service: one server, known by an id until it stops.
pub struct GossipService {
    instance: Uuid,
    address: String,
    port: u16,
    clock: Arc<dyn Clock>,
}

impl GossipService {
    /// Of the server at this address.
    pub fn new(address: String, port: u16, clock: Arc<dyn Clock>) -> Self {
        Self { instance: Uuid::new_v4(), address, port, clock }
    }
}

#[tonic::async_trait]
impl Gossip for GossipService {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let address = self.address.clone();
        Ok(Response::new(gossip::alone(self.instance, address, self.port, self.clock.now())))
    }
}
