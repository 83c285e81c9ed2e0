//! One group, as a machine that only calculates: events and what consumers say
//! go in; who gets what, and what is to be written down, come out. It knows no
//! store, no socket and no clock but the one it is told.
//!
//! ```text
//!   feed ──► fresh ──┐                          ┌─ ack, skip ──► done
//!                    ├─► deliver ──► in flight ─┤
//!            again ──┘       ▲                  ├─ retry, timeout, gone ─► again
//!              ▲             │                  └─ park, too often ─┐
//!              │             └── alone, one at a time,              ▼
//!   replay ────┘                 what its consumers die of      to be parked
//!                                                        (done when written)
//! ```
//!
//! Invariants:
//! - what was fed and is not done is in exactly one of these places;
//! - what is done is never delivered again;
//! - no more events are asked for than the buffer has room for;
//! - what becomes of one event holds up no other, except where events of one
//!   bucket must go to one consumer; those are put aside before they fill the
//!   buffer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use factum_wire::groups::GroupSettings;
use factum_wire::groups::member::Verdict;
use uuid::Uuid;

use super::aside::Aside;
use super::checkpoint::Checkpoint;
use super::member::{Held, MemberId, Members};
use super::progress::Progress;
use super::sequences::Sequences;
use super::strategy::Strategy;
use super::times::Times;

/// How many times the buffer may be aside.
const ASIDE_MAX: usize = 16;

/// How many events are read again in one go.
const FETCHED_MAX: usize = 256;

/// How many events may be passed over before that is worth a checkpoint.
const PASSED_MAX: u64 = 10_000;

/// After this time it is written down that a parked event is done.
const PARKED_DONE_AFTER: Duration = Duration::from_secs(1);

/// How long to wait before a write that failed is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// A consumer gets at least this long for an event.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Where an event of the group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// Its revision in the stream, or position in the log.
    Source(u64),
    /// Its revision where it is parked.
    Parked(u64),
}

/// An event of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<E> {
    pub at: At,
    /// What consumers call it by.
    pub id: Uuid,
    /// For strategies that ask for it: what it has in common with those that it
    /// belongs to.
    pub bucket: u64,
    /// How often it was delivered in vain.
    pub retries: u32,
    pub event: E,
}

/// An event for a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery<E> {
    pub member: MemberId,
    pub item: Item<E>,
}

/// An event that is put aside, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Park<E> {
    pub item: Item<E>,
    pub reason: String,
}

impl<E> Park<E> {
    /// Of an event that must not overtake one that is parked.
    fn behind(item: Item<E>) -> Self {
        Self { item, reason: "An event before it in its stream is parked".to_owned() }
    }
}

/// What is to be written down, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write<E> {
    pub parks: Vec<Park<E>>,
    /// As it is once the parks are written.
    pub checkpoint: Checkpoint,
}

#[derive(Debug)]
struct Flight<E> {
    member: MemberId,
    since: Duration,
    until: Duration,
    item: Item<E>,
}

/// The machine.
#[derive(Debug)]
pub struct Group<E> {
    settings: GroupSettings,
    strategy: Strategy,
    now: Duration,
    members: Members,
    source: Progress,
    parked: Progress,
    fresh: VecDeque<Item<E>>,
    aside: Aside,
    sequences: Sequences,
    again: VecDeque<Item<E>>,
    /// To be delivered alone.
    suspects: VecDeque<Item<E>>,
    flights: BTreeMap<(Uuid, At), Flight<E>>,
    to_park: Vec<Park<E>>,
    /// Being written.
    writing: Option<Vec<Park<E>>>,
    /// Parked events are read again up to here, exclusive.
    replay_until: Option<u64>,
    done_since: u64,
    passed_since: u64,
    /// A parked event is done.
    parked_done: bool,
    written_at: Duration,
    not_before: Duration,
    durable: Checkpoint,
    /// How many events went out.
    pub delivered: u64,
}

