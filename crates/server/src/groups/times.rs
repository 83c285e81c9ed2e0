//! How long a consumer took for each of the last events it answered.

use std::collections::VecDeque;
use std::time::Duration;

/// How many are remembered; as many as in KurrentDB.
const TIMES_MAX: usize = 1_000;

/// The last of them, as they came.
#[derive(Debug, Clone, Default)]
pub struct Times(VecDeque<Duration>);

impl Times {
    /// One more, for which the oldest may be forgotten.
    pub fn add(&mut self, took: Duration) {
        if self.0.len() == TIMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// All that are remembered.
    pub fn all(&self) -> Vec<Duration> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_are_remembered() {
        let mut times = Times::default();
        assert!(times.all().is_empty());
        for n in 0..1_500 {
            times.add(Duration::from_millis(n));
        }
        let all = times.all();
        assert_eq!(
            (all.len(), all[0], all[999]),
            (1_000, Duration::from_millis(500), Duration::from_millis(1_499))
        );
    }
}
