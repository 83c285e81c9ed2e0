//! Stream names as they travel.

use factum_core::StreamName;

use crate::failure::Failure;
use crate::proto::client::StreamIdentifier;

/// The name a request gives.
pub fn decode(stream: Option<StreamIdentifier>) -> Result<StreamName, Failure> {
    let stream = stream.ok_or_else(|| Failure::Invalid("the stream's name is missing".to_owned()))?;
    StreamName::from_utf8(stream.stream_name).map_err(|error| Failure::Invalid(error.to_string()))
}

/// A name in an answer.
pub fn encode(stream: &StreamName) -> StreamIdentifier {
    StreamIdentifier { stream_name: stream.as_str().to_owned().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_refuses_the_rest() {
        let name = StreamName::new("Grüße-1").unwrap();
        assert_eq!(decode(Some(encode(&name))).unwrap(), name);
        for bytes in [&b""[..], b"a\nb", b"\xff"] {
            let stream = StreamIdentifier { stream_name: bytes.to_vec().into() };
            assert!(matches!(decode(Some(stream)), Err(Failure::Invalid(_))), "{bytes:?}");
        }
        assert!(matches!(decode(None), Err(Failure::Invalid(_))));
    }
}
