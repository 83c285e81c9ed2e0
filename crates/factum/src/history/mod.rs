//! History: what happened to a model, told with the code that folds it.
//!
//! ```text
//!   state    20 ─────────▶ 70 ─────────▶ 20
//!   event        deposited      charged          history: each with before and after
//!            └──────── diff ───────────┘         diff: two moments, place by place
//!             when, who, because of what         explain: a statement to show to somebody
//! ```
//!
//! Nothing here is stored or prepared: it is read from the log when asked for,
//! on any model, a tuple included. [`verify`] asks whether folding can be
//! trusted: whether every way to a state comes to the same. A [`flow`] goes across
//! models: what one action led to, and how long that takes ([`between`]).

pub mod between;
pub mod changes;
pub mod diff;
pub mod flow;
pub mod happened;
mod ordered;
mod printable;
pub mod statement;
pub mod verify;

use std::future::{Future, IntoFuture};
use std::pin::Pin;

pub use between::{Times, Timing};
pub use changes::{Change, Changes, Tracing};
pub use diff::{Diff, Difference};
pub use flow::{Flow, Following};
pub use happened::Happened;
use serde::Serialize;
use serde_json::Value;
pub use statement::{Cause, Entry, Explaining, Statement};
pub use verify::{Verified, VerifyError, Verifying};

use crate::load::Loading;
use crate::store::StoreError;
use crate::{Model, Moment};

/// The form of a state that people read.
fn shown<M: Serialize + ?Sized>(state: &M) -> Result<Value, StoreError> {
    serde_json::to_value(state).map_err(|error| StoreError::NoJsonForm { reason: error.to_string() })
}

/// Two moments to be compared: [`run`](Self::run) it, or `.await` it.
#[must_use = "nothing is read until it is run or awaited"]
pub struct Comparing<M> {
    loading: Loading<M>,
    moments: [Moment; 2],
}

impl<M: Model + Serialize> Comparing<M> {
    pub(crate) fn new(loading: Loading<M>, moments: [Moment; 2]) -> Self {
        Self { loading, moments }
    }

    /// What the later of the moments has that the earlier had not, and the
    /// other way round.
    pub fn run(self) -> Result<Diff, StoreError> {
        let Self { loading, moments: [a, b] } = self;
        let then = loading.clone().as_of(a).run()?;
        let now = loading.as_of(b).run()?;
        Ok(Diff::between(&shown(&then.model)?, &shown(&now.model)?))
    }
}

impl<M: Model + Serialize> IntoFuture for Comparing<M> {
    type Output = Result<Diff, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Reads on a thread meant for blocking.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(blocking::unblock(move || self.run()))
    }
}
