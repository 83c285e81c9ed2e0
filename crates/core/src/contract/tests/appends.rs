//! Stores that append wrongly.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use smallvec::SmallVec;
use uuid::Uuid;

use crate::contract::{
    append, concurrency, condition, event, expectation, future, idempotency, limits, precedence,
};
use crate::{
    Append, AppendCondition, AppendError, Appended, EventStore, EventStoreExt, ExpectedRevision,
    InvalidAppend, MemoryStore, NewEvent, Position, Query, StreamName, Tags,
};

use crate::answers::Each;

use super::broken::Broken;
use super::rejects;

type Appending = fn(&MemoryStore, Append) -> Result<Appended, AppendError>;
type Answered = Result<Appended, AppendError>;

fn appending(append: Appending) -> Broken {
    Broken { append, ..Broken::sound() }
}

pub fn without_checks(append: Append) -> Append {
    Append { checks: Vec::new(), ..append }
}

/// The append with every event changed.
fn each_event(mut append: Append, change: impl Fn(&mut NewEvent)) -> Append {
    append.writes.iter_mut().flat_map(|write| &mut write.events).for_each(change);
    append
}

fn each_expectation(
    mut append: Append,
    change: impl Fn(&StreamName, ExpectedRevision) -> ExpectedRevision,
) -> Append {
    for write in &mut append.writes {
        write.expected = change(&write.stream, write.expected);
    }
    for check in &mut append.checks {
        check.expected = change(&check.stream, check.expected);
    }
    append
}

fn each_condition(append: Append, change: impl Fn(AppendCondition) -> AppendCondition) -> Append {
    Append { condition: append.condition.map(change), ..append }
}

fn with_new_ids(append: Append) -> Append {
    each_event(append, |event| event.id = Uuid::now_v7())
}

fn anywhere(append: Append) -> Append {
    each_expectation(append, |_, _| ExpectedRevision::Any)
}

#[test]
fn rejects_what_is_not_whole() {
    rejects(
        "drops the last event of several",
        appending(|store, mut append| {
            if append.event_count() > 1 {
                append.writes.iter_mut().rev().find_map(|write| write.events.pop());
            }
            store.append(append)
        }),
        append::check,
        "a receipt names the positions",
    );
    rejects(
        "appends each write by itself",
        appending(|store, append| {
            let mut answer = store.append(Append { writes: SmallVec::new(), ..append.clone() })?;
            for write in append.writes {
                let one =
                    store.append(Append::default().and_to(write.stream, write.expected, write.events))?;
                let start = answer.first_position().or(one.first_position());
                let end = one.last_position().or(answer.last_position());
                answer.positions = start.zip(end).map(|(start, end)| start..=end);
                answer.revisions.extend(one.revisions);
            }
            Ok(answer)
        }),
        append::check,
        "an append that is refused records nothing anywhere",
    );
    rejects(
        "appends each event by itself",
        appending(one_by_one),
        concurrency::check,
        "a reader sees a prefix of the log that ends with a whole append",
    );
    rejects(
        "turns the events of a write round",
        appending(|store, mut append| {
            append.writes.iter_mut().for_each(|write| write.events.reverse());
            store.append(append)
        }),
        append::check,
        "an append's events are next to one another, in the order given",
    );
    rejects(
        "sorts the writes by stream",
        appending(|store, mut append| {
            append.writes.sort_by(|one, other| one.stream.cmp(&other.stream));
            store.append(append)
        }),
        append::check,
        "",
    );
    rejects(
        "turns the revisions of a receipt round",
        appending(|store, append| {
            store.append(append).map(|mut answer| {
                answer.revisions.reverse();
                answer
            })
        }),
        append::check,
        "a receipt names the positions",
    );
    rejects(
        "gives a receipt one position too long",
        appending(|store, append| {
            store.append(append).map(|mut answer| {
                answer.positions = answer.positions.map(|range| *range.start()..=range.end().next());
                answer
            })
        }),
        append::check,
        "a receipt names the positions",
    );
}

