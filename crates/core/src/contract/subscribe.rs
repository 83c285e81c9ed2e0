//! Subscriptions: past, then live, nothing twice, nothing missing, and a word
//! on how far they have come.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::{
    Append, EventStore, ExpectedRevision, Position, Query, RecordedEvent, Revision, Selection, Signal,
    Subscribe, SubscribeError, SubscribeFrom, Timestamp,
};

use super::PATIENCE;
use super::case::Case;
use super::follow::Follower;
use super::future::Alarm;
use super::oracle::selects;
use super::sample::{self, event, query, stream};

/// Runs this group's rules.
pub fn check<S: EventStore + 'static>(store: &dyn Fn() -> S) {
    yields_the_past(&store());
    yields_what_comes_later(&store());
    waits_for_what_does_not_exist_yet(&store());
    waits_for_a_time_to_come(&store());
    refuses_a_revision_without_a_stream(&store());
    passes_from_past_to_live_while_others_append(&store());
    tells_how_far_it_has_come(&store());
    tells_that_it_fell_behind(&store());
    loses_nothing_when_slow(&store());
    waits_as_long_as_it_is_told(&store());
    wakes_every_blocked_subscriber(&store());
    wakes_an_async_subscriber(&store());
}

/// Appends one event of a type, with tags, to a stream.
fn put(case: &Case, store: &dyn EventStore, name: &str, kind: &str, tags: &[&str]) -> Position {
    let append = Append::to(stream(name), ExpectedRevision::Any, [event(kind, tags)]);
    let Some(position) = case.append(store, append).last_position() else { case.fail("it has no position") };
    position
}

fn yields_the_past(store: &dyn EventStore) {
    let log = sample::mixed(store);
    let last = log.last().map(|event| event.position);
    for (name, selection) in sample::selections() {
        let case =
            Case::new("a subscription yields the past from its beginning on, then says it is live", "");
        for from in beginnings(&log, &selection) {
            let case = case.row(format_args!("{name} from {from:?}"));
            let mut follower = Follower::new(case, store, Subscribe::to(selection.clone()).from(from));
            follower.until_caught_up(last);
            follower.drain();
            follower.judge(&log);
        }
    }
}

/// Where a subscription to a selection of this log may begin.
fn beginnings(log: &[RecordedEvent], selection: &Selection) -> Vec<SubscribeFrom> {
    let length = log.len() as u64;
    let mut beginnings = vec![SubscribeFrom::Start, SubscribeFrom::Now];
    // Every position: whoever stops anywhere can go on from there.
    beginnings.extend((0..length + 2).map(|n| SubscribeFrom::After(Position::new(n))));
    beginnings.push(SubscribeFrom::After(Position::MAX));
    beginnings.extend(sample::times(log).into_iter().map(SubscribeFrom::Time));
    if let Selection::Stream(_) = selection {
        let count = log.iter().filter(|event| selects(selection, event)).count() as u64;
        let revisions = (0..count + 2).chain([u64::MAX]);
        beginnings.extend(revisions.map(|n| SubscribeFrom::AfterRevision(Revision::new(n))));
    }
    beginnings
}

fn yields_what_comes_later(store: &dyn EventStore) {
    let case = Case::new("a live subscription yields what is appended, each event once", "");
    let log = sample::mixed(store);
    let last = log.len() as u64 - 1;
    let position = |n| SubscribeFrom::After(Position::new(n));
    let mut followers = Vec::new();
    for (name, selection) in sample::selections() {
        let count = log.iter().filter(|event| selects(&selection, event)).count() as u64;
        let mut beginnings = vec![
            SubscribeFrom::Start,
            SubscribeFrom::Now,
            position(last / 2),
            position(last),
            position(last + 7),
            SubscribeFrom::Time(log[log.len() / 2].recorded_at),
            SubscribeFrom::Time(Timestamp::MAX),
        ];
        if let Selection::Stream(_) = selection {
            let revisions = [count / 2, count - 1, count + 2];
            beginnings.extend(revisions.map(|n| SubscribeFrom::AfterRevision(Revision::new(n))));
        }
        for from in beginnings {
            let case = case.row(format_args!("{name} from {from:?}"));
            let subscribe = Subscribe::to(selection.clone()).from(from);
            followers.push(Follower::new(case, store, subscribe));
        }
    }
    // Half of them are live when more is appended, half have not begun to look.
    for follower in followers.iter_mut().step_by(2) {
        follower.until_caught_up(Some(Position::new(last)));
    }
    for round in 0..6 {
        for name in sample::STREAMS {
            let kinds = ["Joined", "Left", "Join", "paid", "Opened"];
            let kind = kinds[(round + name.len()) % kinds.len()];
            let tags: &[&str] = match round % 3 {
                0 => &["course:c1", "student:s1"],
                1 => &["paid", "student:s1"],
                _ => &[],
            };
            put(&case, store, name, kind, tags);
        }
    }
    let log = case.log(store);
    for follower in &mut followers {
        follower.until_all_came(&log);
        follower.drain();
        follower.judge(&log);
    }
}

