//! A store of its own for one measurement, removed afterwards.

use std::path::{Path, PathBuf};

use factum_log::{Log, LogOptions};
use tempfile::TempDir;

use crate::BenchError;

/// A directory that goes when this is dropped, with room for one store.
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty one under `dir`.
    pub fn new(dir: &Path) -> Result<Self, BenchError> {
        tempfile::Builder::new()
            .prefix("factum-bench-")
            .tempdir_in(dir)
            .map(Self)
            .map_err(BenchError::io(format!("create a directory in {}", dir.display())))
    }

    /// Where the store is put.
    pub fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// Where something else is put, beside the store.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Opens the store, with the options users get when they say nothing.
    pub fn open(&self) -> Result<Log, BenchError> {
        Ok(Log::open(&self.store(), LogOptions::default())?)
    }

    /// Closes the store and opens it again, so that what follows meets files
    /// and not what the log still had in memory from writing them.
    ///
    /// A log that keeps nothing beyond the process cannot be reopened; then,
    /// and only then, it stays open.
    pub fn reopen(&self, log: Log) -> Result<Log, BenchError> {
        if log.stats().disk_bytes == 0 {
            return Ok(log);
        }
        log.close()?;
        self.open()
    }
}
