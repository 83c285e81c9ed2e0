//! `Append`: gathers what one client sends, then appends it as one.

use std::sync::Arc;

use factum_wire::append::{Part, part, success, wrong_expected};
use factum_wire::proto::streams::{AppendReq, AppendResp};
use factum_wire::{Failure, event};
use tonic::{Status, Streaming};

use crate::rules::named::Named;
use crate::rules::write::{Refusal, Write, write};
use crate::serve::Services;

use super::APPEND_BYTES_MAX;

/// Answers one call.
pub async fn append(services: &Services, mut parts: Streaming<AppendReq>) -> Result<AppendResp, Status> {
    let mut gathered: Option<Write> = None;
    let mut bytes = 0;
    while let Some(request) = parts.message().await? {
        match (part(request)?, &mut gathered) {
            (Part::Options { stream, expected }, none @ None) => {
                *none = Some(Write { named: Named::new(stream)?, expected, events: Vec::new() });
            }
            (Part::Event(event), Some(write)) => {
                bytes += event::weight(&event);
                if bytes > APPEND_BYTES_MAX {
                    return Err(Failure::AppendTooLarge { limit: APPEND_BYTES_MAX }.into());
                }
                write.events.push(event);
            }
            (Part::Options { .. }, Some(_)) => return Err(order("its options came twice").into()),
            (Part::Event(_), None) => return Err(order("its first message must be its options").into()),
        }
    }
    let gathered = gathered.ok_or_else(|| order("it has no options"))?;
    let expected = gathered.expected;
    match write(Arc::clone(&services.store), gathered).await {
        Ok(written) => Ok(success(written.revision, written.position)),
        Err(Refusal::WrongExpected(actual)) => Ok(wrong_expected(expected, actual)),
        Err(Refusal::Failed(failure)) => Err(failure.into()),
    }
}

fn order(what: &str) -> Failure {
    Failure::Invalid(format!("the append cannot be understood: {what}"))
}
