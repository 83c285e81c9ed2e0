//! One stored type: a struct, or a variant of an enum with named fields or none.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Field, Fields, Ident, Result};

use crate::attribute::Settings;
use crate::stored_fields::OfAll;

/// A type that is stored with fields of its own.
pub struct StoredType<'a> {
    /// Name of the struct or variant.
    pub ident: &'a Ident,
    pub name: String,
    pub settings: Settings,
    pub serde: Vec<&'a Attribute>,
    pub fields: Vec<&'a Field>,
    of_all: OfAll,
    /// `rename_all_fields` of the enum.
    rename_all: Option<String>,
}

impl<'a> StoredType<'a> {
    pub fn new(
        ident: &'a Ident,
        attributes: &'a [Attribute],
        fields: &'a Fields,
        settings: Settings,
        name: String,
        rename_all_fields: Option<&str>,
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
        if let Some(attribute) =
            fields.iter().flat_map(|field| &field.attrs).find(|attribute| attribute.path().is_ident("event"))
        {
            return Err(Error::new_spanned(
                attribute,
                "these settings are for a whole event; a field is told `#[id]`, `#[tag]`, and what serde knows, such as `#[serde(rename = \"...\")]`",
            ));
        }
        let ids: Vec<_> = fields.iter().filter(|field| has(field, "id")).collect();
        if let [_, second, ..] = ids[..] {
            return Err(Error::new_spanned(
                second,
                "an event has one `#[id]`, which names its stream: mark the others `#[tag]`",
            ));
        }
        let of_all = OfAll::of(attributes);
        let rename_all = match of_all.renames() {
            true => None,
            false => rename_all_fields.map(str::to_owned),
        };
        let of_all = of_all.within(rename_all.as_deref());
        Ok(Self { ident, name, settings, serde: serde_of(attributes), fields, of_all, rename_all })
    }

    /// What serde is told about the struct its fields are read into.
    pub fn serde_settings(&self) -> TokenStream {
        let (serde, rename_all) = (&self.serde, self.rename_all.iter());
        quote! { #(#serde)* #(#[serde(rename_all = #rename_all)])* }
    }

    /// Whether serde is told anything, of it or of a field.
    pub fn tells_serde(&self) -> bool {
        let on_fields = self.fields.iter().flat_map(|field| serde_of(&field.attrs));
        self.rename_all.is_some() || !self.serde.is_empty() || on_fields.count() > 0
    }

    /// What names the stream of an event of this type.
    pub fn id(&self) -> Option<&Field> {
        self.fields.iter().copied().find(|field| has(field, "id"))
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
        let id = self.id().and_then(|id| id.ident.as_ref()).map(|id| quote! { labels.id(#id); });
        let tags = self.tags();
        quote! {
            #id
            #(labels.tag(#tags);)*
        }
    }

    /// Whether missing fields are taken from its `Default`.
    pub fn begins_at_default(&self) -> bool {
        self.of_all.begins_at_default()
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
            quote_spanned! {at(from)=>
                if stored.schema_version < #newest {
                    return ::core::result::Result::map(
                        <#from as ::factum::Event>::decode(stored),
                        |found| found.map(<Self as ::factum::event::upcast::UpcastFrom<#from>>::upcast_from),
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
        let fields = self.fields.iter().filter_map(|field| {
            let (name, optional) = self.of_all.stored(field)?;
            let ty = &field.ty;
            let written = quote! { #ty }.to_string().replace(' ', "");
            Some(quote! {
                ::factum::event::FieldShape { name: #name, type_name: #written, optional: #optional }
            })
        });
        let tags = self.fields.iter().filter(|field| is_label(field)).map(|field| {
            let ty = &field.ty;
            match has(field, "id") {
                true => quote! { <#ty as ::factum::Id>::KEY },
                false => quote! { <#ty as ::factum::event::Ids>::KEY },
            }
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

    /// An expression of type `Vec<Specimen>`: this version, and those before it
    /// that have types. `category` is in scope; `fields` and `into_event` are
    /// as for [`decode`](Self::decode).
    pub fn specimens(
        &self,
        of_enum: &[Ident],
        fields: &TokenStream,
        into_event: &TokenStream,
    ) -> TokenStream {
        let shape = self.shape();
        let allowed = of_enum.iter().chain(&self.settings.allow);
        let example = match &self.settings.example {
            Some(example) => quote! {
                ::core::result::Result::Ok(::std::vec![(#example as fn() -> Self)()])
            },
            None => quote! {
                ::core::result::Result::map(
                    ::factum::evolution::sample::<#fields>(),
                    |samples| samples.into_iter().map(#into_event).collect(),
                )
            },
        };
        let before = self.settings.from.iter();
        quote! {{
            let mut specimens = ::std::vec![::factum::evolution::Specimen::new::<Self>(
                #shape,
                category,
                &[#(::factum::evolution::Lint::#allowed),*],
                #example,
            )];
            #(specimens.extend(<#before as ::factum::Event>::specimens(category));)*
            specimens
        }}
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
        Some(quote_spanned! {at(from)=>
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

/// Has errors of generated code stand there; its names are its own.
pub fn at(place: &impl Spanned) -> Span {
    Span::call_site().located_at(place.span())
}

fn serde_of(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).collect()
}

/// Whether it names the stream or a tag.
pub fn is_label(field: &Field) -> bool {
    has(field, "id") || has(field, "tag")
}

fn has(field: &Field, name: &str) -> bool {
    field.attrs.iter().any(|attribute| attribute.path().is_ident(name))
}
