//! What the machine promises, first in small stories, then over histories
//! nobody would think of: consumers that come, go, refuse, sleep and answer
//! late, writes that fail, and crashes.

use std::collections::{BTreeMap, BTreeSet};

use factum_wire::groups::GroupStrategy;

use super::*;
use crate::dice::steps;

fn settings(strategy: GroupStrategy) -> GroupSettings {
    GroupSettings {
        resolve_links: false,
        extra_statistics: false,
        message_timeout: Duration::from_secs(10),
        max_retry_count: 2,
        checkpoint_after: Duration::from_secs(2),
        min_checkpoint_count: 10,
        max_checkpoint_count: 100,
        max_subscriber_count: 0,
        live_buffer_size: 50,
        read_batch_size: 10,
        history_buffer_size: 50,
        strategy,
    }
}

fn group(settings: GroupSettings) -> Group<u64> {
    Group::new(settings, Checkpoint::default())
}

fn id(n: u64) -> Uuid {
    Uuid::from_u128(u128::from(n) + 1)
}

fn round_robin() -> Group<u64> {
    group(settings(GroupStrategy::RoundRobin))
}

fn fed(mut group: Group<u64>, numbers: std::ops::Range<u64>) -> Group<u64> {
    for n in numbers {
        group.feed(n, id(n), n % 7, n);
    }
    group
}

/// As to consumers that read what they are given.
fn deliver(group: &mut Group<u64>) -> Vec<Delivery<u64>> {
    let members: Vec<_> = group.members().ids().collect();
    members.into_iter().for_each(|member| group.outlet(member, usize::MAX));
    group.deliver()
}

fn numbers(deliveries: &[Delivery<u64>]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.item.event).collect()
}

fn parks(group: &mut Group<u64>) -> Vec<u64> {
    let write = group.write_now().unwrap();
    group.written(write.checkpoint);
    write.parks.iter().map(|park| park.item.event).collect()
}

#[test]
fn events_go_around_and_none_waits_for_a_full_consumer() {
    let mut group = fed(round_robin(), 0..20);
    let (small, large) = (group.join(2).unwrap(), group.join(10).unwrap());
    let deliveries = deliver(&mut group);
    let of = |member| deliveries.iter().filter(|delivery| delivery.member == member).count();
    assert_eq!((of(small), of(large)), (2, 10));
    assert_eq!(numbers(&deliveries), (0..12).collect::<Vec<_>>());
    assert!(deliver(&mut group).is_empty());
    let ids: Vec<_> = (2..12).map(id).collect();
    group.ack(large, &ids);
    assert_eq!(numbers(&deliver(&mut group)), (12..20).collect::<Vec<_>>());
}

#[test]
fn who_answers_is_measured_where_that_is_wanted() {
    let statistics = GroupSettings { extra_statistics: true, ..settings(GroupStrategy::RoundRobin) };
    let mut group = fed(group(statistics), 0..4);
    let (one, other) = (group.join(2).unwrap(), group.join(2).unwrap());
    let deliveries = deliver(&mut group);
    let of = |member| -> Vec<Uuid> {
        let own = deliveries.iter().filter(|delivery| delivery.member == member);
        own.map(|delivery| delivery.item.id).collect()
    };
    group.time(Duration::from_millis(30));
    group.ack(one, &of(one)[..1]);
    group.time(Duration::from_millis(70));
    group.nack(one, &of(one)[1..], Verdict::Skip, "");
    // Nobody is asked about what another has.
    group.nack(one, &of(other)[1..], Verdict::Skip, "");
    let times = |member| group.members().get(member).unwrap().times.as_ref().unwrap().all();
    assert_eq!(times(one), [30, 70].map(Duration::from_millis));
    assert_eq!(times(other), []);
    let mut plain = fed(round_robin(), 0..1);
    let member = plain.join(1).unwrap();
    assert!(plain.members().get(member).unwrap().times.is_none());
}

#[test]
fn dispatch_to_single_fills_one_before_the_next() {
    let mut group = fed(group(settings(GroupStrategy::DispatchToSingle)), 0..6);
    let (first, second) = (group.join(3).unwrap(), group.join(9).unwrap());
    let members: Vec<_> = deliver(&mut group).iter().map(|delivery| delivery.member).collect();
    assert_eq!(members, [first, first, first, second, second, second]);
}

