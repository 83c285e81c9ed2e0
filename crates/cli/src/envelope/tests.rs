use super::*;

fn parsed(text: &str) -> Result<(Option<StreamName>, NewEvent), EnvelopeError> {
    parse(serde_json::from_str(text).unwrap())
}

#[test]
fn only_the_type_must_be_there() {
    let (stream, event) = parsed(r#"{"type":"Opened"}"#).unwrap();
    assert_eq!(stream, None);
    assert_eq!(event.event_type.as_str(), "Opened");
    assert_eq!(&event.data[..], b"{}");
    assert_eq!((event.schema_version, event.content_type), (1, ContentType::Json));
    assert!(event.metadata.is_empty() && event.tags.is_empty());
    assert_ne!(event.id, parsed(r#"{"type":"Opened"}"#).unwrap().1.id);
}

#[test]
fn takes_every_key() {
    let (stream, event) = parsed(
        r#"{
            "stream": "cart-1", "type": "ItemAdded",
            "data": {"z": 1.50, "a": 12345678901234567890123},
            "metadata": {"by": "import"}, "tags": ["sku:apple", "x", "x"],
            "id": "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b",
            "occurred_at": "2026-11-21T10:00:00+01:00", "schema_version": 2,
            "correlation_id": "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3c",
            "causation_id": "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3d",
            "content_type": "application/cart+json"
        }"#,
    )
    .unwrap();
    assert_eq!(stream.unwrap().as_str(), "cart-1");
    assert_eq!(&event.data[..], br#"{"z":1.50,"a":12345678901234567890123}"#, "digits and order are kept");
    assert_eq!(&event.metadata[..], br#"{"by":"import"}"#);
    assert_eq!(event.tags.iter().collect::<Vec<_>>(), ["sku:apple", "x"]);
    assert_eq!(event.id.to_string(), "018f3b1c-6a2e-7cc1-9a57-2f0c6f1d2e3b");
    assert_eq!(event.occurred_at.unwrap().to_string(), "2026-11-21T09:00:00.000000Z");
    assert_eq!(event.schema_version, 2);
    assert_eq!(event.correlation_id.unwrap().as_bytes()[15], 0x3c);
    assert_eq!(event.causation_id.unwrap().as_bytes()[15], 0x3d);
    assert_eq!(event.content_type.as_str(), "application/cart+json");
}

#[test]
fn null_is_absence_but_for_data() {
    let (stream, event) = parsed(
        r#"{"type":"A","data":null,"stream":null,"metadata":null,"tags":null,"id":null,
            "occurred_at":null,"schema_version":null,"correlation_id":null,"content_type":null}"#,
    )
    .unwrap();
    assert_eq!(&event.data[..], b"null");
    assert!(stream.is_none() && event.metadata.is_empty() && event.tags.is_empty());
    assert_eq!(event.schema_version, 1);
}

#[test]
fn takes_bytes_as_base64() {
    let (_, event) =
        parsed(r#"{"type":"A","content_type":"application/octet-stream","data_base64":"iVBORw=="}"#).unwrap();
    assert_eq!((&event.data[..], event.content_type), (&b"\x89PNG"[..], ContentType::Binary));
    let (_, event) = parsed(r#"{"type":"A","metadata_base64":"iVBORw=="}"#).unwrap();
    assert_eq!(&event.metadata[..], b"\x89PNG");
}

#[test]
fn refuses_by_name_with_a_reason_and_a_remedy() {
    let rows: &[(&str, &str, &str)] = &[
        ("[1]", "", "this is an array: write {\"type\""),
        ("3", "", "this is a number"),
        (r#"{"data":{}}"#, "type", "missing: say what kind of event"),
        (r#"{"type":null}"#, "type", "missing"),
        (r#"{"type":""}"#, "type", "is empty: give it at least one"),
        (r#"{"type":"a\u001b[2J"}"#, "type", "control characters"),
        (r#"{"type":5}"#, "type", "is a number: write the event type as text"),
        (
            r#"{"type":"A","dta":{}}"#,
            "dta",
            "is not a key of an event: remove it, or use one of stream, type",
        ),
        (r#"{"type":"A","position":3}"#, "position", "the store assigns it"),
        (r#"{"type":"A","stream":""}"#, "stream", "is empty"),
        (r#"{"type":"A","tags":"x"}"#, "tags", "is a text: write an array of texts"),
        (r#"{"type":"A","tags":["x",1]}"#, "tags", "an array with a number in it"),
        (r#"{"type":"A","tags":["x",""]}"#, "tags", "is empty"),
        (r#"{"type":"A","id":"x"}"#, "id", "is no UUID: write it as"),
        (r#"{"type":"A","causation_id":true}"#, "causation_id", "is a boolean: write a UUID as text"),
        (r#"{"type":"A","occurred_at":"noon"}"#, "occurred_at", "2026-11-21T10:00:00Z"),
        (r#"{"type":"A","schema_version":0}"#, "schema_version", "out of range: write a whole number from 1"),
        (r#"{"type":"A","schema_version":4294967296}"#, "schema_version", "out of range"),
        (r#"{"type":"A","schema_version":1.5}"#, "schema_version", "out of range"),
        (r#"{"type":"A","schema_version":"1"}"#, "schema_version", "is a text: write a whole number"),
        (r#"{"type":"A","data":{},"data_base64":"aa=="}"#, "data_base64", "give one of the two"),
        (r#"{"type":"A","data_base64":"aa=="}"#, "content_type", "`data_base64` needs it"),
        (r#"{"type":"A","data_base64":"!","content_type":"x/y"}"#, "data_base64", "standard alphabet"),
        (r#"{"type":"A","metadata":1,"metadata_base64":"aa=="}"#, "metadata_base64", "give one of the two"),
        (r#"{"type":"A","metadata_base64":"!"}"#, "metadata_base64", "standard alphabet"),
    ];
    for (text, field, reason) in rows {
        let error = parsed(text).unwrap_err();
        assert_eq!(error.field(), *field, "{text}");
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
    let many: Vec<_> = (0..65).map(|n| format!("\"t{n}\"")).collect();
    let error = parsed(&format!(r#"{{"type":"A","tags":[{}]}}"#, many.join(","))).unwrap_err();
    assert!(error.to_string().contains("65 tags"), "{error}");
}
