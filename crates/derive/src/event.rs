//! `#[derive(Event)]`: a struct that is one stored type, or an enum of several.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use syn::{
    Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Field, Fields, Ident, Result, Type, Variant,
};

use crate::attribute::Settings;
use crate::naming::{lower_first, prefix_of_enum, stored_type};
use crate::stored_fields::rename_all_fields;
use crate::variant::{StoredType, is_label};

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a stored event has one shape: no generics here"));
    }
    match &input.data {
        Data::Struct(data) => expand_struct(input, data),
        Data::Enum(data) => expand_enum(input, data),
        Data::Union(_) => Err(Error::new_spanned(&input.ident, "an event is an enum or a struct")),
    }
}

fn expand_struct(input: &DeriveInput, data: &DataStruct) -> Result<TokenStream> {
    let ident = &input.ident;
    let settings = Settings::read(&input.attrs)?;
    let name = settings.name.clone().unwrap_or_else(|| ident.to_string());
    let own_category = settings.category.clone().unwrap_or_else(|| lower_first(prefix_of_enum(&name)));
    let category = option(settings.category.as_deref());
    let stored = StoredType::new(ident, &input.attrs, &data.fields, settings, name, None)?;

    let text = ident.to_string();
    let (serde, declared) = (stored.serde_settings(), stored.declared_fields());
    let names: Vec<_> = stored.field_names().collect();
    let hidden_fields = match data.fields {
        Fields::Unit => quote! { #[allow(dead_code)] struct FactumFields {} },
        _ => quote! {
            #[derive(::factum::serde::Serialize, ::factum::serde::Deserialize)]
            #[serde(crate = "::factum::serde", remote = #text)]
            #serde
            struct FactumFields { #declared }
        },
    };
    // Serde asks it of the hidden struct, and takes it from the event.
    let default_fields = stored.begins_at_default().then(|| {
        quote! {
            impl ::core::default::Default for FactumFields {
                fn default() -> Self {
                    let #ident { #(#names),* } = ::core::default::Default::default();
                    Self { #(#names),* }
                }
            }
        }
    });
    let (write, read) = match data.fields {
        Fields::Unit => (empty_object(), empty_deserialize(&quote! { #ident })),
        _ => (
            quote! { FactumFields::serialize(self.0, serializer) },
            quote! { ::core::result::Result::map(FactumFields::deserialize(deserializer), FactumRead) },
        ),
    };
    let (labels, codec, shape) = (stored.labels(), stored.codec(), stored.shape());
    let encode_in = encode_in();
    let (name, newest) = (&stored.name, stored.settings.newest());
    let into_event = quote! { |read: FactumRead| read.0 };
    let decode = stored.decode(&quote! { FactumRead }, &into_event);
    let specimens = stored.specimens(&[], &quote! { FactumRead }, &into_event);
    let chain_check = stored.chain_check();
    let is_faithful = is_faithful(std::slice::from_ref(&stored));
    let pattern = match data.fields {
        Fields::Unit => quote! { #ident },
        _ => quote! { #ident { #(#names),* } },
    };

    Ok(quote! {
        #chain_check
        const _: () = {
            #hidden_fields
            #default_fields
            struct FactumWritten<'a>(#[allow(dead_code)] &'a #ident);
            impl ::factum::serde::Serialize for FactumWritten<'_> {
                fn serialize<S: ::factum::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    #write
                }
            }
            struct FactumRead(#ident);
            impl<'de> ::factum::serde::Deserialize<'de> for FactumRead {
                fn deserialize<D: ::factum::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    #read
                }
            }

            impl ::factum::event::Versioned for #ident {
                const NAME: &'static str = #name;
                const VERSION: u32 = #newest;
            }

            impl ::factum::Event for #ident {
                const CATEGORY: ::core::option::Option<&'static str> = #category;
                const OWN_CATEGORY: &'static str = #own_category;
                const PRODUCER: &'static str = ::factum::producer!();
                const PRODUCER_METADATA: &'static str = ::factum::producer_metadata!();
                const IS_FAITHFUL: bool = #is_faithful;

                fn shapes() -> ::std::vec::Vec<::factum::event::Shape> {
                    ::std::vec![#shape]
                }

                fn specimens(category: &str) -> ::std::vec::Vec<::factum::evolution::Specimen> {
                    let category = <Self as ::factum::Event>::CATEGORY.unwrap_or(category);
                    #specimens
                }

                #encode_in

                fn encode_within(
                    &self,
                    category: &str,
                    boundary: &::factum::Boundary,
                ) -> ::core::result::Result<::factum::event::Encoded, ::factum::event::EncodeError> {
                    static TYPE: ::factum::event::TypeName = ::factum::event::TypeName::new(#name);
                    let category = <Self as ::factum::Event>::CATEGORY.unwrap_or(category);
                    #[allow(unused_mut)]
                    let mut labels = ::factum::event::Labels::within(category, boundary);
                    #[allow(unused_variables)]
                    let #pattern = self;
                    #labels
                    labels.encoded(TYPE.get()?, #newest, #codec.encode(&FactumWritten(self))?)
                }

                fn decode(
                    stored: ::factum::event::Stored<'_>,
                ) -> ::core::result::Result<::factum::event::Decoded<Self>, ::factum::event::DecodeError> {
                    if stored.event_type != #name {
                        return ::core::result::Result::Ok(::factum::event::Decoded::UnknownType);
                    }
                    #decode
                }
            }
        };
    })
}

/// A variant that holds another event.
struct Delegate<'a> {
    ident: &'a Ident,
    inner: &'a Type,
}

fn expand_enum(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    let ident = &input.ident;
    let settings = Settings::read(&input.attrs)?;
    let ident_text = ident.to_string();
    let prefix = settings.prefix.clone().unwrap_or_else(|| prefix_of_enum(&ident_text).to_owned());
    let category = settings.category.clone().unwrap_or_else(|| lower_first(prefix_of_enum(&ident_text)));
    refuse_on_enum(input, &settings)?;
    let rename_all_fields = rename_all_fields(&input.attrs)?;
    if data.variants.is_empty() {
        return Err(Error::new_spanned(ident, "an enum of events has at least one variant"));
    }

    let mut stored = Vec::new();
    let mut delegates = Vec::new();
    let mut mistakes: Option<Error> = None;
    for variant in &data.variants {
        let read = match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                delegates.push(Delegate { ident: &variant.ident, inner: &fields.unnamed[0].ty });
                refuse_settings(&variant.attrs)
            }
            _ => stored_variant(variant, &prefix, &settings, rename_all_fields.as_deref())
                .map(|variant| stored.push(variant)),
        };
        match (read, &mut mistakes) {
            (Ok(()), _) => {}
            (Err(mistake), Some(mistakes)) => mistakes.combine(mistake),
            (Err(mistake), none) => *none = Some(mistake),
        }
    }
    if let Some(mistakes) = mistakes {
        return Err(mistakes);
    }
    refuse_twice(&stored)?;
    refuse_forgotten_id(&stored, &category)?;

    let hidden = hidden_enum(&ident_text, &data.variants, rename_all_fields.as_deref());
    // Of a variant that holds an event it is not known here what that is stored as,
    // so it might be read as another variant.
    let is_faithful = match delegates.is_empty() {
        true => is_faithful(&stored),
        false => quote! { false },
    };
    let readers = stored.iter().map(reader);
    let chain_checks = stored.iter().filter_map(StoredType::chain_check);
    let encoders = stored.iter().map(encoder);
    let encode_in = encode_in();
    let decoders = stored.iter().map(decoder);
    let shapes = stored.iter().map(StoredType::shape);
    let specimens = stored.iter().map(|stored| {
        let (reader, into_event) = (stored.fields_struct(), from_reader(stored));
        stored.specimens(&settings.allow, &quote! { #reader }, &into_event)
    });
    let variants: Vec<_> = delegates.iter().map(|delegate| delegate.ident).collect();
    let inners: Vec<_> = delegates.iter().map(|delegate| delegate.inner).collect();
    let type_names = stored.iter().map(|stored| {
        let (constant, name) = (format_ident!("__TYPE_{}", stored.ident), &stored.name);
        quote! {
            #[doc(hidden)]
            #[allow(non_upper_case_globals, missing_docs)]
            pub const #constant: &'static str = #name;
        }
    });

    Ok(quote! {
        #(#chain_checks)*
        #[automatically_derived]
        impl #ident {
            #(#type_names)*
        }
        const _: () = {
            #hidden
            #(#readers)*
            struct FactumWritten<'a>(&'a #ident);
            impl ::factum::serde::Serialize for FactumWritten<'_> {
                fn serialize<S: ::factum::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    FactumFields::serialize(self.0, serializer)
                }
            }

            impl ::factum::Event for #ident {
                const CATEGORY: ::core::option::Option<&'static str> = ::core::option::Option::Some(#category);
                const OWN_CATEGORY: &'static str = #category;
                const PRODUCER: &'static str = ::factum::producer!();
                const PRODUCER_METADATA: &'static str = ::factum::producer_metadata!();
                const IS_FAITHFUL: bool = #is_faithful;

                fn shapes() -> ::std::vec::Vec<::factum::event::Shape> {
                    #[allow(unused_mut)]
                    let mut shapes = ::std::vec![#(#shapes),*];
                    #(shapes.extend(<#inners as ::factum::Event>::shapes());)*
                    shapes
                }

                fn specimens(_: &str) -> ::std::vec::Vec<::factum::evolution::Specimen> {
                    let category = #category;
                    let mut all = ::std::vec::Vec::new();
                    #(all.extend(#specimens);)*
                    #(all.extend(<#inners as ::factum::Event>::specimens(category));)*
                    all
                }

                #encode_in

                #[allow(unused_variables, unused_mut)]
                fn encode_within(
                    &self,
                    _: &str,
                    boundary: &::factum::Boundary,
                ) -> ::core::result::Result<::factum::event::Encoded, ::factum::event::EncodeError> {
                    let mut labels = ::factum::event::Labels::within(#category, boundary);
                    match self {
                        #(#encoders)*
                        #(
                            Self::#variants(inner) => {
                                <#inners as ::factum::Event>::encode_within(inner, #category, boundary)
                            }
                        )*
                    }
                }

                fn decode(
                    stored: ::factum::event::Stored<'_>,
                ) -> ::core::result::Result<::factum::event::Decoded<Self>, ::factum::event::DecodeError> {
                    match stored.event_type {
                        #(#decoders)*
                        _ => {
                            #(
                                match <#inners as ::factum::Event>::decode(stored)? {
                                    ::factum::event::Decoded::UnknownType => {}
                                    found => return ::core::result::Result::Ok(found.map(Self::#variants)),
                                }
                            )*
                            ::core::result::Result::Ok(::factum::event::Decoded::UnknownType)
                        }
                    }
                }
            }
        };
    })
}

fn stored_variant<'a>(
    variant: &'a Variant,
    prefix: &str,
    of_enum: &Settings,
    rename_all_fields: Option<&str>,
) -> Result<StoredType<'a>> {
    let mut settings = Settings::read(&variant.attrs)?;
    if let Some(category) = &settings.category {
        let message = format!(
            "all events of an enum go to one category: write `category = \"{category}\"` on the enum"
        );
        return Err(Error::new_spanned(&variant.ident, message));
    }
    settings.codec = settings.codec.or_else(|| of_enum.codec.clone());
    settings.newer = settings.newer.or_else(|| of_enum.newer.clone());
    let name = settings.name.clone().unwrap_or_else(|| stored_type(prefix, &variant.ident.to_string()));
    StoredType::new(&variant.ident, &variant.attrs, &variant.fields, settings, name, rename_all_fields)
}

