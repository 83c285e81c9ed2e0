//! The table, in Markdown: every row that was run, won or lost, and below it
//! what each system is and how it was set.

use std::fmt::Write as _;

use factum_bench::machine::COMMIT;
use factum_bench::outcome::{count, micros};

use crate::measure::{Bench, LEAD_IN, Outcome, Row, Tally, WARM_UP};
use crate::systems::System;
use crate::workload::COUNTERS;

/// All rows of a run.
#[derive(Default)]
pub struct Table {
    /// In the order they were measured.
    pub rows: Vec<Row>,
}

const HEAD: &str = "\
| workload | system | durability | a second | of Factum's | p50 | of Factum's | p99 | decided again | counters | raw disk |
|---|---|---|--:|--:|--:|--:|--:|--:|---|---|
";

impl Table {
    /// The page.
    pub fn page(&self, bench: &Bench) -> String {
        let mut page = String::new();
        self.write(&mut page, bench).expect("a string can be written to");
        page
    }

    fn write(&self, page: &mut String, bench: &Bench) -> std::fmt::Result {
        writeln!(page, "# Factum and its Rust peers\n")?;
        if cfg!(debug_assertions) {
            writeln!(page, "**This was a debug build: the numbers mean nothing.**\n")?;
        }
        writeln!(
            page,
            "One run of `bench/compare`, commit {COMMIT}, on {}. {} counters are raised by 1; each row has a fresh \
             store with one event in every counter, {} s after {} s of commands that were not counted. \
             *counters* says whether the sum of all is the number of commands that were answered. \
             *raw disk* is a write of 4 KiB and its flush, one at a time, around the row.\n",
            bench.machine.summary(),
            count(f64::from(COUNTERS)),
            bench.time.as_secs_f64(),
            (WARM_UP.1 + LEAD_IN).as_secs_f64(),
        )?;
        page.write_str(HEAD)?;
        for row in &self.rows {
            writeln!(page, "{}", line(row, self.of_factum(row)))?;
        }
        writeln!(page)?;
        for system in System::ALL.into_iter().filter(|system| self.has(*system)) {
            write!(page, "- **{}**: {}", system.name(), system.versions())?;
            if let (true, Ok(installation)) = (system.needs_postgres(), &bench.postgres) {
                write!(page, " on PostgreSQL {}", installation.version())?;
            }
            if system == System::EventcoreSqlite {
                write!(page, " on SQLite {}", eventcore_sqlite::rusqlite::version())?;
            }
            writeln!(page, "; {}.", system.settings())?;
        }
        Ok(())
    }

    fn has(&self, system: System) -> bool {
        self.rows.iter().any(|row| row.system == system)
    }

    /// What Factum came to at the same workload.
    fn of_factum(&self, row: &Row) -> Option<&Outcome> {
        let is_its = |other: &&Row| other.system == System::Factum && other.workload == row.workload;
        self.rows.iter().find(is_its)?.outcome.as_ref().ok()
    }
}

fn line(row: &Row, factum: Option<&Outcome>) -> String {
    let outcome = match &row.outcome {
        Ok(outcome) => outcome,
        Err(reason) => {
            let empty = "| ".repeat(7);
            let (workload, system) = (row.workload.name(), row.system.name());
            return format!("| {workload} | {system} | no figure: {} {empty}| {} |", cell(reason), disk(row));
        }
    };
    let of_factum = |pick: fn(&Outcome) -> f64| match factum {
        Some(factum) => ratio(pick(outcome) / pick(factum)),
        None => "-".into(),
    };
    let cells = [
        row.workload.name().to_owned(),
        row.system.name().to_owned(),
        outcome.durability.clone(),
        rate(outcome.per_s),
        of_factum(|outcome| outcome.per_s),
        duration(outcome.p50_us),
        of_factum(|outcome| outcome.p50_us),
        duration(outcome.p99_us),
        outcome.again.map_or_else(|| "-".into(), |again| count(again as f64)),
        counters(outcome),
        disk(row),
    ];
    format!("| {} |", cells.map(|text| cell(&text)).join(" | "))
}

/// Whether the counters add up, and how many commands were not done.
fn counters(outcome: &Outcome) -> String {
    let Tally { answered, counted } = outcome.tally;
    let mut told = match counted.checked_sub(answered) {
        Some(0) => "add up".to_owned(),
        Some(more) => format!("**{} more than answered**", count(more as f64)),
        None => format!("**{} of {} lost**", count((answered - counted) as f64), count(answered as f64)),
    };
    if let (refused @ 1.., reason) = &outcome.refused {
        let reason = reason.as_deref().unwrap_or("no reason");
        let _ = write!(told, "; {} not done: {reason}", count(*refused as f64));
    }
    told
}

