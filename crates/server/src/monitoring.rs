//! The service `Monitoring`: what the server measures of itself, again and again.

use std::sync::Arc;
use std::time::Duration;

use factum_wire::Failure;
use factum_wire::proto::monitoring::monitoring_server::Monitoring;
use factum_wire::proto::monitoring::{StatsReq, StatsResp};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use crate::blocking::blocking;
use crate::node::Node;
use crate::stopping::Stopping;

/// How often at most; a client that says nothing is told once a second.
const PERIOD_MIN: Duration = Duration::from_millis(100);
const PERIOD: Duration = Duration::from_secs(1);

/// The service.
pub struct MonitoringService {
    node: Arc<Node>,
    stopping: Stopping,
}

impl MonitoringService {
    /// Until `stopping` becomes true.
    pub fn new(node: Arc<Node>, stopping: Stopping) -> Self {
        Self { node, stopping }
    }
}

#[tonic::async_trait]
impl Monitoring for MonitoringService {
    type StatsStream = BoxStream<'static, Result<StatsResp, Status>>;

    async fn stats(&self, request: Request<StatsReq>) -> Result<Response<Self::StatsStream>, Status> {
        let period = match request.into_inner().refresh_time_period_in_ms {
            0 => PERIOD,
            milliseconds => Duration::from_millis(milliseconds).max(PERIOD_MIN),
        };
        let told = measured(Arc::clone(&self.node)).await?;
        let begin = (Arc::clone(&self.node), self.stopping.clone());
        let later = stream::unfold(Some(begin), move |going| async move {
            let (node, mut stopping) = going?;
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = stopping.said() => return Some((Err(Failure::NotReady.status()), None)),
            }
            match measured(Arc::clone(&node)).await {
                Ok(told) => Some((Ok(told), Some((node, stopping)))),
                Err(failure) => Some((Err(failure.status()), None)),
            }
        });
        Ok(Response::new(stream::iter([Ok(told)]).chain(later).boxed()))
    }
}

async fn measured(node: Arc<Node>) -> Result<StatsResp, Failure> {
    let stats = blocking(move || node.stats()).await?;
    Ok(StatsResp { stats: stats.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect() })
}
