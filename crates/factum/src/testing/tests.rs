//! The language says yes where it should, and whole failure texts where not.

mod view;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::*;
use crate::prelude::*;
use crate::{Position, Revision};

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Account {
    Opened {
        #[id]
        id: AccountId,
        owner: String,
    },
    Deposited {
        #[id]
        id: AccountId,
        cents: u64,
    },
    Withdrawn {
        #[id]
        id: AccountId,
        cents: u64,
    },
}

#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Account)]
struct Balance {
    #[key]
    id: AccountId,
    cents: u64,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        match event {
            Account::Opened { .. } => {}
            Account::Deposited { cents, .. } => self.cents += cents,
            Account::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

#[derive(Debug, PartialEq)]
enum Refusal {
    Short { by: u64 },
}

fn withdraw(balance: &Balance, cents: u64) -> Result<Account, Refusal> {
    match balance.cents.checked_sub(cents) {
        Some(_) => Ok(withdrawn(&balance.id.0, cents)),
        None => Err(Refusal::Short { by: cents - balance.cents }),
    }
}

fn opened(id: &str) -> Account {
    Account::Opened { id: id.into(), owner: "Ada".into() }
}

fn deposited(id: &str, cents: u64) -> Account {
    Account::Deposited { id: id.into(), cents }
}

fn withdrawn(id: &str, cents: u64) -> Account {
    Account::Withdrawn { id: id.into(), cents }
}

#[derive(Id, Clone, Debug, PartialEq)]
struct CourseId(String);

#[derive(Id, Clone, Debug, PartialEq)]
struct StudentId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Course {
    Announced {
        #[id]
        course: CourseId,
        seats: u32,
    },
}

#[derive(Event, Clone, Debug, PartialEq)]
enum Enrolment {
    Enrolled {
        #[id]
        student: StudentId,
        #[tag]
        course: CourseId,
    },
    Greeted {
        #[id]
        student: StudentId,
    },
}

#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Course, Enrolment)]
struct Seats {
    #[key]
    course: CourseId,
    free: u32,
}

impl Evolve<Course> for Seats {
    fn evolve(&mut self, Course::Announced { seats, .. }: &Course) {
        self.free += seats;
    }
}

impl Evolve<Enrolment> for Seats {
    fn evolve(&mut self, event: &Enrolment) {
        if matches!(event, Enrolment::Enrolled { .. }) {
            self.free -= 1;
        }
    }
}

fn announced(course: &str, seats: u32) -> Course {
    Course::Announced { course: course.into(), seats }
}

fn enrolled(student: &str, course: &str) -> Enrolment {
    Enrolment::Enrolled { student: student.into(), course: course.into() }
}

fn greeted(student: &str) -> Enrolment {
    Enrolment::Greeted { student: student.into() }
}

/// What a test that must fail says.
fn failure(test: impl FnOnce()) -> String {
    let thrown = catch_unwind(AssertUnwindSafe(test)).expect_err("the test fails");
    thrown.downcast_ref::<String>().expect("it says why").clone()
}

#[test]
fn says_yes_to_what_is_so() {
    let seed = || (opened("ada"), deposited("ada", 500));
    given(seed())
        .and(deposited("bob", 7))
        .when(Balance::of("ada"), |balance| withdraw(balance, 200))
        .then(withdrawn("ada", 200))
        .then_state(|balance| assert_eq!(balance.cents, 300))
        .then_state_is(Balance { cents: 300, ..Balance::of("ada") })
        .then_model(Balance::of("bob"), |balance| assert_eq!(balance.cents, 7))
        .and(deposited("ada", 100))
        .when(Balance::of("ada"), |balance| withdraw(balance, 401))
        .then_rejected(Refusal::Short { by: 1 })
        .then_state(|balance| assert_eq!(balance.cents, 400));
    given(seed())
        .when(Balance::of("ada"), |balance| withdraw(balance, 501))
        .then_rejected_if(|Refusal::Short { by }| *by == 1);
    given(()).when(Balance::of("ada"), |_| Ok::<_, Refusal>(())).then_nothing();
}

#[test]
fn a_command_is_decided_by_the_model_itself() {
    #[derive(Clone)]
    struct Withdraw(u64);
    impl Decide<Withdraw> for Balance {
        type Rejection = Refusal;
        fn decide(&self, Withdraw(cents): Withdraw) -> Result<impl crate::IntoEvents, Refusal> {
            withdraw(self, cents)
        }
    }
    given(deposited("ada", 5))
        .when_command(Balance::of("ada"), Withdraw(5))
        .then(withdrawn("ada", 5))
        .and(())
        .when_command(Balance::of("ada"), Withdraw(1))
        .then_rejected(Refusal::Short { by: 1 });
}

#[test]
fn looks_back_by_position_revision_and_time() {
    given(deposited("ada", 1))
        .at("2026-03-01T10:00:00Z")
        .and(deposited("bob", 10))
        .and(deposited("ada", 100))
        .later(Duration::from_secs(60))
        .and(deposited("ada", 1000))
        .as_of(Position::new(1))
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 1))
        .as_of(Revision::new(1))
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 101))
        .as_of("2026-03-01T10:00:59Z".time())
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 101))
        .as_of("2026-03-01T10:01:00Z".time())
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 1101));
}

