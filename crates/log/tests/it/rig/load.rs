//! What the process does until it is killed, and how anyone can tell from an
//! event's id which append it belongs to, and everything that is in it.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use factum_core::*;
use factum_log::disk::faulty::Dice;
use factum_log::{Create, Log, LogOptions, Threads};
use futures_executor::block_on;

use super::prey::{CLOSED, MARK, PATH, VARIABLE};

/// Writers of one life.
pub const WRITERS: u32 = 4;
/// Streams that all writers write to.
const SHARED: u64 = 6;
/// Appends one writer has under way at once, if it does not wait for each.
const IN_FLIGHT: usize = 16;

/// Names one append of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub life: u32,
    pub writer: u32,
    pub number: u32,
}

impl Name {
    /// The id of one of its events.
    pub fn id(self, event: u32) -> Uuid {
        let name =
            u128::from(self.life) << 96 | u128::from(self.writer) << 64 | u128::from(self.number) << 32;
        Uuid::from_u128(name | u128::from(event))
    }

    /// The append an event belongs to, and its place in it.
    pub fn of(id: Uuid) -> (Self, u32) {
        let id = id.as_u128();
        let name = Self { life: (id >> 96) as u32, writer: (id >> 64) as u32, number: (id >> 32) as u32 };
        (name, id as u32)
    }

    /// The whole append. Its expectations are `Any`.
    pub fn append(self, seed: u64) -> Append {
        let mut dice =
            Dice::new(seed ^ self.id(0).as_u64_pair().0 ^ self.id(0).as_u64_pair().1.rotate_left(17));
        let mut append = Append::default();
        let mut event = 0;
        let writes = if dice.chance(80) { 1 } else { 2 + dice.below(3) };
        let first = dice.below(SHARED);
        for write in 0..writes {
            let stream = format!("shared-{}", (first + write) % SHARED);
            let count = if dice.chance(70) { 1 } else { 1 + dice.below(12) };
            let events = (0..count).map(|_| {
                event += 1;
                self.event(event - 1, &mut dice)
            });
            append = append.and_to(StreamName::new(stream).unwrap(), ExpectedRevision::Any, events);
        }
        if dice.chance(50) {
            let own = StreamName::new(format!("own-{}", self.writer)).unwrap();
            append = append.and_to(own, ExpectedRevision::Any, [self.event(event, &mut dice)]);
        }
        append
    }

    fn event(self, event: u32, dice: &mut Dice) -> NewEvent {
        let bytes = match dice.below(200) {
            0 => 20_000,
            1..20 => 0,
            _ => dice.below(500),
        };
        let mut data = vec![0; bytes as usize];
        dice.fill(&mut data);
        let mut new = NewEvent::new(EventType::new("Happened").unwrap(), data).with_id(self.id(event));
        new.content_type = ContentType::Binary;
        new.with_tags([Tag::new(format!("writer:{}", self.writer)).unwrap()]).unwrap()
    }
}

/// The stream only this writer writes to; its expectations are exact.
pub fn is_own(stream: &StreamName) -> bool {
    stream.as_str().starts_with("own-")
}

/// How a life opens the store: never twice alike.
pub fn options(seed: u64, life: u32) -> LogOptions {
    const KIB: u64 = 1024;
    let mut dice = Dice::new(seed.rotate_left(32) ^ u64::from(life));
    // Written down when the store is created, so the same for all its lives.
    let first = *Dice::new(seed).pick(&[64 * KIB, 64 * KIB, 256 * KIB]);
    LogOptions {
        // A kill may leave the directory and nothing in it.
        create: Create::IfEmpty,
        threads: if dice.chance(75) { Threads::Own } else { Threads::None },
        segment_bytes_first: first,
        segment_bytes_max: 4 * first,
        tail_bytes_max: *dice.pick(&[0, 16 * KIB, 1024 * KIB, 64 * 1024 * KIB]),
        queue_bytes_max: *dice.pick(&[4 * KIB, 64 * 1024 * KIB]),
        recent_events_max: *dice.pick(&[10_000, 1 << 18]),
        index_bytes_max: *dice.pick(&[KIB, 1024 * 1024]),
        zero_segments: dice.chance(70),
        ..LogOptions::default()
    }
}

