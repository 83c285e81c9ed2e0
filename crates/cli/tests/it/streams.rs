//! `stream list`, `stream show`, `stream export`, `event-store stats`

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

#[test]
fn an_export_is_imported_as_it_was() {
    let place = Place::with_carts();
    place.ok([
        "event-store",
        "append",
        "cart-2",
        r#"{"type":"ItemAdded","data":{"n":1.50},"metadata":{"actor":"ada"},"tags":["sku:a"],"schema_version":2,
            "occurred_at":"2026-11-21T10:00:00Z","correlation_id":"018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b",
            "causation_id":"018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3c"}"#,
    ]);
    let all = place.ok(["stream", "export", "--all"]);
    assert_eq!(all.lines().count(), 5);
    assert_eq!(place.ok(["stream", "export", "cart-2", "--until", "rev:0"]).lines().count(), 1);
    std::fs::write(place.dir().join("all.jsonl"), &all).unwrap();

    let import = ["--store", "copy", "import", "jsonl", "all.jsonl"];
    assert_eq!(place.run(import).code, 0);
    let copied = place.ok(["--store", "copy", "stream", "export", "--all"]);
    let facts = |text: &str| -> Vec<serde_json::Value> {
        let facts = |line: &str| -> serde_json::Value {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            let keys = event.as_object_mut().unwrap();
            assert!(keys.contains_key("recorded_at"));
            keys.retain(|key, _| !["position", "revision", "recorded_at"].contains(&key.as_str()));
            event
        };
        text.lines().map(facts).collect()
    };
    assert_eq!(facts(&copied), facts(&all));

    place.fails(2, ["stream", "export"]);
    place.fails(2, ["stream", "export", "cart-1", "--all"]);
    let refused = place.fails(2, ["--format", "csv", "stream", "export", "cart-1"]);
    assert!(refused.contains("leave --format out"), "{refused}");
    place.fails(4, ["stream", "export", "cart-9"]);
}
