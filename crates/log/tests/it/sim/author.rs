//! Makes up what happens: appends, reads and subscriptions that often meet,
//! and often miss, what the store holds.

use factum_core::*;
use factum_log::disk::faulty::Dice;

/// Chance with a sense for what is interesting.
pub struct Author {
    pub dice: Dice,
    ids: u128,
    /// Appends made up so far, to be repeated.
    past: Vec<Append>,
}

impl Author {
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), ids: u128::from(seed) << 64, past: Vec::new() }
    }

    fn stream(&mut self) -> StreamName {
        // Few are busy, many are not.
        let number = if self.dice.chance(60) { self.dice.below(4) } else { self.dice.below(40) };
        let kind = ["cart", "cart", "cart", "order", "$cart"][number as usize % 5];
        StreamName::new(if number == 11 { "cart".to_owned() } else { format!("{kind}-{number}") }).unwrap()
    }

    fn event_type(&mut self) -> EventType {
        EventType::new(*self.dice.pick(&["Opened", "ItemAdded", "ItemRemoved", "CheckedOut"])).unwrap()
    }

    fn tags(&mut self, count: u64) -> Vec<Tag> {
        let mut numbers: Vec<u64> = (0..count).map(|_| self.dice.below(6)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| Tag::new(format!("sku:{number}")).unwrap()).collect()
    }

    fn event(&mut self) -> NewEvent {
        let bytes = match self.dice.below(100) {
            0 => 40_000,
            1..5 => self.dice.below(20_000),
            5..20 => 0,
            _ => self.dice.below(600),
        };
        let mut data = vec![0; bytes as usize];
        if self.dice.chance(80) {
            self.dice.fill(&mut data);
        }
        self.ids += 1;
        let event = NewEvent::new(self.event_type(), data).with_id(Uuid::from_u128(self.ids));
        let tags = self.dice.below(4);
        let mut event = event.with_tags(self.tags(tags)).unwrap();
        if self.dice.chance(20) {
            event.metadata = Bytes::from_static(b"{\"by\":\"author\"}");
            event.content_type = ContentType::Binary;
            event.schema_version = 1 + self.dice.below(3) as u32;
            event.occurred_at = Some(Timestamp::from_seconds(self.dice.below(1 << 40) as i64));
            event.correlation_id = Some(Uuid::from_u128(self.ids + 1));
            event.causation_id = Some(Uuid::from_u128(self.ids + 2));
        }
        event
    }

    fn events(&mut self) -> Vec<NewEvent> {
        let count = match self.dice.below(20) {
            0 => 0,
            1 => self.dice.below(40),
            _ => 1 + self.dice.below(3),
        };
        (0..count).map(|_| self.event()).collect()
    }

    /// Mostly one that is met.
    fn expected(&mut self, model: &MemoryStore, stream: &StreamName) -> ExpectedRevision {
        let actual = model.last_revision(stream).unwrap();
        match self.dice.below(100) {
            0..50 => ExpectedRevision::Any,
            50..85 => actual.map_or(ExpectedRevision::NoStream, ExpectedRevision::Exact),
            85..90 => ExpectedRevision::Exists,
            90..94 => ExpectedRevision::NoStream,
            _ => ExpectedRevision::Exact(Revision::new(self.dice.below(6))),
        }
    }

    fn query(&mut self) -> Query {
        if self.dice.chance(5) {
            return Query::all();
        }
        let mut query = Query::item(self.query_item());
        while self.dice.chance(30) {
            query = query.or(self.query_item());
        }
        query
    }

    fn query_item(&mut self) -> QueryItem {
        let types = (0..self.dice.below(3)).map(|_| self.event_type()).collect();
        let tags = self.dice.below(3);
        let category = |text: &str| Category::new(text.to_owned()).unwrap();
        let categories = match self.dice.below(8) {
            0 => vec![category("cart")],
            1 => vec![category("order")],
            2 => vec![category("order"), category("none")],
            _ => Vec::new(),
        };
        QueryItem { categories, types, tags: self.tags(tags), begins_stream: self.dice.chance(10) }
    }

    /// Something to append; now and then once more what was appended before.
    pub fn append(&mut self, model: &MemoryStore) -> Append {
        if !self.past.is_empty() && self.dice.chance(8) {
            return self.old_append();
        }
        let mut append = Append::default();
        let writes = if self.dice.chance(75) { 1 } else { 1 + self.dice.below(4) };
        let mut named = Vec::new();
        for _ in 0..writes {
            let stream = self.stream();
            if !named.contains(&stream) {
                let expected = self.expected(model, &stream);
                append = append.and_to(stream.clone(), expected, self.events());
                named.push(stream);
            }
        }
        if self.dice.chance(12) {
            let stream = self.stream();
            if !named.contains(&stream) {
                let expected = self.expected(model, &stream);
                append = append.expecting(stream, expected);
            }
        }
        if self.dice.chance(20) {
            let query = self.query();
            let end = self.end(model);
            let after = match self.dice.below(10) {
                0 => None,
                1..4 => Some(Position::new(self.dice.below(end + 2))),
                _ => Position::new(end).previous(),
            };
            append = append.on_condition(AppendCondition { query, after });
        }
        self.past.push(append.clone());
        append
    }

    /// An append made up before, with the same ids; sometimes not quite it.
    fn old_append(&mut self) -> Append {
        let place = self.dice.below(self.past.len() as u64) as usize;
        let mut append = self.past[place].clone();
        if self.dice.chance(20)
            && let Some(write) = append.writes.first_mut()
            && let Some(event) = write.events.last_mut()
        {
            match self.dice.below(3) {
                0 => event.data = Bytes::from_static(b"another fact"),
                1 => event.id = Uuid::from_u128(u128::MAX - u128::from(self.dice.any())),
                _ => write.expected = ExpectedRevision::Any,
            }
        }
        append
    }

    fn end(&mut self, model: &MemoryStore) -> u64 {
        model.last_position().unwrap().map_or(0, |last| last.get() + 1)
    }

    pub fn selection(&mut self) -> Selection {
        match self.dice.below(3) {
            0 => Selection::All,
            1 => Selection::Stream(self.stream()),
            _ => Selection::Query(self.query()),
        }
    }

    /// Something to read, with ends inside, outside and across.
    pub fn read(&mut self, model: &MemoryStore) -> Read {
        let mut read = Read::of(self.selection());
        if self.dice.chance(50) {
            read = read.backward();
        }
        read.from = match self.bound(model, &read.selection) {
            None => Start::Edge,
            Some(Bound::Position(position)) => Start::Position(position),
            Some(Bound::Revision(revision)) => Start::Revision(revision),
            Some(Bound::Time(time)) => Start::Time(time),
        };
        read.until = match self.bound(model, &read.selection) {
            None => Until::Edge,
            Some(Bound::Position(position)) => Until::Position(position),
            Some(Bound::Revision(revision)) => Until::Revision(revision),
            Some(Bound::Time(time)) => Until::Time(time),
        };
        if self.dice.chance(20) {
            read.skip = self.dice.below(30);
        }
        if self.dice.chance(40) {
            read.limit = Some(self.dice.below(20));
        }
        read
    }

    fn bound(&mut self, model: &MemoryStore, selection: &Selection) -> Option<Bound> {
        let end = self.end(model);
        let position = match self.dice.below(20) {
            0 => Position::MAX,
            _ => Position::new(self.dice.below(end + 3)),
        };
        match self.dice.below(10) {
            0..4 => None,
            4..7 => Some(Bound::Position(position)),
            7..9 => {
                let near = model.event_at(position).unwrap().map_or(0, |event| event.recorded_at.as_micros());
                Some(Bound::Time(Timestamp::from_micros(near + self.dice.below(3) as i64 - 1)))
            }
            // One in a hundred asks for a revision where there is none to ask for.
            _ if matches!(selection, Selection::Stream(_)) || self.dice.chance(10) => {
                Some(Bound::Revision(Revision::new(self.dice.below(30))))
            }
            _ => None,
        }
    }
}

enum Bound {
    Position(Position),
    Revision(Revision),
    Time(Timestamp),
}
