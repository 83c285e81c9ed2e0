//! Deadlines: whoever waits only so long is told `DEADLINE_EXCEEDED`, and never
//! that the call was cancelled.
//!
//! ```text
//!   tonic's own timer ─► [ this one ] ─► routes ─► the call
//!     CANCELLED            DEADLINE_EXCEEDED
//! ```
//!
//! tonic ends a call after its `grpc-timeout` too, but with a status that clients
//! take for a cancellation. Both timers run for the same time, and this one is
//! set first and asked first, so that the other never gets to speak. What has
//! begun to be answered is not ended: its client stops listening by itself.

use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{self, HeaderMap};
use futures_util::future::{Either, FutureExt, Map};
use tokio::time::Timeout;
use tokio::time::error::Elapsed;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tower_layer::{Identity, Layer, Stack};

/// The header in which a client says how long it waits.
const HEADER: &str = "grpc-timeout";

/// How many digits the protocol allows.
const DIGITS_MAX: usize = 8;

/// All services, each behind its deadline.
pub type Router = tonic::transport::server::Router<Stack<Deadlines, Identity>>;

/// Puts every call behind its deadline.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines;

impl<S> Layer<S> for Deadlines {
    type Service = Timely<S>;

    fn layer(&self, inner: S) -> Timely<S> {
        Timely(inner)
    }
}

/// A service that answers in time, or says that it did not.
#[derive(Debug, Clone)]
pub struct Timely<S>(S);

type Answer<E> = Result<http::Response<Body>, E>;

impl<S, B> Service<http::Request<B>> for Timely<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future =
        Either<S::Future, Map<Timeout<S::Future>, fn(Result<Answer<S::Error>, Elapsed>) -> Answer<S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let patience = patience(request.headers());
        let answering = self.0.call(request);
        match patience {
            None => Either::Left(answering),
            Some(patience) => Either::Right(tokio::time::timeout(patience, answering).map(in_time)),
        }
    }
}

fn in_time<E>(answered: Result<Answer<E>, Elapsed>) -> Answer<E> {
    answered.unwrap_or_else(|_| Ok(Status::deadline_exceeded("Deadline Exceeded").into_http()))
}

/// How long the client waits; what cannot be understood is for ever, as to tonic.
fn patience(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > DIGITS_MAX {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_understood_and_nonsense_is_for_ever() {
        let rows = [
            ("2H", Some(Duration::from_secs(7_200))),
            ("3M", Some(Duration::from_secs(180))),
            ("42S", Some(Duration::from_secs(42))),
            ("100m", Some(Duration::from_millis(100))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0S", Some(Duration::ZERO)),
            ("100000000n", None),
            ("", None),
            ("S", None),
            ("-1S", None),
            ("1.5S", None),
            ("12", None),
            ("1s", None),
        ];
        for (text, expected) in rows {
            let headers = [(http::HeaderName::from_static(HEADER), http::HeaderValue::from_static(text))];
            assert_eq!(patience(&headers.into_iter().collect()), expected, "{text:?}");
        }
        assert_eq!(patience(&HeaderMap::new()), None);
    }
}
