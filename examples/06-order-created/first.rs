//! The program of the first year: an order has an amount.
//!
//! It still runs beside its successors. `newer = read` says that it takes from
//! newer versions what it knows; what it can do without is an `Option`.

use factum::prelude::*;

use crate::{CustomerId, OrderId};

#[derive(Event, Clone, Debug, PartialEq)]
#[serde(rename_all_fields = "camelCase")]
pub enum Order {
    #[event(newer = read)]
    Created {
        #[id]
        order_id: OrderId,
        #[tag]
        customer_id: CustomerId,
        amount: Option<u64>,
        timestamp: String,
    },
}

/// What this program makes of an order.
#[derive(Aggregate, Clone, Debug)]
#[folds(Order)]
pub struct Receipt {
    #[key]
    id: OrderId,
    pub text: String,
}

impl Evolve<Order> for Receipt {
    fn evolve(&mut self, Order::Created { amount, .. }: &Order) {
        self.text = match amount {
            Some(cents) => format!("{}.{:02}", cents / 100, cents % 100),
            None => "an amount this program cannot know".into(),
        };
    }
}
