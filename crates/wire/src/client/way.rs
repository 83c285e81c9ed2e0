//! The way to a server: two connections that are made when they are needed,
//! and again when they broke; and what to say when they cannot be.

use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use factum_core::StorageError;
use futures_util::stream::BoxStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::written::Written;
use super::{Address, RemoteOptions};
use crate::proto::store::store_client::StoreClient;
use crate::store::MESSAGE_BYTES_MAX;

/// How much one call may send ahead of its reader: some pages, so that neither side
/// sleeps while the other works on one. A subscription asks for each page by itself.
const CALL_WINDOW: u32 = 4 * 1024 * 1024;
/// And all calls together: no limit, because one that nobody reads on must not
/// stop the others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The largest piece of an answer. Each piece is a system call at both ends; in
/// pieces of 16 KiB, as is usual, a page would be more than twenty.
const PIECE_BYTES: u32 = 256 * 1024;

/// Pauses between attempts: the first, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The client as generated, for all calls but one.
pub type Client = StoreClient<Channel>;

/// Both connections.
pub struct Way {
    appends: Channel,
    reads: Channel,
    place: String,
    pub options: RemoteOptions,
}

/// Why a call came to nothing.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// The connection; another attempt may succeed.
    Broken(StorageError),
    /// The server, and it will say the same again.
    Final(StorageError),
}

impl Trouble {
    /// The error in it.
    pub fn into_error(self) -> StorageError {
        match self {
            Self::Broken(error) | Self::Final(error) => error,
        }
    }
}

impl Way {
    /// Where to; nothing is connected yet. Must be called within a runtime.
    pub fn to(address: &Address, options: RemoteOptions) -> Result<Self, StorageError> {
        let place = address.to_string();
        let endpoint = Endpoint::from_shared(format!("http://{place}")).map_err(|error| {
            StorageError::Unreachable { says: format!("{place} is no address: {error}").into() }
        })?;
        let mut endpoint = endpoint
            .connect_timeout(options.reconnect_within)
            .tcp_nodelay(true)
            .max_frame_size(PIECE_BYTES)
            .initial_stream_window_size(CALL_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if let Some(every) = options.keep_alive_every {
            endpoint = endpoint
                .http2_keep_alive_interval(every)
                .keep_alive_timeout(options.keep_alive_within)
                .keep_alive_while_idle(true);
        }
        Ok(Self { appends: endpoint.connect_lazy(), reads: endpoint.connect_lazy(), place, options })
    }

    /// For the one call with appends, which are these.
    pub fn appends(&self, messages: BoxStream<'static, Bytes>) -> StoreClient<Written> {
        StoreClient::new(Written::on(self.appends.clone(), messages))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// For everything else.
    pub fn reads(&self) -> Client {
        StoreClient::new(self.reads.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Tries until it succeeds, or the server says no, or the time to reconnect
    /// is over: then what the last attempt came to. An attempt under way is not
    /// cut short; it has its own time.
    pub async fn persist<T, F, A>(&self, mut attempt: A) -> Result<T, Trouble>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut over = std::pin::pin!(tokio::time::sleep(self.options.reconnect_within));
        let mut pause = PAUSE_FIRST;
        loop {
            match attempt().await {
                Err(Trouble::Broken(error)) => tokio::select! {
                    biased;
                    () = &mut over => return Err(Trouble::Broken(error)),
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                },
                done => return done,
            }
        }
    }

    /// One answer, in time.
    pub async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let wait = self.options.answer_within;
        match tokio::time::timeout(wait, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded(self.silent(wait).to_string())),
        }
    }

    /// The server has said nothing for so long.
    pub fn silent(&self, wait: Duration) -> StorageError {
        unreachable(format!(
            "{} did not answer within {wait:?}: see whether the server is well, then try again",
            self.place
        ))
    }

    /// What a status means that carries none of our errors.
    pub fn trouble(&self, status: &Status) -> Trouble {
        let place = &self.place;
        match status.code() {
            Code::Unimplemented => Trouble::Final(StorageError::Io {
                doing: "use",
                file: place.clone(),
                source: Arc::new(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "the server there does not speak factum.store.v3: serve the store with `factum serve` of this version",
                )),
            }),
            Code::DeadlineExceeded => Trouble::Broken(unreachable(status.message().to_owned())),
            Code::InvalidArgument | Code::OutOfRange | Code::PermissionDenied | Code::Unauthenticated => {
                Trouble::Final(StorageError::Io {
                    doing: "use",
                    file: place.clone(),
                    source: Arc::new(io::Error::other(status.message().to_owned())),
                })
            }
            _ if is_refused(status) => Trouble::Broken(unreachable(format!(
                "nobody listens at {place}: start the server there with `factum serve`, or correct the address"
            ))),
            _ => Trouble::Broken(self.broken(&innermost(status))),
        }
    }

    /// There is no connection, or none any more.
    pub fn broken(&self, why: &str) -> StorageError {
        let place = &self.place;
        unreachable(format!(
            "no connection to {place} ({why}): see whether the server is there, then try again"
        ))
    }

    /// What arrived is no answer.
    pub fn misunderstood(&self, error: &dyn Error) -> StorageError {
        StorageError::Io {
            doing: "use",
            file: self.place.clone(),
            source: Arc::new(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    }

    /// The server has less than it once told.
    pub fn shorter(&self) -> StorageError {
        StorageError::Io {
            doing: "use",
            file: self.place.clone(),
            source: Arc::new(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server's log ends before what was read from it earlier, so that it is another log: begin anew",
            )),
        }
    }
}

fn unreachable(says: String) -> StorageError {
    StorageError::Unreachable { says: says.into() }
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn is_refused(status: &Status) -> bool {
    sources(status).any(|error| {
        error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
}

/// The words of whoever noticed first.
fn innermost(status: &Status) -> String {
    match sources(status).skip(1).last() {
        Some(error) => error.to_string(),
        None => status.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_whether_to_try_again_and_what_to_do() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let mut options = RemoteOptions::default();
        let address = Address::parse("factum://127.0.0.1:9?tls=false", &mut options).unwrap();
        let way = Way::to(&address, options).unwrap();
        let told = |status: Status| match way.trouble(&status) {
            Trouble::Broken(error) => (true, crate::store::error::told(&error)),
            Trouble::Final(error) => (false, crate::store::error::told(&error)),
        };
        let rows = [
            (Status::unavailable("going"), true, "no connection to 127.0.0.1:9 (going): see whether"),
            (Status::unknown("reset"), true, "no connection to 127.0.0.1:9 (reset)"),
            (Status::unimplemented("?"), false, "does not speak factum.store.v3: serve the store with"),
            (Status::invalid_argument("no query"), false, "cannot use 127.0.0.1:9: no query"),
        ];
        for (status, again, says) in rows {
            let (is_again, said) = told(status);
            assert!(is_again == again && said.contains(says), "{said}");
        }
    }
}
