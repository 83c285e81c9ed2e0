//! The derives of the `factum` crate, where they are documented and used from.
//!
//! Each derive has a file. They produce plain implementations of public traits
//! of `factum`; what they cannot express can be written by hand.
//!
//! Invariants: generated code names everything by its full path, so nothing has
//! to be imported; every mistake of the user is an error at the place of the
//! mistake, saying what to write instead.

mod attribute;
mod event;
mod id;
mod model;
mod naming;
mod row;
mod stored_fields;
mod variant;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// See `factum::Id`.
#[proc_macro_derive(Id, attributes(id))]
pub fn derive_id(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), id::expand)
}

/// See `factum::Event`.
#[proc_macro_derive(Event, attributes(event, id, tag, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), event::expand)
}

/// See `factum::Aggregate`.
#[proc_macro_derive(Aggregate, attributes(folds, key))]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), |input| model::expand(input, model::Kind::Aggregate))
}

/// See `factum::Model`.
#[proc_macro_derive(Model, attributes(folds, key))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), |input| model::expand(input, model::Kind::Tagged))
}

/// See `factum::view::Row`.
#[proc_macro_derive(Row, attributes(key, index))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), row::expand)
}

fn expand(
    input: DeriveInput,
    with: impl FnOnce(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    with(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
