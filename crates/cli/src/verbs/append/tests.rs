use clap::Parser;
use factum_core::{ErrorKind, Read};

use super::super::testing::{answer, refusal, store, stream, written};
use super::*;

fn args(words: &[&str]) -> AppendArgs {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: AppendArgs,
    }
    Line::try_parse_from(std::iter::once(&"append").chain(words)).unwrap().args
}

fn perform(store: &dyn EventStore, words: &[&str], out: &mut Out) -> Result<(), Failure> {
    Request::of(&args(words))?.perform(store, out)
}

fn refused(words: &[&str]) -> String {
    refusal(|out| perform(&store(), words, out))
}

const ID: &str = "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b";

#[test]
fn answers_with_the_receipt() {
    let store = store();
    let words = ["cart-1", r#"{"type":"A"}"#, "--expected", "4", "--id", ID];
    let text = answer(Format::Text, |out| perform(&store, &words, out));
    insta::assert_snapshot!(text, @"
    appended 1 event to cart-1: position 6, revision 5, durability memory
      id 018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b
    ");
    let again = answer(Format::Text, |out| perform(&store, &words, out));
    assert!(
        again.starts_with("already recorded, nothing appended: 1 event to cart-1: position 6"),
        "{again}"
    );
}

#[test]
fn an_array_is_one_append() {
    let store = store();
    let words = ["cart-3", r#"[{"type":"A","tags":["t"]},{"type":"B"}]"#, "--tag", "u", "--expected", "none"];
    let json = answer(Format::Json, |out| perform(&store, &words, out));
    let receipt: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(receipt["first_position"].as_u64(), Some(6));
    assert_eq!(receipt["last_revision"].as_u64(), Some(1));
    assert_eq!(receipt["ids"].as_array().unwrap().len(), 2);
    let events: Vec<_> =
        store.read(Read::stream(stream("cart-3"))).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(events[0].tags.iter().collect::<Vec<_>>(), ["t", "u"]);
    assert_eq!(events[1].tags.iter().collect::<Vec<_>>(), ["u"]);
}

#[test]
fn with_a_type_the_event_is_its_data() {
    let store = store();
    answer(Format::Text, |out| perform(&store, &["s", "[1, 2.50]", "--type", "Measured"], out));
    let event = store.read(Read::stream(stream("s"))).unwrap().next().unwrap().unwrap();
    assert_eq!((event.event_type.as_str(), &event.data[..]), ("Measured", &b"[1,2.50]"[..]));
}

#[test]
fn a_condition_refuses_what_happened_meanwhile() {
    let guarded = ["s", r#"{"type":"A"}"#, "--fail-if-tag", "customer:c1"];
    let refused = refused(&guarded);
    assert_eq!(
        refused,
        "conflict: an event at position 0 matches the append condition: read again what the condition asks for and decide again"
    );
    let later = [&guarded[..], &["--after", "0"]].concat();
    answer(Format::Text, |out| perform(&store(), &later, out));
    let beyond = [&guarded[..], &["--after", "99"]].concat();
    assert!(self::refused(&beyond).contains("the log ends at position 5: use a position that was read"));
    let both = ["s", r#"{"type":"A"}"#, "--fail-if-tag", "customer:c1", "--fail-if-type", "ItemAdded"];
    answer(Format::Text, |out| perform(&store(), &both, out));
}

#[test]
fn refuses_with_what_to_do() {
    let long = "x".repeat(1025);
    let rows: &[(&[&str], &str)] = &[
        (
            &["cart-1", r#"{"type":"A"}"#, "--expected", "9"],
            "conflict: stream \"cart-1\" was expected at revision 9, but its last event is at revision 4",
        ),
        (
            &["cart-1", r#"{"type":"A"}"#, "--expected", "none"],
            "conflict: stream \"cart-1\" was expected at no stream",
        ),
        (&["cart-9", r#"{"type":"A"}"#, "--expected", "exists"], "but it has no event"),
        (
            &["cart-1", r#"{"type":"A"}"#, "--expected", "lots"],
            "usage: --expected \"lots\" is no expectation: use any, none",
        ),
        (&["cart-1", r#"{"type":"A"}"#, "--expected", "-1"], "usage: --expected \"-1\" is no expectation"),
        (&["", r#"{"type":"A"}"#], "invalid: the stream name is empty: give it at least one character"),
        (&["a\nb", r#"{"type":"A"}"#], "control characters"),
        (&[&long, r#"{"type":"A"}"#], "has 1025 bytes, and at most 1024 are allowed: shorten it"),
        (&["s", "{\"type\":\n oops}"], "invalid: EVENT is not JSON: expected value at line 2 column 2"),
        (&["s", ""], "invalid: EVENT is not JSON: EOF"),
        (&["s", "[]"], "invalid: the array is empty"),
        (&["s", r#"[{"type":"A"},{"typ":"B"}]"#], "invalid: event 1: `typ` is not a key of an event"),
        (&["s", r#"{"type":"A","stream":"t"}"#], "`stream` is \"t\" and the stream to append to is \"s\""),
        (&["s", r#"[{"type":"A"},{"type":"B"}]"#, "--id", ID], "usage: --id names one event"),
        (&["s", r#"{"type":"A"}"#, "--id", "7"], "invalid: --id \"7\" is no UUID"),
        (&["s", r#"{"type":"A"}"#, "--after", "3"], "usage: --after alone refuses nothing"),
        (&["s", "{}", "--type", ""], "invalid: the event type is empty"),
        (&["s", r#"{"type":"A"}"#, "--tag", "a\u{202e}"], "invalid: the tag holds"),
        (&["s", "@/nowhere/at/all.json"], "not-found: cannot read /nowhere/at/all.json"),
    ];
    for (words, reason) in rows {
        let refused = refused(words);
        assert!(refused.contains(reason), "{words:?}: {refused}");
    }
}

#[test]
fn an_event_over_the_size_limit_is_refused_with_the_limit() {
    let data = format!("\"{}\"", "x".repeat(16 * 1024 * 1024));
    let refused = refused(&["s", &data, "--type", "Huge"]);
    assert!(
        refused.starts_with("invalid: event 0 has 16777218 bytes of data and metadata, and at most 16777216"),
        "{refused}"
    );
}

#[test]
fn hints_name_the_flag_to_use() {
    let words = ["cart-1", r#"{"type":"A"}"#, "--expected", "0"];
    let failure = written(Format::Text, |out| perform(&store(), &words, out)).1.unwrap_err();
    assert_eq!(
        failure.hints,
        ["`factum stream show cart-1` shows its last events; append with --expected 4 if yours still hold"]
    );
}

#[test]
fn an_unknown_outcome_names_the_ids_to_repeat() {
    let error = AppendError::Unknown(factum_core::StorageError::Closed);
    assert_eq!(error.kind(), ErrorKind::Unknown);
    let failure = explained(error, &[ID.parse().unwrap()]);
    assert_eq!(failure.code, Exit::Unknown);
    assert_eq!(failure.hints, [format!("append again with --id {ID}")]);
}
