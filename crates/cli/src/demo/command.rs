//! `factum demo [REPO]`: opens, imports, travels, reports.

use std::path::Path;

use factum_core::{ErrorKind, EventStore};

use super::place::{self, PlaceError};
use super::report::{self, Holding, Report};
use super::{TravelError, commits, travel};
use crate::args::{DemoArgs, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::import::git::program::Repository;
use crate::import::git::{self, ImportError};
use crate::import::meter::Stderr;
use crate::open;
use crate::render::Out;

/// Shows a repository's history as events, and fails if git has it otherwise.
pub fn run(args: DemoArgs, global: &Global, out: &mut Out) -> Result<(), Failure> {
    let repository =
        Repository::open(args.repository.as_deref().unwrap_or(Path::new("."))).map_err(ImportError::from)?;
    repository.head().map_err(ImportError::from)?;
    // A store named for every command by the environment is somebody's own; a
    // demo goes there only if it is told so.
    let path = match global.store_is_given {
        true => global.store_path()?.to_owned(),
        false => place::default_for(&repository)?,
    };
    if args.fresh {
        place::remove_old(&path)?;
    }
    let log = place::open(&path)?;
    let mut meter = Stderr::new();
    let imported = git::import(&log, &repository, &mut meter).map_err(|error| {
        let begins_anew =
            matches!(error, ImportError::OtherRepository { .. } | ImportError::Rewritten { .. });
        let failure = Failure::from(error);
        match begins_anew {
            true => failure.hint("--fresh removes the store of the earlier demo and begins anew"),
            false => failure,
        }
    })?;
    let travelled = travel(&log, &repository, &imported.head, &mut meter)?;
    let holding = Holding {
        events: log.last_position()?.map_or(0, |last| last.get() + 1),
        commits: commits(&log)?,
        streams: log.stats().streams,
    };
    log.close()?;
    let report = Report::of(
        repository.root().display().to_string(),
        path.display().to_string(),
        holding,
        &imported,
        &travelled,
    );
    report::show(&report, &imported, &travelled, out)?;
    match report.mismatches {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Damaged,
            format!("{} paths folded from events are not as in git", report.mismatches),
        )
        .hint("`factum event-store verify --deep` checks the store itself; please report this")),
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Open { path, source } => open::refused(&path, source),
            PlaceError::Read(error) => error.into(),
            PlaceError::NoCache => Self::new(Exit::Usage, error),
            PlaceError::NotOurs { .. } => Self::invalid(error),
            PlaceError::Create { .. } | PlaceError::Remove { .. } => Self::new(Exit::Failure, error),
        }
    }
}

impl From<TravelError> for Failure {
    fn from(error: TravelError) -> Self {
        let kind: ErrorKind = error.kind();
        Self::new(kind.into(), error)
    }
}
