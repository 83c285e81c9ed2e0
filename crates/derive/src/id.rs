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
    let written = match inner {
        _ if is_one_of(inner, &["String"]) => Some(quote! { text.write_str(&self.0) }),
        _ if is_one_of(inner, &NUMBERS) => {
            Some(quote! { text.write_str(::factum::itoa::Buffer::new().format(self.0)) })
        }
        _ => None,
    };
    let write_text = written.map(|written| {
        quote! {
            fn write_text(&self, text: &mut dyn ::core::fmt::Write) -> ::core::fmt::Result {
                #written
            }
        }
    });
    let from_text = is_one_of(inner, &["String"]).then(|| {
        quote! {
            impl ::core::convert::From<&str> for #name {
                fn from(id: &str) -> Self {
                    Self(::std::string::String::from(id))
                }
            }
        }
    });
    // The id in a stream's name. What else an id may wrap need not be read from a text.
    let reads = is_one_of(inner, &["String", "Uuid"]) || is_one_of(inner, &NUMBERS);
    let from_str = reads.then(|| {
        quote! {
            impl ::core::str::FromStr for #name {
                type Err = <#inner as ::core::str::FromStr>::Err;
                fn from_str(id: &str) -> ::core::result::Result<Self, Self::Err> {
                    ::core::str::FromStr::from_str(id).map(Self)
                }
            }
        }
    });
    Ok(quote! {
        impl ::factum::Id for #name {
            const KEY: &'static str = #key;
            #write_text
        }
        impl ::factum::event::faithful::Faithful for #name {
            const HOLDS: bool = {
                #[allow(unused_imports)]
                use ::factum::event::faithful::OrNot as _;
                ::factum::event::faithful::Asked::<#inner>::IS_FAITHFUL
            };
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
        #from_str
    })
}

const NUMBERS: [&str; 12] =
    ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize"];

fn is_one_of(inner: &Type, names: &[&str]) -> bool {
    let Type::Path(path) = inner else { return false };
    path.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn wrong_shape(input: &DeriveInput) -> Error {
    let name = &input.ident;
    Error::new_spanned(name, format!("an id wraps one value: write `struct {name}(String);`"))
}
