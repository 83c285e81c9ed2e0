use super::super::testing::{answer, store};
use super::*;

fn wanted(prefix: Option<&str>, category: Option<&str>, limit: usize) -> Wanted {
    Wanted { prefix: prefix.map(Into::into), category: category.map(Into::into), limit }
}

#[test]
fn lists_streams_by_name() {
    let text = answer(Format::Text, |out| list(&store(), &wanted(None, None, 10), out));
    insta::assert_snapshot!(text, @"
    stream  events  last revision  first recorded               last recorded
    cart-1       5              4  2026-01-01T00:00:00.000000Z  2026-01-01T00:00:50.000000Z
    cart-2       1              0  2026-01-01T00:00:10.000000Z  2026-01-01T00:00:10.000000Z
    2 streams
    ");
}

#[test]
fn lists_only_what_is_wanted() {
    let names = |wanted| {
        let lines = answer(Format::Ndjson, |out| list(&store(), &wanted, out));
        let name =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["stream"].to_string();
        lines.lines().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(wanted(Some("cart-2"), None, 10)), "\"cart-2\"");
    assert_eq!(names(wanted(None, Some("cart"), 1)), "\"cart-1\"");
    assert_eq!(names(wanted(None, Some("car"), 10)), "");
    let text = answer(Format::Text, |out| list(&store(), &wanted(None, None, 1), out));
    assert!(text.ends_with("2 streams, 1 shown\n"), "{text}");
}
