//! `projection status|pause|resume|rebuild|remove` against a program that runs one: this
//! test, which the verbs see from another process.

use std::time::Duration;

use factum::prelude::*;
use factum::view::sqlite::{Database, DatabaseView};
use factum::{Position, RecordedEvent};
use serde_json::json;

use crate::program::{Place, finished};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
#[rustfmt::skip]
enum Account {
    Deposited { #[id] id: AccountId, cents: i64 },
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Balance {
    #[key]
    account: AccountId,
    cents: i64,
}

struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "balances";
    type Event = Account;
    type Row = Balance;

    fn project(&self, event: &Account, _: &RecordedEvent, rows: &mut Rows<'_, Balance>) {
        let Account::Deposited { id, cents } = event;
        if *cents < 0 {
            rows.refuse("no money");
        }
        rows.upsert(id, || Balance { account: id.clone(), cents: 0 }, |balance| balance.cents += cents);
    }
}

fn deposit(id: &str, cents: i64) -> Account {
    Account::Deposited { id: id.into(), cents }
}

/// A program that keeps the balances of three deposits.
struct Bank {
    place: Place,
    store: Store,
    database: Database,
    balances: Option<DatabaseView<Balances>>,
}

const DATABASE: [&str; 2] = ["--database", "views.db"];

impl Bank {
    fn new() -> Self {
        let (place, store) = (Place::new(), Store::memory());
        let database = Database::open(place.dir().join("views.db")).unwrap();
        store.record([deposit("ada", 5), deposit("bob", 7), deposit("ada", 1)]).run().unwrap();
        let mut bank = Self { place, store, database, balances: None };
        bank.start(1_000);
        bank
    }

    fn start(&mut self, batch: usize) {
        let projecting = self.store.project(Balances).batch_events_max(batch);
        let balances = projecting.in_database(&self.database).unwrap();
        balances.progress().wait_for_all().unwrap().run().unwrap();
        self.balances = Some(balances);
    }

    fn words<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["projection", verb][..], &DATABASE, more].concat()
    }

    fn status(&self) -> serde_json::Value {
        self.place.json(Self::words("status", &[]))[0].clone()
    }

    fn ada(&self) -> i64 {
        let connection = self.database.connection().unwrap();
        let ada = "SELECT cents FROM balances WHERE account = 'ada'";
        connection.query_row(ada, [], |row| row.get(0)).unwrap()
    }
}

