//! [`Arriving`]: messages taken out of a connection as they come.
//!
//! ```text
//!   pieces of a call    │ message │ message │ mess││age │ ...
//!                           │         │         └───┴─▶ gathered first
//!                           └─────────┴───────────────▶ views of the piece
//! ```
//!
//! The generated code gathers all that comes before it looks for messages. A large
//! message nearly always comes in one piece, and is only looked at there. The
//! generated code still does all else: [`Whole`], around the service, gives it a call
//! without messages, and what would bring them travels with the call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use axum::http;
use factum_wire::codec::HEAD_BYTES;
use prost::Message;
use prost::bytes::BytesMut;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;

/// For how much of a message room is made before it has come: who says that a long one
/// comes has not sent it yet.
const ROOM_BYTES_MAX: usize = 1024 * 1024;

/// What brings the messages of a call; travels with it, where only what can be cloned
/// may.
#[derive(Clone)]
struct Beside {
    body: Arc<Mutex<Option<Body>>>,
    message_bytes_max: usize,
}

/// A service one of whose calls takes its messages by itself.
#[derive(Debug, Clone)]
pub struct Whole<S> {
    /// The service.
    pub service: S,
    /// The path of that call.
    pub path: &'static str,
    /// The longest message it takes.
    pub message_bytes_max: usize,
}

impl<S: NamedService> NamedService for Whole<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<http::Request<Body>>> Service<http::Request<Body>> for Whole<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != self.path {
            return self.service.call(request);
        }
        let (mut parts, body) = request.into_parts();
        let (body, message_bytes_max) = (Arc::new(Mutex::new(Some(body))), self.message_bytes_max);
        parts.extensions.insert(Beside { body, message_bytes_max });
        self.service.call(http::Request::from_parts(parts, Body::empty()))
    }
}

/// The messages of a call, one after another.
pub struct Arriving {
    body: Body,
    /// What came last, as far as it is not taken.
    piece: Bytes,
    /// The beginning of a message that is in several.
    gathered: BytesMut,
    message_bytes_max: usize,
}

impl Arriving {
    /// Of the call that came so to [`Whole`].
    pub fn with<T>(request: &mut tonic::Request<T>) -> Result<Self, Status> {
        let beside = request.extensions_mut().remove::<Beside>();
        let body = beside.as_ref().and_then(|beside| lock(&beside.body).take());
        match (body, beside) {
            (Some(body), Some(beside)) => Ok(Self::of(body, beside.message_bytes_max)),
            _ => Err(Status::internal("the service was set up without what takes its messages")),
        }
    }

    pub(crate) fn of(body: Body, message_bytes_max: usize) -> Self {
        Self { body, piece: Bytes::new(), gathered: BytesMut::new(), message_bytes_max }
    }

    /// The next; `None` if there is none. After an error nobody asks again.
    pub fn poll_next<M: Message + Default>(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<M, Status>>> {
        let next = ready!(self.poll_message(context));
        Poll::Ready(next.transpose().map(|message| {
            let message = M::decode(message?);
            message.map_err(|error| Status::internal(error.to_string()))
        }))
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        loop {
            if let Some(message) = self.take()? {
                return Poll::Ready(Ok(Some(message)));
            }
            match ready!(std::pin::Pin::new(&mut self.body).poll_frame(context)) {
                // The other kind of frame only says that this was all.
                Some(frame) => self.piece = frame?.into_data().unwrap_or_default(),
                None if self.gathered.is_empty() => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(Err(Status::internal("the call ended within a message"))),
            }
        }
    }

    /// The next message, if all of it is there; else what is there is gathered.
    fn take(&mut self) -> Result<Option<Bytes>, Status> {
        if self.gathered.is_empty() {
            match self.length(&self.piece)? {
                Some(length) if length <= self.piece.len() => {
                    return Ok(Some(self.piece.split_to(length).slice(HEAD_BYTES..)));
                }
                Some(length) => self.gathered.reserve(length.min(ROOM_BYTES_MAX)),
                None => {}
            }
        }
        while !self.piece.is_empty() {
            let wanted = self.length(&self.gathered)?.unwrap_or(HEAD_BYTES);
            let missing = (wanted - self.gathered.len()).min(self.piece.len());
            self.gathered.extend_from_slice(&self.piece.split_to(missing));
            if self.length(&self.gathered)? == Some(self.gathered.len()) {
                return Ok(Some(self.gathered.split().freeze().slice(HEAD_BYTES..)));
            }
        }
        Ok(None)
    }

    /// How long a message is, with its head; `None` before all of its head is there.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, Status> {
        let Some([compressed, length @ ..]) = bytes.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        if *compressed != 0 {
            return Err(Status::unimplemented("the message is compressed: send it as it is"));
        }
        let (length, allowed) = (u32::from_be_bytes(*length) as usize, self.message_bytes_max);
        if length > allowed {
            return Err(Status::out_of_range(format!(
                "the message has {length} bytes, and {allowed} are allowed"
            )));
        }
        Ok(Some(HEAD_BYTES + length))
    }
}

