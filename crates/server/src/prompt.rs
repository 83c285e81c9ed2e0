//! [`Prompt`]: a connection whose other side is told at once that it was heard.
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

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::connections::Place;
use crate::pace::Pace;

/// A connection that acknowledges at once, and has a place, and a share of its
/// lane, as long as it lasts. The lane is told what comes and what goes.
pub struct Prompt(TcpStream, #[allow(dead_code, reason = "held, and never looked at")] Place, Arc<Pace>);

impl Prompt {
    pub fn new(stream: TcpStream, place: Place, lane: Arc<Pace>) -> Self {
        Self(stream, place, lane)
    }
}

impl Connected for Prompt {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.0.connect_info()
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            self.2.asked(buffer.filled().len() - before);
            // Where it cannot be had, everything works, only later.
            let _ = set_tcp_quickack(&self.0, true);
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
        let written = Pin::new(&mut self.0).poll_write(context, bytes);
        if written.is_ready() {
            self.2.answered();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write_vectored(context, bytes);
        if written.is_ready() {
            self.2.answered();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::Connections;
    use crate::pace::AT_ONCE;
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
            Prompt::new(stream, Connections::default().place().unwrap(), Arc::new(Pace::of(AT_ONCE)));
        client.write_all(b"headers").unwrap();
        let mut bytes = [0; 16];
        let read = std::future::poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = Pin::new(&mut prompt).poll_read(context, &mut buffer);
            read.map_ok(|()| buffer.filled().len())
        });
        let read = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        assert_eq!(&bytes[..read], b"headers");
        assert!(tcp_quickack(&prompt.0).unwrap());
    }
}
