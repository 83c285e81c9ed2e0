//! `#[derive(Aggregate)]` and `#[derive(Model)]`: which events a state is
//! folded from. They differ only in how the boundary is found.

use heck::ToSnakeCase as _;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, LitInt, Path, Result, Token, parenthesized};

use crate::stored_fields::is_option;

use crate::variant::at;

/// How a model's events are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They are one stream.
    Aggregate,
    /// They carry the model's keys as tags.
    Tagged,
}

/// `#[folds(Account, Order, commutes(Account::Deposited), unknown = skip, version = 2)]`
struct Folds {
    events: Vec<Path>,
    commutes: Vec<Path>,
    skips_unknown: bool,
    version: u32,
}

impl Parse for Folds {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut folds = Self { events: Vec::new(), commutes: Vec::new(), skips_unknown: false, version: 1 };
        while !input.is_empty() {
            let path: Path = input.parse()?;
            if path.is_ident("commutes") && input.peek(syn::token::Paren) {
                let content;
                parenthesized!(content in input);
                let paths = content.parse_terminated(Path::parse_mod_style, Token![,])?;
                folds.commutes.extend(paths);
            } else if path.is_ident("unknown") && input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                let choice: Ident = input.parse()?;
                folds.skips_unknown = match choice.to_string().as_str() {
                    "skip" => true,
                    "refuse" => false,
                    _ => return Err(Error::new_spanned(choice, "unknown types are `skip`ped or `refuse`d")),
                };
            } else if path.is_ident("version") && input.peek(Token![=]) {
                input.parse::<Token![=]>()?;
                let number: LitInt = input.parse()?;
                folds.version = number.base10_parse()?;
            } else {
                folds.events.push(path);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(folds)
    }
}

