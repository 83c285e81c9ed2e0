//! Lints: what is allowed, and regretted later.
//!
//! They look at names and at samples, and would rather miss something than
//! complain about a good event. Each can be allowed on the event, where whoever
//! reads it sees that it was meant: `#[event(allow(calculated_field))]`.

use std::fmt;

use serde_json::Value;

use crate::event::FieldShape;

use super::Specimen;

/// Something about an event that is usually regretted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lint {
    /// A value that follows from others beside it.
    CalculatedField,
    /// A value that is true only for a while.
    ChangingField,
    /// The whole state instead of what changed.
    WholeState,
    /// Several facts in one event.
    TooLarge,
    /// One fact in several events.
    TooSmall,
    /// Something about a person, which they may ask to be forgotten.
    PersonalData,
}

/// More fields than a person can keep in mind.
const FIELDS_MAX: usize = 24;
/// More values in one sample, with one element in each list.
const VALUES_MAX: usize = 60;
/// Lists in lists in lists.
const LIST_DEPTH_MAX: usize = 2;
/// As many fields of an entity make a copy of it, not a change.
const CHANGED_FIELDS_MAX: usize = 4;
/// As many events of one field each are one fact in pieces.
const PIECES_MAX: usize = 2;

const SUMS: [&str; 7] = ["total", "subtotal", "sum", "average", "avg", "balance", "count"];
const UPDATES: [&str; 5] = ["Updated", "Changed", "Saved", "Modified", "Snapshot"];
const PERSONAL: [&str; 26] = [
    "email",
    "e_mail",
    "email_address",
    "phone",
    "phone_number",
    "mobile_number",
    "ssn",
    "social_security_number",
    "national_id",
    "tax_id",
    "passport",
    "passport_number",
    "iban",
    "credit_card",
    "card_number",
    "birth_date",
    "birthdate",
    "birthday",
    "date_of_birth",
    "first_name",
    "last_name",
    "full_name",
    "surname",
    "maiden_name",
    "home_address",
    "ip_address",
];
/// In events about these a plain `name` is that of a person.
const PEOPLE: [&str; 12] = [
    "Customer",
    "User",
    "Person",
    "Patient",
    "Employee",
    "Member",
    "Student",
    "Guest",
    "Passenger",
    "Contact",
    "Subscriber",
    "Driver",
];

impl Lint {
    /// As it is written in `allow(...)`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CalculatedField => "calculated_field",
            Self::ChangingField => "changing_field",
            Self::WholeState => "whole_state",
            Self::TooLarge => "too_large",
            Self::TooSmall => "too_small",
            Self::PersonalData => "personal_data",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::CalculatedField => {
                "leave it out and calculate it where it is read; rules change, the event cannot"
            }
            Self::ChangingField => {
                "record what happened and when; look up what is current where it is needed"
            }
            Self::WholeState => "record what changed and why, in an event named after that",
            Self::TooLarge => "split it into the facts it is made of, or refer to documents by id",
            Self::TooSmall => "make them one event, named after what happened in the domain",
            Self::PersonalData => {
                "keep it out of events and refer to it by id, or plan how it is erased: events are kept for ever"
            }
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A lint that holds for an event, and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub lint: Lint,
    pub saw: String,
}

/// What there is to say about the newest version of one type.
pub fn of_one(specimen: &Specimen) -> Vec<Warning> {
    let fields = &specimen.shape.fields;
    let mut warnings = Vec::new();
    let mut warn = |lint, saw: String| {
        if !specimen.allowed.contains(&lint) {
            warnings.push(Warning { lint, saw });
        }
    };
    for field in fields {
        if let Some(parts) = parts_of(field, fields) {
            warn(Lint::CalculatedField, format!("`{}` seems to follow from {parts}", field.name));
        }
        if let Some(why) = changes(field, &specimen.stream) {
            warn(Lint::ChangingField, format!("`{}` {why}", field.name));
        }
        if is_personal(field, specimen.shape.name) {
            warn(Lint::PersonalData, format!("`{}` is about a person", field.name));
        }
        if is_the_entity(field, &specimen.stream) {
            warn(Lint::WholeState, format!("`{}` is the whole {}", field.name, field.type_name));
        }
    }
    let told = fields.iter().filter(|field| !is_label(field, specimen)).count();
    let is_update = UPDATES.iter().any(|ending| specimen.shape.name.ends_with(ending));
    let names_all = fields.iter().all(|field| !field.optional);
    if is_update && names_all && told > CHANGED_FIELDS_MAX {
        warn(Lint::WholeState, format!("it says what {told} fields are now, whatever changed"));
    }
    if fields.len() > FIELDS_MAX {
        warn(Lint::TooLarge, format!("it has {} fields", fields.len()));
    } else if let Ok([sample, ..]) = specimen.samples.as_deref()
        && let Ok(sample) = serde_json::from_str::<Value>(sample.get())
    {
        let (values, depth) = (values_in(&sample), list_depth(&sample));
        if values > VALUES_MAX {
            warn(Lint::TooLarge, format!("a small one has {values} values already"));
        } else if depth > LIST_DEPTH_MAX {
            warn(Lint::TooLarge, format!("it has lists inside of lists, {depth} deep"));
        }
    }
    warnings
}

