//! Recording facts that nobody has to decide about.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use factum_core::{RecordedEvent, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::Boundary;
use crate::command::{ACTOR, Context};
use crate::draft::Draft;
use crate::emitted::Emitted;
use crate::receipt::Receipt;
use crate::store::{Store, StoreError};

/// Facts to be recorded: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is recorded until it is run or awaited"]
pub struct Recording {
    store: Store,
    emitted: Emitted,
    context: Context,
}

impl Recording {
    pub(crate) fn new(store: Store, emitted: Emitted) -> Self {
        Self { store, emitted, context: Context::default() }
    }

    /// Everything that surrounds them at once.
    pub fn context(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// Who says so; kept as metadata `actor`.
    pub fn actor(self, actor: impl Into<String>) -> Self {
        self.metadata(ACTOR, actor.into())
    }

    /// A fact about the facts.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.metadata.insert(key.into(), value.into());
        self
    }

    /// The flow they belong to.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.context.correlation_id = Some(id);
        self
    }

    /// The event that led to them: its flow goes on.
    pub fn caused_by(mut self, event: &RecordedEvent) -> Self {
        self.context.continue_from(event);
        self
    }

    /// When they happened, if not now.
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.context.occurred_at = Some(time);
        self
    }

    fn draft(self) -> Result<(Store, Draft), StoreError> {
        let mut draft = Draft::default();
        draft.emit(&self.store, self.emitted, &Boundary::default(), &self.context)?;
        Ok((self.store, draft))
    }

    /// Records them.
    pub fn run(self) -> Result<Receipt, StoreError> {
        let (store, draft) = self.draft()?;
        Ok(Receipt::of(store.append(&draft.append)?, draft.correlation_id, 1))
    }
}

impl IntoFuture for Recording {
    type Output = Result<Receipt, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (store, draft) = self.draft()?;
            Ok(Receipt::of(store.append_async(&draft.append).await?, draft.correlation_id, 1))
        })
    }
}