/// As an append, but readers can see it half done.
fn one_by_one(store: &MemoryStore, append: Append) -> Answered {
    let events =
        append.writes.iter().flat_map(|write| write.events.iter().map(|event| (&write.stream, event)));
    let events: Vec<_> = events.map(|(stream, event)| (stream.clone(), event.clone())).collect();
    let telling = events.len() > 1 && events[0].1.event_type.as_str() == "Told";
    if !telling {
        return store.append(append);
    }
    let mut answers = Vec::new();
    for (stream, event) in events {
        answers.push(store.append(Append::to(stream, ExpectedRevision::Any, [event]))?);
        std::thread::yield_now();
    }
    let last = answers.last().and_then(Appended::last_position);
    let positions = answers[0].first_position().zip(last).map(|(first, last)| first..=last);
    Ok(Appended { positions, ..answers[0].clone() })
}

#[test]
fn rejects_wrong_expectations() {
    const RULE: &str = "an expected revision is met or answered with a conflict";
    let expecting = |fault, append: Appending| rejects(fault, appending(append), expectation::check, RULE);
    expecting("ignores expectations", |store, append| store.append(anywhere(append)));
    expecting("ignores checks", |store, append| store.append(without_checks(append)));
    expecting("takes no stream for an existing one", |store, append| {
        store.append(each_expectation(append, |_, expected| match expected {
            ExpectedRevision::Exists => ExpectedRevision::Any,
            other => other,
        }))
    });
    expecting("takes an exact revision for the least one", |store, append| {
        store.append(each_expectation(append, |stream, expected| match expected {
            ExpectedRevision::Exact(least) if store.last_revision(stream).unwrap() > Some(least) => {
                ExpectedRevision::Exists
            }
            other => other,
        }))
    });
    expecting("takes the revision before the first for no stream", |store, append| {
        store.append(each_expectation(append, |_, expected| match expected {
            ExpectedRevision::Exact(revision) if revision.get() == u64::MAX => ExpectedRevision::NoStream,
            other => other,
        }))
    });
    expecting("ignores the expectation of a write without events", |store, append| {
        let mut append = append;
        append.writes.iter_mut().filter(|write| write.events.is_empty()).for_each(|write| {
            write.expected = ExpectedRevision::Any;
        });
        store.append(append)
    });
    expecting("does not say where the stream stands", |store, append| {
        store.append(append).map_err(|error| match error {
            AppendError::Conflict { stream, expected, .. } => {
                AppendError::Conflict { stream, expected, actual: None }
            }
            other => other,
        })
    });
}

#[test]
fn rejects_wrong_conditions() {
    const RULE: &str = "an append condition refuses if a matching event stands after its position";
    let conditional = |fault, append: Appending| rejects(fault, appending(append), condition::check, RULE);
    conditional("ignores the condition", |store, append| store.append(Append { condition: None, ..append }));
    conditional("looks from the position itself on", |store, append| {
        store.append(each_condition(append, |condition| AppendCondition {
            after: condition.after.and_then(Position::previous),
            ..condition
        }))
    });
    conditional("looks one event too late", |store, append| {
        let last = store.last_position().unwrap();
        store.append(each_condition(append, |condition| AppendCondition {
            after: condition.after.map(|after| if Some(after) < last { after.next() } else { after }),
            ..condition
        }))
    });
    conditional("does not look at the first event", |store, append| {
        store.append(each_condition(append, |condition| AppendCondition {
            after: condition.after.or(store.last_position().unwrap().map(|_| Position::FIRST)),
            ..condition
        }))
    });
    conditional("looks at the last 1,000 events only", |store, append| {
        let recent = store.last_position().unwrap().and_then(|last| last.get().checked_sub(1_000));
        store.append(each_condition(append, |condition| AppendCondition {
            after: condition.after.max(recent.map(Position::new)),
            ..condition
        }))
    });
    conditional("takes any position for one it has", |store, append| {
        let last = store.last_position().unwrap();
        store.append(each_condition(append, |condition| AppendCondition {
            after: condition.after.min(last),
            ..condition
        }))
    });
    conditional("looks at the first item only", |store, append| {
        store.append(each_condition(append, |condition| AppendCondition {
            query: Query::item(condition.query.items()[0].clone()),
            ..condition
        }))
    });
    conditional("takes one of several tags for all", |store, append| {
        store.append(each_condition(append, |mut condition| {
            let mut items = condition.query.items().to_vec();
            items.iter_mut().for_each(|item| item.tags.truncate(1));
            let first = Query::item(items.remove(0));
            condition.query = items.into_iter().fold(first, Query::or);
            condition
        }))
    });
    conditional("skips the condition when there is nothing to record", |store, append| {
        match append.event_count() {
            0 => store.append(Append { condition: None, ..append }),
            _ => store.append(append),
        }
    });
    conditional("names another position", |store, append| {
        store.append(append).map_err(|error| match error {
            AppendError::ConditionFailed { position } => {
                AppendError::ConditionFailed { position: position.next() }
            }
            other => other,
        })
    });
    rejects(
        "lets an append's own events fail its condition",
        appending(|store, append| {
            let answer = store.append(append.clone())?;
            match (append.condition, answer.first_position()) {
                (Some(condition), Some(position))
                    if store
                        .event_at(position)
                        .unwrap()
                        .is_some_and(|event| condition.query.selects(&event)) =>
                {
                    Err(AppendError::ConditionFailed { position })
                }
                _ => Ok(answer),
            }
        }),
        condition::check,
        "",
    );
}

