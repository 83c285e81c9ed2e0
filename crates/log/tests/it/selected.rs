//! What a query selects, found by the index: compared with the store in memory,
//! over logs of many tiny segments, fresh and reopened, with the index files
//! whole, missing, damaged and of an earlier format.

use std::sync::Arc;

use factum_core::*;
use factum_log::disk::faulty::Dice;
use factum_log::disk::{FaultyDisk, MemoryDisk};
use factum_log::{Log, LogOptions, Threads};

use super::fixture;

/// A log of segments of some sixteen appends, and the same events in memory.
pub struct Twins {
    pub disk: MemoryDisk,
    pub log: Option<Log>,
    model: MemoryStore,
    pub clock: Arc<ManualClock>,
    dice: Dice,
}

impl Twins {
    pub fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000)));
        let disk = MemoryDisk::new();
        let log = Some(open(&disk, &clock));
        let model = MemoryStore::with_clock(clock.clone());
        Self { disk, log, model, clock, dice: Dice::new(seed) }
    }

    pub fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.log.take().unwrap().close().unwrap();
        self.log = Some(open(&self.disk, &self.clock));
    }

    pub fn append(&mut self, events: u64) {
        let mut left = events;
        while left > 0 {
            let count = (1 + self.dice.below(6)).min(left);
            left -= count;
            let name = *self.dice.pick(&["cart-1", "cart-2", "cart", "order-1", "$cart-1", "-x", "a b-c-d"]);
            let events: Vec<NewEvent> = (0..count).map(|_| self.event()).collect();
            let append = Append::to(StreamName::new(name).unwrap(), ExpectedRevision::Any, events);
            assert_eq!(
                self.log().append(append.clone()).unwrap().positions,
                self.model.append(append).unwrap().positions
            );
            self.clock.advance(1);
        }
    }

    fn event(&mut self) -> NewEvent {
        // Some kinds and tags are everywhere, some rare.
        let kind = *self.dice.pick(&["Usual", "Usual", "Usual", "Other", "Rare"]);
        let tags: Vec<Tag> = ["usual", "some", "rare"]
            .into_iter()
            .enumerate()
            .filter(|(n, _)| self.dice.below(1 + 4 * *n as u64) == 0)
            .map(|(_, text)| Tag::new(text).unwrap())
            .collect();
        let bytes = self.dice.below(400) as usize;
        NewEvent::new(EventType::new(kind).unwrap(), vec![b' '; bytes]).with_tags(tags).unwrap()
    }

    fn item(&mut self) -> QueryItem {
        let mut chosen = |names: &[&'static str], most: u64| -> Vec<&'static str> {
            let count = self.dice.below(most + 1);
            (0..count).map(|_| *self.dice.pick(names)).collect()
        };
        let categories = chosen(&["cart", "order", "a b", "$cart", "none"], 2);
        let types = chosen(&["Usual", "Other", "Rare", "None"], 2);
        let tags = chosen(&["usual", "some", "rare", "none"], 2);
        QueryItem {
            categories: categories.into_iter().map(|text| Category::new(text).unwrap()).collect(),
            types: types.into_iter().map(|text| EventType::new(text).unwrap()).collect(),
            tags: tags.into_iter().map(|text| Tag::new(text).unwrap()).collect(),
            begins_stream: self.dice.below(10) == 0,
        }
    }

    fn query(&mut self) -> Query {
        let mut query = Query::item(self.item());
        while self.dice.below(3) == 0 {
            query = query.or(self.item());
        }
        query
    }

    /// A few queries, from everywhere to everywhere.
    pub fn compare(&mut self, queries: u64) {
        let end = self.model.last_position().unwrap().map_or(0, |last| last.get() + 1);
        for _ in 0..queries {
            let query = self.query();
            for _ in 0..6 {
                let read = self.read(query.clone(), end);
                let expected = positions(&self.model, read.clone());
                assert_eq!(positions(self.log(), read.clone()), expected, "{read:?}");
                assert_eq!(self.log().count(read.clone()).unwrap(), expected.len() as u64, "{read:?}");
            }
            // As a condition it says whether there is one.
            let after = Position::new(self.dice.below(end));
            let condition = AppendCondition { query: query.clone(), after: Some(after) };
            let append = Append::default().on_condition(condition);
            let (found, expected) = (self.log().append(append.clone()), self.model.append(append));
            assert_eq!(
                format!("{:?}", found.map(|_| ())),
                format!("{:?}", expected.map(|_| ())),
                "{query:?}"
            );
        }
    }

    fn read(&mut self, query: Query, end: u64) -> Read {
        let mut read = Read::query(query);
        if self.dice.below(2) == 0 {
            read = read.backward();
        }
        read.from = match self.dice.below(4) {
            0 => Start::Edge,
            1 => Start::Time(Timestamp::from_micros(990 + self.dice.below(end) as i64)),
            _ => Start::Position(Position::new(self.dice.below(end + 2))),
        };
        read.until = match self.dice.below(4) {
            0 | 1 => Until::Edge,
            2 => Until::Time(Timestamp::from_micros(990 + self.dice.below(end) as i64)),
            _ => Until::Position(Position::new(self.dice.below(end + 2))),
        };
        if self.dice.below(2) == 0 {
            read.skip = self.dice.below(end / 2 + 1);
        }
        if self.dice.below(2) == 0 {
            read.limit = Some(self.dice.below(20));
        }
        read
    }
}