fn say(line: &str) {
    // One write: a kill cuts no line in two that the pipe has room for.
    let line = format!("{MARK}{line}\n");
    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// The process: writers and a follower, until it is killed or has done enough.
pub fn work() {
    let Ok(told) = std::env::var(VARIABLE) else { return };
    let (seed, life) = told.split_once(' ').unwrap();
    let (seed, life): (u64, u32) = (seed.parse().unwrap(), life.parse().unwrap());
    // Does not outlive the one who listens.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    let log = Log::open(&path, options(seed, life)).unwrap();
    // One life in eight ends well, if it is not killed before.
    let enough = if life % 8 == 7 { 40 } else { u32::MAX };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| follow(&log, &is_over));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let log = &log;
                scope.spawn(move || write(log, seed, life, writer, enough))
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    log.close().unwrap();
    say(CLOSED);
}

/// Appends, and says each receipt as soon as it is there.
fn write(log: &Log, seed: u64, life: u32, writer: u32, enough: u32) {
    let own = StreamName::new(format!("own-{writer}")).unwrap();
    let mut at = log.last_revision(&own).unwrap();
    let mut under_way: VecDeque<(Name, AppendFuture)> = VecDeque::new();
    // Half of them wait for each answer, half have many appends under way.
    let waits = writer.is_multiple_of(2);
    for number in 0..enough {
        let name = Name { life, writer, number };
        let mut append = name.append(seed);
        for write in append.writes.iter_mut().filter(|write| is_own(&write.stream)) {
            write.expected = at.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact);
            at = Some(at.map_or(Revision::FIRST, Revision::next));
        }
        if waits {
            acknowledge(name, log.append(append));
        } else {
            under_way.push_back((name, log.append_async(&append)));
            if under_way.len() >= IN_FLIGHT {
                answer(log, &mut under_way);
            }
        }
    }
    while !under_way.is_empty() {
        answer(log, &mut under_way);
    }
}

fn answer(log: &Log, under_way: &mut VecDeque<(Name, AppendFuture)>) {
    // Where it has no threads, somebody must.
    log.pump().unwrap();
    if let Some((name, future)) = under_way.pop_front() {
        acknowledge(name, block_on(future));
    }
}

fn acknowledge(name: Name, answer: Result<Appended, AppendError>) {
    let appended = answer.unwrap();
    assert_eq!(appended.durability, Durability::Disk);
    assert!(!appended.repeated, "{name:?} was never appended before");
    say(&receipt(name, &appended));
}

/// A receipt as a line.
pub fn receipt(name: Name, appended: &Appended) -> String {
    let Name { life, writer, number } = name;
    let positions = appended.positions.clone().unwrap();
    let revisions: Vec<_> = appended.revisions.iter().map(|revision| revision.unwrap().to_string()).collect();
    let (first, last) = (positions.start(), positions.end());
    format!("a {life} {writer} {number} {first} {last} {}", revisions.join(","))
}

/// Follows the log, and says now and then what it has seen.
fn follow(log: &Log, is_over: &AtomicBool) {
    let last = log.last_position().unwrap();
    let from = last.map_or(SubscribeFrom::Start, SubscribeFrom::After);
    let mut subscription = log.subscribe(Subscribe::to(Selection::All).from(from)).unwrap();
    let mut due = last.map_or(Position::FIRST, Position::next);
    while !is_over.load(Ordering::Relaxed) {
        if let Some(Signal::Event(event)) = subscription.next_within(Duration::from_millis(5)).unwrap() {
            assert_eq!(event.position, due, "a follower misses nothing, and sees nothing twice");
            due = due.next();
            say(&format!("s {} {}", event.position, event.id));
        }
    }
}
