//! Find, raise, save.

use factum::prelude::*;
use factum::repository::SaveError;
use factum::{Revision, testing};

#[derive(Id, Clone, Debug, PartialEq)]
struct CourseId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Course {
    Announced {
        #[id]
        id: CourseId,
        seats: u32,
    },
    Taken {
        #[id]
        id: CourseId,
    },
}

/// In the style of objects: methods that check, then raise.
#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(Course)]
struct Seats {
    #[key]
    id: CourseId,
    free: u32,
}

impl Evolve<Course> for Seats {
    fn evolve(&mut self, event: &Course) {
        match event {
            Course::Announced { seats, .. } => self.free += seats,
            Course::Taken { .. } => self.free -= 1,
        }
    }
}

/// The same events, found by their tag.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Course)]
struct Tagged {
    #[key]
    id: CourseId,
    events: u32,
}

impl Evolve<Course> for Tagged {
    fn evolve(&mut self, _: &Course) {
        self.events += 1;
    }
}

fn announced(id: &str, seats: u32) -> Course {
    Course::Announced { id: id.into(), seats }
}

fn taken(id: &str) -> Course {
    Course::Taken { id: id.into() }
}

#[test]
fn what_is_missing_is_none_and_what_is_there_is_found() {
    let (store, _) = testing::store();
    let courses = store.repository::<Seats>();
    assert!(courses.find(Seats::of("rust")).run().unwrap().is_none());

    let mut root = courses.begin(Seats::of("rust")).unwrap();
    root.raise([announced("rust", 2), taken("rust")]);
    assert_eq!((root.state().free, root.uncommitted().len(), root.revision()), (1, 2, None));
    assert_eq!(root.uncommitted().nth(1).unwrap().event_type.as_str(), "CourseTaken");
    let receipt = courses.save(root).run().unwrap();
    assert_eq!((receipt.events(), receipt.revision), (2, Some(Revision::new(1))));

    let mut root = courses.find(Seats::of("rust")).run().unwrap().unwrap();
    assert_eq!((root.state().free, root.revision()), (1, Some(Revision::new(1))));
    assert_eq!(root.uncommitted().len(), 0);
    root.raise(taken("rust"));
    // Raising moves the state, not the revision that saving expects.
    assert_eq!((root.state().free, root.revision()), (0, Some(Revision::new(1))));
    assert_eq!(courses.save(root).run().unwrap().revision, Some(Revision::new(2)));
    assert_eq!(store.load(Seats::of("rust")).run().unwrap().free, 0);
}

#[test]
fn the_slower_of_two_has_a_conflict_and_nothing_is_recorded() {
    let (store, _) = testing::store();
    store.record(announced("rust", 1)).run().unwrap();
    let courses = store.repository::<Seats>();
    let find = || courses.find(Seats::of("rust")).run().unwrap().unwrap();
    let (mut fast, mut slow) = (find(), find());
    fast.raise(taken("rust"));
    slow.raise(taken("rust"));
    courses.save(fast).run().unwrap();
    assert!(matches!(courses.save(slow).run(), Err(SaveError::Conflict)));

    let mut late = courses.begin(Seats::of("rust")).unwrap();
    late.raise(announced("rust", 5));
    assert!(matches!(courses.save(late).run(), Err(SaveError::Conflict)));
    assert_eq!(store.load(Seats::of("rust")).run().unwrap().events, 2);
}

#[test]
fn a_model_found_by_tags_is_guarded_by_what_it_read() {
    let (store, _) = testing::store();
    store.record(announced("rust", 1)).run().unwrap();
    let courses = store.repository::<Tagged>();
    let mut root = courses.find(Tagged::of("rust")).run().unwrap().unwrap();
    store.record(announced("go", 1)).run().unwrap();
    root.raise(taken("rust"));
    let mut slow = root.clone();
    courses.save(root).run().unwrap();
    slow.raise(taken("rust"));
    assert!(matches!(courses.save(slow).run(), Err(SaveError::Conflict)));
}

/// In order: which courses were announced with how many seats.
#[derive(Model, Clone, Debug, PartialEq)]
#[folds(Course)]
struct Offers {
    offers: Vec<(CourseId, u32)>,
}

impl Evolve<Course> for Offers {
    fn evolve(&mut self, event: &Course) {
        if let Course::Announced { id, seats } = event {
            self.offers.push((id.clone(), *seats));
        }
    }
}

#[test]
fn what_is_raised_is_applied_in_the_order_it_will_be_recorded_in() {
    let (store, _) = testing::store();
    store.record(announced("go", 1)).run().unwrap();
    let offers = store.repository::<Offers>();
    for at_once in [true, false] {
        let mut root = offers.find(Offers::of()).run().unwrap().unwrap();
        let raised = [announced("rust", 2), announced("go", 3), announced("rust", 4)];
        match at_once {
            true => root.raise(raised),
            false => raised.into_iter().for_each(|event| root.raise(event)),
        }
        let before: Vec<_> = root.uncommitted().map(|event| event.stream.clone()).collect();
        assert_eq!(
            before.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["course-rust", "course-rust", "course-go"]
        );
        let state = root.state().clone();
        offers.save(root).run().unwrap();
        assert_eq!(store.load(Offers::of()).run().unwrap().model, state);
    }
}

#[test]
fn saving_nothing_appends_nothing() {
    let (store, _) = testing::store();
    store.record(announced("rust", 1)).run().unwrap();
    let courses = store.repository::<Seats>();
    let root = courses.find(Seats::of("rust")).run().unwrap().unwrap();
    let receipt = courses.save(root).run().unwrap();
    assert_eq!((receipt.events(), receipt.revision), (0, Some(Revision::FIRST)));
    assert_eq!(store.events().last_position().unwrap(), Some(factum::Position::FIRST));
}

#[test]
fn an_event_that_cannot_be_named_is_told_of_when_it_is_saved() {
    let (store, _) = testing::store();
    let courses = store.repository::<Seats>();
    let mut root = courses.begin(Seats::of("rust")).unwrap();
    root.raise(taken("two\nlines"));
    assert!(matches!(courses.save(root).run(), Err(SaveError::Store(StoreError::Encode(_)))));
    assert_eq!(store.events().last_position().unwrap(), None);
}

#[test]
fn waits_in_both_forms() {
    pollster::block_on(async {
        let (store, _) = testing::store();
        let courses = store.repository::<Seats>();
        let mut root = courses.begin(Seats::of("rust")).unwrap();
        root.raise(announced("rust", 1));
        courses.save(root.clone()).await.unwrap();
        assert!(matches!(courses.save(root).await, Err(SaveError::Conflict)));
        let found = courses.find(Seats::of("rust")).await.unwrap().unwrap();
        assert_eq!(found.state().free, 1);
    });
}
