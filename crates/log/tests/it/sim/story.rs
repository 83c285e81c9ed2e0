//! One story: steps, crashes, and what must hold after each.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{CrashPlan, FailedSync, Fault, Injection, Operation, Times};

use super::Subject;
use super::author::Author;

/// How many steps a story has.
const STEPS: u64 = 60;

/// What happened, to be told when it went wrong.
pub struct Tale {
    seed: u64,
    steps: Vec<String>,
    disk: Option<FaultyDisk>,
}

impl Tale {
    pub fn new(seed: u64) -> Self {
        Self { seed, steps: Vec::new(), disk: None }
    }
}

impl fmt::Display for Tale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the story of seed {}:", self.seed)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{number:>4} {step}")?;
        }
        if let Some(disk) = &self.disk {
            writeln!(f, "the last operations of the disk:\n{}", disk.story())?;
        }
        Ok(())
    }
}

/// A store, its model, and the disk between runs.
pub struct Story<'a, S: Subject> {
    author: Author,
    options: &'a S::Options,
    disk: FaultyDisk,
    /// Struck all the time, and never to be noticed.
    nuisance: Option<Fault>,
    clock: Arc<ManualClock>,
    model: MemoryStore,
    store: Option<S>,
    followers: Vec<Follower>,
    /// Appends handed over and not answered, in order.
    unanswered: Vec<Append>,
    /// While the answers to several appends are judged.
    is_bursting: bool,
    tale: &'a mut Tale,
}

/// A subscription and its model.
struct Follower {
    selection: Selection,
    /// Where to go on after a crash.
    from: SubscribeFrom,
    model: Box<dyn Subscription>,
    /// None while the store is closed.
    subject: Option<Box<dyn Subscription>>,
}

type Answer = Result<Appended, AppendError>;

