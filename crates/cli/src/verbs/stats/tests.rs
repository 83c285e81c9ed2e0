use super::super::testing::answer;
use super::*;
use factum_core::Timestamp;
use factum_log::SegmentStats;

fn summary() -> Summary {
    let stats = Stats {
        events: 3,
        streams: 2,
        last_position: Some(Position::new(2)),
        last_recorded_at: Some(Timestamp::from_seconds(1)),
        log_bytes: 4096,
        disk_bytes: 64 << 20,
        segments: vec![SegmentStats {
            number: 1,
            first_position: Some(Position::FIRST),
            events: 3,
            log_bytes: 4096,
            file_bytes: 64 << 20,
            sealed: false,
        }],
    };
    Summary::of("a\u{1b}store".to_owned(), &stats)
}

#[test]
fn summarises_for_people() {
    let text = answer(Format::Text, |out| show(&summary(), out));
    insta::assert_snapshot!(text, @r"
    store          a\u{1b}store
    events         3
    streams        2
    last position  2
    last recorded  1970-01-01T00:00:01.000000Z
    log            4.0 KiB
    on disk        64.0 MiB

    segment  first position  events      log      file  state
          1               0       3  4.0 KiB  64.0 MiB  open
    ");
}

#[test]
fn summarises_for_programs() {
    let json = answer(Format::Json, |out| show(&summary(), out));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["segments"][0]["file_bytes"].as_u64(), Some(64 << 20));
    let csv = answer(Format::Csv, |out| show(&summary(), out));
    assert!(csv.starts_with("store,events,streams,last_position,"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
}
