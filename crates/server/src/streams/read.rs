//! `Read` with a count: what is there now, of a stream or of the whole log.

use std::sync::Arc;

use factum_core::{Clock, Direction, EventStore, Events, Position, Read, Revision, Start};
use factum_wire::position::Place;
use factum_wire::proto::streams::read_req::options::FilterOption;
use factum_wire::proto::streams::{ReadReq, ReadResp};
use factum_wire::read::written::WrittenAnswers;
use factum_wire::read::{self, From, ReadRequest, What};
use factum_wire::{Failure, Filter};
use tonic::Status;

use crate::failure;
use crate::rules::clients_view::{View, is_hidden};
use crate::serve::Services;
use crate::system::index_read;
use crate::system::source::Source;
use crate::written::Pages;

use super::page::{self, BYTES_MAX, EVENTS_MAX, LOOKED_AT_MAX, Turn};
use super::show::Show;

/// Who begins to read at least so many revisions before the first that can be
/// read, or as many as are wanted, is told which that is.
const PAGE_EVENTS: u64 = 32;

/// Whether a request asks for a part of the log only.
pub fn has_filter(request: &ReadReq) -> bool {
    let options = request.options.as_ref().and_then(|options| options.filter_option.as_ref());
    matches!(options, Some(FilterOption::Filter(_)))
}

/// Answers one call.
pub async fn read(services: &Services, request: ReadRequest) -> Result<Pages, Status> {
    let show = Show { ids: request.ids, resolve_links: request.resolve_links };
    let reading = |question| Reading {
        store: Arc::clone(&services.store),
        clock: Arc::clone(&services.clock),
        show,
        question: Some(question),
        events: Box::new(std::iter::empty()),
        filter: None,
        left: 0,
        first_word: None,
        last_words: Vec::new(),
    };
    let question = match request.what {
        What::Stream { stream, from, direction, count } => Question::Stream {
            source: Source::new(stream)?,
            from,
            direction,
            count,
            tells_ends: request.tells_ends,
        },
        What::All { from, direction, count, filter } => Question::All { from, direction, count, filter },
        // These never end and are answered by `follow`.
        What::FollowStream { .. } | What::FollowAll { .. } => {
            return Err(Failure::Invalid("a subscription is not a read".to_owned()).into());
        }
    };
    page::answer(reading(question)).await
}

/// What was asked, until it is looked up with the first page.
enum Question {
    Stream { source: Source, from: From, direction: Direction, count: u64, tells_ends: bool },
    All { from: Place, direction: Direction, count: u64, filter: Option<Filter> },
}

struct Reading {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    show: Show,
    question: Option<Question>,
    events: Events,
    filter: Option<Filter>,
    /// How many events are still to come.
    left: u64,
    /// Said before the events.
    first_word: Option<ReadResp>,
    /// Said after them.
    last_words: Vec<ReadResp>,
}

impl Turn for Reading {
    fn page(&mut self, answers: &mut WrittenAnswers) -> Result<bool, Failure> {
        if let Some(question) = self.question.take() {
            self.begin(question)?;
        }
        if let Some(first) = self.first_word.take() {
            answers.push(&first);
        }
        let now = self.clock.now();
        let mut looked_at = 0;
        while self.left > 0 {
            if answers.count() >= EVENTS_MAX || answers.bytes() >= BYTES_MAX || looked_at >= LOOKED_AT_MAX {
                return Ok(true);
            }
            let Some(event) = self.events.next() else { break };
            let event = event.map_err(failure::of_read)?;
            looked_at += 1;
            let is_wanted = match &self.filter {
                Some(filter) => filter.matches(&event)?,
                None => true,
            };
            if is_hidden(&event) || !is_wanted {
                continue;
            }
            self.show.event(&*self.store, &event, now, answers)?;
            self.left -= 1;
        }
        self.last_words.drain(..).for_each(|answer| answers.push(&answer));
        Ok(false)
    }
}

impl Reading {
    fn begin(&mut self, question: Question) -> Result<(), Failure> {
        match question {
            Question::Stream { source, from, direction, count, tells_ends } => {
                self.left = count;
                self.begin_stream(&source, from, direction, tells_ends)
            }
            Question::All { from, direction, count, filter } => {
                self.left = count;
                self.events = self.all_events(from, direction, filter.as_ref())?;
                self.filter = filter;
                Ok(())
            }
        }
    }

