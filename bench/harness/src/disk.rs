//! The raw disk: what the machine itself can do, measured in the same minute
//! as the store, so that a number is never printed without its limit.
//!
//! ```text
//!   flush       pwrite 4 KiB, fdatasync, pwrite 4 KiB, fdatasync, ...   one at a time
//!   bandwidth   pwrite 1 MiB, fdatasync, pwrite 1 MiB, fdatasync, ...   one after the other
//!
//!   recycled    inside a file whose every byte was written before       the limit
//!   direct      the same past the page cache (O_DIRECT)                 context
//!   fresh       inside a file that was only allocated                   context
//! ```
//!
//! The recycled file is the strictest limit that a store can be held to
//! through ordinary writes: the file system has no extent to convert and no
//! size to journal, so a flush is the data and the device's answer. What a
//! store reaches is divided by this one. A fresh file shows what a log pays
//! that does not recycle; direct writes show what one may gain that goes past
//! the page cache, which is how a share above 1 can come about.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use serde::Serialize;
use tempfile::TempPath;

use crate::BenchError;
use crate::latency::Latency;

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;

/// Size of one write of the flush probe.
pub const FLUSH_BYTES: usize = 4 * KIB;
/// Size of one write of the bandwidth probe.
pub const SEQUENTIAL_BYTES: usize = MIB;
/// Where direct writes must begin in memory and in the file.
const ALIGNMENT: usize = 4 * KIB;

/// What one way of writing reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DiskFigures {
    /// Writes of 4 KiB, each with its flush, one at a time.
    pub flushes_per_s: f64,
    /// How long half of those took at most.
    pub flush_p50_us: f64,
    /// Writes of 1 MiB, each with its flush, one after the other.
    pub bytes_per_s: f64,
    /// How long all but one in a hundred of the flushes took.
    #[serde(skip)]
    pub flush_p99_us: f64,
    /// The same, one in a thousand.
    #[serde(skip)]
    pub flush_p999_us: f64,
}

impl DiskFigures {
    /// Of two measurements the harder limit, figure by figure.
    pub fn stricter(self, other: Self) -> Self {
        Self {
            flushes_per_s: self.flushes_per_s.max(other.flushes_per_s),
            flush_p50_us: self.flush_p50_us.min(other.flush_p50_us),
            flush_p99_us: self.flush_p99_us.min(other.flush_p99_us),
            flush_p999_us: self.flush_p999_us.min(other.flush_p999_us),
            bytes_per_s: self.bytes_per_s.max(other.bytes_per_s),
        }
    }
}

/// How long, and on how much, the disk is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeOptions {
    /// How long each of the two figures is measured.
    pub time: Duration,
    /// Size of the recycled file; whole MiB, at least 1.
    pub recycled_bytes: u64,
    /// Most that is written into a fresh file, which cannot be gone round.
    pub fresh_bytes: u64,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(1),
            recycled_bytes: 256 * MIB as u64,
            fresh_bytes: 2_048 * MIB as u64,
        }
    }
}

/// A probe of the disk under one directory. Its file goes when it is dropped.
pub struct DiskProbe {
    path: TempPath,
    recycled: File,
    options: ProbeOptions,
    buffer: AlignedBuffer,
}

impl DiskProbe {
    /// Writes the file that will be recycled, once.
    pub fn new(dir: &Path, options: ProbeOptions) -> Result<Self, BenchError> {
        let mib = MIB as u64;
        if options.recycled_bytes < mib || !options.recycled_bytes.is_multiple_of(mib) {
            let value = options.recycled_bytes.to_string();
            return Err(BenchError::Option {
                name: "recycled_bytes",
                value,
                allowed: "whole MiB, at least 1",
            });
        }
        let (recycled, path) = new_file(dir)?;
        let buffer = AlignedBuffer::new(SEQUENTIAL_BYTES);
        let doing = || BenchError::io(format!("write a probe file in {}", dir.display()));
        for offset in (0..options.recycled_bytes).step_by(SEQUENTIAL_BYTES) {
            recycled.write_all_at(buffer.bytes(SEQUENTIAL_BYTES), offset).map_err(doing())?;
        }
        recycled.sync_all().map_err(doing())?;
        Ok(Self { path, recycled, options, buffer })
    }

    /// Both figures inside the recycled file: the limit.
    pub fn recycled(&self) -> Result<DiskFigures, BenchError> {
        self.figures(&self.recycled, Some(self.options.recycled_bytes))
    }

    /// The same past the page cache; `None` where the file system has no such thing.
    pub fn direct(&self) -> Result<Option<DiskFigures>, BenchError> {
        let direct = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        match OpenOptions::new().write(true).custom_flags(direct).open(&self.path) {
            Ok(file) => self.figures(&file, Some(self.options.recycled_bytes)).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(BenchError::io("open the probe file for direct writes")(error)),
        }
    }

