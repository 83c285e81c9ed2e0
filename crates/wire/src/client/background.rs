//! The one thread behind a [`RemoteStore`](super::RemoteStore), from its start
//! to its end.
//!
//! What carries the connections runs on it; answers are awaited on the threads
//! of those who asked, which may or may not belong to a runtime of their own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use factum_core::StorageError;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::appends::{self, Appends};
use super::way::Way;
use super::{Address, ConnectError, RemoteOptions, read};
use crate::pace::Pace;

/// The thread, and what runs on it.
pub struct Background {
    way: Arc<Way>,
    /// Taken when it ends.
    appends: Option<Appends>,
    carrying: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

const ALIVE: &str = "it lives until it is dropped";

impl Background {
    /// Starts the thread; connects to nothing yet.
    pub fn start(address: &Address, options: RemoteOptions) -> Result<Self, ConnectError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("factum-remote")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        let way = {
            let _inside = runtime.enter();
            Arc::new(Way::to(address, options)?)
        };
        let pace = Arc::new(Pace::here(way.options.look_for_answers));
        let (appends, carry) = appends::begin(Arc::clone(&way), Arc::clone(&pace));
        let carrying = runtime.spawn(carry);
        runtime.spawn(async move { pace.look().await });
        Ok(Self { way, appends: Some(appends), carrying: Some(carrying), runtime: Some(runtime) })
    }

    /// One attempt to speak to the server, so that nobody who mistyped waits.
    pub fn greet(&self) -> Result<(), StorageError> {
        let way = Arc::clone(&self.way);
        let asked = self.run(async move { read::ask_last_position(&way).await.map(|_| ()) });
        asked?.map_err(|trouble| match trouble {
            read::Refused::Trouble(trouble) => trouble.into_error(),
            read::Refused::Read(factum_core::ReadError::Storage(error)) => error,
            read::Refused::Read(other) => self.way.misunderstood(&other),
        })
    }

    /// The way to the server.
    pub fn way(&self) -> &Arc<Way> {
        &self.way
    }

    /// Where appends are handed over.
    pub fn appends(&self) -> &Appends {
        self.appends.as_ref().expect(ALIVE)
    }

    /// Does it on the thread behind; whoever holds the handle may await it anywhere.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime().spawn(work)
    }

    /// Does it there and waits here.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StorageError> {
        // Only the end of the thread comes between.
        pollster::block_on(self.spawn(work)).map_err(|_| StorageError::Closed)
    }

    /// Waits here for something, for so long; `None` if that was too short.
    pub fn wait<T>(&self, wait: Duration, work: impl Future<Output = T>) -> Option<T> {
        let limited = {
            // The clock that ends the wait ticks there.
            let _inside = self.runtime().enter();
            tokio::time::timeout(wait, work)
        };
        pollster::block_on(limited).ok()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect(ALIVE)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Handed over is handed over, also if nobody waits for the answer.
        drop(self.appends.take());
        if let Some(carrying) = self.carrying.take() {
            let wait = self.way.options.reconnect_within;
            let _ = self.wait(wait, carrying);
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
