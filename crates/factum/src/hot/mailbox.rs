//! Where submitters and a worker meet: a lane of waiting commands for each
//! aggregate, and a list of the lanes that the worker should look at.
//!
//! One lock for all lanes of a worker, held for moments. A lane is listed when
//! enough commands wait in it for what its aggregate is doing, or when an append
//! of it was answered; the worker sleeps while none is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Wake;

use event_listener::Event;
use parking_lot::{Condvar, Mutex};

use crate::Boundary;
use crate::hot::command::Waiting;

/// Names a lane for as long as it is there.
pub type LaneId = u64;

pub struct Mailbox<M> {
    inbox: Mutex<Inbox<M>>,
    bell: Condvar,
}

struct Inbox<M> {
    ids: HashMap<Boundary, LaneId>,
    lanes: HashMap<LaneId, Lane<M>>,
    next_id: LaneId,
    listed: Vec<LaneId>,
    is_closing: bool,
}

struct Lane<M> {
    boundary: Boundary,
    /// Before any event.
    model: M,
    commands: VecDeque<Waiting<M>>,
    /// With so many commands it is listed.
    wake_at: usize,
    is_listed: bool,
    /// Rings when commands were taken.
    room: Arc<Event>,
}

/// Why a command could not be left here; it is given back.
pub enum Refused<M> {
    Full { command: Waiting<M>, room: Arc<Event>, waiting: usize },
    Closed,
}

impl<M> Default for Mailbox<M> {
    fn default() -> Self {
        let inbox = Inbox {
            ids: HashMap::new(),
            lanes: HashMap::new(),
            next_id: 0,
            listed: Vec::new(),
            is_closing: false,
        };
        Self { inbox: Mutex::new(inbox), bell: Condvar::new() }
    }
}

impl<M> Inbox<M> {
    /// Says whether the worker has to be woken.
    fn list(&mut self, id: LaneId) -> bool {
        match self.lanes.get_mut(&id) {
            Some(lane) if !lane.is_listed => {
                lane.is_listed = true;
                self.listed.push(id);
                self.listed.len() == 1
            }
            _ => false,
        }
    }
}

impl<M> Mailbox<M> {
    /// Leaves a command, if no more than so many wait before it.
    pub fn push(
        &self,
        boundary: &Boundary,
        model: impl FnOnce() -> M,
        command: Waiting<M>,
        waiting_max: usize,
    ) -> Result<(), Refused<M>> {
        let mut inbox = self.inbox.lock();
        if inbox.is_closing {
            return Err(Refused::Closed);
        }
        let id = match inbox.ids.get(boundary) {
            Some(id) => *id,
            None => inbox.open_lane(boundary, model()),
        };
        let lane = inbox.lanes.get_mut(&id).expect("every id has a lane");
        if lane.commands.len() >= waiting_max {
            return Err(Refused::Full { command, room: lane.room.clone(), waiting: lane.commands.len() });
        }
        lane.commands.push_back(command);
        let wakes = lane.commands.len() >= lane.wake_at && inbox.list(id);
        drop(inbox);
        if wakes {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// What a lane is about.
    pub fn subject(&self, id: LaneId) -> Option<(Boundary, M)>
    where
        M: Clone,
    {
        let inbox = self.inbox.lock();
        let lane = inbox.lanes.get(&id)?;
        Some((lane.boundary.clone(), lane.model.clone()))
    }

    /// Moves up to so many commands out of a lane.
    pub fn take(&self, id: LaneId, count: usize, into: &mut VecDeque<Waiting<M>>) {
        let mut inbox = self.inbox.lock();
        let Some(lane) = inbox.lanes.get_mut(&id) else { return };
        let count = count.min(lane.commands.len());
        into.extend(lane.commands.drain(..count));
        lane.room.notify_additional(count);
    }

    /// Lists the lane again when so many commands wait.
    pub fn rest(&self, id: LaneId, wake_at: usize) {
        let mut inbox = self.inbox.lock();
        let Some(lane) = inbox.lanes.get_mut(&id) else { return };
        lane.wake_at = wake_at;
        if lane.commands.len() >= wake_at {
            inbox.list(id);
        }
    }

    /// Something happened to a lane.
    fn ring(&self, id: LaneId) {
        if self.inbox.lock().list(id) {
            self.bell.notify_one();
        }
    }

    /// The worker's sleep: the lanes to look at, or `None` when the queue is
    /// closed and nothing is left to do.
    pub fn next(&self, is_busy: bool) -> Option<Vec<LaneId>> {
        let mut inbox = self.inbox.lock();
        loop {
            if !inbox.listed.is_empty() {
                let listed = std::mem::take(&mut inbox.listed);
                for id in &listed {
                    if let Some(lane) = inbox.lanes.get_mut(id) {
                        lane.is_listed = false;
                    }
                }
                return Some(listed);
            }
            if inbox.is_closing && !is_busy {
                return None;
            }
            self.bell.wait(&mut inbox);
        }
    }

    /// Removes a lane in which nothing waits; says whether it did.
    pub fn forget(&self, id: LaneId) -> bool {
        let mut inbox = self.inbox.lock();
        if inbox.lanes.get(&id).is_some_and(|lane| !lane.commands.is_empty() || lane.is_listed) {
            return false;
        }
        if let Some(lane) = inbox.lanes.remove(&id) {
            inbox.ids.remove(&lane.boundary);
            // Whoever waits for room here finds it in the lane that comes next.
            lane.room.notify(usize::MAX);
        }
        true
    }

    /// Takes no more commands; those that wait are still decided.
    pub fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.is_closing = true;
        for lane in inbox.lanes.values() {
            lane.room.notify(usize::MAX);
        }
        drop(inbox);
        self.bell.notify_all();
    }

    /// Lets go of everything that waits; its submitters learn that there will
    /// be no answer.
    pub fn abandon(&self) {
        self.close();
        let lanes = std::mem::take(&mut self.inbox.lock().lanes);
        // Outside of the lock: what is dropped here is the users'.
        drop(lanes);
    }
}

impl<M> Inbox<M> {
    fn open_lane(&mut self, boundary: &Boundary, model: M) -> LaneId {
        let id = self.next_id;
        self.next_id += 1;
        let lane = Lane {
            boundary: boundary.clone(),
            model,
            commands: VecDeque::new(),
            wake_at: 1,
            is_listed: false,
            room: Arc::new(Event::new()),
        };
        self.ids.insert(boundary.clone(), id);
        self.lanes.insert(id, lane);
        id
    }
}

/// Has the worker look at a lane when an append of it was answered.
pub struct LaneWaker<M> {
    pub mailbox: Arc<Mailbox<M>>,
    pub id: LaneId,
}

impl<M: Send + 'static> Wake for LaneWaker<M> {
    fn wake(self: Arc<Self>) {
        self.mailbox.ring(self.id);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mailbox.ring(self.id);
    }
}