    /// The same inside files that were only allocated; `None` where the file
    /// system cannot allocate.
    pub fn fresh(&self) -> Result<Option<DiskFigures>, BenchError> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let (file, _path) = new_file(dir)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.options.fresh_bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => return Ok(None),
            Err(error) => return Err(BenchError::io("allocate a probe file")(error.into())),
        }
        file.sync_all().map_err(BenchError::io("flush a probe file"))?;
        self.figures(&file, None).map(Some)
    }

    /// Measures both figures from the start of `file` on. With `around`, the
    /// writes begin again at the start when they reach that size; without it
    /// they go on through the file and end when it does.
    fn figures(&self, file: &File, around: Option<u64>) -> Result<DiskFigures, BenchError> {
        let end = around.unwrap_or(self.options.fresh_bytes);
        let flushes = self.probe(file, FLUSH_BYTES, 0, end, around.is_some())?;
        let start = match around {
            Some(_) => 0,
            None => flushes.end.next_multiple_of(SEQUENTIAL_BYTES as u64),
        };
        let sequential = self.probe(file, SEQUENTIAL_BYTES, start, end, around.is_some())?;
        let flush = flushes.latency.percentiles();
        let us = |pick: fn(crate::latency::Percentiles) -> f64| flush.map_or(0.0, pick);
        Ok(DiskFigures {
            flushes_per_s: flushes.latency.count() as f64 / flushes.seconds,
            flush_p50_us: us(|flush| flush.p50_us),
            flush_p99_us: us(|flush| flush.p99_us),
            flush_p999_us: us(|flush| flush.p999_us),
            bytes_per_s: (sequential.latency.count() as usize * SEQUENTIAL_BYTES) as f64 / sequential.seconds,
        })
    }

    fn probe(
        &self,
        file: &File,
        bytes: usize,
        start: u64,
        end: u64,
        around: bool,
    ) -> Result<Probed, BenchError> {
        let mut latency = Latency::new();
        let mut offset = start;
        let begin = Instant::now();
        let mut before = begin;
        loop {
            if offset + bytes as u64 > end {
                if !around {
                    break;
                }
                offset = 0;
            }
            file.write_all_at(self.buffer.bytes(bytes), offset)
                .map_err(BenchError::io("write a probe file"))?;
            file.sync_data().map_err(BenchError::io("flush a probe file"))?;
            offset += bytes as u64;
            let after = Instant::now();
            latency.record(after - before);
            before = after;
            if after - begin >= self.options.time {
                break;
            }
        }
        if latency.count() == 0 {
            let value = end.to_string();
            return Err(BenchError::Option {
                name: "fresh_bytes",
                value,
                allowed: "large enough for one write of 1 MiB after the flush probe",
            });
        }
        Ok(Probed { latency, seconds: (before - begin).as_secs_f64(), end: offset })
    }
}

/// One series of writes.
struct Probed {
    latency: Latency,
    seconds: f64,
    /// Where the next write would have gone.
    end: u64,
}

fn new_file(dir: &Path) -> Result<(File, TempPath), BenchError> {
    let file = tempfile::Builder::new()
        .prefix("factum-disk-probe-")
        .tempfile_in(dir)
        .map_err(BenchError::io(format!("create a probe file in {}", dir.display())))?;
    Ok(file.into_parts())
}

/// Bytes that begin where direct writes want them, found by leaving out the
/// start of a larger allocation.
struct AlignedBuffer {
    all: Vec<u8>,
    start: usize,
}

impl AlignedBuffer {
    /// Neither zeros nor a short pattern, which a device might treat apart.
    fn new(bytes: usize) -> Self {
        let all: Vec<u8> =
            (0..bytes + ALIGNMENT).map(|place| (place.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        let start = all.as_ptr().align_offset(ALIGNMENT);
        Self { all, start }
    }

    fn bytes(&self, count: usize) -> &[u8] {
        &self.all[self.start..self.start + count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> ProbeOptions {
        ProbeOptions {
            time: Duration::from_millis(20),
            recycled_bytes: 2 * MIB as u64,
            fresh_bytes: 16 * MIB as u64,
        }
    }

    fn assert_plausible(figures: DiskFigures) {
        assert!(figures.flushes_per_s > 0.0, "{figures:?}");
        assert!(figures.flush_p50_us > 0.0, "{figures:?}");
        assert!(figures.flush_p50_us <= figures.flush_p99_us, "{figures:?}");
        assert!(figures.bytes_per_s > 0.0, "{figures:?}");
    }

    #[test]
    fn probes_every_way_of_writing_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let probe = DiskProbe::new(dir.path(), tiny()).unwrap();
        assert_plausible(probe.recycled().unwrap());
        probe.direct().unwrap().into_iter().for_each(assert_plausible);
        probe.fresh().unwrap().into_iter().for_each(assert_plausible);
        drop(probe);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_recycled_file_does_not_grow() {
        let dir = tempfile::tempdir().unwrap();
        let probe = DiskProbe::new(dir.path(), tiny()).unwrap();
        probe.recycled().unwrap();
        assert_eq!(probe.recycled.metadata().unwrap().len(), tiny().recycled_bytes);
    }

    #[test]
    fn the_stricter_of_two_is_taken_figure_by_figure() {
        let one = DiskFigures {
            flushes_per_s: 10.0,
            flush_p50_us: 100.0,
            flush_p99_us: 9.0,
            flush_p999_us: 9.0,
            bytes_per_s: 1.0,
        };
        let other = DiskFigures { flushes_per_s: 8.0, flush_p50_us: 90.0, bytes_per_s: 2.0, ..one };
        let stricter = one.stricter(other);
        assert_eq!((stricter.flushes_per_s, stricter.flush_p50_us, stricter.bytes_per_s), (10.0, 90.0, 2.0));
    }

    #[test]
    fn refuses_a_file_that_is_too_small_to_write_into() {
        let dir = tempfile::tempdir().unwrap();
        let refused = DiskProbe::new(dir.path(), ProbeOptions { recycled_bytes: 4_096, ..tiny() });
        assert!(matches!(refused, Err(BenchError::Option { name: "recycled_bytes", .. })));
    }
}