impl<'a, S: Subject> Story<'a, S> {
    pub fn begin(seed: u64, options: &'a S::Options, tale: &'a mut Tale) -> Result<Self, String> {
        let mut author = Author::new(seed);
        let disk = FaultyDisk::new(author.dice.any());
        disk.record(400);
        disk.spare_unchanged(S::REWRITES);
        disk.on_failed_sync(*author.dice.pick(&[
            FailedSync::LosesAll,
            FailedSync::LosesSome,
            FailedSync::KeepsAll,
        ]));
        let nuisance = match author.dice.below(10) {
            0 => Some(Fault::ShortWrite),
            1 => Some(Fault::ShortRead),
            2 => Some(Fault::Interrupted { times: 3 }),
            _ => None,
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)));
        tale.disk = Some(disk.clone());
        Ok(Self {
            author,
            options,
            disk,
            nuisance,
            model: MemoryStore::with_clock(clock.clone()),
            clock,
            store: None,
            followers: Vec::new(),
            unanswered: Vec::new(),
            is_bursting: false,
            tale,
        })
    }

    pub fn disk(&self) -> &FaultyDisk {
        &self.disk
    }

    pub fn tell(&mut self) -> Result<(), String> {
        self.reopen()?;
        for _ in 0..STEPS {
            self.step()?;
            if self.is_struck() {
                self.crash()?;
            }
        }
        self.crash()
    }

    fn note(&mut self, step: impl Into<String>) {
        self.tale.steps.push(step.into());
    }

    fn step(&mut self) -> Result<(), String> {
        let advance = self.author.dice.below(2_000) as i64 - 100;
        self.clock.advance(advance);
        if self.author.dice.chance(10) {
            self.arm(30);
        }
        match self.author.dice.below(100) {
            0..35 => self.append(),
            35..52 => self.burst(true),
            52..72 => self.read(),
            72..80 => self.follow(),
            80..85 => self.pump(),
            85..89 => self.crash(),
            89..91 => {
                self.burst(false)?;
                self.crash()
            }
            91..95 => {
                // In the middle of a commit.
                let nth = 1 + self.author.dice.below(2);
                self.disk.inject(Injection::of(Fault::Stop).on(Operation::Write).at(nth));
                self.burst(true)
            }
            95..98 => self.close(),
            _ => {
                let leap = self.author.dice.below(10_000_000_000) as i64 - 5_000_000_000;
                self.note(format!("the clock leaps {leap} us"));
                self.clock.advance(leap);
                Ok(())
            }
        }
    }

    /// Lets an operation fail, somewhere within the next ones.
    fn arm(&mut self, within: u64) {
        let dice = &mut self.author.dice;
        let injection = match dice.below(10) {
            0..6 => Injection::of(Fault::Stop),
            6 => Injection::of(Fault::Eio),
            7 => Injection::of(Fault::Eio).on(Operation::Sync),
            8 => Injection::of(Fault::Enospc).on(Operation::Sync),
            _ => Injection::of(Fault::Enospc),
        };
        let nth = 1 + dice.below(if injection.operation.is_some() { 3 } else { within });
        let times = *dice.pick(&[Times::Once, Times::Forever]);
        let injection = Injection { times, ..injection.at(nth) };
        self.note(format!("armed: {injection:?}"));
        self.disk.inject(injection);
    }

    /// Whether a fault that may be noticed has struck.
    fn is_struck(&self) -> bool {
        self.disk.fired_by(|fault| Some(fault) != self.nuisance.as_ref()) > 0
    }

    fn store(&self) -> &S {
        self.store.as_ref().expect("it is open between steps")
    }

    fn append(&mut self) -> Result<(), String> {
        let append = self.author.append(&self.model);
        let answer = self.store().append(append.clone());
        self.note(format!("append {} → {}", brief(&append), brief_answer(&answer)));
        self.judge(append, answer)
    }

    fn burst(&mut self, is_pumped: bool) -> Result<(), String> {
        let appends: Vec<_> =
            (0..1 + self.author.dice.below(8)).map(|_| self.author.append(&self.model)).collect();
        let mut futures: Vec<_> = appends.iter().map(|append| self.store().append_async(append)).collect();
        if !is_pumped {
            self.note(format!("handed over {} appends, and left them", appends.len()));
            self.unanswered.extend(appends);
            return Ok(());
        }
        let pumped = self.store().pump();
        self.note(format!("handed over {} appends, and pumped: {pumped:?}", appends.len()));
        if let Err(error) = &pumped
            && !self.is_struck()
        {
            return Err(format!("the pump failed: {error:?}"));
        }
        for (append, future) in appends.into_iter().zip(&mut futures) {
            let answer = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => answer,
                Poll::Pending if self.is_struck() => {
                    self.note(format!("     {} → no answer", brief(&append)));
                    self.unanswered.push(append);
                    continue;
                }
                Poll::Pending => return Err(format!("after the pump, no answer to {}", brief(&append))),
            };
            self.note(format!("     {} → {}", brief(&append), brief_answer(&answer)));
            self.is_bursting = true;
            let judged = self.judge(append, answer);
            self.is_bursting = false;
            judged?;
        }
        Ok(())
    }

    /// Compares an answer with the model's, if it is one.
    fn judge(&mut self, append: Append, answer: Answer) -> Result<(), String> {
        match &answer {
            Err(AppendError::Unknown(_)) if self.is_struck() => {
                self.unanswered.push(append);
                return Ok(());
            }
            // A store may have a limit the model has not; it must be one.
            Err(AppendError::Invalid(InvalidAppend::TooLarge { bytes, limit })) => {
                let data = append.writes.iter().flat_map(|write| &write.events);
                let data: usize = data.map(|event| event.data.len() + event.metadata.len()).sum();
                if bytes > limit && data as u64 <= *bytes {
                    return Ok(());
                }
            }
            // Says that nothing was recorded, so nothing is there to adopt.
            Err(AppendError::Storage(_)) if self.is_struck() => return Ok(()),
            _ => {}
        }
        if answer.is_ok() && !self.unanswered.is_empty() {
            let records = answer.as_ref().is_ok_and(|appended| !appended.repeated);
            if records && append.event_count() > 0 {
                return Err("an append was acknowledged after one that was not".to_owned());
            }
        }
        let expected = self.model.append(append.clone());
        if let Ok(appended) = &answer
            && appended.durability != Durability::Disk
        {
            return Err(format!("acknowledged as durable on {}", appended.durability.as_str()));
        }
        match (&answer, &expected) {
            // Where several things stand against an append, any of them is an answer.
            (
                Err(AppendError::ConditionFailed { position }),
                Err(AppendError::ConditionFailed { .. } | AppendError::Conflict { .. }),
            ) => {
                let condition = append.condition.as_ref().ok_or("a condition failed where there is none")?;
                let event = self.model.event_at(*position).map_err(debug)?;
                let is_excluded = event.is_some_and(|event| {
                    condition.query.selects(&event)
                        && condition.after.is_none_or(|after| event.position > after)
                });
                same(&is_excluded, &true, "whether the condition excludes the event named")
            }
            (
                Err(AppendError::Conflict { stream, expected, actual }),
                Err(AppendError::ConditionFailed { .. } | AppendError::Conflict { .. }),
            ) => {
                let writes = append.writes.iter().map(|write| (&write.stream, &write.expected));
                let checks = append.checks.iter().map(|check| (&check.stream, &check.expected));
                let is_asked = writes.chain(checks).any(|asked| asked == (stream, expected));
                let stands = self.model.last_revision(stream).map_err(debug)?;
                // In a burst the store may name where the stream stands by now.
                let is_actual = *actual == stands || *actual > stands && self.is_bursting;
                same(
                    &(is_asked, is_actual, expected.is_met_by(stands)),
                    &(true, true, false),
                    "the conflict (asked for, as it stands, met)",
                )
            }
            (
                Err(AppendError::PartlyRepeated { stream: a, .. }),
                Err(AppendError::PartlyRepeated { stream: b, .. }),
            ) => same(a, b, "the stream partly repeated"),
            (Ok(a), Ok(b)) => {
                let mut b = Appended { durability: Durability::Disk, ..b.clone() };
                if self.is_bursting && b.repeated {
                    // Nothing says when a write without events was looked at.
                    for ((write, at), by) in append.writes.iter().zip(&a.revisions).zip(&mut b.revisions) {
                        if write.events.is_empty() && at > by {
                            *by = *at;
                        }
                    }
                }
                same(a, &b, "the receipt")
            }
            (a, b) => same(&format!("{a:?}"), &format!("{b:?}"), "the answer"),
        }
    }

    fn read(&mut self) -> Result<(), String> {
        let read = self.author.read(&self.model);
        let found = collect(self.store().read(read.clone()));
        self.note(format!("read {read:?} → {}", brief_events(&found)));
        if matches!(&found, Err(ReadError::Storage(_))) && self.is_struck() {
            return Ok(());
        }
        let expected = collect(EventStore::read(&self.model, read.clone()));
        same_events(&found, &expected)?;
        self.count(read, expected.map(|events| events.len() as u64))
    }

    fn count(&mut self, read: Read, expected: Result<u64, ReadError>) -> Result<(), String> {
        let found = self.store().count(read);
        self.note(format!("count → {found:?}"));
        if matches!(&found, Err(ReadError::Storage(_))) && self.is_struck() {
            return Ok(());
        }
        same(&format!("{found:?}"), &format!("{expected:?}"), "the count")
    }

    /// Follows on, or begins to follow.
    fn follow(&mut self) -> Result<(), String> {
        if self.followers.len() < 3 && self.author.dice.chance(60) {
            let selection = self.author.selection();
            let from = match (self.author.dice.below(3), self.model.last_position().map_err(debug)?) {
                (0, Some(last)) => SubscribeFrom::After(last),
                (1, Some(last)) => {
                    SubscribeFrom::After(Position::new(self.author.dice.below(last.get() + 1)))
                }
                _ => SubscribeFrom::Start,
            };
            self.note(format!("begin to follow {selection:?} from {from:?}"));
            let subscribe = Subscribe::to(selection.clone()).from(from);
            let model = self.model.subscribe(subscribe.clone()).map_err(debug)?;
            let subject = match self.store().subscribe(subscribe) {
                Ok(subject) => Some(subject),
                Err(SubscribeError::Storage(_)) if self.is_struck() => None,
                Err(error) => return Err(format!("cannot subscribe: {error:?}")),
            };
            self.followers.push(Follower { selection, from, model, subject });
        }
        self.follow_on()
    }

    /// Drains every subscription, and compares.
    fn follow_on(&mut self) -> Result<(), String> {
        self.note("follow on");
        for number in 0..self.followers.len() {
            let Some(subject) = &mut self.followers[number].subject else { continue };
            let mut found = drain(&mut **subject);
            let is_struck = self.is_struck();
            let follower = &mut self.followers[number];
            if is_struck && found.1.is_some() {
                follower.subject = None;
                // The model must deliver the rest later, as the store will.
                let from = found.0.last().map_or(follower.from, |event| SubscribeFrom::After(event.position));
                let expected = drain(&mut *follower.model).0;
                let count = found.0.len().min(expected.len());
                same_events(&Ok(found.0), &Ok(expected[..count].to_vec()))?;
                follower.from = from;
                let subscribe = Subscribe::to(follower.selection.clone()).from(from);
                follower.model = self.model.subscribe(subscribe).map_err(debug)?;
                continue;
            }
            if let Some(error) = found.1.take() {
                return Err(format!("a subscription ended: {error:?}"));
            }
            let expected = drain(&mut *follower.model).0;
            if let Some(last) = expected.last() {
                follower.from = SubscribeFrom::After(last.position);
            }
            same_events(&Ok(found.0), &Ok(expected))?;
        }
        Ok(())
    }

    fn pump(&mut self) -> Result<(), String> {
        let pumped = self.store().pump();
        self.note(format!("pump: {pumped:?}"));
        match pumped {
            Err(error) if !self.is_struck() => Err(format!("the pump failed: {error:?}")),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        self.let_go();
        let Some(store) = self.store.take() else { return Ok(()) };
        let closed = store.close();
        self.note(format!("close: {closed:?}"));
        if let Err(error) = closed
            && !self.is_struck()
        {
            return Err(format!("cannot close: {error:?}"));
        }
        if self.author.dice.chance(50) || self.is_struck() {
            self.lose_disk();
        }
        self.reopen()
    }

    fn crash(&mut self) -> Result<(), String> {
        self.lose_disk();
        self.reopen()
    }

    /// Everything stops; the next start finds another disk.
    fn lose_disk(&mut self) {
        let plan = CrashPlan::random(self.author.dice.any());
        self.note(plan.to_string());
        self.let_go();
        let next = self.disk.crash(&plan);
        // Whatever the old process still does, it does to the old disk.
        self.store = None;
        self.disk = next;
        self.tale.disk = Some(self.disk.clone());
    }

    fn let_go(&mut self) {
        for follower in &mut self.followers {
            follower.subject = None;
        }
    }

    /// Opens, through crashes while it opens, and looks at what is there.
    fn reopen(&mut self) -> Result<(), String> {
        for attempt in 0.. {
            if let Some(nuisance) = &self.nuisance {
                self.disk.fail_nth(1, nuisance.clone(), Times::Forever);
            }
            if attempt < 10 && self.author.dice.chance(30) {
                self.arm(40);
            }
            let opened = S::open_on(Arc::new(self.disk.clone()), self.clock.clone(), self.options);
            match opened {
                Ok(_) if self.disk.is_off() => {}
                Ok(store) => {
                    self.note("opened");
                    self.store = Some(store);
                    break;
                }
                Err(error) if self.is_struck() => self.note(format!("could not be opened: {error}")),
                Err(error) => return Err(format!("cannot be opened: {error:?}")),
            }
            self.lose_disk();
        }
        self.recovered()?;
        if self.is_struck() {
            return self.crash();
        }
        self.append_again()
    }

    /// What must hold after a crash.
    fn recovered(&mut self) -> Result<(), String> {
        let found = match collect(self.store().read(Read::all())) {
            Err(ReadError::Storage(_)) if self.is_struck() => return Ok(()),
            found => found.map_err(|error| format!("cannot read what was recovered: {error:?}"))?,
        };
        let model = |story: &Self| collect(EventStore::read(&story.model, Read::all())).map_err(debug);
        let acknowledged = model(self)?.len();
        if found.len() < acknowledged {
            return Err(format!("{acknowledged} events were acknowledged, and {} are there", found.len()));
        }
        // What is there beyond must be unanswered appends, whole and in order.
        let candidates = std::mem::take(&mut self.unanswered);
        let mut adopted = 0;
        for append in &candidates {
            let end = model(self)?.len();
            if end == found.len() {
                break;
            }
            // Those that record nothing in this order recorded nothing then.
            adopted +=
                usize::from(self.model.append(append.clone()).is_ok_and(|appended| !appended.repeated));
            let whole = model(self)?;
            if whole.len() > found.len() {
                return Err(format!("of {}, only {} events are there", brief(append), found.len() - end));
            }
        }
        self.note(format!(
            "{} events are there, {acknowledged} of them acknowledged; {adopted} of {} unanswered appends",
            found.len(),
            candidates.len()
        ));
        self.unanswered = candidates;
        same_events(&Ok(found), &Ok(model(self)?))?;
        let last = self.store().last_position().map_err(debug);
        if !self.is_struck() {
            same(&last, &self.model.last_position().map_err(debug), "the last position")?;
        }
        for number in 0..self.followers.len() {
            let Follower { selection, from, .. } = &self.followers[number];
            let subscribe = Subscribe::to(selection.clone()).from(*from);
            match self.store().subscribe(subscribe) {
                Ok(subject) => self.followers[number].subject = Some(subject),
                Err(SubscribeError::Storage(_)) if self.is_struck() => {}
                Err(error) => return Err(format!("cannot subscribe again: {error:?}")),
            }
        }
        Ok(())
    }

    /// Does what callers without an answer do: repeats, with the same ids.
    fn append_again(&mut self) -> Result<(), String> {
        for append in std::mem::take(&mut self.unanswered) {
            if self.author.dice.chance(50) && !self.is_struck() {
                let answer = self.store().append(append.clone());
                self.note(format!("again {} → {}", brief(&append), brief_answer(&answer)));
                self.judge(append, answer)?;
            }
        }
        if self.is_struck() { self.crash() } else { Ok(()) }
    }
}