fn lock(body: &Mutex<Option<Body>>) -> MutexGuard<'_, Option<Body>> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_wire::proto::store::AppendRequest;
    use factum_wire::store::MESSAGE_BYTES_MAX;
    use std::convert::Infallible;
    use std::pin::pin;
    use tonic::Code;

    fn message(appends: &[u8], count: u32) -> Vec<u8> {
        let message = AppendRequest { appends: appends.to_vec().into(), count }.encode_to_vec();
        let mut bytes = vec![0];
        bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&message);
        bytes
    }

    /// What these pieces come to.
    async fn taken(pieces: &[&[u8]]) -> Result<Vec<(Vec<u8>, u32)>, Status> {
        let frames = pieces.iter().map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        let body = axum::body::Body::from_stream(futures_util::stream::iter(frames.collect::<Vec<_>>()));
        let mut arriving = Arriving::of(Body::new(body), MESSAGE_BYTES_MAX);
        let mut taken = Vec::new();
        loop {
            let next = std::future::poll_fn(|context| arriving.poll_next::<AppendRequest>(context));
            match pin!(next).await.transpose()? {
                Some(request) => taken.push((request.appends.to_vec(), request.count)),
                None => return Ok(taken),
            }
        }
    }

    #[tokio::test]
    async fn messages_are_what_was_sent_wherever_it_was_cut() {
        let (long, sent) = (vec![b'x'; 300], [(vec![b'x'; 300], 1), (Vec::new(), 0), (b"ab".to_vec(), 2)]);
        let all = [message(&long, 1), message(b"", 0), message(b"ab", 2)].concat();
        for cut in 0..=all.len() {
            for next in [cut, all.len().min(cut + 1), all.len().min(cut + 4), all.len()] {
                let pieces = [&all[..cut], &all[cut..next], &all[next..]];
                assert_eq!(taken(&pieces).await.unwrap(), sent, "cut at {cut} and {next}");
            }
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(taken(&single).await.unwrap(), sent);
        assert!(taken(&[]).await.unwrap().is_empty());
    }

    #[test]
    fn what_comes_in_one_piece_is_copied_nowhere() {
        let mut arriving = Arriving::of(Body::empty(), MESSAGE_BYTES_MAX);
        arriving.piece = [message(b"abc", 1), message(b"de", 2)].concat().into();
        let piece = arriving.piece.as_ptr_range();
        for _ in 0..2 {
            let message = arriving.take().unwrap().unwrap();
            assert!(piece.contains(&message.as_ptr()));
        }
        assert!(arriving.take().unwrap().is_none());
    }

    #[tokio::test]
    async fn a_message_that_only_says_it_is_long_takes_little_room() {
        let head = [&[0][..], &(MESSAGE_BYTES_MAX as u32).to_be_bytes(), b"x"].concat();
        let mut arriving = Arriving::of(Body::empty(), MESSAGE_BYTES_MAX);
        arriving.piece = head.into();
        assert!(arriving.take().unwrap().is_none());
        assert!(arriving.gathered.capacity() <= 2 * ROOM_BYTES_MAX);
        // What comes then is taken all the same.
        let long = message(&vec![b'x'; 3 * ROOM_BYTES_MAX], 1);
        let pieces: Vec<&[u8]> = long.chunks(ROOM_BYTES_MAX / 3).collect();
        assert_eq!(taken(&pieces).await.unwrap()[0].0.len(), 3 * ROOM_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        let whole = message(b"abc", 3);
        let too_long = [&[0][..], &(MESSAGE_BYTES_MAX as u32 + 1).to_be_bytes()].concat();
        let rows: [(&[u8], Code); 5] = [
            (&whole[..3], Code::Internal),
            (&whole[..whole.len() - 1], Code::Internal),
            (&[1, 0, 0, 0, 0], Code::Unimplemented),
            (&too_long, Code::OutOfRange),
            (&[0, 0, 0, 0, 1, 0xff], Code::Internal),
        ];
        for (bytes, code) in rows {
            assert_eq!(taken(&[bytes]).await.unwrap_err().code(), code, "{bytes:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(taken(&single).await.unwrap_err().code(), code, "{bytes:?}");
        }
    }
}
