//! [`Written`]: answers that are written already, and go into the connection
//! as they are.
//!
//! ```text
//!   the call ─► bytes of whole messages, page by page ─┐
//!   generated code ─► a good answer without messages ──┴─► the same answer,
//!                                                          with those bytes
//! ```
//!
//! The generated code takes messages one at a time, and copies each. It still
//! does all else: it understands requests, and says what is refused. What a
//! call wants sent instead of messages travels with the answer it gives to the
//! generated code, and [`Written`], around the service, puts it in.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::http::{self, HeaderMap};
use futures_util::StreamExt;
use futures_util::future::{FutureExt, Map};
use futures_util::stream::{BoxStream, Empty};
use http_body::Frame;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::{Response, Status};

/// Whole messages, each with its head; many in one piece.
pub type Pages = BoxStream<'static, Result<Bytes, Status>>;

/// No messages of this kind, for the generated code.
pub type None<T> = Empty<Result<T, Status>>;

/// The answer that has these instead of messages.
pub fn response<T>(pages: Pages) -> Response<None<T>> {
    let mut response = Response::new(futures_util::stream::empty());
    response.extensions_mut().insert(Instead(Arc::new(Mutex::new(Some(pages)))));
    response
}

/// Travels with an answer, where only what can be cloned may.
#[derive(Clone)]
struct Instead(Arc<Mutex<Option<Pages>>>);

impl Instead {
    fn take(&self) -> Option<Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A service that may answer so.
#[derive(Debug, Clone)]
pub struct Written<S>(pub S);

impl<S: NamedService> NamedService for Written<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Written<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Map<S::Future, fn(Result<S::Response, Infallible>) -> Result<S::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        self.0.call(request).map(|answered| answered.map(put_in))
    }
}

fn put_in(mut response: http::Response<Body>) -> http::Response<Body> {
    let pages = response.extensions_mut().remove::<Instead>();
    match pages.and_then(|instead| instead.take()) {
        Some(pages) => response.map(|_| Body::new(Pieces(Some(pages)))),
        None => response,
    }
}

/// The pages, and after them how the call ended; `None` once that is said.
struct Pieces(Option<Pages>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(pages) = &mut self.0 else { return Poll::Ready(None) };
        let end = match std::task::ready!(pages.poll_next_unpin(context)) {
            Some(Ok(page)) => return Poll::Ready(Some(Ok(Frame::data(page)))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.0 = None;
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(end.add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
