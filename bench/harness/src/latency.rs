//! How long things took, as a distribution.
//!
//! Kept in nanoseconds with three significant digits (an error under 0.1 %),
//! told in microseconds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Durations seen so far.
#[derive(Clone)]
pub struct Latency(Histogram<u64>);

/// The three figures that are told of a distribution, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half were at most this.
    pub p50_us: f64,
    /// All but one in a hundred.
    pub p99_us: f64,
    /// All but one in a thousand.
    pub p999_us: f64,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// The longest duration that is told apart; a longer one counts as this.
    const MAX: Duration = Duration::from_secs(3_600);

    /// None yet.
    pub fn new() -> Self {
        let max = Self::MAX.as_nanos() as u64;
        Self(
            Histogram::new_with_bounds(1, max, 3)
                .expect("the bounds are in order and three digits are allowed"),
        )
    }

    /// One more.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Also those of another.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// At which duration this share of them, 0 to 1, had ended, in microseconds.
    pub fn at_us(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }

    /// The three figures; `None` if nothing was recorded.
    pub fn percentiles(&self) -> Option<Percentiles> {
        (self.count() > 0).then(|| Percentiles {
            p50_us: self.at_us(0.5),
            p99_us: self.at_us(0.99),
            p999_us: self.at_us(0.999),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_percentiles_in_microseconds() {
        let mut latency = Latency::new();
        for micros in 1..=1_000 {
            latency.record(Duration::from_micros(micros));
        }
        let told = latency.percentiles().unwrap();
        assert!((told.p50_us - 500.0).abs() < 1.0, "{told:?}");
        assert!((told.p99_us - 990.0).abs() < 2.0, "{told:?}");
        assert!((told.p999_us - 999.0).abs() < 2.0, "{told:?}");
        assert_eq!(Latency::new().percentiles(), None);
    }

    #[test]
    fn joins_those_of_two_threads() {
        let (mut one, mut other) = (Latency::new(), Latency::new());
        one.record(Duration::from_micros(1));
        other.record(Duration::from_micros(9));
        one.add(&other);
        assert_eq!(one.count(), 2);
        assert!((one.max_us() - 9.0).abs() < 0.1);
    }
}
