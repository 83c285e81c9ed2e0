//! What is recorded can be read, and is answered for when it is recorded.

use factum::event::EncodeError;
use factum::hot::{Queue, QueueError, QueueOptions};
use factum::prelude::*;

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
