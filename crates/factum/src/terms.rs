//! The terms of a command: what is said of it besides what it decides.
//!
//! Usually nothing is. A command that waits for the log, and there may be thousands,
//! then carries nothing of it.

use std::sync::LazyLock;

use crate::command::Context;
use crate::emitted::Emitted;
use crate::retry::Retry;

/// What a rejection is recorded as.
pub type OnRejection<M, R> = Box<dyn Fn(&M, &R) -> Emitted + Send>;

/// The terms of a command for models of type `M`, which say no by an `R`.
pub struct Terms<M, R>(Option<Box<Said<M, R>>>);

/// What was said.
pub struct Said<M, R> {
    pub context: Context,
    pub retry: Retry,
    pub key: Option<String>,
    pub on_rejection: Option<OnRejection<M, R>>,
}

impl<M, R> Terms<M, R> {
    /// Nothing was said.
    pub fn usual() -> Self {
        Self(None)
    }

    /// To say something.
    pub fn say(&mut self) -> &mut Said<M, R> {
        self.0.get_or_insert_with(|| {
            let (context, retry) = (Context::default(), Retry::default());
            Box::new(Said { context, retry, key: None, on_rejection: None })
        })
    }

    pub fn context(&self) -> &Context {
        static NONE: LazyLock<Context> = LazyLock::new(Context::default);
        self.0.as_ref().map_or(&NONE, |said| &said.context)
    }

    pub fn retry(&self) -> Retry {
        self.0.as_ref().map_or_else(Retry::default, |said| said.retry)
    }

    /// The idempotency key.
    pub fn key(&self) -> Option<&str> {
        self.0.as_ref()?.key.as_deref()
    }

    pub fn on_rejection(&self) -> Option<&OnRejection<M, R>> {
        self.0.as_ref()?.on_rejection.as_ref()
    }
}
