//! History, differences, statements.

use std::collections::BTreeMap;

use factum::command::Context;
use factum::history::Change;
use factum::{Moment, Position, ReadError, Revision, StoreError};
use serde_json::json;

use super::*;

fn cents(changes: &[Change<Balance>]) -> Vec<(i64, i64)> {
    changes.iter().map(|change| (change.before.cents, change.after.cents)).collect()
}

#[test]
fn a_history_has_each_event_with_the_state_before_and_after() {
    let store = bank(StoreOptions::default());
    let changes = store.load(Balance::of("ada")).history().run().unwrap();
    assert_eq!(cents(&changes), [(0, 0), (0, 500), (500, 800), (800, 600)]);
    let positions: Vec<_> = changes.iter().map(|change| change.event.position.get()).collect();
    assert_eq!(positions, [0, 1, 3, 5]);
    assert_eq!(changes[3].diff().unwrap().at("/cents").unwrap().to_string(), "~ /cents  800 → 600");
    let awaited = pollster::block_on(store.load(Balance::of("ada")).history().into_future()).unwrap();
    assert_eq!(awaited, changes);
    assert_eq!(store.load(Balance::of("nobody")).history().run().unwrap(), []);
}

#[test]
fn a_history_is_bounded_by_moments_of_every_kind() {
    let store = bank(StoreOptions::default());
    let tell = |from: Moment, until: Moment| {
        cents(&store.load(Balance::of("ada")).history().from(from).until(until).run().unwrap())
    };
    let whole = [(0, 0), (0, 500), (500, 800), (800, 600)];
    let position = |position| Moment::Position(Position::new(position));
    let revision = |revision| Moment::Revision(Revision::new(revision));
    let rows = [
        (position(0), position(5), 0..4),
        (position(1), position(3), 1..3),
        (position(2), position(2), 0..0),
        (position(2), Moment::Now, 2..4),
        (revision(1), revision(2), 1..3),
        (revision(3), Moment::Now, 3..4),
        (revision(4), Moment::Now, 0..0),
        (revision(0), revision(9), 0..4),
        (at(1).into(), at(4).into(), 1..3),
        (at(2).into(), revision(2), 2..3),
        (at(9).into(), Moment::Now, 0..0),
        (Moment::Now, Moment::Now, 0..0),
        (position(0), at(-1).into(), 0..0),
    ];
    for (from, until, expected) in rows {
        assert_eq!(tell(from, until), whole[expected], "{from:?} to {until:?}");
    }
}

#[test]
fn a_history_can_be_taken_one_change_after_another() {
    let store = bank(StoreOptions::default());
    let mut changes = store.load(Balance::of("ada")).history().changes().unwrap();
    assert_eq!(changes.nth(1).unwrap().unwrap().after.cents, 500);
    assert_eq!(changes.model().cents, 500);
    store.record(deposited("ada", 1)).run().unwrap();
    assert_eq!(changes.by_ref().count(), 2, "what came later is not told");
    assert_eq!(changes.model().cents, 600);
}

#[test]
fn a_history_of_a_tuple_is_in_the_order_of_the_log() {
    let store = bank(StoreOptions::default());
    let models = || (Balance::of("ada"), Balance::of("bob"), Wealth::of("eve"));
    let changes = store.load(models()).history().run().unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let (ada, bob, eve) = &change.after;
            (change.event.position.get(), ada.cents, bob.cents, eve.cents, eve.order.as_str())
        })
        .collect();
    let expected = [
        (0, 0, 0, 0, "o"),
        (1, 500, 0, 500, "o+"),
        (2, 500, 0, 500, "o+o"),
        (3, 800, 0, 800, "o+o+"),
        (4, 800, 70, 870, "o+o++"),
        (5, 600, 70, 670, "o+o++-"),
    ];
    assert_eq!(told, expected);
    for (position, ..) in expected {
        let then = store.load(models()).as_of(Position::new(position)).run().unwrap();
        assert_eq!(then.model, changes[position as usize].after, "as of {position}");
    }
    // The same account twice is the same event once.
    let twice = store.load((Balance::of("bob"), Balance::of("bob"))).history().run().unwrap();
    assert_eq!(
        twice.iter().map(|change| (change.after.0.cents, change.after.1.cents)).collect::<Vec<_>>(),
        [(0, 0), (70, 70)]
    );
}

#[test]
fn a_revision_of_a_tuple_is_one_moment_for_all() {
    let store = bank(StoreOptions::default());
    let load = |revision| {
        store.load((Balance::of("ada"), Balance::of("bob"))).as_of(Revision::new(revision)).run().unwrap()
    };
    let cents = |revision| (load(revision).0.cents, load(revision).1.cents);
    assert_eq!([cents(0), cents(2), cents(3), cents(9)], [(0, 0), (800, 0), (600, 70), (600, 70)]);
    let error = store.load((Wealth::of("eve"), Balance::of("ada"))).as_of(Revision::new(1)).run();
    assert!(matches!(error, Err(StoreError::Read(ReadError::RevisionWithoutStream))), "{error:?}");
    let error = store.load(Wealth::of("eve")).history().from(Revision::new(1)).run();
    assert!(matches!(error, Err(StoreError::Read(ReadError::RevisionWithoutStream))), "{error:?}");
}

