//! How much is read at once for one client, and the word that it is being read.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use factum_core::RecordedEvent;
use tokio::sync::mpsc;
use tonic::Status;

/// How many events a page may have.
pub const EVENTS_MAX: usize = 1_024;
/// At how many bytes it is full.
pub const BYTES_MAX: usize = 512 * 1024;

/// How often a client that waits for a page is told that it is being looked for.
const BEAT: Duration = Duration::from_secs(5);

/// Waits for a page. A search through a long log may take long, and a client
/// takes silence for a server that is gone: it is sent such answers meanwhile.
/// `None` if nobody waits any more.
pub async fn beating<T, A>(
    page: impl Future<Output = T>,
    answers: &mpsc::Sender<Result<A, Status>>,
    beat: impl Fn() -> A,
) -> Option<T> {
    let mut page = pin!(page);
    loop {
        tokio::select! {
            page = &mut page => return Some(page),
            () = tokio::time::sleep(BEAT) => answers.send(Ok(beat())).await.ok()?,
            () = answers.closed() => return None,
        }
    }
}

/// What a page has so far.
#[derive(Debug, Default)]
pub struct Fill {
    events: usize,
    bytes: usize,
}

impl Fill {
    /// Also this event.
    pub fn add(&mut self, event: &RecordedEvent) {
        self.events += 1;
        self.bytes += event.data.len() + event.metadata.len() + event.tags.as_stored().len() + 128;
    }

    /// Something small.
    pub fn add_sign(&mut self) {
        self.events += 1;
    }

    /// Whether nothing more goes in.
    pub fn is_full(&self) -> bool {
        self.events >= EVENTS_MAX || self.bytes >= BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_long_is_told_so_and_who_is_gone_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (sender, mut answers) = mpsc::channel::<Result<u8, Status>>(8);
            let page = tokio::time::sleep(BEAT * 3 + BEAT / 2);
            assert_eq!(beating(page, &sender, || 7).await, Some(()));
            let mut beats = 0;
            while let Ok(Ok(7)) = answers.try_recv() {
                beats += 1;
            }
            assert_eq!(beats, 3);
            drop(answers);
            assert_eq!(beating(std::future::pending::<()>(), &sender, || 7).await, None);
        });
    }
}
