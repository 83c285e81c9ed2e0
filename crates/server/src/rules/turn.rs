//! Turns: the appends to one stream that came over one call go in the order in
//! which they came, although many are in flight.
//!
//! ```text
//!   one    hopes ─► (refused) ─► looks ─► handed over at metadata 7 ─► answered
//!   two       hopes ─► (refused) ── waits ──────► looks: 7 as well ─► handed over
//! ```
//!
//! The first attempt of an append is handed over when it comes, and the store
//! judges what is handed over in that order. Only what must look at the stream
//! before it is tried again waits: until the one before it is answered, or is
//! handed over on the same metadata. In the second case both hold or fall
//! together: metadata that has moved on never comes back.

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use factum_core::{ExpectedRevision, StreamName};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// What has become of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    /// Where it expects the metadata of its stream.
    HandedOver(ExpectedRevision),
    Answered,
}

/// Where one append stands. At most one other looks at it: the one behind it.
#[derive(Debug)]
struct Place(Mutex<(Stage, Option<Waker>)>);

impl Place {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Stage::Waits, None))))
    }

    fn lock(&self) -> MutexGuard<'_, (Stage, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> Stage {
        self.lock().0
    }

    fn set(&self, stage: Stage) {
        let mut place = self.lock();
        place.0 = stage;
        let behind = place.1.take();
        drop(place);
        if let Some(behind) = behind {
            behind.wake();
        }
    }

    /// Its stage, as soon as that is another than these.
    fn poll_past(&self, context: &Context<'_>, is_early: impl Fn(Stage) -> bool) -> Poll<Stage> {
        let mut place = self.lock();
        if is_early(place.0) {
            place.1 = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(place.0)
    }
}

/// The place of one append behind another. Dropped, the append is answered.
#[derive(Debug)]
pub struct Turn {
    before: Option<Arc<Place>>,
    own: Arc<Place>,
}

impl Turn {
    /// Of an append that is behind no other.
    pub fn alone() -> Self {
        Self { before: None, own: Place::new() }
    }

    /// Waits until the one before is handed over, and says where it expects
    /// the metadata; `None` if it is answered.
    pub async fn comes(&mut self) -> Option<ExpectedRevision> {
        let before = self.before.as_ref()?;
        match poll_fn(|context| before.poll_past(context, |stage| stage == Stage::Waits)).await {
            Stage::HandedOver(metadata) => Some(metadata),
            Stage::Waits | Stage::Answered => {
                self.before = None;
                None
            }
        }
    }

    /// Waits until the one before is answered.
    pub async fn comes_alone(&mut self) {
        if let Some(before) = self.before.take() {
            poll_fn(|context| before.poll_past(context, |stage| stage != Stage::Answered)).await;
        }
    }

    /// Whoever comes next may follow on the same metadata.
    pub fn hand_over(&self, metadata: ExpectedRevision) {
        self.own.set(Stage::HandedOver(metadata));
    }

    /// It has to be tried again.
    pub fn take_back(&self) {
        self.own.set(Stage::Waits);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.own.set(Stage::Answered);
    }
}

/// Who is the last one, of each stream. Streams are told apart by a hash that
/// nobody outside can foresee; should two share one, an append waits where it need
/// not have.
#[derive(Debug, Default)]
pub struct Turns {
    last: HashTable<(Line, Arc<Place>)>,
    seed: RandomState,
}

/// The appends to one stream, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line(u64);

impl Turns {
    /// The turn of the next append to a stream.
    pub fn next(&mut self, stream: &StreamName) -> (Turn, Line) {
        let line = Line(self.seed.hash_one(stream));
        let mut turn = Turn::alone();
        let own = Arc::clone(&turn.own);
        match self.last.entry(line.0, |(at, _)| *at == line, |(at, _)| at.0) {
            Entry::Occupied(mut last) => turn.before = Some(std::mem::replace(&mut last.get_mut().1, own)),
            Entry::Vacant(free) => {
                free.insert((line, own));
            }
        }
        (turn, line)
    }

    /// Keeps nothing of a stream whose appends are all answered.
    pub fn forget(&mut self, line: Line) {
        if let Ok(last) = self.last.find_entry(line.0, |(at, _)| *at == line)
            && last.get().1.stage() == Stage::Answered
        {
            last.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ExpectedRevision::{Any, NoStream};
    use futures_util::FutureExt;

    #[test]
    fn who_comes_later_waits_until_the_one_before_is_handed_over() {
        let (a, b) = (StreamName::new("a").unwrap(), StreamName::new("b").unwrap());
        let mut turns = Turns::default();
        let ((first, line), (mut second, same)) = (turns.next(&a), turns.next(&a));
        let (mut other, another) = turns.next(&b);
        assert!(line == same && line != another);
        assert_eq!(other.comes().now_or_never(), Some(None), "another stream is nobody's business");
        assert_eq!(second.comes().now_or_never(), None);
        first.hand_over(NoStream);
        assert_eq!(second.comes().now_or_never(), Some(Some(NoStream)));
        first.take_back();
        assert_eq!(second.comes().now_or_never(), None);
        first.hand_over(Any);
        assert_eq!(second.comes_alone().now_or_never(), None, "handed over is not answered");
        let (mut third, _) = turns.next(&a);
        drop(second);
        assert_eq!(third.comes().now_or_never(), Some(None));
        turns.forget(line);
        assert_eq!(turns.last.len(), 2, "the third one is under way");
        drop((first, third));
        turns.forget(line);
        assert_eq!(turns.last.len(), 1, "and the other");
    }
}