#[test]
fn a_diff_is_what_two_moments_do_not_share() {
    let store = bank(StoreOptions::default());
    let diff = |a: Moment, b: Moment| store.load(Balance::of("ada")).diff(a, b).run().unwrap().to_string();
    let position = |position| Moment::Position(Position::new(position));
    assert_eq!(diff(position(1), Moment::Now), "~ /cents  500 → 600\n+ /changes/2  300\n+ /changes/3  -200");
    assert_eq!(diff(Moment::Now, position(1)), "~ /cents  600 → 500\n- /changes/2  300\n- /changes/3  -200");
    assert_eq!(diff(at(3).into(), Revision::new(2).into()), "");
    let both = store.load((Balance::of("ada"), Wealth::of("eve"))).diff(position(4), position(5));
    let both = pollster::block_on(both.into_future()).unwrap();
    assert_eq!(both.at("/1/cents").unwrap().to_string(), "~ /1/cents  870 → 670");
}

#[test]
fn a_failing_event_ends_the_history_with_its_error() {
    let store = bank(StoreOptions::default());
    let broken = factum_core::NewEvent::json("AccountDeposited", &json!({"id": "ada"})).unwrap();
    let stream = factum::StreamName::new("account-ada").unwrap();
    store
        .events()
        .append(factum_core::Append::to(stream, factum_core::ExpectedRevision::Any, [broken]))
        .unwrap();
    store.record(deposited("ada", 1)).run().unwrap();
    let changes: Vec<_> = store.load(Balance::of("ada")).history().changes().unwrap().collect();
    assert_eq!(changes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, true, false]);
    assert!(matches!(changes[4], Err(StoreError::Fold(_))));
}

