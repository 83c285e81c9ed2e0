//! `factum import jsonl` as a program: killed, repeated, fed from a pipe.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::import_git::{factum, kill_until_done, log_of, run};

fn lines(count: usize) -> String {
    let line = |n: usize| {
        format!(
            "{{\"stream\":\"s-{}\",\"type\":\"Counted\",\"data\":{{\"n\":{n}}}}}\n",
            (n / 3) * (n % 5) % 4
        )
    };
    (0..count).map(line).collect()
}

fn import(store: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = factum();
    command.arg("--store").arg(store).args(["--format", "json", "import", "jsonl"]).args(arguments);
    command
}

#[test]
fn reads_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = import(&dir.path().join("store"), &["-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines(10).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["lines"], &told["events"], &told["source"]),
        (&10.into(), &10.into(), &"standard input".into())
    );
}

#[test]
fn names_file_line_and_reason_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, format!("{}oops\n", lines(2))).unwrap();
    let file = file.to_str().unwrap();
    let mut command = factum();
    command.arg("--store").arg(dir.path().join("store")).args(["import", "jsonl", file]);
    let (code, _, stderr) = run(&mut command);
    assert_eq!(code, 6);
    assert!(stderr.contains(&format!("{file}:3:1: it is not JSON")), "{stderr}");
    assert!(stderr.contains("hint: the lines before it are imported"), "{stderr}");

    let (code, stdout, _) = run(&mut import(&dir.path().join("other"), &[file, "--on-error", "park"]));
    assert_eq!(code, 0);
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&told["events"], &told["bad"]), (&2.into(), &1.into()));
    let parked = std::fs::read_to_string(format!("{file}.parked.ndjson")).unwrap();
    let parked: serde_json::Value = serde_json::from_str(&parked).unwrap();
    assert_eq!((&parked["text"], &parked["parked"]["line"]), (&"oops".into(), &3.into()));
}

#[test]
fn refuses_what_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let path = dir.path().to_str().unwrap();
    let rows: [(&[&str], i32); 4] = [
        (&["/nonexistent/file"], 4),
        (&[path], 1),
        (&["-", "--on-error", "park"], 2),
        (&["-", "--name", ""], 2),
    ];
    for (arguments, expected) in rows {
        let (code, _, stderr) = run(&mut import(&store, arguments));
        assert_eq!(code, expected, "{arguments:?}: {stderr}");
        assert!(!store.exists());
    }
}

#[test]
fn a_killed_import_makes_the_same_log_as_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    let text = lines(30_000);
    std::fs::write(&file, &text).unwrap();
    let file = file.to_str().unwrap();
    let kills = kill_until_done(|| import(&dir.path().join("killed"), &[file]));
    assert!(kills > 0, "the import was too fast to be killed");
    let events: Vec<_> = log_of(&dir.path().join("killed"))
        .into_iter()
        .filter(|event| !event["stream"].as_str().unwrap().starts_with('$'))
        .map(|event| serde_json::json!({ "stream": event["stream"], "type": event["type"], "data": event["data"] }))
        .collect();
    let expected: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events == expected, "{} events instead of {}", events.len(), expected.len());
    let before = log_of(&dir.path().join("killed"));
    let (code, _, stderr) = run(&mut import(&dir.path().join("killed"), &[file]));
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(log_of(&dir.path().join("killed")), before);
}

#[test]
fn what_one_store_wrote_out_another_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, lines(500)).unwrap();
    let first = dir.path().join("first");
    assert_eq!(run(&mut import(&first, &[file.to_str().unwrap()])).0, 0);
    let mut command = factum();
    command.arg("--store").arg(&first).args(["--format", "ndjson", "events", "after", "start"]);
    let (_, stdout, _) = run(&mut command);
    let out = dir.path().join("out.ndjson");
    std::fs::write(&out, &stdout).unwrap();
    let second = dir.path().join("second");
    let (code, _, stderr) = run(&mut import(&second, &[out.to_str().unwrap(), "--name", "copy"]));
    assert_eq!(code, 0, "{stderr}");
    let facts = |store| -> Vec<_> {
        let events =
            log_of(store).into_iter().filter(|event| !event["stream"].as_str().unwrap().starts_with('$'));
        events.map(|event| (event["stream"].clone(), event["id"].clone(), event["data"].clone())).collect()
    };
    assert_eq!(facts(&first), facts(&second));
}
