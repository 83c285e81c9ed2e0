//! Codecs: how the fields of an event are written.
//!
//! JSON unless an event asks for something else, because every tool shows it.
//! MessagePack (feature `msgpack`) is smaller; fields keep their names, and ids
//! and times are texts in it as they are in JSON, so it evolves by the same
//! rules, through the same upcasters.

use std::cell::Cell;

use factum_core::ContentType;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::error::{EncodeError, WhyUnreadable};

/// A way to write fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Codec {
    /// `application/json`.
    #[default]
    Json,
    /// `application/msgpack`, with the names of the fields.
    #[cfg(feature = "msgpack")]
    MessagePack,
}

#[cfg(feature = "msgpack")]
const MESSAGE_PACK: &str = "application/msgpack";

impl Codec {
    /// The fields as bytes, with their media type.
    pub fn encode<T: Serialize + ?Sized>(self, fields: &T) -> Result<(ContentType, Vec<u8>), EncodeError> {
        match self {
            Self::Json => {
                let data = written(|data| serde_json::to_writer(data, fields).map_err(EncodeError::new))?;
                Ok((ContentType::Json, data))
            }
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                let data = written(|data| {
                    let mut serializer =
                        rmp_serde::Serializer::new(data).with_struct_map().with_human_readable();
                    fields.serialize(&mut serializer).map_err(EncodeError::new)
                })?;
                Ok((ContentType::from(MESSAGE_PACK), data))
            }
        }
    }

    /// The codec of stored bytes, by their media type.
    pub fn of(content_type: &ContentType) -> Result<Self, WhyUnreadable> {
        match content_type {
            ContentType::Json => Ok(Self::Json),
            #[cfg(feature = "msgpack")]
            ContentType::Other(media_type) if &**media_type == MESSAGE_PACK => Ok(Self::MessagePack),
            other => Err(WhyUnreadable::MediaType { media_type: other.as_str().to_owned() }),
        }
    }

    /// The fields in bytes.
    pub fn decode<T: DeserializeOwned>(self, data: &[u8]) -> Result<T, WhyUnreadable> {
        match self {
            Self::Json => serde_json::from_slice(data).map_err(WhyUnreadable::shape),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                let mut deserializer = rmp_serde::Deserializer::from_read_ref(data).with_human_readable();
                T::deserialize(&mut deserializer).map_err(WhyUnreadable::shape)
            }
        }
    }
}

/// What this writes, in room for that and nothing else: it may wait for the log with
/// a thousand others. Each thread writes where it has written before.
fn written<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Vec<u8>, E> {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Whatever is written by writing this finds another one.
    let mut buffer = BUFFER.take();
    buffer.clear();
    write(&mut buffer)?;
    let data = buffer.as_slice().to_vec();
    if buffer.capacity() <= BUFFER_MAX {
        BUFFER.set(buffer);
    }
    Ok(data)
}

/// How many bytes a thread keeps to write in.
const BUFFER_MAX: usize = 64 * 1024;

/// An event without fields: an empty object, so that fields can be added.
pub fn no_fields<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_map(Some(0))?.end()
}
