//! The four forms every answer comes in.

use std::ffi::OsString;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Lines and tables for people.
    #[default]
    Text,
    /// One JSON document: an object, or an array of them.
    Json,
    /// One JSON object per line, written as it is found.
    Ndjson,
    /// A header line, then a line per row; nested values as JSON.
    Csv,
}

impl Format {
    /// Whether errors are for programs, too.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

/// The format of a command line that may not be understood as a whole, so that
/// the complaint about it comes in the form that was asked for.
pub fn asked_for(arguments: &[OsString]) -> Format {
    let mut asked = Format::Text;
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy()).peekable();
    while let Some(word) = words.next() {
        let value = match word.as_ref() {
            "--" => break,
            "--format" => words.peek().map(|value| value.to_string()),
            other => other.strip_prefix("--format=").map(str::to_owned),
        };
        match value.as_deref() {
            Some("json") => asked = Format::Json,
            Some("ndjson") => asked = Format::Ndjson,
            Some("csv") => asked = Format::Csv,
            Some(_) => asked = Format::Text,
            None => {}
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_in_a_line_that_makes_no_sense() {
        let rows: &[(&[&str], Format)] = &[
            (&["factum", "--format", "json", "--nonsense"], Format::Json),
            (&["factum", "nonsense", "--format=ndjson"], Format::Ndjson),
            (&["factum", "--format"], Format::Text),
            (&["factum", "--format", "xml"], Format::Text),
            (&["factum", "--", "--format=json"], Format::Text),
        ];
        for (line, format) in rows {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            assert_eq!(asked_for(&line), *format, "{line:?}");
        }
    }
}