fn disk(row: &Row) -> String {
    format!("{} /s, p50 {}", count(row.disk.flushes_per_s), micros(row.disk.flush_p50_us))
}

/// Events a second; few of them with a digit after the point.
fn rate(per_s: f64) -> String {
    match per_s {
        few if few < 100.0 => format!("{few:.1}"),
        many => count(many),
    }
}

fn duration(us: f64) -> String {
    if us.is_nan() { "-".into() } else { micros(us) }
}

/// To two digits that count.
pub fn ratio(ratio: f64) -> String {
    match ratio {
        none if !none.is_finite() => "-".into(),
        many if many >= 10.0 => format!("{} x", count(many)),
        some if some >= 1.0 => format!("{some:.1} x"),
        few if few >= 0.1 => format!("{few:.2} x"),
        few if few >= 0.01 => format!("{few:.3} x"),
        few => format!("{few:.4} x"),
    }
}

/// Text that cannot break out of its cell.
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use factum_bench::disk::DiskFigures;

    use super::*;
    use crate::workload::Workload;

    fn row(system: System, per_s: f64, tally: Tally) -> Row {
        let outcome = Outcome {
            per_s,
            p50_us: 1e6 / per_s,
            p99_us: 2e6 / per_s,
            again: Some(3),
            refused: (0, None),
            durability: "disk".into(),
            tally,
        };
        let disk = DiskFigures {
            flushes_per_s: 8_000.0,
            flush_p50_us: 120.0,
            bytes_per_s: 1e9,
            flush_p99_us: 250.0,
            flush_p999_us: 900.0,
        };
        Row { workload: Workload::OneCaller, system, outcome: Ok(outcome), disk }
    }

    const WHOLE: Tally = Tally { answered: 7, counted: 7 };

    #[test]
    fn a_row_that_factum_loses_is_told_like_the_others() {
        let mut table = Table { rows: vec![row(System::Factum, 1_000.0, WHOLE)] };
        table.rows.push(row(System::CqrsEs, 20_000.0, WHOLE));
        table.rows.push(row(System::EventcoreFs, 50.0, WHOLE));
        let lines: Vec<_> = table.rows.iter().map(|row| line(row, table.of_factum(row))).collect();
        assert_eq!(
            lines[1],
            "| commands, 1 caller | cqrs-es, PostgreSQL | disk | 20,000 | 20 x | 50 us | 0.050 x | 100 us | 3 | add up | 8,000 /s, p50 120 us |"
        );
        assert!(lines[2].contains("| 50.0 | 0.050 x | 20.00 ms | 20 x |"), "{}", lines[2]);
        let columns = |line: &str| line.matches(" | ").count();
        assert!(lines.iter().all(|line| columns(line) == 10), "{lines:#?}");
    }

    #[test]
    fn counters_that_do_not_add_up_are_told() {
        let told = |answered, counted, refused| {
            let Ok(mut outcome) = row(System::Factum, 1.0, Tally { answered, counted }).outcome else {
                unreachable!()
            };
            outcome.refused = refused;
            counters(&outcome)
        };
        assert_eq!(told(7, 7, (0, None)), "add up");
        assert_eq!(told(7, 5, (0, None)), "**2 of 7 lost**");
        assert_eq!(told(7, 8, (0, None)), "**1 more than answered**");
        assert_eq!(told(7, 7, (2, Some("busy".into()))), "add up; 2 not done: busy");
    }

    #[test]
    fn what_does_not_run_is_named_with_its_reason() {
        let mut row = row(System::Disintegrate, 1.0, WHOLE);
        row.outcome = Err("no server | at all".into());
        let line = line(&row, None);
        assert!(line.contains("no figure: no server \\| at all"), "{line}");
        assert_eq!(
            line.replace("\\|", "").matches('|').count(),
            HEAD.lines().next().unwrap().matches('|').count()
        );
    }

    #[test]
    fn ratios_keep_two_digits() {
        let told = [250.4, 12.0, 1.26, 0.5, 0.0456, 0.00123, f64::NAN].map(ratio);
        assert_eq!(told, ["250 x", "12 x", "1.3 x", "0.50 x", "0.046 x", "0.0012 x", "-"]);
    }
}
