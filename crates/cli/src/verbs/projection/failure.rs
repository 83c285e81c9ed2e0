//! What the verbs on projections say when something is wrong.

use std::path::Path;

use factum::view::sqlite::{Control, ControlError, ProjectionStatus};

use crate::exit::Exit;
use crate::failure::Failure;

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match &error {
            ControlError::NoDatabase { .. } | ControlError::NoProjections { .. } => {
                Self::not_found(error).hint("name it with --database FILE or FACTUM_DATABASE")
            }
            ControlError::InUse { name, .. } => {
                let hint = format!(
                    "a newer version takes its place once it has caught up; `factum projection status {name}` shows that"
                );
                Self::new(Exit::Unavailable, error).hint(hint)
            }
            ControlError::Unknown { .. } | ControlError::UnknownVersion { .. } => {
                Self::not_found(error).hint("`factum projection status` shows the projections there are")
            }
            _ => Self::new(Exit::Failure, error),
        }
    }
}

/// The projections of a database, and those of its versions that are meant.
pub fn found(database: &Path, name: Option<&str>) -> Result<(Control, Vec<ProjectionStatus>), Failure> {
    let control = Control::open(database)?;
    let versions = match name {
        Some(name) => control.status_of(name)?,
        None => control.status()?,
    };
    Ok((control, versions))
}

/// What to do about a projection that nobody runs.
pub fn nobody_runs(name: &str) -> String {
    format!("nobody runs {name}: start the program that projects it")
}
