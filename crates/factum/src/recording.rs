//! Recording facts that nobody has to decide about.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use crate::Boundary;
use crate::command::Context;
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

    /// With what surrounds them.
    pub fn context(self, context: Context) -> Self {
        Self { context, ..self }
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
