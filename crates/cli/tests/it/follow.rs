//! `events after --follow`, and readers that go away.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Place;

fn spawn(place: &Place, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
    command.current_dir(place.dir()).env_clear().env("FACTUM_STORE", "store");
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it did not end");
}

fn said(child: &mut Child) -> String {
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}

const FOLLOW: [&str; 6] = ["events", "after", "start", "--follow", "--format", "ndjson"];

#[test]
fn an_interrupt_ends_it_well() {
    let place = Place::with_carts();
    let mut child = spawn(&place, &FOLLOW);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..4 {
        lines.next().expect("what is there comes at once").unwrap();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(ended(&mut child).code(), Some(0));
    assert!(lines.next().is_none());
    assert_eq!(said(&mut child), "");
}

#[test]
fn a_reader_that_goes_away_ends_it_well_even_while_it_waits() {
    let place = Place::with_carts();
    let mut child = spawn(&place, &FOLLOW);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    drop(lines);
    assert_eq!(ended(&mut child).code(), Some(0));
    assert_eq!(said(&mut child), "");
}

#[test]
fn a_reader_that_never_came_is_no_failure() {
    let place = Place::with_carts();
    for words in [
        &["events", "after", "start"][..],
        &["stream", "list"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let mut child = spawn(&place, words);
        drop(child.stdout.take());
        assert_eq!(ended(&mut child).code(), Some(0), "{words:?}");
        assert_eq!(said(&mut child), "", "{words:?}");
    }
}

#[test]
fn what_another_process_appends_arrives() {
    let place = Place::with_carts();
    let mut child = spawn(&place, &["events", "after", "3", "--follow", "-n", "1", "--format", "ndjson"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    sleep(Duration::from_millis(300));
    place.ok(["event-store", "append", "cart-3", r#"{"type":"Late"}"#]);
    assert_eq!(ended(&mut child).code(), Some(0), "the limit is reached");
    let event: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((event["position"].as_u64(), &event["type"]), (Some(4), &"Late".into()));
}
