//! The canonical events: orders, as JSON of 200 to 500 bytes with one tag, in
//! 131,072 streams.
//!
//! What costs time is done beforehand: a pool of payloads, the stream names
//! and the tags are made once from a seed, and an event of the measured part
//! is a few shared references and a fresh id. Ids are made of a counter, so
//! no two events of a run have the same one.
//!
//! ```text
//!   id   ssssssss-ssss-8sss-ggcc-cccccccccccc     s spread   g generator   c counter
//! ```

use std::iter;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use factum_core::{Append, EventType, ExpectedRevision, NewEvent, StreamName, StreamWrite, Tag, Tags};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use uuid::Uuid;

use crate::BenchError;

/// How many payloads and tags there are to choose from.
const POOL: usize = 8_192;
const TYPES: [&str; 6] =
    ["OrderPlaced", "OrderLineAdded", "OrderPaid", "OrderPacked", "OrderShipped", "OrderDelivered"];
const WORDS: [&str; 12] = [
    "leave",
    "with",
    "neighbour",
    "ring",
    "twice",
    "gift",
    "fragile",
    "call",
    "before",
    "garden",
    "second",
    "floor",
];

/// What the events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSpec {
    /// Bytes of data of every event; `None`: 200 to 500, as they come.
    pub size: Option<usize>,
    /// How many streams there are.
    pub streams: usize,
    /// How the stream of an append is chosen.
    pub choice: Choice,
    /// What the choices and payloads are made from.
    pub seed: u64,
}

/// How the stream of an append is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Each as likely as the other.
    Uniform,
    /// The n-th with a weight of 1 / n^0.99: few streams get most events.
    Zipf,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "uniform" => Ok(Self::Uniform),
            "zipf" => Ok(Self::Zipf),
            other => Err(format!("`{other}` is no way to choose streams: use uniform or zipf")),
        }
    }
}

impl Default for EventSpec {
    fn default() -> Self {
        Self { size: None, streams: 131_072, choice: Choice::Uniform, seed: 1 }
    }
}

/// Everything events are put together from; generators share it.
pub struct Workload {
    spec: EventSpec,
    types: Vec<EventType>,
    payloads: Vec<Bytes>,
    tags: Vec<Tags>,
    streams: Vec<StreamName>,
    /// With [`Choice::Zipf`]: the weight of all streams up to each.
    weights: Vec<f64>,
    generators: AtomicU64,
}

impl Workload {
    /// Makes the pools. Takes well under a second.
    pub fn new(spec: EventSpec) -> Result<Arc<Self>, BenchError> {
        if spec.streams == 0 {
            return Err(BenchError::Option { name: "streams", value: "0".into(), allowed: "at least 1" });
        }
        if let Some(size) = spec.size
            && (size == 0 || size as u64 > NewEvent::BYTES_MAX)
        {
            let value = size.to_string();
            return Err(BenchError::Option { name: "size", value, allowed: "1 byte to 16 MiB" });
        }
        let mut random = ChaCha8Rng::seed_from_u64(spec.seed);
        // Large payloads are fewer, so that the pool stays a few megabytes.
        let pool = spec.size.map_or(POOL, |size| (64 * 1_024 * 1_024 / size).clamp(1, POOL));
        let valid = "the names of the workload are short and printable";
        let tag = |number| Tags::new([Tag::new(format!("customer:{number:06}")).expect(valid)]).expect(valid);
        let mut weight = 0.0;
        let weights = match spec.choice {
            Choice::Uniform => Vec::new(),
            Choice::Zipf => (1..=spec.streams)
                .map(|place| {
                    weight += (place as f64).powf(-0.99);
                    weight
                })
                .collect(),
        };
        Ok(Arc::new(Self {
            spec,
            types: TYPES.into_iter().map(|name| EventType::new(name).expect(valid)).collect(),
            payloads: (0..pool)
                .map(|_| {
                    let size = spec.size.unwrap_or_else(|| 200 + below(&mut random, 301));
                    payload(&mut random, size)
                })
                .collect(),
            tags: (0..POOL).map(tag).collect(),
            streams: (0..spec.streams)
                .map(|number| StreamName::new(format!("order-{number:07}")).expect(valid))
                .collect(),
            weights,
            generators: AtomicU64::new(0),
        }))
    }

