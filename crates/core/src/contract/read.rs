//! Reads and counts: every selection, both directions, every beginning and end and limit,
//! over a log of several streams, types, tags and times, each compared with a
//! plain filter over the list of events.

use crate::{
    Append, Direction, EventStore, ExpectedRevision, Position, Query, Read, ReadError, RecordedEvent,
    Revision, Selection, Start, Until,
};

use super::case::Case;
use super::oracle::{counted, positions, selects, wanted};
use super::sample::{self, STREAMS, event, events, fill, item, query, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    yields_what_was_asked_for(&store());
    says_what_is_not_there(&store());
    sees_what_was_committed_when_it_began(&store());
    reads_a_long_log(&store());
}

fn yields_what_was_asked_for(store: &dyn EventStore) {
    let log = sample::mixed(store);
    let case = Case::new("the mixed log has what the tables need", "");
    for name in STREAMS {
        let count = log.iter().filter(|event| event.stream.as_str() == name).count();
        case.holds(count == 1 || count > 5, format_args!("{name} has one event or many, not {count}"));
    }
    for (name, selection) in sample::selections() {
        let case = Case::new("a read yields exactly the selected events between its ends", &name);
        let selected: Vec<_> = log.iter().filter(|event| selects(&selection, event)).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let read = |from, until, limit| {
                let selection = selection.clone();
                Read { selection, direction, from, until, skip: 0, limit }
            };
            // In full, event by event.
            yields_in_full(&case, store, &log, read(Start::Edge, Until::Edge, None));
            let (starts, untils) = ends(&log, &selection);
            for from in &starts {
                for until in &untils {
                    yields(&case, store, &log, read(*from, *until, None));
                }
                let most = selected.len() as u64;
                for limit in [0, 1, 2, most.saturating_sub(1), most, most + 1, u64::MAX] {
                    yields(&case, store, &log, read(*from, Until::Edge, Some(limit)));
                }
                for skip in [1, most / 2, most, u64::MAX] {
                    yields(&case, store, &log, read(*from, Until::Edge, None).skip(skip));
                }
                yields(&case, store, &log, read(*from, untils[untils.len() / 2], Some(2)).skip(1));
                for limit in [1, 3] {
                    yields(&case, store, &log, read(*from, untils[untils.len() / 2], Some(limit)));
                }
            }
        }
    }
}

/// Beginnings and ends worth trying for a selection.
fn ends(log: &[RecordedEvent], selection: &Selection) -> (Vec<Start>, Vec<Until>) {
    let last = log.len() as u64 - 1;
    let (mut starts, mut untils) = (vec![Start::Edge], vec![Until::Edge]);
    for n in [0, 1, last / 2, last, last + 1, u64::MAX] {
        starts.push(Start::Position(Position::new(n)));
        untils.push(Until::Position(Position::new(n)));
    }
    for time in sample::times(log) {
        starts.push(Start::Time(time));
        untils.push(Until::Time(time));
    }
    if let Selection::Stream(_) = selection {
        let count = log.iter().filter(|event| selects(selection, event)).count() as u64;
        for n in [0, 1, count / 2, count - 1, count, u64::MAX] {
            starts.push(Start::Revision(Revision::new(n)));
            untils.push(Until::Revision(Revision::new(n)));
        }
    }
    (starts, untils)
}

fn yields(case: &Case, store: &dyn EventStore, log: &[RecordedEvent], read: Read) {
    let wanted = positions(wanted(log, &read));
    let found = positions(&case.read(store, read.clone()));
    if found != wanted {
        case.row(format_args!("{read:?}")).equal("the positions it yields", &found, &wanted);
    }
    counts(case, store, read, wanted.len());
}

fn counts(case: &Case, store: &dyn EventStore, read: Read, wanted: usize) {
    let count = case.ok("a count", store.count(read.clone()));
    if count != wanted as u64 {
        let case = Case::new("a count is the number of events a read yields", format_args!("{read:?}"));
        case.equal("the count", &count, &(wanted as u64));
    }
}

fn yields_in_full(case: &Case, store: &dyn EventStore, log: &[RecordedEvent], read: Read) {
    let case = case.row(format_args!("{read:?}"));
    let found = case.read(store, read.clone());
    let wanted = wanted(log, &read);
    case.equal("the positions it yields", &positions(&found), &positions(wanted.iter().copied()));
    for (found, wanted) in found.iter().zip(wanted) {
        case.equal("an event it yields", found, wanted);
    }
}