impl<E: Clone> Group<E> {
    /// Goes on from what was written down.
    pub fn new(settings: GroupSettings, checkpoint: Checkpoint) -> Self {
        Self {
            strategy: Strategy::of(settings.strategy),
            settings,
            now: Duration::ZERO,
            members: Members::default(),
            source: Progress::from(&checkpoint.source),
            parked: Progress::from(&checkpoint.parked),
            fresh: VecDeque::new(),
            aside: Aside::default(),
            sequences: Sequences::default(),
            again: VecDeque::new(),
            suspects: VecDeque::new(),
            flights: BTreeMap::new(),
            to_park: Vec::new(),
            writing: None,
            replay_until: None,
            done_since: 0,
            passed_since: 0,
            parked_done: false,
            written_at: Duration::ZERO,
            not_before: Duration::ZERO,
            durable: checkpoint,
            delivered: 0,
        }
    }

    // Consumers come and go.

    /// Somebody wants to be given events; `None` if there are enough.
    pub fn join(&mut self, slots: usize) -> Option<MemberId> {
        let limit = self.settings.max_subscriber_count as usize;
        if limit > 0 && self.members.len() >= limit {
            return None;
        }
        let times = self.settings.extra_statistics.then(Times::default);
        let id = self.members.join(slots, times);
        self.strategy.members_changed(&self.members);
        Some(id)
    }

    /// Somebody is gone. What it had is delivered again; what several died
    /// with is suspected, and tried with nothing else beside it.
    pub fn leave(&mut self, id: MemberId) {
        let Some(gone) = self.members.leave(id) else { return };
        self.strategy.members_changed(&self.members);
        let lost: Vec<_> =
            self.flights.iter().filter(|(_, flight)| flight.member == id).map(|(key, _)| *key).collect();
        let mut lost: Vec<_> = lost.into_iter().filter_map(|key| self.land(key)).collect();
        lost.sort_by_key(|item| item.at);
        for mut item in lost {
            if gone.held == Held::Alone {
                let reason = format!(
                    "{} consumers were lost with it, the last one with nothing else",
                    item.retries + 1
                );
                self.park(item, reason);
            } else if item.retries >= self.settings.max_retry_count {
                self.suspects.push_back(item);
            } else {
                item.retries += 1;
                self.come_again(item);
            }
        }
    }

    /// How many more events fit into what carries them to somebody.
    pub fn outlet(&mut self, id: MemberId, room: usize) {
        if let Some(member) = self.members.get_mut(id) {
            member.outlet = room;
        }
    }

    // Events come in.

    /// How many events of the source it has room for; what is aside has been
    /// waiting for longer.
    pub fn wants(&self) -> usize {
        let is_due = self.aside.is_due(|bucket| self.strategy.could_go(&self.members, bucket));
        if is_due || self.aside.len() >= self.aside_max() { 0 } else { self.room() }
    }

    fn aside_max(&self) -> usize {
        ASIDE_MAX * self.settings.history_buffer_size as usize
    }

    fn room(&self) -> usize {
        let waiting = self.fresh.len() + self.again.len() + self.suspects.len() + self.parking();
        (self.settings.history_buffer_size as usize).saturating_sub(waiting)
    }

    /// The next event of the source. One that was done before a restart is
    /// passed over.
    pub fn feed(&mut self, at: u64, id: Uuid, bucket: u64, event: E) {
        if self.source.look(at) {
            if self.aside.holds(bucket) {
                self.aside.put(at, bucket);
            } else {
                self.wait(Item { at: At::Source(at), id, bucket, retries: 0, event });
            }
        }
    }

    /// Events of the source that were put aside, and are wanted now.
    pub fn wants_aside(&mut self) -> Vec<u64> {
        let count = self.room().min(FETCHED_MAX);
        self.aside.fetch(count, |bucket| self.strategy.could_go(&self.members, bucket))
    }

    /// One of them.
    pub fn feed_aside(&mut self, at: u64, id: Uuid, bucket: u64, event: E) {
        self.aside.fetched(at);
        self.wait(Item { at: At::Source(at), id, bucket, retries: 0, event });
    }