fn open(disk: &MemoryDisk, clock: &Arc<ManualClock>) -> Log {
    Log::open_on(Arc::new(disk.clone()), options(clock)).unwrap()
}

/// Of a log of tiny segments, without threads.
pub fn options(clock: &Arc<ManualClock>) -> LogOptions {
    LogOptions {
        threads: Threads::None,
        segment_bytes_first: fixture::SEGMENT,
        segment_bytes_max: fixture::SEGMENT,
        clock: clock.clone(),
        ..LogOptions::default()
    }
}

fn positions(store: &dyn EventStore, read: Read) -> Vec<u64> {
    store.read(read).unwrap().map(|event| event.unwrap().position.get()).collect()
}

#[test]
fn the_index_finds_what_a_scan_finds() {
    for seed in 0..8 {
        let mut twins = Twins::new(seed);
        for round in 0..5 {
            twins.append(120);
            twins.compare(25);
            if round % 2 == 1 {
                twins.reopen();
                twins.compare(10);
            }
        }
        let sealed = twins.log().stats().segments.iter().filter(|segment| segment.sealed).count();
        assert!(sealed >= 3, "{sealed} segments have their index");
    }
}

/// A key that no event of a segment has, one that all have, and everything between.
#[test]
fn every_number_of_every_query_is_found_both_ways() {
    let mut twins = Twins::new(99);
    twins.append(150);
    twins.reopen();
    let queries = [
        Query::types([EventType::new("Rare").unwrap()]),
        Query::tags([Tag::new("usual").unwrap()]),
        Query::categories([Category::new("cart").unwrap()]),
        Query::categories(["order", "a b"].map(|text| Category::new(text).unwrap())),
        Query::tags(["some", "usual"].map(|text| Tag::new(text).unwrap())),
        Query::beginnings(),
        Query::beginnings().or(QueryItem { tags: vec![Tag::new("rare").unwrap()], ..QueryItem::default() }),
    ];
    for query in queries {
        let all = positions(&twins.model, Read::query(query.clone()));
        assert!(!all.is_empty(), "{query:?}");
        for n in 0..all.len() as u64 + 2 {
            let read = Read::query(query.clone()).skip(n);
            let forward: Vec<u64> = all.iter().copied().skip(n as usize).collect();
            assert_eq!(positions(twins.log(), read.clone()), forward, "{read:?}");
            let backward: Vec<u64> = all.iter().rev().copied().skip(n as usize).collect();
            assert_eq!(positions(twins.log(), read.backward()), backward, "{query:?} {n}");
        }
    }
}

/// Half of the events, so that both kinds are in every segment.
fn even() -> Query {
    Query::tags([Tag::new("even").unwrap()])
}

