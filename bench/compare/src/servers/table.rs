//! The table, in Markdown: every row that was run, won or lost, and below it
//! what each system is and how it was set.

use std::fmt::Write as _;

use factum_bench::disk::DiskFigures;
use factum_bench::machine::COMMIT;
use factum_bench::outcome::{count, micros};

use crate::servers::measure::{Bench, LEAD_IN, Outcome, Row};
use crate::servers::place::CONNECTIONS;
use crate::servers::stamp::PAYLOAD_BYTES;
use crate::servers::system::System;
use crate::servers::workload::{Measure, Unit, Workload};
use crate::table::{cell, ratio};

/// All rows of a run.
#[derive(Default)]
pub struct Table {
    /// In the order of the workloads.
    pub rows: Vec<Row>,
}

const HEAD: &str = "\
| workload | system | figure | best of | of the best peer | of the raw disk | answers a flush | also | all rounds | target |
|---|---|---|--:|--:|--:|--:|---|---|---|
";

impl Row {
    /// The best round.
    pub fn best(&self) -> Option<&Outcome> {
        let outcomes = self.rounds.iter().filter_map(|round| round.as_ref().ok());
        outcomes.reduce(|best, next| {
            if self.workload.better(best.figure, next.figure) == best.figure { best } else { next }
        })
    }
}

impl Table {
    /// The page.
    pub fn page(&self, bench: &Bench) -> String {
        let mut page = String::new();
        self.write(&mut page, bench).expect("a string can be written to");
        page
    }

    fn write(&self, page: &mut String, bench: &Bench) -> std::fmt::Result {
        writeln!(page, "# Factum's server and its peers\n")?;
        if cfg!(debug_assertions) {
            writeln!(page, "**This was a debug build: the numbers mean nothing.**\n")?;
        }
        let flushes = match &bench.flushes {
            Some(disk) if disk.is_telling => {
                format!("counted by the block layer for {}, which keeps nothing without one", disk.name())
            }
            Some(disk) => {
                format!("counted by the block layer for {}, which may keep things without one", disk.name())
            }
            None => "not counted on this system".to_owned(),
        };
        writeln!(
            page,
            "One run of `bench/compare servers`, commit {COMMIT}, on {}. Client and server share the machine and \
             speak over loopback. Events have {PAYLOAD_BYTES} bytes of data. Systems take turns at each workload, \
             {} rounds; each round has a fresh store and is measured for {} s after {} s that are not counted, \
             over {CONNECTIONS} connections where many appends are in flight, else one. The best round counts. An answered \
             append is on the disk. After each round everything is read back: no figure is \
             shown of a server that lost an event, gave one twice or gave a stream out of order. \
             *of the raw disk*: the limit is a write of 4 KiB and its flush, one at a time, around the rounds. \
             *answers a flush*: {flushes}.\n",
            bench.machine.summary(),
            bench.rounds,
            bench.time.as_secs_f64(),
            LEAD_IN.as_secs_f64(),
        )?;
        page.write_str(HEAD)?;
        for row in &self.rows {
            writeln!(page, "{}", line(row, self.best_peer(row.workload), self.judged(row)))?;
        }
        writeln!(page)?;
        for system in System::ALL.into_iter().filter(|system| self.has(*system)) {
            let version = bench.version(system).unwrap_or_else(|| "not there".to_owned());
            writeln!(
                page,
                "- **{}** ({version}; client {}): {}.",
                system.name(),
                system.client(),
                system.settings()
            )?;
        }
        Ok(())
    }

    fn has(&self, system: System) -> bool {
        self.rows.iter().any(|row| row.system == system)
    }

    /// Whose figure is held against the target, in the row where that is told:
    /// of Factum's rows of a workload the best, in the first.
    fn judged(&self, row: &Row) -> Option<&Row> {
        let mut ours =
            self.rows.iter().filter(|other| other.workload == row.workload && other.system.is_factum());
        let first = ours.next().filter(|first| first.system == row.system)?;
        let figure = |row: &Row| row.best().map(|best| best.figure);
        Some(ours.fold(first, |best, next| match (figure(best), figure(next)) {
            (Some(one), Some(other)) if row.workload.better(one, other) == one => best,
            (_, None) => best,
            _ => next,
        }))
    }

    /// The best figure any peer came to at a workload.
    fn best_peer(&self, workload: Workload) -> Option<f64> {
        let peers = self.rows.iter().filter(|row| row.workload == workload && !row.system.is_factum());
        peers.filter_map(|row| Some(row.best()?.figure)).reduce(|one, other| workload.better(one, other))
    }
}

fn line(row: &Row, best_peer: Option<f64>, judged: Option<&Row>) -> String {
    let rounds = row.rounds.iter().map(|round| match round {
        Ok(outcome) => figure(row.workload, outcome.figure),
        Err(_) => "none".to_owned(),
    });
    let rounds = rounds.collect::<Vec<_>>().join(", ");
    let (workload, system) = (row.workload.name().to_owned(), row.system.name().to_owned());
    let reason = row.rounds.iter().find_map(|round| round.as_ref().err()).map(|reason| reason.to_owned());
    let target = judged.map_or_else(|| "-".to_owned(), |judged| verdict(judged, best_peer));
    let Some(best) = row.best() else {
        let reason = reason.unwrap_or_else(|| "no round".to_owned());
        let dash = || "-".to_owned();
        let cells = [
            workload,
            system,
            format!("no figure: {reason}"),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            target,
        ];
        return joined(&cells);
    };
    let more = match reason {
        Some(reason) => format!("{}; **a round without a figure: {reason}**", best.more),
        None => best.more.clone(),
    };
    joined(&[
        workload,
        system,
        row.workload.figure().to_owned(),
        figure(row.workload, best.figure),
        best_peer.map_or_else(|| "-".to_owned(), |peer| ratio(best.figure / peer)),
        of_disk(row.workload, best.figure, row.disk),
        best.answers_a_flush.map_or_else(|| "-".to_owned(), |answers| format!("{answers:.1}")),
        more,
        rounds,
        target,
    ])
}

