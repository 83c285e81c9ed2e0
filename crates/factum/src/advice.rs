//! Advice: which models take so long to load that they should have snapshots.
//!
//! Every load that begins with nothing is measured. Nobody has to guess in
//! advance which model needs snapshots, and none has them without a reason.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// What is called with each model that becomes slow, once.
pub type OnAdvice = Arc<dyn Fn(&Advice) + Send + Sync>;

/// A model that takes too long to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The model's name.
    pub model: &'static str,
    /// How many loads took longer than the budget.
    pub slow_loads: u64,
    /// How many events the slowest folded.
    pub events: u64,
    /// How long that took.
    pub time: Duration,
    /// How long it should take at most.
    pub budget: Duration,
    /// A snapshot after every so many events would keep it within half of
    /// that.
    pub every: u64,
    /// Whether it has snapshots, which then are not taken often enough.
    pub has_snapshots: bool,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, events, time, budget, every, .. } = self;
        let how = if self.has_snapshots { "more often" } else { "of it" };
        write!(
            f,
            "loading {model} folded {events} events in {time:?}, and {budget:?} would do: take snapshots {how}, `.of::<{model}>(SnapshotPolicy::every({every}))`"
        )
    }
}

/// Notes slow loads.
pub(crate) struct Advisor {
    budget: Duration,
    on_advice: Option<OnAdvice>,
    slow: Mutex<HashMap<TypeId, Advice>>,
}

impl Advisor {
    pub fn new(budget: Duration, on_advice: Option<OnAdvice>) -> Self {
        Self { budget, on_advice, slow: Mutex::default() }
    }

    /// A load of this model took so long.
    pub fn note(&self, of: TypeId, model: &'static str, events: u64, time: Duration, has_snapshots: bool) {
        // A load of few events is slow for another reason.
        if time <= self.budget || events < 2 {
            return;
        }
        let per_event = time.as_secs_f64() / events as f64;
        let every = ((self.budget.as_secs_f64() / 2.0 / per_event) as u64).max(1);
        let now = Advice { model, slow_loads: 1, events, time, budget: self.budget, every, has_snapshots };
        let mut is_first = false;
        let mut slow = self.slow.lock();
        slow.entry(of)
            .and_modify(|before| {
                let slow_loads = before.slow_loads + 1;
                *before = if time > before.time { now } else { *before };
                before.slow_loads = slow_loads;
            })
            .or_insert_with(|| {
                is_first = true;
                now
            });
        drop(slow);
        if is_first && let Some(on_advice) = &self.on_advice {
            on_advice(&now);
        }
    }

    /// The slowest first.
    pub fn advice(&self) -> Vec<Advice> {
        let mut advice: Vec<_> = self.slow.lock().values().copied().collect();
        advice.sort_unstable_by_key(|advice| std::cmp::Reverse(advice.time));
        advice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_slow_model_is_named_once_with_its_slowest_load() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = told.clone();
        let on_advice: OnAdvice = Arc::new(move |advice: &Advice| hook.lock().push(*advice));
        let advisor = Advisor::new(50 * MS, Some(on_advice));
        let (one, other) = (TypeId::of::<u8>(), TypeId::of::<u16>());
        advisor.note(one, "Fast", 1_000, 50 * MS, false);
        advisor.note(one, "One event", 1, 80 * MS, false);
        assert_eq!(advisor.advice(), []);
        advisor.note(one, "Balance", 10_000, 100 * MS, false);
        advisor.note(one, "Balance", 40_000, 400 * MS, false);
        advisor.note(one, "Balance", 20_000, 200 * MS, false);
        advisor.note(other, "Seats", 6_000, 60 * MS, true);
        let advice = advisor.advice();
        assert_eq!(advice.iter().map(|advice| advice.model).collect::<Vec<_>>(), ["Balance", "Seats"]);
        assert_eq!((advice[0].slow_loads, advice[0].events, advice[0].every), (3, 40_000, 2_500));
        assert_eq!(told.lock().iter().map(|advice| advice.events).collect::<Vec<_>>(), [10_000, 6_000]);
        assert_eq!(
            advice[0].to_string(),
            "loading Balance folded 40000 events in 400ms, and 50ms would do: take snapshots of it, `.of::<Balance>(SnapshotPolicy::every(2500))`"
        );
        assert!(advice[1].to_string().contains("more often"));
    }
}
