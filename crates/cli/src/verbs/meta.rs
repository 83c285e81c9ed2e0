//! Verbs about the program itself: completions, man pages, exit codes.

use std::fs;
use std::io::Write;

use serde::Serialize;

use crate::args::{self, CompletionsArgs, ManArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::format::Format;
use crate::render::rows::{Row, Rows};
use crate::render::{Out, table};

/// `factum completions SHELL`
pub fn completions(args: CompletionsArgs, out: &mut Out) -> Result<(), Failure> {
    // Through memory: the generator takes a failed write for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "factum", &mut script);
    Ok(out.write_all(&script)?)
}

/// `factum man`
pub fn man(args: ManArgs, out: &mut Out) -> Result<(), Failure> {
    match args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(args::command()).render(&mut page)?;
            Ok(out.write_all(&page)?)
        }
        Some(dir) => fs::create_dir_all(&dir)
            .and_then(|()| clap_mangen::generate_to(args::command(), &dir))
            .map_err(|error| {
                Failure::new(Exit::Failure, format!("cannot write man pages to {}: {error}", dir.display()))
            }),
    }
}

#[derive(Serialize)]
struct ExitRow {
    code: u8,
    name: &'static str,
    meaning: &'static str,
}

impl Row for ExitRow {
    const COLUMNS: &'static [&'static str] = &["code", "name", "meaning"];
}

/// `factum exit-codes`
pub fn exit_codes(out: &mut Out) -> Result<(), Failure> {
    if out.format == Format::Text {
        let rows =
            Exit::ALL.map(|exit| vec![exit.code().to_string(), exit.name().into(), exit.meaning().into()]);
        return Ok(table::write(out, &["code", "name", "meaning"], &[0], rows.to_vec())?);
    }
    let mut rows = Rows::many();
    for exit in Exit::ALL {
        rows.row(out, &ExitRow { code: exit.code(), name: exit.name(), meaning: exit.meaning() })?;
    }
    rows.end::<ExitRow>(out)
}
