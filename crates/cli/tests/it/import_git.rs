//! `factum import git` as a program: killed, repeated, refused.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sample::Sample;

/// The program, without the environment's opinions.
pub fn factum() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
    command.env_remove("FACTUM_STORE").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Runs to the end; gives exit code, stdout and stderr.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Everything in a store but the times of recording and the ids in `$` streams.
pub fn log_of(store: &std::path::Path) -> Vec<serde_json::Value> {
    let mut command = factum();
    command.arg("--store").arg(store).args(["--format", "ndjson", "events", "after", "start"]);
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!(code, 0, "{stderr}");
    let lines = stdout.lines().map(|line| {
        let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
        let keys = event.as_object_mut().unwrap();
        keys.remove("recorded_at").unwrap();
        if keys["stream"].as_str().unwrap().starts_with('$') {
            keys.remove("id");
        }
        event
    });
    lines.collect()
}

/// Starts the command, kills it (`kill -9`) after a while, again and again with
/// growing patience, until it ends by itself; gives how often it was killed.
pub fn kill_until_done(mut make: impl FnMut() -> Command) -> u32 {
    let mut kills = 0;
    let mut patience = Duration::from_millis(5);
    loop {
        let mut child = make().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                assert!(status.success(), "{status}: {said}");
                return kills;
            }
            if began.elapsed() > patience {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += 1;
        patience = patience * 5 / 4;
        assert!(kills < 200, "it never ends");
    }
}

#[test]
fn says_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("repository"), &[], 1, 8);
    let store = dir.path().join("store");
    let mut command = factum();
    command.args(["--format", "json", "import", "git"]).arg(&sample.dir).arg("--store").arg(&store);
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&told["commits"], &told["commits_before"]), (&8.into(), &0.into()), "{told}");
    assert_eq!(told["head"], sample.git(&["rev-parse", "main"]));
}

#[test]
fn refuses_what_is_no_repository_and_creates_no_store_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    std::fs::create_dir(dir.path().join("plain")).unwrap();
    Sample::new(&dir.path().join("empty"), &[]);
    let rows = [
        ("absent", 4, "there is no directory"),
        ("plain", 4, "no git repository"),
        ("empty", 6, "no commit yet"),
    ];
    for (name, expected, words) in rows {
        let mut command = factum();
        // A repository around the test's own directory is not asked.
        command.env("GIT_CEILING_DIRECTORIES", dir.path());
        command.args(["import", "git"]).arg(dir.path().join(name)).arg("--store").arg(&store);
        let (code, stdout, stderr) = run(&mut command);
        assert_eq!((code, stdout.as_str()), (expected, ""), "{name}: {stderr}");
        assert!(stderr.contains(words), "{name}: {stderr}");
        assert!(!store.exists());
    }
    let mut command = factum();
    command.env("PATH", dir.path()).args(["import", "git"]).arg(dir.path()).arg("--store").arg(&store);
    let (code, _, stderr) = run(&mut command);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("install git"), "{stderr}");
}

/// Inside a hook git names *its* repository in the environment.
#[test]
fn imports_the_repository_it_was_given_not_the_one_around_it() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("given"), &[], 2, 3);
    let around = Sample::eventful(&dir.path().join("around"), &[], 3, 5);
    let mut command = factum();
    command.env("GIT_DIR", around.dir.join(".git")).env("GIT_WORK_TREE", &around.dir);
    command.args(["--format", "json", "import", "git"]).arg(&sample.dir);
    command.arg("--store").arg(dir.path().join("store"));
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!(code, 0, "{stderr}");
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(told["commits"], 3);
}

#[test]
fn a_killed_import_makes_the_same_log_as_one_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::eventful(&dir.path().join("repository"), &[], 4, 1500);
    let import = |store: &str| {
        let mut command = factum();
        command.args(["import", "git"]).arg(&sample.dir).arg("--store").arg(dir.path().join(store));
        command
    };
    let (code, _, stderr) = run(&mut import("whole"));
    assert_eq!(code, 0, "{stderr}");
    let kills = kill_until_done(|| import("killed"));
    assert!(kills > 0, "the import was too fast to be killed");
    assert!(log_of(&dir.path().join("whole")).len() > 1500);
    assert_eq!(log_of(&dir.path().join("killed")), log_of(&dir.path().join("whole")));
    let before = log_of(&dir.path().join("whole"));
    let (code, stdout, _) = run(&mut import("whole"));
    assert_eq!(code, 0);
    assert!(stdout.contains("nothing new"), "{stdout}");
    assert_eq!(log_of(&dir.path().join("whole")), before);
}
