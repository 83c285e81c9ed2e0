//! The Python clients, `kurrentdbclient` and `esdbclient`, from PyPI: each in an
//! environment of its own under the build's folder, each a process of its own,
//! both running the same story (`clients/story.py`);
//! the newer one also those of what only it can do.

use std::path::Path;
use std::process::Command;

use crate::host::Host;
use crate::venv::environment;

fn tells(story: &str, chapter_count: usize, package: &str, scheme: &str) {
    let Some(python) = environment(package) else { return };
    let host = Host::start();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(story);
    let told = Command::new(python).arg(story).arg(host.url(scheme)).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(told.status.success(), "{package}:\n{}{}", said(&told.stdout), said(&told.stderr));
    print!("{}", said(&told.stdout));
    let chapters = said(&told.stdout).lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(chapters, chapter_count, "{package} told another number of chapters:\n{}", said(&told.stdout));
}

#[test]
fn kurrentdbclient_works_unmodified() {
    tells("story.py", 16, "kurrentdbclient==1.3.5", "kurrentdb");
}

#[test]
fn esdbclient_works_unmodified() {
    tells("story.py", 16, "esdbclient==1.1.7", "esdb");
}

#[test]
fn kurrentdbclient_appends_to_several_streams_as_one() {
    tells("sessions.py", 7, "kurrentdbclient==1.3.5", "kurrentdb");
}
