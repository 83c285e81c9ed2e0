//! The README's way from a server to a first event from Python, as it is
//! printed: but at a port of its own, and with the package in the environment
//! that the other tests use.

use std::process::Command;

use rustix::process::Signal;

use crate::program::Place;
use crate::serve::Server;
use crate::venv::environment;

const README: &str = include_str!("../../../../README.md");
const HEADING: &str = "## Two minutes to the first event from Python";

/// The blocks of the section, in their order: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let (_, section) = README.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let fenced = section.split("\n```").collect::<Vec<_>>();
    fenced.chunks(2).filter_map(|pair| pair.get(1)?.split_once('\n')).collect()
}

#[test]
fn the_way_in_the_readme_leads_to_an_event() {
    let [(_, serve), (_, install), (language, program), (_, shown)] = blocks()[..] else {
        panic!("{:?}", blocks());
    };
    assert_eq!(language, "python");
    assert!(install.contains("pip install kurrentdbclient"), "{install}");
    let Some(python) = environment("kurrentdbclient==1.3.5") else { return };
    let place = Place::new();
    let words = serve.trim().strip_prefix("factum serve").unwrap();
    let server = Server::start(&place, &words.split_whitespace().collect::<Vec<_>>());
    assert!(program.contains("127.0.0.1:2113"), "{program}");
    let program = program.replace("127.0.0.1:2113", &server.address);
    let told = Command::new(python).args(["-c", &program]).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(told.status.success(), "{}", said(&told.stderr));
    assert_eq!(said(&told.stdout).trim(), shown.trim());
    assert_eq!(server.stop(Signal::TERM).0, Some(0));
    let replayed = place.ok(["event-store", "replay", "cart-1"]);
    assert!(replayed.contains("CartOpened"), "{replayed}");
}
