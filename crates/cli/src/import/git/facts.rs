//! A commit as events: the shapes, and the one append that records them.
//!
//! ```text
//!   stream         event         data
//!   commits        CommitMade    commit, parents, subject, author, author_email,
//!                                committed_at, files
//!   file-<path>    FileAdded     path, mode, blob
//!   file-<path>    FileModified  path, mode, blob, previous_mode, previous_blob
//!   file-<path>    FileDeleted   path, previous_mode, previous_blob
//! ```
//!
//! - `occurred_at` is the author's time; the committer's is in `committed_at`.
//! - The correlation id is made of the commit id's first 16 bytes (UUID v8), so
//!   everything of one commit is found together. The causation id of a file
//!   event is the id of its `CommitMade`.
//! - Every event is tagged `author:<email>`.
//! - A path that is not UTF-8 stands as `path_bytes` instead of `path`, in the
//!   escaped form of [`super::path`].
//! - Event ids are made of the commit id and the path (UUID v5), so the same
//!   history always becomes the same events.

use std::borrow::Cow;

use factum_core::name::{TooManyTags, is_forbidden};
use factum_core::{
    Append, EventType, ExpectedRevision, NewEvent, Revision, StreamName, StreamWrite, Tag, Tags, Uuid,
};
use serde::{Deserialize, Serialize};

use super::history::{Change, Commit, File};
use super::object::ObjectId;
use super::path::{self, STREAM_PREFIX};

/// The stream with one event per commit.
pub const COMMITS: &str = "commits";
/// The types of events; see the module.
pub const COMMIT_MADE: &str = "CommitMade";
#[allow(missing_docs)]
pub const FILE_ADDED: &str = "FileAdded";
#[allow(missing_docs)]
pub const FILE_MODIFIED: &str = "FileModified";
#[allow(missing_docs)]
pub const FILE_DELETED: &str = "FileDeleted";

/// What event ids are made in; never change it, or repetitions are not recognised.
const IDS: Uuid = Uuid::from_u128(0x6c1d_5b0e_7f0a_5d0c_9d3e_66_61_63_74_75_6d);
/// Subjects are cut there; whole messages stay in git.
const SUBJECT_BYTES_MAX: usize = 4096;

/// Data of `CommitMade`.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommitMade<'a> {
    #[allow(missing_docs)]
    pub commit: ObjectId,
    #[allow(missing_docs)]
    #[serde(borrow)]
    pub parents: Cow<'a, [ObjectId]>,
    #[allow(missing_docs)]
    #[serde(borrow)]
    pub subject: Cow<'a, str>,
    #[allow(missing_docs)]
    #[serde(borrow)]
    pub author: Cow<'a, str>,
    #[allow(missing_docs)]
    #[serde(borrow)]
    pub author_email: Cow<'a, str>,
    /// RFC 3339; `None` if the commit has no readable time.
    pub committed_at: Option<String>,
    /// How many file events belong to it.
    pub files: u64,
}

/// Data of `FileAdded`, `FileModified` and `FileDeleted`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FileFact<'a> {
    /// The path, if it is UTF-8.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub path: Cow<'a, str>,
    /// The path escaped, if it is not.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub path_bytes: Cow<'a, str>,
    /// Octal, as git writes it.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub mode: Cow<'a, str>,
    #[allow(missing_docs)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<ObjectId>,
    #[allow(missing_docs)]
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub previous_mode: Cow<'a, str>,
    #[allow(missing_docs)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_blob: Option<ObjectId>,
}

/// The commits stream.
pub fn commits_stream() -> StreamName {
    StreamName::new(COMMITS).expect("it is a plain word")
}

/// The id of a commit's `CommitMade`.
pub fn commit_event_id(commit: &ObjectId) -> Uuid {
    Uuid::new_v5(&IDS, commit.as_bytes())
}