pub fn expand(input: &DeriveInput, kind: Kind) -> Result<TokenStream> {
    let ident = &input.ident;
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a model is one concrete type: no generics here"));
    }
    let fields = named_fields(input)?;
    let folds = folds_of(input)?;
    let (keys, others): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| is_key(field));
    let names = |fields: &[&Field]| fields.iter().filter_map(|field| field.ident.clone()).collect::<Vec<_>>();
    let key_names = names(&keys);
    let key_types: Vec<_> = keys.iter().map(|field| &field.ty).collect();
    let events = &folds.events;
    // Where a default is missing, the error stands at the type of the field.
    let begins = others.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        quote_spanned! {at(ty)=> #name: <#ty as ::factum::model::Begins>::begin() }
    });

    let mut commuting = Vec::new();
    for path in &folds.commutes {
        commuting.push(commuting_type(path)?);
    }
    let selected = quote! {
        static SELECTED: ::factum::model::Selected = ::factum::model::Selected::new(|| {
            let mut shapes = ::std::vec::Vec::new();
            #(shapes.extend(<#events as ::factum::Event>::shapes());)*
            ::factum::model::SelectedTypes::of(
                shapes,
                &[#(<#key_types as ::factum::event::Ids>::KEY),*],
                &[#(#commuting),*],
            )
        });
    };
    let (mut one_stream, mut aggregate) = (None, None);
    let boundary = match kind {
        Kind::Aggregate => {
            let [key] = &key_names[..] else {
                return Err(Error::new_spanned(
                    ident,
                    "an aggregate is one stream, named by one id: mark one field `#[key]`; a model of several ids, or of none, derives `Model`",
                ));
            };
            let [event] = &events[..] else {
                return Err(Error::new_spanned(
                    ident,
                    "an aggregate is one stream of one enum of events: write `#[folds(TheEnum)]`; a model of several derives `Model`",
                ));
            };
            let category = quote! { <#event as ::factum::Event>::OWN_CATEGORY };
            one_stream = Some(quote! {
                fn one_stream(&self) -> ::core::option::Option<::factum::boundary::StreamText> {
                    ::core::option::Option::Some(::factum::boundary::StreamText::of(#category, &self.#key))
                }
            });
            let (table, version) = (ident.to_string().to_snake_case(), folds.version);
            aggregate = Some(quote! {
                #[automatically_derived]
                impl ::factum::model::OneStream for #ident {
                    const TABLE: &'static str = #table;
                    const VERSION: u32 = #version;
                }
            });
            quote! { ::factum::Boundary::stream(#category, &self.#key, &SELECTED) }
        }
        Kind::Tagged => quote! {
            ::factum::Boundary::tagged(&[#(&self.#key_names as &dyn ::factum::model::Key),*], &SELECTED)
        },
    };
    // Where it is missing, the error stands at the name of the events.
    let evolve = events.iter().map(|events| {
        quote_spanned! {at(events)=> <Self as ::factum::Evolve<#events>>::evolve_at }
    });
    let unknown = if folds.skips_unknown {
        quote! { ::core::result::Result::Ok(()) }
    } else {
        quote! { ::core::result::Result::Err(::factum::model::FoldError::unknown(recorded)) }
    };
    let version = folds.version;
    let field_shapes = fields.iter().map(|field| {
        let (name, ty) = (field.ident.as_ref().map(ToString::to_string), &field.ty);
        let written = quote! { #ty }.to_string().replace(' ', "");
        let optional = is_option(ty);
        quote! {
            ::factum::event::FieldShape { name: #name, type_name: #written, optional: #optional }
        }
    });
    let of_doc = format!("This `{ident}` before any event.");
    let visibility = &input.vis;
    let type_name = ident.to_string();
    let of = format_ident!("of");

    Ok(quote! {
        #aggregate
        #[automatically_derived]
        impl #ident {
            #[doc = #of_doc]
            #[must_use]
            #visibility fn #of(#(#key_names: impl ::core::convert::Into<#key_types>),*) -> Self {
                Self {
                    #(#key_names: ::core::convert::Into::into(#key_names),)*
                    #(#begins,)*
                }
            }
        }
        #[automatically_derived]
        impl ::factum::Model for #ident {
            const PARTS: usize = 1;
            const NAME: &'static str = #type_name;

            fn boundary(
                &self,
            ) -> ::core::result::Result<::factum::Boundary, ::factum::model::BoundaryError> {
                #selected
                #boundary
            }

            #one_stream

            fn apply(
                &mut self,
                part: usize,
                recorded: &::factum::RecordedEvent,
            ) -> ::core::result::Result<(), ::factum::model::FoldError> {
                <Self as ::factum::Model>::apply_read_back(self, part, recorded, &())
            }

            fn apply_read_back(
                &mut self,
                _: usize,
                recorded: &::factum::RecordedEvent,
                read_back: &dyn ::core::any::Any,
            ) -> ::core::result::Result<(), ::factum::model::FoldError> {
                #(
                    let evolve = #evolve;
                    // Not before those above it, which may read the same stored type.
                    if let ::core::option::Option::Some(event) =
                        <dyn ::core::any::Any>::downcast_ref::<#events>(read_back)
                    {
                        evolve(self, event, recorded);
                        return ::core::result::Result::Ok(());
                    }
                    match <#events as ::factum::Event>::decode(recorded.into())
                        .map_err(|error| ::factum::model::FoldError::unreadable(recorded, error))?
                    {
                        ::factum::event::Decoded::Event(event) => {
                            evolve(self, &event, recorded);
                            return ::core::result::Result::Ok(());
                        }
                        ::factum::event::Decoded::SkippedVersion => return ::core::result::Result::Ok(()),
                        ::factum::event::Decoded::UnknownType => {}
                    }
                )*
                #unknown
            }

            fn shapes() -> ::std::vec::Vec<::factum::model::ModelShape> {
                let mut events = ::std::vec::Vec::new();
                #(events.extend(<#events as ::factum::Event>::shapes());)*
                ::std::vec![::factum::model::ModelShape {
                    version: #version,
                    events,
                    fields: ::std::vec![#(#field_shapes),*],
                }]
            }
        }
    })
}

fn named_fields(input: &DeriveInput) -> Result<Vec<Field>> {
    if let Data::Struct(data) = &input.data {
        match &data.fields {
            Fields::Named(fields) => return Ok(fields.named.iter().cloned().collect()),
            Fields::Unit => return Ok(Vec::new()),
            Fields::Unnamed(_) => {}
        }
    }
    Err(Error::new_spanned(
        &input.ident,
        "a model is a struct with named fields: its keys, and what is folded",
    ))
}

/// The enum that a state is folded from, if it is one.
pub fn folded_from(input: &DeriveInput) -> Option<Path> {
    match &folds_of(input).ok()?.events[..] {
        [events] => Some(events.clone()),
        _ => None,
    }
}

fn folds_of(input: &DeriveInput) -> Result<Folds> {
    let mut found: Option<Folds> = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("folds")) {
        found = Some(attribute.parse_args()?);
    }
    match found {
        Some(folds) if !folds.events.is_empty() => Ok(folds),
        _ => {
            let ident = &input.ident;
            let message =
                format!("which events is `{ident}` folded from? Write `#[folds(TheEnum)]` above it");
            Err(Error::new_spanned(ident, message))
        }
    }
}

fn is_key(field: &Field) -> bool {
    field.attrs.iter().any(|attribute| attribute.path().is_ident("key"))
}

/// `Account::Deposited` as the constant that holds its stored type.
fn commuting_type(path: &Path) -> Result<TokenStream> {
    let mut owner = path.clone();
    let variant = owner.segments.pop().map(|last| last.ident);
    let (Some(variant), false) = (variant, owner.segments.is_empty()) else {
        return Err(Error::new_spanned(
            path,
            "say which events commute with the enum: `commutes(Account::Deposited)`",
        ));
    };
    owner.segments.pop_punct();
    let constant = Ident::new(&format!("__TYPE_{variant}"), variant.span());
    Ok(quote! { <#owner>::#constant })
}
