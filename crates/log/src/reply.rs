//! Where answers go: to whoever waits for one append, or for many that were handed
//! over together.
//!
//! ```text
//!   request   │ 4 │ 5 │ 6 │ 7 │     a run of numbers
//!                │       └────────▶ refused: told alone
//!                └─ 4, 5 ─▶ batch ─▶ committed: told as one run
//! ```
//!
//! Invariant: nobody waits in vain. A reply that is dropped says that the log is
//! closed.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use factum_core::{Answers, AppendError, Appended, StorageError};
use parking_lot::Mutex;

use crate::lone::Led;

/// What an append comes to.
pub type Answer = Result<Appended, AppendError>;

/// Where the answers of a request's appends go, of those that have none yet.
pub enum Reply {
    /// To whoever waits for its only one.
    Alone(oneshot::Sender<Answer>),
    /// To where all of them go that were handed over together.
    Among(Run),
}

/// Some that were handed over together, by their numbers.
#[derive(Default)]
pub struct Run {
    together: Option<Arc<Together>>,
    numbers: Range<u32>,
}

/// The place where answers wait to be heard.
#[derive(Default)]
pub struct Together(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    answers: Vec<(u32, Answer)>,
    waits: Option<Waker>,
}

impl Reply {
    /// Answers an append that is the only one left.
    pub fn send(self, answer: Answer) {
        match self {
            Self::Alone(sender) => {
                // Whoever gave up waiting gets no answer.
                let _ = sender.send(answer);
            }
            Self::Among(run) => run.tell(std::iter::once(answer)),
        }
    }

    /// One append more has its answer go there.
    pub fn grow(&mut self) {
        if let Self::Among(run) = self {
            run.numbers.end += 1;
        }
    }

    /// Splits off where the answer of the first goes that is left.
    pub fn take_first(&mut self) -> Self {
        match self {
            Self::Among(run) if run.numbers.len() > 1 => {
                let first = run.numbers.start;
                run.numbers.start += 1;
                Self::Among(Run { together: run.together.clone(), numbers: first..first + 1 })
            }
            last => std::mem::replace(last, Self::Among(Run::default())),
        }
    }
}

/// Receipts, and where each goes once it is true.
#[derive(Default)]
pub struct Replies {
    to: Vec<Reply>,
    receipts: Vec<Appended>,
}

impl Replies {
    /// How many receipts there are.
    pub fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.receipts.is_empty()
    }

    /// Makes room for so many.
    pub fn reserve(&mut self, count: usize) {
        self.receipts.reserve(count);
    }

    /// Adds a receipt for the first that is left of these.
    pub fn add(&mut self, reply: &mut Reply, receipt: Appended) {
        self.receipts.push(receipt);
        if let (Some(Reply::Among(last)), Reply::Among(next)) = (self.to.last_mut(), &mut *reply)
            && last.is_before(next)
        {
            last.numbers.end += 1;
            next.numbers.start += 1;
        } else {
            self.to.push(reply.take_first());
        }
    }

    /// Everyone gets the receipt.
    pub fn send(self) {
        self.answer(Ok);
    }

    /// Everyone gets the same bad news.
    pub fn refuse(self, error: impl Fn() -> AppendError) {
        self.answer(|_| Err(error()));
    }

    fn answer(self, answer: impl Fn(Appended) -> Answer) {
        let mut answers = self.receipts.into_iter().map(answer);
        for reply in self.to {
            match reply {
                Reply::Alone(sender) => {
                    let _ = answers.next().map(|answer| sender.send(answer));
                }
                Reply::Among(run) => run.tell(&mut answers),
            }
        }
    }
}

impl Run {
    /// None yet of those who wait there; the first will have this number.
    pub fn from(together: &Arc<Together>, first: u32) -> Self {
        Self { together: Some(Arc::clone(together)), numbers: first..first }
    }

    /// Whether the other goes on where this one ends.
    fn is_before(&self, next: &Self) -> bool {
        let same = match (&self.together, &next.together) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same && self.numbers.end == next.numbers.start && !next.numbers.is_empty()
    }

