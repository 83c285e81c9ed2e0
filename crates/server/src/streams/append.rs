//! `Append`: gathers what one client sends, then appends it as one.

use std::sync::Arc;
use std::time::Duration;

use factum_wire::append::{Part, part, success, wrong_expected};
use factum_wire::proto::streams::{AppendReq, AppendResp};
use factum_wire::{Failure, event};
use futures_util::{Stream, StreamExt};
use tonic::{Status, Streaming};

use crate::room::{Held, Room};
use crate::rules::named::Named;
use crate::rules::write::{Refusal, Write, write};
use crate::serve::Services;

use super::{APPEND_BYTES_MAX, GATHERING_MAX};

/// Answers one call.
pub async fn append(services: &Services, parts: Streaming<AppendReq>) -> Result<AppendResp, Status> {
    let (gathered, held) = gather(parts, &services.room, GATHERING_MAX).await?;
    let expected = gathered.expected;
    let written = write(Arc::clone(&services.store), gathered).await;
    drop(held);
    match written {
        Ok(written) => Ok(success(written.revision, written.position)),
        Err(Refusal::WrongExpected(actual)) => Ok(wrong_expected(expected, actual)),
        Err(Refusal::Failed(failure)) => Err(failure.into()),
    }
}

/// All of what is to be appended, and the room it takes.
async fn gather(
    parts: impl Stream<Item = Result<AppendReq, Status>>,
    room: &Room,
    at_most: Duration,
) -> Result<(Write, Held), Status> {
    let gathering = async {
        let mut parts = std::pin::pin!(parts);
        let mut gathered: Option<Write> = None;
        let (mut bytes, mut held) = (0, Held::default());
        while let Some(request) = parts.next().await.transpose()? {
            match (part(request)?, &mut gathered) {
                (Part::Options { stream, expected }, none @ None) => {
                    *none = Some(Write { named: Named::new(stream)?, expected, events: Vec::new() });
                }
                (Part::Event(event), Some(write)) => {
                    let weight = event::weight(&event);
                    bytes += weight;
                    if bytes > APPEND_BYTES_MAX {
                        return Err(Failure::AppendTooLarge { limit: APPEND_BYTES_MAX }.into());
                    }
                    held.join(room.take(weight).await?);
                    write.events.push(event);
                }
                (Part::Options { .. }, Some(_)) => return Err(order("its options came twice").into()),
                (Part::Event(_), None) => return Err(order("its first message must be its options").into()),
            }
        }
        let gathered = gathered.ok_or_else(|| order("it has no options"))?;
        Ok((gathered, held))
    };
    match tokio::time::timeout(at_most, gathering).await {
        Ok(gathered) => gathered,
        Err(_) => Err(Failure::TimedOut.into()),
    }
}

fn order(what: &str) -> Failure {
    Failure::Invalid(format!("the append cannot be understood: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    /// One that is never finished does not keep its room.
    #[tokio::test]
    async fn an_append_is_sent_in_time_or_not_at_all() {
        let room = Room::default();
        let never = futures_util::stream::pending();
        let status = gather(never, &room, Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.message().starts_with("Operation timed out"), "{status}");
    }
}
