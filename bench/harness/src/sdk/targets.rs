//! What the SDK's rows are to reach, and how each is judged.

use crate::outcome::{count, micros};
use crate::table::{Judged, Target};

pub const FOLD: Target = Target {
    name: "fold of small JSON events through the typed path, one core",
    target: "at least 5,000,000 events/s, or 70 % of the JSON decoder alone",
    judge: |outcome| {
        let typed = outcome.events_per_s.unwrap_or(0.0);
        let decoder = outcome.number("decoder_per_s").unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("{} events/s; the decoder alone {} /s", count(typed), count(decoder)),
            share: format!("{:.0} % of the decoder", typed / decoder * 100.0),
            raw: String::new(),
            reached: typed >= 5e6 || typed >= 0.7 * decoder,
        }
    },
};
pub const LOAD: Target = Target {
    name: "load of an aggregate of 10,000 events, one in ten of its store",
    target: "p99 under 10 ms, page cache warm",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("p50 {}, p99 {}", micros(outcome.p50_us.unwrap_or(0.0)), micros(p99)),
            share: format!("{:.2} x", p99 / 10e3),
            raw: String::new(),
            reached: p99 < 10e3,
        }
    },
};
pub const COMMANDS: Target = Target {
    name: "1,024 commands in flight on 10,000 warm aggregates",
    target: "at least 60 % of the log's single appends of the same events",
    judge: |outcome| {
        let (commands, raw) = (
            outcome.events_per_s.unwrap_or(0.0),
            outcome.number("raw_appends_per_s").unwrap_or(f64::INFINITY),
        );
        Judged {
            measured: format!(
                "{} /s, p99 {}; the log alone {} /s",
                count(commands),
                micros(outcome.p99_us.unwrap_or(0.0)),
                count(raw)
            ),
            share: format!("{:.0} % of the log", commands / raw * 100.0),
            raw: format!("{} flushes/s", count(outcome.disk.flushes_per_s)),
            reached: commands >= 0.6 * raw,
        }
    },
};

pub const SNAPSHOT: Target = Target {
    name: "load of the same aggregate from a snapshot of it in a file",
    target: "p99 under 1 ms, page cache warm",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        Judged {
            measured: format!("p50 {}, p99 {}", micros(outcome.p50_us.unwrap_or(0.0)), micros(p99)),
            share: format!("{:.2} x", p99 / 1e3),
            raw: String::new(),
            reached: p99 < 1e3,
        }
    },
};
pub const HOT: Target = Target {
    name: "one hot aggregate through a queue, 1,024 submitters",
    target: "at least 100,000 commands/s",
    judge: |outcome| {
        let commands = outcome.events_per_s.unwrap_or(0.0);
        Judged {
            measured: format!("{} /s, p99 {}", count(commands), micros(outcome.p99_us.unwrap_or(0.0))),
            share: format!("{:.2} x", commands / 100e3),
            raw: format!("{} flushes/s", count(outcome.disk.flushes_per_s)),
            reached: commands >= 100e3,
        }
    },
};
#[cfg(feature = "sqlite")]
pub const VIEW: Target = Target {
    name: "a view in SQLite catching up",
    target: "at least 50,000 events/s, rows and checkpoint in one transaction",
    judge: |outcome| {
        let events = outcome.events_per_s.unwrap_or(0.0);
        Judged {
            measured: format!("{} events/s", count(events)),
            share: format!("{:.2} x", events / 50e3),
            raw: String::new(),
            reached: events >= 50e3,
        }
    },
};
#[cfg(feature = "sqlite")]
pub const LAG: Target = Target {
    name: "the same view live, 10,000 events/s appended",
    target: "p99 under 100 ms from the receipt to the row",
    judge: |outcome| {
        let p99 = outcome.p99_us.unwrap_or(f64::INFINITY);
        let offered = outcome.number("appended_per_s").unwrap_or(0.0);
        Judged {
            measured: format!(
                "p50 {}, p99 {} at {} events/s",
                micros(outcome.p50_us.unwrap_or(0.0)),
                micros(p99),
                count(offered)
            ),
            share: format!("{:.2} x", p99 / 100e3),
            raw: String::new(),
            // Fewer events than were to be appended would flatter it.
            reached: p99 < 100e3 && offered >= 0.99 * super::view::APPENDED_PER_S,
        }
    },
};
