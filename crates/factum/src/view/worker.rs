//! A thread that works until it is told to stop, and sleeps when there is
//! nothing to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// A thread; dropping this tells it to stop and waits until it has.
pub(crate) struct Worker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread knows of whoever started it.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Worker {
    pub fn start(name: String, work: impl FnOnce(&Stop) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Stop(Arc::clone(&stop));
        let thread = thread::Builder::new().name(name).spawn(move || work(&told))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether it has ended by itself.
    #[cfg(feature = "sqlite")]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic in there has been told of by then.
            let _ = thread.join();
        }
    }
}

impl Stop {
    /// Whether it shall stop.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Sleeps until woken, told to stop, or this time has passed.
    pub fn sleep(&self, time: Duration) {
        if !self.is_asked() {
            thread::park_timeout(time);
        }
    }

    /// Wakes this thread.
    pub fn waker() -> Waker {
        Waker::from(Arc::new(Unpark(thread::current())))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
