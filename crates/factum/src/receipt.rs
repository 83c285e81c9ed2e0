//! Receipts: what a command came to.

use std::ops::RangeInclusive;

use factum_core::{Appended, Durability, EventType, Position, Revision};
use uuid::Uuid;

/// What was recorded for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// First and last position; `None` if the command led to no event.
    pub positions: Option<RangeInclusive<Position>>,
    /// Last revision of the first stream written.
    pub revision: Option<Revision>,
    /// The flow its events belong to.
    pub correlation_id: Option<Uuid>,
    /// What its events are safe against; without any, what those of the store are.
    pub durability: Durability,
    /// How often it was decided on what was read for it; 1 if nobody interfered.
    pub attempts: u32,
    /// Types it recorded that its own boundary would not read: another decision
    /// on the same boundary would not see them. A test fails on this.
    pub outside_boundary: Vec<EventType>,
}

impl Receipt {
    pub(crate) fn of(appended: Appended, correlation_id: Option<Uuid>, attempts: u32) -> Self {
        Self {
            revision: appended.revision(),
            positions: appended.positions,
            correlation_id,
            durability: appended.durability,
            attempts,
            outside_boundary: Vec::new(),
        }
    }

    /// Position of the last event.
    pub fn last_position(&self) -> Option<Position> {
        self.positions.as_ref().map(|positions| *positions.end())
    }

    /// Without the event that remembers an idempotency key.
    pub(crate) fn leave_out_last(&mut self) {
        let shortened = self.positions.take().and_then(|positions| {
            let last = positions.end().previous()?;
            (last >= *positions.start()).then_some(*positions.start()..=last)
        });
        self.positions = shortened;
    }

    /// How many events were recorded.
    pub fn events(&self) -> u64 {
        self.positions.as_ref().map_or(0, |positions| positions.end().get() - positions.start().get() + 1)
    }
}