#[test]
fn every_run_records_the_same() {
    let run = || {
        let seeded = given(opened("ada")).at("2026-03-01T10:00:00Z").by("grace").and(deposited("ada", 5));
        let expected =
            seeded.when(Balance::of("ada"), |balance| withdraw(balance, 5)).then(withdrawn("ada", 5));
        let read = expected.store().events().read(factum_core::Read::all()).unwrap();
        (read.map(Result::unwrap).collect::<Vec<_>>(), expected.recorded().to_vec())
    };
    let (all, recorded) = run();
    assert_eq!((all.clone(), recorded.clone()), run());
    assert_eq!(recorded[0], all[2]);
    assert_eq!(all.iter().map(|event| event.id.as_u128()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((all[0].recorded_at, all[1].recorded_at), (BEGINNING, "2026-03-01T10:00:00Z".time()));
    let actors: Vec<_> = all.iter().map(crate::command::actor_of).collect();
    assert_eq!(actors, [None, Some("grace".into()), Some("grace".into())]);
}

#[test]
fn other_events_than_expected() {
    let seed = (opened("ada"), [deposited("ada", 500), deposited("bob", 700)]);
    let text = failure(|| {
        given(seed)
            .when(Balance::of("ada"), |balance| withdraw(balance, 200).map(|event| [event, opened("ada")]))
            .then([withdrawn("ada", 300)]);
    });
    insta::assert_snapshot!(text, @r#"
    the decision came to other events than expected

    given, 3 events
      0  account-ada  AccountOpened v1  {"id":"ada","owner":"Ada"}  #account:ada
      1  account-ada  AccountDeposited v1  {"id":"ada","cents":500}  #account:ada
      2  account-bob  AccountDeposited v1  {"id":"bob","cents":700}  #account:bob
    selected by Balance, 2 of them
      it reads the stream account-ada
      0 1
    seeded but not selected, 1 of them
      2  account-bob  AccountDeposited v1  {"id":"bob","cents":700}  #account:bob
         not read: it is in the stream account-bob, not in account-ada; is its `#[id]` the key the model was made with?
    expected, 1 event
      ≠ account-ada  AccountWithdrawn v1  {"id":"ada","cents":300}  #account:ada
    actual, 2 events
      ≠ account-ada  AccountWithdrawn v1  {"id":"ada","cents":200}  #account:ada
          data /cents: expected 300, was 200
      ≠ account-ada  AccountOpened v1  {"id":"ada","owner":"Ada"}  #account:ada
    "#);
}

#[test]
fn events_expected_and_a_rejection_had() {
    let text = failure(|| {
        given(deposited("ada", 500))
            .when(Balance::of("ada"), |balance| withdraw(balance, 600))
            .then(withdrawn("ada", 600));
    });
    insta::assert_snapshot!(text, @r#"
    events were expected, and the decision was rejected

    given, 1 event
      0  account-ada  AccountDeposited v1  {"id":"ada","cents":500}  #account:ada
    selected by Balance, 1 of them
      it reads the stream account-ada
      0
    expected, 1 event
      account-ada  AccountWithdrawn v1  {"id":"ada","cents":600}  #account:ada
    actual, a rejection
      Short { by: 100 }
    "#);
}

fn seats_that_are_not_read() {
    given((announced("rust", 1), [enrolled("bob", "go"), greeted("bob")]))
        .when(Seats::of("rust"), |seats| match seats.free {
            0 => Err("full"),
            _ => Ok(enrolled("ada", "rust")),
        })
        .then_rejected("full");
}

#[test]
fn a_rejection_expected_and_the_seeds_not_read() {
    let text = failure(seats_that_are_not_read);
    insta::assert_snapshot!(text, @r##"
    a rejection was expected, and the decision was made

    given, 3 events
      0  course-rust  CourseAnnounced v1  {"course":"rust","seats":1}  #course:rust
      1  enrolment-bob  EnrolmentEnrolled v1  {"student":"bob","course":"go"}  #student:bob #course:go
      2  enrolment-bob  EnrolmentGreeted v1  {"student":"bob"}  #student:bob
    selected by Seats, 1 of them
      it reads CourseAnnounced EnrolmentEnrolled with #course:rust
      0
    seeded but not selected, 2 of them
      1  enrolment-bob  EnrolmentEnrolled v1  {"student":"bob","course":"go"}  #student:bob #course:go
         not read: it does not carry #course:rust; is it about another one?
      2  enrolment-bob  EnrolmentGreeted v1  {"student":"bob"}  #student:bob
         not read: EnrolmentGreeted is never tagged #course:...; mark the field that says so `#[tag]`
    expected, a rejection
      "full"
    actual, 1 event
      enrolment-ada  EnrolmentEnrolled v1  {"student":"ada","course":"rust"}  #student:ada #course:rust
    "##);
}

/// What the pages show is what a failure says.
#[test]
fn the_failures_in_the_guides_are_real() {
    #[derive(Id, Clone, Debug, PartialEq)]
    struct BookId(String);
    #[derive(Id, Clone, Debug, PartialEq)]
    struct ReaderId(String);
    #[derive(Event, Clone, Debug, PartialEq)]
    enum Book {
        Lent {
            #[id]
            book: BookId,
            #[tag]
            reader: ReaderId,
        },
    }
    #[derive(Aggregate, Clone, Debug)]
    #[folds(Book)]
    struct Loan {
        #[key]
        book: BookId,
        reader: Option<ReaderId>,
    }
    impl Evolve<Book> for Loan {
        fn evolve(&mut self, Book::Lent { reader, .. }: &Book) {
            self.reader = Some(reader.clone());
        }
    }
    #[derive(Debug, PartialEq)]
    enum Refusal {
        LentTo(ReaderId),
    }
    fn lend(loan: &Loan, reader: ReaderId) -> Result<Book, Refusal> {
        match &loan.reader {
            Some(other) => Err(Refusal::LentTo(other.clone())),
            None => Ok(Book::Lent { book: loan.book.clone(), reader }),
        }
    }
    let text = failure(|| {
        given(Book::Lent { book: "emma".into(), reader: "ada".into() })
            .when(Loan::of("persuasion"), |loan| lend(loan, "bob".into()))
            .then_rejected(Refusal::LentTo("ada".into()));
    });
    let page = include_str!("../../../../docs/first-aggregate.md");
    assert!(page.contains(&format!("```text\n{text}\n```")), "{text}");

    let page = include_str!("../../../../docs/testing.md");
    let text = failure(seats_that_are_not_read);
    assert!(page.contains(&format!("```text\n{text}\n```")), "{text}");
    let text = failure(|| {
        given(deposited("ada", 500))
            .when(Balance::of("ada"), |balance| withdraw(balance, 200))
            .then(withdrawn("ada", 300));
    });
    let compared = text.split_once("expected,").unwrap().1;
    assert!(page.contains(&format!("```text\nexpected,{compared}\n```")), "{text}");
}

#[test]
fn an_event_outside_its_own_boundary() {
    let enrol = |_: &Seats| Ok::<_, ()>((enrolled("ada", "rust"), greeted("ada")));
    let text = failure(|| {
        given(announced("rust", 1)).when(Seats::of("rust"), enrol).then_nothing();
    });
    insta::assert_snapshot!(text, @r##"
    the decision emits an event that its own boundary does not read

    given, 1 event
      0  course-rust  CourseAnnounced v1  {"course":"rust","seats":1}  #course:rust
    selected by Seats, 1 of them
      it reads CourseAnnounced EnrolmentEnrolled with #course:rust
      0
    emitted, 2 events
        enrolment-ada  EnrolmentEnrolled v1  {"student":"ada","course":"rust"}  #student:ada #course:rust
      ≠ enrolment-ada  EnrolmentGreeted v1  {"student":"ada"}  #student:ada
          not read: EnrolmentGreeted is never tagged #course:...; mark the field that says so `#[tag]`

    The same decision made again would not see that event, and nothing would keep it from being
    made twice. Have the model fold it, or, if no later decision of this kind rests on it, say
    `.may_emit_elsewhere()` before `.when(...)`.
    "##);
    given(announced("rust", 1))
        .may_emit_elsewhere()
        .when(Seats::of("rust"), enrol)
        .then((enrolled("ada", "rust"), greeted("ada")));
}

#[test]
fn a_decision_that_is_not_pure() {
    let asked = Cell::new(0);
    let text = failure(|| {
        let _ = given(()).when(Balance::of("ada"), |_| {
            asked.set(asked.get() + 1);
            Ok::<_, ()>(deposited("ada", asked.get()))
        });
    });
    insta::assert_snapshot!(text, @r#"
    the decision gave another answer when it was asked again

    given, nothing
    selected by Balance, 0 of them
      it reads the stream account-ada
    first answer
      account-ada  AccountDeposited v1  {"id":"ada","cents":1}  #account:ada
    second answer
      account-ada  AccountDeposited v1  {"id":"ada","cents":2}  #account:ada

    a decision is asked again after a conflict: it must be pure. Take times, ids and chance as part of the command
    "#);
}

#[test]
fn a_command_that_takes_effect_twice() {
    let text = failure(|| {
        let _ = given(opened("ada"))
            .when_delivered_twice(Balance::of("ada"), |_| Ok::<_, ()>(deposited("ada", 5)));
    });
    insta::assert_snapshot!(text, @r#"
    the command was delivered twice and took effect twice

    given, 2 events
      0  account-ada  AccountOpened v1  {"id":"ada","owner":"Ada"}  #account:ada
      1  account-ada  AccountDeposited v1  {"id":"ada","cents":5}  #account:ada
    selected by Balance, 2 of them
      it reads the stream account-ada
      0 1
    recorded again the second time, 1 event
      account-ada  AccountDeposited v1  {"id":"ada","cents":5}  #account:ada

    let the decision see by its state that it was carried out, or give the command an idempotency key
    "#);
    let close_once = |balance: &Balance| match balance.cents {
        0 => Ok(None),
        cents => Ok::<_, ()>(Some(withdrawn("ada", cents))),
    };
    given(deposited("ada", 5)).when_delivered_twice(Balance::of("ada"), close_once).then(withdrawn("ada", 5));
}

#[test]
fn another_state_than_expected() {
    let text = failure(|| {
        given(())
            .when(Balance::of("ada"), |_| Ok::<_, ()>(deposited("ada", 5)))
            .then(deposited("ada", 5))
            .then_state_is(Balance { cents: 6, ..Balance::of("ada") });
    });
    assert!(text.starts_with("the state after the decision is not what was expected\n"), "{text}");
    assert!(text.contains("cents: 6") && text.contains("cents: 5"), "{text}");
}

#[test]
fn every_other_way_to_be_wrong_is_named() {
    let wrong = |test: &dyn Fn()| failure(test).lines().next().unwrap().to_owned();
    let ok = |_: &Balance| Ok::<_, Refusal>(deposited("ada", 5));
    let none = |_: &Balance| Ok::<Option<Account>, Refusal>(None);
    let no = |_: &Balance| Err::<Account, _>(Refusal::Short { by: 2 });
    assert_eq!(
        wrong(&|| drop(given(()).when(Balance::of("ada"), ok).then_nothing())),
        "nothing was expected, and the decision came to events"
    );
    assert_eq!(
        wrong(&|| drop(given(()).when(Balance::of("ada"), no).then_nothing())),
        "nothing was expected, and the decision was rejected"
    );
    assert_eq!(
        wrong(&|| drop(given(()).when(Balance::of("ada"), none).then(opened("ada")))),
        "events were expected, and the decision came to nothing"
    );
    assert_eq!(
        wrong(&|| drop(given(()).when(Balance::of("ada"), none).then_rejected(Refusal::Short { by: 2 }))),
        "a rejection was expected, and the decision came to nothing without one"
    );
    assert_eq!(
        wrong(&|| drop(given(()).when(Balance::of("ada"), no).then_rejected(Refusal::Short { by: 1 }))),
        "the decision was rejected for another reason than expected"
    );
}

#[test]
fn a_fold_that_looks_at_something_else_is_found() {
    let events = || [deposited("ada", 1), deposited("bob", 2), deposited("ada", 3), withdrawn("ada", 4)];
    fold_is_deterministic(Balance::of("ada"), events());
    fold_is_deterministic((Balance::of("ada"), Balance::of("bob")), events());
    fold_is_deterministic(
        Seats::of("rust"),
        (announced("rust", 3), [enrolled("ada", "rust"), greeted("bob")]),
    );

    #[derive(Aggregate, Clone, Debug, PartialEq)]
    #[folds(Account)]
    struct Counted {
        #[key]
        id: AccountId,
        seen: u64,
    }
    static SEEN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    impl Evolve<Account> for Counted {
        fn evolve(&mut self, _: &Account) {
            self.seen = SEEN.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let text = failure(|| fold_is_deterministic(Counted::of("ada"), events()));
    assert!(text.starts_with("the same events came to another state\n"), "{text}");
    assert!(text.contains("folded again"), "{text}");
}

#[test]
fn waits_for_what_comes_later_and_not_for_ever() {
    let (store, _) = store();
    let writer = store.clone();
    let later = std::thread::spawn(move || writer.record(opened("ada")).run().unwrap());
    let found = eventually(&store, || store.load(Balance::of("ada")).run().unwrap().existing());
    assert_eq!(found.id, "ada".into());
    later.join().unwrap();

    let text = failure(|| eventually_within(Duration::from_millis(30), &store, || None));
    assert_eq!(text, "it did not happen within 30ms");
    let text = failure(|| {
        pollster::block_on(within(Duration::from_millis(30), std::future::pending::<()>()));
    });
    assert_eq!(text, "it did not happen within 30ms");
}

#[test]
fn a_history_is_replayed_with_its_ids_versions_and_times() {
    let history = given_history("tests/histories/account.jsonl")
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 300))
        .as_of("2026-02-01T10:00:00Z".time())
        .then_model(Balance::of("ada"), |balance| assert_eq!(balance.cents, 500));
    let read = history.store().events().read(factum_core::Read::all()).unwrap();
    let last = read.last().unwrap().unwrap();
    assert_eq!(last.id.to_string(), "019c0000-0000-7000-8000-000000000003");
    assert_eq!(last.recorded_at, "2026-02-03T12:00:00.5Z".time());
    assert_eq!(last.occurred_at, Some("2026-02-03T11:59:00Z".time()));
    assert_eq!(last.correlation_id.unwrap().to_string(), "019c0000-0000-7000-8000-000000000001");
    assert_eq!(last.causation_id.unwrap().to_string(), "019c0000-0000-7000-8000-000000000002");
    assert_eq!(last.tags.iter().collect::<Vec<_>>(), ["account:ada"]);
    assert_eq!(crate::command::actor_of(&last).as_deref(), Some("grace"));
    history
        .when(Balance::of("ada"), |balance| withdraw(balance, 301))
        .then_rejected(Refusal::Short { by: 1 });
}

#[test]
fn a_history_that_cannot_be_read_is_named_with_its_line() {
    let missing = failure(|| drop(given_history("tests/histories/none.jsonl")));
    assert!(missing.contains("factum stream export STREAM"), "{missing}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.jsonl");
    std::fs::write(&path, "{\"stream\":\"a\",\"type\":\"B\"}\n\n{\"stream\":\"a\"}\n").unwrap();
    let text = failure(|| drop(given_history(&path)));
    assert!(text.contains("bad.jsonl:3: this is no event: missing field `type`"), "{text}");
}