#[test]
fn rejects_wrong_precedence() {
    const RULE: &str = "repetition is judged first, then writes, then checks, then the condition";
    let preceding = |fault, append: Appending| rejects(fault, appending(append), precedence::check, RULE);
    preceding("judges the condition first", |store, append| {
        store.append(Append { condition: append.condition.clone(), ..Append::default() })?;
        store.append(append)
    });
    preceding("judges the checks first", |store, append| {
        store.append(Append { checks: append.checks.clone(), ..Append::default() })?;
        store.append(append)
    });
    preceding("judges the condition before the checks", |store, append| {
        store.append(without_checks(append.clone()))?;
        store.append(append)
    });
    preceding("judges the writes last to first", |store, append| {
        let mut turned = append.clone();
        turned.writes.reverse();
        turned.condition = Some(AppendCondition { query: Query::all(), after: None });
        match store.append(turned) {
            Err(error @ AppendError::Conflict { .. }) => Err(error),
            _ => store.append(append),
        }
    });
    rejects(
        "judges a repetition before it asks whether the append makes sense",
        appending(|store, append| {
            let only = Append { writes: append.writes.clone(), ..Append::default() };
            match append.checks.is_empty() {
                true => store.append(append),
                false => store
                    .append(only)
                    .ok()
                    .filter(|answer| answer.repeated)
                    .map_or_else(|| store.append(append), Ok),
            }
        }),
        limits::check,
        "an append that makes no sense is refused before anything else is judged",
    );
}

