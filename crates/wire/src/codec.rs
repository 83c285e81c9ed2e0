//! How messages become bytes: as `prost` has it, but that one that has come is
//! first cut out of what has come.
//!
//! ```text
//!   chunks ─► │ message │ message │ mess...     what tonic has gathered
//!                  └─► Bytes ─► fields, some of them slices of it
//! ```
//!
//! Understood where it lies, each number of it is looked for in what may be many
//! pieces; in one piece, that is a look at the next byte.
//!
//! Answers that are written into a page before they go into the connection have their
//! heads from here as well.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

/// How much is gathered in one piece of memory: two frames of HTTP/2, so that what
/// is left of a message fits beside the next without being moved.
const GATHERED_BYTES: usize = 32 * 1024;

/// What gRPC puts before each message: whether it is compressed, and how long it is.
pub const HEAD_BYTES: usize = 5;

/// Begins a message of so many bytes, not compressed.
pub fn write_head(length: usize, page: &mut Vec<u8>) {
    page.reserve(HEAD_BYTES + length);
    page.push(0);
    // An answer is one event of at most 16 MiB, or less.
    page.extend_from_slice(&(length as u32).to_be_bytes());
}

/// Adds a message.
pub fn write(message: &impl Message, page: &mut Vec<u8>) {
    write_head(message.encoded_len(), page);
    message.encode_raw(page);
}

/// The messages of a page: for tests, which want to look at them.
pub fn read_back<M: Message + Default>(mut page: &[u8]) -> Option<Vec<M>> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = page.split_first_chunk::<HEAD_BYTES>() {
        let [0, length @ ..] = head else { return None };
        let (message, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        messages.push(M::decode(message).ok()?);
        page = rest;
    }
    page.is_empty().then_some(messages)
}

/// Sends messages of one type and takes those of another.
pub struct Whole<T, U>(ProstCodec<T, U>);

impl<T, U> Default for Whole<T, U> {
    fn default() -> Self {
        Self(ProstCodec::default())
    }
}

impl<T, U> Codec for Whole<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WholeDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        self.0.encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WholeDecoder(PhantomData)
    }
}

/// Understands messages.
pub struct WholeDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for WholeDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        U::decode(bytes).map(Some).map_err(|error| Status::internal(error.to_string()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(GATHERED_BYTES, GATHERED_BYTES)
    }
}
