//! The word that the server stops, for calls that would never end by themselves;
//! and the wish that it would, of a client that may say so.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// Whoever says it. Dropped without a word, it has said it.
pub struct Stop(watch::Sender<bool>);

/// Whoever waits for it.
#[derive(Clone)]
pub struct Stopping(watch::Receiver<bool>);

/// Both ends.
pub fn stop() -> (Stop, Stopping) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Stopping(receiver))
}

impl Stop {
    /// Says it.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Done when it was said.
    pub async fn said(&mut self) {
        // The sender is gone: that says it as well.
        let _ = self.0.wait_for(|stops| *stops).await;
    }
}

/// By which a client asks the server to stop.
#[derive(Clone, Default)]
pub struct Asking(Arc<Notify>);

impl Asking {
    /// Asks.
    pub fn stop(&self) {
        self.0.notify_one();
    }

    /// Done when somebody asked.
    pub async fn asked(&self) {
        self.0.notified().await;
    }
}
