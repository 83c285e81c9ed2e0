//! [`Words`]: whom to wake when a batch was handed out, each once.

use std::sync::Arc;
use std::task::Waker;

use super::checkpoints::Checkpoints;
use super::member::Member;

/// See the module.
#[derive(Default)]
pub struct Words {
    /// Who has something to read.
    urgent: Vec<Waker>,
    /// To whom only a checkpoint is due.
    others: Vec<Waker>,
}

impl Words {
    /// These want an event.
    pub fn event<'a>(&mut self, at: u64, members: impl Iterator<Item = &'a Arc<Member>>) {
        self.urgent.extend(members.filter_map(|member| member.event(at)));
    }

    /// An event was looked at: a checkpoint may be due.
    pub fn checkpoints(&mut self, at: u64, checkpoints: &mut Checkpoints) {
        while let Some(member) = checkpoints.take_due(at) {
            self.others.extend(member.checkpoint(at));
        }
    }

    /// These read by themselves from here on.
    pub fn off<'a>(&mut self, at: u64, members: impl Iterator<Item = &'a Arc<Member>>) {
        self.others.extend(members.filter_map(|member| member.off(at)));
    }

    /// Wakes them.
    pub fn say(self) {
        self.urgent.into_iter().chain(self.others).for_each(Waker::wake);
    }
}