    /// For a consumer, or where its sequence is parked, behind that.
    fn wait(&mut self, item: Item<E>) {
        match self.is_parked(item.bucket) {
            true => self.to_park.push(Park::behind(item)),
            false => self.fresh.push_back(item),
        }
    }

    /// They could not be read now.
    pub fn not_fetched(&mut self) {
        self.aside.put_back();
    }

    /// What waits for consumers without room, while others have some, is put
    /// aside, so that there is room to read on.
    fn put_aside(&mut self) {
        let GroupSettings { history_buffer_size, read_batch_size, .. } = self.settings;
        let kept = history_buffer_size.saturating_sub(read_batch_size) as usize / 2;
        if !self.strategy.is_choosy() || self.fresh.len() <= kept || !self.members.any_room() {
            return;
        }
        // All that is left found nobody.
        while self.fresh.len() > kept && self.aside.len() < self.aside_max() {
            let Some(item) = self.fresh.pop_back() else { return };
            if let At::Source(at) = item.at {
                self.aside.put(at, item.bucket);
            }
        }
    }

    /// Everything of the source up to here, itself included, was fed or is not
    /// for this group. `counts` if that is worth writing down in time.
    pub fn pass(&mut self, at: u64, counts: bool) {
        let before = self.source.next();
        self.source.pass(at);
        if counts {
            self.passed_since += self.source.next() - before;
        }
    }

    // Parked events come back.

    /// Before they are replayed or given up: what is stuck is looked at again, unless
    /// others of them are with somebody.
    pub fn unstick(&mut self) {
        if self.parks_sequences() && !self.has_parked() {
            self.parked = Progress::from(&self.parked.mark());
            self.sequences.begin_replay();
        }
    }

    /// Parked events before this revision are to be delivered again; `false` if
    /// that is under way.
    pub fn replay(&mut self, until: u64) -> bool {
        if self.replay_until.is_some() {
            return false;
        }
        self.replay_until = (self.parked.next() < until).then_some(until);
        true
    }

    /// Whether parked events are waiting, or with somebody.
    fn has_parked(&self) -> bool {
        let is_parked = |at: At| matches!(at, At::Parked(_));
        let mut waiting = self.again.iter().chain(&self.suspects);
        waiting.any(|item| is_parked(item.at)) || self.flights.keys().any(|(_, at)| is_parked(*at))
    }

    /// An event of this sequence is parked at this revision, and was before this ran.
    pub fn was_parked(&mut self, at: u64, sequence: u64) {
        if !self.parked.is_done(at) {
            self.sequences.parked(sequence, at);
        }
    }

    /// Which parked event is wanted next, and before which to stop.
    pub fn wants_parked(&self) -> Option<(u64, u64)> {
        self.replay_until.filter(|_| self.room() > 0).map(|until| (self.parked.next(), until))
    }

    /// Whether parked events are being read again.
    pub fn is_replaying(&self) -> bool {
        self.replay_until.is_some()
    }

    /// The next parked event.
    pub fn feed_parked(&mut self, at: u64, id: Uuid, bucket: u64, event: E) {
        if self.parked.look(at) && !self.sequences.leaves(bucket) {
            self.again.push_back(Item { at: At::Parked(at), id, bucket, retries: 0, event });
        }
        self.check_replay();
    }

    /// Parked events up to here, itself included, were fed or are no longer
    /// there.
    pub fn pass_parked(&mut self, at: u64) {
        self.parked.pass(at);
        self.done_since += 1;
        self.parked_done = true;
        self.check_replay();
    }

    /// The rest of them stays parked.
    pub fn stop_replay(&mut self) {
        self.replay_until = None;
    }

    fn check_replay(&mut self) {
        if self.replay_until.is_some_and(|until| self.parked.next() >= until) {
            self.replay_until = None;
        }
    }

    /// What of the parked events is done.
    pub fn parked(&self) -> &Progress {
        &self.parked
    }

    // Consumers say what became of events.

    /// These are done. Whoever says so is believed, also when it took so long
    /// that they were given to others.
    pub fn ack(&mut self, member: MemberId, ids: &[Uuid]) {
        for id in ids {
            if let Some(item) = self.take(member, *id) {
                self.finish(item.at);
            }
        }
    }

