//! Every word and colour a person sees.
//!
//! What is stored was written by others: before it reaches a terminal, control
//! characters, line separators and direction overrides in it are escaped, in
//! text as `\u{1b}` and in JSON as `\u001b`, so that nothing stored can move
//! the cursor, forge a line or hide a part of itself.

pub mod change;
pub mod event;
pub mod failure;
pub mod ink;
pub mod json;
pub mod progress;
pub mod rows;
pub mod table;
pub mod text;

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::format::Format;
use ink::Ink;

/// Where a verb's answer goes. Buffered: standard output is locked once.
pub struct Out {
    writer: Box<dyn Write>,
    /// The form of the answer.
    pub format: Format,
    /// Whether colours are welcome.
    colours: bool,
    /// The terminal's columns; `None` where lines may be as long as they are.
    pub columns: Option<usize>,
}

impl Out {
    /// Standard output.
    pub fn stdout(format: Format) -> Self {
        let stdout = io::stdout();
        let on_terminal = stdout.is_terminal();
        let columns = terminal_size::terminal_size().filter(|_| on_terminal);
        Self {
            colours: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            columns: columns.map(|(width, _)| usize::from(width.0).max(20)),
            writer: Box::new(BufWriter::with_capacity(1 << 16, stdout.lock())),
            format,
        }
    }

    /// A page in memory, without colours and of any width.
    #[cfg(test)]
    pub fn to(writer: impl Write + 'static, format: Format) -> Self {
        Self { writer: Box::new(writer), format, colours: false, columns: None }
    }

    /// `text` in a colour, where colours are welcome.
    pub fn paint(&self, ink: Ink, text: impl std::fmt::Display) -> String {
        ink.paint(self.colours, text)
    }

    /// `line` cut to what is left of the terminal's width after `used` columns.
    pub fn fit(&self, line: String, used: usize) -> String {
        match self.columns {
            Some(columns) => text::cut(line, columns.saturating_sub(used).max(8)),
            None => line,
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
