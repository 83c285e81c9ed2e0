//! Filters over the whole log: by stream name or event type, by prefixes or a
//! regular expression. One prefix of stream names that begins with `$idx-` is
//! something else: the name of an index, see [`Filter::index`].
//!
//! The expressions are written for .NET and use what a plain automaton cannot
//! do: the filter that most clients install to leave out system events is a
//! negative look-ahead. Such an engine can take very long on a hostile
//! expression, so that each match has a budget, and one that runs out of it
//! fails the call instead of holding a thread.

use factum_core::RecordedEvent;
use fancy_regex::{Regex, RegexBuilder};

use crate::failure::Failure;
use crate::proto::streams::read_req::options::FilterOptions;
use crate::proto::streams::read_req::options::filter_options::{Expression, Filter as Subject, Window};

/// How many events may be looked at between two checkpoints, if a client does
/// not say.
const WINDOW: u64 = 32;

/// How many steps back one match may take.
const STEPS_MAX: usize = 100_000;

/// The longest expression taken.
const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

/// The most prefixes taken, and the most bytes of all of them.
const PREFIXES_MAX: usize = 1_024;
const PREFIXES_BYTES_MAX: usize = 64 * 1024;

/// Which events of the log a client wants.
#[derive(Debug)]
pub struct Filter {
    of: Of,
    rule: Rule,
    /// How many events may be looked at before a checkpoint is due.
    pub checkpoint_every: u64,
}

/// What of an event a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The name of its stream.
    Stream,
    /// Its type.
    Type,
}

impl Of {
    /// That text.
    pub fn text(self, event: &RecordedEvent) -> &str {
        match self {
            Self::Stream => event.stream.as_str(),
            Self::Type => event.event_type.as_str(),
        }
    }
}

#[derive(Debug)]
enum Rule {
    Expression(Regex),
    Prefixes(Vec<String>),
    /// Who reads through it has looked already.
    Index(String),
}

const INDEX: &str = "$idx-";

impl Filter {
    /// Understands a filter; a subscription also needs its checkpoints.
    pub fn decode(options: FilterOptions, follows: bool) -> Result<Self, Failure> {
        let (of, expression) = match options.filter {
            Some(Subject::StreamIdentifier(expression)) => (Of::Stream, expression),
            Some(Subject::EventType(expression)) => (Of::Type, expression),
            None => return Err(invalid("the filter says neither stream names nor event types")),
        };
        let window = match options.window {
            Some(Window::Max(0)) => return Err(invalid("the filter's window is 0: use at least 1")),
            Some(Window::Max(max)) => u64::from(max),
            Some(Window::Count(_)) => WINDOW,
            None => return Err(invalid("the filter has no window: send max or count")),
        };
        let multiplier = u64::from(options.checkpoint_interval_multiplier);
        if follows && multiplier == 0 {
            return Err(invalid("the filter's checkpointIntervalMultiplier is 0: use at least 1"));
        }
        let rule = match (of, Rule::decode(expression)?) {
            (Of::Stream, Rule::Prefixes(prefixes)) => Rule::of_prefixes(prefixes),
            (_, rule) => rule,
        };
        Ok(Self { of, rule, checkpoint_every: window * multiplier.max(1) })
    }

    /// The index that was named instead of a filter.
    pub fn index(&self) -> Option<&str> {
        match &self.rule {
            Rule::Index(name) => Some(name),
            Rule::Expression(_) | Rule::Prefixes(_) => None,
        }
    }

    /// What it looks at.
    pub fn of(&self) -> Of {
        self.of
    }

    /// The prefixes one of which it wants, if it is made of these.
    pub fn prefixes(&self) -> Option<&[String]> {
        match &self.rule {
            Rule::Prefixes(prefixes) => Some(prefixes),
            Rule::Expression(_) | Rule::Index(_) => None,
        }
    }

    /// The expression, if it is one: matching may take long.
    pub fn expression(&self) -> Option<&str> {
        match &self.rule {
            Rule::Expression(regex) => Some(regex.as_str()),
            Rule::Prefixes(_) | Rule::Index(_) => None,
        }
    }

    /// Whether the client wants this event.
    pub fn matches(&self, event: &RecordedEvent) -> Result<bool, Failure> {
        let text = self.of.text(event);
        match &self.rule {
            Rule::Index(_) => Ok(true),
            Rule::Prefixes(prefixes) => Ok(prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()))),
            Rule::Expression(regex) => regex.is_match(text).map_err(|error| {
                invalid(&format!("the filter's expression took too long on {text:?} ({error}): simplify it"))
            }),
        }
    }
}

impl Rule {
    fn of_prefixes(mut prefixes: Vec<String>) -> Self {
        match &mut prefixes[..] {
            [one] if one.starts_with(INDEX) => Self::Index(std::mem::take(one)),
            _ => Self::Prefixes(prefixes),
        }
    }

