//! The call clients make first: what can this server do?

use factum_wire::features;
use factum_wire::proto::client::Empty;
use factum_wire::proto::server_features::SupportedMethods;
use factum_wire::proto::server_features::server_features_server::ServerFeatures;
use tonic::{Request, Response, Status};

/// The service.
pub struct FeaturesService;

#[tonic::async_trait]
impl ServerFeatures for FeaturesService {
    async fn get_supported_methods(&self, _: Request<Empty>) -> Result<Response<SupportedMethods>, Status> {
        Ok(Response::new(features::supported()))
    }
}