#[test]
fn rejects_wrong_repetition() {
    const RULE: &str = "the same ids again are answered with the first receipt, a mixture is refused";
    const FACT: &str = "an id recorded before for another fact is refused";
    const LONG: &str = "a repetition is known for ever by revision, and by id for 10,000 events";
    let repeating =
        |fault, append: Appending, rule| rejects(fault, appending(append), idempotency::check, rule);
    repeating(
        "appends a repetition again",
        |store, append| match store.append(append.clone()) {
            Ok(answer) if answer.repeated => store.append(with_new_ids(anywhere(append))),
            other => other,
        },
        RULE,
    );
    repeating(
        "says of a repetition that it was recorded now",
        |store, append| {
            store.append(append).map(|answer| match answer.repeated {
                true => Appended { recorded_at: Some(crate::Timestamp::MAX), ..answer },
                false => answer,
            })
        },
        RULE,
    );
    repeating(
        "does not say that it repeats",
        |store, append| store.append(append).map(|answer| Appended { repeated: false, ..answer }),
        RULE,
    );
    repeating(
        "records what is new in a mixture",
        |store, append| match store.append(append.clone()) {
            Err(AppendError::PartlyRepeated { id, .. }) => {
                let mut append = append;
                append.writes.iter_mut().for_each(|write| write.events.retain(|event| event.id != id));
                store.append(append)
            }
            other => other,
        },
        RULE,
    );
    repeating(
        "takes a longer append for a repetition",
        |store, append| match store.append(append.clone()) {
            Err(AppendError::Conflict { .. }) if append.event_count() > 1 => {
                let mut shorter = append.clone();
                shorter.writes[0].events.pop();
                store
                    .append(shorter)
                    .ok()
                    .filter(|answer| answer.repeated)
                    .map_or_else(|| store.append(append), Ok)
            }
            other => other,
        },
        RULE,
    );
    repeating(
        "takes the present end for the first receipt",
        |store, append| {
            store.append(append).map(|mut answer| {
                if answer.repeated {
                    answer.positions = store.last_position().unwrap().map(|last| last..=last);
                }
                answer
            })
        },
        RULE,
    );
    repeating(
        "does not compare what an id stands for",
        |store, append| match store.append(append.clone()) {
            Err(AppendError::IdReused { .. }) => store.append(with_new_ids(anywhere(append))),
            other => other,
        },
        FACT,
    );
    repeating(
        "does not compare occurred-at",
        |store, append| match store.append(append.clone()) {
            Err(AppendError::IdReused { revision, stream, .. }) => {
                let recorded = store.read(crate::Read::stream(stream)).unwrap();
                let recorded = recorded.flatten().find(|event| event.revision == revision).unwrap();
                store.append(each_event(append, |event| {
                    if event.id == recorded.id {
                        event.occurred_at = recorded.occurred_at;
                    }
                }))
            }
            other => other,
        },
        FACT,
    );
    repeating(
        "knows ids in all streams together",
        |store, append| {
            let log: Vec<_> =
                store.read(crate::Read::all().backward().limit(100)).unwrap().flatten().collect();
            let known = |write: &crate::StreamWrite| {
                let elsewhere = log.iter().filter(|event| event.stream != write.stream);
                elsewhere.map(|event| event.id).find(|id| write.events.iter().any(|event| event.id == *id))
            };
            let found =
                append.writes.iter().find_map(|write| known(write).map(|id| (write.stream.clone(), id)));
            match found.filter(|_| append.writes.len() == 1) {
                Some((stream, id)) => Err(AppendError::PartlyRepeated { stream, id }),
                None => store.append(append),
            }
        },
        "an id belongs to its stream: in another stream it is new",
    );
    repeating(
        "takes an id once in an append, for whatever stream",
        |store, append| {
            let mut ids = append.writes.iter().flat_map(|write| &write.events).map(|event| event.id);
            let mut seen = std::collections::HashSet::new();
            match ids.find(|id| !seen.insert(*id)) {
                Some(id) => Err(InvalidAppend::IdUsedTwice { id }.into()),
                None => store.append(append),
            }
        },
        "an id belongs to its stream: in another stream it is new",
    );
    repeating(
        "takes one repeated write for all",
        |store, append| match store.append(append.clone()) {
            Err(AppendError::PartlyRepeated { .. }) if append.writes.len() > 1 => {
                let mut append = append;
                append.writes.retain(|write| store.last_revision(&write.stream).unwrap().is_some());
                append.writes.truncate(1);
                store.append(append)
            }
            other => other,
        },
        "",
    );
    repeating(
        "forgets ids after 4,000 events",
        |store, append| match store.append(append.clone()) {
            Ok(answer) if answer.repeated && answer.is_older_than(4_000, store) => {
                store.append(with_new_ids(anywhere(append)))
            }
            other => other,
        },
        LONG,
    );
    repeating(
        "forgets repetitions by revision after 11,000 events",
        |store, append| match store.append(append) {
            Ok(answer) if answer.repeated && answer.is_older_than(11_000, store) => {
                let stream = StreamName::new("long").unwrap();
                Err(AppendError::Conflict { stream, expected: ExpectedRevision::NoStream, actual: None })
            }
            other => other,
        },
        LONG,
    );
}

trait Age {
    fn is_older_than(&self, events: u64, store: &MemoryStore) -> bool;
}

impl Age for Appended {
    fn is_older_than(&self, events: u64, store: &MemoryStore) -> bool {
        let end = store.last_position().unwrap().map_or(0, Position::get);
        end - self.last_position().map_or(0, Position::get) > events
    }
}

