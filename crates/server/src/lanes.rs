//! Lanes: threads that each serve some of the connections, all by themselves.
//!
//! ```text
//!   a client connects ─► dealt to the lane that has the fewest
//!
//!   lane 0   socket ─► call ─► store      one thread: nothing that happens to a
//!   lane 1   socket ─► call ─► store      connection wakes a thread but its own
//! ```
//!
//! With one runtime for all, an append alone woke up to four of its workers: one
//! for the socket, one in vain as a task was woken, one for the store's answer, and
//! the one that waits for sockets before the answer could be written. Here what
//! comes from the store wakes the thread that writes the answer. A lane whose client
//! asks again at once does not even sleep before: see [`pace`](factum_wire::pace).
//!
//! Work that may wait for a disk is done beside the lanes, on threads of
//! [`blocking`](crate::blocking). A lane goes on after its last connection for as
//! long as it is held: consumer groups have tasks on it that write down how far
//! they are.

use std::io;
use std::net::TcpStream as Socket;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use factum_wire::pace::Pace;
use futures_util::Stream;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Error;

use crate::connections::Place;
use crate::deadlines::Router;
use crate::prompt::Prompt;
use crate::stopping::Stopping;

/// How long reads that nobody waits for any more may take to end.
const LEFT_OVER: Duration = Duration::from_secs(2);

/// On how many threads a lane reads at the same time. A thousand subscriptions that
/// begin together would else have a thread each, with memory of its own.
const READERS_MAX: usize = 64;

/// What lanes are given: a connection, its place, and its share of the lane.
type Dealt = (Socket, Place, Arc<Pace>);

/// The threads. Dropped, they end, whatever is under way.
pub struct Lanes(Vec<Lane>);

struct Lane {
    /// Until no more come.
    connections: Option<mpsc::UnboundedSender<Dealt>>,
    /// Shared by as many connections as it has, and the lane.
    load: Arc<Pace>,
    /// All its connections have ended.
    served: oneshot::Receiver<Result<(), Error>>,
    /// Dropped, it may end.
    hold: oneshot::Sender<()>,
    /// It has.
    ended: oneshot::Receiver<()>,
}

impl Lanes {
    /// One for each core.
    pub fn start(router: impl Fn() -> Router, at_once: Duration, stopping: &Stopping) -> io::Result<Self> {
        let lanes = thread::available_parallelism().map_or(1, NonZero::get);
        let start = |number| Lane::start(number, router(), Pace::here(at_once), stopping.clone());
        (0..lanes).map(start).collect::<io::Result<_>>().map(Self)
    }

    /// Gives a connection to one of them.
    pub fn deal(&self, connection: TcpStream, place: Place) -> io::Result<()> {
        let connection = connection.into_std()?;
        let open = self.0.iter().filter_map(|lane| Some((lane.connections.as_ref()?, &lane.load)));
        let able = open.filter(|(connections, _)| !connections.is_closed());
        if let Some((connections, load)) = able.min_by_key(|(_, load)| Arc::strong_count(load)) {
            // One that breaks down just now lets go of it.
            let _ = connections.send((connection, place, Arc::clone(load)));
        }
        Ok(())
    }

    /// Done when the connections are, to which none is added any more.
    pub async fn served(&mut self) -> Result<(), Error> {
        self.0.iter_mut().for_each(|lane| lane.connections = None);
        for lane in &mut self.0 {
            if let Ok(served) = (&mut lane.served).await {
                served?;
            }
        }
        Ok(())
    }

    /// Ends them, and is done when they have ended.
    pub async fn end(self) {
        let ended: Vec<_> = self.0.into_iter().map(|lane| (drop(lane.hold), lane.ended).1).collect();
        for ended in ended {
            // It says nothing: it is gone.
            let _ = ended.await;
        }
    }
}

