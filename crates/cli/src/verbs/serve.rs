//! `serve`: the store, for clients in other processes of this machine. When it is
//! served, and how that ended, is recorded in its journal; where that fails it is
//! said, and the store is served all the same.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factum_core::{EventStore, MemoryStore};
use factum_server::journal::{Journal, STREAM, Why};
use factum_server::{ServeError, Services, check_address};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::args::{Global, ServeArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::open;
use crate::render::rows::{self, Row};
use crate::render::{self, Out, text};

/// How many files a process may have open that are no connections: the store's.
const FILES: u64 = 512;

/// Serves until it is asked to stop.
pub fn run(args: ServeArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    check_address(args.listen).map_err(refused)?;
    if args.dev && global.store_is_given {
        return Err(Failure::new(
            Exit::Usage,
            "--dev serves a store in memory, and --store names one on disk",
        )
        .hint("leave one of them out"));
    }
    if let Some(connections) = args.connections {
        check_files(connections)?;
    }
    let log = if args.dev { None } else { Some(open::for_serving(global, args.init)?) };
    let (store, is): (Arc<dyn EventStore>, String) = match &log {
        Some(log) => (Arc::new(log.clone()), global.store_path()?.display().to_string()),
        None => (Arc::new(MemoryStore::new()), "memory".to_owned()),
    };
    let mut services = Services::of(Arc::clone(&store));
    if let Some(connections) = args.connections {
        services = services.with_connections(connections as usize);
    }
    if let Some(micros) = args.look {
        services = services.looking_for(Duration::from_micros(micros));
    }
    let stop = Arc::new(Notify::new());
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.notify_one())
        .map_err(|error| Failure::new(Exit::Failure, format!("cannot wait for an interrupt: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Failure, format!("cannot start the server's threads: {error}"))
    })?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.map_err(|error| busy(args.listen, &error))?;
        let address = listener.local_addr().map_err(|error| busy(args.listen, &error))?;
        let journal = Journal::new(store, address);
        recorded(journal.started(), "began; clients are served all the same", out.format);
        let is_signalled = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&is_signalled);
        let stopped = async move {
            stop.notified().await;
            heard.store(true, Ordering::Relaxed);
        };
        let served = match show(&Serving { listen: address.to_string(), store: is }, out) {
            Ok(()) => factum_server::serve(listener, services, stopped).await.map_err(refused),
            Err(failure) => Err(failure),
        };
        let why = match served {
            Err(_) => Why::Failure,
            Ok(()) if is_signalled.load(Ordering::Relaxed) => Why::Signal,
            Ok(()) => Why::Client,
        };
        recorded(journal.stopped(why), "ended; the next start may call it broken off", out.format);
        served
    });
    let closed = log.map_or(Ok(()), |log| log.close().map_err(Failure::from));
    served.and(closed)
}

/// Warns of what the journal may not say, and of what follows.
fn recorded<E: Error + Send + Sync + 'static>(said: Result<(), E>, what: &'static str, format: Format) {
    if let Err(error) = said {
        render::failure::warn(
            &Failure::new(Exit::Failure, Unrecorded { what, source: error.into() }),
            format,
        );
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{STREAM} may not say that this run {what}")]
struct Unrecorded {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

/// Refuses more connections than the process may have files for: they would take
/// those that the store needs.
#[cfg(unix)]
fn check_files(connections: u32) -> Result<(), Failure> {
    use rustix::process::{Resource, getrlimit};

    match getrlimit(Resource::Nofile).current {
        Some(most) if u64::from(connections) + FILES > most => Err(Failure::new(
            Exit::Invalid,
            format!(
                "{connections} connections and {FILES} files of the store are more than the {most} files this process may have open"
            ),
        )
        .hint("allow more with `ulimit -n`, or ask for fewer connections")),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_files(_: u32) -> Result<(), Failure> {
    Ok(())
}

fn refused(error: ServeError) -> Failure {
    let code = match error {
        ServeError::NotLoopback { .. } => Exit::Invalid,
        _ => Exit::Failure,
    };
    Failure::new(code, error)
}

fn busy(address: SocketAddr, error: &std::io::Error) -> Failure {
    let failure = Failure::new(Exit::Unavailable, format!("cannot listen on {address}: {error}"));
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.hint("another server is there; stop it, or give --listen another port")
        }
        _ => failure,
    }
}

#[derive(Serialize)]
struct Serving {
    listen: String,
    store: String,
}

impl Row for Serving {
    const COLUMNS: &'static [&'static str] = &["listen", "store"];
}

/// Says where, at once: whoever started this may be waiting to connect.
fn show(serving: &Serving, out: &mut Out) -> Result<(), Failure> {
    match out.format {
        Format::Text => {
            let Serving { listen, store } = serving;
            writeln!(out, "serving {} on {listen}, until an interrupt", text::escape(store))?;
            writeln!(out, "clients connect with esdb://{listen}?tls=false")?;
        }
        _ => rows::one(out, serving)?,
    }
    Ok(out.flush()?)
}
