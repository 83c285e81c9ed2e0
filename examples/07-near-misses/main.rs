//! What did not happen, as a fact: how often did we skip rebalancing, and how
//! often by less than a dollar?
//!
//! A program that stores only the current state cannot say: where nothing
//! changed, nothing was written. Here a command that is refused leaves an event
//! too, and a question nobody thought of at the time is a fold over old events.
//!
//! `cargo run -p factum-examples --bin near-misses`

use std::collections::BTreeMap;

use factum::DecideError;
use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct PortfolioId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Portfolio {
    Valued {
        #[id]
        id: PortfolioId,
        cents: u64,
    },
    Rebalanced {
        #[id]
        id: PortfolioId,
        cents: u64,
    },
    RebalancingSkipped {
        #[id]
        id: PortfolioId,
        short_by_cents: u64,
    },
}

/// What the rule needs to know.
#[derive(Aggregate, Clone, Debug)]
#[folds(Portfolio)]
struct Worth {
    #[key]
    id: PortfolioId,
    cents: u64,
}

impl Evolve<Portfolio> for Worth {
    fn evolve(&mut self, event: &Portfolio) {
        if let Portfolio::Valued { cents, .. } = event {
            self.cents = *cents;
        }
    }
}

/// Why a portfolio was left as it was.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{short_by_cents} cents under the threshold")]
struct UnderThreshold {
    short_by_cents: u64,
}

const THRESHOLD_CENTS: u64 = 100_000;

fn rebalance(worth: &Worth) -> Result<Portfolio, UnderThreshold> {
    match THRESHOLD_CENTS.checked_sub(worth.cents) {
        None | Some(0) => Ok(Portfolio::Rebalanced { id: worth.id.clone(), cents: worth.cents }),
        Some(short_by_cents) => Err(UnderThreshold { short_by_cents }),
    }
}

/// The refusal as an event.
fn skipped(worth: &Worth, UnderThreshold { short_by_cents }: &UnderThreshold) -> Portfolio {
    Portfolio::RebalancingSkipped { id: worth.id.clone(), short_by_cents: *short_by_cents }
}

/// The question, asked months later, over all portfolios: a model without keys.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Portfolio)]
struct Skips {
    /// How often, by how much was missing.
    by_cents: BTreeMap<u64, u64>,
}

impl Skips {
    fn within(&self, cents: u64) -> u64 {
        self.by_cents.range(..=cents).map(|(_, times)| times).sum()
    }
}

impl Evolve<Portfolio> for Skips {
    fn evolve(&mut self, event: &Portfolio) {
        if let Portfolio::RebalancingSkipped { short_by_cents, .. } = event {
            *self.by_cents.entry(*short_by_cents).or_default() += 1;
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::memory();
    for (id, cents) in [("ada", 99_950), ("bob", 120_000), ("eve", 40_000), ("ada", 99_999)] {
        store.record(Portfolio::Valued { id: id.into(), cents }).run()?;
        match store.decide(Worth::of(id), rebalance).record_rejection(skipped).run() {
            // A skip is an answer, not a failure: it is recorded.
            Ok(_) | Err(DecideError::Rejected(UnderThreshold { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let skips = store.load(Skips::of()).run()?;
    assert_eq!(skips.within(u64::MAX), 3);
    assert_eq!(skips.within(100), 2, "just a dollar under the threshold");

    // The same question about an earlier day: before the last round.
    let earlier = store.load(Skips::of()).as_of(factum::Position::new(5)).run()?;
    assert_eq!(earlier.within(100), 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use factum::testing::given;

    use super::*;

    fn valued(id: &str, cents: u64) -> Portfolio {
        Portfolio::Valued { id: id.into(), cents }
    }

    fn missed(id: &str, short_by_cents: u64) -> Portfolio {
        Portfolio::RebalancingSkipped { id: id.into(), short_by_cents }
    }

    #[test]
    fn it_runs() {
        main().unwrap();
    }

    #[test]
    fn the_threshold_is_enough() {
        given(valued("ada", THRESHOLD_CENTS))
            .when(Worth::of("ada"), rebalance)
            .then(Portfolio::Rebalanced { id: "ada".into(), cents: THRESHOLD_CENTS });
        given(valued("ada", THRESHOLD_CENTS - 1))
            .when(Worth::of("ada"), rebalance)
            .then_rejected(UnderThreshold { short_by_cents: 1 });
    }

    #[test]
    fn skips_of_all_portfolios_are_counted() {
        given([missed("ada", 1), missed("bob", 100), missed("ada", 101), valued("eve", 1)])
            .then_model(Skips::of(), |skips| assert_eq!((skips.within(100), skips.within(101)), (2, 3)));
    }
}