/// The id that all events of one commit carry.
pub fn correlation_id(commit: &ObjectId) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&commit.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Everything one commit says, as one append that puts it at `revision` of the
/// commits stream.
pub fn append_of(commit: &Commit, revision: Revision) -> Append {
    let expected = match revision.previous() {
        Some(last) => ExpectedRevision::Exact(last),
        None => ExpectedRevision::NoStream,
    };
    let common = Common::of(commit);
    let made = CommitMade {
        commit: commit.id,
        parents: Cow::Borrowed(&commit.parents),
        subject: cut(&commit.subject, SUBJECT_BYTES_MAX),
        author: cut(&commit.author, SUBJECT_BYTES_MAX),
        author_email: cut(&commit.author_email, SUBJECT_BYTES_MAX),
        committed_at: commit.committed_at.map(|time| time.to_string()),
        files: commit.changes.len() as u64,
    };
    let made_id = commit_event_id(&commit.id);
    let made = NewEvent { id: made_id, ..common.event(COMMIT_MADE, &made) };
    let mut append = Append::to(commits_stream(), expected, [made]);
    let mut name = Vec::new();
    for change in &commit.changes {
        name.clear();
        name.extend_from_slice(commit.id.as_bytes());
        name.extend_from_slice(&change.path);
        let event = NewEvent {
            id: Uuid::new_v5(&IDS, &name),
            causation_id: Some(made_id),
            ..file_event(&common, change)
        };
        append.writes.push(StreamWrite {
            stream: path::stream_of(STREAM_PREFIX, &change.path),
            expected: ExpectedRevision::Any,
            events: vec![event],
        });
    }
    append
}

fn file_event(common: &Common, change: &Change) -> NewEvent {
    let octal = |file: Option<File>| match file {
        Some(file) => Cow::Owned(format!("{:06o}", file.mode)),
        None => Cow::Borrowed(""),
    };
    let mut fact = FileFact {
        mode: octal(change.after),
        blob: change.after.map(|file| file.blob),
        previous_mode: octal(change.before),
        previous_blob: change.before.map(|file| file.blob),
        ..FileFact::default()
    };
    match std::str::from_utf8(&change.path) {
        Ok(path) => fact.path = Cow::Borrowed(path),
        Err(_) => fact.path_bytes = Cow::Owned(path::escape(&change.path)),
    }
    let event_type = match (change.before, change.after) {
        (None, _) => FILE_ADDED,
        (Some(_), Some(_)) => FILE_MODIFIED,
        (Some(_), None) => FILE_DELETED,
    };
    common.event(event_type, &fact)
}

/// What all events of one commit share.
struct Common {
    tags: Tags,
    occurred_at: Option<factum_core::Timestamp>,
    correlation_id: Uuid,
}

impl Common {
    fn of(commit: &Commit) -> Self {
        let tags = author_tag(&commit.author_email).unwrap_or_else(|_| Tags::none());
        Self { tags, occurred_at: commit.authored_at, correlation_id: correlation_id(&commit.id) }
    }

    fn event(&self, event_type: &str, data: &impl Serialize) -> NewEvent {
        let event_type = EventType::new(event_type.to_owned()).expect("the types above are plain words");
        let data = serde_json::to_vec(data).expect("texts and numbers always have a JSON form");
        NewEvent {
            tags: self.tags.clone(),
            occurred_at: self.occurred_at,
            correlation_id: Some(self.correlation_id),
            ..NewEvent::new(event_type, data)
        }
    }
}

fn author_tag(email: &str) -> Result<Tags, TooManyTags> {
    let printable: String = email.chars().filter(|character| !is_forbidden(*character)).collect();
    let text = format!("author:{printable}");
    Tags::new(Tag::new(cut(&text, Tag::BYTES_MAX).into_owned()).ok())
}

/// The text, or as much of its beginning as fits.
fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    Cow::Borrowed(&text[..text.floor_char_boundary(bytes_max)])
}
