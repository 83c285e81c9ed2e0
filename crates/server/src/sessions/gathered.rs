//! One transaction as it comes in: its parts, how many bytes they are, and the
//! room they take until it is answered.

use std::collections::HashSet;
use std::time::Duration;

use factum_wire::proto::sessions::AppendRequest;
use factum_wire::session::{self, Part, SessionFailure};
use factum_wire::{Failure, event};
use futures_util::{Stream, StreamExt};
use tonic::Status;

use crate::room::{Held, Room};
use crate::streams::APPEND_BYTES_MAX;

/// What of a transaction is here.
#[derive(Debug, Default)]
pub struct Gathered {
    pub parts: Vec<Part>,
    bytes: u64,
    held: Held,
}

impl Gathered {
    /// Of one message.
    pub async fn of(parts: Vec<Part>, room: &Room) -> Result<Self, SessionFailure> {
        let mut gathered = Self::default();
        for part in parts {
            gathered.add(part, room).await?;
        }
        Ok(gathered)
    }

    /// Of a session, which is sent whole within this time.
    pub async fn session(
        requests: impl Stream<Item = Result<AppendRequest, Status>>,
        room: &Room,
        at_most: Duration,
    ) -> Result<Self, Status> {
        match tokio::time::timeout(at_most, Self::sent(requests, room)).await {
            Ok(gathered) => gathered,
            Err(_) => Err(SessionFailure::from(Failure::TimedOut).into()),
        }
    }

    async fn sent(
        requests: impl Stream<Item = Result<AppendRequest, Status>>,
        room: &Room,
    ) -> Result<Self, Status> {
        let mut requests = std::pin::pin!(requests);
        let (mut gathered, mut seen) = (Self::default(), HashSet::new());
        while let Some(request) = requests.next().await.transpose()? {
            let part = session::request(request)?;
            if !seen.insert(part.stream.clone()) {
                return Err(SessionFailure::AlreadyInSession { stream: part.stream }.into());
            }
            session::check_count(seen.len())?;
            gathered.add(part, room).await?;
        }
        match gathered.parts.is_empty() {
            true => Err(SessionFailure::NoRequests.into()),
            false => Ok(gathered),
        }
    }

    async fn add(&mut self, part: Part, room: &Room) -> Result<(), SessionFailure> {
        let bytes = part.events.iter().map(event::weight).sum();
        self.bytes += bytes;
        if self.bytes > APPEND_BYTES_MAX {
            return Err(SessionFailure::TooLarge { bytes: self.bytes, limit: APPEND_BYTES_MAX });
        }
        self.held.join(room.take(bytes).await?);
        self.parts.push(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_wire::proto::sessions::{AppendRecord, SchemaFormat, SchemaInfo};
    use tonic::Code;

    fn request(stream: &str, bytes: usize) -> AppendRequest {
        let record = AppendRecord {
            record_id: None,
            properties: Default::default(),
            schema: Some(SchemaInfo { format: SchemaFormat::Bytes as i32, name: "A".to_owned(), id: None }),
            data: vec![b'x'; bytes].into(),
            stream: None,
        };
        AppendRequest { stream: stream.to_owned(), records: vec![record], expected_revision: None }
    }

    #[tokio::test]
    async fn a_session_has_room_as_long_as_it_is_kept() {
        let room = Room::of(10_000, Duration::from_millis(10));
        let sent = |name: &str| tokio_stream::iter([Ok(request(name, 4_000)), Ok(request("b", 2_000))]);
        let gathered = Gathered::session(sent("a"), &room, Duration::from_secs(10)).await.unwrap();
        assert!(room.take_now(5_000).is_none());
        let refused = Gathered::session(sent("c"), &room, Duration::from_secs(10)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "Server Is Too Busy"));
        let refused = Gathered::of(gathered.parts.clone(), &room).await.unwrap_err();
        assert_eq!(refused, SessionFailure::Other(Failure::Busy));
        drop(gathered);
        assert!(room.take_now(10_000).is_some(), "what was refused keeps nothing either");
    }

    #[tokio::test]
    async fn a_session_is_sent_in_time_or_not_at_all() {
        let (room, never) = (Room::default(), futures_util::stream::pending());
        let status = Gathered::session(never, &room, Duration::from_millis(10)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().starts_with("Operation timed out"), "{status}");
    }
}
