//! The few colours there are, by what they mean.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// A meaning that has a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// What the eye should find first.
    Strong,
    /// What may be skipped.
    Dim,
    /// Came to be.
    Added,
    /// Is no more.
    Removed,
    /// Is something else now.
    Changed,
    /// Went wrong.
    Error,
    /// What to do next.
    Hint,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Self::Strong => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Added => AnsiColor::Green.on_default(),
            Self::Removed => AnsiColor::Red.on_default(),
            Self::Changed => AnsiColor::Yellow.on_default(),
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Hint => AnsiColor::Cyan.on_default(),
        }
    }

    /// `text` in this colour if `colours` are welcome.
    pub fn paint(self, colours: bool, text: impl Display) -> String {
        match colours {
            true => format!("{}{text}{}", self.style().render(), self.style().render_reset()),
            false => text.to_string(),
        }
    }
}
