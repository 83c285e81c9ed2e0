//! What surrounds a command: the flow, the cause, the actor, the program.

use factum::command::{Context, actor_of, producer_of};
use factum::prelude::*;
use factum::{RecordedEvent, Uuid};
use factum_core::{Read, StreamName};

use crate::domain::{Account, Balance, deposited, opened, withdraw};
use crate::homes::everywhere;

fn events(store: &Store, stream: &str) -> Vec<RecordedEvent> {
    let stream = StreamName::new(stream.to_owned()).unwrap();
    store.events().read(Read::stream(stream)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_first_event_of_a_flow_mints_its_correlation_id() {
    everywhere(|store| {
        let receipt = store.record([opened("ada"), deposited("ada", 5)]).run().unwrap();
        let recorded = events(&store, "account-ada");
        assert_eq!(recorded[0].correlation_id, Some(recorded[0].id));
        assert_eq!(recorded[1].correlation_id, Some(recorded[0].id));
        assert_eq!(receipt.correlation_id, Some(recorded[0].id));
        assert_eq!(recorded[1].causation_id, None);
    });
}

#[test]
fn a_flow_goes_on_through_what_an_event_causes_without_a_hole() {
    everywhere(|store| {
        store.record(deposited("ada", 9)).run().unwrap();
        let mut flow = Vec::new();
        for step in 0..3 {
            let cause = events(&store, "account-ada").pop().unwrap();
            if step > 0 {
                flow.push(cause.clone());
            }
            store.decide(Balance::of("ada"), |ada| withdraw(ada, 1)).caused_by(&cause).run().unwrap();
        }
        let recorded = events(&store, "account-ada");
        assert!(recorded.iter().all(|event| event.correlation_id == Some(recorded[0].id)));
        for pair in recorded.windows(2) {
            assert_eq!(pair[1].causation_id, Some(pair[0].id));
        }
    });
}

#[test]
fn actor_producer_and_metadata_stand_beside_every_event() {
    everywhere(|store| {
        store.record(deposited("ada", 9)).run().unwrap();
        let flow = Uuid::from_u128(7);
        let time = Timestamp::from_seconds(1_700_000_000);
        store
            .decide(Balance::of("ada"), |ada| withdraw(ada, 1))
            .actor("teller 4")
            .metadata("ip", "203.0.113.9")
            .correlation_id(flow)
            .occurred_at(time)
            .run()
            .unwrap();
        let recorded = events(&store, "account-ada");
        let producer = format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        assert_eq!(producer_of(&recorded[0]), Some(producer.clone()));
        assert_eq!(producer_of(&recorded[1]), Some(producer.clone()));
        assert_eq!((actor_of(&recorded[0]), actor_of(&recorded[1])), (None, Some("teller 4".to_owned())));
        assert_eq!(recorded[1].correlation_id, Some(flow));
        assert_eq!(recorded[1].occurred_at, Some(time));
        let metadata: serde_json::Value = serde_json::from_slice(&recorded[1].metadata).unwrap();
        let wanted = serde_json::json!({ "producer": producer, "actor": "teller 4", "ip": "203.0.113.9" });
        assert_eq!(metadata, wanted);
    });
}

#[test]
fn a_rejection_is_recorded_where_asked_with_reason_and_actor() {
    everywhere(|store| {
        store.record(deposited("ada", 9)).run().unwrap();
        let refused = |ada: &Balance, reason: &&str| Account::Refused {
            id: ada.id.clone(),
            cents: 10,
            reason: (*reason).to_owned(),
        };
        for tried in 1..=3 {
            let deciding = store.decide(Balance::of("ada"), |ada| withdraw(ada, 10));
            let answer = deciding.actor("ada").record_rejection(refused).run();
            assert!(matches!(answer, Err(DecideError::Rejected("too little money"))), "{answer:?}");
            let recorded = events(&store, "account-ada");
            let tries = recorded.iter().filter(|event| event.event_type.as_str() == "AccountRefused");
            assert_eq!(tries.clone().count(), tried);
            assert!(tries.clone().all(|event| actor_of(event).as_deref() == Some("ada")));
        }
    });
}

#[test]
fn a_context_can_be_given_at_once() {
    everywhere(|store| {
        let first = store.record(opened("ada")).run().unwrap();
        let cause = events(&store, "account-ada").remove(0);
        store.record(deposited("ada", 1)).context(Context::caused_by(&cause)).run().unwrap();
        let recorded = events(&store, "account-ada");
        assert_eq!(recorded[1].causation_id, Some(cause.id));
        assert_eq!(recorded[1].correlation_id, first.correlation_id);
    });
}

#[test]
fn what_is_recorded_without_a_decision_is_surrounded_by_the_same() {
    everywhere(|store| {
        store.record(opened("ada")).run().unwrap();
        let cause = events(&store, "account-ada").remove(0);
        let time = Timestamp::from_seconds(1_700_000_000);
        let said = |cents| {
            let recording = store.record(deposited("ada", cents)).actor("teller 4").metadata("ip", "::1");
            recording.caused_by(&cause).occurred_at(time)
        };
        said(1).run().unwrap();
        pollster::block_on(async { said(2).await }).unwrap();
        store.record(deposited("ada", 3)).correlation_id(Uuid::from_u128(7)).run().unwrap();
        let recorded = events(&store, "account-ada");
        for event in &recorded[1..3] {
            assert_eq!((actor_of(event).as_deref(), event.occurred_at), (Some("teller 4"), Some(time)));
            assert_eq!((event.causation_id, event.correlation_id), (Some(cause.id), cause.correlation_id));
            let metadata: serde_json::Value = serde_json::from_slice(&event.metadata).unwrap();
            assert_eq!(metadata["ip"], "::1");
        }
        assert_eq!(recorded[3].correlation_id, Some(Uuid::from_u128(7)));
    });
}

/// An event of a crate that was written elsewhere.
#[derive(Clone, Debug, PartialEq)]
struct Foreign(Account);

impl Event for Foreign {
    const CATEGORY: Option<&'static str> = Account::CATEGORY;
    const OWN_CATEGORY: &'static str = Account::OWN_CATEGORY;
    const PRODUCER: &'static str = "elsewhere 2.0.0";
    const PRODUCER_METADATA: &'static str = r#"{"producer":"elsewhere 2.0.0"}"#;

    fn shapes() -> Vec<factum::event::Shape> {
        Account::shapes()
    }

    fn specimens(category: &str) -> Vec<factum::evolution::Specimen> {
        Account::specimens(category)
    }

    fn encode_in(&self, category: &str) -> Result<factum::event::Encoded, factum::event::EncodeError> {
        self.0.encode_in(category)
    }

    fn decode(
        stored: factum::event::Stored<'_>,
    ) -> Result<factum::event::Decoded<Self>, factum::event::DecodeError> {
        Account::decode(stored).map(|decoded| decoded.map(Self))
    }
}

#[test]
fn each_event_names_its_own_producer() {
    let here = factum::producer!();
    everywhere(|store| {
        let mixed = (deposited("ada", 1), Foreign(deposited("ada", 2)), deposited("ada", 3));
        store.record(mixed.clone()).run().unwrap();
        store.decide(Balance::of("ada"), |_| Ok::<_, ()>(mixed.clone())).actor("ada").run().unwrap();
        let producers: Vec<_> =
            events(&store, "account-ada").iter().map(|event| producer_of(event).unwrap()).collect();
        assert_eq!(producers, [here, "elsewhere 2.0.0", here, here, "elsewhere 2.0.0", here]);
    });
}
