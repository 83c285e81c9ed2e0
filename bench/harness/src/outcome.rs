//! What a workload comes to: one object, told to programs as JSON and to
//! people as a few lines.
//!
//! The JSON begins with these keys, in this order, in every workload; a
//! figure that a workload does not have is null. Further keys may follow and
//! may change.
//!
//! ```text
//!   workload, events_per_s, bytes_per_s, p50_us, p99_us, p999_us,
//!   disk { flushes_per_s, flush_p50_us, bytes_per_s },
//!   share, durability, machine, commit
//! ```
//!
//! `bytes_per_s` counts bytes of event data alone: no names, tags, ids,
//! framing, checksums or padding. What `share` is, and what the three
//! latencies are of, depends on the workload; `share_of` and `latency_of` say
//! so in every object:
//!
//! | workload | share | latency |
//! |---|---|---|
//! | `append`, one caller, one event | raw flush p50 / p50 | one append |
//! | `append`, many callers, one event | appends/s / raw flushes/s: a multiple | one append |
//! | `append`, many events | bytes/s / raw bytes/s | one append |
//! | `subscribe` | appends/s / raw flushes/s: a multiple | commit to delivered |
//! | `replay` | null | one pass over everything |
//! | `read` | null | one fold of the long stream |
//! | `reopen` | null | open, append one event, read it |
//! | `disk` | null | one raw write and flush of 4 KiB |

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::disk::DiskFigures;
use crate::latency::Percentiles;

/// The result of one workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub workload: String,
    /// Events a second.
    pub events_per_s: Option<f64>,
    /// Bytes of their data a second.
    pub bytes_per_s: Option<f64>,
    #[allow(missing_docs)]
    pub p50_us: Option<f64>,
    #[allow(missing_docs)]
    pub p99_us: Option<f64>,
    #[allow(missing_docs)]
    pub p999_us: Option<f64>,
    /// The raw disk in the same minute.
    pub disk: DiskFigures,
    /// The share of the raw disk's figure; see [the module](self).
    pub share: Option<f64>,
    /// The weakest durability any receipt named.
    pub durability: String,
    /// Where it was measured.
    pub machine: String,
    /// What was measured.
    pub commit: String,
    /// Further figures.
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// What was done, in a line.
    #[serde(skip)]
    pub title: String,
    /// For people: a label and a text.
    #[serde(skip)]
    pub lines: Vec<(&'static str, String)>,
}

impl Outcome {
    /// Sets the three latencies.
    pub(crate) fn with_latency(mut self, percentiles: Option<Percentiles>) -> Self {
        self.p50_us = percentiles.map(|told| told.p50_us);
        self.p99_us = percentiles.map(|told| told.p99_us);
        self.p999_us = percentiles.map(|told| told.p999_us);
        self
    }

    /// Adds a further figure.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a line for people.
    pub(crate) fn line(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.lines.push((label, text.into()));
        self
    }

    /// A further figure, as a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.more.get(key)?.as_f64()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.workload, self.title)?;
        for (label, text) in &self.lines {
            writeln!(f, "  {label:<12} {text}")?;
        }
        let disk = &self.disk;
        writeln!(
            f,
            "  {:<12} {} flushes/s of 4 KiB, p50 {}; {} in flushed writes of 1 MiB",
            "raw disk",
            count(disk.flushes_per_s),
            micros(disk.flush_p50_us),
            rate(disk.bytes_per_s)
        )?;
        writeln!(f, "  {:<12} {}", "durability", self.durability)?;
        if let Some(peak) = self.number("memory_peak_bytes") {
            writeln!(f, "  {:<12} peak {}", "memory", bytes(peak))?;
        }
        writeln!(f, "  {:<12} {}; commit {}", "machine", self.machine, self.commit)
    }
}

/// A duration in the unit a person would choose.
pub fn micros(us: f64) -> String {
    match us {
        us if us < 10.0 => format!("{us:.1} us"),
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 100_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A count with its thousands apart.
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut told = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// Bytes, in decimal units.
pub fn bytes(number: f64) -> String {
    match number {
        number if number < 1e6 => format!("{:.0} kB", number / 1e3),
        number if number < 1e9 => format!("{:.0} MB", number / 1e6),
        number => format!("{:.2} GB", number / 1e9),
    }
}

/// Bytes a second.
pub fn rate(number: f64) -> String {
    format!("{}/s", bytes(number))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Outcome {
        Outcome {
            workload: "append".into(),
            events_per_s: Some(250_000.0),
            bytes_per_s: Some(87_500_000.0),
            p50_us: Some(210.5),
            p99_us: Some(600.0),
            p999_us: None,
            disk: DiskFigures {
                flushes_per_s: 8_000.0,
                flush_p50_us: 120.0,
                flush_p99_us: 250.0,
                flush_p999_us: 900.0,
                bytes_per_s: 1.4e9,
            },
            share: Some(31.25),
            durability: "disk".into(),
            machine: "a machine".into(),
            commit: "0000000".into(),
            more: Map::new(),
            title: "64 callers".into(),
            lines: Vec::new(),
        }
        .with("callers", 64)
        .line("events", "250,000 /s")
    }

    #[test]
    fn json_begins_with_the_stable_keys_in_their_order() {
        let json = serde_json::to_string(&example()).unwrap();
        assert_eq!(
            json,
            r#"{"workload":"append","events_per_s":250000.0,"bytes_per_s":87500000.0,"p50_us":210.5,"p99_us":600.0,"p999_us":null,"disk":{"flushes_per_s":8000.0,"flush_p50_us":120.0,"bytes_per_s":1400000000.0},"share":31.25,"durability":"disk","machine":"a machine","commit":"0000000","callers":64}"#
        );
    }

    #[test]
    fn people_read_the_limit_beside_the_figure() {
        let text = example().to_string();
        assert!(text.starts_with("append: 64 callers\n"), "{text}");
        assert!(text.contains("8,000 flushes/s of 4 KiB, p50 120 us; 1.40 GB/s"), "{text}");
    }

    #[test]
    fn numbers_are_told_in_fitting_units() {
        assert_eq!(
            [9.84, 120.4, 5_010.0, 250_000.0, 2e6].map(micros).join(" "),
            "9.8 us 120 us 5.01 ms 250 ms 2.00 s"
        );
        assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.0].map(count).join(" "), "0 999 1,000 1,234,567");
        assert_eq!([1_500.0, 2.5e6, 4e9].map(bytes).join(" "), "2 kB 2 MB 4.00 GB");
    }
}
