//! Moments, in whole microseconds.

use std::fmt;
use std::str::FromStr;

/// A moment in microseconds since 1970-01-01T00:00:00Z; negative before it.
///
/// Prints as RFC 3339 in UTC with six decimals, e.g.
/// `2026-11-21T10:00:00.000001Z`; parses any RFC 3339 time with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time: write it as 2026-11-21T10:00:00Z or 2026-11-21T10:00:00.000001+01:00")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// Earlier than, or equal to, every other.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than, or equal to, every other.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From whole seconds since the Unix epoch; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.6}"),
            // Outside the years RFC 3339 can write.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|moment| Self(moment.as_microsecond()))
            .map_err(|_| TimestampError { text: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_microseconds() {
        let moment = Timestamp::from_micros(1_700_836_215_123_456);
        assert_eq!(moment.to_string(), "2023-11-24T14:30:15.123456Z");
        assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        let offset: Timestamp = "2023-11-24T15:30:15.123456+01:00".parse().unwrap();
        assert_eq!(offset, moment);
    }

    #[test]
    fn prints_what_rfc_3339_cannot_write() {
        assert_eq!(Timestamp::MAX.to_string(), format!("{}us", i64::MAX));
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn refuses_other_text_and_says_how() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("2026-11-21T10:00:00Z"), "{error}");
    }
}
