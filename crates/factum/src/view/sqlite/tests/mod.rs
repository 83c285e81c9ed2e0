//! Read models in SQLite: the same rows, whatever is interrupted when, and seen
//! and steered from outside.

mod anchor;
mod crash;
mod killed;
mod lag;
mod rebuild;
mod runners;
mod tables;

use std::time::Duration;

use tempfile::TempDir;

use super::{Control, Database, DatabaseView, ProjectionStatus};
use crate::view::tests::Tallies;
use crate::view::{Phase, Projecting, Projection};
use crate::{Position, Store};

/// A directory with a database in it.
pub(super) struct Place {
    pub dir: TempDir,
    pub database: Database,
}

impl Place {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let database = Database::open(dir.path().join("views.db")).unwrap();
        Self { dir, database }
    }

    pub fn control(&self) -> Control {
        self.database.control().unwrap()
    }

    /// The one version there is of a projection.
    pub fn status(&self, name: &str) -> ProjectionStatus {
        let mut found = self.control().status_of(name).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    pub fn tallies(&self, store: &Store) -> DatabaseView<Tallies> {
        quick(store.project(Tallies)).in_database(&self.database).unwrap()
    }
}

/// With a lease a test can wait for.
pub(super) fn quick<P: Projection>(projecting: Projecting<P>) -> Projecting<P> {
    projecting.lease(Duration::from_millis(200))
}

pub(super) fn all_projected<P: Projection>(view: &DatabaseView<P>) {
    view.progress().wait_for_all().unwrap().within(Duration::from_secs(20)).run().unwrap();
}

/// Until it is so, within a time that is long.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came to this: {what}");
}

/// Rows and checkpoint of the tallies, as one moment shows them.
pub(super) fn tally(database: &Database) -> (u64, u64, Option<Position>) {
    let connection = database.connection().unwrap();
    let row: (i64, i64, i64) = connection
        .query_row(
            "SELECT coalesce((SELECT events FROM tallies), 0), events, next_position
             FROM factum_projection WHERE name = 'tallies' AND is_active",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    (row.0.unsigned_abs(), row.1.unsigned_abs(), Position::new(row.2.unsigned_abs()).previous())
}

pub(super) fn is_live(status: &ProjectionStatus) -> bool {
    status.phase == Phase::Live && status.lag_events == 0
}