/// What there is to say about all types of an enum together.
pub fn of_all(newest: &[&Specimen]) -> Vec<(String, Warning)> {
    let is_piece = |specimen: &&&Specimen| {
        let told = specimen.shape.fields.iter().filter(|field| !is_label(field, specimen)).count();
        ["Changed", "Updated", "Set"].iter().any(|ending| specimen.shape.name.ends_with(ending))
            && told == 1
            && !specimen.allowed.contains(&Lint::TooSmall)
    };
    let pieces: Vec<&str> = newest.iter().filter(is_piece).map(|specimen| specimen.shape.name).collect();
    match pieces[..] {
        [first, ..] if pieces.len() > PIECES_MAX => {
            let saw = format!("{} say one field each", pieces.join(", "));
            vec![(first.to_owned(), Warning { lint: Lint::TooSmall, saw })]
        }
        _ => Vec::new(),
    }
}

/// What a field is calculated from, if its name says that it is.
fn parts_of(field: &FieldShape, fields: &[FieldShape]) -> Option<String> {
    let name = snake(field.name);
    let sum = name.split('_').find(|word| SUMS.contains(word))?;
    let is_number = is_number(field.type_name);
    let list = fields.iter().find(|other| is_list(other.type_name));
    if let Some(list) = list.filter(|_| is_number) {
        return Some(format!("the elements of `{}`", list.name));
    }
    // One thing may be counted without a list of it being there.
    if sum == "count" {
        return None;
    }
    let same = fields.iter().find(|other| {
        other.name != field.name && other.type_name == field.type_name && !is_sum(other) && is_part(other)
    });
    same.map(|other| format!("`{}`", other.name))
}

fn is_sum(field: &FieldShape) -> bool {
    snake(field.name).split('_').any(|word| SUMS.contains(&word))
}

/// Amounts of things that add up, whatever type they have.
fn is_part(field: &FieldShape) -> bool {
    let words = ["amount", "price", "cents", "tax", "fee", "net", "cost", "value", "discount", "shipping"];
    snake(field.name).split('_').any(|word| words.contains(&word))
}

fn changes(field: &FieldShape, stream: &str) -> Option<&'static str> {
    let name = snake(field.name);
    if name.starts_with("current_") || name.starts_with("latest_") {
        return Some("is only true until it changes");
    }
    if (name == "age" || name.ends_with("_age")) && is_number(field.type_name) {
        return Some("changes by itself");
    }
    let owner = name.strip_suffix("_status").or_else(|| name.strip_suffix("_state"))?;
    let category = stream.split('-').next().unwrap_or_default();
    let is_others = ["customer", "user", "account", "order", "payment", "shipment", "member", "product"]
        .contains(&owner)
        && snake(category) != owner;
    is_others.then_some("is the state of something else, which changes without this event")
}

fn is_personal(field: &FieldShape, event: &str) -> bool {
    let name = snake(field.name);
    PERSONAL.iter().any(|personal| {
        name == *personal || name.strip_suffix(personal).is_some_and(|rest| rest.ends_with('_'))
    }) || name == "name" && PEOPLE.iter().any(|person| event.starts_with(person))
}

/// `OrderPlaced { order: Order }`.
fn is_the_entity(field: &FieldShape, stream: &str) -> bool {
    let category = stream.split('-').next().unwrap_or_default().to_lowercase();
    let ty = field.type_name.to_lowercase();
    ty == category || ty == format!("box<{category}>") || ty == format!("{category}state")
}

/// Whether a field only says what the event is about.
fn is_label(field: &FieldShape, specimen: &Specimen) -> bool {
    let key = |name: &str| snake(name).trim_end_matches("_id").to_owned();
    let name = key(field.name);
    name == "id" || specimen.shape.tags.iter().any(|tag| key(tag) == name)
}

fn is_list(ty: &str) -> bool {
    ["Vec<", "Option<Vec<", "SmallVec<", "HashMap<", "BTreeMap<", "HashSet<", "BTreeSet<", "["]
        .iter()
        .any(|begin| ty.starts_with(begin))
}

fn is_number(ty: &str) -> bool {
    let ty = ty.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(ty);
    let plain = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32", "f64", "usize"];
    plain.contains(&ty) || ["Decimal", "Money", "Cents", "Amount"].contains(&ty)
}

fn values_in(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.iter().map(values_in).sum(),
        Value::Object(fields) => fields.values().map(values_in).sum(),
        _ => 1,
    }
}

fn list_depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(list_depth).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(list_depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// `customerAge` and `customer-age` as `customer_age`.
pub(super) fn snake(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before = None;
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_some_and(|before: char| before.is_lowercase()) {
            words.push('_');
        }
        words.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
        before = Some(letter);
    }
    words
}

#[cfg(test)]
mod tests;