    /// Answers each, as long as there are answers.
    fn tell(mut self, answers: impl Iterator<Item = Answer>) {
        if let Some(together) = self.together.take() {
            together.tell(self.numbers.clone().zip(answers));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(together) = self.together.take().filter(|_| !self.numbers.is_empty()) {
            let closed = || Err(AppendError::Storage(StorageError::Closed));
            together.tell(self.numbers.clone().map(|number| (number, closed())));
        }
    }
}

impl Together {
    /// These have come.
    pub fn tell(&self, answers: impl Iterator<Item = (u32, Answer)>) {
        let mut heard = self.0.lock();
        heard.answers.extend(answers);
        let waits = heard.waits.take();
        drop(heard);
        if let Some(waits) = waits {
            waits.wake();
        }
    }
}

/// Whoever waits for them.
pub struct Waiting {
    pub together: Arc<Together>,
    /// How many have not been told.
    pub left: usize,
    /// Where the one that was handed over was led.
    pub led: Option<Led>,
}

impl Answers for Waiting {
    fn poll_answers(&mut self, context: &mut Context<'_>, tell: &mut factum_core::Tell<'_>) -> Poll<()> {
        if let Some(led) = &mut self.led {
            std::task::ready!(led.poll_yielded(context));
            self.led = None;
        }
        let mut heard = self.together.0.lock();
        let answers = std::mem::take(&mut heard.answers);
        let is_over = answers.len() >= self.left;
        if !is_over && !heard.waits.as_ref().is_some_and(|waits| waits.will_wake(context.waker())) {
            heard.waits = Some(context.waker().clone());
        }
        drop(heard);
        self.left = self.left.saturating_sub(answers.len());
        answers.into_iter().for_each(|(number, answer)| tell(number as usize, answer));
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{Durability, Position};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refused() -> Answer {
        Err(AppendError::Storage(StorageError::Closed))
    }

    /// A receipt that is known by its position.
    fn receipt(position: u64) -> Appended {
        let position = Position::new(position);
        Appended {
            positions: Some(position..=position),
            revisions: [None].into(),
            recorded_at: None,
            durability: Durability::Memory,
            repeated: false,
        }
    }

    #[test]
    fn each_of_a_run_is_answered_as_it_was_judged() {
        let together: Arc<Together> = Arc::default();
        let mut reply = Reply::Among(Run::from(&together, 4));
        (4..8).for_each(|_| reply.grow());
        let mut replies = Replies::default();
        replies.add(&mut reply, receipt(4));
        replies.add(&mut reply, receipt(5));
        reply.take_first().send(Err(AppendError::ConditionFailed { position: Position::FIRST }));
        drop(reply);
        replies.send();
        let mut told = std::mem::take(&mut together.0.lock().answers);
        told.sort_by_key(|(number, _)| *number);
        match &told[..] {
            [(4, Ok(first)), (5, Ok(second)), (6, Err(refused)), (7, Err(dropped))] => {
                assert_eq!([first, second], [&receipt(4), &receipt(5)]);
                assert!(matches!(refused, AppendError::ConditionFailed { .. }), "{refused:?}");
                assert!(matches!(dropped, AppendError::Storage(StorageError::Closed)), "{dropped:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_caller_is_not_told_what_is_another_s() {
        let callers: [Arc<Together>; 2] = Default::default();
        let mut replies = Replies::default();
        // The second's first one was refused before: its numbers go on where the first's end.
        for (caller, number) in callers.iter().zip(0..) {
            let mut reply = Reply::Among(Run::from(caller, number));
            reply.grow();
            replies.add(&mut reply, receipt(number.into()));
        }
        replies.send();
        for (caller, number) in callers.iter().zip(0..) {
            let told = std::mem::take(&mut caller.0.lock().answers);
            let [(told_number, Ok(told_receipt))] = &told[..] else { panic!("{told:?}") };
            assert_eq!((*told_number, told_receipt), (number, &receipt(number.into())));
        }
    }

    #[test]
    fn who_asked_last_is_woken_and_told_what_is_new() {
        let together: Arc<Together> = Arc::default();
        let mut waiting = Waiting { together: Arc::clone(&together), left: 3, led: None };
        let (first, last) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let mut poll = |woken: &Arc<Woken>| {
            let (waker, mut told) = (Waker::from(Arc::clone(woken)), Vec::new());
            let polled =
                waiting.poll_answers(&mut Context::from_waker(&waker), &mut |place, _| told.push(place));
            (told, polled.is_ready())
        };
        let woken = || [&first, &last].map(|woken| woken.0.load(Ordering::Relaxed));
        assert_eq!(poll(&first), (vec![], false));
        assert_eq!(poll(&last), (vec![], false));
        together.tell([(2, refused())].into_iter());
        assert_eq!(woken(), [0, 1]);
        assert_eq!(poll(&last), (vec![2], false));
        together.tell([(0, refused()), (1, refused())].into_iter());
        assert_eq!(woken(), [0, 2], "it waited for more");
        assert_eq!(poll(&last), (vec![0, 1], true));
    }
}
