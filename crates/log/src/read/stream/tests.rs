//! What a read of a stream collects before its first event, and from where.

use std::ops::Range;

use factum_core::{Append, EventStore, ExpectedRevision, NewEvent, Position, Read, Revision, Start, Until};

use super::*;
use crate::disk::FaultyDisk;
use crate::{Create, Log, LogOptions, Threads};

const EVENTS: u64 = 5_000;

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn open(disk: &FaultyDisk, segment_bytes: u64) -> Log {
    let options = LogOptions {
        create: Create::IfEmpty,
        threads: Threads::None,
        segment_bytes_first: segment_bytes,
        segment_bytes_max: segment_bytes,
        tail_bytes_max: 0,
        ..LogOptions::default()
    };
    Log::open_on(Arc::new(disk.clone()), options).unwrap()
}

fn append(log: &Log, stream: &str, count: u64) {
    let event = || NewEvent::json("Counted", &().into()).unwrap();
    let events = std::iter::repeat_with(event).take(count as usize);
    log.append(Append::to(name(stream), ExpectedRevision::Any, events)).unwrap();
}

/// The stream `s` and another one beside it, event by event.
fn filled(segment_bytes: u64) -> (FaultyDisk, Log) {
    let disk = FaultyDisk::new(0);
    let log = open(&disk, segment_bytes);
    for _ in 0..EVENTS / 50 {
        append(&log, "s", 50);
        append(&log, "other", 50);
    }
    (disk, log)
}

fn revisions(log: &Log, read: Read) -> Vec<u64> {
    log.read(read).unwrap().map(|event| event.unwrap().revision.get()).collect()
}

const LIVE: u64 = 64 * 1024 * 1024;
const SMALL: u64 = 64 * 1024;

#[test]
fn long_streams_are_read_from_anywhere_and_as_far_as_asked() {
    let take = |range: Range<u64>, limit: u64| range.take(limit as usize).collect::<Vec<_>>();
    for segment_bytes in [LIVE, SMALL] {
        let (_disk, log) = filled(segment_bytes);
        let stream = || Read::stream(name("s"));
        for limit in [1, 7, 1_024, 1_025, 3_000, 9_000] {
            assert_eq!(revisions(&log, stream().limit(limit)), take(0..EVENTS, limit));
            for from in [0, 3, 1_023, 1_024, 2_500, EVENTS - 2, EVENTS] {
                let read = stream().from(Start::Revision(Revision::new(from))).limit(limit);
                assert_eq!(revisions(&log, read), take(from..EVENTS, limit), "{from}, {limit}");
                let read = stream().backward().from(Start::Revision(Revision::new(from))).limit(limit);
                let back: Vec<_> = (0..EVENTS.min(from + 1)).rev().take(limit as usize).collect();
                assert_eq!(revisions(&log, read), back, "{from}, {limit}");
            }
            // Revision r of the stream is at position 100 * (r / 50) + r % 50.
            for (from, until) in [(0, 9_949), (149, 149), (150, 8_000), (4_975, 5_025), (9_990, 9_999)] {
                let read = stream()
                    .from(Start::Position(Position::new(from)))
                    .until(Until::Position(Position::new(until)))
                    .limit(limit);
                let within = (0..EVENTS).filter(|r| (from..=until).contains(&(100 * (r / 50) + r % 50)));
                let within: Vec<_> = within.take(limit as usize).collect();
                assert_eq!(revisions(&log, read), within, "{from} to {until}, {limit}");
            }
        }
    }
}

fn walk(engine: &Engine, revisions: Range<u64>) -> (Walk, StreamHash) {
    let hash = engine.store.secret.stream("s");
    let mut bounds = Bounds::positions(0..engine.committed_end());
    bounds.revisions = revisions;
    (Walk { segment: newest_segment(engine, hash, u64::MAX).unwrap(), from: None, bounds }, hash)
}

#[test]
fn a_read_collects_no_more_than_it_may_give() {
    for (segment_bytes, at_once) in [(LIVE, u64::from(STEP_RECORDS)), (SMALL, EVENTS / 4)] {
        let (_disk, log) = filled(segment_bytes);
        let engine = log.engine();
        for limit in [1, 10, 2_000] {
            let (mut walk, hash) = walk(engine, 0..u64::MAX);
            let spans = walk.all(engine, hash, limit).unwrap();
            let lengths: Vec<_> = spans.iter().map(|span| span.offsets.len() as u64).collect();
            let all: u64 = lengths.iter().sum();
            assert!(all >= limit && all < limit + at_once, "{lengths:?}");
        }
    }
}

#[test]
fn appends_are_let_in_between_the_steps_of_a_walk() {
    let (_disk, log) = filled(LIVE);
    let engine = log.engine();
    let (mut walk, hash) = walk(engine, 0..u64::MAX);
    let mut lengths = Vec::new();
    while let Some(span) = walk.next(engine, hash).unwrap() {
        lengths.push(span.offsets.len());
        append(&log, "s", 1);
    }
    assert_eq!(lengths, [1_024, 1_024, 1_024, 1_024, 904]);
}

/// Who follows a stream asks after each commit for what comes behind it.
#[test]
fn what_lies_before_the_beginning_is_not_looked_up() {
    let (disk, log) = filled(SMALL);
    for _ in 0..40 {
        append(&log, "other", 50);
    }
    let end = log.last_position().unwrap().unwrap().next();
    log.close().unwrap();
    let log = open(&disk, SMALL);
    append(&log, "other", 1);
    log.engine().indexes.clear();
    assert_eq!(revisions(&log, Read::stream(name("s")).from(Start::Position(end))), [0; 0]);
    assert_eq!(log.engine().indexes.len(), 0, "an index was read to find nothing");
    assert_eq!(revisions(&log, Read::stream(name("s"))).len() as u64, EVENTS);
    assert_ne!(log.engine().indexes.len(), 0, "the stream is not in sealed segments");
}
