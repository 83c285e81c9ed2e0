//! A process that is killed while it projects, again and again.

use std::process::{Command, Stdio};

use super::*;
use crate::view::sqlite::RebuildState;
use crate::view::tests::deposit;

const PLACE: &str = "FACTUM_TEST_PLACE";

/// The process to be killed: appends and projects, and rebuilds every now and
/// then, until it is dead.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn appends_and_projects_until_killed() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let place = std::path::Path::new(&place);
    let store = Store::open(place.join("store")).unwrap();
    let database = Database::open(place.join("views.db")).unwrap();
    let _tallies = quick(store.project(Tallies)).batch_events_max(50).in_database(&database).unwrap();
    for round in 0.. {
        let events: Vec<_> = (0..40).map(|cents| deposit(&format!("a{}", round % 7), cents)).collect();
        store.record(events).run().unwrap();
        if round % 10 == 0 {
            let control = database.control().unwrap();
            let rebuild = control.status().unwrap().remove(0).rebuild;
            // Asked for once more it would begin anew.
            if rebuild.is_none_or(|rebuild| !rebuild.state.is_under_way()) {
                control.rebuild("tallies").unwrap();
            }
        }
    }
}

#[test]
fn rows_and_checkpoint_agree_whenever_it_is_killed() {
    let dir = TempDir::new().unwrap();
    let mut last = 0;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "view::sqlite::tests::killed::appends_and_projects_until_killed"])
            .env(PLACE, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Once it has projected something, at any moment.
        let database = || Database::open(dir.path().join("views.db")).unwrap();
        until("it projects", || {
            let events =
                database().control().unwrap().status().unwrap().first().map_or(0, |status| status.events);
            events > last
        });
        let generation = || {
            let asked = "SELECT generation FROM factum_projection";
            database().connection().unwrap().query_row(asked, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        if round == 6 {
            until("some rebuild is done in between", || generation() > 1);
        }
        std::thread::sleep(Duration::from_micros(7_919 * (round + 1)));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let database = database();
        let (rows, events, position) = tally(&database);
        assert_eq!(rows, events, "a row that counts events, and the checkpoint's count");
        assert!(events > 0 && events >= last, "{events} after {last}");
        // Every event is of a type it reads, so the place says how many there were.
        assert_eq!(position.map(|position| position.get() + 1), Some(events));
        last = events;
    }

    let store = Store::open(dir.path().join("store")).unwrap();
    let database = Database::open(dir.path().join("views.db")).unwrap();
    let tallies = quick(store.project(Tallies)).in_database(&database).unwrap();
    all_projected(&tallies);
    until("a rebuild that was interrupted is done", || {
        let rebuild = database.control().unwrap().status().unwrap()[0].rebuild.clone();
        rebuild.is_none_or(|rebuild| rebuild.state == RebuildState::Done)
    });
    all_projected(&tallies);
    assert_eq!(tallies.rows().unwrap(), store.view(Tallies).run().unwrap().rows());
}
