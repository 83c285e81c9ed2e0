use super::super::testing::{answer, written};
use super::*;

fn damaged() -> Found {
    let damage = |offset, positions, rebuildable| Damage {
        file: "log/0000000001.seg".to_owned(),
        offset,
        positions,
        what: "the checksum does not match".to_owned(),
        rebuildable,
    };
    let report = Report {
        segments: 1,
        batches: 2,
        events: 9,
        bytes: 4096,
        torn_tail_bytes: 12,
        damage: vec![damage(64, Some(Position::new(3)..=Position::new(5)), false), damage(128, None, true)],
    };
    Found::of(Depth::Fast, &report, |_| true)
}

#[test]
fn a_whole_store_is_said_to_be_whole() {
    let report = Report { segments: 1, batches: 1, events: 1, bytes: 100, ..Report::default() };
    let text = answer(Format::Text, |out| show(&Found::of(Depth::Deep, &report, |_| true), out));
    insta::assert_snapshot!(
        text,
        @"whole: deep check of 1 segment, 1 batch, 1 event; 100 bytes of checksums recomputed"
    );
}

#[test]
fn damage_names_file_offset_positions_and_what_to_do() {
    let (text, done) = written(Format::Text, |out| show(&damaged(), out));
    insta::assert_snapshot!(text, @"
    log/0000000001.seg at byte 64, positions 3 to 5: the checksum does not match
        restore this file from a copy; do not append to the store before
    log/0000000001.seg at byte 128, positions not known: the checksum does not match
        open the store once for appending: it is made again from the log
    12 bytes after the last whole batch were never acknowledged; the next opening cuts them off
    damaged: fast check of 1 segment, 2 batches, 9 events; 4.0 KiB of checksums recomputed
    ");
    let failure = done.unwrap_err();
    assert_eq!(failure.code, Exit::Damaged);
    assert_eq!(failure.error.to_string(), "the store is not whole: 2 damaged places");
}

#[test]
fn damage_is_told_to_programs() {
    let (json, _) = written(Format::Json, |out| show(&damaged(), out));
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["whole"], false);
    assert_eq!(found["damage"][0]["first_position"].as_u64(), Some(3));
    assert_eq!(found["damage"][1]["rebuildable"], true);
    let (csv, _) = written(Format::Csv, |out| show(&damaged(), out));
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.starts_with("file,offset,first_position,last_position,what,"), "{csv}");
}

#[test]
fn an_index_that_is_not_there_yet_is_no_damage() {
    let damage = Damage {
        file: "index/0000000001.idx".to_owned(),
        offset: 0,
        positions: None,
        what: "it is missing".to_owned(),
        rebuildable: true,
    };
    let report = Report { segments: 2, damage: vec![damage], ..Report::default() };
    let text = answer(Format::Text, |out| show(&Found::of(Depth::Fast, &report, |_| false), out));
    insta::assert_snapshot!(text, @"
    index/0000000001.idx is not there, which a kill may cause; the next opening for appending makes it from the log
    whole: fast check of 2 segments, 0 batches, 0 events; 0 bytes of checksums recomputed
    ");
    let (_, done) = written(Format::Text, |out| show(&Found::of(Depth::Fast, &report, |_| true), out));
    assert_eq!(done.unwrap_err().code, Exit::Damaged);
}
