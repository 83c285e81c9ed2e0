//! What was promised, kept outside of the process that promised it.

use std::collections::BTreeMap;
use std::path::Path;

use factum_core::*;
use factum_log::disk::faulty::Dice;
use factum_log::{Log, LogOptions};

use super::load::{self, Name, is_own};

/// How many acknowledged appends are repeated in each round.
const REPEATS: u64 = 12;
/// Repetitions that are told by their ids alone are found among so many events.
const REMEMBERED: u64 = 10_000;

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Receipt {
    first: u64,
    last: u64,
    revisions: Vec<u64>,
}

/// Everything that was acknowledged, shown, or read in the lives of one store.
pub struct Oracle {
    seed: u64,
    receipts: BTreeMap<Name, Receipt>,
    /// By position.
    seen: BTreeMap<u64, Uuid>,
    /// The ids of the whole log as it was last read, in order.
    read: Vec<Uuid>,
}

impl Oracle {
    pub fn new(seed: u64) -> Self {
        Self { seed, receipts: BTreeMap::new(), seen: BTreeMap::new(), read: Vec::new() }
    }

    pub fn acknowledged(&self) -> usize {
        self.receipts.len()
    }

    pub fn events(&self) -> usize {
        self.read.len()
    }

    /// Takes down what a process said.
    pub fn hear(&mut self, lines: &[String]) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            match words[0] {
                "a" => {
                    let name =
                        Name { life: number(1) as u32, writer: number(2) as u32, number: number(3) as u32 };
                    let revisions = words[6].split(',').map(|word| word.parse().unwrap()).collect();
                    self.receipts.insert(name, Receipt { first: number(4), last: number(5), revisions });
                }
                "s" => drop(self.seen.insert(number(1), words[2].parse().unwrap())),
                super::prey::CLOSED => {}
                _ => panic!("the process says {line:?}"),
            }
        }
    }

    /// Opens the store and holds it against everything that was promised.
    pub fn check(&mut self, path: &Path, dice: &mut Dice) -> Result<(), String> {
        let options = LogOptions { ..load::options(self.seed, dice.any() as u32) };
        let log = Log::open(path, options).map_err(|error| format!("cannot be opened: {error:?}"))?;
        let events = all(&log, Read::all())?;
        self.compare(&events)?;
        for number in 0..6 {
            one_stream(&log, &events, &format!("shared-{number}"))?;
        }
        for writer in 0..load::WRITERS {
            one_stream(&log, &events, &format!("own-{writer}"))?;
        }
        self.repeat(&log, events.len() as u64, dice)?;
        log.close().map_err(|error| format!("cannot be closed: {error:?}"))?;
        self.read = events.iter().map(|event| event.id).collect();
        Ok(())
    }

    fn compare(&self, events: &[RecordedEvent]) -> Result<(), String> {
        if let Some(at) =
            (0..self.read.len()).find(|at| events.get(*at).map(|event| event.id) != Some(self.read[*at]))
        {
            return Err(format!(
                "position {at} held {} when it was read before, and no longer does",
                self.read[at]
            ));
        }
        for (position, id) in &self.seen {
            if events.get(*position as usize).map(|event| event.id) != Some(*id) {
                return Err(format!("a follower saw {id} at position {position}, where it is not"));
            }
        }
        let found = whole_appends(self.seed, events)?;
        for (name, receipt) in &self.receipts {
            match found.get(name) {
                None => return Err(format!("{name:?} was acknowledged with {receipt:?} and is lost")),
                Some(found) if found != receipt => {
                    return Err(format!(
                        "{name:?} was acknowledged with {receipt:?} and stands at {found:?}"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Appends once more what was acknowledged.
    fn repeat(&self, log: &Log, end: u64, dice: &mut Dice) -> Result<(), String> {
        let names: Vec<&Name> = self.receipts.keys().collect();
        for _ in 0..REPEATS.min(names.len() as u64) {
            let name = **dice.pick(&names);
            let receipt = &self.receipts[&name];
            let mut append = name.append(self.seed);
            if append.writes.iter().any(|write| !is_own(&write.stream))
                && receipt.first + REMEMBERED / 2 < end
            {
                continue;
            }
            for (write, last) in append.writes.iter_mut().zip(&receipt.revisions) {
                if is_own(&write.stream) {
                    let before = last.checked_sub(write.events.len() as u64).map(Revision::new);
                    write.expected = before.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
                }
            }
            let again = log.append(append).map_err(|error| format!("{name:?} again: {error:?}"))?;
            let found = Receipt {
                first: again.first_position().unwrap().get(),
                last: again.last_position().unwrap().get(),
                revisions: again.revisions.iter().map(|revision| revision.unwrap().get()).collect(),
            };
            if !again.repeated || found != *receipt {
                return Err(format!("{name:?} was acknowledged with {receipt:?}; again: {again:?}"));
            }
        }
        if log.last_position().unwrap().map_or(0, |last| last.get() + 1u64) != end {
            return Err("a repetition was recorded".into());
        }
        Ok(())
    }
}

fn all(log: &Log, read: Read) -> Result<Vec<RecordedEvent>, String> {
    let events = log.read(read).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    events.map_err(|error| format!("cannot be read: {error:?}"))
}

/// The receipt of every append in the log, if all are whole and nothing else is there.
fn whole_appends(seed: u64, events: &[RecordedEvent]) -> Result<BTreeMap<Name, Receipt>, String> {
    let mut found = BTreeMap::new();
    let mut revisions: BTreeMap<StreamName, u64> = BTreeMap::new();
    let mut at = 0;
    while at < events.len() {
        let (name, _) = Name::of(events[at].id);
        let append = name.append(seed);
        let mut receipt = Receipt { first: at as u64, last: 0, revisions: Vec::new() };
        for write in &append.writes {
            let due: &mut u64 = revisions.entry(write.stream.clone()).or_default();
            for new in &write.events {
                let Some(event) = events.get(at) else {
                    return Err(format!("{name:?} is there in part: the log ends in it"));
                };
                if event.position.get() != at as u64 {
                    return Err(format!("position {} stands at place {at}", event.position));
                }
                if event.stream != write.stream || event.to_new() != *new {
                    return Err(format!("{name:?} is not what was appended, at position {at}: {event:?}"));
                }
                if event.revision.get() != *due {
                    return Err(format!("position {at} has revision {}, and {due} is due", event.revision));
                }
                at += 1;
                *due += 1;
            }
            receipt.revisions.push(*due - 1);
        }
        receipt.last = at as u64 - 1;
        if found.insert(name, receipt).is_some() {
            return Err(format!("{name:?} is there twice"));
        }
    }
    Ok(found)
}

/// Reads one stream by its index, and compares.
fn one_stream(log: &Log, events: &[RecordedEvent], stream: &str) -> Result<(), String> {
    let name = StreamName::new(stream).unwrap();
    let wanted: Vec<RecordedEvent> = events.iter().filter(|event| event.stream == name).cloned().collect();
    let found = match log.read(Read::stream(name)) {
        Err(ReadError::StreamNotFound { .. }) => Vec::new(),
        events => events
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{stream} cannot be read: {error:?}"))?,
    };
    if found == wanted { Ok(()) } else { Err(format!("{stream} reads otherwise than the whole log")) }
}

/// Each thing that can be wrong, done to a log that is right.
pub fn notices_what_is_wrong() {
    const SEED: u64 = 5;
    let names: Vec<Name> = (0..6).map(|number| Name { life: 1, writer: 0, number }).collect();
    let memory = MemoryStore::new();
    let mut lines = Vec::new();
    for name in &names {
        lines.push(load::receipt(*name, &memory.append(name.append(SEED)).unwrap()));
    }
    let events: Vec<RecordedEvent> =
        EventStore::read(&memory, Read::all()).unwrap().map(Result::unwrap).collect();
    let mut oracle = Oracle::new(SEED);
    oracle.hear(&lines);
    oracle.hear(&[format!("s 0 {}", events[0].id)]);
    oracle.read = events.iter().map(|event| event.id).collect();
    oracle.compare(&events).unwrap();

    let last = oracle.receipts[&names[5]].clone();
    let changed = |change: &dyn Fn(&mut Vec<RecordedEvent>)| {
        let mut events = events.clone();
        change(&mut events);
        events
    };
    let wrong: [(&str, Vec<RecordedEvent>); 7] = [
        ("an append is lost", events[..last.first as usize].to_vec()),
        ("nothing is there", Vec::new()),
        ("the first event is lost", events[1..].to_vec()),
        ("a byte is another", changed(&|events| events[0].data = Bytes::from_static(b"no"))),
        ("a position is another", changed(&|events| events[1].position = Position::new(9_999))),
        ("a revision is another", changed(&|events| events[1].revision = Revision::new(9_999))),
        ("an append is there twice", changed(&|events| events.extend_from_within(..))),
    ];
    for (what, events) in wrong {
        // Neither an earlier read nor a follower is needed to see it.
        let bare = Oracle { read: Vec::new(), seen: BTreeMap::new(), ..Oracle::new(SEED) };
        let bare = Oracle { receipts: oracle.receipts.clone(), ..bare };
        assert!(bare.compare(&events).is_err(), "{what}");
    }
    let without_receipts =
        Oracle { receipts: BTreeMap::new(), read: oracle.read.clone(), ..Oracle::new(SEED) };
    assert!(without_receipts.compare(&events[..last.first as usize]).is_err());
    let follower = Oracle { seen: oracle.seen.clone(), ..Oracle::new(SEED) };
    assert!(follower.compare(&[]).is_err());
}
