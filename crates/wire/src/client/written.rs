//! [`Written`]: a call whose messages are written already, and go into the connection
//! as they are.
//!
//! ```text
//!   generated code ─► a call without messages ──┐
//!   bytes of whole messages ────────────────────┴─► the same call, with them
//! ```
//!
//! The generated code copies each message into a buffer of its own. It still does all
//! else: how the call is named, and what its answers mean.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Channel;

/// A channel for one call, which has these messages.
pub struct Written {
    channel: Channel,
    /// Until the call is made.
    messages: Option<BoxStream<'static, Bytes>>,
}

impl Written {
    /// For a call on this channel.
    pub fn on(channel: Channel, messages: BoxStream<'static, Bytes>) -> Self {
        Self { channel, messages: Some(messages) }
    }
}

impl Service<http::Request<Body>> for Written {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = <Channel as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let request = match self.messages.take() {
            Some(messages) => request.map(|_| Body::new(Pieces(messages))),
            None => request,
        };
        self.channel.call(request)
    }
}

/// The messages, each in one piece.
struct Pieces(BoxStream<'static, Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.as_mut().poll_next(context).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
    }
}
