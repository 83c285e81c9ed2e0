//! `#[event(...)]`: the settings of an event, on its type or a variant.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse as _;
use syn::{Attribute, Error, Ident, LitInt, LitStr, Path, Result, Token, parenthesized};

/// Everything an event can be told.
#[derive(Default)]
pub struct Settings {
    /// The stored type.
    pub name: Option<String>,
    /// What an enum puts before its variants' names.
    pub prefix: Option<String>,
    /// The first part of its streams' names.
    pub category: Option<String>,
    pub version: Option<(u32, Span)>,
    /// The type of the version before.
    pub from: Option<Path>,
    /// JSON upcasters with the version each starts from, contiguous.
    pub upcast: Vec<(u32, Path, Span)>,
    pub newer: Option<Ident>,
    pub codec: Option<Ident>,
    /// A function that makes one, where the sampler cannot.
    pub example: Option<Path>,
    /// Lints of `factum::evolution` that do not hold for it, on purpose.
    pub allow: Vec<Ident>,
}

const ALLOWED: &str =
    "`name`, `prefix`, `category`, `version`, `from`, `upcast`, `newer`, `codec`, `example` and `allow`";

/// How lints are written, and their variants in `factum::evolution::Lint`.
const LINTS: [(&str, &str); 6] = [
    ("calculated_field", "CalculatedField"),
    ("changing_field", "ChangingField"),
    ("whole_state", "WholeState"),
    ("too_large", "TooLarge"),
    ("too_small", "TooSmall"),
    ("personal_data", "PersonalData"),
];

impl Settings {
    pub fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut settings = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("event")) {
            attribute.parse_nested_meta(|meta| settings.take(&meta))?;
        }
        settings.check()?;
        Ok(settings)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident() else {
            return Err(meta.error(format!("the settings of an event are {ALLOWED}")));
        };
        match key.to_string().as_str() {
            "name" => self.name = Some(text(meta)?),
            "prefix" => self.prefix = Some(text_or_empty(meta)?),
            "category" => self.category = Some(text(meta)?),
            "version" => {
                let number: LitInt = meta.value()?.parse()?;
                self.version = Some((number.base10_parse()?, number.span()));
            }
            "from" => self.from = Some(meta.value()?.parse()?),
            "upcast" => {
                let content;
                parenthesized!(content in meta.input);
                while !content.is_empty() {
                    let number: LitInt = content.parse()?;
                    content.parse::<Token![=]>()?;
                    self.upcast.push((number.base10_parse()?, content.parse()?, number.span()));
                    if !content.is_empty() {
                        content.parse::<Token![,]>()?;
                    }
                }
            }
            "example" => self.example = Some(meta.value()?.parse()?),
            "allow" => {
                let content;
                parenthesized!(content in meta.input);
                for lint in content.parse_terminated(Ident::parse, Token![,])? {
                    self.allow.push(lint_variant(&lint)?);
                }
            }
            "newer" => self.newer = Some(choice(meta, &["refuse", "read", "skip"])?),
            "codec" => self.codec = Some(choice(meta, &["json", "msgpack"])?),
            other => {
                let message = format!("`{other}` is no setting of an event; there are {ALLOWED}");
                return Err(Error::new_spanned(key, message));
            }
        }
        Ok(())
    }

    /// Every old version must lead to the newest.
    fn check(&self) -> Result<()> {
        let Some((version, at)) = self.version else {
            let message = "an upcaster needs a version to lead to: add `version = 2`";
            return match (&self.from, self.upcast.first()) {
                (Some(from), _) => Err(Error::new_spanned(from, message)),
                (None, Some((_, _, at))) => Err(Error::new(*at, message)),
                (None, None) => Ok(()),
            };
        };
        if version == 0 {
            return Err(Error::new(at, "versions count from 1"));
        }
        if version == 1 && (self.from.is_some() || !self.upcast.is_empty()) {
            return Err(Error::new(
                at,
                "nothing comes before version 1: raise the version, or remove the upcaster",
            ));
        }
        if version > 1 && self.from.is_none() && self.upcast.is_empty() {
            return Err(Error::new(
                at,
                format!(
                    "events of version {before} are stored already: say how to read them, by `from = TypeOfVersion{before}` (with `impl From<TypeOfVersion{before}>`) or by `upcast({before} = a_function)` over JSON",
                    before = version - 1
                ),
            ));
        }
        if self.from.is_some() && !self.upcast.is_empty() {
            return Err(Error::new(
                at,
                "either `from` or `upcast`: put the upcasters of older versions on the type that `from` names",
            ));
        }
        let Some((first, ..)) = self.upcast.first() else { return Ok(()) };
        for (step, (from, _, at)) in self.upcast.iter().enumerate() {
            let expected = first + step as u32;
            if *from != expected {
                let message = format!(
                    "here the upcaster from version {expected} is expected: each leads to the next version"
                );
                return Err(Error::new(*at, message));
            }
        }
        let reached = first + self.upcast.len() as u32;
        if reached != version {
            let message = format!(
                "the upcasters lead from version {first} to {reached}, and the newest is {version}: add the one from {reached}"
            );
            return Err(Error::new(at, message));
        }
        Ok(())
    }

    pub fn newest(&self) -> u32 {
        self.version.map_or(1, |(version, _)| version)
    }
}

fn text_or_empty(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let literal = meta.value()?.parse::<LitStr>()?;
    if literal.value().is_empty() {
        return Err(Error::new_spanned(literal, "this name is empty: give it at least one character"));
    }
    Ok(literal.value())
}

fn lint_variant(lint: &Ident) -> Result<Ident> {
    match LINTS.iter().find(|(written, _)| lint == written) {
        Some((_, variant)) => Ok(Ident::new(variant, lint.span())),
        None => {
            let written = LINTS.map(|(written, _)| written).join(", ");
            Err(Error::new_spanned(lint, format!("`{lint}` is no lint of events; there are {written}")))
        }
    }
}

fn choice(meta: &ParseNestedMeta<'_>, allowed: &[&str]) -> Result<Ident> {
    let chosen: Ident = meta.value()?.parse()?;
    if allowed.iter().any(|allowed| chosen == allowed) {
        return Ok(chosen);
    }
    let message = format!("`{chosen}` is none of the choices: {}", allowed.join(", "));
    Err(Error::new_spanned(chosen, message))
}
