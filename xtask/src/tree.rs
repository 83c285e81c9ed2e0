//! The files of the repository: what git tracks, or would if it were added.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::problem::ToolError;

/// All files, by path from the root with `/` between the parts.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<File>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// From the root.
    pub path: String,
    /// Its text; `None` if it is not text.
    pub text: Option<String>,
}

impl Tree {
    /// Reads the repository this program was built in.
    pub fn read() -> Result<Self, ToolError> {
        let root = root();
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git")
            .args(arguments)
            .current_dir(&root)
            .output()
            .map_err(ToolError::io("run git"))?;
        if !listed.status.success() {
            return Err(ToolError::Program { command: format!("git {}", arguments.join(" ")) });
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            let bytes = match std::fs::read(root.join(path)) {
                Ok(bytes) => bytes,
                // Removed but not yet committed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(ToolError::io(format!("read {path}"))(error)),
            };
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            files.push(File { path: path.to_owned(), text });
        }
        Ok(Self { files })
    }

    /// From texts, for tests.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: Some((*text).into()) };
        Self { files: files.iter().map(file).collect() }
    }

    /// Every file that is text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// Every text whose name ends so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts().filter(move |(path, _)| path.ends_with(end))
    }

    /// One text; empty if it is not there, which the checks then complain about.
    pub fn text(&self, path: &str) -> &str {
        self.texts().find(|(found, _)| *found == path).map_or("", |(_, text)| text)
    }

    /// Whether a file or a folder has this path.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let is_inside = |file: &File| file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path.is_empty() || self.files.iter().any(|file| file.path == path || is_inside(file))
    }
}

/// Whether a Rust file is there for tests alone.
pub fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
