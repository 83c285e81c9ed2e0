//! `#[derive(Id)]`: an id with a type of its own.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Type};

use crate::naming::key_of_id;

pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else { return Err(wrong_shape(input)) };
    let Fields::Unnamed(fields) = &data.fields else { return Err(wrong_shape(input)) };
    let [field] = fields.unnamed.iter().collect::<Vec<_>>()[..] else { return Err(wrong_shape(input)) };
    if let Some(parameter) = input.generics.params.first() {
        return Err(Error::new_spanned(parameter, "an id has one type: no generics here"));
    }

    let mut key = key_of_id(&input.ident.to_string());
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("id")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("key") {
                return Err(meta.error("the only setting of an id is `key = \"...\"`"));
            }
            key = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }

    let name = &input.ident;
    let inner = &field.ty;
    let from_text = is_string(inner).then(|| {
        quote! {
            impl ::core::convert::From<&str> for #name {
                fn from(id: &str) -> Self {
                    Self(::std::string::String::from(id))
                }
            }
        }
    });
    Ok(quote! {
        impl ::factum::Id for #name {
            const KEY: &'static str = #key;
        }
        impl ::core::fmt::Display for #name {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, formatter)
            }
        }
        impl ::core::convert::From<#inner> for #name {
            fn from(id: #inner) -> Self {
                Self(id)
            }
        }
        impl ::core::convert::From<&#name> for #name {
            fn from(id: &#name) -> Self {
                ::core::clone::Clone::clone(id)
            }
        }
        impl ::factum::serde::Serialize for #name {
            fn serialize<S: ::factum::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                ::factum::serde::Serialize::serialize(&self.0, serializer)
            }
        }
        impl<'de> ::factum::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::factum::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                ::factum::serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }
        #from_text
    })
}

fn is_string(inner: &Type) -> bool {
    matches!(inner, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "String"))
}

fn wrong_shape(input: &DeriveInput) -> Error {
    let name = &input.ident;
    Error::new_spanned(name, format!("an id wraps one value: write `struct {name}(String);`"))
}
