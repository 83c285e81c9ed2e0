//! The program of the third year: an order is its line items.
//!
//! Orders of the second year are read through an upcaster between types. The
//! type of the first year is gone; a function over JSON stands in for it.

use std::collections::BTreeMap;

use factum::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{CustomerId, OrderId};

/// As it was in the second year.
#[derive(Event, Clone, Debug, PartialEq)]
#[event(name = "OrderCreated", version = 2, upcast(1 = with_currency_and_tax))]
#[serde(rename_all = "camelCase")]
pub struct CreatedV2 {
    #[id]
    order_id: OrderId,
    #[tag]
    customer_id: CustomerId,
    amount: Option<u64>,
    currency: String,
    tax: u64,
    timestamp: String,
}

fn with_currency_and_tax(mut order: Value) -> Result<Value, String> {
    order["currency"] = json!("USD");
    order["tax"] = json!(0);
    Ok(order)
}

#[derive(Event, Clone, Debug, PartialEq)]
#[serde(rename_all_fields = "camelCase")]
pub enum Order {
    #[event(version = 3, from = CreatedV2)]
    Created {
        #[id]
        order_id: OrderId,
        #[tag]
        customer_id: CustomerId,
        line_items: Vec<LineItem>,
        currency: String,
        tax: u64,
        timestamp: String,
        #[serde(default)]
        metadata: BTreeMap<String, String>,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineItem {
    pub product_id: String,
    pub quantity: u32,
    pub unit_price: u64,
}

impl From<CreatedV2> for Order {
    fn from(old: CreatedV2) -> Self {
        let CreatedV2 { order_id, customer_id, amount, currency, tax, timestamp } = old;
        // What was in it was not recorded then.
        let everything = |unit_price| LineItem { product_id: "everything".into(), quantity: 1, unit_price };
        let line_items = amount.map(everything).into_iter().collect();
        let metadata = BTreeMap::new();
        Self::Created { order_id, customer_id, line_items, currency, tax, timestamp, metadata }
    }
}

/// What this program makes of an order.
#[derive(Aggregate, Clone, Debug)]
#[folds(Order)]
pub struct Packing {
    #[key]
    id: OrderId,
    pub text: String,
}

impl Evolve<Order> for Packing {
    fn evolve(&mut self, Order::Created { line_items, metadata, .. }: &Order) {
        let items: Vec<_> =
            line_items.iter().map(|item| format!("{} x {}", item.quantity, item.product_id)).collect();
        let channel = metadata.get("channel").map_or("unknown", String::as_str);
        self.text = format!("{}, channel {channel}", items.join(", "));
    }
}
