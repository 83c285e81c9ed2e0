//! What is measured, and what it has to come to.

use factum_bench::disk::DiskFigures;

/// One kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// 1,024 appends of one event in flight.
    InFlight,
    /// One append after the other.
    Lone,
    /// Everything, read by one client.
    CatchUp,
    /// 5,000 appends a second, delivered to a subscriber.
    Live,
    /// 1,000 filtered subscribers to 2,000 appends a second.
    FanOut,
    /// A persistent subscription with four consumers.
    Group,
}

/// What is said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A second; more is better.
    PerSecond,
    /// A duration; less is better.
    Micros,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// The best of the peers, if one has any.
    pub best_peer: Option<f64>,
    /// The raw disk in the same minute.
    pub disk: DiskFigures,
    /// Subscribers that did not keep up.
    pub behind: u64,
    /// Whether fewer events were appended than were asked for.
    pub is_slow: bool,
}

/// How many times the best peer's appends Factum's have to be.
const IN_FLIGHT_TIMES: f64 = 2.5;
/// How much longer than a raw write and flush a lone append may take, in µs.
const LONE_OVER_US: f64 = 150.0;
/// How many times the best peer's catch-up Factum's has to be.
const CATCH_UP_TIMES: f64 = 2.0;
/// In how many µs all but one in a hundred live events are delivered.
const LIVE_US: f64 = 5_000.0;
/// How many events a second four consumers have to get through.
const GROUP_PER_S: f64 = 20_000.0;

impl Workload {
    /// In the order of the table.
    pub const ALL: [Self; 6] =
        [Self::InFlight, Self::Lone, Self::CatchUp, Self::Live, Self::FanOut, Self::Group];

    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InFlight => "1,024 appends in flight",
            Self::Lone => "lone append",
            Self::CatchUp => "catch-up read",
            Self::Live => "live at 5,000/s",
            Self::FanOut => "1,000 filtered subscribers at 2,000/s",
            Self::Group => "persistent subscription, 4 consumers",
        }
    }

    /// What its figure is.
    pub fn figure(self) -> &'static str {
        match self {
            Self::InFlight => "appends/s",
            Self::Lone => "append answered, p50",
            Self::CatchUp | Self::Group => "events/s",
            Self::Live | Self::FanOut => "answered to delivered, p99",
        }
    }

    /// What that is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::InFlight | Self::CatchUp | Self::Group => Unit::PerSecond,
            Self::Lone | Self::Live | Self::FanOut => Unit::Micros,
        }
    }

    /// Whether Factum's figure is where it has to be, and where that is.
    pub fn target(self, figure: f64, measure: &Measure) -> (String, bool) {
        let times = |times: f64| match measure.best_peer {
            Some(peer) => (format!("{times} x the best peer"), figure >= times * peer),
            None => (format!("{times} x the best peer, and there is none"), false),
        };
        match self {
            Self::InFlight => times(IN_FLIGHT_TIMES),
            Self::CatchUp => times(CATCH_UP_TIMES),
            Self::Lone => {
                let is_best = measure.best_peer.is_none_or(|peer| figure <= peer);
                let is_near = figure <= measure.disk.flush_p50_us + LONE_OVER_US;
                (format!("raw disk + {LONE_OVER_US} us, best of all"), is_best && is_near)
            }
            Self::Live => (format!("< {} ms", LIVE_US / 1_000.0), figure < LIVE_US && !measure.is_slow),
            Self::FanOut => ("nobody behind".to_owned(), measure.behind == 0 && !measure.is_slow),
            Self::Group => (format!("{GROUP_PER_S}/s"), figure >= GROUP_PER_S),
        }
    }

    /// The better of two figures.
    pub fn better(self, one: f64, other: f64) -> f64 {
        match self.unit() {
            Unit::PerSecond => one.max(other),
            Unit::Micros => one.min(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(best_peer: Option<f64>, behind: u64) -> Measure {
        let disk = DiskFigures {
            flushes_per_s: 8_000.0,
            flush_p50_us: 120.0,
            bytes_per_s: 1e9,
            flush_p99_us: 250.0,
            flush_p999_us: 900.0,
        };
        Measure { best_peer, disk, behind, is_slow: false }
    }

    fn is_met(workload: Workload, figure: f64, best_peer: f64) -> bool {
        workload.target(figure, &measure(Some(best_peer), 0)).1
    }

    #[test]
    fn rates_are_held_against_the_best_peer() {
        assert!(is_met(Workload::InFlight, 250.0, 100.0) && !is_met(Workload::InFlight, 249.0, 100.0));
        assert!(is_met(Workload::CatchUp, 200.0, 100.0) && !is_met(Workload::CatchUp, 199.0, 100.0));
        let (told, met) = Workload::InFlight.target(1e9, &measure(None, 0));
        assert_eq!((told.as_str(), met), ("2.5 x the best peer, and there is none", false));
    }

    #[test]
    fn a_lone_append_has_to_be_near_the_disk_and_the_best() {
        assert!(is_met(Workload::Lone, 270.0, 300.0));
        assert!(!is_met(Workload::Lone, 271.0, 300.0), "too far from the disk");
        assert!(!is_met(Workload::Lone, 200.0, 190.0), "a peer is better");
    }

    #[test]
    fn the_others_have_limits_of_their_own() {
        assert!(is_met(Workload::Live, 4_999.0, 1.0) && !is_met(Workload::Live, 5_000.0, 1.0));
        assert!(is_met(Workload::Group, 20_000.0, 1.0) && !is_met(Workload::Group, 19_999.0, 1.0));
        assert!(Workload::FanOut.target(9e9, &measure(None, 0)).1);
        assert!(!Workload::FanOut.target(1.0, &measure(None, 1)).1);
    }

    #[test]
    fn no_target_is_met_at_a_rate_that_was_not_reached() {
        let slow = Measure { is_slow: true, ..measure(None, 0) };
        assert!(!Workload::Live.target(1.0, &slow).1);
        assert!(!Workload::FanOut.target(1.0, &slow).1);
    }

    #[test]
    fn less_is_better_of_durations_only() {
        assert_eq!(Workload::InFlight.better(1.0, 2.0), 2.0);
        assert_eq!(Workload::Live.better(1.0, 2.0), 1.0);
    }
}
