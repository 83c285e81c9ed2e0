//! Read models in memory, and waiting for them.

use std::time::Duration;

use super::*;
use crate::view::memory::MemoryViewError;
use crate::view::{Phase, WaitError};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Half of it was there before, half of it comes while it runs.
    #[test]
    fn memory_has_the_rows_that_are_folded_on_demand(history in history()) {
        let store = Store::memory();
        let (before, after) = history.split_at(history.len() / 2);
        record(&store, before);
        let balances = store.project(Balances).batch_events_max(3).in_memory().unwrap();
        prop_assert_eq!(balances.rows(), store.view(Balances).run().unwrap().rows());
        record(&store, after);
        balances.progress().wait_for_all().unwrap().run().unwrap();
        prop_assert_eq!(balances.rows(), store.view(Balances).run().unwrap().rows());
        prop_assert_eq!(balances.is_empty(), balances.rows().is_empty());
    }
}

#[test]
fn what_was_recorded_is_there_once_it_was_waited_for() {
    let store = Store::memory();
    let balances = store.project(Balances).in_memory().unwrap();
    for cents in 1..200 {
        let receipt = store.record(deposit("ada", cents)).run().unwrap();
        balances.wait_for(&receipt).run().unwrap();
        assert_eq!(balances.get(&"ada".into()).unwrap().unwrap().cents, (1..=cents).sum::<i64>());
        // An event it does not read is waited for just as shortly.
        let receipt = store.record(visit("ada")).run().unwrap();
        pollster::block_on(balances.wait_for(&receipt).within(Duration::from_secs(2)).into_future()).unwrap();
    }
    let status = balances.status().unwrap();
    assert_eq!((status.phase, status.lag_events, status.events), (Phase::Live, 0, 199));
    assert_eq!(status.position, store.events().last_position().unwrap());
}

#[test]
fn waiting_ends_in_time() {
    let store = Store::memory();
    let balances = store.project(Balances).in_memory().unwrap();
    let wait = || balances.wait_for(crate::Position::new(3)).within(Duration::from_millis(20));
    assert!(matches!(wait().run(), Err(WaitError::TimedOut { .. })));
    let error = pollster::block_on(wait().into_future()).unwrap_err();
    assert!(error.to_string().contains("balances has not come to position 3 in time"), "{error}");
}

#[test]
fn it_stops_before_poison_and_says_so() {
    let store = Store::memory();
    let tallies = store.project(Tallies).in_memory().unwrap();
    store.record([deposit("a", 1), deposit("a", -1), deposit("a", 2)]).run().unwrap();
    let error = tallies.wait_for(crate::Position::new(2)).run().unwrap_err();
    let WaitError::Failed { poison, .. } = error else { panic!("{error}") };
    assert_eq!((poison.position.get(), poison.event_type.as_str()), (1, "AccountDeposited"));
    tallies.wait_for(crate::Position::FIRST).run().unwrap();
    assert_eq!(tallies.rows()[0].events, 1, "the event before is there, the one after is not");
    let status = tallies.status().unwrap();
    assert_eq!((status.phase, status.lag_events), (Phase::Failed, 2));
    assert!(matches!(store.project(Tallies).in_memory(), Err(MemoryViewError::Wait(_))));
}

/// A store that cannot be followed.
struct Deaf(factum_core::MemoryStore);

impl factum_core::EventStore for Deaf {
    fn append(&self, append: factum_core::Append) -> Result<factum_core::Appended, crate::AppendError> {
        self.0.append(append)
    }

    fn append_async(&self, append: &factum_core::Append) -> factum_core::AppendFuture {
        self.0.append_async(append)
    }

    fn append_each(
        &self,
        appends: &mut dyn Iterator<Item = factum_core::Append>,
    ) -> Box<dyn factum_core::Answers> {
        self.0.append_each(appends)
    }

    fn read(&self, read: factum_core::Read) -> Result<factum_core::Events, crate::ReadError> {
        self.0.read(read)
    }

    fn count(&self, read: factum_core::Read) -> Result<u64, crate::ReadError> {
        self.0.count(read)
    }

    fn subscribe(
        &self,
        _: factum_core::Subscribe,
    ) -> Result<Box<dyn factum_core::Subscription>, factum_core::SubscribeError> {
        let file = "a segment".to_owned();
        Err(factum_core::SubscribeError::Storage(factum_core::StorageError::DiskFull { file }))
    }

    fn last_position(&self) -> Result<Option<crate::Position>, crate::ReadError> {
        self.0.last_position()
    }
}

#[test]
fn a_store_that_fails_is_told_of_and_not_waited_for() {
    let port = std::sync::Arc::new(Deaf(factum_core::MemoryStore::new()));
    let store = Store::over(port, crate::store::StoreOptions::default());
    store.record(deposit("a", 1)).run().unwrap();
    let Err(MemoryViewError::Wait(error)) = store.project(Tallies).in_memory() else { panic!("it is deaf") };
    assert!(
        error.to_string().starts_with("tallies cannot go on: the store cannot read: the disk is full"),
        "{error}"
    );
}

#[test]
fn two_fields_are_one_key() {
    let store = Store::memory();
    let transfer = |to: &str| Transfer::Made { from: "ada".into(), to: to.into(), cents: 1 };
    store.record([transfer("bob"), transfer("eve"), transfer("bob")]).run().unwrap();
    let flows = store.project(Flows).in_memory().unwrap();
    let transfers = |to: &str| flows.get(&("ada".into(), to.into())).unwrap().map(|flow| flow.transfers);
    assert_eq!((transfers("bob"), transfers("eve"), transfers("ada")), (Some(2), Some(1), None));
}
