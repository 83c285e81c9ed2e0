//! Servers in this process, each at a port of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use factum_core::EventStore;
use factum_log::{Log, LogOptions};
use factum_server::{Services, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server over any store. Dropped, it stops.
pub struct Served {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// At a port that is free.
    pub fn start(store: Arc<dyn EventStore>) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), store)
    }

    /// At this address, as soon as whoever had it has let go of it.
    pub fn at(address: SocketAddr, store: Arc<dyn EventStore>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(address).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, Services::of(store), async { stopped.await.unwrap_or_default() })
                    .await
                    .unwrap();
            });
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        Self { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A server on a store on disk. Dropped, it stops.
pub struct Host {
    pub address: SocketAddr,
    pub store: Arc<dyn EventStore>,
    served: Served,
    log: Option<Log>,
    /// Where the store lies, and nothing else.
    pub dir: TempDir,
}

impl Host {
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let small = 64 * 1024 * 1024;
        let options =
            LogOptions { segment_bytes_first: small, segment_bytes_max: small, ..LogOptions::default() };
        let log = Log::open(&dir.path().join("store"), options).unwrap();
        let store: Arc<dyn EventStore> = Arc::new(log.clone());
        let served = Served::start(Arc::clone(&store));
        Self { address: served.address, store, served, log: Some(log), dir }
    }

    /// Asks it to stop, and says how long that took.
    pub fn stop(&mut self) -> Duration {
        let begun = Instant::now();
        self.served.stop();
        if let Some(log) = self.log.take() {
            log.close().unwrap();
        }
        begun.elapsed()
    }

    /// Whether it has ended by itself within this time.
    pub fn ended(&mut self, within: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if self.served.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// How newer clients, and older ones, name it.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}?tls=false", self.address)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}
