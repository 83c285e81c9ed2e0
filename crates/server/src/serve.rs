//! [`serve`]: one listener for everything, from its start to its end.
//!
//! ```text
//!   shutdown ─► nothing new is accepted ─► subscriptions end with
//!               `Server Is Not Ready`, appends under way are answered
//!             ─► all connections are gone, or a few seconds have passed
//! ```

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{Clock, EventStore, SystemClock};
use factum_wire::proto::gossip::gossip_server::GossipServer;
use factum_wire::proto::monitoring::monitoring_server::MonitoringServer;
use factum_wire::proto::operations::operations_server::OperationsServer;
use factum_wire::proto::persistent_subscriptions::persistent_subscriptions_server::PersistentSubscriptionsServer;
use factum_wire::proto::projections::projections_server::ProjectionsServer;
use factum_wire::proto::server_features::server_features_server::ServerFeaturesServer;
use factum_wire::proto::sessions::streams_service_server::StreamsServiceServer;
use factum_wire::proto::store::store_server::StoreServer;
use factum_wire::proto::streams::streams_server::StreamsServer;
use factum_wire::proto::users::users_server::UsersServer;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::absent::absent;
use crate::arriving::Whole;
use crate::connections::Connections;
use crate::deadlines::{Deadlines, Router};
use crate::features::FeaturesService;
use crate::gossip::GossipService;
use crate::groups::registry::Registry;
use crate::groups::{GroupsService, page};
use crate::health;
use crate::info;
use crate::lanes::Lanes;
use crate::monitoring::MonitoringService;
use crate::node::Node;
use crate::operations::OperationsService;
use crate::projections::ProjectionsService;
use crate::room::Room;
use crate::sessions::SessionsService;
use crate::stopping::{self, Asking, Stopping};
use crate::store::{self, StoreService};
use crate::streams::{StreamsService, batch};
use crate::users::UsersService;
use crate::written::Written;

/// The longest message taken: the largest event, and room for its labels.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The longest message that may hold many events. Longer than what is recorded
/// at once, so that somebody who sends more than that is told so.
const TRANSACTION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long connections may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How long nobody is accepted after somebody could not be.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// How much a client may send ahead of what is being handled: on one
/// connection, and on one call of it.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
const CALL_WINDOW: u32 = 2 * 1024 * 1024;

/// The largest piece of a message that a client may send. Each is a system call at
/// both ends; in pieces of 16 KiB, as is usual, a message of many appends would be
/// several.
const PIECE_BYTES: u32 = 256 * 1024;

/// How many calls one connection may have under way, subscriptions included;
/// KurrentDB allows 100.
const CALLS_MAX: u32 = 1_024;

/// How long after an answer a request is at once, if nothing else is said.
const AT_ONCE: Duration = Duration::from_micros(200);

/// What is served.
#[derive(Clone)]
pub struct Services {
    /// Where the events are.
    pub store: Arc<dyn EventStore>,
    /// What `$maxAge` and the times of answers go by.
    pub clock: Arc<dyn Clock>,
    /// For what is to be appended.
    pub(crate) room: Room,
    /// For whoever connects.
    pub(crate) connections: Connections,
    /// How soon after an answer a request is at once.
    pub(crate) at_once: Duration,
}

impl Services {
    /// A store, by the machine's clock.
    pub fn of(store: Arc<dyn EventStore>) -> Self {
        let (room, connections) = (Room::default(), Connections::default());
        Self { store, clock: Arc::new(SystemClock), room, connections, at_once: AT_ONCE }
    }

    /// With room for so many bytes of events that are to be appended, over all
    /// calls, instead of 256 MiB. Who waits for room longer than this is told
    /// that the server is too busy.
    pub fn with_room(self, bytes_max: u32, patience: Duration) -> Self {
        Self { room: Room::of(bytes_max, patience), ..self }
    }

    /// With so many connections at a time instead of 512. One that is too many
    /// is closed at once.
    pub fn with_connections(self, connections_max: usize) -> Self {
        Self { connections: Connections::of(connections_max), ..self }
    }

    /// Looks so long for the next request of a client that lately asked again at
    /// once, instead of 200 µs, before the thread sleeps that would handle it. Not at
    /// all if that is no time, or on a machine of one core.
    pub fn looking_for(self, longest: Duration) -> Self {
        Self { at_once: longest, ..self }
    }
}