fn waits_for_what_does_not_exist_yet(store: &dyn EventStore) {
    let case = Case::new(
        "a subscription to what does not exist yet is live at once, and yields it when it does",
        "",
    );
    let rows: [(&str, Subscribe); 6] = [
        ("all of the empty log", Subscribe::to(Selection::All)),
        ("all of the empty log, from now", Subscribe::to(Selection::All).from(SubscribeFrom::Now)),
        ("a stream", Subscribe::to(Selection::Stream(stream("later")))),
        ("a stream, after its revision 1", {
            Subscribe::to(Selection::Stream(stream("later")))
                .from(SubscribeFrom::AfterRevision(Revision::new(1)))
        }),
        ("all, after position 3", {
            Subscribe::to(Selection::All).from(SubscribeFrom::After(Position::new(3)))
        }),
        ("a type", Subscribe::to(Selection::Query(query(&["Late"], &[])))),
    ];
    let mut followers: Vec<_> =
        rows.into_iter().map(|(row, subscribe)| Follower::new(case.row(row), store, subscribe)).collect();
    for follower in &mut followers {
        follower.until_caught_up(None);
    }
    for n in 0..4 {
        put(&case, store, "earlier", "Early", &[]);
        put(&case, store, "later", if n == 2 { "Early" } else { "Late" }, &[]);
    }
    let log = case.log(store);
    for follower in &mut followers {
        follower.until_all_came(&log);
        follower.drain();
        follower.judge(&log);
    }
}

fn waits_for_a_time_to_come(store: &dyn EventStore) {
    let case = Case::new("a subscription from a time to come yields only what is recorded from then on", "");
    put(&case, store, "timed", "Timed", &[]);
    let Some(last) = case.log(store).pop() else { case.fail("the event is not there") };
    let time = Timestamp::from_micros(last.recorded_at.as_micros().saturating_add(20_000));
    let selections =
        [Selection::All, Selection::Stream(stream("timed")), Selection::Query(query(&["Timed"], &[]))];
    let mut followers = selections.map(|selection| {
        let case = case.row(format_args!("{selection:?}"));
        Follower::new(case, store, Subscribe::to(selection).from(SubscribeFrom::Time(time)))
    });
    for follower in &mut followers {
        follower.until_caught_up(Some(last.position));
    }
    // A store on a clock that stands still never comes to that time; then
    // nothing must be yielded.
    for n in 0..40 {
        thread::sleep(Duration::from_millis(2));
        put(&case, store, if n % 3 == 2 { "other" } else { "timed" }, "Timed", &[]);
        let log = case.log(store);
        if log.iter().filter(|event| event.recorded_at >= time).count() >= 3 {
            break;
        }
    }
    let log = case.log(store);
    for follower in &mut followers {
        follower.until_all_came(&log);
        follower.drain();
        follower.judge(&log);
    }
}

fn refuses_a_revision_without_a_stream(store: &dyn EventStore) {
    let case = Case::new("a subscription after a revision needs a stream", "");
    for selection in [Selection::All, Selection::Query(Query::all())] {
        let case = case.row(format_args!("{selection:?}"));
        let from = SubscribeFrom::AfterRevision(Revision::FIRST);
        match store.subscribe(Subscribe::to(selection).from(from)) {
            Err(SubscribeError::RevisionWithoutStream) => {}
            Err(other) => case.fail(format_args!("it was refused with {other:?}")),
            Ok(_) => case.fail("it was accepted"),
        }
    }
}

