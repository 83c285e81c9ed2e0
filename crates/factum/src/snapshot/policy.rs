//! Policies: when a snapshot is taken. Plain data, combined with
//! [`or`](SnapshotPolicy::or) and [`and`](SnapshotPolicy::and).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// When a snapshot of `M` is taken: looked at after each load, and after each
/// command of this store that changed the state. Never when nothing came since
/// the last one.
#[derive(Clone)]
pub enum SnapshotPolicy<M> {
    /// Only by [`Store::snapshot`](crate::Store::snapshot).
    Manual,
    /// So many events came since the newest snapshot.
    EveryEvents(u64),
    /// The newest snapshot is this old, or there is none.
    EveryDuration(Duration),
    /// The last load had to fold more events than this.
    LongerThan(u64),
    /// The last load took longer than this.
    SlowerThan(Duration),
    /// A command made this transition.
    On(Transition<M>),
    /// One of these holds.
    Any(Vec<Self>),
    /// All of these hold, and there is at least one.
    All(Vec<Self>),
}

/// A question about the state before and after a command.
pub struct Transition<M>(Arc<Question<M>>);

type Question<M> = dyn Fn(&M, &M) -> bool + Send + Sync;

impl<M> Clone for Transition<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What a policy is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a, M> {
    /// Events since the newest snapshot, or in all.
    pub events_since: u64,
    /// How old the newest snapshot is, if there is one.
    pub age: Option<Duration>,
    /// How many events the last load of this state folded; 0 if it was not
    /// loaded since the newest snapshot was taken.
    pub load_events: u64,
    /// How long that took.
    pub load_time: Duration,
    /// The state before and after a command; `None` after a load.
    pub transition: Option<(&'a M, &'a M)>,
}

impl<M> SnapshotPolicy<M> {
    /// After every so many events: [`SnapshotPolicy::EveryEvents`].
    pub fn every(events: u64) -> Self {
        Self::EveryEvents(events)
    }

    /// When the newest one is this old: [`SnapshotPolicy::EveryDuration`].
    pub fn every_duration(duration: Duration) -> Self {
        Self::EveryDuration(duration)
    }

    /// When a load had to fold more: [`SnapshotPolicy::LongerThan`].
    pub fn longer_than(events: u64) -> Self {
        Self::LongerThan(events)
    }

    /// When a load took longer: [`SnapshotPolicy::SlowerThan`].
    pub fn slower_than(duration: Duration) -> Self {
        Self::SlowerThan(duration)
    }

    /// On a transition from the first state to the second:
    /// [`SnapshotPolicy::On`].
    ///
    /// ```
    /// # struct Article { is_published: bool }
    /// # use factum::snapshot::SnapshotPolicy;
    /// let on_publication = SnapshotPolicy::on(|before: &Article, after: &Article| {
    ///     !before.is_published && after.is_published
    /// });
    /// let policy = SnapshotPolicy::every(1_000).or(on_publication);
    /// assert_eq!(policy.to_string(), "every 1000 events, or on a transition");
    /// ```
    pub fn on(transition: impl Fn(&M, &M) -> bool + Send + Sync + 'static) -> Self {
        Self::On(Transition(Arc::new(transition)))
    }

    /// Never by itself: [`SnapshotPolicy::Manual`].
    pub fn manual() -> Self {
        Self::Manual
    }

    /// When either holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Any(mut policies) => {
                policies.push(other);
                Self::Any(policies)
            }
            first => Self::Any(vec![first, other]),
        }
    }

    /// When both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::All(mut policies) => {
                policies.push(other);
                Self::All(policies)
            }
            first => Self::All(vec![first, other]),
        }
    }

    /// Whether one is to be taken now.
    pub fn is_due(&self, situation: &Situation<'_, M>) -> bool {
        situation.events_since > 0 && self.holds(situation)
    }

    fn holds(&self, now: &Situation<'_, M>) -> bool {
        match self {
            Self::Manual => false,
            Self::EveryEvents(events) => now.events_since >= *events,
            Self::EveryDuration(duration) => now.age.is_none_or(|age| age >= *duration),
            Self::LongerThan(events) => now.load_events > *events,
            Self::SlowerThan(duration) => now.load_time > *duration,
            Self::On(Transition(is_made)) => {
                now.transition.is_some_and(|(before, after)| is_made(before, after))
            }
            Self::Any(policies) => policies.iter().any(|policy| policy.holds(now)),
            Self::All(policies) => !policies.is_empty() && policies.iter().all(|policy| policy.holds(now)),
        }
    }

    /// Whether it has to see the state before a command.
    pub(super) fn watches_transitions(&self) -> bool {
        match self {
            Self::On(_) => true,
            Self::Any(policies) | Self::All(policies) => policies.iter().any(Self::watches_transitions),
            _ => false,
        }
    }
}

