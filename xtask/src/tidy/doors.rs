//! Doors: the few places where a program touches the world. The file system
//! has one in the log, the clock has one in the core, and so on; whoever wants
//! through goes through there, so that a simulated disk or a clock in a test
//! really is all there is.
//!
//! Files are read as Rust, not as text: comments and strings do not count, nor
//! does what is compiled for tests only.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::problem::Problem;
use crate::tree::{Tree, is_test};

/// Something only some places may say.
struct Door {
    /// The words as they appear one after another.
    words: &'static [&'static str],
    /// Beginnings of paths.
    open_in: &'static [&'static str],
    remedy: &'static str,
}

const TOOLS: [&str; 4] = ["crates/cli/", "bench/", "examples/", "xtask/"];

const DOORS: [Door; 10] = [
    Door {
        words: &["unsafe"],
        open_in: &[],
        remedy: "there is no unsafe code here; find a crate that has it and is good at it",
    },
    Door {
        words: &["std", "::", "fs"],
        open_in: &[
            // `events.lock` lies in the user's repository, not in a store.
            "crates/factum/src/evolution/lock/file.rs",
            // Snapshots are not the log, which a program may not even have.
            "crates/factum/src/snapshot/directory.rs",
            // Reads the histories that tests replay.
            "crates/factum/src/testing/history.rs",
            "crates/log/src/disk/",
        ],
        remedy: "go through `factum_log::disk`",
    },
    Door {
        words: &["std", "::", "net"],
        // For what an address is; the sockets are the runtimes',
        // and the sockets dealt from one to another.
        open_in: &[
            "crates/server/src/lanes.rs",
            "crates/server/src/serve.rs",
            "crates/wire/src/client/address.rs",
        ],
        remedy: "only the server and its client speak over a network",
    },
    Door {
        words: &["std", "::", "thread"],
        open_in: &[
            "crates/factum/src/hot/queue.rs",
            "crates/factum/src/retry.rs",
            // Between attempts to write what another process is writing to.
            "crates/factum/src/view/sqlite/database.rs",
            // A projector's thread, which ends when it is dropped.
            "crates/factum/src/view/worker.rs",
            "crates/log/src/log.rs",
            "crates/log/src/housekeeper.rs",
            "crates/log/src/mailbox.rs",
            "crates/core/src/contract/",
            // Those that serve connections, which end with the server.
            "crates/server/src/lanes.rs",
            // Whoever looks lets others have the core.
            "crates/wire/src/pace.rs",
            // Where the thread behind a store over the network steps back for callers.
            "crates/wire/src/client/appends.rs",
        ],
        remedy: "the log's threads are started in `log.rs`, those of hot aggregates in `queue.rs`",
    },
    Door {
        words: &["SystemTime", "::", "now"],
        open_in: &["crates/core/src/clock.rs"],
        remedy: "take a `Clock`",
    },
    Door {
        words: &["Instant", "::", "now"],
        open_in: &[
            "crates/core/src/contract/",
            "crates/core/src/subscribe.rs",
            "crates/factum/src/stopwatch.rs",
            "crates/factum/src/testing/wait.rs",
            "crates/factum/src/view/feed.rs",
            "crates/factum/src/view/projector.rs",
            // How long a flush takes, for whoever would wait for the next.
            "crates/log/src/lone.rs",
            "crates/log/src/mailbox.rs",
            // Until when the client of an append waits.
            "crates/server/src/streams/batch/",
            // How soon a client asks again.
            "crates/wire/src/pace.rs",
        ],
        remedy: "only waits look at the time; take a `Clock`",
    },
    Door {
        words: &["println", "!"],
        open_in: &["examples/"],
        remedy: "a library does not print; answer the caller",
    },
    Door { words: &["eprintln", "!"], open_in: &[], remedy: "a library does not print; answer the caller" },
    Door { words: &["print", "!"], open_in: &[], remedy: "a library does not print; answer the caller" },
    Door { words: &["eprint", "!"], open_in: &[], remedy: "a library does not print; answer the caller" },
];

/// Looks for the words in every source file outside their doors.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in tree.ending(".rs").filter(|(path, _)| !is_test(path)) {
        let Ok(tokens) = text.parse::<TokenStream>() else {
            problems.push(Problem::new(path, 1, "this is not Rust", "have it compile first"));
            continue;
        };
        let mut words = Vec::new();
        flatten(tokens, &[], &mut words);
        for door in &DOORS {
            let is_open = door.open_in.iter().any(|begin| path.starts_with(begin))
                || door.words != ["unsafe"]
                    && (TOOLS.iter().any(|begin| path.starts_with(begin)) || path.ends_with("build.rs"));
            if is_open {
                continue;
            }
            for at in 0..words.len() {
                let is_here = words[at..]
                    .iter()
                    .map(|(word, _)| word.as_str())
                    .take(door.words.len())
                    .eq(door.words.iter().copied());
                if is_here {
                    let what = format!("`{}` is not for this file", door.words.concat());
                    problems.push(Problem::new(path, words[at].1, what, door.remedy));
                }
            }
        }
    }
    problems
}

