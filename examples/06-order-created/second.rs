//! The program of the second year: amounts have a currency and a tax.
//!
//! Orders of the first year are read through an upcaster between two types.

use factum::prelude::*;

use crate::{CustomerId, OrderId};

/// As it was in the first year.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "OrderCreated")]
#[serde(rename_all = "camelCase")]
pub struct CreatedV1 {
    #[id]
    order_id: OrderId,
    #[tag]
    customer_id: CustomerId,
    amount: Option<u64>,
    timestamp: String,
}

#[derive(Event, Clone, Debug, PartialEq)]
#[serde(rename_all_fields = "camelCase")]
pub enum Order {
    #[event(version = 2, from = CreatedV1, newer = read)]
    Created {
        #[id]
        order_id: OrderId,
        #[tag]
        customer_id: CustomerId,
        amount: Option<u64>,
        currency: String,
        tax: u64,
        timestamp: String,
    },
}

impl From<CreatedV1> for Order {
    fn from(old: CreatedV1) -> Self {
        let CreatedV1 { order_id, customer_id, amount, timestamp } = old;
        // Only dollars, and no tax, in the first year.
        Self::Created { order_id, customer_id, amount, currency: "USD".into(), tax: 0, timestamp }
    }
}

/// What this program makes of an order.
#[derive(Aggregate, Clone, Debug)]
#[folds(Order)]
pub struct Tax {
    #[key]
    id: OrderId,
    pub text: String,
}

impl Evolve<Order> for Tax {
    fn evolve(&mut self, Order::Created { currency, tax, .. }: &Order) {
        self.text = format!("{}.{:02} {currency} tax", tax / 100, tax % 100);
    }
}
