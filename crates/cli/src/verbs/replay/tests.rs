use super::super::testing::{answer, refusal, store, stream};
use super::*;

#[test]
fn shows_what_each_event_changed_and_led_to() {
    let text = answer(Format::Text, |out| replay(&store(), stream("cart-1"), true, out));
    insta::assert_snapshot!(text, @r#"
    position 0  revision 0  Opened  2026-01-01T00:00:00.000000Z  #customer:c1
        + /customer  "c1"
        + /items  {}
        = {"customer":"c1","items":{}}
    position 2  revision 1  ItemAdded  2026-01-01T00:00:20.000000Z  occurred 2026-01-01T00:00:05.000000Z
        + /items/apple  1
        = {"customer":"c1","items":{"apple":1}}
    position 3  revision 2  ItemAdded  2026-01-01T00:00:30.000000Z
        ~ /items/apple  1 → 2
        + /items/pear  1
        = {"customer":"c1","items":{"apple":2,"pear":1}}
    position 4  revision 3  CouponGiven  2026-01-01T00:00:40.000000Z
        + /CouponGiven  "TEN"
        = {"customer":"c1","items":{"apple":2,"pear":1},"CouponGiven":"TEN"}
    position 5  revision 4  ItemRemoved  2026-01-01T00:00:50.000000Z
        - /items/apple  2
        = {"customer":"c1","items":{"pear":1},"CouponGiven":"TEN"}
    5 events
    "#);
}

#[test]
fn an_event_may_change_nothing() {
    let text = answer(Format::Text, |out| replay(&store(), stream("cart-2"), false, out));
    insta::assert_snapshot!(text, @"
    position 1  revision 0  Opened  2026-01-01T00:00:10.000000Z
        (no change)
    1 event
    ");
}

#[test]
fn speaks_to_programs() {
    let json = answer(Format::Json, |out| replay(&store(), stream("cart-1"), true, out));
    let steps: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[1]["data"], serde_json::json!({"items": {"apple": 1}}));
    assert_eq!(steps[1]["occurred_at"], "2026-01-01T00:00:05.000000Z");
    assert_eq!(
        steps[4]["changes"],
        serde_json::json!([{"path": "/items/apple", "from": serde_json::from_str::<Value>("2").unwrap()}])
    );
    assert_eq!(steps[4]["state"]["items"], serde_json::json!({"pear": 1}));

    let lines = answer(Format::Ndjson, |out| replay(&store(), stream("cart-1"), false, out));
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 5);
    assert!(rows[0].get("state").is_none() && rows[0].get("changes").is_some());

    let table = answer(Format::Csv, |out| replay(&store(), stream("cart-1"), true, out));
    let mut table = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(table.headers().unwrap().iter().collect::<Vec<_>>(), Step::COLUMNS);
    let rows: Vec<_> = table.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(&rows[3][9], "\"TEN\"", "data is JSON in its cell");
    assert_eq!(&rows[0][17], r#"{"customer":"c1","items":{}}"#);
}

#[test]
fn a_stream_that_is_not_there() {
    let refused = refusal(|out| replay(&store(), stream("cart-9"), true, out));
    assert_eq!(refused, "not-found: there is no stream \"cart-9\"");
}
