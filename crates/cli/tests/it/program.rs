//! A store in a directory of its own, and the program to run on it.

use std::ffi::OsStr;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A place where a store may be; there is none at first.
pub struct Place {
    dir: TempDir,
}

/// What a run of the program gave.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// With the history that most tests look at.
    pub fn with_carts() -> Self {
        let place = Self::new();
        place.ok([
            "event-store",
            "append",
            "cart-1",
            r#"{"type":"Opened","data":{"items":{}},"tags":["customer:c1"]}"#,
        ]);
        place.ok(["event-store", "append", "cart-2", r#"{"type":"Opened"}"#]);
        place.ok([
            "event-store",
            "append",
            "cart-1",
            r#"[{"type":"ItemAdded","data":{"items":{"apple":1}}},{"type":"ItemAdded","data":{"items":{"apple":2}}}]"#,
            "--expected",
            "0",
        ]);
        place
    }

    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// The program, in this place, on its store.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
        command.current_dir(self.dir.path()).env_clear().env("FACTUM_STORE", "store");
        command
    }

    pub fn run<I>(&self, words: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        finished(self.command().args(words))
    }

    /// Runs and must succeed without a word on standard error.
    pub fn ok<I>(&self, words: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let run = self.run(words);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
        run.stdout
    }

    /// Runs, must fail with this code and write nothing but the failure.
    pub fn fails<I>(&self, code: i32, words: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let run = self.run(words);
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
        run.stderr
    }

    /// Runs with `--format json` and must succeed.
    pub fn json<I>(&self, words: I) -> Value
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = self.command();
        let run = finished(command.args(["--format", "json"]).args(words));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        serde_json::from_str(&run.stdout).unwrap()
    }
}

pub fn finished(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Compares text with what changes from run to run masked, in the same width.
macro_rules! assert_text {
    ($text:expr, @$expected:literal) => {
        insta::with_settings!({ filters => vec![
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "YYYY-MM-DDTHH:MM:SS.uuuuuuZ"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
        ] }, { insta::assert_snapshot!($text, @$expected) })
    };
}
pub(crate) use assert_text;
