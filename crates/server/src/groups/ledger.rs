//! What a group writes down: its checkpoint and what it parks, in one append,
//! so that no crash leaves an event parked that the checkpoint does not count,
//! nor one counted that is not parked.
//!
//! Both streams are the group's own, but everybody may change their metadata,
//! delete them for instance. Each append names the revisions at which the
//! metadata was looked at; if it has moved on, it is looked at again, and the
//! write comes once more a little later.

use std::sync::Arc;

use factum_core::{Append, Appended, EventStore, Read, ReadError, Revision, StreamName, Timestamp};
use factum_wire::Failure;
use factum_wire::groups::GroupKey;

use crate::failure;
use crate::rules::metadata::StreamMetadata;
use crate::rules::named::Named;
use crate::rules::standing::{Standing, State};

use super::checkpoint::Checkpoint;
use super::group::Write;
use super::parked;
use super::shown::Shown;

use factum_core::ExpectedRevision::Any;

/// How many events back a checkpoint is looked for.
const LOOK_BACK: u64 = 16;

/// What everything of a group's own begins with.
const PREFIX: &str = "$persistentsubscription-";

/// Where a group writes, and how that stood when it was last looked at.
#[derive(Debug, Clone)]
pub struct Ledger {
    key: GroupKey,
    checkpoint: (Named, Standing),
    parked: (Named, Standing),
    /// The parked events before this are out of the stream.
    truncated: u64,
}

/// The two streams of a group.
pub fn streams(key: &GroupKey) -> Result<(Named, Named), Failure> {
    let named = |kind: &str| {
        let name = format!("{PREFIX}{key}-{kind}");
        StreamName::new(name).map_err(drop).and_then(|name| Named::new(name).map_err(drop)).map_err(|()| {
            let reason = "its name and its stream's are too long together: shorten the group's".to_owned();
            Failure::GroupFailed { group: key.clone(), reason }
        })
    };
    Ok((named("checkpoint")?, named("parked")?))
}

/// Whether a stream is of a group that reads the log, which must not read what
/// it writes itself.
pub fn is_of_log_group(stream: &StreamName) -> bool {
    stream.as_str().strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with("$all::"))
}

impl Ledger {
    /// Looks at what is written down; `None` if nothing is.
    pub fn open(store: &dyn EventStore, key: GroupKey) -> Result<(Self, Option<Checkpoint>), Failure> {
        let (checkpoint, parked) = streams(&key)?;
        let standings = (Standing::look(store, &checkpoint)?, Standing::look(store, &parked)?);
        let found = match standings.0.state {
            State::Deleted(_) => None,
            State::Live(_) | State::Buried => last_checkpoint(store, &key, checkpoint.target())?,
        };
        let (truncated, _) = parked::range(&standings.1);
        let ledger =
            Self { key, checkpoint: (checkpoint, standings.0), parked: (parked, standings.1), truncated };
        Ok((ledger, found))
    }

    /// Looks at the metadata again.
    pub fn look(&mut self, store: &dyn EventStore) -> Result<(), Failure> {
        self.checkpoint.1 = Standing::look(store, &self.checkpoint.0)?;
        self.parked.1 = Standing::look(store, &self.parked.0)?;
        self.truncated = parked::range(&self.parked.1).0;
        Ok(())
    }

    /// Where the group parks.
    pub fn parked(&self) -> &Named {
        &self.parked.0
    }

    /// The append that writes it down.
    pub fn append(&self, write: &Write<Arc<Shown>>, now: Timestamp) -> Result<Append, Failure> {
        let (named, standing) = &self.checkpoint;
        let checkpoint = write.checkpoint.encode(&self.key.source)?;
        let mut append = Append::to(named.stream.clone(), Any, [checkpoint]);
        let begun = match &standing.state {
            State::Deleted(metadata) => Some(metadata.begun_again(standing.next())?),
            State::Live(_) | State::Buried => None,
        };
        let stays = standing.metadata_expected();
        append = match begun {
            Some(begun) => append.and_to(named.metadata.clone(), stays, [begun]),
            None => append.expecting(named.metadata.clone(), stays),
        };
        let (named, standing) = &self.parked;
        if !write.parks.is_empty() {
            let links: Result<Vec<_>, _> = write.parks.iter().map(|park| parked::link(park, now)).collect();
            append = append.and_to(named.stream.clone(), Any, links?);
        }
        let truncated = |metadata: &StreamMetadata, first: u64| metadata.begun_again(Revision::new(first));
        let low = write.checkpoint.parked.low;
        let metadata = match &standing.state {
            State::Live(metadata) if low > self.truncated => Some(truncated(metadata, low)?),
            State::Deleted(metadata) if !write.parks.is_empty() => {
                Some(truncated(metadata, standing.next().get().max(low))?)
            }
            _ => None,
        };
        let stays = standing.metadata_expected();
        Ok(match metadata {
            Some(metadata) => append.and_to(named.metadata.clone(), stays, [metadata]),
            None => append.expecting(named.metadata.clone(), stays),
        })
    }

    /// It was written, to these streams: what this changed, and the last revision of
    /// what is parked if something was.
    pub fn wrote(
        &mut self,
        streams: &[StreamName],
        appended: &Appended,
        checkpoint: &Checkpoint,
    ) -> Option<Revision> {
        for (stream, revision) in streams.iter().zip(&appended.revisions) {
            for (named, standing) in [&mut self.checkpoint, &mut self.parked] {
                if *stream == named.metadata {
                    standing.metadata_at = *revision;
                    if let State::Deleted(metadata) = &standing.state {
                        standing.state = State::Live(metadata.clone());
                    }
                }
            }
        }
        self.truncated = self.truncated.max(checkpoint.parked.low);
        let mut written = streams.iter().zip(&appended.revisions);
        written.find_map(|(stream, last)| last.filter(|_| *stream == self.parked.0.stream))
    }
}

fn last_checkpoint(
    store: &dyn EventStore,
    key: &GroupKey,
    stream: &StreamName,
) -> Result<Option<Checkpoint>, Failure> {
    let events = match store.read(Read::stream(stream.clone()).backward().limit(LOOK_BACK)) {
        Ok(events) => events,
        Err(ReadError::StreamNotFound { .. }) => return Ok(None),
        Err(error) => return Err(failure::of_read(error)),
    };
    for event in events {
        let event = event.map_err(failure::of_read)?;
        if Checkpoint::is_in(&event) {
            return Checkpoint::decode(key, &event).map(Some);
        }
    }
    Ok(None)
}
