//! What serde is told about fields, as far as it decides how they are stored:
//! their names, and whether events without them can be read.
//!
//! Serde itself does the writing and reading; this only has to come to the same
//! names, so that shapes speak of stored fields and not of today's source.

use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, ExprLit, Field, Lit, Result, Type};

/// One setting: its name, and its text if it has one.
struct Setting {
    name: String,
    text: Option<String>,
}

/// What a struct, a variant or an enum says about all of its fields.
#[derive(Debug, Default, Clone)]
pub struct OfAll {
    rename_all: Option<String>,
    default: bool,
    /// By the trait, not by a function.
    default_by_trait: bool,
}

impl OfAll {
    /// Of a struct or a variant.
    pub fn of(attributes: &[Attribute]) -> Self {
        let settings = settings(attributes);
        Self {
            rename_all: text_of(&settings, "rename_all"),
            default: settings.iter().any(|setting| setting.name == "default"),
            default_by_trait: settings
                .iter()
                .any(|setting| setting.name == "default" && setting.text.is_none()),
        }
    }

    /// Whether it names its fields by a rule.
    pub fn renames(&self) -> bool {
        self.rename_all.is_some()
    }

    /// Whether missing fields are taken from the `Default` of the whole.
    pub fn begins_at_default(&self) -> bool {
        self.default_by_trait
    }

    /// Of a variant, in an enum that says `rename_all_fields`.
    pub fn within(mut self, of_enum: Option<&str>) -> Self {
        self.rename_all = self.rename_all.or_else(|| of_enum.map(str::to_owned));
        self
    }

    /// How a field is stored: its name, and whether it may be missing. `None`
    /// if it is not stored at all.
    pub fn stored(&self, field: &Field) -> Option<(String, bool)> {
        let settings = settings(&field.attrs);
        let says = |name: &str| settings.iter().any(|setting| setting.name == name);
        if says("skip") || says("skip_serializing") {
            return None;
        }
        let source = field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
        let name = text_of(&settings, "rename")
            .or_else(|| text_of(&settings, "rename.serialize"))
            .unwrap_or_else(|| renamed(&source, self.rename_all.as_deref()));
        let is_plain_option = is_option(&field.ty) && !says("with") && !says("deserialize_with");
        Some((name, self.default || says("default") || is_plain_option))
    }
}

/// What an enum says about the fields of all its variants: the text of
/// `rename_all_fields`. Whatever else would not reach what is stored.
pub fn rename_all_fields(attributes: &[Attribute]) -> Result<Option<String>> {
    let settings = settings(attributes);
    let about_the_whole = ["tag", "content", "untagged", "crate", "bound", "expecting", "rename_all_fields"];
    for setting in &settings {
        let name = setting.name.split('.').next().unwrap_or_default();
        if about_the_whole.contains(&name) {
            continue;
        }
        let remedy = match name {
            "rename_all" => {
                "write `rename_all_fields` for the fields; stored types are named by `#[event(prefix = ..., name = ...)]`"
            }
            _ => "write it on the fields",
        };
        let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("serde"));
        let message = format!("`{name}` on an enum of events has no effect on what is stored: {remedy}");
        return Err(Error::new_spanned(attribute, message));
    }
    Ok(text_of(&settings, "rename_all_fields"))
}

fn text_of(settings: &[Setting], name: &str) -> Option<String> {
    settings.iter().find(|setting| setting.name == name)?.text.clone()
}

fn settings(attributes: &[Attribute]) -> Vec<Setting> {
    let mut found = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What serde refuses, serde reports.
        let _ = attribute.parse_nested_meta(|meta| read(&meta, "", &mut found));
    }
    found
}

/// `name`, `name = value`, or `name(inner = value)` as `name.inner`.
fn read(meta: &ParseNestedMeta<'_>, within: &str, found: &mut Vec<Setting>) -> Result<()> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    let name = format!("{within}{name}");
    if meta.input.peek(syn::token::Paren) {
        return meta.parse_nested_meta(|inner| read(&inner, &format!("{name}."), found));
    }
    let mut text = None;
    if meta.input.peek(syn::Token![=])
        && let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = meta.value()?.parse::<Expr>()?
    {
        text = Some(literal.value());
    }
    found.push(Setting { name, text });
    Ok(())
}

pub fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

/// A field's name by one of serde's rules.
fn renamed(field: &str, rule: Option<&str>) -> String {
    let pascal = || -> String {
        let words = field.split('_').map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        });
        words.collect()
    };
    match rule {
        Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => field.to_ascii_uppercase(),
        Some("PascalCase") => pascal(),
        Some("camelCase") => {
            let pascal = pascal();
            let first = pascal.chars().next().map(|first| first.to_ascii_lowercase());
            first.into_iter().chain(pascal.chars().skip(1)).collect()
        }
        Some("kebab-case") => field.replace('_', "-"),
        Some("SCREAMING-KEBAB-CASE") => field.to_ascii_uppercase().replace('_', "-"),
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn names_are_those_serde_writes() {
        let rows = [
            (None, "unit_price"),
            (Some("camelCase"), "unitPrice"),
            (Some("PascalCase"), "UnitPrice"),
            (Some("SCREAMING_SNAKE_CASE"), "UNIT_PRICE"),
            (Some("kebab-case"), "unit-price"),
            (Some("SCREAMING-KEBAB-CASE"), "UNIT-PRICE"),
            (Some("snake_case"), "unit_price"),
        ];
        for (rule, name) in rows {
            assert_eq!(renamed("unit_price", rule), name, "{rule:?}");
        }
    }

    #[test]
    fn a_field_may_be_missing_if_serde_can_do_without() {
        let of = |field: Field| OfAll::default().stored(&field);
        let rows: [(Field, Option<(&str, bool)>); 8] = [
            (parse_quote!(a: u8), Some(("a", false))),
            (parse_quote!(a: Option<u8>), Some(("a", true))),
            (parse_quote!(#[serde(default, rename = "b")] a: u8), Some(("b", true))),
            (parse_quote!(#[serde(default = "one")] a: u8), Some(("a", true))),
            (parse_quote!(#[serde(rename(serialize = "b", deserialize = "b"))] a: u8), Some(("b", false))),
            (parse_quote!(#[serde(with = "seconds")] a: Option<u8>), Some(("a", false))),
            (parse_quote!(#[serde(skip)] a: u8), None),
            (parse_quote!(r#type: u8), Some(("type", false))),
        ];
        for (row, (field, expected)) in rows.into_iter().enumerate() {
            let expected = expected.map(|(name, optional)| (name.to_owned(), optional));
            assert_eq!(of(field), expected, "row {row}");
        }
    }
}