/// Every word with its line, in order. `a::{b, c::d}` becomes `a::b` and
/// `a::c::d`; what follows `#[cfg(test)]` is left out.
fn flatten(tokens: TokenStream, prefix: &[String], words: &mut Vec<(String, usize)>) {
    let mut tokens = tokens.into_iter().peekable();
    // The path just read, e.g. `std::fs::`, in case braces follow it.
    let mut path: Vec<String> = prefix.to_vec();
    let mut is_fresh = true;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek()
                    && group.delimiter() == Delimiter::Bracket
                {
                    let is_for_tests = group.stream().to_string().replace(' ', "") == "cfg(test)";
                    tokens.next();
                    if is_for_tests {
                        skip_item(&mut tokens);
                    }
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                let line = punct.span().start().line;
                if matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':') {
                    tokens.next();
                    path.push("::".into());
                    words.push(("::".into(), line));
                } else {
                    path.clear();
                }
            }
            TokenTree::Punct(punct) => {
                words.push((punct.as_char().to_string(), punct.span().start().line));
                path = if punct.as_char() == ',' { prefix.to_vec() } else { Vec::new() };
                is_fresh = punct.as_char() == ',';
            }
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                if is_fresh && !prefix.is_empty() {
                    words.extend(prefix.iter().map(|word| (word.clone(), line)));
                }
                is_fresh = false;
                if path.last().is_none_or(|last| last != "::") {
                    path.clear();
                }
                path.push(ident.to_string());
                words.push((ident.to_string(), line));
            }
            TokenTree::Group(group) => {
                let ends_in_colons = path.last().is_some_and(|last| last == "::");
                let inside = if ends_in_colons && group.delimiter() == Delimiter::Brace {
                    path.clone()
                } else {
                    Vec::new()
                };
                flatten(group.stream(), &inside, words);
                path.clear();
            }
            TokenTree::Literal(_) => path.clear(),
        }
    }
}

/// Passes over the item after an attribute: to its braces or its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(|p| format!("{}: {}", p.line, p.what)).collect()
    }

    #[test]
    fn finds_each_word_however_it_is_imported() {
        let rows = [
            ("fn f() { let x = unsafe { y() }; }", "unsafe"),
            ("use std::fs;", "std::fs"),
            ("use std::{io, fs::File};", "std::fs"),
            ("use std::{\n    fs};", "std::fs"),
            ("fn f() { std::fs::read(p); }", "std::fs"),
            ("use std::net::TcpStream;", "std::net"),
            ("use std::{sync::Arc, thread};", "std::thread"),
            ("fn f() { SystemTime::now(); }", "SystemTime::now"),
            ("fn f() { std::time::Instant::now(); }", "Instant::now"),
            ("fn f() { println!(\"a\"); }", "println!"),
            ("fn f() { g(|| eprintln!(\"a\")); }", "eprintln!"),
        ];
        for (text, word) in rows {
            let found = complaints("crates/core/src/a.rs", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(&format!("`{word}`")), "{text}: {found:?}");
        }
    }

    #[test]
    fn names_the_line() {
        assert_eq!(
            complaints("crates/log/src/a.rs", "//! Page.\n\nuse std::fs;\n"),
            ["3: `std::fs` is not for this file"]
        );
    }

    #[test]
    fn passes_over_comments_strings_tests_and_open_doors() {
        let quiet = [
            ("crates/core/src/a.rs", "//! unsafe, std::fs\nconst A: &str = \"println!\"; // std::fs"),
            ("crates/core/src/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }\nfn f() {}"),
            ("crates/core/src/a.rs", "use rustix::fs; use my::std_fs; use std::{io, path::Path};"),
            ("crates/core/src/a/tests.rs", "use std::fs;"),
            ("crates/log/src/disk/file.rs", "use std::fs;"),
            ("crates/cli/src/main.rs", "fn main() { println!(); }"),
        ];
        for (path, text) in quiet {
            assert_eq!(complaints(path, text), [""; 0], "{text}");
        }
        assert_eq!(
            complaints("crates/cli/src/main.rs", "fn f() { unsafe {} }").len(),
            1,
            "no door is open for this"
        );
    }
}