/// Whether the target is met, and by whom.
fn verdict(judged: &Row, best_peer: Option<f64>) -> String {
    let Some(best) = judged.best() else { return "**missed**".to_owned() };
    let measure = Measure { best_peer, disk: judged.disk, behind: best.behind, is_slow: best.is_slow };
    let (target, is_met) = judged.workload.target(best.figure, &measure);
    let verdict = if is_met { "met" } else { "**missed**" };
    format!("{target}: {verdict} by {}", judged.system.name())
}

fn joined(cells: &[String; 10]) -> String {
    format!("| {} |", cells.each_ref().map(|text| cell(text)).join(" | "))
}

fn figure(workload: Workload, figure: f64) -> String {
    match workload.unit() {
        Unit::PerSecond => count(figure),
        Unit::Micros => micros(figure),
    }
}

/// What the disk itself does in the same time.
fn of_disk(workload: Workload, figure: f64, disk: DiskFigures) -> String {
    match workload {
        Workload::InFlight => {
            format!("{} of {} /s", ratio(figure / disk.flushes_per_s), count(disk.flushes_per_s))
        }
        Workload::Lone => format!("{} of {}", ratio(figure / disk.flush_p50_us), micros(disk.flush_p50_us)),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(workload: Workload, system: System, figures: &[f64]) -> Row {
        let disk = DiskFigures {
            flushes_per_s: 8_000.0,
            flush_p50_us: 120.0,
            bytes_per_s: 1e9,
            flush_p99_us: 250.0,
            flush_p999_us: 900.0,
        };
        let outcome =
            |figure: &f64| Ok(Outcome { figure: *figure, more: "more".into(), ..Outcome::default() });
        Row { workload, system, rounds: figures.iter().map(outcome).collect(), disk }
    }

    #[test]
    fn the_best_round_counts_and_all_are_shown() {
        let mut table = Table::default();
        table.rows.push(row(Workload::InFlight, System::Factum, &[80_000.0, 100_000.0]));
        table.rows.push(row(Workload::InFlight, System::UmaDb, &[20_000.0, 50_000.0]));
        table.rows.push(row(Workload::InFlight, System::Redis, &[40_000.0, 30_000.0]));
        let best_peer = table.best_peer(Workload::InFlight);
        assert_eq!(best_peer, Some(50_000.0));
        assert_eq!(
            line(&table.rows[0], best_peer, table.judged(&table.rows[0])),
            "| 1,024 appends in flight | Factum | appends/s | 100,000 | 2.0 x | 12 x of 8,000 /s | - | more | \
             80,000, 100,000 | 2.5 x the best peer: **missed** by Factum |"
        );
        assert!(line(&table.rows[2], best_peer, None).contains("| 40,000 | 0.80 x |"));
    }

    #[test]
    fn the_first_of_factums_rows_tells_of_the_best_of_them() {
        let mut table = Table::default();
        table.rows.push(row(Workload::CatchUp, System::Factum, &[500.0]));
        table.rows.push(row(Workload::CatchUp, System::FactumOwn, &[1_900.0, 2_000.0]));
        table.rows.push(row(Workload::CatchUp, System::Postgres, &[900.0]));
        let told = |at: usize| line(&table.rows[at], Some(900.0), table.judged(&table.rows[at]));
        assert!(told(0).ends_with("| 2 x the best peer: met by Factum, its own client |"), "{}", told(0));
        assert!(told(1).ends_with("| 1,900, 2,000 | - |"), "{}", told(1));
        assert!(told(2).ends_with("| - |"), "{}", told(2));
        // One that came to nothing is not held against it.
        table.rows[1].rounds = vec![Err("lost".into())];
        let judged = table.judged(&table.rows[0]).unwrap();
        assert_eq!(judged.system, System::Factum);
    }

    #[test]
    fn of_durations_the_shortest_is_best() {
        let mut table = Table::default();
        table.rows.push(row(Workload::Lone, System::Factum, &[260.0, 240.0]));
        table.rows.push(row(Workload::Lone, System::Redis, &[480.0]));
        table.rows.push(row(Workload::Lone, System::Nats, &[500.0]));
        let best_peer = table.best_peer(Workload::Lone);
        assert_eq!(best_peer, Some(480.0));
        let line = line(&table.rows[0], best_peer, table.judged(&table.rows[0]));
        assert!(line.contains("| 240 us | 0.50 x | 2.0 x of 120 us |"), "{line}");
        assert!(line.ends_with("| raw disk + 150 us, best of all: met by Factum |"), "{line}");
    }

    #[test]
    fn a_round_without_a_figure_is_told_and_so_is_a_row_without_any() {
        let mut half = row(Workload::CatchUp, System::Redis, &[5.0]);
        half.rounds.push(Err("it | ended".into()));
        let told = line(&half, Some(5.0), None);
        assert!(told.contains("**a round without a figure: it \\| ended**"), "{told}");
        assert!(told.contains("| 5, none |"), "{told}");
        let mut none = row(Workload::CatchUp, System::Factum, &[]);
        none.rounds.push(Err("lost".into()));
        let told = line(&none, None, Some(&none));
        assert!(told.contains("no figure: lost") && told.contains("**missed**"), "{told}");
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        assert_eq!(columns(&told), columns(HEAD.lines().next().unwrap()));
        assert_eq!(columns(&line(&half, None, None)), columns(&told));
    }
}