fn tagged(number: u64) -> NewEvent {
    let tag = if number.is_multiple_of(2) { "even" } else { "odd" };
    fixture::event(number).with_tags([Tag::new(tag).unwrap()]).unwrap()
}

fn tagged_store(events: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(events);
    let log = fixture::open(&disk).unwrap();
    for number in 0..events {
        log.append(Append::to(fixture::stream(number), ExpectedRevision::Any, [tagged(number)])).unwrap();
    }
    log.close().unwrap();
    disk
}

#[test]
fn a_wrong_index_file_costs_no_answer() {
    let whole = tagged_store(fixture::EVENTS);
    let right = whole.content(&fixture::index(1)).unwrap();
    let expected: Vec<u64> = (0..fixture::EVENTS).step_by(2).collect();
    let earlier = {
        let mut earlier = right.clone();
        earlier[8] = 1;
        earlier
    };
    let mut harms: Vec<(String, Option<Vec<u8>>)> = vec![
        ("missing".into(), None),
        ("empty".into(), Some(Vec::new())),
        ("of an earlier format".into(), Some(earlier)),
        ("half".into(), Some(right[..right.len() / 2].to_vec())),
    ];
    for at in (0..right.len()).step_by(5) {
        let mut content = right.clone();
        content[at] ^= 4;
        harms.push((format!("wrong at {at}"), Some(content)));
    }
    for (harm, content) in harms {
        let disk = whole.crash(&factum_log::disk::faulty::CrashPlan::Kill);
        match content {
            Some(content) => disk.put(&fixture::index(1), content).unwrap(),
            None => disk.erase(&fixture::index(1)).unwrap(),
        }
        for open in [fixture::open_read, fixture::open] {
            let log = open(&disk).unwrap();
            assert_eq!(positions(&log, Read::query(even())), expected, "{harm}");
            let backward: Vec<u64> = expected.iter().rev().copied().collect();
            assert_eq!(positions(&log, Read::query(even()).backward()), backward, "{harm}");
            assert_eq!(log.count(Read::query(even())).unwrap(), expected.len() as u64, "{harm}");
            assert_eq!(log.recovery().indexes_rebuilt.first().map(|(number, _)| *number), Some(1), "{harm}");
            log.close().unwrap();
        }
        assert_eq!(disk.content(&fixture::index(1)).unwrap(), right, "{harm}");
    }
}

/// A lying index whose checksum is right: what it names wrongly is noticed.
#[test]
fn an_index_that_names_other_events_is_built_again() {
    let disk = tagged_store(fixture::EVENTS);
    let name = fixture::index(1);
    let mut lying = disk.content(&name).unwrap();
    // Every posting of a key names the event beside the right one.
    let field = |at: usize| u32::from_le_bytes(lying[at..at + 4].try_into().unwrap()) as usize;
    let [events, batches, streams, keys] = [76, 80, 84, 88].map(field);
    let of_keys = 96 + 24 * batches + 40 * streams + 24 * keys + 4 * events + events;
    lying[of_keys..].iter_mut().for_each(|posting| *posting ^= 1);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&lying[..92]), &lying[96..]);
    lying[92..96].copy_from_slice(&crc.to_le_bytes());
    disk.put(&name, lying).unwrap();
    let log = fixture::open(&disk).unwrap();
    for query in ["even", "odd"].map(|text| Query::tags([Tag::new(text).unwrap()])) {
        let wanted = positions(&log, Read::all().limit(fixture::EVENTS));
        let parity = u64::from(query != even());
        let wanted: Vec<u64> = wanted.into_iter().filter(|n| n % 2 == parity).collect();
        assert_eq!(positions(&log, Read::query(query)), wanted);
    }
}

