//! What can happen to an order.

use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
pub struct OrderId(String);

#[derive(Id, Clone, Debug, PartialEq)]
pub struct CustomerId(String);

#[derive(Id, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProductId(String);

#[derive(Event, Clone, Debug, PartialEq)]
pub enum OrderEvent {
    Created {
        #[id]
        id: OrderId,
        #[tag]
        customer: CustomerId,
    },
    ItemAdded {
        #[id]
        id: OrderId,
        #[tag]
        product: ProductId,
        quantity: u32,
        unit_price_cents: u32,
    },
    ItemRemoved {
        #[id]
        id: OrderId,
        #[tag]
        product: ProductId,
    },
    Submitted {
        #[id]
        id: OrderId,
        total_cents: u64,
        items: usize,
    },
}