#[test]
fn status_says_what_is_going_on_and_what_is_not() {
    let mut bank = Bank::new();
    let status = bank.status();
    assert_eq!(
        (&status["name"], &status["state"], &status["position"], &status["events"], &status["lag_events"]),
        (&json!("balances"), &json!("live"), &json!(2), &json!(3), &json!(0))
    );
    assert_eq!(
        (&status["running"], &status["in_use"], &status["failure"]),
        (&json!(true), &json!(true), &json!(null))
    );
    let text = bank.place.ok(Bank::words("status", &[]));
    insta::assert_snapshot!(text, @r"
    projection  version  state  position  events  behind   late
    balances          1  live          2       3       0  0.0 s
    ");

    bank.store.record([deposit("eve", 1), deposit("eve", -1)]).run().unwrap();
    bank.balances.as_ref().unwrap().wait_for(Position::new(4)).run().unwrap_err();
    bank.balances = None;
    let text = bank.place.ok(Bank::words("status", &["balances"]));
    insta::with_settings!({ filters => vec![(r"\d+\.\d s", "N.N s")] }, { insta::assert_snapshot!(text, @r"
    projection  version  state   position  events  behind   late
    balances          1  failed         3       4       1  N.N s
    balances 1 stands before position 4 (AccountDeposited, account-eve revision 1): no money
    nobody runs balances 1: start the program that projects it
    ") });
    let status = bank.status();
    assert_eq!(status["failure"]["type"], "AccountDeposited");
    assert_eq!((&status["failure"]["position"], &status["running"]), (&json!(4), &json!(false)));
    let mut csv = bank.place.command();
    let csv = finished(csv.args(["--format", "csv"]).args(Bank::words("status", &[])));
    assert!(csv.stdout.starts_with("name,version,in_use,state,paused,"), "{}", csv.stdout);
}

#[test]
fn a_pause_is_heeded_by_the_program_that_runs_it() {
    let mut bank = Bank::new();
    assert_eq!(bank.place.ok(Bank::words("pause", &["balances"])), "balances is paused\n");
    bank.store.record(deposit("ada", 100)).run().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bank.ada(), 6);
    let text = bank.place.ok(Bank::words("status", &[]));
    assert!(text.contains("paused") && text.contains("`factum projection resume balances`"), "{text}");

    assert_eq!(bank.place.ok(Bank::words("resume", &[])), "balances is resumed\n");
    bank.balances.as_ref().unwrap().progress().wait_for_all().unwrap().run().unwrap();
    assert_eq!(bank.ada(), 106);

    // With nobody there it is noted.
    bank.balances = None;
    let said = bank.place.ok(Bank::words("pause", &["balances"]));
    assert_eq!(
        said,
        "balances is paused for whoever runs it next; nobody runs it: start the program that projects it\n"
    );
    assert_eq!(
        bank.place.json(Bank::words("pause", &[])),
        json!([{"name": "balances", "state": "paused", "running": false}])
    );
    assert_eq!(bank.status()["paused"], true);
}

#[test]
fn a_rebuild_makes_the_rows_again() {
    let mut bank = Bank::new();
    let writer = factum::view::sqlite::rusqlite::Connection::open(bank.database.path()).unwrap();
    writer.execute("UPDATE balances_v1_1 SET cents = -1", []).unwrap();
    let plan = bank.place.ok(Bank::words("rebuild", &["--dry-run"]));
    assert_eq!(
        plan,
        "balances 1: 2 rows from 3 events would be made again, from 3 positions of the log; nothing was changed\n"
    );
    assert_eq!(bank.ada(), -1);
    let plan = bank.place.json(Bank::words("rebuild", &["balances", "--dry-run"]));
    assert_eq!((&plan["rows"], &plan["events"], &plan["running"]), (&json!(2), &json!(3), &json!(true)));

    let run = bank.place.run(Bank::words("rebuild", &["balances"]));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("balances 1 is rebuilt from 3 events at 3 positions, "), "{}", run.stdout);
    assert_eq!(bank.ada(), 6);
    let done = bank.place.json(Bank::words("rebuild", &[]));
    assert_eq!((&done["state"], &done["events"]), (&json!("done"), &json!(3)));
    assert!(
        bank.place
            .fails(4, Bank::words("rebuild", &["--cancel"]))
            .contains("no rebuild of balances is under way")
    );

    bank.balances = None;
    let said = bank.place.fails(7, Bank::words("rebuild", &[]));
    assert!(said.contains("nobody runs balances: start the program that projects it"), "{said}");
    assert_eq!(bank.status()["rebuild"]["state"], "done", "nothing was asked for");
}

/// The balances as the next version of the program makes them.
struct NextBalances;

impl Projection for NextBalances {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 2;
    type Event = Account;
    type Row = Balance;

    fn project(&self, event: &Account, recorded: &RecordedEvent, rows: &mut Rows<'_, Balance>) {
        Balances.project(event, recorded, rows);
    }
}

#[test]
fn a_version_is_removed_unless_it_is_in_use() {
    let mut bank = Bank::new();
    let refused = bank.place.fails(7, Bank::words("remove", &["balances", "1"]));
    assert!(refused.contains("version 1 of balances is the one in use"), "{refused}");
    let said = bank.place.fails(4, Bank::words("remove", &["balances", "2"]));
    assert!(said.contains("there is no version 2 of balances; there are: 1"), "{said}");

    bank.balances = None;
    let next = bank.store.project(NextBalances).in_database(&bank.database).unwrap();
    let is_in_use = || bank.place.json(Bank::words("status", &[]))[1]["in_use"] == true;
    for _ in 0..500 {
        if is_in_use() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(is_in_use());
    let before = bank.place.json(Bank::words("status", &[]));
    let plan = bank.place.ok(Bank::words("remove", &["balances", "1", "--dry-run"]));
    assert_eq!(plan, "balances 1: 2 rows from 3 events would be removed; nothing was changed\n");
    assert_eq!(bank.place.json(Bank::words("status", &[])).as_array().unwrap().len(), 2);
    assert_eq!(before[0]["version"], 1);
    let plan = bank.place.json(Bank::words("remove", &["balances", "1", "--dry-run"]));
    assert_eq!(
        plan,
        json!({"name": "balances", "version": 1, "rows": 2, "events": 3, "running": false, "removed": false})
    );
    let refused = bank.place.fails(7, Bank::words("remove", &["balances", "2", "--dry-run"]));
    assert!(refused.contains("version 2 of balances is the one in use"), "{refused}");

    let said = bank.place.ok(Bank::words("remove", &["balances", "1"]));
    assert_eq!(said, "balances 1 is removed: 2 rows from 3 events\n");
    assert_eq!(bank.place.json(Bank::words("status", &[])).as_array().unwrap().len(), 1);
    assert_eq!(bank.ada(), 6, "what is in use stays");
    let connection = bank.database.connection().unwrap();
    let left = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'balances_v1%'";
    assert_eq!(connection.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    drop(next);
}

/// Long enough to be interrupted.
fn long() -> Bank {
    let mut bank = Bank::new();
    let many: Vec<_> = (0..20_000).map(|_| deposit("eve", 1)).collect();
    bank.store.record(many).run().unwrap();
    bank.balances
        .as_ref()
        .unwrap()
        .progress()
        .wait_for_all()
        .unwrap()
        .within(Duration::from_secs(60))
        .run()
        .unwrap();
    bank.balances = None;
    bank.start(1);
    bank
}

fn until_under_way(bank: &Bank) {
    for _ in 0..500 {
        let rebuild = &bank.status()["rebuild"];
        if rebuild["state"] == "running" && rebuild["positions_done"].as_u64() > Some(0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the rebuild did not begin: {}", bank.status());
}

#[test]
fn an_interrupt_and_a_cancel_end_a_rebuild_without_a_trace() {
    use std::process::{Command, Stdio};
    let bank = long();
    for by_interrupt in [true, false] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_factum"));
        command.current_dir(bank.place.dir()).env_clear().args(Bank::words("rebuild", &["balances"]));
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_under_way(&bank);
        if by_interrupt {
            let child = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(child, rustix::process::Signal::INT).unwrap();
        } else {
            let said = bank.place.ok(Bank::words("rebuild", &["balances", "--cancel"]));
            assert_eq!(said, "the rebuild of balances is cancelled; the rows in use are as they were\n");
        }
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("the rebuild of balances was cancelled"), "{said}");
        assert_eq!(bank.status()["rebuild"]["state"], "cancelled");
        assert_eq!(bank.ada(), 6);
    }
}

#[test]
fn what_is_not_there_is_said() {
    let place = Place::new();
    let said = place.fails(4, Bank::words("status", &[]));
    assert!(said.contains("there is no database views.db") && said.contains("--database FILE"), "{said}");
    assert!(!place.dir().join("views.db").exists(), "looking makes no file");
    drop(factum::view::sqlite::rusqlite::Connection::open(place.dir().join("views.db")).unwrap());
    let said = place.fails(4, Bank::words("pause", &[]));
    assert!(said.contains("no projection was ever run in the database"), "{said}");
    let said = place.fails(2, ["projection", "status"]);
    assert!(said.contains("--database <FILE>"), "{said}");

    let bank = Bank::new();
    let said = bank.place.fails(4, Bank::words("pause", &["balance"]));
    assert!(said.contains("there is no projection \"balance\"; there are: balances"), "{said}");
}
