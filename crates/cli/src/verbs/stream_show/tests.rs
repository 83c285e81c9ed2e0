use super::super::testing::{answer, refusal, store, stream};
use super::*;

#[test]
fn shows_the_ends_and_the_last_events() {
    let text = answer(Format::Text, |out| show(&store(), &stream("cart-1"), 2, out));
    insta::assert_snapshot!(text, @r#"
    stream         cart-1
    category       cart
    events         5
    last revision  4
    first          position 0, recorded 2026-01-01T00:00:00.000000Z
    last           position 5, recorded 2026-01-01T00:00:50.000000Z

    position  recorded at                  stream        revision  type          data
           4  2026-01-01T00:00:40.000000Z  cart-1               3  CouponGiven   "TEN"
           5  2026-01-01T00:00:50.000000Z  cart-1               4  ItemRemoved   {"items":{"apple":null}}
    "#);
}

#[test]
fn speaks_to_programs() {
    let json = answer(Format::Json, |out| show(&store(), &stream("cart-1"), 2, out));
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(shown["events"].as_u64(), Some(5));
    assert_eq!(shown["last_events"][1]["type"], "ItemRemoved");
    assert_eq!(shown["last_events"].as_array().unwrap().len(), 2);
}

#[test]
fn a_stream_that_is_not_there() {
    let refused = refusal(|out| show(&store(), &stream("cart-9"), 2, out));
    assert_eq!(refused, "not-found: there is no stream \"cart-9\"");
}
