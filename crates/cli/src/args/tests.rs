use std::collections::BTreeMap;

use super::*;

const PAGE: &str = include_str!("../../../../docs/cli.md");

#[test]
fn the_definition_holds_together() {
    command().debug_assert();
}

/// Every verb with its flags, as `event-store append` → `--expected`, ...
fn verbs(command: &clap::Command, path: &str, into: &mut BTreeMap<String, Vec<String>>) {
    let below: Vec<_> = command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    if below.is_empty() {
        let own = command.get_arguments().filter(|arg| !arg.is_global_set());
        let flags = own.filter_map(|arg| arg.get_long()).filter(|flag| !["help", "version"].contains(flag));
        into.insert(path.to_owned(), flags.map(|flag| format!("--{flag}")).collect());
    }
    for verb in below {
        verbs(verb, &format!("{path}{}{}", if path.is_empty() { "" } else { " " }, verb.get_name()), into);
    }
}

#[test]
fn the_page_describes_every_verb_and_flag_and_no_other() {
    let mut defined = BTreeMap::new();
    verbs(&command(), "", &mut defined);
    let described: BTreeMap<&str, &str> = PAGE
        .split("\n### `factum ")
        .skip(1)
        .map(|section| section.split_once('`').expect("a verb's heading ends with a backtick"))
        .collect();
    assert_eq!(
        described.keys().copied().collect::<Vec<_>>(),
        defined.keys().map(String::as_str).collect::<Vec<_>>(),
        "the headings of docs/cli.md, and the verbs of the command line"
    );
    for (verb, flags) in &defined {
        for flag in flags {
            assert!(
                described[verb.as_str()].contains(flag.as_str()),
                "docs/cli.md: `{verb}` does not say {flag}"
            );
        }
    }
}

#[test]
fn the_page_has_the_table_of_exit_codes() {
    let table: Vec<_> = Exit::ALL
        .map(|exit| format!("| {} | {} | {} |", exit.code(), exit.name(), exit.meaning()))
        .into_iter()
        .collect();
    let rows: Vec<_> = PAGE
        .lines()
        .filter(|line| {
            line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect();
    assert_eq!(rows, table);
}

#[test]
fn other_names_are_first_words() {
    let words = |line: &[&str]| with_called_name(line.iter().map(OsString::from).collect());
    assert_eq!(words(&["/usr/bin/events", "after", "3"]), ["factum", "events", "after", "3"]);
    assert_eq!(words(&["event-store.exe", "stats"]), ["factum", "event-store", "stats"]);
    assert_eq!(words(&["factum", "events"]), ["factum", "events"]);
    assert_eq!(words(&["renamed", "events"]), ["renamed", "events"]);
    assert_eq!(with_called_name(Vec::new()), Vec::<OsString>::new());
}
