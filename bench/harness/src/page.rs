//! The page that keeps a run: the table, what it was measured on, and each
//! outcome as it was told.

use std::fmt::Write;

use crate::disk::DiskFigures;
use crate::outcome::{count, micros, rate};
use crate::table::Table;

/// The run as Markdown.
pub fn page(table: &Table) -> String {
    let about = format!(
        "Written by `factum bench all --write`; every number is from one run of it. \
         Each row has a fresh store and the canonical events (orders as JSON of 200 to 500 bytes with one tag, \
         in 131,072 streams, unless the command asked for others), {} s after a warm-up. \
         Every outcome below names the durability its receipts promised; a row that was not durable reaches nothing. \
         The raw disk was probed under the same directory immediately before and after each row, \
         by writes with `fdatasync` inside a file written before; the better figure of the two is the limit shown. \
         A row judged by the disk counts as reached only if the disk did at least half of its best in the run.\n",
        table.seconds
    );
    page_of(table, "Benchmarks", &about)
}

/// A run of the SDK's rows as Markdown.
pub fn sdk_page(table: &Table) -> String {
    let about = format!(
        "Written by `factum bench sdk --write`; every number is from one run of it. \
         The events are small (a counter that goes up: about 20 bytes of JSON, one tag), \
         stored through the typed path of the SDK; each row that appends has a fresh store, \
         {} s after a warm-up. Limits of the machine stand beside each figure: the raw disk, the JSON \
         decoder alone, or the log without the SDK, measured in the same run.\n",
        table.seconds
    );
    page_of(table, "Benchmarks of the SDK", &about)
}

fn page_of(table: &Table, title: &str, about: &str) -> String {
    let mut page = String::new();
    write(&mut page, table, title, about).expect("a string can be written to");
    page
}

fn write(page: &mut String, table: &Table, title: &str, about: &str) -> std::fmt::Result {
    let machine = &table.machine;
    writeln!(page, "# {title}\n")?;
    writeln!(page, "{about}")?;
    if cfg!(debug_assertions) {
        writeln!(page, "**This was a debug build: the numbers mean nothing.**\n")?;
    }
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(page, "| processor | {}, {} cores |", machine.cpu, machine.cores)?;
    writeln!(page, "| memory | {:.0} GB |", machine.memory_bytes as f64 / 1e9)?;
    writeln!(page, "| kernel | {} |", machine.kernel)?;
    writeln!(page, "| file system | {} |", machine.file_system)?;
    writeln!(page, "| commit | {} |\n", table.commit)?;

    writeln!(page, "| workload | target | measured | raw disk | share | |\n|---|---|---|---|---|---|")?;
    for row in &table.rows {
        let [measured, raw, share] = [&row.measured, &row.raw, &row.share].map(|text| cell(text));
        let verdict = if row.reached { "reached" } else { "**missed**" };
        writeln!(page, "| {} | {} | {measured} | {raw} | {share} | {verdict} |", row.name, row.target)?;
    }
    writeln!(page, "\n{} of {} targets reached.\n", table.reached(), table.rows.len())?;

    writeln!(page, "## The raw disk\n")?;
    writeln!(page, "Once, before the rows; recycled is the limit, the others are context.\n")?;
    writeln!(
        page,
        "| file | 4 KiB write and flush | p50 | p99 | 1 MiB write and flush |\n|---|---|---|---|---|"
    )?;
    disk(page, "recycled: every byte written before", Some(table.context.recycled))?;
    disk(page, "the same, past the page cache", table.context.direct)?;
    disk(page, "fresh: only allocated", table.context.fresh)?;

    writeln!(page, "\n## Every outcome\n")?;
    for outcome in &table.outcomes {
        writeln!(page, "```text\n{}```\n", outcome)?;
    }
    Ok(())
}

fn disk(page: &mut String, name: &str, figures: Option<DiskFigures>) -> std::fmt::Result {
    match figures {
        Some(disk) => writeln!(
            page,
            "| {name} | {} /s | {} | {} | {} |",
            count(disk.flushes_per_s),
            micros(disk.flush_p50_us),
            micros(disk.flush_p99_us),
            rate(disk.bytes_per_s)
        ),
        None => writeln!(page, "| {name} | not to be had on this file system | | | |"),
    }
}

/// Text that cannot break out of its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_keeps_every_row_and_names_machine_and_commit() {
        let dir = tempfile::tempdir().unwrap();
        let table = crate::table::tests::run(dir.path());
        let page = page(&table);
        for row in &table.rows {
            assert!(page.contains(&format!("| {} | {} |", row.name, row.target)), "{}\n{page}", row.name);
        }
        assert!(page.contains(&format!("| commit | {} |", table.commit)), "{page}");
        assert!(page.contains("**missed**"), "{page}");
        assert_eq!(page.matches("```text").count(), table.outcomes.len());
    }

    #[test]
    fn a_cell_cannot_be_broken_out_of() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
