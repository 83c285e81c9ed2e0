//! The service `StreamsService` of the second version of the protocol: appends
//! over several streams, each call one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use factum_core::StreamName;
use factum_wire::proto::sessions::streams_service_server::StreamsService;
use factum_wire::proto::sessions::{
    AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendSessionResponse,
};
use factum_wire::session::{self, Actual, Part, SessionFailure, Violation};
use factum_wire::{Failure, event};
use tonic::{Request, Response, Status, Streaming};

use crate::rules::named::Named;
use crate::rules::transaction::{self, Recorded, Refusal};
use crate::serve::Services;
use crate::streams::APPEND_BYTES_MAX;

/// The service.
pub struct SessionsService {
    services: Services,
}

impl SessionsService {
    #[allow(missing_docs)]
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    async fn record(&self, parts: Vec<Part>) -> Result<Done, SessionFailure> {
        let wanted = parts.iter().map(|part| {
            Ok(transaction::Part {
                named: Named::new(part.stream.clone())?,
                expected: part.expected,
                events: part.events.clone(),
            })
        });
        let wanted = wanted.collect::<Result<_, Failure>>()?;
        match transaction::record(Arc::clone(&self.services.store), wanted).await {
            Ok(recorded) => Ok(Done { parts, recorded }),
            Err(Refusal::Failed(failure)) => Err(failure.into()),
            Err(Refusal::Wrong(found)) => Err(refused(&parts, found)),
        }
    }
}

/// What was recorded, and for whom.
struct Done {
    parts: Vec<Part>,
    recorded: Recorded,
}

impl Done {
    fn streams(&self) -> impl Iterator<Item = (StreamName, factum_core::Revision)> {
        self.recorded.revisions.iter().map(|(part, revision)| (self.parts[*part].stream.clone(), *revision))
    }
}

/// In the words of the request: its checks if it has any that do not hold, or
/// else the first stream that it writes and that stands elsewhere.
fn refused(parts: &[Part], found: Vec<(usize, Actual)>) -> SessionFailure {
    let violation = |(index, actual): &(usize, Actual)| {
        let Part { stream, expected, check, .. } = &parts[*index];
        Some(Violation { check: (*check)?, stream: stream.clone(), expected: *expected, actual: *actual })
    };
    let mut violations: Vec<_> = found.iter().filter_map(violation).collect();
    if !violations.is_empty() {
        violations.sort_by_key(|violation| violation.check);
        return SessionFailure::Violated(violations);
    }
    let Some((index, actual)) = found.first() else {
        return Failure::Storage("an append was refused for no stream".to_owned()).into();
    };
    let Part { stream, expected, .. } = parts[*index].clone();
    match actual {
        Actual::Tombstoned => SessionFailure::Tombstoned { stream },
        actual => SessionFailure::Conflict { stream, expected, actual: *actual },
    }
}

/// Counts the bytes of one transaction.
#[derive(Default)]
struct Scale(u64);

impl Scale {
    fn add(&mut self, part: &Part) -> Result<(), SessionFailure> {
        self.0 += part.events.iter().map(event::weight).sum::<u64>();
        match self.0 > APPEND_BYTES_MAX {
            true => Err(SessionFailure::TooLarge { bytes: self.0, limit: APPEND_BYTES_MAX }),
            false => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl StreamsService for SessionsService {
    async fn append_session(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<AppendSessionResponse>, Status> {
        let mut requests = request.into_inner();
        let (mut parts, mut scale) = (Vec::new(), Scale::default());
        let mut seen = HashSet::new();
        while let Some(request) = requests.message().await? {
            let part = session::request(request)?;
            if !seen.insert(part.stream.clone()) {
                return Err(SessionFailure::AlreadyInSession { stream: part.stream }.into());
            }
            session::check_count(seen.len())?;
            scale.add(&part)?;
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(SessionFailure::NoRequests.into());
        }
        let done = self.record(parts).await?;
        Ok(Response::new(session::session_success(done.streams(), done.recorded.position)))
    }

    async fn append_records(
        &self,
        request: Request<AppendRecordsRequest>,
    ) -> Result<Response<AppendRecordsResponse>, Status> {
        let parts = session::records(request.into_inner())?;
        let mut scale = Scale::default();
        parts.iter().try_for_each(|part| scale.add(part))?;
        let done = self.record(parts).await?;
        Ok(Response::new(session::records_success(done.streams(), done.recorded.position)))
    }
}
