//! What a failed test says: everything needed to see why, in regions.
//!
//! ```text
//!   what went wrong
//!
//!   given                      every seeded event, by position
//!   selected                   which of them the model's boundary reads
//!   seeded but not selected    the others, and what each would need to be read
//!   expected                   ≠ marks events that are not alike
//!   actual                     and below each, where they differ
//! ```

use std::error::Error;
use std::fmt::{self, Write as _};

use factum_core::{QueryItem, Selection};

use super::fact::Fact;
use crate::boundary::Boundary;
use crate::{Model, boundary};

/// A failure text that is being put together.
pub struct Report(String);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl Report {
    /// One line that says what went wrong.
    pub fn about(title: &str) -> Self {
        Self(format!("{title}\n\n"))
    }

    fn line(&mut self, text: impl fmt::Display) {
        // Writing to memory does not fail.
        let _ = writeln!(self.0, "{text}");
    }

    /// A region of plain lines.
    pub fn lines(&mut self, heading: &str, lines: &[String]) {
        self.line(heading);
        for line in lines.iter().flat_map(|text| text.lines()) {
            self.line(format_args!("  {line}"));
        }
    }

    /// A region of events.
    pub fn events(&mut self, heading: &str, events: &[Fact]) {
        self.line(format_args!("{heading}, {}", counted(events)));
        for event in events {
            self.line(format_args!("  {event}"));
        }
    }

    /// A region of events with their positions, which begin here.
    pub fn numbered(&mut self, heading: &str, first: usize, events: &[Fact]) {
        self.line(format_args!("{heading}, {}", counted(events)));
        for (place, event) in events.iter().enumerate() {
            self.line(format_args!("  {}  {event}", first + place));
        }
    }

    /// Advice at the end.
    pub fn note(&mut self, text: &str) {
        self.line(format_args!("\n{text}"));
    }

    /// What was there, and what of it the model reads.
    pub fn seeded<M: Model>(&mut self, seeded: &[Fact], model: &M) {
        self.numbered("given", 0, seeded);
        let Ok(boundary) = model.boundary() else { return };
        let (selected, missed): (Vec<_>, Vec<_>) =
            seeded.iter().enumerate().partition(|(_, event)| reads(&boundary, event));
        let positions: Vec<_> = selected.iter().map(|(position, _)| position.to_string()).collect();
        self.line(format_args!("selected by {}, {} of them", M::NAME, selected.len()));
        self.line(format_args!("  it reads {}", described(&boundary)));
        if !positions.is_empty() {
            self.line(format_args!("  {}", positions.join(" ")));
        }
        if missed.is_empty() {
            return;
        }
        self.line(format_args!("seeded but not selected, {} of them", missed.len()));
        for (position, event) in missed {
            self.line(format_args!("  {position}  {event}"));
            for why in why_not_read(&boundary, event) {
                self.line(format_args!("     {why}"));
            }
        }
    }

    /// Expected and actual events, with what differs.
    pub fn compared(&mut self, expected: &[Fact], actual: &[Fact]) {
        let differences: Vec<Vec<String>> =
            expected.iter().zip(actual).map(|(expected, actual)| expected.differences(actual)).collect();
        let mark = |at: usize| match differences.get(at) {
            Some(differences) if differences.is_empty() => "=",
            _ => "≠",
        };
        self.line(format_args!("expected, {}", counted(expected)));
        for (at, event) in expected.iter().enumerate() {
            self.line(format_args!("  {} {event}", mark(at)));
        }
        self.line(format_args!("actual, {}", counted(actual)));
        for (at, event) in actual.iter().enumerate() {
            self.line(format_args!("  {} {event}", mark(at)));
            for difference in differences.get(at).into_iter().flatten() {
                self.line(format_args!("      {difference}"));
            }
        }
    }
}

/// Whether the events are alike, as they are stored.
pub fn is_same(expected: &[Fact], actual: &[Fact]) -> bool {
    expected.len() == actual.len()
        && expected.iter().zip(actual).all(|(expected, actual)| expected.differences(actual).is_empty())
}

