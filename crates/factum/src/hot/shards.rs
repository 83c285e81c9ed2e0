//! Shards: one subject that is too hot for one stream, split into several.
//!
//! ```text
//!   100,000 tickets        concert ts2025
//!                          ├── sector ts2025-0    25,000 tickets   a stream of its own
//!   buyer ada ──▶ order    ├── sector ts2025-1    25,000
//!     2, 0, 3, 1           ├── sector ts2025-2    25,000   ◀── asked first
//!                          └── sector ts2025-3    25,000
//! ```
//!
//! A shard is an aggregate like any other; nothing about its events is special.
//! What is here chooses between shards: by a key, in an order that differs from
//! key to key and stays the same for one ([`Shards::order`]); by trying the next
//! when one says no ([`Shards::spill`]); and by moving what is left to where it
//! is missing, each move one atomic append over two streams
//! ([`Shards::rebalance`]).
//!
//! The whole is a model over the tag that the events of all shards carry: a
//! field `#[tag] concert: ConcertId` in each, and `#[derive(Model)]` with that
//! key. It is read and not decided on; a decision on it would conflict with
//! every shard.

use std::fmt::Display;

use xxhash_rust::xxh3::xxh3_64;

use crate::Model;
use crate::decide::DecideError;
use crate::emitted::IntoEvents;
use crate::event::Id;
use crate::receipt::Receipt;
use crate::store::Store;

/// The shards of one subject, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards<I> {
    ids: Vec<I>,
}

/// How much goes from one shard to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Index of the shard that has more.
    pub from: usize,
    /// Index of the shard that has less.
    pub to: usize,
    /// How much.
    pub amount: u64,
}

impl<I: Id> Shards<I> {
    /// So many shards, at least one, named `subject-0`, `subject-1`, and so on.
    pub fn new(subject: impl Display, count: usize) -> Self
    where
        I: From<String>,
    {
        Self::of((0..count.max(1)).map(|at| I::from(format!("{subject}-{at}"))))
    }

    /// These shards, under names of your own.
    pub fn of(ids: impl IntoIterator<Item = I>) -> Self {
        Self { ids: ids.into_iter().collect() }
    }

    /// All of them.
    pub fn ids(&self) -> &[I] {
        &self.ids
    }

    /// The order in which a key asks them; the same on every machine and in
    /// every run. When a shard is added, a key keeps its first shard or gets the
    /// new one.
    pub fn order(&self, key: impl Display) -> Vec<&I> {
        let mut weighed: Vec<_> =
            self.ids.iter().map(|id| (xxh3_64(format!("{}:{id}:{key}", I::KEY).as_bytes()), id)).collect();
        weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        weighed.into_iter().map(|(_, id)| id).collect()
    }

    /// The shard of a key; `None` if there are no shards.
    pub fn by_key(&self, key: impl Display) -> Option<&I> {
        self.order(key).into_iter().next()
    }

    /// Asks the shards one after another, in the order of the key, for as long
    /// as the answer `spills`. The last answer counts; `None` if there are no
    /// shards.
    ///
    /// They are asked at different moments: "sold out" says that each was sold
    /// out when it was asked.
    pub fn spill<T, E>(
        &self,
        key: impl Display,
        mut ask: impl FnMut(&I) -> Result<T, E>,
        spills: impl Fn(&E) -> bool,
    ) -> Option<Result<T, E>> {
        let mut last = None;
        for id in self.order(key) {
            let answer = ask(id);
            let goes_on = matches!(&answer, Err(error) if spills(error));
            last = Some(answer);
            if !goes_on {
                break;
            }
        }
        last
    }

    /// [`Shards::spill`] for answers that are awaited.
    pub async fn spill_async<T, E>(
        &self,
        key: impl Display,
        mut ask: impl AsyncFnMut(&I) -> Result<T, E>,
        spills: impl Fn(&E) -> bool,
    ) -> Option<Result<T, E>> {
        let mut last = None;
        for id in self.order(key) {
            let answer = ask(id).await;
            let goes_on = matches!(&answer, Err(error) if spills(error));
            last = Some(answer);
            if !goes_on {
                break;
            }
        }
        last
    }

    /// Evens out what is left: reads each shard, and moves from those with more
    /// to those with less. Each move is one atomic append to both streams,
    /// decided on what both have then; nothing is lost or doubled if it stops
    /// half way.
    ///
    /// `left` says how much of a shard can be moved, `moved` which events move
    /// so much of it.
    pub fn rebalance<M: Model, E: IntoEvents, R>(
        &self,
        store: &Store,
        model: impl Fn(&I) -> M,
        left: impl Fn(&M) -> u64,
        moved: impl Fn(&M, &M, u64) -> Result<E, R>,
    ) -> Result<Vec<Receipt>, DecideError<R>> {
        let amounts = self
            .ids
            .iter()
            .map(|id| Ok(left(&store.load(model(id)).run()?.model)))
            .collect::<Result<Vec<_>, DecideError<R>>>()?;
        let mut receipts = Vec::new();
        for Move { from, to, amount } in moves(&amounts) {
            let both = (model(&self.ids[from]), model(&self.ids[to]));
            let receipt = store
                .decide(both, |(from, to): &(M, M)| match amount.min(left(from)) {
                    // Sold meanwhile.
                    0 => Ok(None),
                    amount => moved(from, to, amount).map(Some),
                })
                .run()?;
            receipts.push(receipt);
        }
        Ok(receipts)
    }
}

