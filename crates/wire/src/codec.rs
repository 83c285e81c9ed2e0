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

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

/// How much is gathered in one piece of memory: two frames of HTTP/2, so that what
/// is left of a message fits beside the next without being moved.
const GATHERED_BYTES: usize = 32 * 1024;

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
