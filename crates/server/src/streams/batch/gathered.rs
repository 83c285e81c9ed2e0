//! What has come of appends whose final message has not.

use std::collections::HashMap;

use factum_core::{Clock, NewEvent};
use factum_wire::batch::{self, Target};
use factum_wire::proto::client::StreamIdentifier;
use factum_wire::proto::streams::batch_append_req::ProposedMessage;
use factum_wire::proto::streams::{BatchAppendReq, BatchAppendResp};
use factum_wire::{Failure, event, id};
use tokio::time::Instant;
use uuid::Uuid;

use crate::room::Held;
use crate::streams::APPEND_BYTES_MAX;

use super::asker::Asker;

/// How many appends of one call may be gathered, and how many bytes of them.
const GATHERED_MAX: usize = 1_024;
const BYTES_MAX: u64 = 2 * APPEND_BYTES_MAX;

/// What was received of one append.
pub struct Gathering {
    #[allow(missing_docs)]
    pub asker: Asker,
    #[allow(missing_docs)]
    pub target: Target,
    #[allow(missing_docs)]
    pub events: Vec<NewEvent>,
    /// Until when its client waits, if not for ever: counted from its options on.
    pub deadline: Option<Instant>,
    /// Whether it was there already when those that take too long were last
    /// looked for.
    is_old: bool,
}

impl Gathering {
    fn new(asker: Asker, target: Target) -> Self {
        let deadline = target.patience.map(|patience| Instant::now() + patience);
        Self { asker, target, events: Vec::new(), deadline, is_old: false }
    }

    /// Also these.
    fn add(&mut self, messages: Vec<ProposedMessage>, held: Held) -> Result<(), Failure> {
        self.asker.held.join(held);
        self.events.reserve(messages.len());
        for message in messages {
            let event = batch::propose(message)?;
            self.asker.bytes += event::weight(&event);
            self.events.push(event);
        }
        match self.asker.bytes > APPEND_BYTES_MAX {
            true => Err(Failure::AppendTooLarge { limit: APPEND_BYTES_MAX }),
            false => Ok(()),
        }
    }
}

/// What one more request makes of an append.
#[derive(Default)]
pub enum Came {
    /// More of it is to come, or it was refused before.
    #[default]
    Part,
    /// All of it.
    Whole(Gathering),
    /// Nothing: it is refused.
    Refused(Box<BatchAppendResp>),
}

/// The appends of a call, by their ids.
#[derive(Default)]
pub struct Gathered {
    by_id: HashMap<Uuid, Gathering>,
    bytes: u64,
}

impl Gathered {
    /// How many bytes of events there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes one request in; an error ends the whole call. Most appends are one
    /// request, and kept nowhere.
    pub fn receive(
        &mut self,
        request: BatchAppendReq,
        held: Result<Held, Failure>,
        clock: &dyn Clock,
    ) -> Result<Came, Failure> {
        let refused = |refusal| Ok(Came::Refused(Box::new(refusal)));
        let Some(wire_id) = request.correlation_id else {
            return Err(Failure::Invalid("a request of the batch has no correlation id".to_owned()));
        };
        let key = id::decode(Some(&wire_id), "the correlation id")?;
        let begun = self.take(key);
        let mut gathering = match request.options {
            Some(options) => {
                let asker = Asker::new(wire_id, options.stream_identifier.clone().unwrap_or_default());
                match batch::target(options, clock.now()) {
                    Ok(target) => Gathering::new(asker, target),
                    Err(failure) => return refused(asker.refused(&failure)),
                }
            }
            None => match (begun, &held) {
                (Some(gathering), _) => gathering,
                (None, Err(failure)) => {
                    return refused(Asker::new(wire_id, StreamIdentifier::default()).refused(failure));
                }
                // What belongs to nothing, or to what was refused, is passed over.
                (None, Ok(_)) => return Ok(Came::Part),
            },
        };
        let added = held.and_then(|held| gathering.add(request.proposed_messages, held));
        if let Err(failure) = added {
            return refused(gathering.asker.refused(&failure));
        }
        if request.is_final {
            return Ok(Came::Whole(gathering));
        }
        self.bytes += gathering.asker.bytes;
        self.by_id.insert(key, gathering);
        match self.by_id.len() > GATHERED_MAX || self.bytes > BYTES_MAX {
            true => Err(Failure::Full(format!(
                "{} appends with {} bytes wait for their final message: finish some before beginning others",
                self.by_id.len(),
                self.bytes,
            ))),
            false => Ok(Came::Part),
        }
    }

    fn take(&mut self, key: Uuid) -> Option<Gathering> {
        if self.by_id.is_empty() {
            return None;
        }
        let gathering = self.by_id.remove(&key)?;
        self.bytes -= gathering.asker.bytes;
        Some(gathering)
    }

    /// What waits for its final message since this was called before does not
    /// keep its room.
    pub fn turn_away_the_old(&mut self) -> Vec<BatchAppendResp> {
        let old = self.by_id.extract_if(|_, gathering| std::mem::replace(&mut gathering.is_old, true));
        let mut refusals = Vec::new();
        for (_, gathering) in old {
            self.bytes -= gathering.asker.bytes;
            refusals.push(gathering.asker.refused(&Failure::TimedOut));
        }
        refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Room;
    use crate::streams::batch::inbox::weight;
    use crate::streams::batch::tests::request;
    use factum_core::SystemClock;
    use factum_wire::IdForm;
    use std::time::Duration;

    /// One that is never finished does not keep its room.
    #[test]
    fn an_append_is_finished_in_time_or_turned_away() {
        let room = Room::of(1_000, Duration::ZERO);
        let mut gathered = Gathered::default();
        let receive = |gathered: &mut Gathered, id| {
            let request = BatchAppendReq { is_final: false, ..request(id, "a", 200) };
            let held = room.take_now(weight(&request)).unwrap();
            assert!(matches!(gathered.receive(request, Ok(held), &SystemClock), Ok(Came::Part)));
        };
        receive(&mut gathered, 1);
        assert_eq!(gathered.turn_away_the_old(), []);
        receive(&mut gathered, 2);
        let refusals = gathered.turn_away_the_old();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].correlation_id, Some(IdForm::Text.encode(Uuid::from_u128(1))));
        assert!(gathered.bytes() > 0 && room.take_now(500).is_some() && room.take_now(800).is_none());
        assert_eq!(gathered.turn_away_the_old().len(), 1);
        assert!(gathered.bytes() == 0 && room.take_now(1_000).is_some());
    }

    #[test]
    fn who_begins_too_many_is_told_to_finish_some() {
        let mut gathered = Gathered::default();
        let mut receive = |id| {
            let request = BatchAppendReq { is_final: false, ..request(id, "a", 10) };
            gathered.receive(request, Ok(Held::default()), &SystemClock).map(|_| ())
        };
        for id in 0..GATHERED_MAX {
            assert_eq!(receive(id as u128), Ok(()));
        }
        assert!(matches!(receive(u128::MAX), Err(Failure::Full(says)) if says.contains("finish some")));
    }
}
