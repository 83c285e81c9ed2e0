//! Plain decisions from many threads: every one counts once, however often it
//! had to be made again.

use factum::Retry;
use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CounterId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Counter {
    Raised {
        #[id]
        id: CounterId,
        to: u64,
    },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Counter)]
struct Height {
    #[key]
    id: CounterId,
    height: u64,
}

impl Evolve<Counter> for Height {
    fn evolve(&mut self, event: &Counter) {
        let Counter::Raised { to, .. } = event;
        assert_eq!(*to, self.height + 1, "each was decided on the one before it");
        self.height = *to;
    }
}

fn raise(height: &Height) -> Result<Counter, &'static str> {
    Ok(Counter::Raised { id: height.id.clone(), to: height.height + 1 })
}

#[test]
fn retries_never_double_and_nothing_is_lost() {
    const THREADS: usize = 8;
    const EACH: usize = 100;
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        let mut places: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let store = &store;
                    scope.spawn(move || {
                        let decided = (0..EACH).map(|n| {
                            let id = ["hot", "warm"][n % 2];
                            let deciding =
                                store.decide(Height::of(id), raise).retry(Retry::attempts(100_000));
                            let deciding = deciding.idempotency_key(format!("{thread} {n}"));
                            let receipt = match thread % 2 {
                                0 => deciding.run().unwrap(),
                                _ => pollster::block_on(async { deciding.await.unwrap() }),
                            };
                            assert_eq!(receipt.events(), 1);
                            (id, receipt.revision.unwrap().get())
                        });
                        decided.collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let height = |id: &str| store.load(Height::of(id)).run().unwrap().height;
        let (hot, warm) = (height("hot"), height("warm"));
        assert_eq!((hot, warm), ((THREADS * EACH / 2) as u64, (THREADS * EACH / 2) as u64));
        // Each command was given a place of its own, and there is none beside them.
        places.sort_unstable();
        let each = |id| (0..(THREADS * EACH / 2) as u64).map(move |revision| (id, revision));
        assert!(places.into_iter().eq(each("hot").chain(each("warm"))));
    }
}
