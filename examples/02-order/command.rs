//! Commands, and what makes one wrong whatever the order holds.
//!
//! A command that exists is well formed: its fields have types that cannot hold
//! anything else, and `parse` is the way in from a form or a request.

use std::num::NonZeroU32;

use crate::event::{CustomerId, ProductId};

#[derive(Clone, Debug)]
pub struct Create {
    pub customer: CustomerId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AddItem {
    pub product: ProductId,
    pub quantity: NonZeroU32,
    pub unit_price_cents: u32,
}

#[derive(Clone, Debug)]
pub struct RemoveItem {
    pub product: ProductId,
}

#[derive(Clone, Debug)]
pub struct Submit;

/// Wrong by itself.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    #[error("quantity must be positive")]
    Quantity,
    #[error("price cannot be negative")]
    Price,
    #[error("a product has a name")]
    Product,
}

impl AddItem {
    pub fn parse(product: &str, quantity: i64, unit_price_cents: i64) -> Result<Self, Invalid> {
        let quantity = u32::try_from(quantity).ok().and_then(NonZeroU32::new);
        Ok(Self {
            product: if product.is_empty() { Err(Invalid::Product)? } else { product.into() },
            quantity: quantity.ok_or(Invalid::Quantity)?,
            unit_price_cents: u32::try_from(unit_price_cents).map_err(|_| Invalid::Price)?,
        })
    }
}
