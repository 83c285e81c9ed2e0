//! What scripts ask over plain HTTP, where KurrentDB answers it: what this is,
//! whether it is there, who is in the cluster, what is measured. All as JSON.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::routing::get;
use factum_wire::Failure;
use serde_json::{Map, Value, json};

use crate::blocking::blocking;
use crate::node::Node;

/// The addresses.
pub fn routes(node: Arc<Node>) -> Router {
    Router::new()
        .route("/ping", get(|| async { answer(Ok(json!({ "text": "Ping request successfully handled" }))) }))
        .route("/info", get(|State(node): State<Arc<Node>>| async move { answer(Ok(node.info())) }))
        .route("/gossip", get(gossip))
        .route("/stats", get(stats))
        .with_state(node)
}

async fn gossip(State(node): State<Arc<Node>>) -> Response<Body> {
    answer(blocking(move || node.gossip()).await)
}

/// `proc-mem` is `mem` of `proc`.
async fn stats(State(node): State<Arc<Node>>) -> Response<Body> {
    let nested = blocking(move || {
        let mut nested = Map::new();
        for (name, figure) in node.stats()? {
            let (group, name) = name.split_once('-').unwrap_or(("other", name));
            let figure = figure.parse().map_or(Value::String(figure), |number: u64| number.into());
            let group = nested.entry(group).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(group) = group {
                group.insert(name.to_owned(), figure);
            }
        }
        Ok(Value::Object(nested))
    });
    answer(nested.await)
}

fn answer(told: Result<Value, Failure>) -> Response<Body> {
    let (code, body) = match told {
        Ok(value) => (StatusCode::OK, value),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": failure.to_string() })),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