    fn decode(expression: Expression) -> Result<Self, Failure> {
        if expression.regex.is_empty() {
            let (count, bytes) =
                (expression.prefix.len(), expression.prefix.iter().map(String::len).sum::<usize>());
            if count > PREFIXES_MAX || bytes > PREFIXES_BYTES_MAX {
                return Err(invalid(&format!(
                    "the filter has {count} prefixes of {bytes} bytes, and at most {PREFIXES_MAX} of {PREFIXES_BYTES_MAX} bytes are allowed: use shorter ones that cover them"
                )));
            }
            return Ok(Self::Prefixes(expression.prefix));
        }
        if expression.regex.len() > EXPRESSION_BYTES_MAX {
            return Err(invalid(&format!(
                "the filter's expression has {} bytes, and at most {EXPRESSION_BYTES_MAX} are allowed",
                expression.regex.len()
            )));
        }
        let built = RegexBuilder::new(&expression.regex).backtrack_limit(STEPS_MAX).build();
        built
            .map(Self::Expression)
            .map_err(|error| invalid(&format!("the filter's expression cannot be understood: {error}")))
    }
}

fn invalid(what: &str) -> Failure {
    Failure::Invalid(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::client::Empty;
    use factum_core::{Append, EventStore, ExpectedRevision, MemoryStore, NewEvent, Read, StreamName};

    fn event(stream: &str, event_type: &str) -> RecordedEvent {
        let store = MemoryStore::new();
        let stream = StreamName::new(stream.to_owned()).unwrap();
        let event = NewEvent::json(event_type, &().into()).unwrap();
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
        store.read(Read::all()).unwrap().next().unwrap().unwrap()
    }

    fn options(subject: Subject) -> FilterOptions {
        FilterOptions {
            filter: Some(subject),
            window: Some(Window::Count(Empty {})),
            checkpoint_interval_multiplier: 2,
        }
    }

    fn regex(regex: &str) -> Expression {
        Expression { regex: regex.to_owned(), prefix: Vec::new() }
    }

    fn prefixes(prefixes: &[&str]) -> Expression {
        Expression { regex: String::new(), prefix: prefixes.iter().map(|p| (*p).to_owned()).collect() }
    }

    #[test]
    fn matches_what_clients_mean() {
        let rows = [
            (Subject::EventType(prefixes(&["Item", "x"])), true),
            (Subject::EventType(prefixes(&["item"])), false),
            (Subject::EventType(prefixes(&[])), false),
            (Subject::StreamIdentifier(prefixes(&["cart-"])), true),
            (Subject::StreamIdentifier(prefixes(&["Item"])), false),
            (Subject::EventType(regex("^(?!(\\$.+|PersistentConfig\\d+|Result)$)")), true),
            (Subject::EventType(regex("^(?!(ItemAdded)$)")), false),
            (Subject::EventType(regex("^Item|Gone$")), true),
            (Subject::EventType(regex("Add")), true),
            (Subject::StreamIdentifier(regex("^cart-[0-9]+$")), true),
            (Subject::StreamIdentifier(regex("^[^\\$]")), true),
            (Subject::StreamIdentifier(regex("/^x/")), false),
        ];
        let event = event("cart-12", "ItemAdded");
        for (subject, expected) in rows {
            let filter = Filter::decode(options(subject.clone()), true).unwrap();
            assert_eq!(filter.matches(&event).unwrap(), expected, "{subject:?}");
            assert_eq!(filter.checkpoint_every, 64);
        }
    }

    #[test]
    fn one_prefix_may_name_an_index() {
        let rows = [
            (Subject::StreamIdentifier(prefixes(&["$idx-ce-cart"])), Some("$idx-ce-cart")),
            (Subject::StreamIdentifier(prefixes(&["$idx-ce-cart", "a"])), None),
            (Subject::StreamIdentifier(prefixes(&["idx-"])), None),
            (Subject::StreamIdentifier(regex("$idx-all")), None),
            (Subject::EventType(prefixes(&["$idx-all"])), None),
        ];
        for (subject, index) in rows {
            let filter = Filter::decode(options(subject.clone()), true).unwrap();
            assert_eq!(filter.index(), index, "{subject:?}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold_to() {
        let good = options(Subject::EventType(regex("a")));
        let rows = [
            (FilterOptions { filter: None, ..good.clone() }, "neither"),
            (FilterOptions { window: None, ..good.clone() }, "no window"),
            (FilterOptions { window: Some(Window::Max(0)), ..good.clone() }, "window is 0"),
            (FilterOptions { checkpoint_interval_multiplier: 0, ..good.clone() }, "Multiplier is 0"),
            (options(Subject::EventType(regex("(a"))), "cannot be understood"),
            (options(Subject::EventType(regex(&"a".repeat(EXPRESSION_BYTES_MAX + 1)))), "at most"),
            (options(Subject::EventType(prefixes(&["a"; PREFIXES_MAX + 1]))), "1025 prefixes"),
            (options(Subject::EventType(prefixes(&[&"a".repeat(PREFIXES_BYTES_MAX + 1)]))), "65537 bytes"),
        ];
        for (options, says) in rows {
            let failure = Filter::decode(options, true).unwrap_err();
            assert!(failure.to_string().contains(says), "{failure}");
        }
        assert!(Filter::decode(options(Subject::EventType(prefixes(&["a"; PREFIXES_MAX]))), true).is_ok());
        assert!(Filter::decode(FilterOptions { checkpoint_interval_multiplier: 0, ..good }, false).is_ok());
    }

    #[test]
    fn gives_up_on_an_expression_without_end() {
        let hostile = options(Subject::EventType(regex("^(a|b|ab)*(?>c)")));
        let filter = Filter::decode(hostile, true).unwrap();
        let failure = filter.matches(&event("s", &format!("{}dc", "ab".repeat(28)))).unwrap_err();
        assert!(failure.to_string().contains("took too long"), "{failure}");
    }
}
