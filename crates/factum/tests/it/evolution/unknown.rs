use factum::event::{Decoded, Stored};
use factum::prelude::*;
use factum_core::ContentType;
use serde_json::json;

use super::{append, decode, told};

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[event(newer = skip)]
enum Cart {
    #[event(newer = refuse)]
    Opened {
        #[id]
        id: CartId,
    },
    #[event(newer = read)]
    ItemAdded {
        #[id]
        id: CartId,
        item: String,
    },
    Closed {
        #[id]
        id: CartId,
    },
}

macro_rules! items {
    ($name:ident, $($unknown:tt)*) => {
        #[derive(Aggregate, Clone, Debug)]
        #[folds(Cart $($unknown)*)]
        struct $name {
            #[key]
            id: CartId,
            items: Vec<String>,
            is_closed: bool,
        }
        impl Evolve<Cart> for $name {
            fn evolve(&mut self, event: &Cart) {
                match event {
                    Cart::Opened { .. } => {}
                    Cart::ItemAdded { item, .. } => self.items.push(item.clone()),
                    Cart::Closed { .. } => self.is_closed = true,
                }
            }
        }
    };
}

items!(Strict,);
items!(SaidSo, , unknown = refuse);
items!(Lenient, , unknown = skip);

#[test]
fn a_newer_version_is_refused_read_or_skipped_as_the_event_says() {
    let error = decode::<Cart>("CartOpened", 2, &json!({"id": "c"})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "CartOpened version 2: the newest version known here is 1: update this program, or declare \
         `newer = read` or `newer = skip` on the event"
    );
    let newer = json!({"id": "c", "item": "pear", "price": {"cents": 5}});
    let read = decode::<Cart>("CartItemAdded", 7, &newer).unwrap();
    assert_eq!(read, Decoded::Event(Cart::ItemAdded { id: "c".into(), item: "pear".into() }));
    assert_eq!(
        decode::<Cart>("CartClosed", 2, &json!("not even an object")).unwrap(),
        Decoded::SkippedVersion
    );

    let error = decode::<Cart>("CartItemAdded", 7, &json!({"id": "c", "sku": "pear"})).unwrap_err();
    assert!(error.to_string().contains("missing field `item`"), "{error}");
}

#[test]
fn a_model_passes_over_skipped_versions() {
    let store = Store::memory();
    append(&store, "cart-c", "CartItemAdded", 2, &json!({"id": "c", "item": "pear", "more": 1}));
    append(&store, "cart-c", "CartClosed", 2, &json!({}));
    let cart = store.load(Strict::of("c")).run().unwrap();
    assert_eq!((cart.items.clone(), cart.is_closed, cart.events), (vec!["pear".to_owned()], false, 2));
}

#[test]
fn an_unknown_type_is_refused_or_skipped_as_the_model_says() {
    let store = Store::memory();
    append(&store, "cart-c", "CartItemAdded", 1, &json!({"id": "c", "item": "pear"}));
    append(&store, "cart-c", "CartTeleported", 1, &json!({}));
    let errors =
        [store.load(Strict::of("c")).run().err().unwrap(), store.load(SaidSo::of("c")).run().err().unwrap()];
    for error in errors {
        assert_eq!(
            told(&error),
            "the event at position 1 (cart-c revision 1) cannot be read: no event of the model is stored \
             as CartTeleported: add it to the enum, or write `#[folds(..., unknown = skip)]` on the model"
        );
    }
    assert_eq!(store.load(Lenient::of("c")).run().unwrap().items, ["pear"]);
}

#[test]
fn a_newer_version_may_be_written_in_another_way() {
    let elsewhere = ContentType::from("application/cbor");
    let decode = |event_type| {
        Cart::decode(Stored { event_type, schema_version: 9, content_type: &elsewhere, data: b"\xa1" })
    };
    assert_eq!(decode("CartClosed").unwrap(), Decoded::SkippedVersion);
    let refused = decode("CartOpened").unwrap_err().to_string();
    assert!(refused.contains("the newest version known here is 1"), "{refused}");
    let unread = decode("CartItemAdded").unwrap_err().to_string();
    assert!(unread.contains("nothing here reads application/cbor"), "{unread}");
}
