//! Whether the server lives, and whether it can do its work: for probes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use factum_core::{Append, EventStore, Read};

use crate::blocking::blocking;
use crate::failure;
use crate::stopping::Stopping;

/// How long the store may take to show that it works.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Asked {
    store: Arc<dyn EventStore>,
    stopping: Stopping,
}

/// The two addresses: alive is who answers, ready is who can read and append
/// and is not about to stop.
pub fn routes(store: Arc<dyn EventStore>, stopping: Stopping) -> Router {
    Router::new()
        .route("/health/live", get(|| async { StatusCode::NO_CONTENT }))
        .route("/health/ready", get(ready))
        .with_state(Asked { store, stopping })
}

async fn ready(State(Asked { store, stopping }): State<Asked>) -> StatusCode {
    let works = tokio::time::timeout(PATIENCE, async { reads(&store).await && appends(&*store).await });
    match !stopping.is_said() && works.await.unwrap_or(false) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The last event, to the end.
async fn reads(store: &Arc<dyn EventStore>) -> bool {
    let store = Arc::clone(store);
    let read = move || {
        let mut events = store.read(Read::all().backward().limit(1)).map_err(failure::of_read)?;
        events.next().transpose().map_err(failure::of_read)
    };
    blocking(read).await.is_ok()
}

/// An append of nothing is judged as any other and leaves nothing behind.
async fn appends(store: &dyn EventStore) -> bool {
    store.append_async(&Append::default()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passing::{Otherwise, Passing};
    use factum_core::{AppendFuture, Events, MemoryStore, ReadError, StorageError};

    /// A store that can do only some of its work.
    struct Half {
        store: MemoryStore,
        reads: bool,
        appends: bool,
    }

    impl Otherwise for Half {
        fn store(&self) -> &dyn EventStore {
            &self.store
        }

        fn append_async(&self, append: &Append) -> AppendFuture {
            match self.appends {
                true => self.store.append_async(append),
                false => Box::pin(std::future::ready(Err(StorageError::ReadOnly.into()))),
            }
        }

        fn read(&self, read: Read) -> Result<Events, ReadError> {
            match self.reads {
                true => EventStore::read(&self.store, read),
                false => Ok(Box::new(std::iter::once(Err(StorageError::Closed.into())))),
            }
        }
    }

    #[tokio::test]
    async fn ready_is_who_reads_and_appends_and_goes_on() {
        for (reads, appends, stops, expected) in [
            (true, true, false, StatusCode::NO_CONTENT),
            (false, true, false, StatusCode::SERVICE_UNAVAILABLE),
            (true, false, false, StatusCode::SERVICE_UNAVAILABLE),
            (true, true, true, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let store = Arc::new(Passing(Half { store: MemoryStore::new(), reads, appends }));
            let (stop, stopping) = crate::stopping::stop();
            if stops {
                stop.now();
            }
            let asked = Asked { store: store.clone(), stopping };
            assert_eq!(ready(State(asked)).await, expected, "{reads}, {appends}, {stops}");
            assert_eq!(store.last_position().unwrap(), None, "asking records nothing");
        }
    }
}
