//! What of a sequence is done: not a number but a set, so that one event that
//! takes long does not make the others behind it come again.
//!
//! ```text
//!            low                reached         next
//!   ──────────┬──────────────────┬───────────────┬┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
//!    all done │ open  done  open │ open          │ not looked at yet,
//!             │                  │ (nobody had   │ but may be done
//!             │                  │  one so far)  │ since before a restart
//! ```
//!
//! Everything before `next` was looked at, and is done unless it is open. What
//! is open is in memory, so that the set is as small as the buffers; what is
//! written down ([`Mark`]) is `low` and the done ranges after it.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// How far a sequence is done, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Everything before this is done.
    pub low: u64,
    /// What is done after it: first, and first not, ascending.
    pub done: Vec<(u64, u64)>,
}

/// How far a sequence is done, while it is worked on.
#[derive(Debug, Clone)]
pub struct Progress {
    next: u64,
    reached: u64,
    open: BTreeSet<u64>,
    /// Done before a restart, and not looked at again yet.
    ahead: VecDeque<(u64, u64)>,
}

impl Progress {
    /// Goes on from what was written down.
    pub fn from(mark: &Mark) -> Self {
        let ahead = mark.done.iter().copied().filter(|(first, end)| first < end).collect();
        Self { next: mark.low, reached: mark.low, open: BTreeSet::new(), ahead }
    }

    /// What is to be looked at next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Everything before this is done.
    pub fn low(&self) -> u64 {
        self.open.first().copied().unwrap_or(self.next)
    }

    /// How many were looked at and are not done.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Looks at one; `false` if it was done before.
    pub fn look(&mut self, at: u64) -> bool {
        if at < self.next {
            return false;
        }
        self.pass(at);
        // What `pass` took off the ranges up to here says whether it was done.
        let is_done = self.reached > at;
        if !is_done {
            self.open.insert(at);
        }
        !is_done
    }

    /// Everything up to this one, itself included, was looked at; what was not
    /// opened is nothing to be done about.
    pub fn pass(&mut self, at: u64) {
        self.next = self.next.max(at.saturating_add(1));
        while let Some((first, end)) = self.ahead.front().copied() {
            if first > at {
                break;
            }
            self.reached = self.reached.max(end.min(at.saturating_add(1)));
            if end > at.saturating_add(1) {
                if let Some(front) = self.ahead.front_mut() {
                    front.0 = at.saturating_add(1);
                }
                break;
            }
            self.ahead.pop_front();
        }
    }

    /// Somebody has it.
    pub fn delivered(&mut self, at: u64) {
        self.reached = self.reached.max(at.saturating_add(1));
    }

    /// It is done.
    pub fn done(&mut self, at: u64) {
        self.open.remove(&at);
    }

    /// It is not done after all.
    pub fn reopen(&mut self, at: u64) {
        self.open.insert(at);
    }

    /// Whether it is.
    pub fn is_done(&self, at: u64) -> bool {
        match at < self.next {
            true => !self.open.contains(&at),
            false => self.ahead.iter().any(|(first, end)| (*first..*end).contains(&at)),
        }
    }

    /// How many before `end` are not done, looked at or not, where every
    /// number stands for one.
    pub fn left_before(&self, end: u64) -> u64 {
        let ahead: u64 = self.ahead.iter().map(|(first, past)| past.min(&end).saturating_sub(*first)).sum();
        end.saturating_sub(self.next).saturating_sub(ahead) + self.open.range(..end).count() as u64
    }