/// Why a server did not begin, or broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others than this machine could reach it.
    #[error(
        "{address} can be reached from other machines, and the server has no encryption and no passwords yet: listen on 127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// Where it would listen.
        address: SocketAddr,
    },
    /// The listener has no address.
    #[error("cannot tell where the server would listen")]
    Listener(#[source] io::Error),
    /// The threads that would serve did not start.
    #[error("cannot start the server's threads")]
    Threads(#[source] io::Error),
    /// The connections failed as a whole.
    #[error("the server broke off")]
    Transport(#[source] tonic::transport::Error),
}

/// Refuses an address that others than this machine could reach.
pub fn check_address(address: SocketAddr) -> Result<(), ServeError> {
    match address.ip().to_canonical().is_loopback() {
        true => Ok(()),
        false => Err(ServeError::NotLoopback { address }),
    }
}

/// Serves until `shutdown` is done or a client asks for it, and then until what
/// was under way is answered, for a few seconds at most. Connections are served by
/// threads of its own; on the caller's runtime they are only accepted.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    check_address(address)?;
    let (stop, stopping) = stopping::stop();
    let registry = Registry::new(services.clone(), stopping.clone());
    let asking = Asking::default();
    let routes = routes(&services, &registry, address, stopping.clone(), asking.clone());
    let mut lanes =
        Lanes::start(|| router(&routes), services.at_once, &stopping).map_err(ServeError::Threads)?;
    tokio::select! {
        never = accept(&listener, &services.connections, &lanes) => match never {},
        () = shutdown => {}
        () = asking.asked() => {}
    }
    // Whoever connects from now on is refused.
    drop(listener);
    stop.now();
    let served = match tokio::time::timeout(GRACE, lanes.served()).await {
        Ok(served) => served.map_err(ServeError::Transport),
        Err(_) => Ok(()),
    };
    // Groups write down how far they are, consumers or not.
    registry.ended().await;
    lanes.end().await;
    served
}

/// Deals whoever connects to the lanes.
async fn accept(listener: &TcpListener, places: &Connections, lanes: &Lanes) -> Infallible {
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            // It broke off on its way; or there is no file left for it, and asking
            // again at once would only keep a core busy.
            tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            continue;
        };
        // One without a place is closed by being let go of.
        if let Some(place) = places.place() {
            // Where neither can be had, it is served later, or not at all, and the
            // others are as before.
            let _ = connection.set_nodelay(true);
            let _ = lanes.deal(connection, place);
        }
    }
}

fn router(routes: &Routes) -> Router {
    Server::builder()
        .accept_http1(true)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(CALL_WINDOW)
        .max_frame_size(PIECE_BYTES)
        .max_concurrent_streams(CALLS_MAX)
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .layer(Deadlines)
        .add_routes(routes.clone())
}

fn routes(
    services: &Services,
    registry: &Registry,
    address: SocketAddr,
    stopping: Stopping,
    asking: Asking,
) -> Routes {
    let groups = GroupsService::new(services.clone(), registry.clone());
    let node = Arc::new(Node::new(services, address.ip().to_string(), address.port()));
    let store = StoreServer::new(StoreService::new(services, stopping.clone()))
        .max_decoding_message_size(factum_wire::store::MESSAGE_BYTES_MAX);
    let streams = StreamsServer::new(StreamsService::new(services.clone(), stopping.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let sessions = StreamsServiceServer::new(SessionsService::new(services.clone()))
        .max_decoding_message_size(TRANSACTION_BYTES_MAX);
    let plain =
        health::routes(services.store.clone(), stopping.clone()).merge(info::routes(Arc::clone(&node)));
    let plain = plain.merge(page::routes(groups.clone()));
    Routes::from(plain.fallback(absent))
        .add_service(Whole {
            service: Written(streams),
            path: batch::PATH,
            message_bytes_max: MESSAGE_BYTES_MAX,
        })
        .add_service(sessions)
        .add_service(PersistentSubscriptionsServer::new(groups))
        .add_service(Whole {
            service: Written(store),
            path: store::APPEND,
            message_bytes_max: factum_wire::store::MESSAGE_BYTES_MAX,
        })
        .add_service(GossipServer::new(GossipService(Arc::clone(&node))))
        .add_service(MonitoringServer::new(MonitoringService::new(node, stopping)))
        .add_service(OperationsServer::new(OperationsService::new(asking, registry.clone())))
        .add_service(ProjectionsServer::new(ProjectionsService::new(services.store.clone())))
        .add_service(UsersServer::new(UsersService::new(services.store.clone())))
        .add_service(ServerFeaturesServer::new(FeaturesService))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_connect() {
        for local in ["127.0.0.1:2113", "127.9.9.9:0", "[::1]:2113", "[::ffff:127.0.0.1]:1"] {
            assert!(check_address(local.parse().unwrap()).is_ok(), "{local}");
        }
        for open in ["0.0.0.0:2113", "[::]:2113", "192.168.1.5:2113", "[2001:db8::1]:1"] {
            let error = check_address(open.parse().unwrap()).unwrap_err().to_string();
            assert!(error.contains(open) && error.contains("127.0.0.1"), "{error}");
        }
    }
}
