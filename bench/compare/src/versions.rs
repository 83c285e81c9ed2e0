//! Which version of a crate is in this program: what `Cargo.lock` says.

const LOCK: &str = include_str!("../Cargo.lock");

/// Name and version, e.g. `cqrs-es 0.5.0`.
pub fn of(name: &str) -> String {
    match in_lock(LOCK, name) {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

fn in_lock<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\"")).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_whole_name() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
        assert_eq!(in_lock(lock, "a"), Some("1.0.0"));
        assert_eq!(in_lock(lock, "b"), None);
    }

    #[test]
    fn every_peer_has_one() {
        for system in crate::systems::System::ALL {
            for name in system.crates() {
                assert_ne!(of(name), *name);
            }
        }
    }
}
