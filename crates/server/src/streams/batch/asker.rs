//! Whoever waits for the answer to an append, from its first request on.

use factum_wire::Failure;
use factum_wire::batch;
use factum_wire::proto::client::{StreamIdentifier, Uuid as WireId};
use factum_wire::proto::streams::BatchAppendResp;

use crate::room::Held;
use crate::rules::write::{Refusal, Write, Written};

/// What is sent back as it came, and what the append takes until it is answered.
pub struct Asker {
    #[allow(missing_docs)]
    pub wire_id: WireId,
    /// The stream's name as it came: clients of some languages cannot do without it in
    /// an answer.
    pub wire_name: StreamIdentifier,
    /// Of the events.
    pub bytes: u64,
    #[allow(missing_docs)]
    pub held: Held,
}

impl Asker {
    /// Of an append that has no events yet.
    pub fn new(wire_id: WireId, wire_name: StreamIdentifier) -> Self {
        Self { wire_id, wire_name, bytes: 0, held: Held::default() }
    }

    /// The answer that it is refused with.
    pub fn refused(self, failure: &Failure) -> BatchAppendResp {
        batch::refusal(self.wire_id, self.wire_name, failure)
    }

    /// The answer to what became of it.
    pub fn answer(self, write: &Write, written: Result<Written, Refusal>) -> BatchAppendResp {
        match written {
            Ok(written) => batch::success(self.wire_id, self.wire_name, written.revision, written.position),
            Err(Refusal::Failed(failure)) => self.refused(&failure),
            Err(Refusal::WrongExpected(actual)) => {
                let (stream, expected) = (write.named.target().clone(), write.expected);
                self.refused(&Failure::WrongExpected { stream, expected, actual })
            }
        }
    }
}
