//! The `git` program, run so that nobody's configuration changes its answers.
//!
//! Factum reads repositories through the program that owns the format. Every
//! call goes through [`Repository::command`], which
//!
//! - drops the variables by which a surrounding git (a hook, an alias) points
//!   its children at *its* repository;
//! - switches off what could run other programs or change the output: pager,
//!   external diff, text conversion, file-system monitor, replacements;
//! - never takes a lock, never asks a question, never fetches.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::error::GitError;
use super::object::ObjectId;

/// The oldest git that knows `--diff-merges=first-parent`.
const OLDEST: (u32, u32) = (2, 31);
/// Longest single piece of output kept in memory; a path or a subject line.
const PIECE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much of git's complaints is kept.
const COMPLAINT_BYTES_MAX: usize = 4096;

/// Variables that point git at another repository or change what it prints.
const DROPPED: [&str; 17] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_QUARANTINE_PATH",
    "GIT_TRACE",
    "GIT_NOTES_REF",
];

/// A git repository on this machine.
#[derive(Debug, Clone)]
pub struct Repository {
    dir: PathBuf,
    /// Top of the working tree, or the git directory of a bare repository.
    root: PathBuf,
}

impl Repository {
    /// The repository at, or around, a directory.
    pub fn open(dir: &Path) -> Result<Self, GitError> {
        check_version()?;
        match std::fs::metadata(dir) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(GitError::NotADirectory { path: dir.display().to_string() }),
            Err(_) => return Err(GitError::NotFound { path: dir.display().to_string() }),
        }
        let mut repository = Self { dir: dir.to_owned(), root: dir.to_owned() };
        let git_dir = repository.line(&["rev-parse", "--absolute-git-dir"])?;
        // A bare repository, or a call from inside `.git`, has no top level.
        let root = repository.line(&["rev-parse", "--show-toplevel"]).unwrap_or(git_dir);
        repository.root = path_of(root);
        Ok(repository)
    }

    /// Top of the working tree, or the git directory of a bare repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that is checked out.
    pub fn head(&self) -> Result<ObjectId, GitError> {
        match self.line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]) {
            Ok(id) => ObjectId::parse(&id).ok_or_else(|| unexpected("rev-parse", &id)),
            Err(GitError::Failed { .. }) => {
                Err(GitError::NoCommits { path: self.root.display().to_string() })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the repository holds only the later part of its history.
    pub fn is_shallow(&self) -> Result<bool, GitError> {
        Ok(self.line(&["rev-parse", "--is-shallow-repository"])? == b"true")
    }

    /// Whether it has this commit at all.
    pub fn has_commit(&self, commit: &ObjectId) -> Result<bool, GitError> {
        match self.line(&["rev-parse", "--verify", "--quiet", &format!("{commit}^{{commit}}")]) {
            Ok(_) => Ok(true),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A git command in this repository.
    pub fn command(&self) -> Command {
        let mut command = bare_command();
        command.arg("-C").arg(&self.dir).args([
            "--no-pager",
            "--no-replace-objects",
            "-c",
            "core.quotePath=false",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.commitGraph=true",
            "-c",
            "log.showSignature=false",
            "-c",
            "log.showRoot=true",
            "-c",
            "i18n.logOutputEncoding=UTF-8",
        ]);
        command
    }

    /// Runs git and streams what it prints.
    pub fn stream(&self, arguments: &[&str]) -> Result<Output, GitError> {
        let mut command = self.command();
        command.args(arguments);
        Output::of(command, arguments)
    }

    /// Runs git for one line of output.
    fn line(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let mut output = self.stream(arguments)?;
        let mut line = Vec::new();
        output.read_rest(&mut line)?;
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok(line)
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

fn bare_command() -> Command {
    let mut command = Command::new("git");
    for name in DROPPED {
        command.env_remove(name);
    }
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

fn check_version() -> Result<(), GitError> {
    let output = match bare_command().arg("version").output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(GitError::Missing),
        Err(source) => return Err(GitError::Start { source }),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    // "git version 2.39.5 (Apple Git-154)"
    let mut numbers = text.split_whitespace().nth(2).unwrap_or_default().split('.');
    let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    match (next(), next()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST => Err(GitError::TooOld {
            found: format!("{major}.{minor}"),
            oldest: format!("{}.{}", OLDEST.0, OLDEST.1),
        }),
        // A version written in an unknown way is given its chance.
        _ => Ok(()),
    }
}

fn unexpected(command: &str, piece: &[u8]) -> GitError {
    GitError::Unexpected {
        command: command.to_owned(),
        piece: String::from_utf8_lossy(&piece[..piece.len().min(200)]).into_owned(),
    }
}

/// What a running git prints, piece by piece. Dropping it ends the program.
pub struct Output {
    child: Child,
    command: String,
    stdout: BufReader<ChildStdout>,
    /// Reads the complaints meanwhile, so that git never waits for us to.
    complaints: Option<JoinHandle<Vec<u8>>>,
    finished: bool,
}

impl Output {
    fn of(mut command: Command, arguments: &[&str]) -> Result<Self, GitError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => GitError::Missing,
            _ => GitError::Start { source },
        })?;
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let mut stderr = child.stderr.take().expect("stderr was asked for as a pipe");
        let complaints = std::thread::spawn(move || {
            let (mut kept, mut piece) = (Vec::new(), [0; 1024]);
            while let Ok(length @ 1..) = stderr.read(&mut piece) {
                let room = COMPLAINT_BYTES_MAX - kept.len();
                kept.extend_from_slice(&piece[..length.min(room)]);
            }
            kept
        });
        Ok(Self {
            child,
            command: arguments.first().copied().unwrap_or_default().to_owned(),
            stdout: BufReader::with_capacity(1 << 18, stdout),
            complaints: Some(complaints),
            finished: false,
        })
    }

    /// The next bytes up to `end`, without it, into `piece`; `false` when git
    /// has ended, which is an error unless it ended well.
    pub fn piece(&mut self, end: u8, piece: &mut Vec<u8>) -> Result<bool, GitError> {
        piece.clear();
        let read = (&mut self.stdout).take(PIECE_BYTES_MAX).read_until(end, piece);
        read.map_err(|source| GitError::Read { source })?;
        if piece.last() == Some(&end) {
            piece.pop();
            return Ok(true);
        }
        if piece.len() as u64 == PIECE_BYTES_MAX {
            return Err(unexpected(&self.command, piece));
        }
        self.finish()?;
        match piece.is_empty() {
            true => Ok(false),
            // Output that stops in the middle of a piece.
            false => Err(unexpected(&self.command, piece)),
        }
    }

    fn read_rest(&mut self, bytes: &mut Vec<u8>) -> Result<(), GitError> {
        let read = (&mut self.stdout).take(PIECE_BYTES_MAX).read_to_end(bytes);
        read.map_err(|source| GitError::Read { source })?;
        self.finish()
    }

    fn finish(&mut self) -> Result<(), GitError> {
        if self.finished {
            return Ok(());
        }
        self.finished = true;
        let status = self.child.wait().map_err(|source| GitError::Read { source })?;
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        Err(GitError::of_complaint(&self.command, status, &String::from_utf8_lossy(&complaints)))
    }

    /// An error about a piece that makes no sense.
    pub fn unexpected(&self, piece: &[u8]) -> GitError {
        unexpected(&self.command, piece)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.finished {
            // It may have ended by itself; there is nobody to tell either way.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
