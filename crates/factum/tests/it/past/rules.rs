//! Old logic for old events, by what is recorded with them.

use factum::RecordedEvent;
use factum::rules::Rules;

use super::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct OrderId(String);

/// As it was stored before discounts could be named.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "OrderPlaced", category = "order", version = 1)]
struct PlacedV1 {
    #[id]
    id: OrderId,
    cents: i64,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "OrderPlaced", category = "order", version = 2, from = PlacedV1)]
struct Placed {
    #[id]
    id: OrderId,
    cents: i64,
    discount: i64,
}

impl From<PlacedV1> for Placed {
    /// Today every order has a discount of ten.
    fn from(old: PlacedV1) -> Self {
        Self { id: old.id, cents: old.cents, discount: 10 }
    }
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Order {
    Placed(Placed),
}

macro_rules! total {
    ($name:ident, |$rules:ident| $choose:expr) => {
        #[derive(Aggregate, Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[folds(Order)]
        struct $name {
            #[key]
            id: OrderId,
            cents: i64,
        }

        impl Evolve<Order> for $name {
            fn evolve(&mut self, event: &Order) {
                let Order::Placed(placed) = event;
                self.cents += placed.cents - placed.discount;
            }

            fn evolve_at(&mut self, event: &Order, recorded: &RecordedEvent) {
                let $rules: Rules<'_, Self, Order> = Rules::at(recorded);
                let rule = $choose.otherwise(Self::evolve);
                rule(self, event);
            }
        }

        impl $name {
            fn without_discount(&mut self, event: &Order) {
                let Order::Placed(placed) = event;
                self.cents += placed.cents;
            }
        }
    };
}

total!(ByDate, |rules| rules.recorded_before(at(100), Self::without_discount));
total!(ByTruth, |rules| rules.happened_before(at(100), Self::without_discount));
total!(BySchema, |rules| rules.schema_up_to(1, Self::without_discount));
total!(ByProgram, |rules| rules.made_by(|program| program == "shop 1.0", Self::without_discount));
total!(Nested, |rules| rules
    .when(|recorded| recorded.revision.get() == 0, Self::without_discount)
    .when(|recorded| recorded.revision.get() == 0, Self::evolve)
    .schema_up_to(0, Self::without_discount));

fn placed(discount: i64) -> Order {
    Order::Placed(Placed { id: "o".into(), cents: 1_000, discount })
}

/// Three orders: of the old shape, of the new shape by an old program and
/// known late, and of today.
fn orders(options: StoreOptions) -> (Store, Arc<ManualClock>) {
    let (store, clock) = clocked(options);
    store.record(PlacedV1 { id: "o".into(), cents: 1_000 }).run().unwrap();
    clock.set(at(100));
    let mut context = factum::command::Context { occurred_at: Some(at(99)), ..Default::default() };
    context.metadata.insert("producer".into(), "shop 1.0".into());
    store.record(placed(100)).context(context).run().unwrap();
    clock.set(at(200));
    store.record(placed(100)).run().unwrap();
    (store, clock)
}

#[test]
fn old_events_are_folded_by_the_rules_of_their_time() {
    let (store, _) = orders(StoreOptions::default());
    assert_eq!(store.load(ByDate::of("o")).run().unwrap().cents, 1_000 + 900 + 900);
    assert_eq!(store.load(ByTruth::of("o")).run().unwrap().cents, 1_000 + 1_000 + 900);
    assert_eq!(store.load(BySchema::of("o")).run().unwrap().cents, 1_000 + 900 + 900);
    assert_eq!(store.load(ByProgram::of("o")).run().unwrap().cents, 990 + 1_000 + 900);
    assert_eq!(store.load(Nested::of("o")).run().unwrap().cents, 1_000 + 900 + 900, "the first that fits");
}

/// The state kept warm has folded events it has just appended, without reading
/// them: under rules by date it must have seen the date they were recorded at.
#[test]
fn a_warm_state_has_folded_by_the_same_rules() {
    let (store, clock) = clocked(StoreOptions::default());
    for (time, discount) in [(98, 1), (99, 2), (100, 4), (101, 8)] {
        clock.set(at(time));
        store.decide(ByDate::of("o"), |_| Ok::<_, ()>(placed(discount))).run().unwrap();
        let mut warm = None;
        let asked: Result<_, _> = store
            .decide(ByDate::of("o"), |total| {
                warm.get_or_insert(total.cents);
                Ok::<_, ()>(())
            })
            .run();
        asked.unwrap();
        assert_eq!(warm, Some(store.load(ByDate::of("o")).run().unwrap().cents), "at {time}");
        let ways = store.load(ByDate::of("o")).verify().run().unwrap().ways;
        assert!(ways.contains(&factum::history::verify::Way::Warm));
    }
    assert_eq!(store.load(ByDate::of("o")).run().unwrap().cents, 4_000 - 4 - 8);
}
