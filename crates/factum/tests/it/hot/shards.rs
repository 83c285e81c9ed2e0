//! One subject over several streams.

use factum::hot::{Queue, QueueOptions, Shards};
use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
struct ConcertId(String);
#[derive(Id, Clone, Debug, PartialEq, Eq, Hash)]
struct SectorId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Sector {
    Opened { #[id] sector: SectorId, #[tag] concert: ConcertId, seats: u64 },
    Sold { #[id] sector: SectorId, #[tag] concert: ConcertId, buyer: u64 },
    Lent { #[id] sector: SectorId, #[tag] concert: ConcertId, seats: u64 },
    Borrowed { #[id] sector: SectorId, #[tag] concert: ConcertId, seats: u64 },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Sector)]
struct Seats {
    #[key]
    sector: SectorId,
    left: u64,
}

impl Evolve<Sector> for Seats {
    fn evolve(&mut self, event: &Sector) {
        match event {
            Sector::Opened { seats, .. } | Sector::Borrowed { seats, .. } => self.left += seats,
            Sector::Sold { .. } => self.left -= 1,
            Sector::Lent { seats, .. } => self.left -= seats,
        }
    }
}

/// The whole, over all sectors.
#[derive(Model, Clone, Debug)]
#[folds(Sector)]
struct Concert {
    #[key]
    concert: ConcertId,
    seats: u64,
    buyers: Vec<u64>,
}

impl Evolve<Sector> for Concert {
    fn evolve(&mut self, event: &Sector) {
        match event {
            Sector::Opened { seats, .. } => self.seats += seats,
            Sector::Sold { buyer, .. } => self.buyers.push(*buyer),
            Sector::Lent { seats, .. } => self.seats -= seats,
            Sector::Borrowed { seats, .. } => self.seats += seats,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct SoldOut;

fn sell(buyer: u64) -> impl FnMut(&Seats) -> Result<Sector, SoldOut> + Send + Clone + 'static {
    move |seats: &Seats| match seats.left {
        0 => Err(SoldOut),
        _ => Ok(Sector::Sold { sector: seats.sector.clone(), concert: "c".into(), buyer }),
    }
}

fn open(store: &Store, shards: &Shards<SectorId>, seats: &[u64]) {
    for (sector, seats) in shards.ids().iter().zip(seats) {
        let opened = Sector::Opened { sector: sector.clone(), concert: "c".into(), seats: *seats };
        store.record(opened).run().unwrap();
    }
}

fn concert(store: &Store) -> Concert {
    store.load(Concert::of("c")).run().unwrap().model
}

fn left(store: &Store, shards: &Shards<SectorId>) -> Vec<u64> {
    shards.ids().iter().map(|id| store.load(Seats::of(id)).run().unwrap().left).collect()
}

#[test]
fn all_are_sold_once_by_spilling_over() {
    let store = Store::memory();
    let shards = Shards::<SectorId>::new("c", 4);
    open(&store, &shards, &[10, 20, 30, 40]);
    let queue = Queue::start(&store, QueueOptions { threads: 2, ..QueueOptions::default() }).unwrap();
    let sold: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                let (queue, shards, store) = (&queue, &shards, &store);
                scope.spawn(move || {
                    let buy = |n: u64| {
                        let buyer = thread * 1_000 + n;
                        // Half of them through the queue, half of them past it.
                        match buyer % 2 {
                            0 => shards
                                .spill(
                                    buyer,
                                    |id| queue.decide(Seats::of(id), sell(buyer)).run(),
                                    |error| matches!(error, factum::hot::QueueError::Rejected(SoldOut)),
                                )
                                .unwrap()
                                .is_ok(),
                            _ => shards
                                .spill(
                                    buyer,
                                    |id| {
                                        let deciding = store.decide(Seats::of(id), sell(buyer));
                                        deciding.retry(factum::Retry::attempts(1_000)).run()
                                    },
                                    |error| matches!(error, DecideError::Rejected(SoldOut)),
                                )
                                .unwrap()
                                .is_ok(),
                        }
                    };
                    (0..40).filter(|n| buy(*n)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(sold, 100);
    let mut buyers = concert(&store).buyers;
    buyers.sort_unstable();
    buyers.dedup();
    assert_eq!(buyers.len(), 100, "no seat twice, no buyer twice");
    assert_eq!(left(&store, &shards), [0; 4]);
}

#[test]
fn rebalancing_moves_what_is_left_in_atomic_appends() {
    let store = Store::memory();
    let shards = Shards::<SectorId>::new("c", 4);
    open(&store, &shards, &[100, 0, 7, 1]);
    let transfer = |from: &Seats, to: &Seats, seats: u64| {
        let concert = ConcertId::from("c");
        let lent = Sector::Lent { sector: from.sector.clone(), concert: concert.clone(), seats };
        let borrowed = Sector::Borrowed { sector: to.sector.clone(), concert, seats };
        Ok::<_, SoldOut>([lent, borrowed])
    };
    let receipts = shards.rebalance(&store, |id| Seats::of(id), |seats| seats.left, transfer).unwrap();
    assert_eq!(left(&store, &shards), [27; 4]);
    assert!(receipts.len() <= 3 && receipts.iter().all(|receipt| receipt.events() == 2), "{receipts:?}");
    assert_eq!(concert(&store).seats, 108);
    let again = shards.rebalance(&store, |id| Seats::of(id), |seats| seats.left, transfer).unwrap();
    assert_eq!(again, []);
}

#[test]
fn rebalancing_while_seats_are_sold_loses_none() {
    let store = Store::memory();
    let shards = Shards::<SectorId>::new("c", 3);
    open(&store, &shards, &[300, 0, 0]);
    let transfer = |from: &Seats, to: &Seats, seats: u64| {
        let concert = ConcertId::from("c");
        let lent = Sector::Lent { sector: from.sector.clone(), concert: concert.clone(), seats };
        let borrowed = Sector::Borrowed { sector: to.sector.clone(), concert, seats };
        Ok::<_, SoldOut>([lent, borrowed])
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                // Sellers may win every attempt; then it is tried again later.
                match shards.rebalance(&store, |id| Seats::of(id), |seats| seats.left, transfer) {
                    Ok(_) | Err(DecideError::Conflict { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
        for seller in 0..3 {
            let (store, shards) = (&store, &shards);
            scope.spawn(move || {
                for n in 0..60 {
                    let id = shards.by_key(n).unwrap();
                    let buyer = seller * 1_000 + n;
                    let _ =
                        store.decide(Seats::of(id), sell(buyer)).retry(factum::Retry::attempts(1_000)).run();
                }
            });
        }
    });
    let concert = concert(&store);
    assert_eq!(concert.seats, 300);
    assert_eq!(left(&store, &shards).iter().sum::<u64>() + concert.buyers.len() as u64, 300);
}
