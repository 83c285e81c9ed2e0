//! The fields of one version, then and now.

use super::super::advice::Change;
use super::super::lock::file::{Field, Version};
use super::super::report::Finding;

/// What became of the fields; `samples_read` says that every stored sample is
/// read and written as before.
pub fn compare(before: &Version, now: &Version, samples_read: bool) -> Vec<Finding> {
    let named = |change| Finding::new(&before.event_type, before.version, change);
    let mut findings = Vec::new();
    let mut gone: Vec<&Field> = without(&before.fields, &now.fields);
    for field in without(&now.fields, &before.fields) {
        let renamed = gone.iter().position(|old| old.type_name == field.type_name);
        if let Some(at) = renamed {
            let old = gone.remove(at);
            let advice = format!("keep the stored name by `#[serde(rename = {:?})]` on the field", old.name);
            let finding = named(Change::FieldRenamed).minus(&told(old)).plus(&told(field));
            findings.push(finding.advising(advice));
        } else if field.optional {
            findings.push(named(Change::OptionalFieldAdded).plus(&told(field)));
        } else {
            findings.push(named(Change::RequiredFieldAdded).plus(&told(field)));
        }
    }
    findings.extend(gone.into_iter().map(|field| named(Change::FieldRemoved).minus(&told(field))));
    for field in &now.fields {
        let Some(old) = before.fields.iter().find(|old| old.name == field.name) else { continue };
        if let Some(change) = changed(old, field, samples_read) {
            findings.push(named(change).minus(&told(old)).plus(&told(field)));
        }
    }
    findings
}

fn without<'a>(fields: &'a [Field], others: &[Field]) -> Vec<&'a Field> {
    fields.iter().filter(|field| !others.iter().any(|other| other.name == field.name)).collect()
}

fn changed(old: &Field, new: &Field, samples_read: bool) -> Option<Change> {
    if old == new {
        return None;
    }
    if old.optional && !new.optional {
        return Some(Change::FieldBecameRequired);
    }
    if old.type_name == new.type_name || inside_option(&new.type_name) == Some(old.type_name.as_str()) {
        return Some(Change::FieldBecameOptional);
    }
    // Its stored value may be `null`.
    if inside_option(&old.type_name).is_some() && inside_option(&new.type_name).is_none() {
        return Some(Change::FieldTypeChanged);
    }
    let is_same = match (number(inner(old)), number(inner(new))) {
        (Some(old), Some(new)) => new.holds(old),
        _ => samples_read,
    };
    Some(if is_same { Change::FieldTypeRenamed } else { Change::FieldTypeChanged })
}

fn inner(field: &Field) -> &str {
    inside_option(&field.type_name).unwrap_or(&field.type_name)
}

fn inside_option(ty: &str) -> Option<&str> {
    ty.strip_prefix("Option<")?.strip_suffix('>')
}

/// A type of numbers: whether it has a sign, and its bits; `whole` bits of a
/// float are those it can count with.
#[derive(Clone, Copy)]
struct Number {
    signed: bool,
    bits: u32,
    is_float: bool,
}

impl Number {
    /// Whether every value of the other has its like here.
    fn holds(self, other: Self) -> bool {
        match (self.is_float, other.is_float) {
            (false, true) => false,
            (true, true) => self.bits >= other.bits,
            // 24 and 53 bits of whole numbers.
            (true, false) => other.bits < if self.bits == 64 { 53 } else { 24 },
            (false, false) if self.signed == other.signed => self.bits >= other.bits,
            (false, false) => self.signed && self.bits > other.bits,
        }
    }
}

fn number(ty: &str) -> Option<Number> {
    let (kind, bits) = ty.split_at_checked(1)?;
    let bits = if bits == "size" { 64 } else { bits.parse().ok()? };
    let (signed, is_float) = match kind {
        "u" => (false, false),
        "i" => (true, false),
        "f" => (true, true),
        _ => return None,
    };
    Some(Number { signed, bits, is_float })
}

fn told(field: &Field) -> String {
    let may =
        if field.optional && inside_option(&field.type_name).is_none() { " (may be missing)" } else { "" };
    format!("{}: {}{may}", field.name, field.type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_numbers_hold_narrower_ones() {
        let holds = |new: &str, old: &str| number(new).unwrap().holds(number(old).unwrap());
        for (new, old) in [("u64", "u32"), ("i64", "u32"), ("f64", "u32"), ("f64", "f32"), ("u64", "u64")] {
            assert!(holds(new, old), "{old} to {new}");
        }
        for (new, old) in [("u32", "u64"), ("u64", "i32"), ("i32", "u32"), ("f64", "u64"), ("u64", "f64")] {
            assert!(!holds(new, old), "{old} to {new}");
        }
        assert!(number("Uuid").is_none() && number("username").is_none() && number("").is_none());
    }
}