impl Lane {
    fn start(number: usize, router: Router, pace: Pace, stopping: Stopping) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(READERS_MAX).build()?;
        let (connections, dealt) = mpsc::unbounded_channel();
        let (tell_served, served) = oneshot::channel();
        let (hold, held) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let load = Arc::new(pace);
        let pace = Arc::clone(&load);
        let run = move || {
            runtime.spawn(async move { pace.look().await });
            runtime.block_on(run(router, Dealing(dealt), stopping, tell_served, held));
            runtime.shutdown_timeout(LEFT_OVER);
            drop(tell_ended);
        };
        thread::Builder::new().name(format!("factum-lane-{number}")).spawn(run)?;
        Ok(Self { connections: Some(connections), load, served, hold, ended })
    }
}

async fn run(
    router: Router,
    dealing: Dealing,
    mut stopping: Stopping,
    tell_served: oneshot::Sender<Result<(), Error>>,
    mut held: oneshot::Receiver<()>,
) {
    let serving = router.serve_with_incoming_shutdown(dealing, async move { stopping.said().await });
    tokio::select! {
        served = serving => {
            // Nobody listens if it took too long.
            let _ = tell_served.send(served);
            let _ = held.await;
        }
        _ = &mut held => {}
    }
}

/// The connections dealt to a lane.
struct Dealing(mpsc::UnboundedReceiver<Dealt>);

impl Stream for Dealing {
    type Item = io::Result<Prompt>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|dealt| {
            dealt.map(|(connection, place, load)| {
                Ok(Prompt::new(TcpStream::from_std(connection)?, place, load))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Connections;
    use crate::deadlines::Deadlines;
    use crate::stopping;
    use tokio::net::TcpListener;
    use tokio::time::timeout;
    use tonic::service::Routes;
    use tonic::transport::Server;

    const LONG: Duration = Duration::from_secs(30);

    struct Rig {
        lanes: Lanes,
        listener: TcpListener,
        places: Connections,
    }

    impl Rig {
        async fn new(stopping: &Stopping) -> Self {
            let router =
                || Server::builder().accept_http1(true).layer(Deadlines).add_routes(Routes::default());
            Self {
                lanes: Lanes::start(router, Duration::from_micros(200), stopping).unwrap(),
                listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
                places: Connections::default(),
            }
        }

        async fn connect(&self) -> TcpStream {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
            let (connection, _) = self.listener.accept().await.unwrap();
            self.lanes.deal(connection, self.places.place().unwrap()).unwrap();
            client
        }

        fn loads(&self) -> Vec<usize> {
            self.lanes.0.iter().map(|lane| Arc::strong_count(&lane.load) - 2).collect()
        }
    }

    /// Done when the other side has closed a connection.
    async fn closed(client: &TcpStream) {
        loop {
            client.readable().await.unwrap();
            match client.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return,
                Ok(_) => panic!("it spoke first"),
            }
        }
    }

    #[tokio::test]
    async fn connections_are_dealt_to_whoever_has_the_fewest() {
        let (stop, stopping) = stopping::stop();
        let mut rig = Rig::new(&stopping).await;
        let lanes = rig.lanes.0.len();
        let mut clients = Vec::new();
        for _ in 0..2 * lanes {
            clients.push(rig.connect().await);
        }
        assert_eq!(rig.loads(), vec![2; lanes]);
        clients.clear();
        timeout(LONG, async {
            while rig.loads() != vec![0; lanes] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        let last = rig.connect().await;
        stop.now();
        timeout(LONG, rig.lanes.served()).await.unwrap().unwrap();
        timeout(LONG, rig.lanes.end()).await.unwrap();
        timeout(LONG, closed(&last)).await.unwrap();
    }

    #[tokio::test]
    async fn without_them_no_connection_stays() {
        let (_stop, stopping) = stopping::stop();
        let rig = Rig::new(&stopping).await;
        let client = rig.connect().await;
        drop(rig.lanes);
        timeout(LONG, closed(&client)).await.unwrap();
    }
}
