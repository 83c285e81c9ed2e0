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

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    #[tokio::test]
    async fn after_the_pages_it_is_said_once_how_the_call_ended() {
        let page = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
        for (pages, code) in [
            (vec![page("a"), page("b")], Code::Ok),
            (vec![page("a"), page("b"), Err(Status::data_loss("a hole")), page("c")], Code::DataLoss),
        ] {
            let (_, _, beside) = response::<()>(futures_util::stream::iter(pages).boxed()).into_parts();
            let mut answer = http::Response::new(Body::empty());
            *answer.extensions_mut() = beside;
            let mut body = put_in(answer).into_body();
            let mut frames = Vec::new();
            while !body.is_end_stream() {
                let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
                frames.push(frame.unwrap().unwrap());
            }
            let ended = Status::from_header_map(frames.pop().unwrap().trailers_ref().unwrap());
            assert_eq!(ended.unwrap().code(), code);
            let pages: Vec<_> = frames.into_iter().map(|frame| frame.into_data().unwrap()).collect();
            assert_eq!(pages, ["a", "b"]);
            let more = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            assert!(more.is_none());
        }
    }
}
