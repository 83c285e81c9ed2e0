//! Work that may wait for a disk, on threads that may.

use factum_wire::Failure;

/// Does it on such a thread.
pub async fn blocking<T, F>(work: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // Only a bug, or the end of the runtime, comes between.
        Err(_) => Err(Failure::NotReady),
    }
}
