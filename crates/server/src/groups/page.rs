//! `GET /subscriptions`: how the groups stand, as JSON, with how late each is
//! in events and in seconds.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use factum_core::{EventStore, EventStoreExt, Position, Revision, Timestamp};
use factum_wire::Failure;
use factum_wire::groups::{Source, info};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::failure;
use crate::system::source::Source as StreamSource;

use super::{GroupsService, Stood};

/// The address.
pub fn routes(groups: GroupsService) -> Router {
    Router::new().route("/subscriptions", get(subscriptions)).with_state(groups)
}

async fn subscriptions(State(groups): State<GroupsService>) -> Response {
    match all(&groups).await {
        Ok(groups) => {
            ([(header::CONTENT_TYPE, "application/json")], Value::from(groups).to_string()).into_response()
        }
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, format!("{failure}\n")).into_response(),
    }
}

async fn all(groups: &GroupsService) -> Result<Vec<Value>, Failure> {
    let mut told = Vec::new();
    for key in groups.registry.list(None).await? {
        let stood = match groups.stands(&key).await {
            Ok(stood) => stood,
            // Gone meanwhile.
            Err(Failure::GroupDoesNotExist { .. }) => continue,
            Err(failure) => return Err(failure),
        };
        let (store, now) = (Arc::clone(&groups.services.store), groups.services.clock.now());
        told.push(blocking(move || tell(&*store, &stood, now)).await?);
    }
    Ok(told)
}

fn tell(store: &dyn EventStore, Stood { info, low }: &Stood, now: Timestamp) -> Result<Value, Failure> {
    let shown = info::encode(info);
    let oldest = oldest(store, &info.key.source, *low)?;
    let late = oldest.map_or(0, |oldest| now.as_micros().saturating_sub(oldest.as_micros()).max(0));
    Ok(json!({
        "eventStreamId": shown.event_source,
        "groupName": shown.group_name,
        "status": shown.status,
        "lagEvents": info.last_known.map_or(0, |last| (last + 1).saturating_sub(*low)),
        "lagSeconds": late as f64 / 1e6,
        "averageItemsPerSecond": shown.average_per_second,
        "totalItemsProcessed": shown.total_items,
        "lastCheckpointedEventPosition": shown.last_checkpointed_event_position,
        "lastKnownEventPosition": shown.last_known_event_position,
        "connectionCount": shown.connections.len(),
        "totalInFlightMessages": shown.total_in_flight_messages,
        "retryBufferCount": shown.retry_buffer_count,
        "parkedMessageCount": shown.parked_message_count,
    }))
}

/// When the first event that is not done was recorded.
fn oldest(store: &dyn EventStore, source: &Source, low: u64) -> Result<Option<Timestamp>, Failure> {
    let event = match source {
        Source::All => store.event_at(Position::new(low)).map_err(failure::of_read)?,
        Source::Stream(stream) => StreamSource::new(stream.clone())?.event(store, Revision::new(low))?,
    };
    Ok(event.map(|event| event.recorded_at))
}