    /// These are not. Only about what it has is somebody asked. One that stops
    /// must [leave](Self::leave) afterwards.
    pub fn nack(&mut self, member: MemberId, ids: &[Uuid], verdict: Verdict, reason: &str) {
        for id in ids {
            let Some(key) = self.flight_of(member, *id) else { continue };
            self.measure(key);
            let Some(item) = self.land(key) else { continue };
            match verdict {
                Verdict::Skip => self.finish(item.at),
                Verdict::Park => {
                    let reason = format!("Client explicitly NAK'ed message.\n{reason}");
                    self.park(item, reason);
                }
                Verdict::Retry => self.again_or_park(item, "it was refused"),
                Verdict::Stop => self.again.push_front(item),
            }
        }
    }

    /// So much time has passed since the beginning.
    pub fn time(&mut self, now: Duration) {
        self.now = now;
    }

    /// Looks for what takes too long.
    pub fn tick(&mut self) {
        let now = self.now;
        let overdue = self.flights.iter().filter(|(_, flight)| flight.until <= now);
        let mut overdue: Vec<_> = overdue.map(|(key, _)| *key).collect();
        overdue.sort_by_key(|(_, at)| *at);
        for key in overdue {
            if let Some(item) = self.land(key) {
                self.again_or_park(item, "its consumer took too long");
            }
        }
    }

    fn again_or_park(&mut self, mut item: Item<E>, why: &str) {
        if item.retries >= self.settings.max_retry_count {
            let reason = format!("It was delivered {} times, and the last time {why}", item.retries + 1);
            self.park(item, reason);
        } else {
            item.retries += 1;
            self.come_again(item);
        }
    }

    /// Behind what has waited; but before everything of its sequence, if that is
    /// kept in order.
    fn come_again(&mut self, item: Item<E>) {
        match self.parks_sequences() {
            true => self.again.push_front(item),
            false => self.again.push_back(item),
        }
    }

    fn parks_sequences(&self) -> bool {
        self.settings.strategy.parks_sequences()
    }

    /// Puts one aside: with those behind it, if its sequence is parked as a whole.
    fn park(&mut self, item: Item<E>, reason: String) {
        let (at, sequence) = (item.at, item.bucket);
        if !self.parks_sequences() {
            return self.to_park.push(Park { item, reason });
        }
        let is_behind = |item: &Item<E>| item.bucket == sequence;
        if let At::Parked(_) = at {
            let before = self.again.len();
            self.again.retain(|item| !is_behind(item));
            return self.sequences.sticks(sequence, 1 + before - self.again.len());
        }
        self.to_park.push(Park { item, reason });
        for lane in [Lane::Again, Lane::Fresh] {
            let waiting = std::mem::take(self.lane(lane)).into_iter();
            let (behind, others): (VecDeque<_>, VecDeque<_>) = waiting.partition(is_behind);
            *self.lane(lane) = others;
            self.to_park.extend(behind.into_iter().map(Park::behind));
        }
    }

    /// Whether something is parked that events of this sequence must not overtake.
    fn is_parked(&mut self, sequence: u64) -> bool {
        let is_of_it = |park: &Park<E>| park.item.bucket == sequence;
        self.parks_sequences()
            && (self.to_park.iter().chain(self.writing.iter().flatten()).any(is_of_it)
                || self.sequences.holds(sequence, &self.parked))
    }

    fn flight_of(&self, member: MemberId, id: Uuid) -> Option<(Uuid, At)> {
        let mut of_id = self.flights.range((id, At::Source(0))..=(id, At::Parked(u64::MAX)));
        of_id.find(|(_, flight)| flight.member == member).map(|(key, _)| *key)
    }