/// Where events are lost, no query passes over the loss in silence.
#[test]
fn what_is_lost_is_met_by_every_query() {
    let disk = tagged_store(fixture::EVENTS);
    // In the segment that is being filled.
    let log = fixture::open(&disk).unwrap();
    let first = log.stats().segments[2].first_position.unwrap().get();
    log.close().unwrap();
    let lost = first + 1;
    let at = fixture::BLOCK + fixture::BLOCK * (lost - first);
    disk.flip_bit(&fixture::segment(3), at + 300, 1).unwrap();
    let log = fixture::open_read(&disk).unwrap();
    assert!(log.recovery().damage.is_some());
    for query in [even(), Query::tags([Tag::new("odd").unwrap()])] {
        let found: Vec<_> = log.read(Read::query(query.clone())).unwrap().collect();
        let error = found.iter().find_map(|event| event.as_ref().err()).expect("it says so");
        assert!(fixture::told(error).contains("is not whole"), "{}", fixture::told(error));
        let before = found.iter().map_while(|event| event.as_ref().ok());
        assert!(before.clone().count() >= 10 && before.clone().all(|event| event.position.get() < lost));
        assert!(log.count(Read::query(query.clone())).is_err());
        let behind = Read::query(query).from(Start::Position(Position::new(lost + 1)));
        assert!(positions(&log, behind.clone()).len() >= 2, "what lies behind is served");
        assert!(log.count(behind).unwrap() >= 2);
    }
}

/// A store that nobody reads keeps no index in memory; whoever reads by a segment
/// finds its index at hand when it is sealed.
#[test]
fn an_index_is_in_memory_for_those_who_read() {
    let by_query = |log: &Log| assert!(log.count(Read::query(even())).unwrap() > 0);
    let by_stream = |log: &Log| assert!(log.read(Read::stream(fixture::stream(0))).unwrap().count() > 0);
    for (asks, at_hand) in [(None::<&dyn Fn(&Log)>, false), (Some(&by_query), true), (Some(&by_stream), true)]
    {
        let disk = FaultyDisk::new(7);
        let log = fixture::open(&disk).unwrap();
        let append = |number| {
            let append = Append::to(fixture::stream(number), ExpectedRevision::Any, [tagged(number)]);
            log.append(append).unwrap();
        };
        (0..10).for_each(append);
        asks.into_iter().for_each(|ask| ask(&log));
        (10..20).for_each(append);
        assert!(log.stats().segments[0].sealed);
        let before = disk.operations();
        assert_eq!(log.count(Read::query(even())).unwrap(), 10);
        assert_eq!(disk.operations() == before, at_hand, "at hand: {at_hand}");
        let before = disk.operations();
        assert_eq!(log.count(Read::query(even())).unwrap(), 10);
        assert_eq!(disk.operations(), before, "it was asked by now");
    }
}

/// A store that is only read stays as it is, whoever pumps.
#[test]
fn a_missing_index_of_a_store_that_is_only_read_stays_missing() {
    let disk = tagged_store(fixture::EVENTS);
    disk.erase(&fixture::index(1)).unwrap();
    let log = fixture::open_read(&disk).unwrap();
    log.pump().unwrap();
    assert_eq!(log.count(Read::query(even())).unwrap(), fixture::EVENTS / 2);
    log.close().unwrap();
    assert!(disk.content(&fixture::index(1)).is_err());
}

/// Numbers cost looks at indexes, not at events.
#[test]
fn the_last_of_many_is_found_without_reading_the_others() {
    let disk = tagged_store(607);
    let log = fixture::open(&disk).unwrap();
    log.pump().unwrap();
    assert_eq!(log.count(Read::query(even())).unwrap(), 304);
    let before = disk.operations();
    assert_eq!(log.count(Read::query(even())).unwrap(), 304);
    assert_eq!(disk.operations(), before, "the indexes are at hand");
    assert_eq!(positions(&log, Read::query(even()).skip(303)), [606]);
    assert_eq!(positions(&log, Read::query(even()).backward().skip(303)), [0]);
    assert!(disk.operations() - before <= 6, "{} operations", disk.operations() - before);
    // A condition on what was never there reads no event either.
    let never = AppendCondition { query: Query::tags([Tag::new("never").unwrap()]), after: None };
    let before = disk.operations();
    log.append(Append::default().on_condition(never)).unwrap();
    assert_eq!(disk.operations(), before);
    let ever = AppendCondition { query: even(), after: Some(Position::new(605)) };
    let refused = log.append(Append::default().on_condition(ever)).unwrap_err();
    assert!(matches!(refused, AppendError::ConditionFailed { position } if position.get() == 606));
}
