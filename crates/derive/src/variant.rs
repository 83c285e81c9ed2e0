//! One stored type: a struct, or a variant of an enum with named fields or none.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, Field, Fields, Ident, Result, Type};

use crate::attribute::Settings;

/// A type that is stored with fields of its own.
pub struct StoredType<'a> {
    /// Name of the struct or variant.
    pub ident: &'a Ident,
    pub name: String,
    pub settings: Settings,
    pub serde: Vec<&'a Attribute>,
    pub fields: Vec<&'a Field>,
}

impl<'a> StoredType<'a> {
    pub fn new(
        ident: &'a Ident,
        attributes: &'a [Attribute],
        fields: &'a Fields,
        settings: Settings,
        name: String,
    ) -> Result<Self> {
        let fields: Vec<_> = match fields {
            Fields::Named(named) => named.named.iter().collect(),
            Fields::Unit => Vec::new(),
            Fields::Unnamed(unnamed) => {
                let message = format!(
                    "the fields of a stored event have names: write `{ident} {{ name: Type, ... }}`, or one unnamed field that is another event"
                );
                return Err(Error::new_spanned(unnamed, message));
            }
        };
        let ids: Vec<_> = fields.iter().filter(|field| has(field, "id")).collect();
        if let [_, second, ..] = ids[..] {
            return Err(Error::new_spanned(
                second,
                "an event has one `#[id]`, which names its stream: mark the others `#[tag]`",
            ));
        }
        Ok(Self { ident, name, settings, serde: serde_of(attributes), fields })
    }

    /// Where an event of this type goes.
    fn id(&self) -> Option<&Ident> {
        self.fields.iter().find(|field| has(field, "id")).and_then(|field| field.ident.as_ref())
    }

    fn tags(&self) -> impl Iterator<Item = &Ident> {
        self.fields
            .iter()
            .filter(|field| has(field, "tag") && !has(field, "id"))
            .filter_map(|field| field.ident.as_ref())
    }

    pub fn field_names(&self) -> impl Iterator<Item = &Ident> {
        self.fields.iter().filter_map(|field| field.ident.as_ref())
    }

    /// The fields with what serde is told about them, and nothing else.
    pub fn declared_fields(&self) -> TokenStream {
        let fields = self.fields.iter().map(|field| {
            let (name, ty, serde) = (&field.ident, &field.ty, serde_of(&field.attrs));
            quote! { #(#serde)* #name: #ty }
        });
        quote! { #(#fields),* }
    }

    /// Name of the hidden struct its fields are read into.
    pub fn fields_struct(&self) -> Ident {
        format_ident!("Factum{}Fields", self.ident)
    }

    /// Collects tags and the stream's id from the fields, which are in scope
    /// as references.
    pub fn labels(&self) -> TokenStream {
        let id = self.id().map(|id| quote! { labels.id(#id); });
        let tags = self.tags();
        quote! {
            #id
            #(labels.tag(#tags);)*
        }
    }

    pub fn codec(&self) -> TokenStream {
        match &self.settings.codec {
            Some(codec) if codec == "msgpack" => quote! { ::factum::event::Codec::MessagePack },
            _ => quote! { ::factum::event::Codec::Json },
        }
    }

    /// An expression of type `Result<Decoded<Fields>, DecodeError>`, after
    /// possibly returning through the type of the version before.
    pub fn decode(&self, fields: &TokenStream, into_event: &TokenStream) -> TokenStream {
        let newest = self.settings.newest();
        let through = self.settings.from.as_ref().map(|from| {
            quote! {
                if stored.schema_version < #newest {
                    return ::core::result::Result::map(
                        <#from as ::factum::Event>::decode(stored),
                        |found| found.map(::core::convert::Into::into),
                    );
                }
            }
        });
        let oldest = self.settings.upcast.first().map_or(newest, |(first, ..)| *first);
        let upcasters = self.settings.upcast.iter().map(|(_, function, _)| function);
        let newer = match &self.settings.newer {
            Some(newer) if newer == "read" => quote! { Read },
            Some(newer) if newer == "skip" => quote! { Skip },
            _ => quote! { Refuse },
        };
        quote! {
            #through
            ::core::result::Result::map(
                ::factum::event::upcast::decode_fields::<#fields>(
                    stored,
                    #newest,
                    #oldest,
                    &[#(#upcasters),*],
                    ::factum::event::upcast::Newer::#newer,
                ),
                |found| found.map(#into_event),
            )
        }
    }

    pub fn shape(&self) -> TokenStream {
        let (name, newest) = (&self.name, self.settings.newest());
        let oldest = match (&self.settings.from, self.settings.upcast.first()) {
            (Some(from), _) => quote! { <#from as ::factum::Event>::shapes()[0].oldest },
            (None, Some((first, ..))) => quote! { #first },
            (None, None) => quote! { #newest },
        };
        let fields = self.fields.iter().map(|field| {
            let name = field.ident.as_ref().map(ToString::to_string);
            let ty = &field.ty;
            let written = quote! { #ty }.to_string().replace(' ', "");
            let optional = is_option(ty) || has_default(field);
            quote! {
                ::factum::event::FieldShape { name: #name, type_name: #written, optional: #optional }
            }
        });
        let tags = self.fields.iter().filter(|field| has(field, "id") || has(field, "tag")).map(|field| {
            let ty = &field.ty;
            quote! { <#ty as ::factum::event::Ids>::KEY }
        });
        let has_id = self.id().is_some();
        quote! {
            ::factum::event::Shape {
                name: #name,
                version: #newest,
                oldest: #oldest,
                fields: ::std::vec![#(#fields),*],
                tags: ::std::vec![#(#tags),*],
                has_id: #has_id,
            }
        }
    }

    /// Has the compiler check that the type named by `from` is of the version
    /// before, and of the same stored type.
    pub fn chain_check(&self) -> Option<TokenStream> {
        let (from, newest, name) = (self.settings.from.as_ref()?, self.settings.newest(), &self.name);
        let wrong_version = format!(
            "`from` names the type of version {} of {name}: write `#[event(name = \"{name}\", version = {})]` on it",
            newest - 1,
            newest - 1
        );
        let wrong_name = format!(
            "`from` names a type that is stored under another name: write `#[event(name = \"{name}\", ...)]` on it"
        );
        Some(quote! {
            const _: () = {
                ::core::assert!(
                    ::factum::event::upcast::same_name(<#from as ::factum::event::Versioned>::NAME, #name),
                    #wrong_name
                );
                ::core::assert!(<#from as ::factum::event::Versioned>::VERSION + 1 == #newest, #wrong_version);
            };
        })
    }
}

fn serde_of(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).collect()
}

fn has(field: &Field, name: &str) -> bool {
    field.attrs.iter().any(|attribute| attribute.path().is_ident(name))
}

fn has_default(field: &Field) -> bool {
    let mut found = false;
    for attribute in serde_of(&field.attrs) {
        // What serde refuses, serde reports.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("default");
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        });
    }
    found
}

pub fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}
