//! Where the servers come from: by their names from the registries they are
//! published in, built once into a directory of our own.
//!
//! ```text
//!   factum        cargo build --release    in the workspace above
//!   umadb, ...    cargo install NAME       CACHE/bin
//!   nats-server   go install MODULE        CACHE/bin
//!   redis-server  PATH, or a word about the package it is in
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use factum_bench::machine::COMMIT;

use crate::failure::Failure;
use crate::servers::child::Child;
use crate::servers::system::Source;

/// A program that can be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// For the table.
    pub version: String,
}

/// Where programs are looked for and built.
pub struct Shelf {
    cache: PathBuf,
    factum: Option<PathBuf>,
}

impl Shelf {
    /// Makes the cache, if it is not there yet.
    pub fn new(cache: PathBuf, factum: Option<PathBuf>) -> Result<Self, Failure> {
        std::fs::create_dir_all(cache.join("bin"))
            .map_err(|error| format!("cannot make {}: {error}", cache.display()))?;
        Ok(Self { cache: cache.canonicalize()?, factum })
    }

    /// Finds a program, or builds it.
    pub async fn get(&self, source: Source) -> Result<Program, Failure> {
        match source {
            Source::Workspace => self.factum().await,
            Source::Crate { name, program, needs } => self.of_crate(name, program, needs).await,
            Source::Go { module, program } => self.of_go(module, program).await,
            Source::Debian { program, package } => match on_path(program) {
                Some(path) => Ok(Program { version: told(&path)?, path }),
                None => {
                    Err(format!("{program} is not installed; Debian has it: apt-get install {package}")
                        .into())
                }
            },
            Source::Postgres => unreachable!("an installation of PostgreSQL is more than one program"),
        }
    }

    async fn factum(&self) -> Result<Program, Failure> {
        if let Some(path) = &self.factum {
            let path =
                path.canonicalize().map_err(|error| format!("cannot use {}: {error}", path.display()))?;
            return Ok(Program { version: format!("{} as it was given", told(&path)?), path });
        }
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let log = self.log("factum");
        let mut command = cargo();
        command.current_dir(&workspace).args(["build", "--release", "--package", "factum-cli"]);
        command.args(["--bin", "factum", "--quiet", "--message-format=json-render-diagnostics"]);
        eprintln!("building factum");
        Child::start("cargo build", &mut command, &log)?.succeed().await?;
        let path = executable(&std::fs::read_to_string(&log)?, "factum")
            .ok_or("cargo built factum and did not say where it is")?;
        Ok(Program { path, version: format!("commit {COMMIT}") })
    }

    async fn of_crate(
        &self,
        name: &str,
        program: &str,
        needs: Option<(&str, &str)>,
    ) -> Result<Program, Failure> {
        let path = self.cache.join("bin").join(program);
        if !path.is_file() {
            if let Some((tool, package)) = needs.filter(|(tool, _)| on_path(tool).is_none()) {
                return Err(
                    format!("{name} is built with {tool}; Debian has it: apt-get install {package}").into()
                );
            }
            let mut command = cargo();
            command
                .current_dir(&self.cache)
                .args(["install", "--locked", "--root"])
                .arg(&self.cache)
                .arg(name);
            self.build(name, &mut command).await?;
        }
        let installed = std::fs::read_to_string(self.cache.join(".crates.toml")).unwrap_or_default();
        let version = in_crates(&installed, name).unwrap_or("of unknown version");
        Ok(Program { path, version: format!("{name} {version}") })
    }

    async fn of_go(&self, module: &str, program: &str) -> Result<Program, Failure> {
        let path = self.cache.join("bin").join(program);
        if !path.is_file() {
            let go = on_path("go")
                .ok_or("it is built with Go, from https://go.dev/dl or the package golang-go")?;
            let mut command = Command::new(go);
            command.env("GOBIN", self.cache.join("bin")).args(["install", &format!("{module}@latest")]);
            self.build(program, &mut command).await?;
        }
        Ok(Program { version: told(&path)?, path })
    }

    async fn build(&self, name: &str, command: &mut Command) -> Result<(), Failure> {
        let log = self.log(name);
        eprintln!("building {name}, once, which takes minutes; {} says how far it is", log.display());
        Child::start(&format!("building {name}"), command, &log)?.succeed().await
    }

    fn log(&self, name: &str) -> PathBuf {
        self.cache.join(format!("{name}.log"))
    }
}

/// The cargo that runs this.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Each builds with its own settings, and not with those of this program.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    command
}

/// What a program says of its version, in the first line.
fn told(path: &Path) -> Result<String, Failure> {
    let said = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot start {}: {error}", path.display()))?;
    Ok(version(&String::from_utf8_lossy(&said.stdout)))
}

/// Redis says more in that line than anybody wants to know.
fn version(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default();
    line.split(" sha=").next().unwrap_or_default().trim().to_owned()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&places).map(|place| place.join(program)).find(|path| path.is_file())
}

/// Where cargo put a program: one of its messages, each a line of JSON.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let is_it = |message: &serde_json::Value| message["target"]["name"] == name;
    messages.filter(is_it).find_map(|message| Some(message["executable"].as_str()?.into()))
}

/// In cargo's list of what it installed: `"name version (source)" = [...]`.
fn in_crates<'a>(installed: &'a str, name: &str) -> Option<&'a str> {
    installed.lines().find_map(|line| {
        let (found, rest) = line.strip_prefix('"')?.split_once(' ')?;
        (found == name).then(|| rest.split(' ').next()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_where_cargo_put_it() {
        let messages = concat!(
            "   Compiling factum\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"factum\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"xtask\"},\"executable\":\"/t/xtask\"}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"factum\"},\"executable\":\"/t/factum\"}\n",
        );
        assert_eq!(executable(messages, "factum"), Some("/t/factum".into()));
        assert_eq!(executable(messages, "fact"), None);
    }

    #[test]
    fn finds_the_version_cargo_installed() {
        let installed = "[v1]\n\"umadb-client 1.0.0 (registry+x)\" = [\"c\"]\n\"umadb 0.7.8 (registry+x)\" = [\"umadb\"]\n";
        assert_eq!(in_crates(installed, "umadb"), Some("0.7.8"));
        assert_eq!(in_crates(installed, "uma"), None);
    }

    #[test]
    fn keeps_of_a_version_what_is_wanted() {
        assert_eq!(
            version("Redis server v=7.0.15 sha=00000000:0 malloc=x bits=64\n"),
            "Redis server v=7.0.15"
        );
        assert_eq!(version("nats-server: v2.15.2\n"), "nats-server: v2.15.2");
    }

    #[tokio::test]
    async fn what_is_not_installed_is_told_with_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("cache"), None).unwrap();
        let absent = Source::Debian { program: "no-such-program", package: "no-such-package" };
        let told = shelf.get(absent).await.unwrap_err().to_string();
        assert_eq!(told, "no-such-program is not installed; Debian has it: apt-get install no-such-package");
        let needs = Some(("no-such-tool", "its-package"));
        let told = shelf.get(Source::Crate { name: "x", program: "x", needs }).await.unwrap_err().to_string();
        assert_eq!(told, "x is built with no-such-tool; Debian has it: apt-get install its-package");
    }
}
