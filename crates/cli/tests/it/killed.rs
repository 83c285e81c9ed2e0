//! A server that is killed with -9 again and again, under clients of two
//! languages that go on as programs do: they append an event until somebody
//! says that it is recorded, and follow from the last one they have seen.
//!
//! ```text
//!   two writers (Rust) ──┐                    ┌─► a follower (Rust)
//!   a writer (Python) ───┴─► factum serve ────┴─► a follower (Python)
//!                              ▲ killed, started again, 20 times
//! ```
//!
//! In the end each stream holds exactly what was acknowledged, in order, and
//! each follower was told each event exactly once, in the order of the log.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kurrentdb::{
    AppendToStreamOptions, Client, EventData, Position, ReadAllOptions, StreamPosition, StreamState,
    SubscribeToAllOptions,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::program::Place;
use crate::serve::Server;
use crate::venv::environment;

const KILLS: usize = 20;
/// How long clients wait for one answer before they ask again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long clients may take for the rest, once nobody appends any more.
const REST: Duration = Duration::from_secs(30);

/// An event as a follower was told of it: stream, revision, position.
type Told = (String, u64, u64);

/// Appends until it is told to end; gives how many were acknowledged.
async fn write(url: String, stream: String, end: Arc<AtomicBool>) -> u64 {
    let mut client = None;
    let mut n = 0;
    let mut event = happened(n);
    while !end.load(Ordering::Relaxed) {
        let connected = client.get_or_insert_with(|| Client::new(url.parse().unwrap()).unwrap()).clone();
        let expected = if n == 0 { StreamState::NoStream } else { StreamState::StreamRevision(n - 1) };
        let options = AppendToStreamOptions::default().stream_state(expected);
        let appending = connected.append_to_stream(stream.as_str(), &options, event.clone());
        match tokio::time::timeout(PATIENCE, appending).await {
            Ok(Ok(written)) => {
                assert_eq!(written.next_expected_version, n);
                n += 1;
                event = happened(n);
            }
            Ok(Err(kurrentdb::Error::WrongExpectedVersion { current, .. })) => {
                panic!("{stream}: event {n} was expected next, and it stands at {current:?}");
            }
            // The same again, with the same id.
            Ok(Err(_)) | Err(_) => {
                client = None;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    n
}

fn happened(n: u64) -> EventData {
    EventData::json("Happened", &serde_json::json!({ "n": n })).unwrap().id(uuid::Uuid::new_v4())
}

/// Follows the log for ever.
async fn follow(url: String, told: Arc<Mutex<Vec<Told>>>) {
    let mut seen = None;
    loop {
        let client = Client::new(url.parse().unwrap()).unwrap();
        let from = seen.map_or(StreamPosition::Start, StreamPosition::Position);
        let options = SubscribeToAllOptions::default().position(from);
        let mut events = client.subscribe_to_all(&options).await;
        while let Ok(event) = events.next().await {
            let event = event.get_original_event();
            let position = event.position;
            seen = Some(Position { commit: position.commit, prepare: position.prepare });
            told.lock().unwrap().push((event.stream_id().to_owned(), event.revision, position.commit));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A program in Python, and what it says, line by line. Dropped, it is ended.
struct Script {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn start(python: &Path, name: &str, words: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(name);
        let mut command = Command::new(python);
        command.arg(script).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, into) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Self { child, said }
    }

    /// Whether it ends well within this time.
    fn ended(&mut self, within: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address nobody has, which the server can have again and again.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn clients_lose_nothing_and_are_told_everything_once() {
    let seed = std::env::var("FACTUM_KILL_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let place = Place::new();
    let address = free_address();
    let url = format!("kurrentdb://{address}?tls=false");
    let end = Arc::new(AtomicBool::new(false));
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut server = Server::start_at(&place, &address, &["--init"]);

    let mut writers = JoinSet::new();
    for name in ["rust-1", "rust-2"] {
        let writing = write(url.clone(), name.to_owned(), Arc::clone(&end));
        writers.spawn_on(async move { (name.to_owned(), writing.await) }, runtime.handle());
    }
    let following = runtime.spawn(follow(url.clone(), Arc::clone(&told)));
    let python = environment("kurrentdbclient==1.3.5");
    let mut scripts = python.map(|python| {
        let writer = Script::start(&python, "writer.py", &[&url, "python-1"]);
        (writer, Script::start(&python, "follower.py", &[&url]))
    });

    let mut longest_start = Duration::ZERO;
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(u64::from(100 + dice.next_u32() % 900)));
        server.kill();
        let begun = Instant::now();
        server = Server::start_at(&place, &address, &[]);
        longest_start = longest_start.max(begun.elapsed());
    }
    // The last one lives for long enough to be found again by everybody.
    std::thread::sleep(Duration::from_secs(2));
    end.store(true, Ordering::Relaxed);
    let mut acknowledged: BTreeMap<String, u64> = runtime.block_on(writers.join_all()).into_iter().collect();
    if let Some((writer, _)) = &mut scripts {
        writeln!(writer.child.stdin.as_mut().unwrap()).unwrap();
        assert!(writer.ended(REST), "the writer in Python does not end");
        let said = writer.said();
        assert!(said.iter().enumerate().all(|(n, line)| *line == n.to_string()), "{said:?}");
        acknowledged.insert("python-1".to_owned(), said.len() as u64);
    }
    assert!(acknowledged.values().all(|count| *count >= KILLS as u64), "{acknowledged:?}");

    // What is recorded: exactly that, and in order.
    let recorded = runtime.block_on(async { tokio::time::timeout(REST, read_all(&url)).await.unwrap() });
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for (stream, revision, _) in &recorded {
        let expected = next.entry(stream.clone()).or_default();
        assert_eq!(revision, expected, "{stream}");
        *expected += 1;
    }
    // A writer that is asked to end while it waits for an answer may have one
    // event more in the log than it knows of.
    for (stream, count) in &acknowledged {
        let found = next.remove(stream).unwrap_or_default();
        assert!((*count..=*count + 1).contains(&found), "{stream}: {count} acknowledged, {found} there");
    }
    // And the journal, of every life its beginning.
    assert_eq!(next.remove("$server"), Some(KILLS as u64 + 1));
    assert_eq!(next.remove("$$$server"), Some(1));
    assert_eq!(next, BTreeMap::new());

    // What followers were told: the same, each once, and nothing else.
    let waited = Instant::now();
    let rust_knows = || told.lock().unwrap().len() >= recorded.len();
    let python_knows = |scripts: &Option<(Script, Script)>| {
        scripts.as_ref().is_none_or(|(_, follower)| follower.said().len() >= recorded.len())
    };
    while !(rust_knows() && python_knows(&scripts)) && waited.elapsed() < REST {
        std::thread::sleep(Duration::from_millis(20));
    }
    following.abort();
    assert_eq!(*told.lock().unwrap(), recorded, "what the follower in Rust was told");
    if let Some((_, follower)) = &scripts {
        let lines: Vec<_> = recorded
            .iter()
            .map(|(stream, revision, position)| format!("{stream} {revision} {position}"))
            .collect();
        assert_eq!(follower.said(), lines, "what the follower in Python was told");
    }
    drop(scripts);

    // The end of its last life is an orderly one.
    let (code, took, said) = server.stop(Signal::TERM);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let verified = place.json(["event-store", "verify", "--deep"]);
    assert_eq!((&verified["whole"], &verified["torn_tail_bytes"]), (&true.into(), &0.into()));
    assert_eq!(verified["events"], recorded.len() + 1, "and its end is recorded");
    assert!(longest_start < Duration::from_secs(10), "a start took {longest_start:?}");
    println!("{} events in {KILLS} lives, the longest start {longest_start:?}", recorded.len());
}

async fn read_all(url: &str) -> Vec<Told> {
    let client = Client::new(url.parse().unwrap()).unwrap();
    let options = ReadAllOptions::default().position(StreamPosition::Start).max_count(usize::MAX);
    let mut events = client.read_all(&options).await.unwrap();
    let mut all = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        let event = event.get_original_event();
        all.push((event.stream_id().to_owned(), event.revision, event.position.commit));
    }
    all
}
