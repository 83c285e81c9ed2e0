//! Calls that are not here: told so, in the form the caller understands.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use factum_wire::Failure;

/// Answers whatever nothing else answers.
pub async fn absent(request: Request) -> Response<Body> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let path = request.uri().path();
    if !kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
        let mut response = Response::new(Body::from(format!(
            "{path} is not here: this server has gRPC, /health/live, /health/ready, /info, /ping, /gossip and /stats\n"
        )));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let call = path.trim_start_matches('/');
    let says = format!("{call} is not here yet: what is here is listed in docs/kurrentdb-compatibility.md");
    Failure::Absent(says).status().into_http()
}