fn passes_from_past_to_live_while_others_append(store: &dyn EventStore) {
    let case = &Case::new("going from past to live, a subscription misses nothing and repeats nothing", "");
    let some = |n: u64| {
        let events = (0..n % 3 + 1).map(|part| event(["Followed", "Passed"][part as usize % 2], &["tag"]));
        Append::to(stream(["followed", "passed"][(n / 2) as usize % 2]), ExpectedRevision::Any, events)
    };
    for n in 0..150 {
        case.append(store, some(n));
    }
    let selections = [
        Selection::All,
        Selection::Stream(stream("followed")),
        Selection::Query(query(&["Followed", "Last"], &[])),
        Selection::Query(query(&[], &["tag"])),
    ];
    let followers = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for n in 0..250 {
                case.append(store, some(n));
                // Let them catch up now and then, so that they go live often.
                if n % 25 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            put(case, store, "followed", "Last", &["tag"]);
        });
        let followers = selections.map(|selection| {
            scope.spawn(move || {
                let case = case.row(format_args!("{selection:?}"));
                let subscribe =
                    Subscribe { checkpoint_every: 7, behind_after: 5, ..Subscribe::to(selection) };
                let mut follower = Follower::new(case, store, subscribe);
                let is_last =
                    |signal| matches!(signal, Signal::Event(event) if event.event_type.as_str() == "Last");
                while !is_last(follower.signal()) {}
                follower
            })
        });
        let followers = followers.map(thread::ScopedJoinHandle::join);
        let writer = writer.join();
        writer.and_then(|()| followers.into_iter().collect::<Result<Vec<_>, _>>())
    });
    let log = case.log(store);
    for follower in followers.unwrap_or_else(|failure| std::panic::resume_unwind(failure)) {
        follower.judge(&log);
    }
}

fn tells_how_far_it_has_come(store: &dyn EventStore) {
    let case = Case::new("a checkpoint tells of events passed over, when that many were", "");
    let selected = || put(&case, store, "wanted", "Wanted", &["wanted"]);
    let passed = |count: u64| {
        for _ in 0..count {
            put(&case, store, "unwanted", "Unwanted", &["unwanted"]);
        }
    };
    selected();
    passed(37);
    selected();
    selected();
    passed(4);
    for every in [1, 5, 10, 0] {
        for selection in [
            Selection::Query(query(&["Wanted"], &[])),
            Selection::Query(query(&[], &["wanted"])),
            Selection::Stream(stream("wanted")),
        ] {
            let case = case.row(format_args!("{selection:?}, every {every}"));
            let of_query = matches!(selection, Selection::Query(_));
            let subscribe = Subscribe { checkpoint_every: every, ..Subscribe::to(selection) };
            let mut follower = Follower::new(case.clone(), store, subscribe);
            follower.until_caught_up(case.last_position(store));
            if of_query {
                let checkpoints =
                    follower.signals.iter().filter(|signal| matches!(signal, Signal::Checkpoint(_))).count();
                case.holds(checkpoints > 0, "it told of the 37 events it passed over");
            }
            let position = selected();
            match follower.signal() {
                Signal::Event(event) => case.equal("the next event", &event.position, &position),
                other => case.fail(format_args!("an event was to come, not {other:?}")),
            }
            for round in 0..3 {
                passed(every.max(1));
                let Signal::Checkpoint(_) = follower.signal() else {
                    case.fail(format_args!("a checkpoint was to come: {:?}", follower.signals.last()));
                };
                follower.drain();
                let last = case.last_position(store).map_or(0, |last| last.get());
                let told = follower.looked_at().map_or(0, |told| told.get());
                let late = last - told;
                case.holds(late < every.max(1), format_args!("round {round}, its last word is {late} old"));
            }
            let position = selected();
            follower.until_all_came(&case.log(store));
            case.equal("the last position it told", &follower.looked_at(), &Some(position));
            follower.drain();
            follower.judge(&case.log(store));
        }
    }
}