#[test]
fn a_full_owner_of_a_bucket_holds_up_only_its_own() {
    let mut group = group(settings(GroupStrategy::Pinned));
    let (slow, quick) = (group.join(1).unwrap(), group.join(100).unwrap());
    for n in 0..20 {
        group.feed(n, id(n), n % 2, n);
    }
    let first = deliver(&mut group);
    let owner_of_0 = first[0].member;
    let others = first.iter().filter(|delivery| delivery.member == quick).count();
    assert_eq!(first.iter().filter(|delivery| delivery.member == slow).count(), 1);
    assert_eq!(others, 10);
    assert!(first.iter().all(|delivery| (delivery.item.bucket == 0) == (delivery.member == owner_of_0)));
    assert_eq!(group.waiting(), 9);
    group.leave(slow);
    assert_eq!(deliver(&mut group).len(), 10);
}

#[test]
fn a_consumer_that_handles_nothing_holds_up_only_its_own_buckets() {
    let mut group = group(settings(GroupStrategy::Pinned));
    let (slow, quick) = (group.join(1).unwrap(), group.join(5).unwrap());
    let (mut fed, mut handled, mut last_of) = (0, Vec::new(), BTreeMap::new());
    while fed < 700 {
        let wanted = fed..fed + group.wants() as u64;
        fed = wanted.end;
        for n in wanted {
            group.feed(n, id(n), n % 2, n);
        }
        for at in group.wants_aside() {
            group.feed_aside(at, id(at), at % 2, at);
        }
        assert!(group.waiting() <= 50);
        let deliveries = deliver(&mut group);
        assert!(!deliveries.is_empty(), "everybody waits after {fed}");
        for delivery in deliveries.into_iter().filter(|delivery| delivery.member == quick) {
            handled.push(delivery.item.event);
            group.ack(quick, &[delivery.item.id]);
        }
    }
    let (own, others) = (handled[0] % 2, 1 - handled[0] % 2);
    assert!(handled.len() > 290 && handled.iter().all(|n| n % 2 == own), "{handled:?}");
    assert!(handled.is_sorted());
    // What waited for the slow one goes to the quick one, in order.
    group.leave(slow);
    handled.clear();
    for _ in 0..1_000 {
        for at in group.wants_aside() {
            group.feed_aside(at, id(at), at % 2, at);
        }
        for delivery in deliver(&mut group) {
            let (n, retries) = (delivery.item.event, delivery.item.retries);
            if retries == 0 && n % 2 == others {
                assert!(last_of.insert(others, n).is_none_or(|before| before < n), "{n} overtook");
            }
            handled.push(n);
            group.ack(quick, &[delivery.item.id]);
        }
    }
    assert_eq!((group.outstanding(), group.low()), (0, fed));
    assert!(handled.len() >= 350);
}

#[test]
fn a_bucket_moves_to_who_joins_when_nothing_of_it_is_in_flight() {
    let mut group = group(settings(GroupStrategy::Pinned));
    let first = group.join(100).unwrap();
    for n in 0..40 {
        group.feed(n, id(n), n * 64, n);
    }
    // Only sixteen different buckets, all with the first one.
    assert!(deliver(&mut group).iter().all(|delivery| delivery.member == first));
    let second = group.join(100).unwrap();
    for n in 40..56 {
        group.feed(n, id(n), n * 64, n);
    }
    assert!(
        deliver(&mut group).iter().all(|delivery| delivery.member == first),
        "it is still at work on them"
    );
    let mut holder = BTreeMap::new();
    for n in 0..56 {
        group.ack(first, &[id(n)]);
    }
    for n in 56..96 {
        group.feed(n, id(n), n * 64, n);
    }
    for delivery in deliver(&mut group) {
        assert_eq!(*holder.entry(delivery.item.bucket).or_insert(delivery.member), delivery.member);
    }
    // A share is half of all buckets, and these sixteen are fewer: they stay.
    assert!(holder.values().all(|member| *member == first) && group.members().contains(second));
}

