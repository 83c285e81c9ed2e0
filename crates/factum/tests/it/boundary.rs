//! Boundaries: what is read is what is guarded, across subjects too.

use factum::prelude::*;

use crate::domain::{Balance, Load, School, Seats, deposited, enrol, enrolment, offered, withdraw};
use crate::homes::everywhere;

fn rejection(answer: Result<factum::Receipt, DecideError<&'static str>>) -> &'static str {
    match answer {
        Err(DecideError::Rejected(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_over_two_subjects_hold_without_a_saga() {
    everywhere(|store| {
        store.record([offered("rust", 2), offered("go", 9), offered("lisp", 9)]).run().unwrap();
        for (course, student) in [("rust", "ann"), ("rust", "bob"), ("go", "ann")] {
            store.decide(enrolment(course, student), enrol).run().unwrap();
        }
        assert_eq!(rejection(store.decide(enrolment("rust", "cid"), enrol).run()), "the course is full");
        assert_eq!(rejection(store.decide(enrolment("lisp", "ann"), enrol).run()), "two courses are enough");
        assert_eq!(rejection(store.decide(enrolment("go", "ann"), enrol).run()), "two courses are enough");
        let loaded = store.load(enrolment("rust", "ann")).run().unwrap();
        let (seats, load) = &loaded.model;
        assert_eq!((seats.taken, load.courses.clone()), (2, vec!["rust".to_owned(), "go".to_owned()]));
        assert_eq!(store.load(Seats::of("rust")).run().unwrap().model, *seats);
    });
}

#[test]
fn the_last_seat_is_given_once_however_many_ask() {
    everywhere(|store| {
        store.record(offered("rust", 3)).run().unwrap();
        let given: usize = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8)
                .map(|n| {
                    let store = &store;
                    scope
                        .spawn(move || store.decide(enrolment("rust", &format!("s{n}")), enrol).run().is_ok())
                })
                .collect();
            asking.into_iter().map(|asked| usize::from(asked.join().unwrap())).sum()
        });
        assert_eq!((given, store.load(Seats::of("rust")).run().unwrap().taken), (3, 3));
    });
}

#[test]
fn an_event_of_another_subject_is_no_conflict() {
    everywhere(|store| {
        store.record([offered("rust", 3), offered("go", 3)]).run().unwrap();
        let decide = |both: &(Seats, Load)| {
            store.decide(enrolment("go", "bob"), enrol).run().ok();
            enrol(both)
        };
        let receipt = store.decide(enrolment("rust", "ann"), decide).run().unwrap();
        assert_eq!(receipt.attempts, 1);
    });
}

#[test]
fn events_that_commute_come_in_between_without_a_conflict() {
    everywhere(|store| {
        store.record(offered("rust", 3)).run().unwrap();
        let rate = || store.record(School::CourseRated { course: "rust".into(), stars: 5 }).run().unwrap();
        let take = |seats: &Seats| {
            rate();
            Ok::<_, &str>(School::Enrolled { course: seats.course.clone(), student: "ann".into() })
        };
        for enrolled in 1..=3 {
            let receipt = store.decide(Seats::of("rust"), take).run().unwrap();
            assert_eq!(receipt.attempts, 1);
            let seats = store.load(Seats::of("rust")).run().unwrap().model;
            assert_eq!((seats.taken, seats.stars), (enrolled, enrolled * 5));
        }
    });
}

#[test]
fn a_stream_and_tags_are_guarded_together() {
    everywhere(|store| {
        store.record(deposited("ann", 10)).run().unwrap();
        store.record(offered("rust", 1)).run().unwrap();
        let model = || (Balance::of("ann"), Seats::of("rust"));
        let mut is_first = true;
        let pay_and_enrol = |(ann, seats): &(Balance, Seats)| {
            if std::mem::take(&mut is_first) {
                store.record(deposited("ann", 1)).run().unwrap();
            }
            if seats.taken >= seats.seats {
                return Err("the course is full");
            }
            let student = "ann".into();
            Ok((withdraw(ann, ann.cents)?, School::Enrolled { course: seats.course.clone(), student }))
        };
        let receipt = store.decide(model(), pay_and_enrol).run().unwrap();
        assert_eq!((receipt.attempts, receipt.events()), (2, 2));
        let loaded = store.load(model()).run().unwrap();
        assert_eq!((loaded.0.cents, loaded.1.taken), (0, 1));
    });
}

#[test]
fn a_stream_that_is_only_read_is_guarded_too() {
    everywhere(|store| {
        store.record([deposited("ann", 10), deposited("bob", 10)]).run().unwrap();
        let mut is_first = true;
        let if_bob_has_more = |(ann, bob): &(Balance, Balance)| {
            if std::mem::take(&mut is_first) {
                store.record(deposited("bob", 100)).run().unwrap();
            }
            if bob.cents > ann.cents { Err("bob has more") } else { Ok(deposited("ann", 1)) }
        };
        let answer = store.decide((Balance::of("ann"), Balance::of("bob")), if_bob_has_more).run();
        assert_eq!(rejection(answer), "bob has more");
    });
}

#[test]
fn a_key_that_no_event_carries_is_an_error_that_says_so() {
    #[derive(Model, Clone, Debug)]
    #[folds(School)]
    struct Odd {
        #[key]
        _account: crate::domain::AccountId,
    }
    impl Evolve<School> for Odd {
        fn evolve(&mut self, _: &School) {}
    }
    let error = Store::memory().load(Odd::of("ada")).run().unwrap_err().to_string();
    assert!(error.contains("no event of the model carries the tag \"account\""), "{error}");
}

#[test]
fn an_aggregate_whose_stream_no_event_goes_to_is_an_error_that_says_so() {
    #[derive(Id, Clone, Debug, PartialEq)]
    struct JarId(String);
    #[derive(Id, Clone, Debug, PartialEq)]
    struct LidId(String);
    #[derive(Event, Clone, Debug, PartialEq)]
    enum Jar {
        Filled {
            #[tag]
            jar: JarId,
        },
    }
    #[derive(Event, Clone, Debug, PartialEq)]
    enum Lid {
        Closed {
            #[id]
            lid: LidId,
        },
    }
    /// The event has it as a tag, and goes to another stream.
    #[derive(Aggregate, Clone, Debug)]
    #[folds(Jar)]
    struct Full {
        #[key]
        jar: JarId,
    }
    /// The event is about something else.
    #[derive(Aggregate, Clone, Debug)]
    #[folds(Lid)]
    struct Closed {
        #[key]
        jar: JarId,
    }
    impl Evolve<Jar> for Full {
        fn evolve(&mut self, _: &Jar) {}
    }
    impl Evolve<Lid> for Closed {
        fn evolve(&mut self, _: &Lid) {}
    }
    let store = Store::memory();
    let fill = |full: &Full| Ok::<_, &str>(Jar::Filled { jar: full.jar.clone() });
    let close = |closed: &Closed| Ok::<_, &str>(Lid::Closed { lid: closed.jar.to_string().into() });
    let errors = [
        store.load(Full::of("1")).run().unwrap_err().to_string(),
        store.decide(Full::of("1"), fill).run().unwrap_err().to_string(),
        store.load(Closed::of("1")).run().unwrap_err().to_string(),
        store.decide(Closed::of("1"), close).run().unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains("no event of the model goes to a stream named by \"jar\""), "{error}");
        assert!(error.contains("`#[id]`"), "{error}");
    }
    assert_eq!(store.events().last_position().unwrap(), None);
}

#[test]
fn keys_that_no_event_carries_together_are_an_error_that_says_so() {
    #[derive(Event, Clone, Debug, PartialEq)]
    enum Cinema {
        Shown {
            #[tag]
            course: crate::domain::CourseId,
        },
        Visited {
            #[tag]
            student: crate::domain::StudentId,
        },
    }
    #[derive(Model, Clone, Debug)]
    #[folds(Cinema)]
    struct Both {
        #[key]
        _course: crate::domain::CourseId,
        #[key]
        _student: crate::domain::StudentId,
    }
    impl Evolve<Cinema> for Both {
        fn evolve(&mut self, _: &Cinema) {}
    }
    let store = Store::memory();
    store.record([offered("rust", 1)]).run().unwrap();
    let error = store.load(Both::of("rust", "ann")).run().unwrap_err().to_string();
    assert!(error.contains(r#"carries all of the tags ["course", "student"]"#), "{error}");
    assert!(error.contains("a tuple of them"), "{error}");
}