fn tells_that_it_fell_behind(store: &dyn EventStore) {
    let case =
        Case::new("a live subscription that is too late is told so, and told when it has caught up", "");
    let rows = [
        // behind after, appended at once, told
        (10, 1, false),
        (10, 10, false),
        (10, 11, true),
        (10, 200, true),
        (0, 1, true),
        (1, 1, false),
        (1, 2, true),
        (u64::MAX, 200, false),
    ];
    let selections = [
        Selection::All,
        Selection::Stream(stream("busy")),
        Selection::Stream(stream("idle")),
        Selection::Query(query(&["Busy"], &[])),
        Selection::Query(query(&["Idle"], &[])),
    ];
    for (behind_after, count, told) in rows {
        for selection in selections.clone() {
            let case = case.row(format_args!("{selection:?}, {count} appended, {behind_after} allowed"));
            let subscribe = Subscribe { behind_after, ..Subscribe::to(selection).from(SubscribeFrom::Now) };
            let mut follower = Follower::new(case.clone(), store, subscribe);
            follower.until_caught_up(case.last_position(store));
            for round in 0..2 {
                let busy = (0..count).map(|_| event("Busy", &[]));
                case.append(store, Append::to(stream("busy"), ExpectedRevision::Any, busy));
                let before = follower.signals.len();
                if told {
                    let signal = follower.signal();
                    let wanted = Signal::FellBehind { events: count };
                    case.equal(&format!("the next signal in round {round}"), &signal, &wanted);
                    follower.until_caught_up(case.last_position(store));
                } else {
                    follower.until_all_came(&case.log(store));
                }
                follower.drain();
                let calls = follower.signals[before..].iter();
                let calls =
                    calls.filter(|signal| !matches!(signal, Signal::Event(_) | Signal::Checkpoint(_)));
                case.equal("how often it changed state", &calls.count(), &if told { 2 } else { 0 });
            }
            follower.judge(&case.log(store));
        }
    }
}

fn loses_nothing_when_slow(store: &dyn EventStore) {
    let case = Case::new("a slow subscriber loses nothing", "");
    let selections = [
        Selection::All,
        Selection::Stream(stream("fast")),
        Selection::Query(query(&["Even"], &[])),
        Selection::Query(query(&[], &["rare"])),
    ];
    let mut followers = selections.map(|selection| {
        let case = case.row(format_args!("{selection:?}"));
        let subscribe = Subscribe { checkpoint_every: 20, behind_after: 30, ..Subscribe::to(selection) };
        Follower::new(case, store, subscribe)
    });
    for round in 0..40 {
        let events = (0..25).map(|n| {
            let tags: &[&str] = if (round * 25 + n) % 90 == 0 { &["rare"] } else { &[] };
            event(["Even", "Odd"][n % 2], tags)
        });
        case.append(store, Append::to(stream("fast"), ExpectedRevision::Any, events));
        put(&case, store, "other", "Odd", &[]);
        for follower in &mut followers {
            // One step for twenty-six events; now and then it catches up.
            match round % 13 {
                12 => follower.drain(),
                _ => {
                    let signal = follower.subscription().next_within(Duration::ZERO);
                    follower.signals.extend(case.ok("a subscription", signal));
                }
            }
        }
    }
    let log = case.log(store);
    for follower in &mut followers {
        follower.until_all_came(&log);
        follower.drain();
        follower.judge(&log);
        let told =
            |wanted: fn(&Signal) -> bool| follower.signals.iter().filter(|signal| wanted(signal)).count();
        let fell = told(|signal| matches!(signal, Signal::FellBehind { .. }));
        let caught = told(|signal| matches!(signal, Signal::CaughtUp(_)));
        case.holds(fell >= 2, format_args!("it was told that it fell behind, {fell} times"));
        case.holds(caught == fell + 1, format_args!("it caught up once more than it fell behind, {caught}"));
    }
}

fn waits_as_long_as_it_is_told(store: &dyn EventStore) {
    let case = &Case::new("a wait for a signal ends with the signal, or with the time", "");
    let mut follower = Follower::new(case.clone(), store, Subscribe::to(Selection::All));
    follower.until_caught_up(None);
    for wait in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(60)] {
        let case = case.row(format_args!("{wait:?}, nothing to come"));
        let began = Instant::now();
        let signal = case.ok("a subscription", follower.subscription().next_within(wait));
        case.equal("the signal", &signal, &None);
        let waited = began.elapsed();
        case.holds(waited >= wait, format_args!("it waited {waited:?}, as long as it was told"));
        case.holds(waited < wait + PATIENCE / 2, format_args!("it waited {waited:?}, hardly longer"));
    }
    for wait in [PATIENCE, Duration::from_secs(u64::from(u32::MAX)), Duration::MAX] {
        let case = case.row(format_args!("{wait:?}, an event after 20 ms"));
        let began = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                put(&case, store, "waited", "Waited", &[]);
            });
            let signal = case.ok("a subscription", follower.subscription().next_within(wait));
            case.holds(matches!(signal, Some(Signal::Event(_))), format_args!("{signal:?} is the event"));
        });
        let waited = began.elapsed();
        case.holds(waited < PATIENCE / 2, format_args!("it waited {waited:?}, not the whole time"));
    }
}

