//! Folding: from a boundary's events to a state, and on from where it was.
//!
//! ```text
//!            folded so far             the delta
//!   ├──────────────────────────┤├────────────────────┤
//!   0                        up_to               until
//! ```
//!
//! All parts are read up to one and the same position, so a tuple of models
//! shows one moment of the log.

use factum_core::{
    Appended, Events, ExpectedRevision, NewEvent, Position, Query, Read, ReadError, RecordedEvent, Revision,
    Selection, Start, StreamName, Timestamp, Until,
};
use smallvec::{SmallVec, smallvec};

use crate::boundary::{Boundary, Guard, Part};
use crate::draft::{Draft, unplaced};
use crate::emitted::ReadBack;
use crate::model::FoldError;
use crate::snapshot::Mark;
use crate::stopwatch::Patience;
use crate::store::StoreError;
use crate::{EventStore, Model};

/// A model with everything folded up to a position.
#[derive(Debug, Clone)]
pub struct Folded<M> {
    /// The state.
    pub model: M,
    /// How many events made it.
    pub events: u64,
    /// Position of the last event that was read.
    pub last: Option<Position>,
    /// Everything up to here was looked at, if it is known.
    pub(crate) up_to: Option<Position>,
    /// Whether something it reads is known to have come since.
    pub(crate) is_behind: bool,
    /// For each part that is a stream, its last revision.
    pub(crate) revisions: SmallVec<[Option<Revision>; 1]>,
    /// What it knows of its snapshots.
    pub(crate) mark: Mark,
}

impl<M: Model> Folded<M> {
    /// Before any event.
    pub fn new(model: M) -> Self {
        Self {
            model,
            events: 0,
            last: None,
            up_to: None,
            is_behind: false,
            revisions: smallvec![None; M::PARTS],
            mark: Mark::default(),
        }
    }

    /// Revision of the stream that the first part reads.
    pub fn revision(&self) -> Option<Revision> {
        self.revisions.first().copied().flatten()
    }

    /// Folds what came since, until there. Says how many events that were.
    pub fn advance(
        &mut self,
        store: &dyn EventStore,
        boundary: &Boundary,
        until: Until,
    ) -> Result<u64, StoreError> {
        self.advance_within(store, boundary, until, Patience::endless())
    }

    /// The same, given up when it takes too long.
    pub(crate) fn advance_within(
        &mut self,
        store: &dyn EventStore,
        boundary: &Boundary,
        until: Until,
        patience: Patience,
    ) -> Result<u64, StoreError> {
        let end = match until {
            // One read is one moment.
            _ if is_one_guarded_stream(boundary) => None,
            Until::Revision(_) => None,
            _ => match last_of(store, until)? {
                Some(last) if Some(last) > self.up_to => Some(last),
                _ => return Ok(0),
            },
        };
        let until = end.map_or(until, Until::Position);
        let before = self.events;
        self.fold_streams(store, boundary, until, patience)?;
        self.fold_query(store, boundary, until, patience)?;
        self.up_to = self.up_to.max(end).max(self.last);
        self.is_behind = false;
        Ok(self.events - before)
    }

    fn fold_streams(
        &mut self,
        store: &dyn EventStore,
        boundary: &Boundary,
        until: Until,
        patience: Patience,
    ) -> Result<(), StoreError> {
        for (part, bounds) in boundary.parts.iter().enumerate() {
            let Selection::Stream(stream) = &bounds.read else { continue };
            let from = self.revisions[part].map_or(Start::Edge, |last| Start::Revision(last.next()));
            for event in events_or_none(store.read(Read::stream(stream.clone()).from(from).until(until)))? {
                let event = event?;
                self.model.apply(part, &event)?;
                self.revisions[part] = Some(event.revision);
                self.note(event.position);
                self.bear(patience)?;
            }
        }
        Ok(())
    }

    /// All parts found by tags, in one pass.
    fn fold_query(
        &mut self,
        store: &dyn EventStore,
        boundary: &Boundary,
        until: Until,
        patience: Patience,
    ) -> Result<(), StoreError> {
        let Some(query) = union(boundary) else { return Ok(()) };
        let from = self.up_to.map_or(Start::Edge, |up_to| Start::Position(up_to.next()));
        for event in store.read(Read::query(query).from(from).until(until))? {
            let event = event?;
            for (part, bounds) in boundary.parts.iter().enumerate() {
                if let Selection::Query(query) = &bounds.read
                    && query.selects(&event)
                {
                    self.model.apply(part, &event)?;
                }
            }
            self.note(event.position);
            self.bear(patience)?;
        }
        Ok(())
    }

    fn bear(&self, patience: Patience) -> Result<(), StoreError> {
        let too_long = |max| StoreError::TooLong { model: M::NAME, max, events: self.events };
        patience.lost_at(self.events).map_or(Ok(()), |max| Err(too_long(max)))
    }

