//! The program about itself.

use crate::program::Place;

#[test]
fn exit_codes_help_man_and_completions_come_from_one_definition() {
    let place = Place::new();
    let codes = place.json(["exit-codes"]);
    assert_eq!(codes.as_array().unwrap().len(), 9);
    let (help, man) = (place.ok(["--help"]), place.ok(["man"]));
    for code in codes.as_array().unwrap() {
        let name = code["name"].as_str().unwrap();
        assert!(help.contains(name), "{name}");
        assert!(man.replace("\\-", "-").contains(name), "{name}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(["completions", shell]);
        assert!(script.contains("at-time") && script.contains("event-store"), "{shell}");
    }
}

#[test]
fn a_man_page_for_every_verb() {
    let place = Place::new();
    place.ok(["man", "--dir", "pages/man1"]);
    for page in ["factum.1", "factum-event-store-append.1", "factum-events-at-time.1", "factum-stream-list.1"]
    {
        assert!(place.dir().join("pages/man1").join(page).exists(), "{page}");
    }
}

#[test]
fn usage_has_its_own_code() {
    let place = Place::new();
    for words in [
        &[][..],
        &["nonsense"],
        &["events"],
        &["events", "after"],
        &["projection"],
        &["stream", "list", "--nonsense"],
    ] {
        let said = place.fails(2, words);
        assert!(said.contains("Usage: factum"), "{words:?}: {said}");
    }
}
