//! What one way came to, as a line of a table.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// Counted over all buyers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub sold: u64,
    pub sold_out: u64,
    /// Commands carried out or rejected.
    pub commands: u64,
    /// How often those that were carried out were decided.
    pub attempts: u64,
    /// Commands that were carried out.
    pub carried_out: u64,
}

impl Tally {
    pub fn carried_out(&mut self, attempts: u32) {
        self.commands += 1;
        self.carried_out += 1;
        self.attempts += u64::from(attempts);
    }

    pub fn rejected(&mut self) {
        self.commands += 1;
    }

    /// Decisions that were made in vain because another was faster.
    pub fn conflicts(&self) -> u64 {
        self.attempts - self.carried_out
    }

    pub fn and(mut self, other: Self) -> Self {
        self.sold += other.sold;
        self.sold_out += other.sold_out;
        self.commands += other.commands;
        self.attempts += other.attempts;
        self.carried_out += other.carried_out;
        self
    }
}

/// One way, with its time.
pub struct Report {
    name: &'static str,
    pub tally: Tally,
    took: Duration,
}

impl Report {
    pub const HEADING: &'static str =
        "way                sold   sold out   conflicts   attempts/command   commands/s";

    pub fn of(
        name: &'static str,
        way: impl FnOnce() -> Result<Tally, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let begun = Instant::now();
        let tally = way()?;
        Ok(Self { name, tally, took: begun.elapsed() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { sold, sold_out, commands, attempts, carried_out } = self.tally;
        let per_command = attempts as f64 / carried_out.max(1) as f64;
        let per_second = commands as f64 / self.took.as_secs_f64();
        let (name, conflicts) = (self.name, self.tally.conflicts());
        write!(f, "{name:14} {sold:>8} {sold_out:>10} {conflicts:>11} {per_command:>18.2} {per_second:>12.0}")
    }
}