/// The enum again, for serde to write the fields of its variants.
fn hidden_enum(
    remote: &str,
    variants: &syn::punctuated::Punctuated<Variant, syn::Token![,]>,
    rename_all_fields: Option<&str>,
) -> TokenStream {
    let rename = rename_all_fields.into_iter();
    let variants = variants.iter().map(|variant| {
        let ident = &variant.ident;
        let serde = variant.attrs.iter().filter(|attribute| attribute.path().is_ident("serde"));
        match &variant.fields {
            Fields::Unnamed(fields) => quote! { #[serde(skip)] #ident #fields },
            Fields::Unit => quote! { #[serde(serialize_with = "::factum::event::codec::no_fields")] #ident },
            Fields::Named(fields) => {
                let fields = fields.named.iter().map(|field| {
                    let (name, ty) = (&field.ident, &field.ty);
                    let serde = field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde"));
                    quote! { #(#serde)* #name: #ty }
                });
                quote! { #(#serde)* #ident { #(#fields),* } }
            }
        }
    });
    quote! {
        #[derive(::factum::serde::Serialize)]
        #[serde(crate = "::factum::serde", remote = #remote, untagged #(, rename_all_fields = #rename)*)]
        #[allow(dead_code)]
        enum FactumFields { #(#variants),* }
    }
}

/// The struct that the fields of a variant are read into.
fn reader(stored: &StoredType<'_>) -> TokenStream {
    let (ident, serde, declared) =
        (stored.fields_struct(), stored.serde_settings(), stored.declared_fields());
    quote! {
        #[derive(::factum::serde::Deserialize)]
        #[serde(crate = "::factum::serde")]
        #serde
        struct #ident { #declared }
    }
}

fn encoder(stored: &StoredType<'_>) -> TokenStream {
    let (ident, name, newest) = (stored.ident, &stored.name, stored.settings.newest());
    let (labels, codec) = (stored.labels(), stored.codec());
    let names = stored.field_names();
    quote! {
        Self::#ident { #(#names),* } => {
            static TYPE: ::factum::event::TypeName = ::factum::event::TypeName::new(#name);
            #labels
            labels.encoded(TYPE.get()?, #newest, #codec.encode(&FactumWritten(self))?)
        }
    }
}

/// Encoding where nothing was decided on.
fn encode_in() -> TokenStream {
    quote! {
        fn encode_in(
            &self,
            category: &str,
        ) -> ::core::result::Result<::factum::event::Encoded, ::factum::event::EncodeError> {
            let nothing = <::factum::Boundary as ::core::default::Default>::default();
            <Self as ::factum::Event>::encode_within(self, category, &nothing)
        }
    }
}

fn decoder(stored: &StoredType<'_>) -> TokenStream {
    let (name, reader) = (&stored.name, stored.fields_struct());
    let decode = stored.decode(&quote! { #reader }, &from_reader(stored));
    quote! { #name => { #decode } }
}

/// A closure from the fields that were read to the event.
fn from_reader(stored: &StoredType<'_>) -> TokenStream {
    let (ident, reader) = (stored.ident, stored.fields_struct());
    let names: Vec<_> = stored.field_names().collect();
    quote! { |fields: #reader| { let #reader { #(#names),* } = fields; Self::#ident { #(#names),* } } }
}

/// Whether their fields' types promise that all of them are read back as they were
/// written, and serde is told nothing else.
fn is_faithful(stored: &[StoredType<'_>]) -> TokenStream {
    if stored.iter().any(StoredType::tells_serde) {
        return quote! { false };
    }
    let types = stored.iter().flat_map(|stored| stored.fields.iter().map(|field| &field.ty));
    quote! {{
        #[allow(unused_imports)]
        use ::factum::event::faithful::OrNot as _;
        true #(&& ::factum::event::faithful::Asked::<#types>::IS_FAITHFUL)*
    }}
}

fn refuse_on_enum(input: &DeriveInput, settings: &Settings) -> Result<()> {
    let misplaced = settings.name.is_some()
        || settings.version.is_some()
        || settings.from.is_some()
        || !settings.upcast.is_empty()
        || settings.example.is_some();
    if misplaced {
        return Err(Error::new_spanned(
            &input.ident,
            "`name`, `version`, `from`, `upcast` and `example` are said of one stored type: write them on a variant",
        ));
    }
    Ok(())
}

fn refuse_settings(attributes: &[Attribute]) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("event")) {
        Some(attribute) => Err(Error::new_spanned(
            attribute,
            "this variant holds another event, which has its own settings: write them there",
        )),
        None => Ok(()),
    }
}

fn refuse_twice(stored: &[StoredType<'_>]) -> Result<()> {
    for (at, one) in stored.iter().enumerate() {
        if let Some(other) = stored[..at].iter().find(|other| other.name == one.name) {
            let message =
                format!("`{}` is stored as `{}` too: give one of them another name", other.ident, one.name);
            return Err(Error::new_spanned(one.ident, message));
        }
    }
    Ok(())
}

/// An `#[id]` that was forgotten would send events where no aggregate looks for them:
/// in a variant without one, a plain field of the type that names the streams of
/// others.
fn refuse_forgotten_id(stored: &[StoredType<'_>], category: &str) -> Result<()> {
    for forgetful in stored.iter().filter(|stored| stored.id().is_none()) {
        let written = |field: &Field| field.ty.to_token_stream().to_string();
        let is_named_by =
            |other: &&StoredType<'_>, field| other.id().is_some_and(|id| written(id) == written(field));
        let plain = forgetful.fields.iter().filter(|field| !is_label(field));
        for field in plain {
            let Some(other) = stored.iter().find(|other| is_named_by(other, field)) else { continue };
            let (variant, other) = (forgetful.ident, other.ident);
            let message = format!(
                "`{variant}` has no `#[id]`, so it would go to the stream `{category}`, where nobody who reads `{other}` finds it: mark this field `#[id]` as there, or `#[tag]` if it does not name the stream"
            );
            return Err(Error::new_spanned(field, message));
        }
    }
    Ok(())
}

fn option(text: Option<&str>) -> TokenStream {
    match text {
        Some(text) => quote! { ::core::option::Option::Some(#text) },
        None => quote! { ::core::option::Option::None },
    }
}

fn empty_object() -> TokenStream {
    quote! { ::factum::event::codec::no_fields(serializer) }
}

fn empty_deserialize(value: &TokenStream) -> TokenStream {
    quote! {
        ::core::result::Result::map(
            <::factum::serde::de::IgnoredAny as ::factum::serde::Deserialize>::deserialize(deserializer),
            |_| FactumRead(#value),
        )
    }
}
