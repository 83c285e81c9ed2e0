//! Appends: one queue, one call, many in flight.
//!
//! ```text
//!   hand_over ─► queue ─► waiting ─► [messages of up to 512] ─► in flight
//!                            ▲                                      │ answers
//!                            └── sent again, first ◄── broken ◄─────┴──► callers
//! ```
//!
//! Appends are sent in the order in which they were handed over, and so judged;
//! that holds over a new connection too, because what is sent again goes before
//! what was not sent yet. What waits while a message is being sent goes with
//! the next one, so that messages grow under load and a lone append waits for
//! nobody.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factum_core::{Append, AppendError, AppendFuture, InvalidAppend, StorageError, WhenFull};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tonic::Streaming;

use super::sent::Sent;
use super::way::{Trouble, Way};
use crate::proto::store::{AppendRequest, AppendResponse};
use crate::store::{APPEND_BYTES_MAX, append};

/// How many appends, and about how many bytes, go in one message.
const MESSAGE_APPENDS_MAX: usize = 512;
const MESSAGE_BYTES: u64 = 1024 * 1024;
/// How many messages wait for the connection to take them.
const MESSAGES_MAX: usize = 2;
/// How many appends are taken from the queue in one go.
const TAKEN_MAX: usize = 1_024;
/// How long after a call that broke the next one is begun.
const BREATH: Duration = Duration::from_millis(5);
/// Into how many ticks the time for an answer is divided.
const TICKS: u64 = 8;

/// Where appends are handed over.
pub struct Appends {
    queue: mpsc::UnboundedSender<Sent>,
    queued_bytes: Arc<AtomicU64>,
    limit_bytes: u64,
}

/// The queue, and what carries it; the second ends after the first was dropped
/// and everything in it is answered.
pub fn begin(way: Arc<Way>) -> (Appends, impl Future<Output = ()> + Send) {
    let (queue, queued) = mpsc::unbounded_channel();
    let queued_bytes = Arc::new(AtomicU64::new(0));
    let limit_bytes = way.options.queue_bytes_max;
    let appends = Appends { queue, queued_bytes: Arc::clone(&queued_bytes), limit_bytes };
    let carrier = Carrier {
        way,
        queued,
        queued_bytes,
        is_open: true,
        waiting: VecDeque::new(),
        in_flight: BTreeMap::new(),
        next_number: 1,
        ticks: 0,
    };
    (appends, carrier.run())
}

impl Appends {
    /// Hands one over, by this call and not by the first poll.
    pub fn hand_over(&self, append: Append) -> AppendFuture {
        match self.queue_up(append) {
            Ok(awaited) => Box::pin(async move {
                // Whoever carries it has ended without an answer: only a bug does.
                awaited.await.unwrap_or(Err(AppendError::Unknown(StorageError::Closed)))
            }),
            Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
        }
    }

    fn queue_up(&self, append: Append) -> Result<super::sent::Awaited, AppendError> {
        append.validate()?;
        let bytes = append::weight(&append);
        if bytes > APPEND_BYTES_MAX {
            return Err(InvalidAppend::TooLarge { bytes, limit: APPEND_BYTES_MAX }.into());
        }
        let queued_bytes = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if append.when_full == WhenFull::Refuse && queued_bytes.saturating_add(bytes) > self.limit_bytes {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded { queued_bytes, limit_bytes: self.limit_bytes });
        }
        let (sent, awaited) = Sent::new(append, bytes);
        self.queue.send(sent).map_err(|_| AppendError::Storage(StorageError::Closed))?;
        Ok(awaited)
    }
}

/// Carries appends to the server and answers back.
struct Carrier {
    way: Arc<Way>,
    queued: mpsc::UnboundedReceiver<Sent>,
    queued_bytes: Arc<AtomicU64>,
    /// Whether more may be handed over.
    is_open: bool,
    waiting: VecDeque<Sent>,
    /// By number, which is the order in which they were sent; and at which tick.
    in_flight: BTreeMap<u64, (u64, Sent)>,
    next_number: u64,
    ticks: u64,
}

/// One call.
struct Call {
    messages: mpsc::Sender<AppendRequest>,
    answers: Streaming<AppendResponse>,
}

/// How a call ended.
enum End {
    /// Nothing more is to be carried.
    Done,
    /// The server stops, and has answered all that it took.
    Stopped,
    Broken(Trouble),
}

