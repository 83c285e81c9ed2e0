//! `events.lock`: what is accepted, what is not, and what is said about it.

use std::fs;
use std::path::PathBuf;

use factum::evolution::{Change, EventSet, LockError, Report, accept, check};
use factum::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

#[derive(Id, Clone, Debug, PartialEq)]
struct TillId(String);
#[derive(Id, Clone, Debug, PartialEq)]
struct ClerkId(String);

/// One event as programs of different times have it.
macro_rules! paid {
    ($name:ident $(($($settings:tt)*))? { $($fields:tt)* }) => {
        #[derive(Event, Clone, Debug, PartialEq)]
        #[event(name = "Paid", category = "till" $(, $($settings)*)?)]
        pub struct $name { $($fields)* }
    };
}

paid!(First {
    #[id]
    id: TillId,
    cents: u32,
    note: Option<String>
});

struct Lock {
    _dir: TempDir,
    path: PathBuf,
}

impl Lock {
    fn of<E: EventSet>() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.lock");
        accept::<E>(&path).unwrap();
        Self { _dir: dir, path }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn samples(&self, version: u32) -> Vec<Value> {
        let lock: Value = serde_json::from_str(&self.text()).unwrap();
        let events = lock["events"].as_array().unwrap();
        let found = events.iter().find(|event| event["version"] == version).unwrap();
        found["samples"].as_array().unwrap().clone()
    }

