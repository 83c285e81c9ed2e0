//! How many of something there were in the last whole second.

use std::time::Duration;

const SPAN: Duration = Duration::from_secs(1);

/// Told now and then how many there were in all.
#[derive(Debug, Default)]
pub struct Rate {
    since: Duration,
    then: u64,
    per_second: u64,
}

impl Rate {
    /// So many there were by now.
    pub fn measure(&mut self, now: Duration, count: u64) {
        let span = now.saturating_sub(self.since);
        if span >= SPAN {
            let more = count.saturating_sub(self.then) as f64;
            self.per_second = (more / span.as_secs_f64()).round() as u64;
            (self.since, self.then) = (now, count);
        }
    }

    /// So many there were in the last whole second.
    pub fn per_second(&self) -> u64 {
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_whole_seconds_and_forgets_them() {
        let mut rate = Rate::default();
        for (ms, count, expected) in
            [(200, 10, 0), (1_000, 50, 50), (1_900, 90, 50), (3_000, 150, 50), (4_000, 150, 0)]
        {
            rate.measure(Duration::from_millis(ms), count);
            assert_eq!(rate.per_second(), expected, "{ms}");
        }
    }
}
