//! A repository's history as git prints it: commits, oldest first, each with
//! the files it changed.
//!
//! ```text
//!   git log --first-parent --reverse --raw -z ...
//!
//!   ┌────┬─────────┬─────────┬───────────┬──────┬───────┬─────────┐
//!   │ id │ parents │ author  │ committer │ name │ email │ subject │   each ends in NUL
//!   └────┴─────────┴─ time ──┴── time ───┴──────┴───────┴─────────┘
//!     <LF>:100644 100755 <blob> <blob> M │ path │                     no line for an
//!         :000000 100644 <0000> <blob> A │ path │ ...                 empty commit
//! ```
//!
//! A merge is told against its first parent only, so each commit's changes
//! lead exactly from the tree of the commit before to its own. Renames are a
//! deletion and an addition. Only one commit is in memory at a time.

use factum_core::Timestamp;

use super::error::GitError;
use super::object::ObjectId;
use super::program::{Output, Repository};

/// One commit on the first-parent line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// The commits it follows; the first one is the line this history walks.
    pub parents: Vec<ObjectId>,
    /// When the author says the change was made.
    pub authored_at: Option<Timestamp>,
    /// When the commit was made; may lie before its parent's.
    pub committed_at: Option<Timestamp>,
    #[allow(missing_docs)]
    pub author: String,
    #[allow(missing_docs)]
    pub author_email: String,
    /// First paragraph of the message, in one line.
    pub subject: String,
    /// What it changed against its first parent.
    pub changes: Vec<Change>,
}

/// What one commit did to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path's bytes.
    pub path: Vec<u8>,
    /// The file before; `None` if it is new.
    pub before: Option<File>,
    /// The file after; `None` if it was deleted.
    pub after: Option<File>,
}

/// A path's content and kind, as a tree names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// `100644`, `100755`, `120000` (symbolic link), `160000` (submodule); octal.
    pub mode: u32,
    /// The content's id (for a submodule, the commit it stands at).
    pub blob: ObjectId,
}

/// Most bytes of changes one commit may have; an append holds about 32 MiB, so
/// this only keeps a hopeless commit from filling the memory first.
const CHANGES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The commits of a repository, oldest first.
pub struct History {
    output: Output,
    piece: Vec<u8>,
    /// Whether `piece` was read ahead and waits to be looked at.
    ahead: bool,
}

impl Repository {
    /// The commits on the first-parent line to `head`, oldest first; with
    /// `after`, only those that follow that commit, which must be on the line.
    pub fn history(&self, head: &ObjectId, after: Option<&ObjectId>) -> Result<History, GitError> {
        let range = match after {
            Some(after) => format!("{after}..{head}"),
            None => head.to_string(),
        };
        let output = self.stream(&[
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--reverse",
            "--raw",
            "-z",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--no-color",
            "--no-notes",
            "--no-decorate",
            "--ignore-submodules=none",
            "--submodule=short",
            "-O/dev/null",
            "--encoding=UTF-8",
            "--format=%H%x00%P%x00%at%x00%ct%x00%an%x00%ae%x00%s",
            &range,
            "--",
        ])?;
        Ok(History { output, piece: Vec::new(), ahead: false })
    }

    /// How many commits on the first-parent line to `head` follow `after`;
    /// `None` if `after` is not on it. Without `after`, all of them.
    pub fn commits_since(&self, head: &ObjectId, after: Option<&ObjectId>) -> Result<Option<u64>, GitError> {
        let mut output = self.stream(&["rev-list", "--first-parent", &head.to_string(), "--"])?;
        let (mut count, mut line) = (0, Vec::new());
        while output.piece(b'\n', &mut line)? {
            let id = ObjectId::parse(&line).ok_or_else(|| output.unexpected(&line))?;
            if Some(&id) == after {
                return Ok(Some(count));
            }
            count += 1;
        }
        Ok(if after.is_none() { Some(count) } else { None })
    }
}

impl History {
    /// Reads the next piece, or the one read ahead, into `self.piece`.
    fn next_piece(&mut self) -> Result<bool, GitError> {
        if std::mem::take(&mut self.ahead) {
            return Ok(true);
        }
        self.output.piece(0, &mut self.piece)
    }

    fn field(&mut self) -> Result<&[u8], GitError> {
        if !self.next_piece()? {
            return Err(self.output.unexpected(b"the end, in the middle of a commit"));
        }
        Ok(&self.piece)
    }

    fn commit(&mut self) -> Result<Option<Commit>, GitError> {
        // Some versions separate commits by an additional NUL.
        loop {
            if !self.next_piece()? {
                return Ok(None);
            }
            if !self.piece.is_empty() {
                break;
            }
        }
        let id = ObjectId::parse(&self.piece).ok_or_else(|| self.output.unexpected(&self.piece))?;
        let parents = self.field()?.split(|byte| *byte == b' ').filter(|id| !id.is_empty());
        let parents = parents.map(ObjectId::parse).collect::<Option<Vec<_>>>();
        let parents = parents.ok_or_else(|| self.output.unexpected(&self.piece))?;
        let mut commit = Commit {
            id,
            parents,
            authored_at: seconds(self.field()?),
            committed_at: seconds(self.field()?),
            author: text(self.field()?),
            author_email: text(self.field()?),
            subject: text(self.field()?),
            changes: Vec::new(),
        };
        let mut bytes = 0;
        while self.next_piece()? {
            let piece = self.piece.strip_prefix(b"\n").unwrap_or(&self.piece);
            let Some(piece) = piece.strip_prefix(b":") else {
                self.ahead = true;
                break;
            };
            let (before, after) = change(piece).ok_or_else(|| self.output.unexpected(&self.piece))?;
            let path = self.field()?.to_vec();
            bytes += path.len() + size_of::<Change>();
            if bytes > CHANGES_BYTES_MAX {
                let what = format!("more than {} changes in commit {id}", commit.changes.len());
                return Err(self.output.unexpected(what.as_bytes()));
            }
            commit.changes.push(Change { path, before, after });
        }
        Ok(Some(commit))
    }
}

impl Iterator for History {
    type Item = Result<Commit, GitError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.commit().transpose()
    }
}

/// `100644 100755 <blob> <blob> M`: the file before and after.
fn change(line: &[u8]) -> Option<(Option<File>, Option<File>)> {
    let mut words = line.split(|byte| *byte == b' ');
    let modes = (mode(words.next()?)?, mode(words.next()?)?);
    let blobs = (ObjectId::parse(words.next()?)?, ObjectId::parse(words.next()?)?);
    let (before, after) = (File { mode: modes.0, blob: blobs.0 }, File { mode: modes.1, blob: blobs.1 });
    match words.next()? {
        b"A" => Some((None, Some(after))),
        b"D" => Some((Some(before), None)),
        // T: the kind changed, e.g. from a file to a symbolic link.
        b"M" | b"T" => Some((Some(before), Some(after))),
        _ => None,
    }
}

/// An octal mode such as `100644`.
pub fn mode(octal: &[u8]) -> Option<u32> {
    let plain = !octal.is_empty() && octal.len() <= 7 && octal.iter().all(u8::is_ascii_digit);
    plain.then(|| u32::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok())?
}

/// A broken commit may have no time, or one no calendar has.
fn seconds(digits: &[u8]) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(std::str::from_utf8(digits).ok()?.parse().ok()?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
