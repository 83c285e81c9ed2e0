//! What git itself says about a commit's files: the independent answer that a
//! fold over events is compared with.

use std::collections::BTreeMap;

use super::error::GitError;
use super::history::{File, mode};
use super::object::ObjectId;
use super::program::Repository;

/// Every file of one commit, by the bytes of its path.
pub type Tree = BTreeMap<Vec<u8>, File>;

impl Repository {
    /// `git ls-tree -r` of a commit.
    pub fn tree(&self, commit: &ObjectId) -> Result<Tree, GitError> {
        let mut output = self.stream(&["ls-tree", "-r", "-z", "--full-tree", &commit.to_string()])?;
        let (mut tree, mut line) = (Tree::new(), Vec::new());
        while output.piece(0, &mut line)? {
            let (path, file) = entry(&line).ok_or_else(|| output.unexpected(&line))?;
            tree.insert(path, file);
        }
        Ok(tree)
    }
}

/// `100644 blob <id><TAB>path`.
fn entry(line: &[u8]) -> Option<(Vec<u8>, File)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = line[..tab].split(|byte| *byte == b' ');
    let mode = mode(words.next()?)?;
    let _kind = words.next()?;
    let blob = ObjectId::parse(words.next()?)?;
    Some((line[tab + 1..].to_vec(), File { mode, blob }))
}