/// The text for a decision that emitted what its own boundary does not read.
pub fn outside_boundary<M: Model>(seeded: &[Fact], model: &M, emitted: &[Fact]) -> Report {
    let mut report = Report::about("the decision emits an event that its own boundary does not read");
    report.seeded(seeded, model);
    report.line(format_args!("emitted, {}", counted(emitted)));
    if let Ok(boundary) = model.boundary() {
        for event in emitted {
            let is_read = reads(&boundary, event);
            report.line(format_args!("  {} {event}", if is_read { " " } else { "≠" }));
            if !is_read {
                for why in why_not_read(&boundary, event) {
                    report.line(format_args!("      {why}"));
                }
            }
        }
    }
    report.note(
        "The same decision made again would not see that event, and nothing would keep it from being\n\
         made twice. Have the model fold it, or, if no later decision of this kind rests on it, say\n\
         `.may_emit_elsewhere()` before `.when(...)`.",
    );
    report
}

/// An error with everything behind it.
pub fn chain(title: &str, error: &(dyn Error + 'static)) -> Report {
    let mut report = Report::about(title);
    let mut next = Some(error);
    while let Some(error) = next {
        report.line(format_args!("  {error}"));
        next = error.source();
    }
    report
}

fn counted(events: &[Fact]) -> String {
    match events.len() {
        0 => "nothing".to_owned(),
        1 => "1 event".to_owned(),
        many => format!("{many} events"),
    }
}

fn reads(boundary: &Boundary, event: &Fact) -> bool {
    boundary.reads(&event.stream, &event.event_type, &event.tags)
}

fn described(boundary: &Boundary) -> String {
    let parts: Vec<_> = boundary.parts.iter().map(describe_part).collect();
    parts.join("; and ")
}

fn describe_part(part: &boundary::Part) -> String {
    match &part.read {
        Selection::All => "every event".to_owned(),
        Selection::Stream(stream) => format!("the stream {stream}"),
        Selection::Query(query) => {
            let items: Vec<_> = query.items().iter().map(describe_item).collect();
            items.join(", or ")
        }
    }
}

fn describe_item(item: &QueryItem) -> String {
    let types: Vec<_> = item.types.iter().map(|name| name.as_str()).collect();
    let tags: Vec<_> = item.tags.iter().map(|tag| format!("#{tag}")).collect();
    match tags.is_empty() {
        true => types.join(" "),
        false => format!("{} with {}", types.join(" "), tags.join(" ")),
    }
}

/// For each part of the boundary, what an event would need to be read by it.
fn why_not_read(boundary: &Boundary, event: &Fact) -> Vec<String> {
    let mut reasons = Vec::new();
    for part in &boundary.parts {
        match &part.read {
            Selection::All => {}
            Selection::Stream(stream) => reasons.push(format!(
                "not read: it is in the stream {}, not in {stream}; is its `#[id]` the key the model was made with?",
                event.stream
            )),
            Selection::Query(query) => reasons.extend(query.items().iter().map(|item| why_no_match(item, event))),
        }
    }
    reasons
}

fn why_no_match(item: &QueryItem, event: &Fact) -> String {
    let key_of = |tag: &str| tag.split(':').next().unwrap_or_default().to_owned();
    let missing: Vec<_> = item.tags.iter().filter(|tag| !event.tags.contains(tag)).collect();
    if item.types.contains(&event.event_type) {
        let missing: Vec<_> = missing.iter().map(|tag| format!("#{tag}")).collect();
        return format!("not read: it does not carry {}; is it about another one?", missing.join(" "));
    }
    let carried: Vec<_> = event.tags.iter().map(key_of).collect();
    let keys = missing.iter().map(|tag| key_of(tag.as_str())).filter(|key| !carried.contains(key));
    let untagged: Vec<_> = keys.map(|key| format!("#{key}:...")).collect();
    match untagged.is_empty() {
        true => {
            format!("not read: the model does not fold {}; add it to `#[folds(...)]`", event.event_type)
        }
        false => format!(
            "not read: {} is never tagged {}; mark the field that says so `#[tag]`",
            event.event_type,
            untagged.join(" ")
        ),
    }
}
