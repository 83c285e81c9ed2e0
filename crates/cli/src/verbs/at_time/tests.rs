use super::super::testing::{answer, at as clock, refusal, store, stream};
use super::*;
use factum_core::{Position, Revision};

fn state(at: Moment, by: By) -> Value {
    let json = answer(Format::Json, |out| show(&store(), &stream("cart-1"), at, by, out));
    serde_json::from_str::<Value>(&json).unwrap()["state"].take()
}

fn refused(at: Moment, by: By) -> String {
    refusal(|out| show(&store(), &stream("cart-1"), at, by, out))
}

#[test]
fn shows_the_state_and_the_event_it_ended_with() {
    let at = Moment::Time(clock("00:00:35"));
    let text = answer(Format::Text, |out| show(&store(), &stream("cart-1"), at, By::Recorded, out));
    insta::assert_snapshot!(text, @r#"
    stream      cart-1
    at          2026-01-01T00:00:35.000000Z (by recorded time)
    events      3
    ended with  ItemAdded at position 3, revision 2, recorded 2026-01-01T00:00:30.000000Z
    left out    2 events
    {
      "customer": "c1",
      "items": {
        "apple": 2,
        "pear": 1
      }
    }
    "#);
}

#[test]
fn the_moment_itself_is_included() {
    let expected = serde_json::json!({"customer": "c1", "items": {"apple": 1}});
    let expected: Value = serde_json::from_str(&expected.to_string()).unwrap();
    for moment in [
        Moment::Time(clock("00:00:20")),
        Moment::Time(clock("00:00:29.999999")),
        Moment::Position(Position::new(2)),
        Moment::Revision(Revision::new(1)),
    ] {
        assert_eq!(state(moment, By::Recorded), expected, "{moment}");
    }
    // Position 1 is another stream's event: the state is that after position 0.
    assert_eq!(state(Moment::Position(Position::new(1)), By::Recorded)["items"], serde_json::json!({}));
}

#[test]
fn occurred_time_counts_what_was_recorded_later() {
    let at = Moment::Time(clock("00:00:06"));
    assert_eq!(state(at, By::Recorded)["items"], serde_json::json!({}));
    assert_eq!(state(at, By::Occurred)["items"].to_string(), r#"{"apple":1}"#);
}

#[test]
fn after_the_last_event_nothing_is_left_out() {
    let at = Moment::Time(clock("23:00:00"));
    let text = answer(Format::Text, |out| show(&store(), &stream("cart-1"), at, By::Recorded, out));
    assert!(text.contains("left out    none: this is the stream as it is now"), "{text}");
}

#[test]
fn places_and_times_without_a_state() {
    assert_eq!(
        refused(Moment::Time("2025-12-31T00:00:00Z".parse().unwrap()), By::Recorded),
        "not-found: stream \"cart-1\" had no event at 2025-12-31T00:00:00.000000Z: its first one was recorded at 2026-01-01T00:00:00.000000Z, position 0"
    );
    assert_eq!(
        refused(Moment::Position(Position::new(6)), By::Recorded),
        "not-found: position 6 is beyond the end of the log, whose last position is 5: use 5 or less"
    );
    assert_eq!(
        refused(Moment::Revision(Revision::new(5)), By::Recorded),
        "not-found: revision 5 is beyond the end of stream \"cart-1\", whose last revision is 4: use 4 or less"
    );
    assert_eq!(
        refused(Moment::Position(Position::new(2)), By::Occurred),
        "invalid: --by occurred compares times, and position 2 is a place in the log"
    );
    assert!(
        refused(Moment::Time("2025-12-31T00:00:00Z".parse().unwrap()), By::Occurred)
            .starts_with("not-found: no event")
    );
    let before_cart_2 = Moment::Position(Position::new(0));
    let refused = refusal(|out| show(&store(), &stream("cart-2"), before_cart_2, By::Recorded, out));
    assert!(refused.contains("had no event at position 0: its first one"), "{refused}");
    let refused = refusal(|out| show(&store(), &stream("cart-9"), before_cart_2, By::Recorded, out));
    assert_eq!(refused, "not-found: there is no stream \"cart-9\"");
}