fn says_what_is_not_there(store: &dyn EventStore) {
    let case = Case::new("a read of what cannot be read says why", "");
    let nowhere = || Read::stream(stream("nowhere"));
    let not_found = format!("{:?}", ReadError::StreamNotFound { stream: stream("nowhere") });
    let no_stream = format!("{:?}", ReadError::RevisionWithoutStream);
    for (log, count) in [("the empty log", 0), ("a log of 3 events", 3)] {
        case.append(store, Append::to(stream("here"), ExpectedRevision::Any, events(count)));
        // Named by an append, but without an event: still no stream.
        case.append(
            store,
            Append::to(stream("here"), ExpectedRevision::Any, [])
                .expecting(stream("nowhere"), ExpectedRevision::NoStream),
        );
        let revision = Revision::FIRST;
        let refused = [
            (nowhere(), &not_found),
            (nowhere().backward(), &not_found),
            (nowhere().limit(0), &not_found),
            (nowhere().skip(1), &not_found),
            (nowhere().from(Start::Revision(revision)), &not_found),
            (nowhere().from(Start::Position(Position::MAX)), &not_found),
            (nowhere().until(Until::Position(Position::FIRST)), &not_found),
            (Read::all().from(Start::Revision(revision)), &no_stream),
            (Read::all().until(Until::Revision(revision)), &no_stream),
            (Read::all().backward().from(Start::Revision(Revision::MAX)), &no_stream),
            (Read::all().from(Start::Revision(revision)).limit(0), &no_stream),
            (Read::query(Query::all()).from(Start::Revision(revision)), &no_stream),
            (Read::query(query(&["Counted"], &[])).backward().until(Until::Revision(revision)), &no_stream),
        ];
        for (read, wanted) in refused {
            let case = case.row(format_args!("{log}, {read:?}"));
            match store.count(read.clone()) {
                Ok(count) => case.fail(format_args!("expected {wanted}, but {count} were counted")),
                Err(error) => case.equal("the error of a count", &format!("{error:?}"), wanted),
            }
            match store.read(read) {
                Ok(_) => case.fail(format_args!("expected {wanted}, but it was accepted")),
                Err(error) => case.equal("the error", &format!("{error:?}"), wanted),
            }
        }
        let far = Position::new(1_000);
        let empty = [
            Read::all().from(Start::Position(far)),
            Read::all().from(Start::Position(Position::MAX)),
            Read::all().limit(0),
            Read::all().backward().limit(0),
            Read::all().from(Start::Position(Position::new(2))).until(Until::Position(Position::new(1))),
            Read::query(query(&["Unheard"], &[])),
            Read::query(query(&["Unheard"], &[])).backward(),
            Read::query(Query::all()).from(Start::Position(far)),
            Read::query(Query::beginnings()).skip(1),
            Read::query(Query::beginnings()).backward().skip(1),
            Read::all().skip(3),
            Read::all().backward().skip(u64::MAX),
        ];
        for read in empty {
            let case = case.row(format_args!("{log}, {read:?}"));
            counts(&case, store, read.clone(), 0);
            case.equal("the events", &case.read(store, read), &Vec::new());
        }
        for read in [
            Read::all(),
            Read::all().backward(),
            Read::all().backward().from(Start::Position(far)),
            Read::query(Query::all()).backward().from(Start::Position(Position::MAX)),
        ] {
            let case = case.row(format_args!("{log}, {read:?}"));
            case.equal("how many events", &case.read(store, read).len(), &(count as usize));
        }
    }
    for read in [
        Read::stream(stream("here")).from(Start::Revision(Revision::new(3))),
        Read::stream(stream("here")).from(Start::Position(Position::new(3))),
        Read::stream(stream("here")).limit(0),
    ] {
        let case = case.row(format_args!("a stream of 3 events, {read:?}"));
        case.equal("the events", &case.read(store, read), &Vec::new());
    }
}

/// Enough that no store holds a whole read in its hands.
const LONG: u64 = 3_000;

