//! Errors of whole calls: a status whose code and text anybody understands,
//! with the error itself in the details.

use std::error::Error;

use factum_core::{ErrorKind, ReadError, SubscribeError};
use prost::{Message, Name};
use prost_types::Any;
use tonic::{Code, Status};

use super::error::{self, told};
use super::{Malformed, proto};
use crate::proto::google::rpc;

/// Of a read.
pub fn of_read(error: &ReadError) -> Status {
    status(error.kind(), error, &error::encode_read(error))
}

/// Of a subscription.
pub fn of_subscribe(error: &SubscribeError) -> Status {
    status(error.kind(), error, &error::encode_subscribe(error))
}

/// Of a message that is none.
pub fn of_malformed(error: &Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

/// Of a server that stops.
pub fn ending() -> Status {
    Status::unavailable("the server is going down: connect again")
}

/// The read's error in a status, if there is one.
pub fn read_in(status: &Status) -> Option<ReadError> {
    error::decode_read(detail(status)?).ok()
}

/// The subscription's error in a status, if there is one.
pub fn subscribe_in(status: &Status) -> Option<SubscribeError> {
    error::decode_subscribe(detail::<proto::SubscribeError>(status)?).ok()
}

fn status<M: Message + Name>(kind: ErrorKind, error: &dyn Error, detail: &M) -> Status {
    let code = match kind {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict => Code::FailedPrecondition,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Unknown => Code::Aborted,
        ErrorKind::Corrupt => Code::DataLoss,
        _ => Code::Internal,
    };
    let message = told(error);
    let detail =
        Any { type_url: format!("type.googleapis.com/{}", M::full_name()), value: detail.encode_to_vec() };
    let inner = rpc::Status { code: code as i32, message: message.clone(), details: Some(detail) };
    Status::with_details(code, message, inner.encode_to_vec().into())
}

fn detail<M: Message + Name + Default>(status: &Status) -> Option<M> {
    let inner = rpc::Status::decode(status.details()).ok()?;
    let detail = inner.details?;
    let is_this = detail.type_url.rsplit('/').next() == Some(M::full_name().as_str());
    is_this.then(|| M::decode(detail.value.as_slice()).ok()).flatten()
}
