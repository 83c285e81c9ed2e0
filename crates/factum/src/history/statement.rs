//! Statements: what happened to a model, for somebody who asks why.
//!
//! ```text
//!   2026-11-20T12:00:00.000000Z  AccountDeposited  by ada
//!       position 11, account-123 revision 11
//!       {"id":"123","cents":5000}
//!       ~ /cents  2000 → 7000
//!       = {"id":"123","cents":7000}
//! ```

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use factum_core::{ContentType, EventType, Position, RecordedEvent, Revision, StreamName, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::printable::Printable;
use super::{Diff, Tracing, shown};
use crate::command::actor_of;
use crate::store::StoreError;
use crate::{Model, Moment};

/// What happened to a model, in order. [`Display`] makes a timeline of it; as
/// data it serialises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// Which model.
    pub model: &'static str,
    /// The state before the first entry.
    pub before: Value,
    /// One for each event.
    pub entries: Vec<Entry>,
    /// How many events there were besides, that changed nothing of what was
    /// asked for.
    pub left_out: u64,
}

/// One event of a statement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// When it was recorded.
    #[serde(serialize_with = "text")]
    pub recorded_at: Timestamp,
    /// When it happened, if somebody knew better.
    #[serde(serialize_with = "text_if_any")]
    pub occurred_at: Option<Timestamp>,
    /// What kind of fact.
    #[serde(serialize_with = "text")]
    pub event_type: EventType,
    /// In which shape it was recorded.
    pub schema_version: u32,
    /// Its id.
    #[serde(serialize_with = "text")]
    pub id: Uuid,
    /// Its place in the log.
    #[serde(serialize_with = "position")]
    pub position: Position,
    /// Whose stream it is in.
    #[serde(serialize_with = "text")]
    pub stream: StreamName,
    /// Its place there.
    #[serde(serialize_with = "revision")]
    pub revision: Revision,
    /// Who gave the command.
    pub actor: Option<String>,
    /// The flow it belongs to.
    #[serde(serialize_with = "text_if_any")]
    pub correlation_id: Option<Uuid>,
    /// What led to it.
    pub cause: Option<Cause>,
    /// Everything that was noted besides.
    pub metadata: Map<String, Value>,
    /// The fact, as it is stored.
    pub data: Value,
    /// What it changed.
    pub changes: Diff,
    /// The state it led to.
    pub state: Value,
}

/// What led to an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// The id of that event.
    #[serde(serialize_with = "text")]
    pub id: Uuid,
    /// Its type, if the model was folded from it too.
    #[serde(serialize_with = "text_if_any")]
    pub event_type: Option<EventType>,
}

/// What of a state is asked for.
type View<M> = Arc<dyn Fn(&M) -> Result<Value, StoreError> + Send + Sync>;

/// A statement to be made: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Explaining<M> {
    tracing: Tracing<M>,
    view: View<M>,
    only_changes: bool,
}

impl<M: Model> Explaining<M> {
    pub(crate) fn new(tracing: Tracing<M>) -> Self
    where
        M: Serialize,
    {
        Self { tracing, view: Arc::new(|model| shown(model)), only_changes: false }
    }

    /// Beginning with the event of this moment.
    pub fn from(self, moment: impl Into<Moment>) -> Self {
        Self { tracing: self.tracing.from(moment), ..self }
    }

    /// Ending with the event of this moment.
    pub fn until(self, moment: impl Into<Moment>) -> Self {
        Self { tracing: self.tracing.until(moment), ..self }
    }

    /// About this of the state and nothing else; events that do not change it
    /// are left out, and counted.
    ///
    /// ```
    /// # use factum::prelude::*;
    /// # #[derive(Id, Clone, Debug, PartialEq)] struct CartId(String);
    /// # #[derive(Event, Clone, Debug, PartialEq)] enum Cart { Added { #[id] id: CartId } }
    /// # #[derive(Aggregate, Clone, Debug, serde::Serialize)] #[folds(Cart)]
    /// # struct Items { #[key] id: CartId, count: u64 }
    /// # impl Evolve<Cart> for Items { fn evolve(&mut self, _: &Cart) { self.count += 1; } }
    /// # let store = Store::memory();
    /// # store.record(Cart::Added { id: "c1".into() }).run()?;
    /// let statement = store.load(Items::of("c1")).explain().only(|items| items.count).run()?;
    /// assert_eq!(statement.entries[0].changes.to_string(), "~ (all)  0 → 1");
    /// # Ok::<(), StoreError>(())
    /// ```
    pub fn only<V: Serialize>(self, view: impl Fn(&M) -> V + Send + Sync + 'static) -> Self {
        Self { view: Arc::new(move |model| shown(&view(model))), only_changes: true, ..self }
    }

