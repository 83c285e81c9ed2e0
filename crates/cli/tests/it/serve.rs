//! `serve`: where it listens, what it answers probes, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Place;

/// The program as it serves.
pub struct Server {
    child: Child,
    pub address: String,
    store: String,
}

impl Server {
    pub fn start(place: &Place, words: &[&str]) -> Self {
        Self::start_at(place, "127.0.0.1:0", words)
    }

    pub fn start_at(place: &Place, address: &str, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
        command.current_dir(place.dir()).env_clear().env("FACTUM_STORE", "store");
        command.args(["serve", "--format", "ndjson"]).args(words);
        if !words.contains(&"--listen") {
            command.args(["--listen", address]);
        }
        Self::of(command)
    }

    /// Whatever becomes a server, with `--format ndjson`.
    pub fn of(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Self { child, address: text("listen"), store: text("store") }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Kills it with -9, at whatever it is.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end; its exit code, how long that took, and what it complained of.
    pub fn stop(self, signal: Signal) -> (Option<i32>, Duration, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.ended()
    }

    /// The same, where somebody else asked.
    pub fn ended(mut self) -> (Option<i32>, Duration, String) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let took = begun.elapsed();
                let said = std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap();
                return (status.code(), took, said);
            }
            sleep(Duration::from_millis(5));
        }
        self.child.kill().unwrap();
        panic!("it did not end");
    }
}

#[test]
fn answers_probes_and_ends_when_asked() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::with_carts();
        let server = Server::start(&place, &[]);
        assert_eq!(server.store, "store");
        assert!(server.get("/health/live").starts_with("HTTP/1.1 204"));
        assert!(server.get("/health/ready").starts_with("HTTP/1.1 204"));
        let nowhere = server.get("/streams/a");
        assert!(
            nowhere.starts_with("HTTP/1.1 404") && nowhere.contains("/streams/a is not here"),
            "{nowhere}"
        );
        // One that says nothing and stays must not hold it up.
        let _idle = TcpStream::connect(&server.address).unwrap();
        let (code, took, said) = server.stop(signal);
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(took < Duration::from_secs(10), "{took:?}");
        let verified = place.json(["event-store", "verify", "--deep"]);
        assert_eq!((&verified["whole"], &verified["torn_tail_bytes"]), (&true.into(), &0.into()));
        // Four of carts, and three of the journal.
        assert_eq!(verified["events"], 7);
    }
}

#[test]
fn one_process_has_the_store_and_one_has_the_port() {
    let place = Place::with_carts();
    let server = Server::start(&place, &[]);
    let said = place.fails(7, ["event-store", "append", "cart-1", r#"{"type":"A"}"#, "--wait", "0"]);
    assert!(said.contains("--wait"), "{said}");
    let said = place.fails(7, ["serve", "--dev", "--listen", &server.address]);
    assert!(said.contains("cannot listen on") && said.contains("another port"), "{said}");
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
    place.ok(["event-store", "append", "cart-1", r#"{"type":"A"}"#]);
}

#[test]
fn dev_leaves_nothing_behind() {
    let place = Place::new();
    let server = Server::start(&place, &["--dev"]);
    assert_eq!(server.store, "memory");
    assert!(server.get("/health/ready").starts_with("HTTP/1.1 204"));
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
    assert_eq!(std::fs::read_dir(place.dir()).unwrap().count(), 0);
    let said = place.fails(2, ["serve", "--dev", "--store", "store"]);
    assert!(said.contains("leave one of them out"), "{said}");
}

#[test]
fn other_machines_are_not_served() {
    let place = Place::new();
    for address in ["0.0.0.0:2113", "[::]:2113", "192.168.0.1:0"] {
        let said = place.fails(6, ["serve", "--listen", address]);
        assert!(said.contains("no encryption and no passwords yet"), "{said}");
    }
    assert!(!place.store().exists(), "refused before anything was made");
}

#[test]
fn as_many_are_connected_as_it_is_told() {
    let place = Place::new();
    let server = Server::start(&place, &["--dev", "--connections", "2", "--look", "0"]);
    let connect = || {
        let stream = TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        stream
    };
    let held = [connect(), connect()];
    for mut one in &held {
        assert!(one.read(&mut [0]).is_err(), "it waits for a request");
    }
    assert_eq!(connect().read(&mut [0]).unwrap(), 0, "there is no third place");
    drop(held);
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}

#[test]
fn connections_leave_the_store_the_files_it_needs() {
    let place = Place::new();
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let Some(most) = most.filter(|most| *most < 1_000_000) else { return };
    let said = place.fails(6, ["serve", "--dev", "--connections", &most.to_string()]);
    assert!(said.contains("ulimit -n") && said.contains("files of the store"), "{said}");
    assert!(!place.store().exists(), "refused before anything was made");
}