impl<M> fmt::Display for SnapshotPolicy<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => write!(f, "when asked for"),
            Self::EveryEvents(events) => write!(f, "every {events} events"),
            Self::EveryDuration(duration) => write!(f, "every {duration:?}"),
            Self::LongerThan(events) => write!(f, "when a load folds more than {events} events"),
            Self::SlowerThan(duration) => write!(f, "when a load takes longer than {duration:?}"),
            Self::On(_) => write!(f, "on a transition"),
            Self::Any(policies) => list(f, policies, ", or "),
            Self::All(policies) => list(f, policies, " and "),
        }
    }
}

fn list<M>(f: &mut fmt::Formatter<'_>, policies: &[SnapshotPolicy<M>], between: &str) -> fmt::Result {
    for (at, policy) in policies.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        match policy {
            SnapshotPolicy::Any(_) => write!(f, "({policy})")?,
            _ => write!(f, "{policy}")?,
        }
    }
    if policies.is_empty() { f.write_str("never") } else { Ok(()) }
}

impl<M> fmt::Debug for SnapshotPolicy<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotPolicy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Nothing that any policy waits for, but one event.
    fn quiet() -> Situation<'static, u64> {
        Situation {
            events_since: 1,
            age: Some(Duration::ZERO),
            load_events: 0,
            load_time: Duration::ZERO,
            transition: None,
        }
    }

    #[test]
    fn each_policy_waits_for_its_own() {
        use SnapshotPolicy as P;
        let rows: [(P<u64>, Situation<'_, u64>, Situation<'_, u64>); 7] = [
            (
                P::every(100),
                Situation { events_since: 100, ..quiet() },
                Situation { events_since: 99, ..quiet() },
            ),
            (P::every_duration(MS), Situation { age: Some(MS), ..quiet() }, quiet()),
            (P::every_duration(MS), Situation { age: None, ..quiet() }, quiet()),
            (
                P::longer_than(5),
                Situation { load_events: 6, ..quiet() },
                Situation { load_events: 5, ..quiet() },
            ),
            (
                P::slower_than(MS),
                Situation { load_time: 2 * MS, ..quiet() },
                Situation { load_time: MS, ..quiet() },
            ),
            (
                P::on(|before, after| before < after),
                Situation { transition: Some((&1, &2)), ..quiet() },
                Situation { transition: Some((&2, &1)), ..quiet() },
            ),
            (P::on(|_, _| true), Situation { transition: Some((&1, &2)), ..quiet() }, quiet()),
        ];
        for (policy, due, early) in rows {
            assert!(policy.is_due(&due), "{policy}: {due:?}");
            assert!(!policy.is_due(&early), "{policy}: {early:?}");
            assert!(!policy.is_due(&Situation { events_since: 0, ..due }), "{policy}: nothing new");
        }
        let everything = Situation {
            events_since: 9,
            age: None,
            load_events: 9,
            load_time: MS,
            transition: Some((&1, &2)),
        };
        assert!(!P::manual().is_due(&everything));
    }

    #[test]
    fn policies_combine() {
        let (long, slow) = (SnapshotPolicy::<u64>::longer_than(5), SnapshotPolicy::slower_than(MS));
        let rows = [
            (0, Duration::ZERO, false, false),
            (6, Duration::ZERO, true, false),
            (0, 2 * MS, true, false),
            (6, 2 * MS, true, true),
        ];
        for (load_events, load_time, any, all) in rows {
            let now = Situation { load_events, load_time, ..quiet() };
            assert_eq!(long.clone().or(slow.clone()).is_due(&now), any, "{now:?}");
            assert_eq!(long.clone().and(slow.clone()).is_due(&now), all, "{now:?}");
        }
        assert!(!SnapshotPolicy::<u64>::Any(vec![]).is_due(&quiet()));
        assert!(!SnapshotPolicy::<u64>::All(vec![]).is_due(&quiet()));
        let nested = SnapshotPolicy::<u64>::every(10)
            .or(SnapshotPolicy::every_duration(MS))
            .and(SnapshotPolicy::longer_than(3));
        assert_eq!(
            nested.to_string(),
            "(every 10 events, or every 1ms) and when a load folds more than 3 events"
        );
        assert!(!nested.watches_transitions());
        assert!(nested.or(SnapshotPolicy::on(|_, _| true)).watches_transitions());
    }
}