/// The dispute of the story: a deposit, and what ate it.
fn dispute() -> Store {
    let (store, clock) = clocked(StoreOptions::default());
    let record = |event, context: Context| {
        let receipt = store.record(event).context(context).run().unwrap();
        store
            .events()
            .read(
                factum_core::Read::all().from(factum_core::Start::Position(receipt.last_position().unwrap())),
            )
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    let by = |actor: &str| Context {
        metadata: [("actor".to_owned(), json!(actor))].into_iter().collect(),
        ..Context::default()
    };
    record(deposited("123", 20), by("ada"));
    clock.set(at(3_600));
    let order = record(deposited("123", 50), by("ada"));
    clock.set(at(7_200));
    let renewal = Context {
        metadata: by("renewals\n\u{1b}[31m").metadata,
        occurred_at: Some(at(7_000)),
        ..Context::caused_by(&order)
    };
    record(withdrawn("123", 50), renewal);
    record(opened("123"), Context { causation_id: Some(factum::Uuid::from_u128(7)), ..Context::default() });
    store
}

#[test]
fn a_statement_says_when_who_why_and_what_it_came_to() {
    let statement = dispute().load(Balance::of("123")).explain().only(|balance| balance.cents).run().unwrap();
    let (first, last) = (&statement.entries[0], &statement.entries[2]);
    assert_eq!((first.actor.as_deref(), &first.cause), (Some("ada"), &None));
    assert_eq!(last.cause.as_ref().unwrap().event_type.as_ref().unwrap().as_str(), "AccountDeposited");
    assert_eq!(last.correlation_id, statement.entries[1].correlation_id);
    // How keys are ordered depends on what else is built with serde_json.
    let data = [0, 1, 2].map(|entry| statement.entries[entry].data.to_string());
    let expected = format!(
        "\
Balance: 3 events
    = 0

1970-01-01T00:00:00.000000Z  AccountDeposited  by ada
    position 0, account-123 revision 0
    {}
    ~ (all)  0 → 20
    = 20

1970-01-01T01:00:00.000000Z  AccountDeposited  by ada
    position 1, account-123 revision 1
    {}
    ~ (all)  20 → 70
    = 70

1970-01-01T02:00:00.000000Z  AccountWithdrawn  by renewals\\n\\u{{1b}}[31m
    position 2, account-123 revision 2, happened 1970-01-01T01:56:40.000000Z, because of AccountDeposited
    {}
    ~ (all)  70 → 20
    = 20

1 further event changed nothing of this
",
        data[0], data[1], data[2]
    );
    assert_eq!(statement.to_string(), expected);
}

#[test]
fn a_statement_is_data_too() {
    let store = dispute();
    let statement = store.load(Balance::of("123")).explain().run().unwrap();
    assert_eq!((statement.entries.len(), statement.left_out), (4, 0), "the whole state: nothing is left out");
    let data = serde_json::to_value(&statement).unwrap();
    let entry = &data["entries"][2];
    assert_eq!(entry["recorded_at"], "1970-01-01T02:00:00.000000Z");
    assert_eq!(entry["occurred_at"], "1970-01-01T01:56:40.000000Z");
    assert_eq!(
        (&entry["position"], &entry["revision"], &entry["schema_version"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!((&entry["stream"], &entry["event_type"]), (&json!("account-123"), &json!("AccountWithdrawn")));
    assert_eq!(entry["cause"]["event_type"], "AccountDeposited");
    assert_eq!(entry["cause"]["id"], data["entries"][1]["id"]);
    assert_eq!(entry["changes"][0], json!({"path": "/cents", "old": 70, "new": 20}));
    assert_eq!(entry["state"], json!({"id": "123", "cents": 20, "changes": [20, 50, -50]}));
    assert_eq!(entry["metadata"]["producer"], factum::producer!());
    assert_eq!(data["entries"][3]["cause"]["event_type"], json!(null), "an event of another model");
    assert_eq!(data["entries"][3]["occurred_at"], json!(null));
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Note {
    Taken {
        #[id]
        id: AccountId,
        text: String,
    },
}

#[derive(Aggregate, Clone, Debug, Serialize)]
#[folds(Note)]
struct Notes {
    #[key]
    id: AccountId,
    by_first: BTreeMap<String, String>,
}

impl Evolve<Note> for Notes {
    fn evolve(&mut self, Note::Taken { text, .. }: &Note) {
        self.by_first.insert(text.clone(), text.clone());
    }
}

#[test]
fn a_statement_forges_nothing_on_a_terminal() {
    let store = Store::memory();
    let metadata = [("actor".to_owned(), json!("eve\n\u{9b}2J"))].into_iter().collect();
    let context = Context { metadata, ..Context::default() };
    let note = Note::Taken { id: "ada".into(), text: "paid\n\u{9b}2K\u{202e}".into() };
    store.record(note).context(context).run().unwrap();
    let told = store.load(Notes::of("ada")).explain().run().unwrap().to_string();
    assert!(told.contains(r"by eve\n\u{9b}2J"), "{told}");
    assert!(told.contains(r#""text":"paid\n\u{9b}2K\u{202e}""#), "{told}");
    assert!(told.contains(r"+ /by_first/paid\n\u{9b}2K\u{202e}"), "{told}");
    let forged = told.chars().find(|c| *c != '\n' && factum_core::name::is_forbidden(*c));
    assert_eq!((forged, told.lines().count()), (None, 8), "{told:?}");
}

#[test]
fn a_bounded_statement_begins_with_what_was_brought_forward() {
    let store = dispute();
    let explain = || store.load(Balance::of("123")).explain().only(|balance| balance.cents);
    let statement = explain().from(at(3_600)).until(at(7_200)).run().unwrap();
    assert_eq!((&statement.before, statement.after(), statement.entries.len()), (&json!(20), &json!(20), 2));
    let nothing = pollster::block_on(explain().from(at(9_000)).into_future()).unwrap();
    assert_eq!((&nothing.before, nothing.after(), nothing.entries.len()), (&json!(20), &json!(20), 0));
    assert_eq!(nothing.to_string(), "Balance: 0 events\n    = 20\n");
}

#[test]
fn what_had_happened_by_a_time_is_folded_in_the_order_in_which_it_happened() {
    let (store, clock) = clocked(StoreOptions::default());
    let happened = |event, time: Option<i64>| {
        let context = Context { occurred_at: time.map(at), ..Context::default() };
        store.record(event).context(context).run().unwrap();
    };
    happened(opened("ada"), None);
    clock.set(at(30));
    happened(deposited("ada", 300), None);
    clock.set(at(50));
    happened(deposited("ada", 5), Some(20));
    let wealth = |by| store.load(Balance::of("ada")).happened_by(at(by));
    let changes = |by| wealth(by).run().unwrap().model.changes;
    assert_eq!(
        [changes(-1), changes(19), changes(20), changes(30)],
        [vec![], vec![0], vec![0, 5], vec![0, 5, 300]]
    );
    let known = store.load(Balance::of("ada")).as_of(at(30)).happened_by(at(25)).run().unwrap();
    assert_eq!((known.cents, known.events), (0, 1), "what was known then of what had happened by then");
    let loaded = pollster::block_on(wealth(25).into_future()).unwrap();
    assert_eq!(
        (loaded.events, loaded.position, loaded.revision),
        (2, Some(Position::new(2)), Some(Revision::new(2)))
    );
    let both = store.load((Wealth::of("eve"), Balance::of("ada"))).happened_by(at(25)).run().unwrap();
    assert_eq!((both.0.order.as_str(), both.1.cents, both.revision), ("o+", 5, None));
}
