//! `stream list`, `stream show`, `event-store stats`

use crate::program::{Place, assert_text};

#[test]
fn lists_and_shows_streams() {
    let place = Place::with_carts();
    assert_text!(place.ok(["stream", "list"]), @"
    stream  events  last revision  first recorded               last recorded
    cart-1       3              2  YYYY-MM-DDTHH:MM:SS.uuuuuuZ  YYYY-MM-DDTHH:MM:SS.uuuuuuZ
    cart-2       1              0  YYYY-MM-DDTHH:MM:SS.uuuuuuZ  YYYY-MM-DDTHH:MM:SS.uuuuuuZ
    2 streams
    ");
    assert_eq!(place.json(["stream", "list", "--prefix", "cart-2"])[0]["stream"], "cart-2");
    assert_eq!(place.ok(["stream", "list", "--category", "order"]), "0 streams\n");
    assert_text!(place.ok(["stream", "show", "cart-1", "--last", "1"]), @r#"
    stream         cart-1
    category       cart
    events         3
    last revision  2
    first          position 0, recorded YYYY-MM-DDTHH:MM:SS.uuuuuuZ
    last           position 3, recorded YYYY-MM-DDTHH:MM:SS.uuuuuuZ

    position  recorded at                  stream        revision  type          data
           3  YYYY-MM-DDTHH:MM:SS.uuuuuuZ  cart-1               2  ItemAdded     {"items":{"apple":2}}
    "#);
    place.fails(4, ["stream", "show", "cart-9"]);
}

#[test]
fn counts_what_is_there() {
    let place = Place::with_carts();
    let stats = place.json(["event-store", "stats"]);
    assert_eq!(stats["events"].as_u64(), Some(4));
    assert_eq!(stats["streams"].as_u64(), Some(2));
    assert_eq!(stats["last_position"].as_u64(), Some(3));
    assert_eq!(stats["segments"].as_array().unwrap().len(), 1);
    assert!(stats["log_bytes"].as_u64().unwrap() > 0);
}
