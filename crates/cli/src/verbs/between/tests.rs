use super::super::testing::{answer, at, refusal, store, stream};
use super::*;
use crate::format::Format;
use factum_core::{Position, Revision};

fn positions(start: Moment, end: Moment, by: By) -> Vec<u64> {
    let lines = answer(Format::Ndjson, |out| show(&store(), stream("cart-1"), start, end, by, out));
    let position =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_u64().unwrap();
    lines.lines().map(position).collect()
}

#[test]
fn the_first_change_shown_is_a_change_from_what_was_there() {
    let (start, end) = (Moment::Time(at("00:00:30")), Moment::Time(at("00:00:45")));
    let text = answer(Format::Text, |out| show(&store(), stream("cart-1"), start, end, By::Recorded, out));
    insta::assert_snapshot!(text, @r#"
    position 3  revision 2  ItemAdded  2026-01-01T00:00:30.000000Z
        ~ /items/apple  1 → 2
        + /items/pear  1
        = {"customer":"c1","items":{"apple":2,"pear":1}}
    position 4  revision 3  CouponGiven  2026-01-01T00:00:40.000000Z
        + /CouponGiven  "TEN"
        = {"customer":"c1","items":{"apple":2,"pear":1},"CouponGiven":"TEN"}
    2 events
    "#);
}

#[test]
fn both_ends_are_included_whatever_they_are_written_as() {
    let time = |text| Moment::Time(at(text));
    let position = |n| Moment::Position(Position::new(n));
    let revision = |n| Moment::Revision(Revision::new(n));
    let rows = [
        (time("00:00:20"), time("00:00:40"), By::Recorded, vec![2, 3, 4]),
        (position(1), position(3), By::Recorded, vec![2, 3]),
        (revision(0), revision(1), By::Recorded, vec![0, 2]),
        (revision(1), time("00:00:31"), By::Recorded, vec![2, 3]),
        (time("00:00:51"), time("00:00:59"), By::Recorded, vec![]),
        (time("00:00:01"), time("00:00:10"), By::Occurred, vec![2]),
        (time("00:00:11"), time("00:00:30"), By::Occurred, vec![3]),
        (position(4), position(1_000), By::Recorded, vec![4, 5]),
    ];
    for (start, end, by, expected) in rows {
        assert_eq!(positions(start, end, by), expected, "{start} to {end}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let beyond = Moment::Position(Position::new(6));
    let refused = refusal(|out| show(&store(), stream("cart-1"), beyond, beyond, By::Recorded, out));
    assert!(refused.starts_with("not-found: position 6 is beyond the end of the log"), "{refused}");
    let start = Moment::Position(Position::new(0));
    let refused = refusal(|out| show(&store(), stream("cart-9"), start, beyond, By::Recorded, out));
    assert_eq!(refused, "not-found: there is no stream \"cart-9\"");
}