    /// A source of appends of its own; each thread has one.
    pub fn generator(self: &Arc<Self>) -> Generator {
        let number = self.generators.fetch_add(1, Ordering::Relaxed);
        Generator {
            workload: self.clone(),
            random: ChaCha8Rng::seed_from_u64(self.spec.seed ^ (number + 1).rotate_left(32)),
            spread: Uuid::new_v4().as_u64_pair().0,
            number,
            count: 0,
        }
    }

    /// All stream names.
    pub fn streams(&self) -> &[StreamName] {
        &self.streams
    }
}

/// An append, and what it carries.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is given to the store.
    pub append: Append,
    /// How many events are in it.
    pub events: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
}

impl Request {
    fn of(append: Append) -> Self {
        let events = append.writes.iter().flat_map(|write| &write.events);
        let (events, data_bytes) =
            events.fold((0, 0), |(count, bytes), event| (count + 1, bytes + event.data.len() as u64));
        Self { append, events, data_bytes }
    }
}

/// Makes appends, one after the other.
pub struct Generator {
    workload: Arc<Workload>,
    random: ChaCha8Rng,
    /// Makes the ids of two runs over one store different.
    spread: u64,
    number: u64,
    count: u64,
}

impl Generator {
    /// An append of so many events to one stream, wherever that stands.
    pub fn append(&mut self, events: usize) -> Request {
        let stream = self.stream();
        let events: Vec<_> = iter::repeat_with(|| self.event()).take(events).collect();
        Request::of(Append::to(stream, ExpectedRevision::Any, events))
    }

    /// An append of one event to `stream`, and of the rest of `events` to
    /// other streams: how one stream comes to lie scattered among many.
    pub fn append_among(&mut self, stream: &StreamName, events: usize) -> Request {
        let mut append = Append::to(stream.clone(), ExpectedRevision::Any, [self.event()]);
        for _ in 1..events {
            let (other, event) = (self.stream(), self.event());
            match append.writes.iter_mut().find(|write| write.stream == other) {
                Some(write) => write.events.push(event),
                None => append.writes.push(StreamWrite {
                    stream: other,
                    expected: ExpectedRevision::Any,
                    events: vec![event],
                }),
            }
        }
        Request::of(append)
    }

    /// A stream, as the workload chooses them.
    pub fn stream(&mut self) -> StreamName {
        let streams = &self.workload.streams;
        let place = match self.workload.weights.last() {
            None => below(&mut self.random, streams.len()),
            Some(all) => {
                let wanted = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * all;
                self.workload.weights.partition_point(|weight| *weight <= wanted).min(streams.len() - 1)
            }
        };
        streams[place].clone()
    }

    fn event(&mut self) -> NewEvent {
        let chosen = self.random.next_u64() as usize;
        let workload = &self.workload;
        let id = event_id(self.spread, self.number, self.count);
        self.count += 1;
        NewEvent {
            id,
            event_type: workload.types[chosen % workload.types.len()].clone(),
            schema_version: 1,
            content_type: Default::default(),
            data: workload.payloads[(chosen >> 8) % workload.payloads.len()].clone(),
            metadata: Bytes::new(),
            tags: workload.tags[(chosen >> 32) % workload.tags.len()].clone(),
            occurred_at: None,
            correlation_id: None,
            causation_id: None,
        }
    }
}

/// Unique by its low half, spread by its high half, and of the version (8)
/// that is free for such uses.
fn event_id(spread: u64, generator: u64, count: u64) -> Uuid {
    let high = mix(spread ^ mix(count)) & !0xf000 | 0x8000;
    let low = 0b10 << 62 | (generator & 0x3fff) << 48 | (count & 0xffff_ffff_ffff);
    Uuid::from_u64_pair(high, low)
}

/// Spreads a number over 64 bits (the finishing steps of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

fn below(random: &mut ChaCha8Rng, limit: usize) -> usize {
    ((u128::from(random.next_u64()) * limit as u128) >> 64) as usize
}

