//! One append on its way, and what its caller is told in each case.
//!
//! | what happened | may it be recorded? | then |
//! |---|---|---|
//! | not sent | no | it waits for the next connection |
//! | sent, and the server stopped without looking at it | no | the same |
//! | sent, no answer, repeats for ever | perhaps | it is sent again |
//! | sent, no answer, anything else | perhaps | `Unknown` |

use std::ops::Range;

use factum_core::{Append, AppendError, Appended, ExpectedRevision, StorageError};
use tokio::sync::oneshot;

/// What breaks more connections than this is perhaps what breaks them.
const LOSSES_MAX: u8 = 8;

/// An append, from when it was handed over until it is answered.
pub struct Sent {
    /// Where it is among those that are packed with it.
    pub place: Range<usize>,
    repeats_for_ever: bool,
    /// Whether an attempt may have been recorded whose answer was lost.
    is_in_doubt: bool,
    /// How many connections have broken under it.
    losses: u8,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Where its answer will be.
pub type Awaited = oneshot::Receiver<Result<Appended, AppendError>>;

impl Sent {
    /// Ready to be sent.
    pub fn new(append: &Append, place: Range<usize>) -> (Self, Awaited) {
        let (answer, awaited) = oneshot::channel();
        let repeats_for_ever = repeats_for_ever(append);
        (Self { place, repeats_for_ever, is_in_doubt: false, losses: 0, answer }, awaited)
    }

    /// Packed with others.
    pub fn moved(self, place: Range<usize>) -> Self {
        Self { place, ..self }
    }

    /// The server has answered.
    pub fn answer(self, answer: Result<Appended, AppendError>) {
        let answer = match answer {
            // Nothing was recorded now, and perhaps before.
            Err(AppendError::Storage(error)) if self.is_in_doubt => Err(AppendError::Unknown(error)),
            Err(error @ AppendError::Overloaded { .. }) if self.is_in_doubt => {
                Err(AppendError::Unknown(StorageError::Unreachable { says: error.to_string().into() }))
            }
            answer => answer,
        };
        // A caller may have given up its answer.
        let _ = self.answer.send(answer);
    }

    /// The answer will not come any more. Gives it back if it may be sent again.
    pub fn lose(mut self, error: &StorageError) -> Option<Self> {
        self.is_in_doubt = true;
        self.losses += 1;
        match self.repeats_for_ever && self.losses <= LOSSES_MAX {
            true => Some(self),
            false => {
                self.give_up(error);
                None
            }
        }
    }

    /// The answer will never come.
    pub fn lose_for_good(mut self, error: &StorageError) {
        self.is_in_doubt = true;
        self.give_up(error);
    }

    /// There is no way to the server.
    pub fn give_up(self, error: &StorageError) {
        let error = match self.is_in_doubt {
            true => AppendError::Unknown(error.clone()),
            false => AppendError::Storage(error.clone()),
        };
        let _ = self.answer.send(Err(error));
    }
}

/// Whether a second attempt is answered as the first one was, however much
/// later: the law says so of events whose place their expectation alone
/// decides. A write without events has no place, and is judged anew.
fn repeats_for_ever(append: &Append) -> bool {
    append.writes.iter().all(|write| match write.events.is_empty() {
        true => write.expected == ExpectedRevision::Any,
        false => write.expected.first_revision().is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{NewEvent, Revision, StreamName};

    #[test]
    fn only_what_the_law_lets_repeat_is_sent_again() {
        use ExpectedRevision::{Any, Exact, Exists, NoStream};
        let name = |text: &str| StreamName::new(text.to_owned()).unwrap();
        let event = || NewEvent::json("A", &().into()).unwrap();
        let to = |expected| Append::to(name("a"), expected, [event()]);
        let rows = [
            (to(NoStream), true),
            (to(Exact(Revision::FIRST)), true),
            (to(Any), false),
            (to(Exists), false),
            (to(NoStream).and_to(name("b"), Any, [event()]), false),
            (to(NoStream).and_to(name("b"), NoStream, [event()]), true),
            (to(NoStream).and_to(name("b"), Exists, []), false),
            (to(NoStream).and_to(name("b"), Any, []), true),
            // A repetition is recognised before checks are looked at.
            (to(NoStream).expecting(name("b"), Exists), true),
        ];
        for (append, repeats) in rows {
            assert_eq!(repeats_for_ever(&append), repeats, "{append:?}");
        }
    }

    fn told(awaited: &mut Awaited) -> Result<Appended, AppendError> {
        awaited.try_recv().unwrap()
    }

    #[test]
    fn in_doubt_nothing_is_said_to_be_not_recorded() {
        let append = |expected| {
            let name = StreamName::new("a").unwrap();
            Append::to(name, expected, [NewEvent::json("A", &().into()).unwrap()])
        };
        let broken = StorageError::Unreachable { says: "gone".into() };
        let (sent, mut awaited) = Sent::new(&append(ExpectedRevision::Any), 0..1);
        sent.give_up(&broken);
        assert!(matches!(told(&mut awaited), Err(AppendError::Storage(StorageError::Unreachable { .. }))));
        let (sent, mut awaited) = Sent::new(&append(ExpectedRevision::Any), 0..1);
        assert!(sent.lose(&broken).is_none());
        assert!(matches!(told(&mut awaited), Err(AppendError::Unknown(_))));
        let refusals = [
            AppendError::Storage(StorageError::Closed),
            AppendError::Overloaded { queued_bytes: 2, limit_bytes: 1 },
        ];
        for refusal in refusals {
            let (sent, mut awaited) = Sent::new(&append(ExpectedRevision::NoStream), 0..1);
            sent.lose(&broken).unwrap().answer(Err(refusal));
            assert!(matches!(told(&mut awaited), Err(AppendError::Unknown(_))));
        }
        let (sent, mut awaited) = Sent::new(&append(ExpectedRevision::NoStream), 0..1);
        sent.lose(&broken).unwrap().give_up(&broken);
        assert!(matches!(told(&mut awaited), Err(AppendError::Unknown(_))));
    }
}
