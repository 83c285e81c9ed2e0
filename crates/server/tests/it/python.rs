//! The Python clients, `kurrentdbclient` and `esdbclient`, from PyPI: each in an
//! environment of its own under the build's folder, each a process of its own,
//! both running the same story (`clients/story.py`);
//! the newer one also that of what only it can do.

use std::path::Path;
use std::process::Command;

use crate::compatibility::tells;
use crate::host::Host;
use crate::venv::environment;

fn works(client: &str, package: &str, scheme: &str, stories: &[&str]) {
    let Some(python) = environment(package) else { return };
    let host = Host::start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients");
    let stories = stories.iter().map(|story| {
        let mut told = Command::new(&python);
        told.arg(folder.join(story)).arg(host.url(scheme));
        told
    });
    let (_, version) = package.split_once("==").unwrap();
    tells(client, version, stories);
}

#[test]
fn kurrentdbclient_works_unmodified() {
    let stories = ["story.py", "sessions.py"];
    works("Python `kurrentdbclient`", "kurrentdbclient==1.3.5", "kurrentdb", &stories);
}

#[test]
fn esdbclient_works_unmodified() {
    works("Python `esdbclient`", "esdbclient==1.1.7", "esdb", &["story.py"]);
}
