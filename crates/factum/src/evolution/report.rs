//! The report of a check, made to be read: what changed, and what to do.

use std::fmt;
use std::path::PathBuf;

use super::advice::{Change, Strategy};
use super::lint::Warning;

/// What has to be done before the check succeeds; prints as a list.
#[derive(Debug, Default)]
pub struct Report {
    pub(super) path: PathBuf,
    pub(super) is_new: bool,
    pub(super) findings: Vec<Finding>,
    /// By the name of the type.
    pub(super) warnings: Vec<(String, Warning)>,
    /// What has to be solved before there is anything to compare.
    pub(super) problems: Vec<String>,
}

/// One change of one version of a stored type.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Such as `AccountOpened, version 1`.
    title: String,
    pub(super) change: Change,
    /// What was and what is, with `-` and `+`.
    lines: Vec<String>,
    advice: String,
    /// The type that the advice is to keep, as Rust.
    kept: Vec<String>,
}

impl Finding {
    pub fn new(event_type: &str, version: u32, change: Change) -> Self {
        let title = format!("{event_type}, version {version}");
        Self { title, change, lines: Vec::new(), advice: change.advice().to_owned(), kept: Vec::new() }
    }

    pub fn minus(mut self, was: &str) -> Self {
        self.lines.push(format!("- {was}"));
        self
    }

    pub fn plus(mut self, is: &str) -> Self {
        self.lines.push(format!("+ {is}"));
        self
    }

    pub fn saying(mut self, why: String) -> Self {
        self.lines.push(format!("  {why}"));
        self
    }

    /// Whether it is the same change of the same sample.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.title == other.title && self.change == other.change && self.lines.first() == other.lines.first()
    }

    pub fn keeping(self, kept: Vec<String>) -> Self {
        Self { kept, ..self }
    }

    pub fn advising(self, advice: String) -> Self {
        Self { advice, ..self }
    }
}

impl Report {
    /// The changes it found, in the order of the program.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        self.findings.iter().map(|finding| finding.change)
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Whether nothing stored could become unreadable.
    pub(super) fn is_safe(&self) -> bool {
        self.problems.is_empty() && self.changes().all(|change| change.strategy() == Strategy::Accept)
    }

    /// The changes are in the file now.
    pub(super) fn accept(&mut self) {
        self.is_new = false;
        self.findings.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_new && self.findings.is_empty() && self.warnings.is_empty() && self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.is_new {
            writeln!(f, "there is no {path} yet")?;
        } else {
            writeln!(f, "the events of this program and {path}")?;
        }
        for problem in &self.problems {
            writeln!(f, "\n  {problem}")?;
        }
        let mut title = "";
        for finding in &self.findings {
            if finding.title != title {
                writeln!(f, "\n  {}", finding.title)?;
                title = &finding.title;
            }
            for line in &finding.lines {
                writeln!(f, "    {line}")?;
            }
            let strategy = finding.change.strategy();
            let word = if strategy == Strategy::Accept { "safe" } else { "UNSAFE" };
            writeln!(f, "    {word}: {}", finding.change.what())?;
            writeln!(f, "    cheapest way ({strategy}): {}", finding.advice)?;
            for line in &finding.kept {
                writeln!(f, "      {line}")?;
            }
        }
        for (event_type, Warning { lint, saw }) in &self.warnings {
            writeln!(f, "\n  {event_type}")?;
            writeln!(f, "    {lint}: {saw}")?;
            writeln!(f, "    {}; or, if it is meant so, `{}`", lint.advice(), lint.permission())?;
        }
        let is_unsafe = self.changes().any(|change| change.strategy() != Strategy::Accept);
        if is_unsafe && self.is_new {
            writeln!(f, "\n{path} is written once nothing is unsafe")?;
        } else if is_unsafe {
            writeln!(
                f,
                "\nunsafe changes are never written to {path}. If no such event was ever stored, take its entry out by hand"
            )?;
        } else if self.problems.is_empty() && (self.is_new || self.has_changes()) {
            writeln!(f, "\naccept by `FACTUM_EVENTS_LOCK=write cargo test`, and commit {path}")?;
        }
        Ok(())
    }
}
