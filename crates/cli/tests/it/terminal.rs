//! What is stored cannot speak to the terminal.

use crate::program::Place;

#[test]
fn stored_control_characters_are_escaped_in_every_form() {
    let place = Place::new();
    // An escape sequence, a C1 control and a direction override, in a key and a value.
    let event = "{\"type\":\"A\",\"data\":{\"k\\u001b[2J\":\"v\\u009b1m\\u202e\\r\\n\"}}";
    place.ok(["event-store", "append", "s", event]);
    for format in ["text", "json", "ndjson", "csv"] {
        for words in [
            &["event-store", "replay", "s"][..],
            &["events", "after", "start"],
            &["events", "at-time", "s", "0"],
        ] {
            let mut command = place.command();
            let run = crate::program::finished(command.args(["--format", format]).args(words));
            assert_eq!(run.code, 0, "{}", run.stderr);
            let bad: Vec<_> =
                run.stdout.chars().filter(|c| factum_core::name::is_forbidden(*c) && *c != '\n').collect();
            assert!(bad.is_empty(), "{format} {words:?}: {:?}", run.stdout);
            assert!(run.stdout.to_lowercase().contains("1b"), "{format} {words:?}: {:?}", run.stdout);
        }
    }
    let json = place.json(["event-store", "replay", "s"]);
    assert_eq!(json[0]["data"]["k\u{1b}[2J"], "v\u{9b}1m\u{202e}\r\n", "programs get what was stored");
}
