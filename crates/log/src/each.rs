//! Many appends handed over at once: encoded one behind the other, left with the
//! sequencer in one piece, answered in one place.
//!
//! ```text
//!   appends   0    1    2    3    4    5
//!             └─ request ─┘  ╎    └ request ┘
//!                            └─▶ refused here: told at once
//! ```
//!
//! A caller that has a thousand under way then wakes the sequencer once and is woken
//! once for all that one flush made durable, and none of them is memory by itself.

use std::sync::Arc;

use factum_core::{Append, AppendError, WhenFull};

use crate::engine::Engine;
use crate::reply::{Reply, Run, Together, Waiting};
use crate::request::{self, ConditionPart, Request, TOGETHER_BYTES_MAX};
use crate::resolve;
use crate::sequencer::Sequencer;

/// Hands them over.
pub fn hand_over(engine: &Arc<Engine>, appends: &mut dyn Iterator<Item = Append>) -> Waiting {
    let mut handing = Handing { engine, together: Arc::default(), request: None, count: 0 };
    while let Some(append) = appends.next() {
        let more = appends.size_hint().1.unwrap_or(0);
        handing.add(&append, more);
    }
    handing.end()
}

/// What is being handed over.
struct Handing<'a> {
    engine: &'a Arc<Engine>,
    together: Arc<Together>,
    /// Those that the sequencer does not have yet.
    request: Option<Box<Request>>,
    count: u32,
}

