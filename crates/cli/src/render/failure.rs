//! Failures, and warnings of what fails beside the verb, on standard error.
//!
//! ```text
//! error: the store cannot be opened
//!   cannot open log/0000000001.seg
//!   Permission denied (os error 13)
//! hint: ...
//! ```

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::ink::Ink;
use super::{json, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;

#[derive(Serialize)]
struct Report<'a> {
    error: String,
    kind: &'static str,
    exit_code: u8,
    hints: &'a [String],
}

#[cfg(feature = "serve")]
#[derive(Serialize)]
struct Warning {
    warning: String,
}

/// Says what failed though the verb goes on: the error and its sources.
#[cfg(feature = "serve")]
pub fn warn(failure: &Failure, format: Format) {
    let mut message = Vec::new();
    let chain = failure.chain();
    let written = match format.is_json() {
        true => json(&mut message, &Warning { warning: chain.join(": ") }),
        false => people(&mut message, "warning:", &chain, &[], colours()),
    };
    if written.is_ok() {
        let _ = std::io::stderr().write_all(&message);
    }
}

/// Says why a verb failed, and how the program ends.
pub fn report(failure: &Failure, format: Format) -> Exit {
    if failure.is_silent() {
        return failure.code;
    }
    let mut message = Vec::new();
    let chain = failure.chain();
    let written = match format.is_json() {
        true => json(&mut message, &Report::of(failure.code, chain.join(": "), &failure.hints)),
        false => people(&mut message, "error:", &chain, &failure.hints, colours()),
    };
    if written.is_ok() {
        // With standard error gone too, only the code is left to speak.
        let _ = std::io::stderr().write_all(&message);
    }
    failure.code
}

/// Says what is wrong with a command line; shows help and version, which come
/// this way too.
pub fn report_usage(error: &clap::Error, format: Format) -> Exit {
    if error.use_stderr() && format.is_json() {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let mut message = Vec::new();
        if json(&mut message, &Report::of(Exit::Usage, text.to_owned(), &[])).is_ok() {
            let _ = std::io::stderr().write_all(&message);
        }
    } else {
        // A closed pipe must not turn help into a failure.
        let _ = error.print();
    }
    if error.use_stderr() { Exit::Usage } else { Exit::Success }
}

fn colours() -> bool {
    let stderr = std::io::stderr();
    stderr.is_terminal() && anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never
}

impl<'a> Report<'a> {
    fn of(code: Exit, error: String, hints: &'a [String]) -> Self {
        Self { error, kind: code.name(), exit_code: code.code(), hints }
    }
}

fn json(to: &mut Vec<u8>, said: &impl Serialize) -> std::io::Result<()> {
    json::write(to, said)?;
    to.write_all(b"\n")
}

fn people(
    to: &mut Vec<u8>,
    what: &str,
    chain: &[String],
    hints: &[String],
    colours: bool,
) -> std::io::Result<()> {
    let mut lines = chain.iter().map(|line| text::escape(line));
    writeln!(to, "{} {}", Ink::Error.paint(colours, what), lines.next().unwrap_or_default())?;
    for line in lines {
        writeln!(to, "  {line}")?;
    }
    for hint in hints {
        writeln!(to, "{} {}", Ink::Hint.paint(colours, "hint:"), text::escape(hint))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_each_cause_once_and_hints_last() {
        #[derive(Debug, thiserror::Error)]
        #[error("the disk said no: {0}")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::new(Exit::Failure, Outer(std::io::Error::other("quota\x1b[2J"))).hint("wait");
        let mut message = Vec::new();
        people(&mut message, "error:", &failure.chain(), &failure.hints, false).unwrap();
        assert_eq!(
            String::from_utf8(message).unwrap(),
            "error: the disk said no: quota\\u{1b}[2J\nhint: wait\n"
        );
    }
}
