//! Servers in this process, each at a port of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
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
        Self::of(address, Services::of(store))
    }

    /// The same, told more.
    pub fn of(address: SocketAddr, services: Services) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(address).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, services, async { stopped.await.unwrap_or_default() }).await.unwrap();
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
        Self::start_as(|services| services)
    }

    /// With services changed before it begins.
    pub fn start_as(change: impl FnOnce(Services) -> Services) -> Self {
        Self::over(TempDir::new().unwrap(), change)
    }

    /// Stops it, and starts it again over the same store.
    pub fn restarted(mut self) -> Self {
        self.stop();
        let empty = TempDir::new().unwrap();
        Self::over(std::mem::replace(&mut self.dir, empty), |services| services)
    }

    /// Another one, over what a crash at this moment would leave of the store.
    pub fn crashed(&self) -> Self {
        let dir = TempDir::new().unwrap();
        copy(&self.dir.path().join("store"), &dir.path().join("store"));
        Self::over(dir, |services| services)
    }

    fn over(dir: TempDir, change: impl FnOnce(Services) -> Services) -> Self {
        let small = 64 * 1024 * 1024;
        let options =
            LogOptions { segment_bytes_first: small, segment_bytes_max: small, ..LogOptions::default() };
        let log = Log::open(&dir.path().join("store"), options).unwrap();
        let store: Arc<dyn EventStore> = Arc::new(log.clone());
        let services = change(Services::of(Arc::clone(&store)));
        let served = Served::of("127.0.0.1:0".parse().unwrap(), services);
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

    /// Closes the store behind the server's back.
    pub fn close_store(&mut self) {
        self.log.take().unwrap().close().unwrap();
    }

    /// The status of a plain HTTP request.
    pub fn get(&self, path: &str) -> u16 {
        let mut connection = TcpStream::connect(self.address).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// How newer clients, and older ones, name it.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}?tls=false", self.address)
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}
