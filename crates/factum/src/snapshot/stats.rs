//! What became of snapshots, as numbers.

use std::time::Duration;

use parking_lot::Mutex;

/// Why a snapshot was not used. It is removed, and the state folded from the
/// events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discarded {
    /// Its bytes are not what was written.
    Corrupt,
    /// It was folded by other rules, or the state has other fields now.
    Outdated,
    /// It is of another model or boundary, or in a format unknown here.
    Foreign,
    /// The last event it covers is not in this log at that place: the log was
    /// restored from an older copy, or is another one.
    NotThisLog,
}

/// What became of the snapshots of one model, since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotStats {
    /// The model's name.
    pub model: &'static str,
    /// How many were taken.
    pub taken: u64,
    /// How many could not be taken or saved.
    pub failed: u64,
    /// How many were due and left out, because too many were being taken.
    pub skipped: u64,
    /// How many were loaded.
    pub loaded: u64,
    /// How many loads found none they could use.
    pub missed: u64,
    /// Discarded as [`Discarded::Corrupt`].
    pub corrupt: u64,
    /// Discarded as [`Discarded::Outdated`].
    pub outdated: u64,
    /// Discarded as [`Discarded::Foreign`].
    pub foreign: u64,
    /// Discarded as [`Discarded::NotThisLog`].
    pub not_this_log: u64,
    /// How often the snapshot store could not be read, or the log that has to
    /// vouch for a snapshot; which stays, then.
    pub unread: u64,
    /// Bytes of all that were taken, compressed.
    pub bytes: u64,
    /// Bytes of the newest, compressed.
    pub bytes_newest: u64,
    /// How long taking them took together.
    pub creation_time: Duration,
    /// The longest.
    pub creation_time_max: Duration,
    /// How many were taken within each of [`SnapshotStats::WITHIN`], and how
    /// many took longer than all of them.
    pub created_within: [u64; 5],
    /// Events since the newest snapshot, of the instance looked at last.
    pub lag: u64,
}

impl SnapshotStats {
    /// The bounds of [`SnapshotStats::created_within`].
    pub const WITHIN: [Duration; 4] = [
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];

    /// How many were discarded, whatever the reason.
    pub fn discarded(&self) -> u64 {
        self.corrupt + self.outdated + self.foreign + self.not_this_log
    }
}

/// Counts.
#[derive(Debug, Default)]
pub struct Meter(Mutex<SnapshotStats>);

impl Meter {
    pub fn of(model: &'static str) -> Self {
        Self(Mutex::new(SnapshotStats { model, ..SnapshotStats::default() }))
    }

    pub fn stats(&self) -> SnapshotStats {
        *self.0.lock()
    }

    pub fn count(&self, note: impl FnOnce(&mut SnapshotStats)) {
        note(&mut self.0.lock());
    }

    pub fn discarded(&self, why: Discarded) {
        self.count(|stats| match why {
            Discarded::Corrupt => stats.corrupt += 1,
            Discarded::Outdated => stats.outdated += 1,
            Discarded::Foreign => stats.foreign += 1,
            Discarded::NotThisLog => stats.not_this_log += 1,
        });
    }

    pub fn taken(&self, bytes: u64, time: Duration) {
        self.count(|stats| {
            stats.taken += 1;
            stats.bytes += bytes;
            stats.bytes_newest = bytes;
            stats.creation_time += time;
            stats.creation_time_max = stats.creation_time_max.max(time);
            let within = SnapshotStats::WITHIN.iter().position(|bound| time <= *bound);
            stats.created_within[within.unwrap_or(SnapshotStats::WITHIN.len())] += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creation_times_are_sorted_into_their_bounds() {
        let meter = Meter::of("Balance");
        for millis in [0, 1, 2, 10, 99, 1_000, 1_001, 60_000] {
            meter.taken(10, Duration::from_millis(millis));
        }
        let stats = meter.stats();
        assert_eq!(stats.created_within, [2, 2, 1, 1, 2]);
        assert_eq!((stats.taken, stats.bytes, stats.bytes_newest), (8, 80, 10));
        assert_eq!(stats.creation_time_max, Duration::from_secs(60));
        assert_eq!(stats.creation_time, Duration::from_millis(62_113));
    }
}
