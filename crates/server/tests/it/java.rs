//! The client for Java, `io.kurrent:kurrentdb-client`, from Maven Central: with
//! what it needs in a folder under the build's, run as a process of its own that
//! tells `clients/Story.java`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::compatibility::tells;
use crate::host::Host;
use crate::missing::missing;
use crate::node::is_there;

const VERSION: &str = "1.1.0";

/// The folder with the client and what it needs, filled if it is not.
fn libraries() -> Option<PathBuf> {
    // Both print their version, each asked in its own way.
    if !is_there("java") || !is_there("mvn") {
        missing("kurrentdb-client for Java cannot be tried, because there is no java or no mvn here");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("java-kurrentdb-client-{VERSION}"));
    let libraries = folder.join("lib");
    if libraries.join(format!("kurrentdb-client-{VERSION}.jar")).exists() {
        return Some(libraries);
    }
    std::fs::create_dir_all(&folder).unwrap();
    let project = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>story</groupId><artifactId>story</artifactId><version>1</version><dependencies><dependency>\
         <groupId>io.kurrent</groupId><artifactId>kurrentdb-client</artifactId><version>{VERSION}</version>\
         </dependency></dependencies></project>"
    );
    std::fs::write(folder.join("pom.xml"), project).unwrap();
    let mut fetch = Command::new("mvn");
    fetch.args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]).current_dir(&folder);
    let fetched = fetch.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !fetched.is_ok_and(|fetched| fetched.success()) {
        missing("kurrentdb-client for Java cannot be tried, because mvn cannot fetch it here");
        return None;
    }
    Some(libraries)
}

#[test]
fn kurrentdb_client_for_java_works_unmodified() {
    let Some(libraries) = libraries() else { return };
    let host = Host::start();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/Story.java");
    let mut java = Command::new("java");
    java.arg("-cp").arg(libraries.join("*")).arg(story).arg(host.url("kurrentdb"));
    tells("Java `kurrentdb-client`", VERSION, [java]);
}
