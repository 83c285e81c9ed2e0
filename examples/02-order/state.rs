//! An order as its decisions see it, and the rules.

use std::collections::BTreeMap;

use factum::IntoEvents;
use factum::prelude::*;

use crate::command::{AddItem, Create, RemoveItem, Submit};
use crate::event::{OrderEvent, OrderId, ProductId};

#[derive(Aggregate, Clone, Debug, PartialEq)]
#[folds(OrderEvent)]
pub struct Order {
    #[key]
    pub id: OrderId,
    pub stage: Stage,
    pub items: BTreeMap<ProductId, Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Stage {
    #[default]
    New,
    Draft,
    Submitted,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub quantity: u64,
    pub unit_price_cents: u32,
}

/// Wrong for this order.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such order")]
    Missing,
    #[error("the order exists already")]
    Exists,
    #[error("cannot modify submitted order")]
    Submitted,
    #[error("order already submitted")]
    AlreadySubmitted,
    #[error("cannot submit empty order")]
    Empty,
    #[error("product {0} not in order")]
    NotInOrder(ProductId),
}

impl Order {
    pub fn total_cents(&self) -> u64 {
        self.items.values().map(|item| item.quantity * u64::from(item.unit_price_cents)).sum()
    }

    fn must_be_draft(&self) -> Result<(), Rejection> {
        match self.stage {
            Stage::New => Err(Rejection::Missing),
            Stage::Draft => Ok(()),
            Stage::Submitted => Err(Rejection::Submitted),
        }
    }
}

impl Evolve<OrderEvent> for Order {
    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Created { .. } => self.stage = Stage::Draft,
            OrderEvent::ItemAdded { product, quantity, unit_price_cents, .. } => {
                // The price of the first time holds for all of a product.
                let new = Item { quantity: 0, unit_price_cents: *unit_price_cents };
                self.items.entry(product.clone()).or_insert(new).quantity += u64::from(*quantity);
            }
            OrderEvent::ItemRemoved { product, .. } => drop(self.items.remove(product)),
            OrderEvent::Submitted { .. } => self.stage = Stage::Submitted,
        }
    }
}

impl Decide<Create> for Order {
    type Rejection = Rejection;

    fn decide(&self, Create { customer }: Create) -> Result<impl IntoEvents, Rejection> {
        match self.stage {
            Stage::New => Ok(OrderEvent::Created { id: self.id.clone(), customer }),
            Stage::Draft | Stage::Submitted => Err(Rejection::Exists),
        }
    }
}

impl Decide<AddItem> for Order {
    type Rejection = Rejection;

    fn decide(
        &self,
        AddItem { product, quantity, unit_price_cents }: AddItem,
    ) -> Result<impl IntoEvents, Rejection> {
        self.must_be_draft()?;
        Ok(OrderEvent::ItemAdded { id: self.id.clone(), product, quantity: quantity.get(), unit_price_cents })
    }
}

impl Decide<RemoveItem> for Order {
    type Rejection = Rejection;

    fn decide(&self, RemoveItem { product }: RemoveItem) -> Result<impl IntoEvents, Rejection> {
        self.must_be_draft()?;
        if !self.items.contains_key(&product) {
            return Err(Rejection::NotInOrder(product));
        }
        Ok(OrderEvent::ItemRemoved { id: self.id.clone(), product })
    }
}

impl Decide<Submit> for Order {
    type Rejection = Rejection;

    fn decide(&self, _: Submit) -> Result<impl IntoEvents, Rejection> {
        match self.stage {
            Stage::New => Err(Rejection::Missing),
            Stage::Submitted => Err(Rejection::AlreadySubmitted),
            Stage::Draft if self.items.is_empty() => Err(Rejection::Empty),
            Stage::Draft => Ok(OrderEvent::Submitted {
                id: self.id.clone(),
                total_cents: self.total_cents(),
                items: self.items.len(),
            }),
        }
    }
}