    /// Reads and tells.
    pub fn run(self) -> Result<Statement, StoreError> {
        let mut changes = self.tracing.changes()?;
        let mut running: Option<Value> = None;
        let mut statement =
            Statement { model: M::NAME, before: Value::Null, entries: Vec::new(), left_out: 0 };
        let mut types: HashMap<Uuid, EventType> = HashMap::new();
        for change in changes.by_ref() {
            let change = change?;
            let before = match running.take() {
                Some(state) => state,
                None => {
                    statement.before = (self.view)(&change.before)?;
                    statement.before.clone()
                }
            };
            let state = (self.view)(&change.after)?;
            let diff = Diff::between(&before, &state);
            types.insert(change.event.id, change.event.event_type.clone());
            if self.only_changes && diff.is_empty() {
                statement.left_out += 1;
            } else {
                statement.entries.push(Entry::of(change.event, &types, diff, state.clone()));
            }
            running = Some(state);
        }
        if running.is_none() {
            statement.before = (self.view)(changes.model())?;
        }
        Ok(statement)
    }
}

impl<M: Model> IntoFuture for Explaining<M> {
    type Output = Result<Statement, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}

impl Statement {
    /// The state after the last entry.
    pub fn after(&self) -> &Value {
        self.entries.last().map_or(&self.before, |entry| &entry.state)
    }
}

impl Entry {
    fn of(event: RecordedEvent, types: &HashMap<Uuid, EventType>, changes: Diff, state: Value) -> Self {
        Self {
            recorded_at: event.recorded_at,
            occurred_at: event.occurred_at,
            schema_version: event.schema_version,
            id: event.id,
            position: event.position,
            revision: event.revision,
            actor: actor_of(&event),
            correlation_id: event.correlation_id,
            cause: event.causation_id.map(|id| Cause { id, event_type: types.get(&id).cloned() }),
            metadata: serde_json::from_slice(&event.metadata).unwrap_or_default(),
            data: data_of(&event),
            changes,
            state,
            event_type: event.event_type,
            stream: event.stream,
        }
    }
}

/// Data that is no JSON is described.
fn data_of(event: &RecordedEvent) -> Value {
    let parsed = match event.content_type {
        ContentType::Json => serde_json::from_slice(&event.data).ok(),
        _ => None,
    };
    parsed
        .unwrap_or_else(|| json!({ "content_type": event.content_type.as_str(), "bytes": event.data.len() }))
}

impl Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.entries.len();
        writeln!(f, "{}: {events} {}", self.model, if events == 1 { "event" } else { "events" })?;
        writeln!(f, "    = {}", Printable(&self.before))?;
        for entry in &self.entries {
            writeln!(f)?;
            entry.fmt(f)?;
        }
        match self.left_out {
            0 => Ok(()),
            1 => writeln!(f, "\n1 further event changed nothing of this"),
            more => writeln!(f, "\n{more} further events changed nothing of this"),
        }
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.recorded_at, self.event_type)?;
        if let Some(actor) = &self.actor {
            write!(f, "  by {}", Printable(actor))?;
        }
        write!(f, "\n    position {}, {} revision {}", self.position, self.stream, self.revision)?;
        if let Some(happened) = self.occurred_at {
            write!(f, ", happened {happened}")?;
        }
        match &self.cause {
            Some(Cause { event_type: Some(event_type), .. }) => write!(f, ", because of {event_type}")?,
            Some(Cause { id, .. }) => write!(f, ", because of event {id}")?,
            None => {}
        }
        writeln!(f, "\n    {}", Printable(&self.data))?;
        for difference in &self.changes.differences {
            writeln!(f, "    {difference}")?;
        }
        writeln!(f, "    = {}", Printable(&self.state))
    }
}

fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn text_if_any<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn position<S: Serializer>(value: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.get())
}

fn revision<S: Serializer>(value: &Revision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.get())
}