#[test]
fn rejects_what_loses_a_field() {
    const FIELDS: &str = "an event is read back as it was appended";
    const NAMES: &str = "names are compared byte for byte";
    let storing = |fault, append: Appending, rule| rejects(fault, appending(append), event::check, rule);
    let losing = |fault, append: Appending| storing(fault, append, FIELDS);
    losing("drops causation ids", |store, append| {
        store.append(each_event(append, |event| event.causation_id = None))
    });
    losing("mixes up correlation and causation", |store, append| {
        store.append(each_event(append, |event| {
            std::mem::swap(&mut event.correlation_id, &mut event.causation_id)
        }))
    });
    losing("takes a nil id for none", |store, append| {
        store.append(each_event(append, |event| {
            event.correlation_id = event.correlation_id.filter(|id| !id.is_nil());
        }))
    });
    losing("keeps 16 bits of a schema version", |store, append| {
        store.append(each_event(append, |event| event.schema_version &= 0xffff))
    });
    losing("keeps 16 bits of a length", |store, append| {
        store.append(each_event(append, |event| event.metadata.truncate(0xffff)))
    });
    losing("knows no time before 1970", |store, append| {
        store.append(each_event(append, |event| {
            event.occurred_at = event.occurred_at.filter(|time| time.as_micros() >= 0);
        }))
    });
    losing("counts occurred-at in milliseconds", |store, append| {
        store.append(each_event(append, |event| {
            let milli =
                |time: crate::Timestamp| crate::Timestamp::from_micros(time.as_micros() / 1_000 * 1_000);
            event.occurred_at = event.occurred_at.map(milli);
        }))
    });
    losing("sorts tags", |store, append| {
        store.append(each_event(append, |event| {
            let mut tags: Vec<_> =
                event.tags.iter().map(|tag| crate::Tag::new(tag.to_owned()).unwrap()).collect();
            tags.sort();
            event.tags = Tags::new(tags).unwrap();
        }))
    });
    losing("keeps media types in lower case and short", |store, append| {
        store.append(each_event(append, |event| {
            let text: String = event.content_type.as_str().chars().take(100).collect();
            event.content_type = text.as_str().into();
        }))
    });
    losing("takes no data for JSON null", |store, append| {
        store.append(each_event(append, |event| {
            if event.data.is_empty() {
                event.data = "null".into();
            }
        }))
    });
    let renaming = |fault, append: Appending| storing(fault, append, NAMES);
    renaming("trims stream names", |store, append| {
        store.append(each_stream(append, |name| name.trim().to_owned()))
    });
    renaming("folds the case of stream names", |store, append| {
        store.append(each_stream(append, str::to_lowercase))
    });
    renaming("compares the first 1,000 bytes of a stream name", |store, append| {
        store.append(each_stream(append, |name| name.chars().take(1_000).collect()))
    });
}

fn each_stream(mut append: Append, change: impl Fn(&str) -> String) -> Append {
    for write in &mut append.writes {
        write.stream = StreamName::new(change(write.stream.as_str())).unwrap();
    }
    append
}

#[test]
fn rejects_other_limits() {
    const SENSE: &str = "an append that makes no sense is refused before anything else is judged";
    let limiting = |fault, append: Appending, rule| rejects(fault, appending(append), limits::check, rule);
    limiting(
        "joins two writes of one stream",
        |store, mut append| {
            if append.writes.len() == 2 && append.writes[0].stream == append.writes[1].stream {
                let second = append.writes.remove(1);
                append.writes[0].events.extend(second.events);
            }
            store.append(append)
        },
        SENSE,
    );
    limiting(
        "does not compare checks with writes",
        |store, append| match append.validate() {
            Err(InvalidAppend::StreamNamedTwice { .. }) if append.writes.len() < 2 => {
                store.append(without_checks(append))
            }
            _ => store.append(append),
        },
        SENSE,
    );
    limiting(
        "gives an id used twice a new one",
        |store, append| match append.validate() {
            Err(InvalidAppend::IdUsedTwice { .. }) => store.append(with_new_ids(append)),
            _ => store.append(append),
        },
        SENSE,
    );
    limiting(
        "forgets the metadata in an event's size",
        |store, append| match append.validate() {
            Err(InvalidAppend::EventTooLarge { index: 2, .. }) => {
                store.append(each_event(append, |event| event.metadata.clear()))
            }
            _ => store.append(append),
        },
        SENSE,
    );
    limiting(
        "takes 8 MiB at most",
        |store, append| {
            append.validate()?;
            let bytes =
                append.writes.iter().flat_map(|write| &write.events).map(|event| event.data.len() as u64);
            let (bytes, limit) = (bytes.sum(), 8 << 20);
            if bytes > limit {
                Err(InvalidAppend::TooLarge { bytes, limit }.into())
            } else {
                store.append(append)
            }
        },
        "an event of the largest size is accepted",
    );
}

