//! The live files, folded from events: the projection the demo shows.

use std::collections::HashMap;

use factum_core::RecordedEvent;

use crate::import::git::facts::{FILE_ADDED, FILE_DELETED, FILE_MODIFIED, FileFact};
use crate::import::git::history::{File, mode};
use crate::import::git::path::{STREAM_PREFIX, unescape};
use crate::import::git::tree::Tree;

/// Every file that is there, by the bytes of its path.
#[derive(Debug, Default)]
pub struct LiveFiles {
    files: HashMap<Vec<u8>, Live>,
}

#[derive(Debug, Clone, Copy)]
struct Live {
    file: File,
    /// How often it changed since it is there.
    changes: u32,
}

/// A file event whose data says something no import wrote.
#[derive(Debug, thiserror::Error)]
#[error("the event at position {position} in stream {stream:?} is no {event_type} that an import wrote")]
pub struct FoldError {
    position: u64,
    stream: String,
    event_type: String,
}

/// A path on which two trees disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    #[allow(missing_docs)]
    pub path: Vec<u8>,
    /// What git has there.
    pub git: Option<File>,
    /// What the fold has there.
    pub folded: Option<File>,
}

impl LiveFiles {
    /// The files after one more event; events of other streams change nothing.
    pub fn apply(&mut self, event: &RecordedEvent) -> Result<(), FoldError> {
        let event_type = event.event_type.as_str();
        if !event.stream.as_str().starts_with(STREAM_PREFIX)
            || ![FILE_ADDED, FILE_MODIFIED, FILE_DELETED].contains(&event_type)
        {
            return Ok(());
        }
        let fact = serde_json::from_slice::<FileFact>(&event.data).ok();
        let (path, file) = fact.and_then(read).ok_or_else(|| FoldError {
            position: event.position.get(),
            stream: event.stream.to_string(),
            event_type: event_type.to_owned(),
        })?;
        match file {
            Some(file) => {
                let live = self.files.entry(path).or_insert(Live { file, changes: 0 });
                live.file = file;
                live.changes = live.changes.saturating_add(1);
            }
            None => {
                self.files.remove(&path);
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The path that changed most often.
    pub fn busiest(&self) -> Option<&[u8]> {
        let busiest = self.files.iter().max_by(|a, b| a.1.changes.cmp(&b.1.changes).then(b.0.cmp(a.0)));
        busiest.map(|(path, _)| path.as_slice())
    }

    /// Where they differ from what git says, by path.
    pub fn differences(&self, tree: &Tree) -> Vec<Difference> {
        let mut found: Vec<_> = tree
            .iter()
            .map(|(path, file)| (path, Some(*file), self.files.get(path).map(|live| live.file)))
            .filter(|(_, git, folded)| git != folded)
            .map(|(path, git, folded)| Difference { path: path.clone(), git, folded })
            .collect();
        let extra = self.files.iter().filter(|(path, _)| !tree.contains_key(*path));
        found.extend(extra.map(|(path, live)| Difference {
            path: path.clone(),
            git: None,
            folded: Some(live.file),
        }));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

/// The path, and the file that is there now.
fn read(fact: FileFact) -> Option<(Vec<u8>, Option<File>)> {
    let path = match fact.path.is_empty() {
        false => fact.path.into_owned().into_bytes(),
        true => unescape(&fact.path_bytes).filter(|path| !path.is_empty())?,
    };
    let file = match fact.blob {
        Some(blob) => Some(File { mode: mode(fact.mode.as_bytes())?, blob }),
        None => None,
    };
    Some((path, file))
}
