//! `#[derive(Row)]`: a struct whose fields are the columns of a table.

use crate::model::folded_from;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Result};

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let ident = &input.ident;
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a row has one set of columns: no generics here"));
    }
    let fields = named_fields(input)?;
    let names: Vec<&Ident> = fields.iter().filter_map(|field| field.ident.as_ref()).collect();
    let places: Vec<usize> = (0..fields.len()).collect();
    let columns = fields.iter().zip(&names).map(|(field, name)| {
        let (ty, text) = (&field.ty, name.unraw().to_string());
        let key = has(field, "key").then(|| quote! { .key() });
        let indexed = has(field, "index").then(|| quote! { .indexed() });
        quote! { ::factum::view::Column::of::<#ty>(#text) #key #indexed }
    });

    let keys: Vec<usize> = places.iter().copied().filter(|place| has(fields[*place], "key")).collect();
    if keys.is_empty() {
        return Err(Error::new_spanned(ident, "what is a row found by? Mark one field or several `#[key]`"));
    }
    let key_names: Vec<_> = keys.iter().map(|place| names[*place]).collect();
    let key_types: Vec<_> = keys.iter().map(|place| &fields[*place].ty).collect();
    let asked: Vec<_> = keys.iter().map(|place| format_ident!("key_{place}")).collect();
    let (key_type, key_pattern) = match (&key_types[..], &asked[..]) {
        ([ty], [name]) => (quote! { #ty }, quote! { #name }),
        _ => (quote! { (#(#key_types),*) }, quote! { (#(#asked),*) }),
    };

    // The state of an aggregate is made for its key.
    let state = folded_from(input).filter(|_| keys.len() == 1).map(|events| {
        quote! {
            #[automatically_derived]
            impl ::factum::view::StateRow for #ident {
                type Event = #events;

                fn begin(key: #key_type) -> Self {
                    Self::of(key)
                }
            }
        }
    });

    Ok(quote! {
        #state
        #[automatically_derived]
        impl ::factum::view::Row for #ident {
            type Key = #key_type;

            fn columns() -> &'static [::factum::view::Column] {
                static COLUMNS: ::std::sync::OnceLock<::std::vec::Vec<::factum::view::Column>> =
                    ::std::sync::OnceLock::new();
                COLUMNS.get_or_init(|| ::std::vec![#(#columns),*])
            }

            fn key(&self) -> ::core::result::Result<::factum::view::RowKey, ::factum::view::CellError> {
                let columns = Self::columns();
                ::core::result::Result::Ok(::factum::view::RowKey::of([
                    #(columns[#keys].write(&self.#key_names)?),*
                ]))
            }

            fn key_of(
                #key_pattern: &Self::Key,
            ) -> ::core::result::Result<::factum::view::RowKey, ::factum::view::CellError> {
                let columns = Self::columns();
                ::core::result::Result::Ok(::factum::view::RowKey::of([
                    #(columns[#keys].write(#asked)?),*
                ]))
            }

            fn cells(
                &self,
            ) -> ::core::result::Result<::std::vec::Vec<::factum::view::Cell>, ::factum::view::CellError> {
                let columns = Self::columns();
                ::core::result::Result::Ok(::std::vec![#(columns[#places].write(&self.#names)?),*])
            }

            fn from_cells(
                cells: ::std::vec::Vec<::factum::view::Cell>,
            ) -> ::core::result::Result<Self, ::factum::view::CellError> {
                let columns = Self::columns();
                let mut cells = ::core::iter::IntoIterator::into_iter(cells);
                ::core::result::Result::Ok(Self {
                    #(#names: columns[#places].read(cells.next())?),*
                })
            }
        }
    })
}

fn named_fields(input: &DeriveInput) -> Result<Vec<&Field>> {
    if let Data::Struct(data) = &input.data
        && let Fields::Named(fields) = &data.fields
    {
        return Ok(fields.named.iter().collect());
    }
    Err(Error::new_spanned(&input.ident, "a row is a struct with named fields, which are its columns"))
}

fn has(field: &Field, name: &str) -> bool {
    field.attrs.iter().any(|attribute| attribute.path().is_ident(name))
}
