//! A version of the lock as the struct it was: what `from = ...` asks for, to be
//! pasted into the program.
//!
//! ```text
//!   "type": "OrderPlaced", "version": 1        #[event(name = "OrderPlaced")]
//!   {"name":"id","type":"OrderId"}      ──▶    struct OrderPlacedV1 {
//!   {"name":"dollars","type":"u32"}                #[id] id: OrderId, ...
//! ```
//!
//! The lock says which tags there were and not which field made them: a typed id whose
//! tag is among them is taken for it. A wrong guess is told by the next check.

use super::super::lint::snake;
use super::super::lock::file::{Field, Version};

/// Its lines. `from_older`: a version before it was stored, too.
pub fn as_struct(version: &Version, from_older: bool) -> Vec<String> {
    let name = &version.event_type;
    let mut settings = vec![format!("name = {name:?}")];
    if version.version > 1 {
        settings.push(format!("version = {}", version.version));
    }
    let category = version.stream.strip_suffix("-<id>").unwrap_or(&version.stream);
    if !name.to_lowercase().starts_with(&category.to_lowercase()) {
        settings.push(format!("category = {category:?}"));
    }
    if from_older {
        settings.push(format!("from = {}", type_name(name, version.version - 1)));
    }
    let mut lines = vec![
        "#[derive(Event, Clone, Debug)]".to_owned(),
        format!("#[event({})]", settings.join(", ")),
        format!("struct {} {{", type_name(name, version.version)),
    ];
    let id = id_of(version);
    for field in &version.fields {
        if id == Some(field) {
            lines.push("    #[id]".to_owned());
        } else if is_tag(version, field) {
            lines.push("    #[tag]".to_owned());
        }
        let own = identifier(&field.name);
        if own != field.name {
            lines.push(format!("    #[serde(rename = {:?})]", field.name));
        }
        if field.optional && !field.type_name.starts_with("Option<") {
            lines.push("    #[serde(default)]".to_owned());
        }
        lines.push(format!("    {own}: {},", field.type_name));
    }
    lines.push("}".to_owned());
    lines
}

/// `OrderPlacedV1`.
fn type_name(event_type: &str, version: u32) -> String {
    let plain: String = event_type.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{plain}V{version}")
}

/// A stored name as a field is called in Rust.
fn identifier(stored: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = snake(stored).chars().map(plain).collect();
    const KEYWORDS: [&str; 7] = ["type", "ref", "move", "use", "in", "for", "match"];
    let is_taken = KEYWORDS.contains(&name.as_str()) || name.starts_with(|c: char| c.is_ascii_digit());
    if is_taken { format!("{name}_") } else { name }
}

/// The tag that a typed id makes unless it says otherwise: `OrderId` makes `order`.
fn tag_of(field: &Field) -> String {
    let name = field.type_name.strip_suffix("Id").filter(|rest| !rest.is_empty());
    let mut letters = name.unwrap_or(&field.type_name).chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn is_tag(version: &Version, field: &Field) -> bool {
    version.tags.contains(&tag_of(field))
}

/// The field that names the stream: the one that is called as its category is, or the
/// first that made a tag.
fn id_of(version: &Version) -> Option<&Field> {
    let category = version.stream.strip_suffix("-<id>")?;
    let mut tags = version.fields.iter().filter(|field| is_tag(version, field));
    let first = tags.clone().next();
    tags.find(|field| tag_of(field) == category).or(first)
}
