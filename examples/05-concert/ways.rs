//! Four ways to sell to a crowd. Each is what a program would write; the crowd
//! is some threads, each of which is many buyers.

use std::error::Error;
use std::thread;

use factum::Retry;
use factum::hot::{Queue, QueueError, QueueOptions, Shards};
use factum::prelude::*;

use crate::concert::{BuyerId, HOLD, SectorId, SoldOut, Tickets, open};
use crate::report::Tally;

pub type Way = fn(&Store, u64, u64) -> Result<Tally, Box<dyn Error>>;

const THREADS: u64 = 8;
const SHARDS: usize = 8;
/// How many commands each thread has on their way through a queue.
const IN_FLIGHT: usize = 512;

/// Everybody reads, decides and appends for themselves, and tries again when
/// somebody else was faster.
pub fn plain(store: &Store, buyers: u64, tickets: u64) -> Result<Tally, Box<dyn Error>> {
    let all = SectorId::from("all");
    open(store, &all, tickets)?;
    let tally = crowd(buyers, |buyers| {
        let mut tally = Tally::default();
        for buyer in buyers {
            let buying = store.decide(Tickets::of(&all), |tickets: &Tickets| tickets.sell(buyer));
            match buying.retry(Retry::attempts(1_000_000)).run() {
                Ok(receipt) => {
                    tally.sold += 1;
                    tally.carried_out(receipt.attempts);
                }
                Err(DecideError::Rejected(SoldOut)) => {
                    tally.sold_out += 1;
                    tally.rejected();
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        tally
    });
    Ok(tally)
}

/// One writer decides for all.
pub fn queue(store: &Store, buyers: u64, tickets: u64) -> Result<Tally, Box<dyn Error>> {
    let all = SectorId::from("all");
    open(store, &all, tickets)?;
    let queue = Queue::start(store, QueueOptions::default())?;
    let tally = crowd(buyers, |buyers| {
        let mut tally = Tally::default();
        for chunk in chunks(buyers) {
            let sell = |buyer| queue.decide(Tickets::of(&all), move |tickets: &Tickets| tickets.sell(buyer));
            let answers: Vec<_> = chunk.map(|buyer| sell(buyer).submit()).collect();
            for answer in answers {
                count(&mut tally, answer.and_then(|answer| answer.wait()));
            }
        }
        tally
    });
    Ok(tally)
}

/// Several sectors, each with a stream of its own and a share of the tickets;
/// who finds one sold out asks the next.
pub fn shards(store: &Store, buyers: u64, tickets: u64) -> Result<Tally, Box<dyn Error>> {
    let shards = Shards::<SectorId>::new("sector", SHARDS);
    for (at, sector) in shards.ids().iter().enumerate() {
        let (share, rest) = (tickets / SHARDS as u64, tickets % SHARDS as u64);
        open(store, sector, share + u64::from((at as u64) < rest))?;
    }
    let tally = crowd(buyers, |buyers| {
        let mut tally = Tally::default();
        for buyer in buyers {
            let buy = |sector: &SectorId| {
                let selling = store.decide(Tickets::of(sector), |tickets: &Tickets| tickets.sell(buyer));
                selling.retry(Retry::attempts(1_000_000)).run()
            };
            let is_sold_out = |error: &_| matches!(error, DecideError::Rejected(SoldOut));
            match shards.spill(buyer, buy, is_sold_out).expect("there are shards") {
                Ok(receipt) => {
                    tally.sold += 1;
                    tally.carried_out(receipt.attempts);
                }
                Err(DecideError::Rejected(SoldOut)) => {
                    tally.sold_out += 1;
                    tally.rejected();
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        tally
    });
    Ok(tally)
}

/// Everybody holds a ticket first. Half of those who hold one pay; the others
/// let their time run out, and the second half of the crowd gets those.
pub fn reservation(store: &Store, buyers: u64, tickets: u64) -> Result<Tally, Box<dyn Error>> {
    let all = SectorId::from("all");
    open(store, &all, tickets)?;
    let queue = Queue::start(store, QueueOptions::default())?;
    // The clock of this example: commands carry the time they were given at.
    let late = HOLD + 1;
    let half = buyers / 2;
    let hold_and_pay = |now: i64, pays: fn(BuyerId) -> bool| {
        let (queue, all) = (&queue, &all);
        move |buyers: std::ops::Range<u64>| {
            let mut tally = Tally::default();
            for chunk in chunks(buyers.map(BuyerId)) {
                let hold =
                    |buyer| queue.decide(Tickets::of(all), move |seats: &Tickets| seats.hold(buyer, now));
                let holding: Vec<_> = chunk.map(|buyer| (buyer, hold(buyer).submit())).collect();
                let mut paying = Vec::new();
                for (buyer, held) in holding {
                    match held.and_then(|held| held.wait()) {
                        Ok(receipt) => {
                            tally.carried_out(receipt.attempts);
                            if pays(buyer) {
                                let pay = move |seats: &Tickets| seats.confirm(buyer, now);
                                paying.push(queue.decide(Tickets::of(all), pay).submit());
                            } else {
                                tally.sold_out += 1;
                            }
                        }
                        refused => count(&mut tally, refused),
                    }
                }
                for paid in paying {
                    count(&mut tally, paid.and_then(|paid| paid.wait()));
                }
            }
            tally
        }
    };
    let first = spread(0..half, hold_and_pay(0, |buyer| buyer.0 % 2 == 0));
    let swept = store.decide(Tickets::of(&all), |seats| Ok::<_, SoldOut>(seats.sweep(late))).run();
    swept.map_err(|error| format!("the sweep failed: {error:?}"))?;
    let second = spread(half..buyers, hold_and_pay(late, |_| true));
    Ok(first.and(second))
}

fn count(tally: &mut Tally, answer: Result<Receipt, QueueError<SoldOut>>) {
    match answer {
        Ok(receipt) => {
            tally.sold += 1;
            tally.carried_out(receipt.attempts);
        }
        Err(QueueError::Rejected(SoldOut)) => {
            tally.sold_out += 1;
            tally.rejected();
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// The crowd, in threads.
fn crowd(buyers: u64, buy: impl Fn(Box<dyn Iterator<Item = BuyerId>>) -> Tally + Sync) -> Tally {
    spread(0..buyers, |part| buy(Box::new(part.map(BuyerId))))
}

fn spread(buyers: std::ops::Range<u64>, buy: impl Fn(std::ops::Range<u64>) -> Tally + Sync) -> Tally {
    let count = buyers.end - buyers.start;
    let bound = |thread: u64| buyers.start + count * thread / THREADS;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (part, buy) = (bound(thread)..bound(thread + 1), &buy);
                scope.spawn(move || buy(part))
            })
            .collect();
        let tallies = threads.into_iter().map(|thread| thread.join().expect("no buyer panics"));
        tallies.fold(Tally::default(), Tally::and)
    })
}

/// As many at a time as a thread has on their way.
fn chunks(buyers: impl Iterator<Item = BuyerId>) -> impl Iterator<Item = std::vec::IntoIter<BuyerId>> {
    let mut buyers = buyers;
    std::iter::from_fn(move || {
        let chunk: Vec<_> = buyers.by_ref().take(IN_FLIGHT).collect();
        (!chunk.is_empty()).then(|| chunk.into_iter())
    })
}
