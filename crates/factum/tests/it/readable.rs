//! What is recorded can be read, and is answered for when it is recorded.

use std::cell::Cell;

use factum::event::EncodeError;
use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::homes::everywhere;

#[derive(Id, Clone, Debug, PartialEq)]
struct ProbeId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Probe {
    Measured {
        #[id]
        id: ProbeId,
        degrees: f64,
        #[serde(skip_serializing_if = "String::is_empty")]
        note: String,
    },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Probe)]
struct Readings {
    #[key]
    id: ProbeId,
    degrees: Vec<f64>,
}

impl Evolve<Probe> for Readings {
    fn evolve(&mut self, event: &Probe) {
        let Probe::Measured { degrees, .. } = event;
        assert!(*degrees < 1_000.0, "the probe melts");
        self.degrees.push(*degrees);
    }
}

fn measured(degrees: f64, note: &str) -> Probe {
    Probe::Measured { id: "p".into(), degrees, note: note.into() }
}

#[test]
fn what_could_not_be_read_back_is_not_recorded() {
    everywhere(|store| {
        store.record(measured(1.5, "ok")).run().unwrap();
        for bad in [measured(f64::NAN, "no number"), measured(f64::INFINITY, "none"), measured(2.0, "")] {
            let recorded = store.record(bad.clone()).run().unwrap_err();
            assert!(matches!(recorded, StoreError::Encode(EncodeError::NotReadBack(_))), "{recorded:?}");
            assert!(recorded.to_string().contains("ProbeMeasured version 1"), "{recorded}");
            let decide = |_: &Readings| Ok::<_, &str>([measured(3.0, "good"), bad.clone()]);
            let decided = store.decide(Readings::of("p"), decide).run().unwrap_err();
            assert!(matches!(decided, DecideError::Store(StoreError::Encode(_))), "{decided:?}");
            let queue = Queue::start(&store, QueueOptions::default()).unwrap();
            let decide = move |_: &Readings| Ok::<_, &str>(bad.clone());
            let queued = queue.decide(Readings::of("p"), decide).run().unwrap_err();
            assert!(matches!(queued, QueueError::Store(StoreError::Encode(_))), "{queued:?}");
        }
        assert_eq!(store.load(Readings::of("p")).run().unwrap().degrees, [1.5]);
    });
}

#[test]
fn a_panic_after_the_commit_does_not_hide_the_receipt() {
    everywhere(|store| {
        let decide = |id: &'static str, degrees: f64| {
            let measured = move |_: &Readings| {
                Ok::<_, &str>(Probe::Measured { id: id.into(), degrees, note: "kept".into() })
            };
            store.decide(Readings::of(id), measured)
        };
        // Cold, then on a state that is warm.
        let cold = decide("cold", 2_000.0).run().unwrap();
        assert_eq!((cold.events(), cold.attempts), (1, 1));
        decide("warm", 20.0).run().unwrap();
        let warm = pollster::block_on(async { decide("warm", 2_000.0).await.unwrap() });
        assert_eq!((warm.events(), warm.attempts), (1, 1));
        assert_eq!(warm.last_position(), store.events().last_position().unwrap());
    });
}

/// Cannot be written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("no words for it")
    }
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Mood {
    Felt {
        #[id]
        id: ProbeId,
        what: Option<Unwritable>,
    },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Mood)]
struct Felt {
    #[key]
    id: ProbeId,
    times: u32,
}

impl Evolve<Mood> for Felt {
    fn evolve(&mut self, _: &Mood) {
        self.times += 1;
    }
}

#[test]
fn an_event_that_panics_when_it_is_written_harms_no_other_command_of_its_queue() {
    everywhere(|store| {
        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        let felt = |what: Option<Unwritable>| {
            let felt =
                move |felt: &Felt| Ok::<_, &str>(Mood::Felt { id: felt.id.clone(), what: what.clone() });
            queue.decide(Felt::of("p"), felt).submit().unwrap()
        };
        let answers = [felt(None), felt(Some(Unwritable)), felt(None)].map(|answer| answer.wait());
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
        let Err(QueueError::Panicked { message }) = &answers[1] else { panic!("{answers:?}") };
        assert_eq!(message, "no words for it");
        assert_eq!(store.load(Felt::of("p")).run().unwrap().times, 2);
    });
}

thread_local! {
    static DECODED: Cell<u32> = const { Cell::new(0) };
}

