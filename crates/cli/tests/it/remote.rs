//! `--url`: the same verbs against a server, which is a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::program::{Place, finished};
use crate::serve::Server;

fn url(server: &Server) -> String {
    format!("kurrentdb://{}?tls=false", server.address)
}

#[test]
fn verbs_that_read_say_the_same_of_a_directory_and_of_a_server() {
    let place = Place::with_carts();
    let verbs: &[&[&str]] = &[
        &["event-store", "replay", "cart-1"],
        &["events", "at-time", "cart-1", "rev:1"],
        &["events", "between", "cart-1", "0", "2"],
        &["events", "after", "start", "--type", "ItemAdded"],
        &["events", "after", "1", "--tag", "customer:c1", "-n", "3"],
        &["stream", "list"],
        &["stream", "show", "cart-1", "--last", "2"],
        &["stream", "export", "--all"],
        &["stream", "export", "cart-1", "--until", "rev:1"],
    ];
    let refused: &[(i32, &[&str])] = &[
        (4, &["event-store", "replay", "nobody"]),
        (4, &["stream", "show", "nobody"]),
        (4, &["events", "after", "99"]),
        (4, &["events", "at-time", "cart-1", "rev:9"]),
    ];
    let server = Server::start(&place, &[]);
    let url = url(&server);
    let asked = |verb: &[&str]| place.ok(["--url", &url].iter().chain(verb));
    let told: Vec<_> = verbs.iter().map(|verb| asked(verb)).collect();
    let refused_there = |code, verb: &[&str]| place.fails(code, ["--url", &url].iter().chain(verb));
    let refusals: Vec<_> = refused.iter().map(|(code, verb)| refused_there(*code, verb)).collect();
    // It cannot record its end, which it did not have when it was asked.
    server.kill();
    for (verb, told) in verbs.iter().zip(told) {
        assert_eq!(told, place.ok(*verb), "{verb:?}");
    }
    for ((code, verb), refusal) in refused.iter().zip(refusals) {
        assert_eq!(refusal, place.fails(*code, *verb), "{verb:?}");
    }
}

#[test]
fn appends_and_imports_reach_the_server() {
    let place = Place::with_carts();
    let server = Server::start(&place, &[]);
    let url = url(&server);
    let appended = place.json([
        "--url",
        &url,
        "event-store",
        "append",
        "cart-2",
        r#"[{"type":"ItemAdded","tags":["a"]},{"type":"ItemAdded","schema_version":3}]"#,
        "--expected",
        "0",
        "--fail-if-tag",
        "a",
    ]);
    assert_eq!((&appended["first_position"], &appended["last_revision"]), (&6.into(), &2.into()));
    assert_eq!(appended["durability"], "disk");
    let conflict = place
        .fails(3, ["--url", &url, "event-store", "append", "cart-2", r#"{"type":"A"}"#, "--expected", "0"]);
    assert!(conflict.contains("append with --expected 2 if yours still hold"), "{conflict}");
    let excluded = ["--url", &url, "event-store", "append", "x", r#"{"type":"A"}"#, "--fail-if-tag", "a"];
    assert!(place.fails(3, excluded).contains("an event at position 6 matches the append condition"));

    let lines: String =
        (0..300).map(|n| format!("{{\"stream\":\"s-{}\",\"type\":\"B\",\"data\":{n}}}\n", n % 7)).collect();
    std::fs::write(place.dir().join("lines.jsonl"), lines).unwrap();
    let run = place.run(["--url", &url, "import", "jsonl", "lines.jsonl"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
    let last = place.ok(["stream", "show", "cart-2", "--last", "1", "--format", "json"]);
    assert!(last.contains("\"schema_version\": 3") || last.contains("\"schema_version\":3"), "{last}");
    let imported = place.json(["stream", "list", "--category", "s"]);
    let counts = imported.as_array().unwrap().iter().map(|stream| stream["events"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 300);
}

#[test]
fn a_follower_stays_connected_and_loses_nothing_over_a_restart() {
    let place = Place::with_carts();
    let server = Server::start(&place, &[]);
    let address = server.address.clone();
    let url = url(&server);
    let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
    command.current_dir(place.dir()).env_clear().args(["--url", &url, "events", "after", "1", "--follow"]);
    command.args(["-n", "7", "--format", "ndjson"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> u64 {
        let event: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        event["position"].as_u64().unwrap()
    };
    // Two of carts, and two of the journal.
    assert_eq!([next(), next(), next(), next()], [2, 3, 4, 5]);
    place.ok(["--url", &url, "event-store", "append", "cart-3", r#"{"type":"Late"}"#]);
    assert_eq!(next(), 6);
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
    place.ok(["event-store", "append", "cart-3", r#"{"type":"Later"}"#]);
    let server = Server::start(&place, &["--listen", &address]);
    assert_eq!([next(), next()], [7, 8], "the journal's last word, and what came meanwhile");
    assert!(child.wait().unwrap().success(), "the limit is reached");
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}

#[test]
fn what_cannot_be_done_there_is_refused_with_what_to_do() {
    let place = Place::with_carts();
    let nobody = "factum://127.0.0.1:1?tls=false";
    let rows: &[(i32, &[&str], &str)] = &[
        (7, &["stream", "list"], "nobody listens at 127.0.0.1:1: start the server there with `factum serve`"),
        (7, &["event-store", "append", "a", r#"{"type":"A"}"#], "nobody listens at"),
        (2, &["event-store", "verify"], "this works on the files of a store"),
        (2, &["event-store", "stats"], "with --store DIR"),
        (2, &["serve"], "this works on the files of a store"),
        (2, &["stream", "list", "--store", "store"], "leave one of them out"),
        (2, &["event-store", "append", "a", r#"{"type":"A"}"#, "--init"], "leave --init out"),
    ];
    for (code, verb, says) in rows {
        let said = place.fails(*code, ["--url", nobody].iter().chain(*verb));
        assert!(said.contains(says), "{verb:?}: {said}");
    }
    let said = place.fails(2, ["--url", "kurrentdb://127.0.0.1:1", "stream", "list"]);
    assert!(said.contains("add ?tls=false"), "{said}");
    assert!(!place.dir().join(".factum").exists(), "nothing was made instead");
}

#[test]
fn the_environment_may_name_the_server() {
    let place = Place::with_carts();
    let server = Server::start(&place, &[]);
    let list = |store: Option<&str>, words: &[&str]| {
        let mut command = place.command();
        command.env("FACTUM_URL", url(&server));
        if store.is_none() {
            command.env_remove("FACTUM_STORE");
        }
        finished(command.args(words))
    };
    let told = list(None, &["stream", "list"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    assert!(told.stdout.contains("4 streams"), "{}", told.stdout);
    let both = list(Some("store"), &["stream", "list"]);
    assert_eq!(both.code, 2);
    assert!(both.stderr.contains("unset one of them, or say --store or --url"), "{}", both.stderr);
    // What the command line says counts: this directory is served, so it is in use.
    let directory = list(None, &["--store", "store", "--wait", "0", "stream", "list"]);
    assert!(directory.code == 7 || directory.code == 0, "{}", directory.stderr);
    assert!(!directory.stderr.contains("FACTUM_URL"), "{}", directory.stderr);
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
}
