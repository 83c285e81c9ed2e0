//! Whether the server lives, and whether it can do its work: for probes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use factum_core::EventStore;

use crate::blocking::blocking;
use crate::failure;

/// The two addresses: alive is who answers, ready is who can read.
pub fn routes(store: Arc<dyn EventStore>) -> Router {
    Router::new()
        .route("/health/live", get(|| async { StatusCode::NO_CONTENT }))
        .route("/health/ready", get(ready))
        .with_state(store)
}

async fn ready(State(store): State<Arc<dyn EventStore>>) -> StatusCode {
    match blocking(move || store.last_position().map_err(failure::of_read)).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