impl Carrier {
    async fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                match self.queued.recv().await {
                    Some(sent) => self.waiting.push_back(sent),
                    None => return,
                }
            }
            let way = Arc::clone(&self.way);
            let end = match way.persist(|| open(&way)).await {
                Ok(call) => self.carry(call).await,
                Err(trouble) => {
                    self.give_up(&trouble.into_error());
                    continue;
                }
            };
            match end {
                End::Done => return,
                End::Stopped => {
                    let unseen = std::mem::take(&mut self.in_flight).into_values();
                    self.send_again(unseen.map(|(_, sent)| sent).collect());
                }
                End::Broken(Trouble::Broken(error)) => self.lose(&error),
                End::Broken(Trouble::Final(error)) => {
                    for (_, sent) in std::mem::take(&mut self.in_flight).into_values() {
                        self.settled(sent.bytes);
                        if let Some(sent) = sent.lose(&error) {
                            sent.give_up(&error);
                        }
                    }
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Until the call ends.
    async fn carry(&mut self, mut call: Call) -> End {
        let wait = self.way.options.answer_within;
        let mut clock = tokio::time::interval((wait / TICKS as u32).max(Duration::from_millis(1)));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken = Vec::new();
        let mut is_sending = true;
        loop {
            if !self.is_open && self.waiting.is_empty() && self.in_flight.is_empty() {
                return End::Done;
            }
            let end = tokio::select! {
                room = call.messages.reserve(), if is_sending && !self.waiting.is_empty() => {
                    match room {
                        Ok(room) => room.send(self.next_message()),
                        // The call is over; its answers say why.
                        Err(_) => is_sending = false,
                    }
                    None
                }
                count = self.queued.recv_many(&mut taken, TAKEN_MAX), if self.is_open => {
                    self.is_open = count > 0;
                    self.waiting.extend(taken.drain(..));
                    None
                }
                answer = call.answers.message() => self.receive(answer),
                _ = clock.tick() => {
                    self.ticks += 1;
                    self.end_overdue(wait);
                    None
                }
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn receive(&mut self, answer: Result<Option<AppendResponse>, tonic::Status>) -> Option<End> {
        let response = match answer {
            Ok(Some(response)) => response,
            Ok(None) => return Some(End::Broken(Trouble::Broken(self.way.broken("the call ended")))),
            Err(status) => return Some(End::Broken(self.way.trouble(&status))),
        };
        for answer in response.answers {
            let (number, answer) = match append::decode_answer(answer) {
                Ok(decoded) => decoded,
                Err(error) => {
                    return Some(End::Broken(Trouble::Final(self.way.misunderstood(&error))));
                }
            };
            // One that was overdue has been answered.
            if let Some((_, sent)) = self.in_flight.remove(&number) {
                self.settled(sent.bytes);
                sent.answer(answer);
            }
        }
        response.ending.then_some(End::Stopped)
    }

    /// Moves what waits into a message.
    fn next_message(&mut self) -> AppendRequest {
        let (mut appends, mut bytes) = (Vec::new(), 0);
        while appends.len() < MESSAGE_APPENDS_MAX && bytes < MESSAGE_BYTES {
            let Some(mut sent) = self.waiting.pop_front() else { break };
            sent.message.number = self.next_number;
            self.next_number += 1;
            bytes += sent.bytes;
            appends.push(sent.message.clone());
            self.in_flight.insert(sent.message.number, (self.ticks, sent));
        }
        AppendRequest { appends }
    }

    /// Answers those whose answer has not come in time.
    fn end_overdue(&mut self, wait: Duration) {
        while let Some(oldest) = self.in_flight.first_entry() {
            if self.ticks - oldest.get().0 <= TICKS {
                return;
            }
            let (_, mut sent) = oldest.remove();
            self.settled(sent.bytes);
            sent.is_in_doubt = true;
            sent.give_up(&self.way.silent(wait));
        }
    }

    /// The connection broke under what was in flight.
    fn lose(&mut self, error: &StorageError) {
        let mut again = Vec::new();
        for (_, sent) in std::mem::take(&mut self.in_flight).into_values() {
            let bytes = sent.bytes;
            match sent.lose(error) {
                Some(sent) => again.push(sent),
                None => self.settled(bytes),
            }
        }
        self.send_again(again);
    }

    fn send_again(&mut self, sent: Vec<Sent>) {
        for sent in sent.into_iter().rev() {
            self.waiting.push_front(sent);
        }
    }

    /// There is no server: whoever waits is told.
    fn give_up(&mut self, error: &StorageError) {
        while let Ok(sent) = self.queued.try_recv() {
            self.waiting.push_back(sent);
        }
        for sent in std::mem::take(&mut self.waiting) {
            self.settled(sent.bytes);
            sent.give_up(error);
        }
    }

    fn settled(&self, bytes: u64) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

async fn open(way: &Arc<Way>) -> Result<Call, Trouble> {
    let (messages, mut sending) = mpsc::channel(MESSAGES_MAX);
    let sending = futures_util::stream::poll_fn(move |context| sending.poll_recv(context));
    let mut client = way.appends();
    match way.in_time(client.append(sending)).await {
        Ok(answers) => Ok(Call { messages, answers: answers.into_inner() }),
        Err(status) => Err(way.trouble(&status)),
    }
}