    /// What is to be written down.
    pub fn mark(&self) -> Mark {
        let low = self.low();
        let mut done = Vec::new();
        let mut from = low;
        if !self.open.is_empty() {
            let touched = self.open.iter().copied().take_while(|at| *at < self.reached);
            for at in touched.chain([self.reached]) {
                if at > from {
                    done.push((from, at));
                }
                from = from.max(at.saturating_add(1));
            }
        }
        done.extend(&self.ahead);
        Mark { low, done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done_of(mark: &Mark, end: u64) -> Vec<u64> {
        (0..end)
            .filter(|at| *at < mark.low || mark.done.iter().any(|(first, past)| (*first..*past).contains(at)))
            .collect()
    }

    #[test]
    fn one_slow_event_is_all_that_comes_again() {
        let mut progress = Progress::from(&Mark::default());
        for at in 0..1_000 {
            assert!(progress.look(at));
            progress.delivered(at);
        }
        for at in (0..1_000).filter(|at| *at != 3) {
            progress.done(at);
        }
        assert_eq!(progress.mark(), Mark { low: 3, done: vec![(4, 1_000)] });
        let mut again = Progress::from(&progress.mark());
        let open: Vec<_> = (again.next()..1_010).filter(|at| again.look(*at)).collect();
        assert_eq!(open, [vec![3], (1_000..1_010).collect()].concat());
        again.done(3);
        assert_eq!(again.mark().low, 1_000);
    }

    #[test]
    fn what_nobody_had_is_not_done() {
        let mut progress = Progress::from(&Mark::default());
        for at in [0, 5, 9] {
            assert!(progress.look(at));
        }
        progress.pass(20);
        assert_eq!(progress.mark(), Mark { low: 0, done: vec![] });
        progress.delivered(5);
        progress.done(5);
        assert_eq!(progress.mark(), Mark { low: 0, done: vec![(1, 6)] });
        progress.done(0);
        assert_eq!(progress.mark(), Mark { low: 9, done: vec![] });
        progress.done(9);
        assert_eq!((progress.mark(), progress.open()), (Mark { low: 21, done: vec![] }, 0));
    }

    #[test]
    fn what_was_done_stays_written_down_until_it_is_passed() {
        let before = Mark { low: 2, done: vec![(4, 6), (8, 9)] };
        let mut progress = Progress::from(&before);
        assert_eq!(progress.mark(), before);
        assert_eq!(progress.left_before(10), 5);
        assert!(progress.look(2) && progress.look(3) && !progress.look(4));
        assert_eq!(progress.mark(), Mark { low: 2, done: vec![(4, 5), (5, 6), (8, 9)] });
        assert_eq!(progress.left_before(10), 5);
        progress.done(2);
        progress.done(3);
        assert_eq!(progress.mark(), Mark { low: 5, done: vec![(5, 6), (8, 9)] });
        progress.pass(20);
        assert_eq!((progress.mark().low, progress.left_before(10)), (21, 0));
    }

    /// Steps chosen at random, restarts among them: what is done is done.
    #[test]
    fn no_mark_ever_says_more_or_less_than_was_done() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|steps| {
            let mut progress = Progress::from(&Mark::default());
            let (mut open, mut done) = (BTreeSet::new(), BTreeSet::new());
            for step in steps {
                let n = u64::from(step / 4);
                match step % 4 {
                    0 => {
                        let at = progress.next() + n % 3;
                        done.extend(progress.next()..at);
                        assert_eq!(progress.look(at), !done.contains(&at), "{at}");
                        if !done.contains(&at) {
                            open.insert(at);
                        }
                    }
                    1 => {
                        let chosen = open.iter().copied().nth(n as usize % open.len().max(1));
                        if let Some(at) = chosen {
                            progress.delivered(at);
                            progress.done(at);
                            open.remove(&at);
                            done.insert(at);
                        }
                    }
                    2 => {
                        if let Some(at) = open.iter().copied().nth(n as usize % open.len().max(1)) {
                            progress.delivered(at);
                        }
                    }
                    _ => {
                        let mark = progress.mark();
                        let end = 2 + done.last().max(open.last()).copied().unwrap_or(0);
                        let written = done_of(&mark, end);
                        assert!(written.iter().all(|at| done.contains(at)), "{mark:?}");
                        assert!(written.iter().all(|at| !open.contains(at)), "{mark:?}");
                        for at in &done {
                            let untouched =
                                open.first().is_some_and(|first| first < at) && !written.contains(at);
                            // Only what was passed over after the last delivery may be looked at again.
                            assert!(written.contains(at) || untouched, "{at} in {mark:?}");
                        }
                        progress = Progress::from(&mark);
                        open.clear();
                        done = written.into_iter().collect();
                    }
                }
            }
        });
    }
}
