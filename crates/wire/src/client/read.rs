//! Reads: the first batch is awaited before the read is answered, because it
//! may be an error; the others when the reader comes to them.
//!
//! ```text
//!   server ─► connection ─► at most 4 MiB ahead ─► batch ─► events,
//!             (the thread     of the reader         views of its memory
//!              behind)                              (the reader's thread)
//! ```
//!
//! What comes next is received while a batch is unpacked, as much as the flow
//! control of the call lets the server send ahead. A reader that stops reading
//! thereby stops the server; one that is dropped cancels the call.

use std::sync::Arc;

use factum_core::{Events, Position, Read, ReadError, RecordedEvent};
use tonic::{Status, Streaming};

use super::background::Background;
use super::way::{Trouble, Way};
use crate::proto::store as proto;
use crate::store::packed::Unpacked;
use crate::store::{read, status};

/// Why there is no answer.
pub enum Refused {
    /// The store's own word.
    Read(ReadError),
    /// None of the store's.
    Trouble(Trouble),
}

impl Refused {
    fn of(way: &Way, status: &Status) -> Self {
        match status::read_in(status) {
            Some(error) => Self::Read(error),
            None => Self::Trouble(way.trouble(status)),
        }
    }
}

/// Begins a read.
pub fn begin(background: &Arc<Background>, read: &Read) -> Result<Events, ReadError> {
    read.validate()?;
    let request = read::encode(read);
    let way = Arc::clone(background.way());
    let begun = background.run(async move {
        let attempt = || async {
            let mut client = way.reads();
            let first = way.in_time(async {
                let mut answers = client.read(request.clone()).await?.into_inner();
                let first = answers.message().await?;
                Ok((first, answers))
            });
            let begun = async {
                let (mut batch, mut answers) = first.await?;
                // The server is still looking.
                while batch.as_ref().is_some_and(|batch| batch.events.is_empty()) {
                    batch = way.in_time(answers.message()).await?;
                }
                Ok((batch, answers))
            };
            begun.await.map_err(|status: Status| Refused::of(&way, &status))
        };
        persist(&way, attempt).await
    });
    let (first, answers) = begun??;
    let batch = Unpacked::of(first.unwrap_or_default().events);
    Ok(Box::new(RemoteEvents { background: Arc::clone(background), answers: Some(answers), batch }))
}

/// How many events a read would yield.
pub fn count(background: &Arc<Background>, read: &Read) -> Result<u64, ReadError> {
    read.validate()?;
    let request = read::encode(read);
    let way = Arc::clone(background.way());
    background.run(async move {
        let attempt = || async {
            let mut client = way.reads();
            match way.in_time(client.count(request.clone())).await {
                Ok(answer) => Ok(answer.into_inner().count),
                Err(status) => Err(Refused::of(&way, &status)),
            }
        };
        persist(&way, attempt).await
    })?
}

/// The last position there is.
pub fn last_position(background: &Arc<Background>) -> Result<Option<Position>, ReadError> {
    let way = Arc::clone(background.way());
    background.run(async move { persist(&way, || ask_last_position(&way)).await })?
}

/// Asks once.
pub async fn ask_last_position(way: &Way) -> Result<Option<Position>, Refused> {
    let mut client = way.reads();
    match way.in_time(client.last_position(proto::LastPositionRequest {})).await {
        Ok(answer) => Ok(answer.into_inner().position.map(Position::new)),
        Err(status) => Err(Refused::of(way, &status)),
    }
}

/// As [`Way::persist`]; the store's own word is an answer.
async fn persist<T, F>(way: &Way, mut attempt: impl FnMut() -> F) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, Refused>>,
{
    let attempts = || {
        let attempt = attempt();
        async {
            match attempt.await {
                Ok(done) => Ok(Ok(done)),
                Err(Refused::Read(error)) => Ok(Err(error)),
                Err(Refused::Trouble(trouble)) => Err(trouble),
            }
        }
    };
    match way.persist(attempts).await {
        Ok(answer) => answer,
        Err(trouble) => Err(trouble.into_error().into()),
    }
}

/// The events of a read under way.
struct RemoteEvents {
    background: Arc<Background>,
    /// `None` once there will be no more.
    answers: Option<Streaming<proto::ReadResponse>>,
    batch: Unpacked,
}

impl RemoteEvents {
    fn next_batch(&mut self, answers: &mut Streaming<proto::ReadResponse>) -> Result<bool, ReadError> {
        let way = self.background.way();
        let wait = way.options.answer_within;
        match self.background.wait(wait, answers.message()) {
            Some(Ok(Some(response))) => {
                self.batch = Unpacked::of(response.events);
                Ok(true)
            }
            Some(Ok(None)) => Ok(false),
            Some(Err(status)) => Err(match Refused::of(way, &status) {
                Refused::Read(error) => error,
                Refused::Trouble(trouble) => trouble.into_error().into(),
            }),
            None => Err(way.silent(wait).into()),
        }
    }
}

impl Iterator for RemoteEvents {
    type Item = Result<RecordedEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (way, answers) = (self.background.way(), &mut self.answers);
            let event = self.batch.next_or(|error| {
                *answers = None;
                way.misunderstood(&error).into()
            });
            if event.is_some() {
                return event;
            }
            let mut answers = self.answers.take()?;
            match self.next_batch(&mut answers) {
                Ok(true) => self.answers = Some(answers),
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