/// The fewest moves from the largest to the smallest that leave amounts which
/// differ by at most one.
pub fn moves(amounts: &[u64]) -> Vec<Move> {
    let count = amounts.len() as u64;
    if count == 0 {
        return Vec::new();
    }
    let total: u128 = amounts.iter().map(|amount| u128::from(*amount)).sum();
    let (each, rest) = ((total / u128::from(count)) as u64, (total % u128::from(count)) as usize);
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(amounts[*at]));
    // Those with the most keep the ones that do not divide.
    let (mut givers, mut takers) = (Vec::new(), Vec::new());
    for (rank, at) in order.into_iter().enumerate() {
        let target = each + u64::from(rank < rest);
        match amounts[at] > target {
            true => givers.push((at, amounts[at] - target)),
            false => takers.push((at, target - amounts[at])),
        }
    }
    takers.retain(|(_, amount)| *amount > 0);
    let mut moves = Vec::new();
    while let (Some(giver), Some(taker)) = (givers.last_mut(), takers.last_mut()) {
        let amount = giver.1.min(taker.1);
        moves.push(Move { from: giver.0, to: taker.0, amount });
        giver.1 -= amount;
        taker.1 -= amount;
        if giver.1 == 0 {
            givers.pop();
        }
        if taker.1 == 0 {
            takers.pop();
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Id, Clone, Debug, PartialEq)]
    struct SectorId(String);

    use crate::Id;

    #[test]
    fn a_key_keeps_its_order_and_keys_are_spread() {
        let shards = Shards::<SectorId>::new("ts2025", 4);
        assert_eq!(shards.ids()[3].to_string(), "ts2025-3");
        // Written down once: it is a promise over machines and versions.
        let order: Vec<_> = shards.order("bob").iter().map(ToString::to_string).collect();
        assert_eq!(order, ["ts2025-0", "ts2025-3", "ts2025-2", "ts2025-1"]);
        let mut firsts = [0; 4];
        for buyer in 0..4_000 {
            let first = shards.by_key(buyer).unwrap();
            firsts[shards.ids().iter().position(|id| id == first).unwrap()] += 1;
        }
        assert!(firsts.iter().all(|count| (850..1_150).contains(count)), "{firsts:?}");
    }

    #[test]
    fn one_more_shard_takes_its_share_and_moves_no_other_key() {
        let (four, five) = (Shards::<SectorId>::new("c", 4), Shards::<SectorId>::new("c", 5));
        let mut taken = 0;
        for key in 0..5_000 {
            let (before, after) = (four.by_key(key).unwrap(), five.by_key(key).unwrap());
            if before != after {
                assert_eq!(after, &five.ids()[4]);
                taken += 1;
            }
        }
        assert!((850..1_150).contains(&taken), "{taken}");
    }

    #[test]
    fn moves_even_out_and_lose_nothing() {
        let rows: &[&[u64]] =
            &[&[], &[7], &[0, 10], &[10, 0, 0], &[1, 1, 1], &[100, 3, 50, 0, 7], &[0, 0], &[u64::MAX, 0]];
        for amounts in rows {
            let mut after = amounts.to_vec();
            let moves = moves(amounts);
            for step in &moves {
                assert!(step.amount > 0 && step.from != step.to, "{amounts:?}");
                after[step.from] -= step.amount;
                after[step.to] += step.amount;
            }
            let (least, most) = (after.iter().min(), after.iter().max());
            assert!(most.zip(least).is_none_or(|(most, least)| most - least <= 1), "{amounts:?}: {after:?}");
            assert!(moves.len() < amounts.len().max(1), "{amounts:?}: {moves:?}");
        }
    }

    #[test]
    fn asks_on_only_while_the_answer_spills() {
        let shards = Shards::<SectorId>::new("c", 3);
        let order = shards.order("ada");
        let mut asked = Vec::new();
        let answer = shards.spill(
            "ada",
            |id| {
                asked.push(id.clone());
                if id == order[1] { Ok("sold") } else { Err("sold out") }
            },
            |error| *error == "sold out",
        );
        assert_eq!(answer, Some(Ok("sold")));
        assert_eq!(asked.iter().collect::<Vec<_>>(), order[..2]);

        let no = |_: &SectorId| Err::<(), _>("one ticket each");
        assert_eq!(shards.spill("ada", no, |error| *error == "sold out"), Some(Err("one ticket each")));
        let mut asked = 0;
        let ask = async |_: &SectorId| {
            asked += 1;
            Err::<(), _>("sold out")
        };
        let answer = pollster::block_on(shards.spill_async("ada", ask, |_| true));
        assert_eq!((answer, asked), (Some(Err("sold out")), 3));
        assert_eq!(Shards::<SectorId>::of([]).spill("ada", no, |_| true), None);
    }
}