/// A weight that counts how often one is read.
#[derive(Clone, Debug, PartialEq)]
struct Grams(u32);

impl Serialize for Grams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Grams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.set(DECODED.get() + 1);
        u32::deserialize(deserializer).map(Self)
    }
}

#[derive(Id, Clone, Debug, PartialEq)]
struct ParcelId(String);

#[derive(Event, Clone, Debug, PartialEq)]
struct ParcelWeighed {
    #[id]
    id: ParcelId,
    grams: Grams,
    /// Not stored.
    #[serde(skip)]
    remark: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Parcel {
    Weighed(ParcelWeighed),
    Sent {
        #[id]
        id: ParcelId,
    },
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Scales {
    Weighed(ParcelWeighed),
}

/// What it was told, in the words of whose event it was.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Parcel)]
struct Track {
    #[key]
    id: ParcelId,
    told: Vec<String>,
}

impl Evolve<Parcel> for Track {
    fn evolve(&mut self, event: &Parcel) {
        self.told.push(format!("{event:?}"));
    }
}

/// Both enums hold the stored type `ParcelWeighed`: the first reads it.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Parcel, Scales)]
struct Weights {
    #[key]
    id: ParcelId,
    of_parcels: u32,
    of_scales: u32,
}

impl Evolve<Parcel> for Weights {
    fn evolve(&mut self, event: &Parcel) {
        self.of_parcels += u32::from(matches!(event, Parcel::Weighed(_)));
    }
}

impl Evolve<Scales> for Weights {
    fn evolve(&mut self, _: &Scales) {
        self.of_scales += 1;
    }
}

fn weighed(grams: u32) -> ParcelWeighed {
    ParcelWeighed { id: "p".into(), grams: Grams(grams), remark: "on Monday".into() }
}

#[test]
fn a_command_decodes_its_event_once_and_folds_what_will_be_read() {
    everywhere(|store| {
        let weigh = |grams: u32, before: usize| {
            store.decide(Track::of("p"), move |track: &Track| {
                assert_eq!(track.told.len(), before);
                Ok::<_, &str>((Parcel::Weighed(weighed(grams)), Parcel::Sent { id: "p".into() }))
            })
        };
        weigh(1, 0).run().unwrap();
        DECODED.set(0);
        weigh(2, 2).run().unwrap();
        assert_eq!(DECODED.get(), 1, "the state is warm, and what was read back is folded");
        let mut warm = None;
        let peek = |track: &Track| -> Result<(), &str> {
            warm.get_or_insert_with(|| track.clone());
            Ok(())
        };
        store.decide(Track::of("p"), peek).run().unwrap();
        assert_eq!(warm.as_ref(), Some(&*store.load(Track::of("p")).run().unwrap()));
        assert!(warm.unwrap().told.iter().all(|told| !told.contains("Monday")));
    });
}

#[test]
fn a_queue_and_a_repository_fold_what_will_be_read() {
    everywhere(|store| {
        let queue = Queue::start(&store, QueueOptions::default()).unwrap();
        for before in 0..2 {
            let decide = move |track: &Track| {
                assert!(track.told.len() == before && !track.told.concat().contains("Monday"));
                Ok::<_, &str>(Parcel::Weighed(weighed(1)))
            };
            queue.decide(Track::of("p"), decide).run().unwrap();
        }
        let tracks = store.repository::<Track>();
        let mut track = tracks.find(Track::of("p")).run().unwrap().unwrap();
        DECODED.set(0);
        track.raise(Parcel::Weighed(weighed(2)));
        assert_eq!(DECODED.get(), 1);
        assert_eq!(track.state().told.len(), 3);
        assert!(!track.state().told.concat().contains("Monday"));
    });
}

#[test]
fn what_two_types_read_is_folded_as_the_first() {
    everywhere(|store| {
        let weigh = |_: &Weights| Ok::<_, &str>(Scales::Weighed(weighed(1)));
        for _ in 0..2 {
            store.decide(Weights::of("p"), weigh).run().unwrap();
        }
        let peek = |weights: &Weights| match (weights.of_parcels, weights.of_scales) {
            (2, 0) => Ok(()),
            other => Err(other),
        };
        store.decide(Weights::of("p"), peek).run().unwrap();
        let cold = store.load(Weights::of("p")).run().unwrap();
        assert_eq!((cold.of_parcels, cold.of_scales), (2, 0));
    });
}