#[test]
fn too_many_buckets_are_given_away() {
    let mut group = group(GroupSettings { history_buffer_size: 5_000, ..settings(GroupStrategy::Pinned) });
    let first = group.join(5_000).unwrap();
    let feed = |group: &mut Group<u64>, from: u64| {
        for n in from..from + 1_024 {
            group.feed(n, id(n), n, n);
        }
        deliver(group)
    };
    assert_eq!(feed(&mut group, 0).len(), 1_024);
    let second = group.join(5_000).unwrap();
    let busy = feed(&mut group, 1_024);
    assert_eq!(busy.len(), 512, "half of the buckets wait until they can move");
    (0..2_048).for_each(|n| group.ack(first, &[id(n)]));
    let moved = deliver(&mut group);
    assert_eq!(moved.iter().filter(|delivery| delivery.member == second).count(), 512);
}

#[test]
fn a_poison_event_is_parked_alone() {
    let mut group = fed(round_robin(), 0..10);
    let member = group.join(1).unwrap();
    let mut seen = Vec::new();
    for _ in 0..12 {
        let [delivery] = &deliver(&mut group)[..] else { panic!("one at a time") };
        seen.push((delivery.item.event, delivery.item.retries));
        match delivery.item.event {
            4 => group.nack(member, &[id(4)], Verdict::Retry, "no"),
            n => group.ack(member, &[id(n)]),
        }
    }
    assert_eq!(
        seen.iter().filter(|(n, _)| *n == 4).map(|(_, retries)| *retries).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(parks(&mut group), [4]);
    assert_eq!((group.outstanding(), group.low()), (0, 10));
}

/// In sequences of even and of odd numbers, as the tests below have it.
fn in_sequence(mut group: Group<u64>, numbers: std::ops::Range<u64>) -> Group<u64> {
    for n in numbers {
        group.feed(n, id(n), n % 2, n);
    }
    group
}

/// What is written as parked, from this revision on.
fn parks_from(group: &mut Group<u64>, first: u64) -> Vec<u64> {
    let write = group.write_now().unwrap();
    group.parked_from(first);
    group.written(write.checkpoint);
    write.parks.iter().map(|park| park.item.event).collect()
}

#[test]
fn a_poison_event_takes_its_sequence_along_and_no_other() {
    let pinned = settings(GroupStrategy::PinnedInSequence);
    let mut group = in_sequence(group(pinned.clone()), 0..6);
    let member = group.join(100).unwrap();
    assert_eq!(numbers(&deliver(&mut group)), [0, 1], "one of each at a time");
    group.nack(member, &[id(0)], Verdict::Retry, "not yet");
    assert_eq!(numbers(&deliver(&mut group)), [0], "before those behind it");
    group.nack(member, &[id(0)], Verdict::Park, "no");
    assert!(deliver(&mut group).is_empty(), "they are parked with it");
    group.ack(member, &[id(1)]);
    assert_eq!(numbers(&deliver(&mut group)), [3], "the others go on");
    assert_eq!(parks_from(&mut group, 0), [0, 2, 4]);
    // What comes is parked behind them, before and after a restart.
    let mut group = in_sequence(group, 6..8);
    assert_eq!(parks_from(&mut group, 3), [6]);
    let mut again = Group::new(pinned, group.durable().clone());
    (0..4).for_each(|at| again.was_parked(at, 0));
    let mut again = in_sequence(again, 8..10);
    let member = again.join(100).unwrap();
    assert_eq!(numbers(&deliver(&mut again)), [9]);
    assert_eq!(parks_from(&mut again, 4), [8]);
    // Of a replay, what fails stays where it is, and what is behind it.
    again.unstick();
    assert!(again.replay(4));
    for at in 0..4 {
        again.feed_parked(at, id(2 * at), 0, 2 * at);
    }
    assert_eq!(numbers(&deliver(&mut again)), [0]);
    again.ack(member, &[id(0)]);
    assert_eq!(numbers(&deliver(&mut again)), [2]);
    again.nack(member, &[id(2)], Verdict::Park, "still not");
    assert!(deliver(&mut again).is_empty());
    assert_eq!((again.parked().left_before(5), again.outstanding()), (4, 1));
    let mut again = in_sequence(again, 10..11);
    assert_eq!(parks_from(&mut again, 5), [10]);
    // Handled to the last, the sequence goes on.
    again.unstick();
    assert!(again.replay(6));
    assert_eq!(again.wants_parked(), Some((1, 6)));
    for at in 1..6 {
        again.feed_parked(at, id(2 * at), 0, 2 * at);
    }
    for n in [2, 4, 6, 8, 10] {
        assert_eq!(numbers(&deliver(&mut again)), [n]);
        again.ack(member, &[id(n)]);
    }
    let mut again = in_sequence(again, 12..13);
    assert_eq!(numbers(&deliver(&mut again)), [12]);
}

#[test]
fn a_sequence_that_is_given_up_goes_on() {
    let mut group = in_sequence(group(settings(GroupStrategy::PinnedInSequence)), 0..3);
    let member = group.join(100).unwrap();
    deliver(&mut group);
    group.nack(member, &[id(0)], Verdict::Park, "no");
    assert_eq!(parks_from(&mut group, 0), [0, 2]);
    group.unstick();
    assert!(group.replay(2));
    (0..2).for_each(|at| group.feed_parked(at, id(2 * at), 0, 2 * at));
    assert_eq!(numbers(&deliver(&mut group)), [0]);
    group.nack(member, &[id(0)], Verdict::Park, "still not");
    // As when the parked stream is truncated behind its last event.
    group.unstick();
    group.pass_parked(1);
    let mut group = in_sequence(group, 4..5);
    assert_eq!(numbers(&deliver(&mut group)), [4]);
    assert_eq!(group.parked().left_before(2), 0);
}

#[test]
fn what_kills_its_consumers_is_parked_and_what_was_beside_it_is_not() {
    let mut group = fed(round_robin(), 0..10);
    let mut done = BTreeSet::new();
    for _ in 0..20 {
        let member = group.join(10).unwrap();
        loop {
            let deliveries = deliver(&mut group);
            if deliveries.is_empty() {
                break;
            }
            if deliveries.iter().any(|delivery| delivery.item.event == 7) {
                break;
            }
            for delivery in deliveries {
                group.ack(member, &[delivery.item.id]);
                done.insert(delivery.item.event);
            }
        }
        group.leave(member);
    }
    assert_eq!(parks(&mut group), [7]);
    assert_eq!(done, (0..10).filter(|n| *n != 7).collect());
    assert_eq!(group.outstanding(), 0);
}

#[test]
fn a_consumer_that_is_to_finish_first_is_released_when_that_was_for_nothing() {
    let mut group =
        fed(group(GroupSettings { max_retry_count: 0, ..settings(GroupStrategy::RoundRobin) }), 0..4);
    let dies = group.join(1).unwrap();
    deliver(&mut group);
    let stays = group.join(2).unwrap();
    deliver(&mut group);
    group.leave(dies);
    assert!(deliver(&mut group).is_empty(), "the one that stays is to finish what it has");
    group.ack(dies, &[id(0)]);
    assert!(
        deliver(&mut group).is_empty(),
        "nobody is believed about what it was given once and lost at once"
    );
    group.ack(stays, &[id(1), id(2)]);
    assert_eq!(numbers(&deliver(&mut group)), [0], "alone");
    assert!(deliver(&mut group).is_empty());
    group.ack(stays, &[id(0)]);
    assert_eq!(numbers(&deliver(&mut group)), [3]);
}

#[test]
fn a_late_ack_counts_wherever_the_event_is_by_then() {
    let mut group = fed(round_robin(), 0..3);
    let slow = group.join(3).unwrap();
    deliver(&mut group);
    group.time(Duration::from_secs(10));
    group.tick();
    // Waiting to go out again.
    group.ack(slow, &[id(0)]);
    let quick = group.join(3).unwrap();
    assert_eq!(numbers(&deliver(&mut group)), [1, 2]);
    // With whoever has it now.
    group.ack(slow, &[id(1)]);
    group.ack(quick, &[id(1), id(2)]);
    assert_eq!((group.outstanding(), group.in_flight()), (0, 0));
    assert!(deliver(&mut group).is_empty());
    // About what it does not have, nobody is asked.
    group.nack(slow, &[id(2)], Verdict::Park, "late");
    assert!(parks(&mut group).is_empty());
}

#[test]
fn a_consumer_that_does_not_read_is_given_no_more() {
    let mut group = fed(round_robin(), 0..10);
    let (deaf, other) = (group.join(5).unwrap(), group.join(5).unwrap());
    group.outlet(deaf, 0);
    assert!(group.deliver().iter().all(|delivery| delivery.member == other));
}

#[test]
fn nothing_more_is_asked_for_than_there_is_room_for() {
    let mut group = round_robin();
    assert_eq!(group.wants(), 50);
    group = fed(group, 0..50);
    assert_eq!(group.wants(), 0);
    let member = group.join(20).unwrap();
    deliver(&mut group);
    assert_eq!(group.wants(), 20);
    group.leave(member);
    assert_eq!(group.wants(), 0);
}

#[test]
fn checkpoints_are_due_by_number_and_by_time_and_never_two_at_once() {
    let mut group = fed(round_robin(), 0..50);
    let member = group.join(1_000).unwrap();
    let ack = |group: &mut Group<u64>, numbers: std::ops::Range<u64>| {
        deliver(group);
        group.ack(member, &numbers.map(id).collect::<Vec<_>>());
    };
    ack(&mut group, 0..9);
    group.time(Duration::from_secs(60));
    assert_eq!(group.write_due(), None, "nine are too few");
    ack(&mut group, 9..10);
    let write = group.write_due().unwrap();
    assert_eq!(write.checkpoint.source.low, 10);
    group = fed(group, 50..200);
    ack(&mut group, 10..150);
    assert_eq!(group.write_due(), None, "one is under way");
    group.written(write.checkpoint);
    assert_eq!(group.durable().source.low, 10);
    assert_eq!(group.write_due().unwrap().checkpoint.source.low, 150);
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let mut group = fed(round_robin(), 0..5);
    let member = group.join(10).unwrap();
    deliver(&mut group);
    group.nack(member, &[id(2)], Verdict::Park, "no");
    let write = group.write_due().unwrap();
    assert_eq!((write.parks.len(), write.checkpoint.source.low), (1, 0));
    group.not_written();
    assert_eq!(group.write_due(), None, "not at once");
    group.ack(member, &[id(0), id(1), id(3), id(4)]);
    assert_eq!(group.low(), 2);
    group.time(Duration::from_secs(2));
    let write = group.write_due().unwrap();
    assert_eq!((write.parks.len(), write.checkpoint.source.low), (1, 5));
}

#[test]
fn parked_events_come_again_before_new_ones_and_only_once() {
    let mut group = fed(round_robin(), 0..3);
    assert!(group.replay(4));
    assert!(!group.replay(9), "one at a time");
    assert_eq!(group.wants_parked(), Some((0, 4)));
    for at in 0..4 {
        group.feed_parked(at, id(100 + at), 0, 100 + at);
    }
    assert_eq!((group.wants_parked(), group.is_replaying()), (None, false));
    let member = group.join(10).unwrap();
    assert_eq!(numbers(&deliver(&mut group)), [100, 101, 102, 103, 0, 1, 2]);
    group.ack(member, &[id(101), id(103)]);
    group.nack(member, &[id(100)], Verdict::Park, "still not");
    assert_eq!(group.parked().left_before(4), 2);
    let write = group.write_due().unwrap();
    assert_eq!(write.checkpoint.parked, crate::groups::progress::Mark { low: 2, done: vec![(3, 4)] });
    group.written(write.checkpoint.clone());
    // After a restart what is left of them comes again when it is asked for.
    let mut again = Group::new(settings(GroupStrategy::RoundRobin), write.checkpoint);
    assert!(again.replay(5));
    for at in 2..5 {
        again.feed_parked(at, id(100 + at), 0, 100 + at);
    }
    again.join(10).unwrap();
    assert_eq!(numbers(&deliver(&mut again)), [102, 104]);
}

#[test]
fn consumers_are_counted() {
    let mut group = group(GroupSettings { max_subscriber_count: 2, ..settings(GroupStrategy::RoundRobin) });
    let first = group.join(1).unwrap();
    assert!(group.join(1).is_some() && group.join(1).is_none());
    group.leave(first);
    assert!(group.join(1).is_some());
}

/// A group beside what is told of it: which events are where, and which were
/// acked, parked and written down.
struct World {
    settings: GroupSettings,
    group: Group<u64>,
    now: u64,
    members: Vec<MemberId>,
    /// What each consumer was given and did not answer.
    given: BTreeMap<MemberId, BTreeSet<u64>>,
    acked: BTreeSet<u64>,
    /// In the store, and in which order.
    parked: BTreeSet<u64>,
    parked_stream: Vec<u64>,
    durable: Checkpoint,
    writing: Option<Write<u64>>,
    next: u64,
}

/// Events with these numbers nobody can handle.
fn is_poison(n: u64) -> bool {
    n % 13 == 5
}

impl World {
    fn new(settings: GroupSettings) -> Self {
        Self {
            group: group(settings.clone()),
            settings,
            now: 0,
            members: Vec::new(),
            given: BTreeMap::new(),
            acked: BTreeSet::new(),
            parked: BTreeSet::new(),
            parked_stream: Vec::new(),
            durable: Checkpoint::default(),
            writing: None,
            next: 0,
        }
    }

    fn feed(&mut self) {
        let wanted = self.group.wants() as u64;
        for n in self.next..self.next + wanted {
            self.group.feed(n, id(n), n % 97, n);
        }
        self.next += wanted;
        let aside = self.group.wants_aside();
        if self.now % 5 == 4 {
            self.group.not_fetched();
        } else {
            for n in aside {
                self.group.feed_aside(n, id(n), n % 97, n);
            }
        }
        // What consumers had when they left is in memory besides: at most five had 20, and one 40.
        let waiting = self.group.waiting() + self.group.again() + self.group.parking();
        assert!(waiting <= 50 + 5 * 20 + 40, "{waiting} events in memory");
    }

    fn deliver(&mut self) {
        for delivery in deliver(&mut self.group) {
            let n = delivery.item.event;
            assert!(!self.acked.contains(&n), "{n} came again after it was acked");
            assert!(!self.parked.contains(&n), "{n} came again after it was parked");
            assert!(delivery.item.retries <= self.settings.max_retry_count);
            if self.settings.strategy.parks_sequences() {
                let mut before = (0..n).filter(|before| before % 97 == n % 97);
                assert!(before.all(|before| self.acked.contains(&before)), "{n} overtook one before it");
            }
            self.given.get_mut(&delivery.member).expect("it is there").insert(n);
        }
    }

    fn step(&mut self, action: u8, dice: u8) {
        let chosen = |len: usize| usize::from(dice) % len.max(1);
        let member = self.members.get(chosen(self.members.len())).copied();
        match (action % 12, member) {
            (0, _) if self.members.len() < 5 => {
                let member = self.group.join(1 + usize::from(dice % 20)).expect("any number may join");
                self.members.push(member);
                self.given.insert(member, BTreeSet::new());
            }
            (1, Some(member)) => {
                self.group.leave(member);
                self.members.retain(|other| *other != member);
                self.given.remove(&member);
            }
            (2..=5, Some(member)) => {
                let given: Vec<_> = self.given[&member].iter().copied().filter(|n| !is_poison(*n)).collect();
                let some = given.into_iter().take(1 + usize::from(dice % 8));
                for n in some {
                    self.ack(member, n);
                }
            }
            (6, Some(member)) => self.nack(member, Verdict::Retry, dice),
            (7, Some(member)) => self.nack(member, Verdict::Park, dice),
            (8, _) => {
                self.now += u64::from(dice % 8);
                self.group.time(Duration::from_secs(self.now));
                self.group.tick();
            }
            (9, _) => self.end_write(!dice.is_multiple_of(4)),
            (10, _) => self.begin_write(),
            (11, _) if dice < 8 => self.crash(),
            _ => {}
        }
        self.feed();
        self.deliver();
    }

    fn ack(&mut self, member: MemberId, n: u64) {
        let before = self.group.outstanding();
        self.group.ack(member, &[id(n)]);
        self.given.get_mut(&member).expect("it is there").remove(&n);
        // Not while it is being written that it is parked.
        if self.group.outstanding() < before {
            self.acked.insert(n);
        }
    }

    fn nack(&mut self, member: MemberId, verdict: Verdict, dice: u8) {
        let given: Vec<_> = self.given[&member].iter().copied().collect();
        let Some(n) = given.get(usize::from(dice) % given.len().max(1)) else { return };
        self.group.nack(member, &[id(*n)], verdict, "as the dice say");
        self.given.get_mut(&member).expect("it is there").remove(n);
    }

    fn begin_write(&mut self) {
        if let Some(write) = self.group.write_due() {
            assert!(self.writing.is_none(), "two writes at once");
            self.writing = Some(write);
        }
    }

    fn end_write(&mut self, succeeds: bool) {
        let Some(write) = self.writing.take() else { return };
        if !succeeds {
            return self.group.not_written();
        }
        let parked: Vec<_> = write.parks.iter().map(|park| park.item.event).collect();
        self.group.parked_from(self.parked_stream.len() as u64);
        self.parked_stream.extend(&parked);
        self.parked.extend(parked);
        self.durable = write.checkpoint.clone();
        self.group.written(write.checkpoint);
    }

    /// What was not written down is forgotten, and nothing else.
    fn crash(&mut self) {
        self.writing = None;
        self.members.clear();
        self.given.clear();
        let source = &self.durable.source;
        let is_done =
            |n: &u64| *n < source.low || source.done.iter().any(|(first, end)| (*first..*end).contains(n));
        let settled: BTreeSet<_> = self.acked.union(&self.parked).copied().collect();
        for n in (0..self.next).filter(is_done) {
            assert!(settled.contains(&n), "{n} is written down as done, and nobody did it");
        }
        assert!(self.parked.iter().all(is_done), "what is parked would come again");
        self.acked.retain(|n| is_done(n));
        self.group = Group::new(self.settings.clone(), self.durable.clone());
        for (at, n) in self.parked_stream.iter().enumerate() {
            self.group.was_parked(at as u64, n % 97);
        }
        self.group.time(Duration::from_secs(self.now));
        self.next = source.low;
    }

    /// From here on everybody does what they should: then everything that was
    /// fed is acked or parked in the end.
    fn come_to_an_end(&mut self) {
        let last = self.next;
        let member = self.group.join(40).expect("any number may join");
        self.given.insert(member, BTreeSet::new());
        let sleepers: Vec<_> = std::mem::take(&mut self.members);
        // One of them stays for long, and never says anything.
        for gone in sleepers.iter().skip(1) {
            self.group.leave(*gone);
            self.given.remove(gone);
        }
        for round in 0..2_000 {
            if let (1_000, Some(sleeper)) = (round, sleepers.first()) {
                self.group.leave(*sleeper);
            }
            self.now += 11;
            self.group.time(Duration::from_secs(self.now));
            self.group.tick();
            self.feed();
            self.deliver();
            for n in std::mem::take(self.given.get_mut(&member).expect("it is there")) {
                match is_poison(n) {
                    true => self.group.nack(member, &[id(n)], Verdict::Retry, "poison"),
                    false => self.ack(member, n),
                }
            }
            self.begin_write();
            self.end_write(true);
            if self.group.low() >= last {
                break;
            }
        }
        for n in 0..last {
            assert!(self.acked.contains(&n) || self.parked.contains(&n), "{n} is lost of {last}");
        }
        assert!(self.acked.is_disjoint(&self.parked));
    }
}

const STRATEGIES: [GroupStrategy; 4] = [
    GroupStrategy::RoundRobin,
    GroupStrategy::DispatchToSingle,
    GroupStrategy::Pinned,
    GroupStrategy::PinnedInSequence,
];

fn live_through(strategy: GroupStrategy, steps: &[(u8, u8)]) {
    let mut world = World::new(settings(strategy));
    for (action, dice) in steps {
        world.step(*action, *dice);
    }
    world.come_to_an_end();
}

#[test]
fn nothing_is_lost_and_nothing_comes_again_whatever_happens() {
    bolero::check!().with_type::<(u8, Vec<(u8, u8)>)>().for_each(|(strategy, steps)| {
        live_through(STRATEGIES[usize::from(strategy % 4)], steps);
    });
}

/// The same, but longer, from seeds, with a clock of its own.
#[test]
fn long_lives_end_well_too() {
    for seed in 1..=60_u64 {
        let steps = steps(seed, 600);
        for strategy in STRATEGIES {
            live_through(strategy, &steps);
        }
    }
}
