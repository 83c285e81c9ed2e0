//! `Subscribe`: a cursor for each call, which moves when the client asks.
//!
//! ```text
//!   begin ──────► page 0: what is there without waiting
//!   turn, wait ─► what is there; if nothing is, what comes next
//!   turn ───────► what is there, perhaps nothing; overtakes a turn that waits
//! ```
//!
//! What is there is read on a thread that may wait. At the end of the log a
//! turn waits without a thread, and what comes then is in memory.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use factum_core::{EventStore, Position, Signal, Subscribe, SubscribeError, Subscription};
use factum_wire::Failure;
use factum_wire::proto::store::subscribe_request::Content;
use factum_wire::proto::store::{Begun, SubscribeRequest, SubscribeResponse, Turn};
use factum_wire::store::{Malformed, status, subscribe};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::blocking::blocking;
use crate::stopping::Stopping;

use super::Answers;
use super::page::{Fill, beating};

/// How many live signals are taken from memory before other work has its turn.
const LIVE_MAX: usize = 64;

/// Begins to answer one call.
pub fn begin(
    store: Arc<dyn EventStore>,
    mut requests: Streaming<SubscribeRequest>,
    mut stopping: Stopping,
) -> Answers<SubscribeResponse> {
    let (answers, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let end = tokio::select! {
            ended = serve(store, &mut requests, &answers) => match ended {
                Ok(()) => return,
                Err(status) => Err(status),
            },
            () = answers.closed() => return,
            () = stopping.said() => Ok(SubscribeResponse { ending: true, ..SubscribeResponse::default() }),
        };
        // Whether anybody still listens does not matter here.
        let _ = answers.send(end).await;
    });
    ReceiverStream::new(receiver).boxed()
}

/// Turn by turn, until the client goes away.
async fn serve(
    store: Arc<dyn EventStore>,
    requests: &mut Streaming<SubscribeRequest>,
    answers: &mpsc::Sender<Result<SubscribeResponse, Status>>,
) -> Result<(), Status> {
    let request = match requests.message().await?.and_then(|request| request.content) {
        Some(Content::Begin(begin)) => {
            subscribe::decode(begin).map_err(|error| status::of_malformed(&error))?
        }
        _ => return Err(status::of_malformed(&Malformed::new("a subscription must begin first"))),
    };
    let beginning = blocking(move || Ok(Cursor::begin(&*store, request)));
    let Some(begun) = beating(beginning, answers, SubscribeResponse::default).await else { return Ok(()) };
    let (mut cursor, first) = begun?.map_err(|error| status::of_subscribe(&error))?;
    if answers.send(Ok(first)).await.is_err() {
        return Ok(());
    }
    let mut overtaking = None;
    loop {
        let turn = match overtaking.take() {
            Some(turn) => turn,
            None => match next_turn(requests).await? {
                Some(turn) => turn,
                None => return Ok(()),
            },
        };
        let Some(read) = beating(read(cursor), answers, SubscribeResponse::default).await else {
            return Ok(());
        };
        let (back, mut signals) = read?;
        cursor = back;
        if signals.is_empty() && turn.wait {
            tokio::select! {
                waited = cursor.wait() => signals = waited.map_err(|error| status::of_subscribe(&error))?,
                next = next_turn(requests) => match next? {
                    Some(next) => {
                        overtaking = Some(next);
                        continue;
                    }
                    None => return Ok(()),
                },
            }
        }
        if answers.send(Ok(answer(turn.number, signals))).await.is_err() {
            return Ok(());
        }
    }
}

async fn read(mut cursor: Cursor) -> Result<(Cursor, Vec<Signal>), Status> {
    let read = blocking(move || {
        let signals = cursor.past();
        Ok::<_, Failure>((cursor, signals))
    });
    let (cursor, signals) = read.await?;
    Ok((cursor, signals.map_err(|error| status::of_subscribe(&error))?))
}

async fn next_turn(requests: &mut Streaming<SubscribeRequest>) -> Result<Option<Turn>, Status> {
    match requests.message().await? {
        None => Ok(None),
        Some(SubscribeRequest { content: Some(Content::Turn(turn)) }) => Ok(Some(turn)),
        Some(_) => {
            Err(status::of_malformed(&Malformed::new("a subscription begins once, and then has turns")))
        }
    }
}

fn answer(turn: u64, signals: Vec<Signal>) -> SubscribeResponse {
    let signals = subscribe::encode_signals(signals);
    SubscribeResponse { turn, signals, ..SubscribeResponse::default() }
}

struct Cursor {
    subscription: Box<dyn Subscription>,
    /// What ends the subscription once all before it was told.
    end: Option<SubscribeError>,
}

impl Cursor {
    fn begin(
        store: &dyn EventStore,
        request: Subscribe,
    ) -> Result<(Self, SubscribeResponse), SubscribeError> {
        // Before it begins, so that nothing lies between this end and the beginning.
        let last = store.last_position()?;
        let mut cursor = Self { subscription: store.subscribe(request)?, end: None };
        let first = answer(0, cursor.past()?);
        let begun = Begun { last_position: last.map(Position::get) };
        Ok((cursor, SubscribeResponse { begun: Some(begun), ..first }))
    }

    /// A page of what is there without waiting.
    fn past(&mut self) -> Result<Vec<Signal>, SubscribeError> {
        let (mut signals, mut fill) = (Vec::new(), Fill::default());
        while !fill.is_full() && self.take_next(&mut signals, &mut fill)? {}
        Ok(signals)
    }

    /// What comes next, and what has come with it.
    async fn wait(&mut self) -> Result<Vec<Signal>, SubscribeError> {
        if let Some(error) = self.end.take() {
            return Err(error);
        }
        let first = poll_fn(|context| self.subscription.poll_next(context)).await?;
        let (mut signals, mut fill) = (vec![first], Fill::default());
        while signals.len() < LIVE_MAX && !is_behind(&signals) && self.take_next(&mut signals, &mut fill)? {}
        Ok(signals)
    }

    /// Takes one more signal, if there is one.
    fn take_next(&mut self, signals: &mut Vec<Signal>, fill: &mut Fill) -> Result<bool, SubscribeError> {
        if let Some(error) = self.end.take() {
            return Err(error);
        }
        match self.subscription.next_within(Duration::ZERO) {
            Ok(None) => Ok(false),
            Ok(Some(signal)) => {
                match &signal {
                    Signal::Event(event) => fill.add(event),
                    _ => fill.add_sign(),
                }
                signals.push(signal);
                Ok(!fill.is_full())
            }
            Err(error) if signals.is_empty() => Err(error),
            Err(error) => {
                self.end = Some(error);
                Ok(false)
            }
        }
    }
}

/// Whether what follows needs a thread that may wait.
fn is_behind(signals: &[Signal]) -> bool {
    matches!(signals.last(), Some(Signal::FellBehind { .. }))
}
