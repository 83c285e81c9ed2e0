//! [`Words`]: whom to wake when a batch was handed out, each once.
//!
//! Who wants an event is woken at once. A checkpoint has time: nobody reads it before
//! something goes wrong, and a thousand followers have a hundred times as many of them
//! as of events. They are told some milliseconds later, many in one go, so that those
//! of one connection share a write; of several that became due meanwhile, each
//! follower is told the last.

use std::sync::Arc;
use std::task::Waker;

use super::checkpoints::Checkpoints;
use super::member::Member;

/// See the module.
#[derive(Default)]
pub struct Words {
    /// Who has something to read.
    now: Vec<Waker>,
    /// To whom only a checkpoint is due.
    later: Vec<Arc<Member>>,
}

impl Words {
    /// These want an event.
    pub fn event<'a>(&mut self, at: u64, members: impl Iterator<Item = &'a Arc<Member>>) {
        self.now.extend(members.filter_map(|member| member.event(at)));
    }

    /// An event was looked at: a checkpoint may be due.
    pub fn checkpoints(&mut self, at: u64, checkpoints: &mut Checkpoints) {
        while let Some(member) = checkpoints.take_due(at) {
            if member.checkpoint(at) {
                self.later.push(Arc::clone(member));
            }
        }
    }

    /// These read by themselves from here on.
    pub fn off<'a>(&mut self, at: u64, members: impl Iterator<Item = &'a Arc<Member>>) {
        self.now.extend(members.filter_map(|member| member.off(at)));
    }

    /// Wakes those who have something to read. Gives those who have time.
    pub fn say(self) -> Vec<Arc<Member>> {
        self.now.into_iter().for_each(Waker::wake);
        self.later
    }

    /// Wakes them all.
    pub fn say_all(self) {
        wake(self.say());
    }
}

/// Wakes those of them who still wait.
pub fn wake(members: impl IntoIterator<Item = Arc<Member>>) {
    members.into_iter().filter_map(|member| member.waits()).for_each(Waker::wake);
}
