//! Rules of their time: old logic for old events.
//!
//! ```text
//!   recorded     2022 ───────────────┤ 2024 ──────────────▶
//!   folded by    no_discounts         discounts
//! ```
//!
//! A rule is chosen by what is recorded with the event and never changes, so
//! every replay chooses the same one.

use factum_core::{RecordedEvent, Timestamp};

use crate::command::producer_of;

/// Chooses the rule an event is folded by; the first that fits.
///
/// ```
/// # use factum::prelude::*;
/// # #[derive(Id, Clone, Debug, PartialEq)] struct OrderId(String);
/// # #[derive(Event, Clone, Debug, PartialEq)]
/// # enum Order { Placed { #[id] id: OrderId, cents: u64, #[serde(default)] discount: u64 } }
/// # #[derive(Aggregate, Clone, Debug)] #[folds(Order)] struct Total { #[key] id: OrderId, cents: u64 }
/// use factum::rules::Rules;
/// use factum::RecordedEvent;
///
/// /// 2024-01-01T00:00:00Z
/// const DISCOUNTS_BEGIN: Timestamp = Timestamp::from_seconds(1_704_067_200);
///
/// impl Evolve<Order> for Total {
///     fn evolve(&mut self, event: &Order) {
///         let Order::Placed { cents, discount, .. } = event;
///         self.cents += cents - discount;
///     }
///
///     fn evolve_at(&mut self, event: &Order, recorded: &RecordedEvent) {
///         let rule = Rules::at(recorded)
///             .recorded_before(DISCOUNTS_BEGIN, Self::without_discounts)
///             .otherwise(Self::evolve);
///         rule(self, event);
///     }
/// }
///
/// impl Total {
///     fn without_discounts(&mut self, event: &Order) {
///         let Order::Placed { cents, .. } = event;
///         self.cents += cents;
///     }
/// }
/// ```
#[must_use = "a chosen rule is to be called"]
pub struct Rules<'a, M, E> {
    recorded: &'a RecordedEvent,
    chosen: Option<Rule<M, E>>,
}

/// How an event changes a state.
pub type Rule<M, E> = fn(&mut M, &E);

impl<'a, M, E> Rules<'a, M, E> {
    /// For this event.
    pub fn at(recorded: &'a RecordedEvent) -> Self {
        Self { recorded, chosen: None }
    }

    /// For what was recorded earlier than this.
    pub fn recorded_before(self, time: Timestamp, rule: Rule<M, E>) -> Self {
        self.when(|recorded| recorded.recorded_at < time, rule)
    }

    /// For what happened earlier than this, or was recorded if nobody said
    /// when it happened.
    pub fn happened_before(self, time: Timestamp, rule: Rule<M, E>) -> Self {
        self.when(|recorded| recorded.occurred_at.unwrap_or(recorded.recorded_at) < time, rule)
    }

    /// For what was recorded in this shape or an older one.
    pub fn schema_up_to(self, version: u32, rule: Rule<M, E>) -> Self {
        self.when(|recorded| recorded.schema_version <= version, rule)
    }

    /// For what a program recorded that this is true of, e.g. of `shop 1.4.0`.
    pub fn made_by(self, program: impl FnOnce(&str) -> bool, rule: Rule<M, E>) -> Self {
        self.when(|recorded| producer_of(recorded).is_some_and(|producer| program(&producer)), rule)
    }

    /// For what else is recorded with the event.
    pub fn when(self, fits: impl FnOnce(&RecordedEvent) -> bool, rule: Rule<M, E>) -> Self {
        let chosen = self.chosen.or_else(|| fits(self.recorded).then_some(rule));
        Self { chosen, ..self }
    }

    /// The rule that fits; this one if none did.
    pub fn otherwise(self, rule: Rule<M, E>) -> Rule<M, E> {
        self.chosen.unwrap_or(rule)
    }
}