    /// Takes what is in flight, or what comes too late, out of where it is.
    fn take(&mut self, member: MemberId, id: Uuid) -> Option<Item<E>> {
        if let Some(key) = self.flight_of(member, id) {
            self.measure(key);
            return self.land(key);
        }
        let mut of_id = self.flights.range((id, At::Source(0))..=(id, At::Parked(u64::MAX)));
        if let Some(key) = of_id.find(|(_, flight)| flight.item.retries > 0).map(|(key, _)| *key) {
            return self.land(key);
        }
        let waits = |item: &Item<E>| item.id == id && item.retries > 0;
        if let Some(index) = self.again.iter().position(waits) {
            return self.again.remove(index);
        }
        if let Some(index) = self.suspects.iter().position(waits) {
            return self.suspects.remove(index);
        }
        let index = self.to_park.iter().position(|park| park.item.id == id)?;
        Some(self.to_park.remove(index).item)
    }

    /// It is answered by who has it.
    fn measure(&mut self, key: (Uuid, At)) {
        if self.settings.extra_statistics
            && let Some(flight) = self.flights.get(&key)
            && let Some(member) = self.members.get_mut(flight.member)
            && let Some(times) = &mut member.times
        {
            times.add(self.now.saturating_sub(flight.since));
        }
    }

    /// Takes one out of flight.
    fn land(&mut self, key: (Uuid, At)) -> Option<Item<E>> {
        let Flight { member, item, .. } = self.flights.remove(&key)?;
        self.strategy.came_back(item.bucket);
        if let Some(member) = self.members.get_mut(member) {
            member.in_flight = member.in_flight.saturating_sub(1);
            if member.held == Held::Alone {
                member.held = Held::No;
            }
        }
        Some(item)
    }

    fn finish(&mut self, at: At) {
        match at {
            At::Source(at) => self.source.done(at),
            At::Parked(at) => {
                self.parked.done(at);
                self.parked_done = true;
            }
        }
        self.done_since += 1;
    }

    // Events go out.

    /// Gives events to whoever has room.
    pub fn deliver(&mut self) -> Vec<Delivery<E>> {
        let mut deliveries = Vec::new();
        self.deliver_suspect(&mut deliveries);
        for lane in [Lane::Again, Lane::Fresh] {
            let mut waiting = std::mem::take(self.lane(lane));
            let mut kept = VecDeque::new();
            while self.members.any_room() {
                let Some(item) = waiting.pop_front() else { break };
                if self.parks_sequences() && self.suspects.iter().any(|other| other.bucket == item.bucket) {
                    kept.push_back(item);
                    continue;
                }
                match self.strategy.choose(&self.members, item.bucket) {
                    Some(member) => self.send(member, item, &mut deliveries),
                    None if self.strategy.is_choosy() => kept.push_back(item),
                    None => {
                        waiting.push_front(item);
                        break;
                    }
                }
            }
            // Most often nobody was passed over, and nothing needs to be moved.
            if !kept.is_empty() {
                kept.append(&mut waiting);
                std::mem::swap(&mut kept, &mut waiting);
            }
            *self.lane(lane) = waiting;
        }
        self.put_aside();
        deliveries
    }

