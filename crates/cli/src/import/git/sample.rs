//! Git repositories made for tests: every kind of change and every kind of
//! name, written by `git fast-import`, which takes what no working tree could.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names that are hard on whoever reads them.
pub const NAMES: [&[u8]; 22] = [
    b"README.md",
    b"src/main.rs",
    b"src/deep/er/and/deeper.rs",
    b"a name with spaces",
    b"quotes \" and ' and \\ and `",
    b"new\nline",
    b"tab\there",
    b"bell\x07 escape\x1b[31m",
    b"100%",
    b"%41",
    b"caf\xc3\xa9",
    b"cafe\xcc\x81",
    b"caf\xe9 in Latin-1",
    b"\xff\xfe",
    b"bidi \xe2\x80\xae over",
    b":100644 in disguise",
    b"-starts-with-a-dash",
    b" leading and trailing ",
    b"vendor/library",
    b"swap",
    b"swap-dir/inner",
    b"CON",
];

/// A repository in a directory of its own.
pub struct Sample {
    /// Where it is.
    pub dir: PathBuf,
    script: Vec<u8>,
    marks: u32,
    /// Whether git has the main branch already, and this script not yet.
    resumes: bool,
}

impl Sample {
    /// An empty repository; `options` for `git init`.
    pub fn new(dir: &Path, options: &[&str]) -> Self {
        let sample = Self { dir: dir.to_owned(), script: Vec::new(), marks: 0, resumes: false };
        std::fs::create_dir_all(dir).unwrap();
        sample.git(&[&["init", "-q", "-b", "main"], options].concat());
        sample
    }

    /// Runs git in the repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// A commit on a branch, at seconds since 1970; gives its mark.
    pub fn commit(&mut self, branch: &str, at: i64, merge: Option<u32>, changes: &[Change]) -> u32 {
        self.marks += 1;
        let mark = self.marks;
        let subject = format!("commit {mark}: é \u{1f980} \"quoted\"\n\nand a body\n");
        let mut text = format!(
            "commit refs/heads/{branch}\nmark :{mark}\nauthor Ada <ada@example.org> {at} +0100\n\
             committer Bo <bo@example.org> {} -0500\ndata {}\n{subject}\n",
            at + 60,
            subject.len()
        )
        .into_bytes();
        if branch == "main" && std::mem::take(&mut self.resumes) {
            text.extend(b"from refs/heads/main^0\n");
        }
        if let Some(merge) = merge {
            text.extend(format!("merge :{merge}\n").bytes());
        }
        for change in changes {
            change.write(&mut text);
        }
        text.push(b'\n');
        self.script.extend(text);
        mark
    }

    /// A branch that begins at a commit.
    pub fn branch(&mut self, branch: &str, mark: u32) {
        self.script.extend(format!("reset refs/heads/{branch}\nfrom :{mark}\n\n").bytes());
    }

    /// Hands all commits since the last time to git.
    pub fn write(&mut self) {
        let marks = self.dir.join("marks.of.the.test");
        let marks = marks.to_str().unwrap();
        let mut child = self
            .command()
            .args(["-c", "core.ignoreCase=false", "fast-import", "--quiet", "--date-format=raw"])
            .arg(format!("--import-marks-if-exists={marks}"))
            .arg(format!("--export-marks={marks}"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&std::mem::take(&mut self.script)).unwrap();
        assert!(child.wait().unwrap().success());
        self.resumes = true;
    }

    /// A history of `commits` commits that does everything there is to do,
    /// in an order made of `seed`.
    pub fn eventful(dir: &Path, options: &[&str], seed: u64, commits: u32) -> Self {
        let mut sample = Self::new(dir, options);
        let id_digits = if options.contains(&"--object-format=sha256") { 64 } else { 40 };
        sample.grow(seed, commits, id_digits);
        sample
    }

    /// Further commits of that kind on the main branch.
    pub fn grow(&mut self, seed: u64, commits: u32, id_digits: usize) {
        // A little generator of its own, so that any test can include this file.
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % below
        };
        let long = [b"long/".repeat(250), b"end".to_vec()].concat();
        let names: Vec<&[u8]> = NAMES.into_iter().chain([long.as_slice(), b"swap/inside"]).collect();
        let mut at = 1_600_000_000;
        let mut last = None;
        for number in 0..commits {
            // Mostly forward, now and then back by up to a day.
            at += random(86_400) as i64 - if random(5) == 0 { 86_400 } else { 0 };
            let mut changes = Vec::new();
            // Now and then a commit that changes nothing.
            for _ in 0..random(6) {
                let name = names[random(names.len() as u64) as usize].to_vec();
                let content = format!("{}", random(7)).into_bytes();
                changes.push(match random(9) {
                    0 | 1 => Change::Delete(name),
                    2 => Change::Put(name, "100755", content),
                    3 => Change::Put(name, "120000", b"target".to_vec()),
                    4 => Change::Submodule(name, format!("{:0width$x}", random(3) + 1, width = id_digits)),
                    _ => Change::Put(name, "100644", content),
                });
            }
            if number == 0 {
                changes
                    .extend(names.iter().map(|name| Change::Put(name.to_vec(), "100644", b"first".to_vec())));
            }
            let merge = match last {
                Some(last) if random(6) == 0 => {
                    let side = format!("side-{}", self.marks);
                    self.branch(&side, last);
                    let name = names[random(names.len() as u64) as usize].to_vec();
                    self.commit(&side, at - 10, None, &[Change::Put(name, "100644", b"side".to_vec())]);
                    Some(self.commit(&side, at - 5, None, &[Change::Delete(names[3].to_vec())]))
                }
                _ => None,
            };
            last = Some(self.commit("main", at, merge, &changes));
        }
        self.write();
    }
}

/// What a commit does to a path.
pub enum Change {
    /// Path, mode, content.
    Put(Vec<u8>, &'static str, Vec<u8>),
    /// Path, commit.
    Submodule(Vec<u8>, String),
    /// Path.
    Delete(Vec<u8>),
}

impl Change {
    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Self::Put(path, mode, content) => {
                text.extend(format!("M {mode} inline {}\ndata {}\n", quoted(path), content.len()).bytes());
                text.extend(content);
                text.push(b'\n');
            }
            Self::Submodule(path, commit) => {
                text.extend(format!("M 160000 {commit} {}\n", quoted(path)).bytes());
            }
            Self::Delete(path) => text.extend(format!("D {}\n", quoted(path)).bytes()),
        }
    }
}

/// A path as fast-import reads it: in quotes, byte for byte.
fn quoted(path: &[u8]) -> String {
    let bytes: String = path
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'/' => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        })
        .collect();
    format!("\"{bytes}\"")
}