    fn begin_stream(
        &mut self,
        source: &Source,
        from: From,
        direction: Direction,
        tells_ends: bool,
    ) -> Result<(), Failure> {
        let (first, last) = match source.view(&*self.store, self.clock.now())? {
            View::Buried => return Err(source.deleted()),
            View::NotFound { .. } => {
                self.last_words.push(read::stream_not_found(source.name()));
                return Ok(());
            }
            View::Range { first, last } => (first, last),
        };
        let range = match (direction, from) {
            (Direction::Forward, From::Start) => Some((first, last)),
            (Direction::Forward, From::Revision(from)) => Some((first.max(from), last)),
            (Direction::Forward, From::End) => None,
            (Direction::Backward, From::Start) => Some((first, last.min(Revision::FIRST))),
            (Direction::Backward, From::Revision(from)) => Some((first, last.min(from))),
            (Direction::Backward, From::End) => Some((first, last)),
        };
        let range = range.filter(|(first, last)| first <= last);
        if tells_ends {
            let from = match (direction, from) {
                (Direction::Forward, From::Start) => Revision::FIRST,
                (Direction::Forward, From::Revision(from)) => from,
                (Direction::Forward, From::End) | (Direction::Backward, _) => first,
            };
            // As in KurrentDB, whose first page decides.
            let first_page = from.get().saturating_add(self.left.min(PAGE_EVENTS));
            if from < first && (first_page <= first.get() || range.is_none()) {
                self.first_word = Some(read::first_stream_position(first.get()));
            }
            self.last_words.push(read::last_stream_position(last.get()));
        }
        if let Some((first, last)) = range {
            self.events = source.read(&*self.store, first, last, direction, self.left)?;
        }
        Ok(())
    }

    fn all_events(
        &self,
        from: Place,
        direction: Direction,
        filter: Option<&Filter>,
    ) -> Result<Events, Failure> {
        let all = Read::of(index_read::selection(filter)?);
        let filtered = filter.is_some();
        let nothing = || -> Result<Events, Failure> { Ok(Box::new(std::iter::empty())) };
        let read = match (direction, from) {
            (Direction::Forward, Place::Start) => all,
            (Direction::Forward, Place::End) | (Direction::Backward, Place::Start) => return nothing(),
            (Direction::Backward, Place::End) => all.backward(),
            // The event itself is what follows either place, and is not before it.
            (_, Place::At(position) | Place::Before(position)) => {
                // The place after the last event is one that a client may know.
                let end =
                    self.store.last_position().map_err(failure::of_read)?.map_or(0, |last| last.get() + 1);
                if position > Position::new(end) {
                    return Err(Failure::ReadBeyondEnd { filtered });
                }
                match (direction, position.previous()) {
                    (Direction::Forward, _) => all.from(Start::Position(position)),
                    // Backward, the place itself is not among what is read.
                    (Direction::Backward, Some(before)) => all.backward().from(Start::Position(before)),
                    (Direction::Backward, None) => return nothing(),
                }
            }
        };
        self.store.read(read).map_err(failure::of_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use factum_core::{Append, EventType, ExpectedRevision, MemoryStore, NewEvent, StreamName};
    use factum_wire::IdForm;

    fn name(text: &str) -> StreamName {
        StreamName::new(text.to_owned()).unwrap()
    }

    /// A read of the stream `links`, each of whose events points at a large one.
    fn links(count: usize, bytes: usize) -> Reading {
        let store = MemoryStore::new();
        let large =
            NewEvent { data: vec![b'x'; bytes].into(), ..NewEvent::json("Large", &().into()).unwrap() };
        store.append(Append::to(name("large"), ExpectedRevision::Any, [large])).unwrap();
        let link = || NewEvent::new(EventType::new("$>").unwrap(), "0@large");
        let links: Vec<_> = std::iter::repeat_with(link).take(count).collect();
        store.append(Append::to(name("links"), ExpectedRevision::Any, links)).unwrap();
        let show = Show { ids: IdForm::Text, resolve_links: true };
        let question = Question::Stream {
            source: Source::new(name("links")).unwrap(),
            from: From::Start,
            direction: Direction::Forward,
            count: u64::MAX,
            tells_ends: false,
        };
        Reading {
            store: Arc::new(store),
            clock: Arc::new(factum_core::SystemClock),
            show,
            question: Some(question),
            events: Box::new(std::iter::empty()),
            filter: None,
            left: 0,
            first_word: None,
            last_words: Vec::new(),
        }
    }

    #[test]
    fn a_page_is_full_by_what_its_links_lead_to() {
        const LARGE: usize = 100 * 1024;
        let mut reading = links(100, LARGE);
        let (mut pages, mut shown) = (0, 0);
        loop {
            let mut answers = WrittenAnswers::default();
            let more = reading.page(&mut answers).unwrap();
            assert!(answers.count() * LARGE <= BYTES_MAX + LARGE, "{} in one page", answers.count());
            (pages, shown) = (pages + 1, shown + answers.count());
            if !more {
                break;
            }
        }
        assert!(pages > 1 && shown == 100, "{shown} in {pages} pages");
    }
}