#[test]
fn rejects_races() {
    let racing = |fault, append: Appending, rule| rejects(fault, appending(append), concurrency::check, rule);
    racing(
        "looks at the expectation before it has its turn",
        |store, append| {
            let events = Append { writes: SmallVec::new(), ..append.clone() };
            let looked = append
                .writes
                .iter()
                .fold(events, |looked, write| looked.and_to(write.stream.clone(), write.expected, []));
            store.append(looked)?;
            std::thread::sleep(std::time::Duration::from_micros(200));
            store.append(anywhere(append))
        },
        "of many appends with one expectation exactly one wins",
    );
    racing(
        "looks at the condition before it has its turn",
        |store, append| {
            store.append(Append { condition: append.condition.clone(), ..Append::default() })?;
            std::thread::sleep(std::time::Duration::from_micros(200));
            store.append(Append { condition: None, ..append })
        },
        "of many appends with one condition exactly one wins",
    );
    racing(
        "looks for a repetition before it has its turn",
        |store, append| {
            let streams = append.writes.iter().map(|write| store.last_revision(&write.stream).unwrap());
            if streams.flatten().next().is_some() {
                return store.append(append);
            }
            std::thread::sleep(std::time::Duration::from_micros(200));
            if append.writes.len() == 2 {
                store.append(with_new_ids(anywhere(append)))
            } else {
                store.append(append)
            }
        },
        "an append repeated at the same moment is recorded once",
    );
}

/// Appends when it is polled for the `polls`-th time.
struct Late {
    polls: u32,
    wakes: bool,
    append: Option<Append>,
    store: MemoryStore,
}

impl Future for Late {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answered> {
        self.polls -= 1;
        if self.polls == 0 {
            let append = self.append.take().unwrap();
            return Poll::Ready(self.store.append(append));
        }
        if self.wakes {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[test]
fn rejects_wrong_futures() {
    const GIVEN_UP: &str = "an append whose future is dropped is recorded, whole and once";
    let flying = |fault, append_async, rule| {
        rejects(fault, Broken { append_async, ..Broken::sound() }, future::check, rule);
    };
    flying("appends at the first poll", |broken, append| late(broken, append, 1, true), GIVEN_UP);
    flying("appends at the second poll", |broken, append| late(broken, append, 2, true), GIVEN_UP);
    flying(
        "does not wake its task",
        |broken, append| late(broken, append, 2, false),
        "every append in flight is answered with its own receipt",
    );
    flying(
        "answers with the receipt of another",
        |broken, append| {
            let answer = broken.store.append(append).map(|mut answer| {
                answer.positions = Some(Position::FIRST..=Position::new(2));
                answer
            });
            Box::pin(std::future::ready(answer))
        },
        "every append in flight is answered with its own receipt",
    );
    flying(
        "does not look at expectations when it is not waited for",
        |broken, append| Box::pin(std::future::ready(broken.store.append(anywhere(append)))),
        "of appends in flight with one expectation, exactly one wins",
    );
}

#[test]
fn rejects_wrong_answers_to_many() {
    const EACH: &str = "appends handed over together are judged in their order, each for itself";
    let together = |fault, append_each| {
        rejects(fault, Broken { append_each, ..Broken::sound() }, future::check, EACH);
    };
    together("takes the last first", |broken, mut appends| {
        appends.reverse();
        (Broken::sound().append_each)(broken, appends)
    });
    together("takes the first for all", |broken, mut appends| {
        let first = appends.first().cloned();
        appends.iter_mut().for_each(|append| *append = first.clone().unwrap());
        (Broken::sound().append_each)(broken, appends)
    });
    together("forgets the last", |broken, mut appends| {
        appends.pop();
        (Broken::sound().append_each)(broken, appends)
    });
    together("never answers the last", |broken, appends| {
        let count = appends.len();
        let answered = appends.into_iter().enumerate().map(|(n, append)| match n + 1 == count {
            true => Box::pin(std::future::pending()) as crate::AppendFuture,
            false => (broken.append_async)(broken, append),
        });
        Box::new(Each::of(answered))
    });
}

fn late(broken: &Broken, append: Append, polls: u32, wakes: bool) -> crate::AppendFuture {
    Box::pin(Late { polls, wakes, append: Some(append), store: broken.store.clone() })
}