    fn deliver_suspect(&mut self, deliveries: &mut Vec<Delivery<E>>) {
        if self.suspects.is_empty() {
            self.members.undrain();
            return;
        }
        let Some(member) = self.members.idle_or_drain() else { return };
        let Some(item) = self.suspects.pop_front() else { return };
        self.members.undrain();
        self.send(member, item, deliveries);
        if let Some(member) = self.members.get_mut(member) {
            member.held = Held::Alone;
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Item<E>> {
        match lane {
            Lane::Again => &mut self.again,
            Lane::Fresh => &mut self.fresh,
        }
    }

    fn send(&mut self, id: MemberId, item: Item<E>, deliveries: &mut Vec<Delivery<E>>) {
        let Some(member) = self.members.get_mut(id) else {
            self.again.push_back(item);
            return;
        };
        member.in_flight += 1;
        member.outlet = member.outlet.saturating_sub(1);
        member.delivered += 1;
        self.delivered += 1;
        self.strategy.went_out(item.bucket);
        match item.at {
            At::Source(at) => self.source.delivered(at),
            At::Parked(at) => self.parked.delivered(at),
        }
        let since = self.now;
        let until = since + self.settings.message_timeout.max(TIMEOUT_MIN);
        deliveries.push(Delivery { member: id, item: item.clone() });
        self.flights.insert((item.id, item.at), Flight { member: id, since, until, item });
    }

    // What happened is written down.

    /// What is to be written now, if anything is and no other write is under
    /// way. The caller says [`written`](Self::written) or
    /// [`not_written`](Self::not_written).
    pub fn write_due(&mut self) -> Option<Write<E>> {
        if self.now < self.not_before {
            return None;
        }
        let GroupSettings { checkpoint_after, min_checkpoint_count, max_checkpoint_count, .. } =
            self.settings;
        let full = self.done_since >= u64::from(max_checkpoint_count.max(1));
        let in_time = !checkpoint_after.is_zero()
            && self.now >= self.written_at + checkpoint_after
            && self.done_since >= u64::from(min_checkpoint_count.max(1));
        // What came back from where it was parked is soon no longer there.
        let parked = self.parked_done && self.now >= self.written_at + PARKED_DONE_AFTER;
        let passed = self.passed_since >= PASSED_MAX;
        // Nothing more is to be waited for.
        let alone = self.members.len() == 0 && self.done_since > 0;
        let is_due = full || in_time || alone || parked || passed || !self.to_park.is_empty();
        if is_due { self.write_now() } else { None }
    }

    /// The same, if there is anything at all to write down.
    pub fn write_now(&mut self) -> Option<Write<E>> {
        if self.writing.is_some() || self.done_since + self.passed_since == 0 && self.to_park.is_empty() {
            return None;
        }
        let parks = std::mem::take(&mut self.to_park);
        for park in &parks {
            // Also what nobody had, because it is behind another.
            if let At::Source(at) = park.item.at {
                self.source.delivered(at);
            }
            self.finish(park.item.at);
        }
        let checkpoint = Checkpoint { source: self.source.mark(), parked: self.parked.mark() };
        self.writing = Some(parks.clone());
        (self.done_since, self.passed_since, self.parked_done) = (0, 0, false);
        self.written_at = self.now;
        Some(Write { parks, checkpoint })
    }

    /// What the last write parked begins at this revision.
    pub fn parked_from(&mut self, first: u64) {
        if self.parks_sequences() {
            for (at, park) in (first..).zip(self.writing.iter().flatten()) {
                self.sequences.parked(park.item.bucket, at);
            }
        }
    }

    /// The last write stands as given.
    pub fn written(&mut self, checkpoint: Checkpoint) {
        self.writing = None;
        self.durable = checkpoint;
    }

    /// The last write came to nothing, and is to be tried again.
    pub fn not_written(&mut self) {
        let parks = self.writing.take().unwrap_or_default();
        for park in &parks {
            match park.item.at {
                At::Source(at) => self.source.reopen(at),
                At::Parked(at) => self.parked.reopen(at),
            }
        }
        self.to_park.splice(0..0, parks);
        self.done_since += 1;
        self.not_before = self.now + WRITE_AGAIN;
    }

    // How it stands.

    /// What was written down last.
    pub fn durable(&self) -> &Checkpoint {
        &self.durable
    }

    /// Its consumers.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Events nobody has got yet.
    pub fn waiting(&self) -> usize {
        self.fresh.len()
    }

    /// Events that are to be delivered again.
    pub fn again(&self) -> usize {
        self.again.len() + self.suspects.len()
    }

    /// Events somebody has.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Events that are to be parked.
    pub fn parking(&self) -> usize {
        self.to_park.len() + self.writing.as_ref().map_or(0, Vec::len)
    }

    /// Events that are neither done nor parked.
    pub fn outstanding(&self) -> usize {
        self.source.open() + self.parked.open().saturating_sub(self.sequences.left())
    }

    /// The next of the source that it has not been fed.
    pub fn next(&self) -> u64 {
        self.source.next()
    }

    /// The oldest of them that is of the source.
    pub fn low(&self) -> u64 {
        self.source.low()
    }
}

#[derive(Clone, Copy)]
enum Lane {
    Again,
    Fresh,
}

#[cfg(test)]
mod tests;
