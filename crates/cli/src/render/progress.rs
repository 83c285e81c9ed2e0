//! A progress bar on standard error, for a person who waits.

use factum_log::verify::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a check has come; invisible unless standard error is a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over a number of bytes not known yet.
    pub fn new() -> Self {
        // indicatif draws on standard error, and only where that is a terminal.
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
        ) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So far.
    pub fn show(&self, progress: Progress) {
        self.0.set_length(progress.bytes_total);
        self.0.set_position(progress.bytes_done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