fn wakes_every_blocked_subscriber(store: &dyn EventStore) {
    const SUBSCRIBERS: usize = 8;
    let case =
        Case::new("every subscriber that waits is woken by an append, and only by what it selects", "");
    let (send, signals) = mpsc::channel();
    for subscriber in 0..SUBSCRIBERS {
        let selection = match subscriber % 3 {
            0 => Selection::All,
            1 => Selection::Stream(stream("woken")),
            _ => Selection::Query(query(&["Woken"], &[])),
        };
        let mut subscription = case.ok("subscribing", store.subscribe(Subscribe::to(selection)));
        let send = send.clone();
        // Not scoped: a store that never wakes it must not keep the law waiting.
        thread::spawn(move || {
            loop {
                let signal = subscription.next();
                let last = !matches!(signal, Ok(Signal::CaughtUp(_)));
                if send.send((subscriber, signal)).is_err() || last {
                    return;
                }
            }
        });
    }
    let next = |case: &Case| match signals.recv_timeout(PATIENCE) {
        Ok((subscriber, signal)) => (subscriber, case.ok("a subscription", signal)),
        Err(_) => case.fail("not all of 8 blocked subscribers were woken in time"),
    };
    for _ in 0..SUBSCRIBERS {
        let (_, signal) = next(&case.row("nothing appended"));
        case.equal("the first signal", &signal, &Signal::CaughtUp(None));
    }
    // Long enough for most of them to be asleep.
    thread::sleep(Duration::from_millis(20));
    let case = case.row("one event appended");
    put(&case, store, "woken", "Woken", &[]);
    let woken = case.log(store);
    let mut heard: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let (subscriber, signal) = next(&case);
            case.equal("the signal", &signal, &Signal::Event(woken[0].clone()));
            subscriber
        })
        .collect();
    heard.sort_unstable();
    case.equal("who was woken", &heard, &(0..SUBSCRIBERS).collect());
}

fn wakes_an_async_subscriber(store: &dyn EventStore) {
    let case = &Case::new("a subscription that was polled wakes its task when there is more", "");
    let subscribe = Subscribe::to(Selection::Stream(stream("polled")));
    let mut follower = Follower::new(case.clone(), store, subscribe);
    let (alarm, forgotten) = (Alarm::new(), Alarm::new());
    let (waker, older) = (Waker::from(alarm.clone()), Waker::from(forgotten));
    let mut poll = |waker: &Waker| follower.subscription().poll_next(&mut Context::from_waker(waker));
    match poll(&waker) {
        Poll::Ready(Ok(Signal::CaughtUp(None))) => {}
        other => case.fail(format_args!("it was to be live at once, but the poll gave {other:?}")),
    }
    for round in 0..5 {
        let case = &case.row(format_args!("round {round}"));
        // The last waker counts, not the first.
        for waker in [&older, &waker, &waker] {
            let polled = poll(waker);
            case.holds(polled.is_pending(), format_args!("there is nothing yet, not {polled:?}"));
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                put(case, store, "unpolled", "Other", &[]);
                put(case, store, "polled", "Polled", &[]);
            });
            let event = loop {
                case.holds(alarm.rang_within(PATIENCE), "the task was woken in time");
                match poll(&waker) {
                    Poll::Pending => continue,
                    Poll::Ready(Ok(Signal::Event(event))) => break event,
                    Poll::Ready(other) => case.fail(format_args!("an event was to come, not {other:?}")),
                }
            };
            case.equal("the event's revision", &event.revision, &Revision::new(round));
        });
    }
    let case = case.row("then with a wait");
    put(&case, store, "polled", "Polled", &[]);
    match follower.signal() {
        Signal::Event(event) => case.equal("the event's revision", &event.revision, &Revision::new(5)),
        other => case.fail(format_args!("an event was to come, not {other:?}")),
    }
}
