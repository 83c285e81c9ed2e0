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

use std::collections::HashMap;

use factum_core::{ExpectedRevision, StreamName};
use tokio::sync::watch;

/// What has become of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    /// Where it expects the metadata of its stream.
    HandedOver(ExpectedRevision),
    Answered,
}

/// The place of one append behind another. Dropped, the append is answered.
#[derive(Debug)]
pub struct Turn {
    before: Option<watch::Receiver<Stage>>,
    own: watch::Sender<Stage>,
}

impl Turn {
    /// Of an append that is behind no other.
    pub fn alone() -> Self {
        Self { before: None, own: watch::Sender::new(Stage::Waits) }
    }

    /// Waits until the one before is handed over, and says where it expects
    /// the metadata; `None` if it is answered.
    pub async fn comes(&mut self) -> Option<ExpectedRevision> {
        let stage = match &mut self.before {
            Some(before) => before.wait_for(|stage| *stage != Stage::Waits).await.map(|stage| *stage),
            None => return None,
        };
        match stage {
            Ok(Stage::HandedOver(metadata)) => Some(metadata),
            _ => {
                self.before = None;
                None
            }
        }
    }

    /// Waits until the one before is answered.
    pub async fn comes_alone(&mut self) {
        if let Some(before) = &mut self.before {
            let _ = before.wait_for(|stage| *stage == Stage::Answered).await;
        }
        self.before = None;
    }

    /// Whoever comes next may follow on the same metadata.
    pub fn hand_over(&self, metadata: ExpectedRevision) {
        self.own.send_replace(Stage::HandedOver(metadata));
    }

    /// It has to be tried again.
    pub fn take_back(&self) {
        self.own.send_replace(Stage::Waits);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.own.send_replace(Stage::Answered);
    }
}

/// Who is the last one, of each stream.
#[derive(Debug, Default)]
pub struct Turns(HashMap<StreamName, watch::Receiver<Stage>>);

impl Turns {
    /// The turn of the next append to a stream.
    pub fn next(&mut self, stream: &StreamName) -> Turn {
        let mut turn = Turn::alone();
        turn.before = self.0.insert(stream.clone(), turn.own.subscribe());
        turn
    }

    /// Keeps nothing of a stream whose appends are all answered.
    pub fn forget(&mut self, stream: &StreamName) {
        if self.0.get(stream).is_some_and(|last| *last.borrow() == Stage::Answered) {
            self.0.remove(stream);
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
        let (first, mut second, mut other) = (turns.next(&a), turns.next(&a), turns.next(&b));
        assert_eq!(other.comes().now_or_never(), Some(None), "another stream is nobody's business");
        assert_eq!(second.comes().now_or_never(), None);
        first.hand_over(NoStream);
        assert_eq!(second.comes().now_or_never(), Some(Some(NoStream)));
        first.take_back();
        assert_eq!(second.comes().now_or_never(), None);
        first.hand_over(Any);
        assert_eq!(second.comes_alone().now_or_never(), None, "handed over is not answered");
        let mut third = turns.next(&a);
        drop(second);
        assert_eq!(third.comes().now_or_never(), Some(None));
        turns.forget(&a);
        assert!(turns.0.contains_key(&a), "the third one is under way");
        drop((first, third));
        turns.forget(&a);
        assert!(!turns.0.contains_key(&a));
    }
}
