//! The service `StreamsService` of the second version of the protocol: appends
//! over several streams, each call one transaction.

mod gathered;

use std::sync::Arc;

use factum_core::{Revision, StreamName};
use factum_wire::Failure;
use factum_wire::proto::sessions::streams_service_server::StreamsService;
use factum_wire::proto::sessions::{
    AppendRecordsRequest, AppendRecordsResponse, AppendRequest, AppendSessionResponse,
};
use factum_wire::session::{self, Actual, Expected, Part, SessionFailure, Violation};
use tonic::{Request, Response, Status, Streaming};

use crate::rules::named::Named;
use crate::rules::transaction::{self, Recorded, Refusal};
use crate::serve::Services;
use crate::streams::GATHERING_MAX;

use self::gathered::Gathered;

/// The service.
pub struct SessionsService {
    services: Services,
}

impl SessionsService {
    #[allow(missing_docs)]
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// What was gathered keeps its room until this is answered.
    async fn record(&self, gathered: &Gathered) -> Result<Recorded, SessionFailure> {
        let parts = &gathered.parts;
        let wanted = parts.iter().map(|part| {
            Ok(transaction::Part {
                named: Named::new(part.stream.clone())?,
                expected: part.expected,
                events: part.events.clone(),
            })
        });
        let wanted = wanted.collect::<Result<_, Failure>>()?;
        match transaction::record(Arc::clone(&self.services.store), wanted).await {
            Ok(recorded) => Ok(recorded),
            Err(Refusal::Failed(failure)) => Err(failure.into()),
            Err(Refusal::Wrong(found)) => Err(refused(parts, found)),
        }
    }
}

/// Which streams of a transaction were written, and where they stand now.
fn streams(parts: &[Part], recorded: &Recorded) -> impl Iterator<Item = (StreamName, Revision)> {
    recorded.revisions.iter().map(|(part, revision)| (parts[*part].stream.clone(), *revision))
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
        // The protocol has one word for both where a stream has to exist.
        Actual::Deleted if expected == Expected::Exists => SessionFailure::Tombstoned { stream },
        actual => SessionFailure::Conflict { stream, expected, actual: *actual },
    }
}

#[tonic::async_trait]
impl StreamsService for SessionsService {
    async fn append_session(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<AppendSessionResponse>, Status> {
        let requests = request.into_inner();
        let gathered = Gathered::session(requests, &self.services.room, GATHERING_MAX).await?;
        let recorded = self.record(&gathered).await?;
        Ok(Response::new(session::session_success(streams(&gathered.parts, &recorded), recorded.position)))
    }

    async fn append_records(
        &self,
        request: Request<AppendRecordsRequest>,
    ) -> Result<Response<AppendRecordsResponse>, Status> {
        let parts = session::records(request.into_inner())?;
        let gathered = Gathered::of(parts, &self.services.room).await?;
        let recorded = self.record(&gathered).await?;
        Ok(Response::new(session::records_success(streams(&gathered.parts, &recorded), recorded.position)))
    }
}