fn sees_what_was_committed_when_it_began(store: &dyn EventStore) {
    let case = Case::new("a read sees what was committed when it began, and nothing later", "");
    let name = stream("long");
    let more = || (0..250).map(|_| event("Counted", &["mark"]));
    let append = || Append::to(name.clone(), ExpectedRevision::Any, more());
    for _ in 0..LONG / 250 {
        case.append(store, append());
    }
    let selections = [
        Selection::All,
        Selection::Stream(name.clone()),
        Selection::Query(query(&["Counted"], &[])),
        Selection::Query(query(&[], &["mark"])),
    ];
    let mut length = LONG;
    for selection in selections {
        for (direction, taken) in [
            (Direction::Forward, 0),
            (Direction::Forward, 1),
            (Direction::Backward, 0),
            (Direction::Backward, 1),
        ] {
            let case =
                case.row(format_args!("{selection:?} {direction:?}, {taken} read before more is appended"));
            let read = Read { direction, ..Read::of(selection.clone()) };
            let mut events = case.ok("a read", store.read(read));
            let mut found = Vec::new();
            for _ in 0..taken {
                found.extend(events.next().map(|event| case.ok("reading on", event)));
            }
            case.append(store, append());
            case.append(
                store,
                Append::to(stream("other"), ExpectedRevision::Any, [event("Counted", &["mark"])]),
            );
            found.extend(events.map(|event| case.ok("reading on", event)));
            let mut found = positions(&found);
            if direction == Direction::Backward {
                found.reverse();
            }
            let of_stream = matches!(selection, Selection::Stream(_));
            let before: Vec<_> = match of_stream {
                // After the first 3,000 every 251st event is of the other stream.
                true => (0..length).filter(|n| *n < LONG || (n - LONG) % 251 != 250).collect(),
                false => counted(0..length),
            };
            same_positions(&case, &found, &before);
            length += 251;
        }
    }
}

/// As `equal`, but says where two long lists part.
fn same_positions(case: &Case, found: &[u64], wanted: &[u64]) {
    let parting = found.iter().zip(wanted).position(|(found, wanted)| found != wanted);
    if let Some(place) = parting {
        case.equal(&format!("the {place}th position"), &found[place], &wanted[place]);
    }
    case.equal("how many events", &found.len(), &wanted.len());
}

/// Where an index or a cache ends, a read must not.
fn reads_a_long_log(store: &dyn EventStore) {
    let case = Case::new("a read of a long log yields exactly the selected events between its ends", "");
    let rare = |n: u64| {
        let name = stream(if n.is_multiple_of(2) { "rare" } else { "other" });
        Append::to(name, ExpectedRevision::Any, [event("Rare", &[&format!("n:{n}"), "rare"])])
    };
    for n in 0..12 {
        case.append(store, rare(n));
        fill(&case, store, 333);
    }
    let log = case.log(store);
    case.equal("the positions", &positions(&log), &counted(0..12 * 334));
    let last = log.len() as u64 - 1;
    let selections: [(&str, Selection); 8] = [
        ("all", Selection::All),
        ("a rare stream", Selection::Stream(stream("rare"))),
        ("a frequent stream", Selection::Stream(stream("noise"))),
        ("a rare tag", Selection::Query(query(&[], &["rare"]))),
        ("a rare type or one rare tag", Selection::Query(query(&["Rare"], &["n:5"]))),
        ("the first of each stream", Selection::Query(Query::beginnings())),
        (
            "a rare tag or a frequent one",
            Selection::Query(query(&[], &["rare"]).or(item(&[], &["noise:odd"]))),
        ),
        ("half of the frequent", Selection::Query(query(&[sample::NOISE], &["noise:odd"]))),
    ];
    for (name, selection) in selections {
        for direction in [Direction::Forward, Direction::Backward] {
            for from in [Start::Edge, at(1), at(1_999), at(last), at(last + 1)] {
                for until in [Until::Edge, end(0), end(335), end(2_004), end(last)] {
                    for (skip, limit) in [(0, None), (0, Some(700)), (5, Some(2)), (1_500, None)] {
                        let read = Read { selection: selection.clone(), direction, from, until, skip, limit };
                        let case = case.row(format_args!("{name}, {read:?}"));
                        let wanted = positions(wanted(&log, &read));
                        same_positions(&case, &positions(&case.read(store, read.clone())), &wanted);
                        counts(&case, store, read, wanted.len());
                    }
                }
            }
        }
    }
}

fn at(position: u64) -> Start {
    Start::Position(Position::new(position))
}

fn end(position: u64) -> Until {
    Until::Position(Position::new(position))
}