    /// What a program has to hear that comes after the one that was locked.
    fn report<E: EventSet>(&self) -> Report {
        match check::<E>(&self.path) {
            Err(LockError::Report(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    fn changes<E: EventSet>(&self) -> Vec<Change> {
        self.report::<E>().changes().collect()
    }
}

/// The changes from one program to the next, which are accepted only if all of
/// them are safe.
fn changes<Before: EventSet, After: EventSet>(is_safe: bool) -> Vec<Change> {
    let lock = Lock::of::<Before>();
    let text = lock.text();
    let changes = lock.changes::<After>();
    assert_eq!(lock.text(), text, "a check does not write");
    if is_safe {
        accept::<After>(&lock.path).unwrap();
        check::<After>(&lock.path).unwrap();
        let samples = text.lines().map(str::trim).filter(|line| line.starts_with("{\"id\""));
        for sample in samples.map(|line| line.trim_end_matches(',')) {
            assert!(lock.text().contains(sample), "samples stay for ever: {sample}\n{}", lock.text());
        }
    } else {
        accept::<After>(&lock.path).unwrap_err();
        assert_eq!(lock.text(), text, "what is unsafe is never written");
    }
    changes
}

#[test]
fn what_did_not_change_passes() {
    check::<First>(&Lock::of::<First>().path).unwrap();
    check::<(First,)>(&Lock::of::<(First,)>().path).unwrap();
}

#[test]
fn a_missing_file_says_how_to_write_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.lock");
    let error = check::<First>(&path).unwrap_err();
    let text = format!(
        "there is no {0} yet\n\naccept by `FACTUM_EVENTS_LOCK=write cargo test`, and commit {0}\n",
        path.display()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(format!("{error:?}"), format!("\n{text}"), "a test that unwraps it can be read");
}

#[test]
fn the_file_reads_well() {
    let lock = Lock::of::<First>();
    let text = lock.text();
    let (_, events) = text.split_once("  \"events\"").unwrap();
    assert_eq!(
        events,
        r#": [
    {
      "type": "Paid",
      "version": 1,
      "stream": "till-<id>",
      "tags": ["till"],
      "fields": [
        {"name":"id","type":"TillId"},
        {"name":"cents","type":"u32"},
        {"name":"note","type":"Option<String>","optional":true}
      ],
      "samples": [
        {"id":"id","cents":1,"note":"note"},
        {"id":"id","cents":1,"note":null},
        {"id":"id","cents":4294967295,"note":"note"},
        {"cents":1,"id":"id"}
      ]
    }
  ]
}
"#
    );
}

#[test]
fn a_file_that_is_no_lock_is_an_error() {
    let lock = Lock::of::<First>();
    fs::write(&lock.path, "{\n\"events\": [,]}").unwrap();
    let error = check::<First>(&lock.path).unwrap_err();
    assert!(matches!(error, LockError::File(_)));
    assert!(format!("{error:?}").contains("line 2"), "{error:?}");
}

#[test]
fn fields_that_may_be_missing_can_be_added() {
    paid!(WithOption { #[id] id: TillId, cents: u32, note: Option<String>, by: Option<String> });
    paid!(WithDefault { #[id] id: TillId, cents: u32, note: Option<String>, #[serde(default)] by: String });
    assert_eq!(changes::<First, WithOption>(true), [Change::OptionalFieldAdded]);
    assert_eq!(changes::<First, WithDefault>(true), [Change::OptionalFieldAdded]);

    let lock = Lock::of::<First>();
    accept::<WithOption>(&lock.path).unwrap();
    assert_eq!(
        lock.samples(1),
        [
            json!({"id": "id", "cents": 1, "note": "note"}),
            json!({"id": "id", "cents": 1, "note": null}),
            json!({"id": "id", "cents": u32::MAX, "note": "note"}),
            json!({"id": "id", "cents": 1}),
            json!({"id": "id", "cents": 1, "note": "note", "by": "by"}),
            json!({"id": "id", "cents": 1, "note": null, "by": null}),
            json!({"id": "id", "cents": u32::MAX, "note": "note", "by": "by"})
        ]
    );
}

#[test]
fn fields_that_are_not_optional_cannot_be_added() {
    paid!(WithMore { #[id] id: TillId, cents: u32, note: Option<String>, currency: String });
    assert_eq!(changes::<First, WithMore>(false), [Change::RequiredFieldAdded]);
    let lock = Lock::of::<First>();
    let text = lock.report::<WithMore>().to_string();
    assert_eq!(
        text.replace(&lock.path.display().to_string(), "events.lock"),
        "the events of this program and events.lock\n\
         \n  Paid, version 1\n\
         \x20   + currency: String\n\
         \x20   UNSAFE: a new field that is not optional\n\
         \x20   cheapest way (optional field): stored events lack it: make it an `Option`, or give it \
         `#[serde(default)]`; else raise the version and add an upcaster\n\
         \nunsafe changes are never written to events.lock. If no such event was ever stored, take its \
         entry out by hand\n"
    );
}

#[test]
fn renamed_fields_keep_their_stored_name() {
    paid!(Renamed { #[id] id: TillId, amount: u32, note: Option<String> });
    paid!(Kept { #[id] id: TillId, #[serde(rename = "cents")] amount: u32, note: Option<String> });
    assert_eq!(changes::<First, Renamed>(false), [Change::FieldRenamed]);
    let text = Lock::of::<First>().report::<Renamed>().to_string();
    assert!(text.contains("- cents: u32\n    + amount: u32"), "{text}");
    assert!(text.contains("`#[serde(rename = \"cents\")]`"), "{text}");
    check::<Kept>(&Lock::of::<First>().path).unwrap();
}

#[test]
fn other_changes_of_fields() {
    paid!(Without { #[id] id: TillId, note: Option<String> });
    paid!(Wider { #[id] id: TillId, cents: u64, note: Option<String> });
    paid!(Narrower { #[id] id: TillId, cents: u16, note: Option<String> });
    paid!(Text { #[id] id: TillId, cents: String, note: Option<String> });
    paid!(Optional { #[id] id: TillId, cents: Option<u32>, note: Option<String> });
    paid!(Required {
        #[id]
        id: TillId,
        cents: u32,
        note: String
    });
    paid!(NotNull {
        #[id]
        id: TillId,
        cents: u32,
        #[serde(default)]
        note: String
    });
    assert_eq!(changes::<First, Without>(false), [Change::FieldRemoved]);
    assert_eq!(changes::<First, Wider>(true), [Change::FieldTypeRenamed]);
    assert_eq!(changes::<Wider, Narrower>(false), [Change::FieldTypeChanged]);
    assert_eq!(changes::<First, Text>(false), [Change::FieldTypeChanged]);
    assert_eq!(changes::<First, Optional>(true), [Change::FieldBecameOptional]);
    assert_eq!(changes::<First, Required>(false), [Change::FieldBecameRequired]);
    assert_eq!(changes::<First, NotNull>(false), [Change::FieldTypeChanged]);
}

#[test]
fn an_old_version_is_written_out_as_the_struct_to_keep() {
    #[derive(Id, Clone, Debug, PartialEq)]
    struct BuyerId(String);
    paid!(Now {
        #[id]
        id: TillId,
        #[tag]
        buyer: BuyerId,
        cents: u64,
        #[serde(default)]
        r#type: String
    });
    paid!(Later {
        #[id]
        id: TillId,
        #[tag]
        buyer: BuyerId,
        cents: String,
        #[serde(default)]
        r#type: String
    });
    let report = Lock::of::<Now>().report::<Later>();
    assert_eq!(report.changes().collect::<Vec<_>>(), [Change::FieldTypeChanged]);
    let kept = "      #[derive(Event, Clone, Debug)]
      #[event(name = \"Paid\", category = \"till\")]
      struct PaidV1 {
          #[id]
          id: TillId,
          #[tag]
          buyer: BuyerId,
          cents: u64,
          #[serde(rename = \"type\")]
          #[serde(default)]
          type_: String,
      }
";
    assert!(report.to_string().contains(kept), "{report}");

    // So it is where nothing is left of it but the lock.
    paid!(Second(version = 2, upcast(1 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(Third(version = 3, upcast(2 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(Fourth(version = 4, upcast(3 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    let lock = Lock::of::<First>();
    accept::<Second>(&lock.path).unwrap();
    let text = lock.report::<Third>().to_string();
    assert!(text.contains("struct PaidV1 {") && !text.contains("struct PaidV2"), "{text}");
    let text = lock.report::<Fourth>().to_string();
    let second =
        "#[event(name = \"Paid\", version = 2, category = \"till\", from = PaidV1)]\n      struct PaidV2 {";
    assert!(text.contains(second), "{text}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cents(u32);

#[test]
fn another_type_that_is_stored_in_the_same_way_is_no_change_of_form() {
    paid!(Wrapped { #[id] id: TillId, cents: Cents, note: Option<String> });
    assert_eq!(changes::<First, Wrapped>(true), [Change::FieldTypeRenamed]);
}

/// A type with the same name and another inside.
macro_rules! with_line {
    ($module:ident { $($line:tt)* }) => {
        mod $module {
            use super::*;
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            pub struct Line { $($line)* }
            paid!(Paid { #[id] id: TillId, lines: Vec<Line> });
        }
    };
}

with_line!(line { sku: String });
with_line!(line_with_option { sku: String, gift: Option<bool> });
with_line!(line_with_more { sku: String, gift: bool });
with_line!(line_without { gift: Option<bool> });
with_line!(line_in_number { sku: u32 });

#[test]
fn what_lies_inside_of_fields_is_compared_by_samples() {
    let lock = Lock::of::<line::Paid>();
    assert_eq!(lock.changes::<line_with_option::Paid>(), [Change::OptionalPartAdded]);
    accept::<line_with_option::Paid>(&lock.path).unwrap();
    assert_eq!(
        lock.samples(1),
        [
            json!({"id": "id", "lines": [{"sku": "sku"}]}),
            json!({"id": "id", "lines": [{"sku": "sku", "gift": true}]}),
            json!({"id": "id", "lines": [{"sku": "sku", "gift": null}]})
        ]
    );
    let lock = Lock::of::<line::Paid>();
    let rows = [
        (lock.report::<line_with_more::Paid>(), "missing field `gift`"),
        (lock.report::<line_without::Paid>(), "written again it is different: /lines/0/sku is gone"),
        (lock.report::<line_in_number::Paid>(), "invalid type: string \"sku\", expected u32"),
    ];
    for (report, words) in rows {
        assert_eq!(report.changes().collect::<Vec<_>>(), [Change::StoredFormChanged]);
        assert!(report.to_string().contains(words), "{report}");
    }
}

/// What a field's own type accepts, before and after.
macro_rules! accepts_less {
    ($($module:ident { $($buyer:tt)* })*) => {
        $(mod $module {
            use super::*;
            $($buyer)*
            paid!(Paid { #[id] id: TillId, buyer: Buyer });
        })*
    };
}

accepts_less! {
    nick_or_none {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer { nick: Option<String> }
    }
    nick_or_empty {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer { #[serde(default)] nick: String }
    }
    nick {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer { nick: String }
    }
    deep {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer(u64);
    }
    flat {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer(u32);
    }
    below_zero {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct Buyer(i64);
    }
    maybe_deep {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Buyer { Nobody, Numbered { number: u64, nick: Option<String> } }
    }
    maybe_flat {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Buyer { Nobody, Numbered { number: u32, nick: Option<String> } }
    }
    maybe_nick {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum Buyer { Nobody, Numbered { number: u64, nick: String } }
    }
}

#[test]
fn a_type_inside_of_a_field_that_accepts_less_is_noticed() {
    let all_refused = |changes: Vec<Change>| {
        assert!(!changes.is_empty());
        assert!(changes.iter().all(|change| *change == Change::StoredFormChanged), "{changes:?}");
    };
    all_refused(changes::<nick_or_none::Paid, nick::Paid>(false));
    all_refused(changes::<nick_or_none::Paid, nick_or_empty::Paid>(false));
    all_refused(changes::<nick_or_empty::Paid, nick::Paid>(false));
    all_refused(changes::<deep::Paid, flat::Paid>(false));
    all_refused(changes::<below_zero::Paid, deep::Paid>(false));
    all_refused(changes::<maybe_deep::Paid, maybe_flat::Paid>(false));
    all_refused(changes::<maybe_deep::Paid, maybe_nick::Paid>(false));
    // More is fine.
    for accepted in
        [changes::<flat::Paid, deep::Paid>(true), changes::<nick::Paid, nick_or_empty::Paid>(true)]
    {
        assert!(accepted.iter().all(|change| *change == Change::OptionalPartAdded), "{accepted:?}");
    }
}

#[test]
fn a_lock_of_before_is_read_and_completed() {
    let lock = Lock::of::<First>();
    let mut value: Value = serde_json::from_str(&lock.text()).unwrap();
    value["events"][0]["samples"].as_array_mut().unwrap().truncate(1);
    fs::write(&lock.path, value.to_string()).unwrap();
    assert_eq!(lock.changes::<First>(), [Change::OptionalPartAdded]);
    accept::<First>(&lock.path).unwrap();
    assert_eq!(lock.samples(1).len(), 4);
    check::<First>(&lock.path).unwrap();
}

#[test]
fn an_upcaster_that_cannot_take_what_its_type_allows_is_told_at_once() {
    paid!(Cautious(version = 2, from = First) { #[id] id: TillId, cents: u32 });
    impl From<First> for Cautious {
        fn from(old: First) -> Self {
            Self { id: old.id, cents: old.cents.checked_mul(100).expect("nobody pays that much") }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.lock");
    let error = accept::<Cautious>(&path).unwrap_err().to_string();
    assert!(error.contains("4294967295") && error.contains("nobody pays that much"), "{error}");
    let advice = "have the upcaster take whatever the older type allows";
    assert!(error.contains(advice) && error.contains("`#[event(example = a_function)]`"), "{error}");
    assert!(error.ends_with("events.lock is written once nothing is unsafe\n"), "{error}");
    assert!(!path.exists());
}

#[test]
fn every_enum_that_has_a_type_reads_what_is_locked() {
    paid!(ByJson(version = 2, upcast(1 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(Alike(version = 2, upcast(1 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(Misspelt(version = 2, upcast(1 = wrongly)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(AsWrong(version = 2, upcast(1 = wrongly)) { #[id] id: TillId, cents: u64, currency: String });
    let lock = Lock::of::<First>();
    accept::<ByJson>(&lock.path).unwrap();
    check::<(ByJson, Alike)>(&lock.path).unwrap();
    let report = lock.report::<(ByJson, Misspelt)>();
    assert!(report.changes().all(|change| change == Change::StoredFormChanged));
    let text = report.to_string();
    assert!(text.contains("missing field `currency`") && text.contains("Misspelt reads it"), "{text}");
    accept::<(ByJson, Misspelt)>(&lock.path).unwrap_err();
    // Once each, though both of the same kind say it.
    assert_eq!(lock.changes::<(Misspelt, AsWrong)>().len(), lock.changes::<Misspelt>().len());
}

mod both {
    use super::*;
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Method {
        Cash,
        Card { last: u16 },
    }
    paid!(Paid {
        #[id]
        id: TillId,
        method: Method
    });
}

mod only_cash {
    use super::*;
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Method {
        Cash,
    }
    paid!(Paid {
        #[id]
        id: TillId,
        method: Method
    });
}

#[test]
fn a_variant_that_is_gone_is_noticed() {
    let lock = Lock::of::<both::Paid>();
    assert_eq!(
        lock.samples(1),
        [
            json!({"id": "id", "method": "Cash"}),
            json!({"id": "id", "method": {"Card": {"last": 1}}}),
            json!({"id": "id", "method": {"Card": {"last": u16::MAX}}})
        ]
    );
    let report = lock.report::<only_cash::Paid>();
    assert_eq!(report.changes().collect::<Vec<_>>(), [Change::StoredFormChanged; 2], "one for each sample");
    assert!(report.to_string().contains("unknown variant `Card`"), "{report}");
}

#[test]
fn streams_and_tags() {
    paid!(Tagged { #[id] id: TillId, cents: u32, note: Option<String>, #[tag] by: Option<ClerkId> });
    paid!(Untagged { #[id] id: TillId, cents: u32, note: Option<String>, by: Option<ClerkId> });
    #[derive(Event, Clone, Debug, PartialEq)]
    #[event(name = "Paid", category = "register")]
    struct Elsewhere {
        #[id]
        id: TillId,
        cents: u32,
        note: Option<String>,
    }
    assert_eq!(changes::<First, Tagged>(true), [Change::OptionalFieldAdded, Change::TagAdded]);
    assert_eq!(changes::<Untagged, Tagged>(true), [Change::TagAdded]);
    assert_eq!(changes::<Tagged, Untagged>(true), [Change::TagRemoved]);
    assert_eq!(changes::<First, Elsewhere>(false), [Change::StreamChanged]);
    let text = Lock::of::<First>().report::<Elsewhere>().to_string();
    assert!(text.contains("- till-<id>\n    + register-<id>"), "{text}");
    assert!(text.contains("`#[event(category = \"till\")]`"), "{text}");
}

// A new version.

paid!(Second(version = 2, from = First) { #[id] id: TillId, cents: u64, currency: String });

impl From<First> for Second {
    fn from(old: First) -> Self {
        Self { id: old.id, cents: old.cents.into(), currency: "EUR".into() }
    }
}

#[test]
fn a_raised_version_with_an_upcaster_is_accepted_and_stays_checked() {
    assert_eq!(changes::<First, Second>(true), [Change::VersionAdded]);
    let lock = Lock::of::<First>();
    accept::<Second>(&lock.path).unwrap();
    assert_eq!(lock.samples(1)[0], json!({"id": "id", "cents": 1, "note": "note"}));
    assert_eq!(lock.samples(1).len(), 4);
    assert_eq!(
        lock.samples(2),
        [
            json!({"id": "id", "cents": 1, "currency": "currency"}),
            json!({"id": "id", "cents": u64::MAX, "currency": "currency"})
        ]
    );

    // The old struct is frozen too.
    paid!(FirstChanged {
        #[id]
        id: TillId,
        cents: u32,
        clerk: String
    });
    paid!(SecondOfIt(version = 2, from = FirstChanged) { #[id] id: TillId, cents: u64, currency: String });
    impl From<FirstChanged> for SecondOfIt {
        fn from(old: FirstChanged) -> Self {
            Self { id: old.id, cents: old.cents.into(), currency: old.clerk }
        }
    }
    assert_eq!(lock.changes::<SecondOfIt>(), [Change::RequiredFieldAdded, Change::FieldRemoved]);
}

fn in_euros(mut data: Value) -> Result<Value, String> {
    data["currency"] = json!("EUR");
    Ok(data)
}

fn wrongly(mut data: Value) -> Result<Value, String> {
    data["curency"] = json!("EUR");
    Ok(data)
}

#[test]
fn samples_go_through_json_upcasters_when_the_type_is_gone() {
    paid!(ByJson(version = 2, upcast(1 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    paid!(Misspelt(version = 2, upcast(1 = wrongly)) { #[id] id: TillId, cents: u64, currency: String });
    assert_eq!(changes::<First, ByJson>(true), [Change::VersionAdded]);
    let lock = Lock::of::<First>();
    let changes = lock.changes::<Misspelt>();
    assert_eq!((changes[0], &changes[1..]), (Change::VersionAdded, &[Change::StoredFormChanged; 4][..]));
    let text = lock.report::<Misspelt>().to_string();
    assert!(text.contains("Paid, version 1\n    - {\"id\":\"id\""), "{text}");
    assert!(text.contains("missing field `currency`"), "{text}");
}

#[test]
fn versions_are_neither_lowered_nor_forgotten() {
    paid!(Third(version = 3, upcast(2 = in_euros)) { #[id] id: TillId, cents: u64, currency: String });
    let lock = Lock::of::<Second>();
    assert_eq!(lock.changes::<First>(), [Change::VersionLowered]);
    assert_eq!(lock.changes::<Third>(), [Change::VersionAdded, Change::VersionForgotten]);
    accept::<Third>(&lock.path).unwrap_err();
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "Settled", category = "till")]
struct FirstRenamed {
    #[id]
    id: TillId,
    cents: u32,
    note: Option<String>,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[event(category = "till")]
struct Opened {
    #[id]
    id: TillId,
}

#[test]
fn types_come_and_stay() {
    assert_eq!(changes::<First, (First, Opened)>(true), [Change::TypeAdded]);
    assert_eq!(changes::<(First, Opened), First>(false), [Change::TypeRemoved]);
    assert_eq!(changes::<First, FirstRenamed>(false), [Change::TypeAdded, Change::TypeRenamed]);
    let text = Lock::of::<First>().report::<FirstRenamed>().to_string();
    assert!(text.contains("`#[event(name = \"Paid\")]`"), "{text}");
}

#[test]
fn an_entry_that_was_taken_out_by_hand_is_forgotten() {
    let lock = Lock::of::<Second>();
    let mut value: Value = serde_json::from_str(&lock.text()).unwrap();
    value["events"].as_array_mut().unwrap().retain(|event| event["version"] == 1);
    fs::write(&lock.path, value.to_string()).unwrap();
    check::<First>(&lock.path).unwrap();
}

#[test]
fn lints_are_told_until_they_are_allowed_where_everyone_sees_it() {
    #[derive(Event, Clone, Debug, PartialEq)]
    enum User {
        Registered {
            #[id]
            id: ClerkId,
            email: String,
        },
    }
    mod meant {
        use super::*;
        #[derive(Event, Clone, Debug, PartialEq)]
        #[event(allow(personal_data))]
        pub enum User {
            Registered {
                #[id]
                id: ClerkId,
                email: String,
            },
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.lock");
    let error = accept::<User>(&path).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the events of this program and {}\n\
             \n  UserRegistered\n\
             \x20   personal_data: `email` is about a person\n\
             \x20   keep it out of events and refer to it by id, or plan how it is erased: events are kept \
             for ever; or, if it is meant so, `#[event(allow(personal_data))]`\n",
            path.display()
        )
    );
    let lock = Lock { path, _dir: dir };
    assert_eq!(lock.changes::<meant::User>(), [Change::LintsAllowed]);
    accept::<meant::User>(&lock.path).unwrap();
    assert!(lock.text().contains("\"allows\": [\"personal_data\"]"));
    check::<meant::User>(&lock.path).unwrap();
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Checked(String);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.ends_with("#42") { Ok(Self(text)) } else { Err(serde::de::Error::custom("wrong checksum")) }
    }
}

#[test]
fn an_example_helps_where_nothing_can_be_guessed() {
    paid!(Guessed {
        #[id]
        id: TillId,
        receipt: Checked
    });
    paid!(Given(example = given) { #[id] id: TillId, receipt: Checked });
    fn given() -> Given {
        Given { id: "t1".into(), receipt: Checked("r#42".into()) }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.lock");
    let error = accept::<Guessed>(&path).unwrap_err().to_string();
    assert!(
        error.contains(
            "Paid, version 1: no value could be guessed for `receipt` (wrong checksum): make one yourself"
        ),
        "{error}"
    );
    assert!(!path.exists());
    accept::<Given>(&path).unwrap();
    let lock = Lock { path, _dir: dir };
    assert_eq!(lock.samples(1), [json!({"id": "t1", "receipt": "r#42"})]);

    #[derive(Event, Clone, Debug, PartialEq)]
    #[event(prefix = "Till")]
    enum Till {
        #[event(example = other)]
        Paid {
            receipt: Checked,
        },
        Closed,
    }
    fn other() -> Till {
        Till::Closed
    }
    let error = check::<Till>("no-such.lock").unwrap_err().to_string();
    assert!(error.contains("TillPaid, version 1: its example is TillClosed version 1"), "{error}");
}

#[test]
fn conflicts_are_told_before_anything_is_written() {
    paid!(Other { amount: u8 });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.lock");
    let error = accept::<(First, Other)>(&path).unwrap_err().to_string();
    assert!(error.contains("Paid is stored by ") && error.contains("in different shapes"), "{error}");
    assert!(!path.exists());
}