/// The events there are now, and why there are no more, if that is an error.
fn drain(subscription: &mut dyn Subscription) -> (Vec<RecordedEvent>, Option<SubscribeError>) {
    let mut events = Vec::new();
    loop {
        match subscription.next_within(Duration::ZERO) {
            Ok(Some(Signal::Event(event))) => events.push(event),
            Ok(Some(_)) => {}
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn collect(events: Result<Events, ReadError>) -> Result<Vec<RecordedEvent>, ReadError> {
    events?.collect()
}

fn same<T: PartialEq + fmt::Debug>(found: &T, expected: &T, what: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} differs\n   found    {found:?}\n   expected {expected:?}"))
}

fn same_events(
    found: &Result<Vec<RecordedEvent>, ReadError>,
    expected: &Result<Vec<RecordedEvent>, ReadError>,
) -> Result<(), String> {
    let (Ok(found), Ok(expected)) = (found, expected) else {
        return same(&brief_events(found), &brief_events(expected), "what was read");
    };
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            let (found, expected) = (brief_event(found), brief_event(expected));
            return Err(format!("the {number}th event differs\n   found    {found}\n   expected {expected}"));
        }
    }
    same(&found.len(), &expected.len(), "the number of events")
}

fn brief_events(events: &Result<Vec<RecordedEvent>, ReadError>) -> String {
    match events {
        Ok(events) => format!("{} events", events.len()),
        Err(error) => format!("{error:?}"),
    }
}

fn brief_event(event: &RecordedEvent) -> String {
    let data = event.data.slice(..event.data.len().min(8));
    let start = RecordedEvent { data, ..event.clone() };
    format!("{} bytes of data in {start:?}", event.data.len())
}

fn brief(append: &Append) -> String {
    let mut text = String::new();
    for write in &append.writes {
        text += &format!("{} ({}) +{}, ", write.stream.as_str(), write.expected, write.events.len());
    }
    for check in &append.checks {
        text += &format!("{} ({}), ", check.stream.as_str(), check.expected);
    }
    if let Some(condition) = &append.condition {
        text += &format!("a condition after {:?}, ", condition.after.map(Position::get));
    }
    text.trim_end_matches(", ").to_owned()
}

fn brief_answer(answer: &Answer) -> String {
    match answer {
        Ok(appended) => format!("{:?} repeated: {}", appended.positions, appended.repeated),
        Err(error) => format!("{error:?}"),
    }
}

fn debug(error: impl fmt::Debug) -> String {
    format!("{error:?}")
}