    /// Folds what was just appended, each event as it will be read. Nothing is left of
    /// the events.
    pub(crate) fn fold_appended(
        &mut self,
        boundary: &Boundary,
        draft: &mut Draft,
        appended: &Appended,
    ) -> Result<(), FoldError> {
        let mut read_back = draft.read_back.iter();
        let (Some(mut position), Some(recorded_at)) = (appended.first_position(), appended.recorded_at)
        else {
            return Ok(());
        };
        for (write, last) in draft.append.writes.iter_mut().zip(&appended.revisions) {
            let events = std::mem::take(&mut write.events);
            let mut revision = last.map_or(0, |last| last.next().get()).saturating_sub(events.len() as u64);
            for event in events {
                let event =
                    event.recorded(write.stream.clone(), position, Revision::new(revision), recorded_at);
                self.fold_event(boundary, &event, read_back.next().unwrap_or(&None))?;
                (position, revision) = (position.next(), revision + 1);
            }
        }
        self.up_to = appended.last_position();
        Ok(())
    }

    fn fold_event(
        &mut self,
        boundary: &Boundary,
        event: &RecordedEvent,
        read_back: &ReadBack,
    ) -> Result<(), FoldError> {
        let mut is_found_by_query = false;
        for (part, bounds) in boundary.parts.iter().enumerate() {
            if !bounds.reads(&event.stream, &event.event_type, &event.tags) {
                continue;
            }
            apply(&mut self.model, part, event, read_back)?;
            if matches!(bounds.read, Selection::Stream(_)) {
                self.revisions[part] = Some(event.revision);
            } else if std::mem::replace(&mut is_found_by_query, true) {
                // As in a read, where one pass serves all of these parts.
                continue;
            }
            self.note(event.position);
        }
        Ok(())
    }

    /// Folds an event that is about to be appended. Its place in its stream is
    /// known if the boundary guards that; its position is not.
    pub(crate) fn fold_ahead(
        &mut self,
        boundary: &Boundary,
        stream: &StreamName,
        event: &NewEvent,
        read_back: &ReadBack,
        now: Timestamp,
    ) -> Result<(), FoldError> {
        let mut is_read = false;
        for (at, part) in boundary.parts.iter().enumerate() {
            if !part.reads(stream, &event.event_type, &event.tags) {
                continue;
            }
            let is_stream = matches!(part.read, Selection::Stream(_));
            let revision = match is_stream {
                true => self.revisions[at].map_or(Revision::FIRST, Revision::next),
                false => Revision::MAX,
            };
            let mut event = unplaced(event.clone(), stream.clone());
            (event.revision, event.recorded_at) = (revision, now);
            apply(&mut self.model, at, &event, read_back)?;
            if is_stream {
                self.revisions[at] = Some(revision);
            }
            is_read = true;
        }
        self.events += u64::from(is_read);
        Ok(())
    }

    fn note(&mut self, position: Position) {
        self.events += 1;
        self.last = self.last.max(Some(position));
    }

    /// What the stream of a part is expected to be at, if its revision guards it.
    pub(crate) fn expected(&self, part: &Part, at: usize) -> Option<ExpectedRevision> {
        match part.guard {
            Guard::Condition(_) => None,
            Guard::Revision => {
                Some(self.revisions[at].map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact))
            }
        }
    }
}

/// Changes a model by an event that was just made.
pub(crate) fn apply(
    model: &mut impl Model,
    part: usize,
    event: &RecordedEvent,
    read_back: &ReadBack,
) -> Result<(), FoldError> {
    match read_back {
        Some(read_back) => model.apply_read_back(part, event, &**read_back),
        None => model.apply(part, event),
    }
}

/// The last event that belongs to a moment, so that all parts are read as they were
/// at the same one. A moment that is not over ends where the log ends now.
fn last_of(store: &dyn EventStore, until: Until) -> Result<Option<Position>, StoreError> {
    Ok(match until {
        Until::Position(position) => store.last_position()?.min(Some(position)),
        Until::Time(time) => {
            let last = Read::all().backward().from(Start::Time(time)).limit(1);
            store.read(last)?.next().transpose()?.map(|event| event.position)
        }
        Until::Edge | Until::Revision(_) => store.last_position()?,
    })
}

/// Then the end of the stream is moment enough.
fn is_one_guarded_stream(boundary: &Boundary) -> bool {
    matches!(&boundary.parts[..], [part] if part.guard == Guard::Revision)
}

pub(crate) fn union(boundary: &Boundary) -> Option<Query> {
    let mut items = boundary.parts.iter().filter_map(|part| match &part.read {
        Selection::Query(query) => Some(query.items().iter().cloned()),
        _ => None,
    });
    let mut first = items.next()?;
    let query = Query::item(first.next()?);
    Some(first.chain(items.flatten()).fold(query, Query::or))
}

/// A stream without events is one that folds to nothing.
pub(crate) fn events_or_none(events: Result<Events, ReadError>) -> Result<Events, ReadError> {
    match events {
        Err(ReadError::StreamNotFound { .. }) => Ok(Box::new(std::iter::empty())),
        other => other,
    }
}
