//! [`Prompt`]: a connection whose other side is told at once that it was heard, where
//! that matters.
//!
//! ```text
//!   client                         server
//!   headers ─────────────────────▶
//!      the data waits for an       the kernel waits up to 40 ms for an
//!      acknowledgement (Nagle)     answer that could carry it
//!   data    ─────────────────────▶
//! ```
//!
//! Published clients leave Nagle's algorithm on and send an append in two parts,
//! so that each took 40 ms. Acknowledgements are asked for at once; the kernel
//! forgets that by itself, and is told again with each read.
//!
//! Each of them is a packet of its own, which takes both sides some microseconds. Who
//! lately sent its requests whole is acknowledged with the answer, until they come in
//! parts again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use factum_wire::pace::Pace;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::connections::Place;

/// A connection that acknowledges at once, and has a place, and a share of its
/// lane, as long as it lasts. The lane is told what comes and what goes.
pub struct Prompt {
    stream: TcpStream,
    lane: Arc<Pace>,
    parts: Parts,
    #[allow(dead_code, reason = "held, and never looked at")]
    place: Place,
}

impl Prompt {
    pub fn new(stream: TcpStream, place: Place, lane: Arc<Pace>) -> Self {
        Self { stream, lane, parts: Parts::default(), place }
    }

    fn wrote(&mut self) {
        self.lane.spoke();
        self.parts.wrote();
    }
}

/// In how many parts requests come.
#[derive(Debug, Default)]
struct Parts {
    /// How many came since something was written.
    read: u8,
    /// How many requests came whole; one in parts takes back as many as are needed.
    whole: u8,
}

/// How many have to come whole before the next one is trusted to.
const WHOLE_LATELY: u8 = 8;
/// How many count. Clients say other things now and then, as how much more they can
/// take, so that one in some ten seems to come in parts.
const WHOLE_MAX: u8 = 2 * WHOLE_LATELY;

impl Parts {
    /// Something came; whether to say so at once.
    fn read(&mut self) -> bool {
        self.read = self.read.saturating_add(1);
        if self.read == 2 {
            self.whole = self.whole.saturating_sub(WHOLE_LATELY);
        }
        self.whole < WHOLE_LATELY
    }

    /// Something was written, which carries what is to be said.
    fn wrote(&mut self) {
        if self.read == 1 {
            self.whole = (self.whole + 1).min(WHOLE_MAX);
        }
        self.read = 0;
    }
}

impl Connected for Prompt {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.lane.heard(buffer.filled().len() - before);
            if self.parts.read() {
                // Where it cannot be had, everything works, only later.
                let _ = set_tcp_quickack(&self.stream, true);
            }
        }
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.wrote();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        if written.is_ready() {
            self.wrote();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Connections;
    use factum_wire::pace::Pace;
    use rustix::net::sockopt::tcp_quickack;
    use std::io::Write as _;
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_was_read_is_acknowledged_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        set_tcp_quickack(&stream, false).unwrap();
        let mut prompt =
            Prompt::new(stream, Connections::default().place().unwrap(), Arc::new(Pace::of(Duration::ZERO)));
        client.write_all(b"headers").unwrap();
        let mut bytes = [0; 16];
        let read = std::future::poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut prompt).poll_read(context, &mut buffer);
            read.map_ok(|()| buffer.filled().len())
        });
        let read = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        assert_eq!(&bytes[..read], b"headers");
        assert!(tcp_quickack(&prompt.stream).unwrap());
    }

    /// What is said of each part of so many requests, each answered after its last part.
    fn said(parts: &mut Parts, requests: &[usize]) -> Vec<bool> {
        let mut said = Vec::new();
        for request in requests {
            said.extend((0..*request).map(|_| parts.read()));
            parts.wrote();
        }
        said
    }

    #[test]
    fn who_sends_whole_requests_hears_with_the_answer_that_they_came() {
        let mut parts = Parts::default();
        let whole = vec![1; usize::from(WHOLE_LATELY)];
        assert!(said(&mut parts, &whole).iter().all(|at_once| *at_once));
        assert_eq!(said(&mut parts, &[1, 1, 1]), [false; 3]);
        // Nobody knows that of the first part; from the second on it is known.
        assert_eq!(said(&mut parts, &[2, 1]), [false, true, true]);
        // What is written without having been asked for says nothing.
        parts.wrote();
        assert!(said(&mut parts, &whole[4..]).iter().all(|at_once| *at_once));
        assert_eq!(said(&mut parts, &[1]), [false]);
        // Who was whole for long may say something beside it.
        said(&mut parts, &[1; 1_000]);
        assert_eq!(said(&mut parts, &[2, 1]), [false; 3]);
        assert_eq!(said(&mut parts, &[2, 1]), [false, true, true]);
    }

    #[test]
    fn who_sends_in_parts_is_never_kept_waiting() {
        let mut parts = Parts::default();
        assert!(said(&mut parts, &[2; 100]).iter().all(|at_once| *at_once));
        assert!(said(&mut parts, &[300]).iter().all(|at_once| *at_once));
    }
}