impl Handing<'_> {
    /// One more, behind which there are at most so many.
    fn add(&mut self, append: &Append, more: usize) {
        let number = self.count;
        self.count += 1;
        match self.check(append) {
            Ok((bytes, condition)) => {
                if self.waiting().is_some_and(|waiting| waiting + bytes > TOGETHER_BYTES_MAX) {
                    self.leave();
                }
                let secret = self.engine.store.secret;
                let request = self.request.get_or_insert_with(|| {
                    // Those behind it are likely to be as long.
                    let count = (TOGETHER_BYTES_MAX / bytes.max(1)).clamp(1, more + 1);
                    let reply = Reply::Among(Run::from(&self.together, number));
                    Request::new(secret, count, bytes, &self.engine.buffers, reply)
                });
                request.add(append, condition, secret);
            }
            Err(refused) => {
                self.leave();
                self.together.tell(std::iter::once((number, Err(refused))));
            }
        }
    }

    /// How many bytes it takes, and its condition, looked up as far as it can be.
    fn check(&self, append: &Append) -> Result<(usize, Option<Box<ConditionPart>>), AppendError> {
        let engine = self.engine;
        engine.check_appendable()?;
        let bytes = request::check(append, engine.append_bytes_max())?;
        if append.when_full == WhenFull::Refuse {
            let waiting = engine.mailbox.waiting_bytes() + self.waiting().unwrap_or(0) as u64;
            request::check_room(append.when_full, bytes, waiting, engine.options.queue_bytes_max)?;
        }
        Ok((bytes, resolve::condition(engine, append, false)?))
    }

    /// How many bytes the sequencer does not have yet.
    fn waiting(&self) -> Option<usize> {
        self.request.as_ref().map(|request| request.records.len())
    }

    /// Leaves what there is with the sequencer.
    fn leave(&mut self) {
        if let Some(request) = self.request.take() {
            self.engine.mailbox.push(request);
        }
    }

    fn end(mut self) -> Waiting {
        let mut led = None;
        if self.count == 1
            && let Some(request) = self.request.take()
        {
            match Sequencer::lead_lone(self.engine, request) {
                Ok(lead) => led = Some(lead),
                Err(request) => self.engine.mailbox.push(request),
            }
        }
        self.leave();
        Waiting { together: self.together, left: self.count as usize, led }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use factum_core::{
        Answers, EventStore, EventType, ExpectedRevision, NewEvent, Position, Revision, StorageError,
        StreamName,
    };
    use futures_executor::block_on;

    use super::*;
    use crate::disk::MemoryDisk;
    use crate::reply::Answer;
    use crate::{Access, Log, LogOptions};

    fn log(options: LogOptions) -> Log {
        log_on(&Arc::new(MemoryDisk::new()), options)
    }

    fn log_on(disk: &Arc<MemoryDisk>, options: LogOptions) -> Log {
        let segment_bytes = 4 << 20;
        let sizes =
            LogOptions { segment_bytes_first: segment_bytes, segment_bytes_max: segment_bytes, ..options };
        Log::open_on(disk.clone(), sizes).unwrap()
    }

    fn one(expected: ExpectedRevision, bytes: usize) -> Append {
        let event = NewEvent::new(EventType::new("A").unwrap(), vec![b'x'; bytes]);
        Append::to(StreamName::new("a").unwrap(), expected, [event])
    }

    fn heard(mut waiting: Waiting) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut tell = |place, answer| answers.push((place, answer));
        block_on(poll_fn(|context| waiting.poll_answers(context, &mut tell)));
        answers.sort_by_key(|(place, _)| *place);
        assert!(answers.iter().enumerate().all(|(n, (place, _))| n == *place), "each is told once");
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    #[test]
    fn more_than_fit_into_one_piece_are_judged_in_order() {
        let log = log(LogOptions::default());
        let expected = |n: u64| {
            n.checked_sub(1)
                .map_or(ExpectedRevision::NoStream, |before| ExpectedRevision::Exact(Revision::new(before)))
        };
        // One of them is larger than a piece.
        let bytes = |n: u64| if n == 77 { 2 * TOGETHER_BYTES_MAX } else { 1_500 };
        let mut appends = (0..300).map(|n| one(expected(n), bytes(n)));
        for (n, answer) in (0..).zip(heard(hand_over(log.engine(), &mut appends))) {
            assert_eq!(answer.unwrap().first_position(), Some(Position::new(n)));
        }
    }

    #[test]
    fn a_piece_has_a_bound() {
        let log = log(LogOptions::default());
        let mut handing = Handing { engine: log.engine(), together: Arc::default(), request: None, count: 0 };
        for _ in 0..8 {
            handing.add(&one(ExpectedRevision::Any, TOGETHER_BYTES_MAX / 3), 0);
            assert!(handing.waiting().is_some_and(|waiting| waiting <= TOGETHER_BYTES_MAX));
        }
        assert!(heard(handing.end()).iter().all(Result::is_ok));
    }

    #[test]
    fn each_is_told_that_the_log_is_only_read() {
        let disk = Arc::new(MemoryDisk::new());
        log_on(&disk, LogOptions::default()).close().unwrap();
        let log = log_on(&disk, LogOptions { access: Access::Read, ..LogOptions::default() });
        let mut appends = (0..3).map(|_| one(ExpectedRevision::Any, 1));
        let answers = heard(hand_over(log.engine(), &mut appends));
        assert_eq!(answers.len(), 3);
        for answer in answers {
            assert!(matches!(answer, Err(AppendError::Storage(StorageError::ReadOnly))), "{answer:?}");
        }
    }

    #[test]
    fn those_before_count_where_one_would_not_wait() {
        let log = log(LogOptions { queue_bytes_max: 1_000, ..LogOptions::default() });
        let mut appends = [400, 400, 400, 1].map(|bytes| one(ExpectedRevision::Any, bytes).or_refuse());
        appends[3].when_full = WhenFull::Wait;
        let answers = heard(hand_over(log.engine(), &mut appends.into_iter()));
        assert!(matches!(answers[2], Err(AppendError::Overloaded { limit_bytes: 1_000, .. })), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
    }

    #[test]
    fn one_alone_is_led_where_that_is_allowed() {
        let long = Duration::from_secs(60);
        let log = log(LogOptions { async_flush_max: long, ..LogOptions::default() });
        log.append(one(ExpectedRevision::Any, 1)).unwrap();
        drop(log.engine().sequencer.lock());
        let mut waiting = hand_over(log.engine(), &mut std::iter::once(one(ExpectedRevision::Any, 1)));
        assert!(waiting.led.is_some());
        assert_eq!(log.last_position().unwrap(), Some(Position::new(1)));
        let mut told = 0;
        let mut poll = || {
            let mut context = Context::from_waker(Waker::noop());
            waiting.poll_answers(&mut context, &mut |_, answer| told += usize::from(answer.is_ok()))
        };
        assert!(poll().is_pending(), "everything else has a turn");
        assert!(matches!(poll(), Poll::Ready(())));
        assert_eq!(told, 1);
        let next = hand_over(log.engine(), &mut std::iter::once(one(ExpectedRevision::Any, 1)));
        assert!(next.led.is_some(), "the one before had its turn, and is led no more");
        assert!(heard(next)[0].is_ok());
        let mut two = (0..2).map(|_| one(ExpectedRevision::Any, 1));
        let waiting = hand_over(log.engine(), &mut two);
        assert!(waiting.led.is_none(), "many are the sequencer's");
        assert!(heard(waiting).iter().all(Result::is_ok));
    }

    #[test]
    fn who_saw_the_log_open_and_comes_after_it_closed_is_told_so() {
        let log = log(LogOptions::default());
        let engine = log.engine().clone();
        let mut handing = Handing { engine: &engine, together: Arc::default(), request: None, count: 0 };
        (0..3).for_each(|more| handing.add(&one(ExpectedRevision::Any, 1), more));
        log.close().unwrap();
        handing.add(&one(ExpectedRevision::Any, 1), 0);
        let answers = heard(handing.end());
        assert_eq!(answers.len(), 4);
        for answer in answers {
            assert!(matches!(answer, Err(AppendError::Storage(StorageError::Closed))), "{answer:?}");
        }
    }
}