/// JSON of exactly this many bytes: an order as far as there is room, else
/// some shorter JSON.
fn payload(random: &mut ChaCha8Rng, bytes: usize) -> Bytes {
    let mut text = format!(
        r#"{{"order":"{}","customer":"c-{:06}","currency":"EUR","lines":["#,
        Uuid::from_u64_pair(random.next_u64(), random.next_u64()),
        below(random, 1_000_000)
    );
    const NOTE: &str = r#"],"note":""#;
    const END: &str = r#""}"#;
    let around = NOTE.len() + END.len();
    if text.len() + around > bytes {
        return match bytes {
            1 => Bytes::from_static(b"1"),
            _ => Bytes::from(format!("\"{}\"", "x".repeat(bytes - 2))),
        };
    }
    for count in 0..8 {
        let line = format!(
            r#"{}{{"sku":"SKU-{:05}","quantity":{},"price_cents":{}}}"#,
            if count > 0 { "," } else { "" },
            below(random, 100_000),
            1 + below(random, 9),
            99 + below(random, 50_000)
        );
        if text.len() + line.len() + around > bytes {
            break;
        }
        text.push_str(&line);
    }
    text.push_str(NOTE);
    while text.len() + END.len() < bytes {
        text.push_str(WORDS[below(random, WORDS.len())]);
        text.push(' ');
    }
    text.truncate(bytes - END.len());
    text.push_str(END);
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn small(spec: EventSpec) -> Generator {
        Workload::new(EventSpec { streams: 100, ..spec }).unwrap().generator()
    }

    #[test]
    fn events_are_json_of_200_to_500_bytes_with_one_tag() {
        let mut generator = small(EventSpec::default());
        for _ in 0..1_000 {
            let request = generator.append(1);
            let event = &request.append.writes[0].events[0];
            assert!((200..=500).contains(&event.data.len()), "{}", event.data.len());
            assert_eq!(request.data_bytes, event.data.len() as u64);
            let order: serde_json::Value = serde_json::from_slice(&event.data).unwrap();
            assert!(order["order"].is_string(), "{order}");
            assert_eq!(event.tags.iter().count(), 1);
            request.append.validate().unwrap();
        }
    }

    #[test]
    fn a_size_that_is_asked_for_is_met_exactly_and_is_json() {
        for size in [1, 2, 50, 99, 130, 199, 256, 4_096, 70_000] {
            let request = small(EventSpec { size: Some(size), ..EventSpec::default() }).append(1);
            let event = &request.append.writes[0].events[0];
            assert_eq!(event.data.len(), size);
            serde_json::from_slice::<serde_json::Value>(&event.data).unwrap();
        }
    }

    #[test]
    fn no_id_comes_twice_from_any_generator() {
        let workload = Workload::new(EventSpec { streams: 10, ..EventSpec::default() }).unwrap();
        let mut ids = HashSet::new();
        for _ in 0..4 {
            let mut generator = workload.generator();
            for _ in 0..100 {
                for event in &generator.append(50).append.writes[0].events {
                    assert!(ids.insert(event.id), "{}", event.id);
                }
            }
        }
        assert_eq!(ids.len(), 20_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_streams_and_payloads() {
        let told = |seed| {
            let mut generator = small(EventSpec { seed, ..EventSpec::default() });
            let write = |mut request: Request| request.append.writes.remove(0);
            (0..50)
                .map(|_| write(generator.append(1)))
                .map(|w| (w.stream, w.events[0].data.clone()))
                .collect()
        };
        let (one, again, other): (Vec<_>, Vec<_>, Vec<_>) = (told(7), told(7), told(8));
        assert_eq!(one, again);
        assert_ne!(one, other);
    }

    #[test]
    fn zipf_prefers_few_streams_and_uniform_none() {
        let busiest = |choice| {
            let mut generator = small(EventSpec { choice, ..EventSpec::default() });
            let mut counts = HashMap::new();
            for _ in 0..10_000 {
                *counts.entry(generator.stream()).or_insert(0) += 1;
            }
            counts.into_values().max().unwrap_or(0)
        };
        assert!(busiest(Choice::Uniform) < 200);
        assert!(busiest(Choice::Zipf) > 1_000);
    }

    #[test]
    fn an_append_among_others_names_no_stream_twice() {
        let mut generator = small(EventSpec::default());
        let one = StreamName::new("one").unwrap();
        for _ in 0..50 {
            let request = generator.append_among(&one, 100);
            request.append.validate().unwrap();
            assert_eq!(request.events, 100);
            assert_eq!(request.append.writes[0].events.len(), 1);
        }
    }
}
