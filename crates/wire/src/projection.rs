//! Projections as they are told of: the five that every KurrentDB has, which
//! here are indexes that are always up to date.

use factum_core::Position;
use prost_types::Value;
use prost_types::value::Kind;

use crate::failure::Failure;
use crate::position;
use crate::proto::projections::statistics_req::options::Mode;
use crate::proto::projections::statistics_resp::Details;
use crate::proto::projections::{StatisticsReq, StatisticsResp};

/// Their names.
pub const STANDARD: [&str; 5] =
    ["$by_category", "$by_correlation_id", "$by_event_type", "$stream_by_category", "$streams"];

/// Only what has one of these names is there.
pub fn check(name: &str) -> Result<(), Failure> {
    match STANDARD.contains(&name) {
        true => Ok(()),
        false => Err(Failure::ProjectionNotFound { name: name.to_owned() }),
    }
}

/// Which of them a request asks for.
pub fn asked_for(request: StatisticsReq) -> Result<Vec<&'static str>, Failure> {
    let mode = request.options.and_then(|options| options.mode);
    match mode.ok_or_else(|| Failure::Invalid("the request says not of which projections".to_owned()))? {
        Mode::Name(name) => {
            check(&name)?;
            Ok(STANDARD.into_iter().filter(|standard| *standard == name).collect())
        }
        Mode::All(_) | Mode::Continuous(_) => Ok(STANDARD.to_vec()),
        Mode::Transient(_) | Mode::OneTime(_) => Ok(Vec::new()),
    }
}

/// It runs, and has come to the end of the log.
pub fn running(name: &str, last: Option<Position>) -> StatisticsResp {
    let position = last.map_or(0, position::encode);
    let position = format!("C:{position}/P:{position}");
    StatisticsResp {
        details: Some(Details {
            effective_name: name.to_owned(),
            name: name.to_owned(),
            status: "Running".to_owned(),
            mode: "Continuous".to_owned(),
            progress: 100.0,
            last_checkpoint: position.clone(),
            position,
            ..Details::default()
        }),
    }
}

/// What they have come to, which is nothing: all they make are streams.
pub fn nothing() -> Value {
    Value { kind: Some(Kind::StructValue(prost_types::Struct::default())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::client::Empty;
    use crate::proto::projections::statistics_req::Options;

    #[test]
    fn the_standard_ones_are_told_of_and_no_others() {
        let asked = |mode| asked_for(StatisticsReq { options: Some(Options { mode }) });
        assert_eq!(asked(Some(Mode::All(Empty {}))).unwrap(), STANDARD);
        assert_eq!(asked(Some(Mode::Continuous(Empty {}))).unwrap(), STANDARD);
        assert_eq!(asked(Some(Mode::OneTime(Empty {}))).unwrap(), [""; 0]);
        assert_eq!(asked(Some(Mode::Transient(Empty {}))).unwrap(), [""; 0]);
        assert_eq!(asked(Some(Mode::Name("$streams".to_owned()))).unwrap(), ["$streams"]);
        let other = asked(Some(Mode::Name("sums".to_owned()))).unwrap_err();
        assert_eq!(other, Failure::ProjectionNotFound { name: "sums".to_owned() });
        assert!(asked(None).is_err());
        let told = running("$streams", Some(Position::new(6))).details.unwrap();
        assert_eq!((told.status.as_str(), told.position.as_str()), ("Running", "C:7/P:7"));
    }
}
