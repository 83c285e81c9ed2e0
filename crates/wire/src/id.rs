//! Event ids, in the two forms they travel in.

use uuid::Uuid;

use crate::failure::Failure;
use crate::proto::client;
use crate::proto::client::uuid::{Structured, Value};

/// The form a client wants ids in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdForm {
    /// Two signed halves.
    #[default]
    Structured,
    /// Text.
    Text,
}

impl IdForm {
    /// An id in this form.
    pub fn encode(self, id: Uuid) -> client::Uuid {
        let value = match self {
            Self::Text => Value::String(id.to_string()),
            Self::Structured => {
                let (most, least) = id.as_u64_pair();
                Value::Structured(Structured {
                    most_significant_bits: most as i64,
                    least_significant_bits: least as i64,
                })
            }
        };
        client::Uuid { value: Some(value) }
    }
}

/// An id in either form; `what` says whose it is if it is missing.
pub fn decode(id: Option<&client::Uuid>, what: &str) -> Result<Uuid, Failure> {
    match id.and_then(|id| id.value.as_ref()) {
        Some(Value::Structured(halves)) => {
            Ok(Uuid::from_u64_pair(halves.most_significant_bits as u64, halves.least_significant_bits as u64))
        }
        Some(Value::String(text)) => Uuid::try_parse(text).map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            Failure::Invalid(format!("{what} {shown:?} is not a UUID: send 32 hexadecimal digits"))
        }),
        None => Err(Failure::Invalid(format!("{what} is missing: send a UUID"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_come_back_as_they_went() {
        bolero::check!().with_type::<u128>().for_each(|bits| {
            let id = Uuid::from_u128(*bits);
            for form in [IdForm::Structured, IdForm::Text] {
                assert_eq!(decode(Some(&form.encode(id)), "the id").unwrap(), id);
            }
        });
    }

    #[test]
    fn the_halves_are_big_endian_and_signed() {
        let id = Uuid::try_parse("ffffffff-ffff-ffff-0000-000000000002").unwrap();
        let halves = Structured { most_significant_bits: -1, least_significant_bits: 2 };
        assert_eq!(IdForm::Structured.encode(id).value, Some(Value::Structured(halves)));
        assert_eq!(IdForm::Text.encode(id).value, Some(Value::String(id.to_string())));
    }

    #[test]
    fn refuses_what_is_no_id() {
        let text = |text: &str| client::Uuid { value: Some(Value::String(text.to_owned())) };
        for (id, says) in [
            (None, "is missing"),
            (Some(text("seven")), "is not a UUID"),
            (Some(client::Uuid::default()), "missing"),
        ] {
            let failure = decode(id.as_ref(), "the event id").unwrap_err();
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }
}
