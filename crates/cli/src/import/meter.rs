//! How far a long piece of work has come, shown while it runs: a bar with rate
//! and remaining time on a terminal, a plain line every few seconds elsewhere.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Who is told how far the work has come.
pub trait Meter {
    /// A piece of work begins; `total` counts `unit`s, if it is known.
    fn begin(&mut self, what: &'static str, unit: Unit, total: Option<u64>);
    /// So many units and events are done.
    fn at(&mut self, done: u64, events: u64);
    /// It has ended, well or not.
    fn end(&mut self);
}

/// What a piece of work is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    #[allow(missing_docs)]
    Commits,
    #[allow(missing_docs)]
    Bytes,
    #[allow(missing_docs)]
    Checks,
    /// Positions of the log.
    #[cfg(feature = "sqlite")]
    Positions,
}

/// Tells nobody.
#[cfg(test)]
pub struct Silent;

#[cfg(test)]
impl Meter for Silent {
    fn begin(&mut self, _: &'static str, _: Unit, _: Option<u64>) {}
    fn at(&mut self, _: u64, _: u64) {}
    fn end(&mut self) {}
}

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often the bar's numbers change.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Tells standard error.
pub struct Stderr {
    bar: ProgressBar,
    terminal: bool,
    what: &'static str,
    unit: Unit,
    total: Option<u64>,
    began: Instant,
    told: Instant,
    first: Option<(u64, u64)>,
}

impl Stderr {
    /// A meter for this process.
    pub fn new() -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let now = Instant::now();
        Self {
            bar: ProgressBar::hidden(),
            terminal,
            what: "",
            unit: Unit::Commits,
            total: None,
            began: now,
            told: now,
            first: None,
        }
    }

    fn count(&self, n: u64) -> String {
        match self.unit {
            Unit::Commits => format!("{} commits", HumanCount(n)),
            Unit::Checks => format!("{} checks", HumanCount(n)),
            #[cfg(feature = "sqlite")]
            Unit::Positions => format!("{} positions", HumanCount(n)),
            Unit::Bytes => indicatif::HumanBytes(n).to_string(),
        }
    }
}

impl Meter for Stderr {
    fn begin(&mut self, what: &'static str, unit: Unit, total: Option<u64>) {
        (self.what, self.unit, self.total) = (what, unit, total);
        self.began = Instant::now();
        self.told = self.began;
        self.first = None;
        if !self.terminal {
            return;
        }
        let place = if unit == Unit::Bytes { "{bytes} of {total_bytes}" } else { "{pos} of {len}" };
        let template = match total {
            Some(_) => format!("{{prefix}} {{bar:24}} {{percent:>3}} %  {place}  {{msg}}  {{eta}} left"),
            None => "{prefix} {spinner} {msg}  {elapsed}".to_owned(),
        };
        let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
        let style = if crate::demo::picture::speaks_unicode() {
            style.progress_chars("█▉▊▋▌▍▎▏ ")
        } else {
            style.progress_chars("=> ").tick_chars("-\\|/ ")
        };
        self.bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        self.bar.set_style(style);
        self.bar.set_prefix(what);
    }

    fn at(&mut self, done: u64, events: u64) {
        let now = Instant::now();
        // What a repeated import skips says nothing about how fast it is.
        let (first_done, first_events) = *self.first.get_or_insert((done, events));
        let every = if self.terminal { BAR_EVERY } else { LINE_EVERY };
        if now.duration_since(self.told) < every {
            return;
        }
        self.told = now;
        let seconds = now.duration_since(self.began).as_secs_f64().max(0.001);
        let rate = (events.saturating_sub(first_events)) as f64 / seconds;
        let rate = format!("{} events  {}/s", HumanCount(events), HumanCount(rate as u64));
        if self.terminal {
            self.bar.set_message(rate);
            self.bar.set_position(done);
            return;
        }
        let (what, done_text) = (self.what, self.count(done));
        let Some(total) = self.total else {
            eprintln!("{what}: {done_text}, {rate}");
            return;
        };
        let left =
            total.saturating_sub(done) as f64 * seconds / done.saturating_sub(first_done).max(1) as f64;
        let left = HumanDuration(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX));
        eprintln!("{what}: {done_text} of {}, {rate}, {left} left", self.count(total));
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}
