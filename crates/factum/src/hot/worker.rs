//! A worker: one thread that decides for its share of the aggregates.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::task::Waker;

use crate::Model;
use crate::hot::aggregate::{Aggregate, Shop};
use crate::hot::mailbox::{LaneId, LaneWaker, Mailbox};

pub struct Worker<M: Model> {
    mailbox: Arc<Mailbox<M>>,
    shop: Shop,
    aggregates: HashMap<LaneId, Aggregate<M>>,
    /// How many of them have an append in flight.
    in_flight: usize,
}

/// When the thread ends, however it ends, nobody waits for an answer that
/// cannot come.
struct LastOneOut<M>(Arc<Mailbox<M>>);

impl<M> Drop for LastOneOut<M> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<M: Model> Worker<M> {
    pub fn new(mailbox: Arc<Mailbox<M>>, shop: Shop) -> Self {
        Self { mailbox, shop, aggregates: HashMap::new(), in_flight: 0 }
    }

    /// Works until the queue is closed and everything is answered.
    pub fn run(mut self) {
        let _last = LastOneOut(self.mailbox.clone());
        while let Some(lanes) = self.mailbox.next(self.in_flight > 0) {
            for id in lanes {
                self.turn(id);
            }
            if self.aggregates.len() > self.shop.options.warm_max {
                self.make_room();
            }
        }
    }

    /// Everything that can be done for one aggregate now.
    fn turn(&mut self, id: LaneId) {
        let Self { mailbox, shop, aggregates, in_flight } = self;
        let aggregate = match aggregates.entry(id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let Some((boundary, model)) = mailbox.subject(id) else { return };
                let waker = Waker::from(Arc::new(LaneWaker { mailbox: mailbox.clone(), id }));
                place.insert(Aggregate::new(boundary, model, waker))
            }
        };
        *in_flight -= usize::from(aggregate.is_flying());
        loop {
            aggregate.land(shop);
            let room = aggregate.room(shop);
            mailbox.take(id, room, aggregate.waiting());
            aggregate.decide(shop);
            if !aggregate.take_off(shop) {
                break;
            }
        }
        *in_flight += usize::from(aggregate.is_flying());
        mailbox.rest(id, aggregate.wake_at(shop));
    }

    /// Leaves the states of all aggregates at rest to the store, which keeps
    /// those that were used last.
    fn make_room(&mut self) {
        let at_rest = |aggregate: &Aggregate<M>| aggregate.is_idle();
        let ids: Vec<_> =
            self.aggregates.iter().filter(|(_, aggregate)| at_rest(aggregate)).map(|(id, _)| *id).collect();
        for id in ids {
            if self.mailbox.forget(id)
                && let Some(aggregate) = self.aggregates.remove(&id)
            {
                aggregate.leave(&self.shop);
            }
        }
    }
}
