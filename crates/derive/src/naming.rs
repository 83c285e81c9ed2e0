//! Names derived from names.

/// The name without an ending, unless nothing would be left.
fn without<'a>(name: &'a str, ending: &str) -> &'a str {
    match name.strip_suffix(ending) {
        Some("") | None => name,
        Some(rest) => rest,
    }
}

/// `AccountId` → `account`: the first letter in lower case.
pub fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// The name of the tag a typed id makes.
pub fn key_of_id(type_name: &str) -> String {
    lower_first(without(type_name, "Id"))
}

/// What an enum of events puts before its variants: `Account` and
/// `AccountEvent` both `Account`.
pub fn prefix_of_enum(type_name: &str) -> &str {
    without(without(type_name, "Events"), "Event")
}

/// The stored type of a variant: the prefix, unless the variant has it already.
pub fn stored_type(prefix: &str, variant: &str) -> String {
    if variant.starts_with(prefix) { variant.to_owned() } else { format!("{prefix}{variant}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_one_would_guess() {
        assert_eq!(key_of_id("AccountId"), "account");
        assert_eq!(key_of_id("BankAccountId"), "bankAccount");
        assert_eq!(key_of_id("Id"), "id");
        assert_eq!(key_of_id("Email"), "email");
        assert_eq!(prefix_of_enum("Account"), "Account");
        assert_eq!(prefix_of_enum("AccountEvent"), "Account");
        assert_eq!(prefix_of_enum("AccountEvents"), "Account");
        assert_eq!(prefix_of_enum("Event"), "Event");
        assert_eq!(stored_type("Account", "Opened"), "AccountOpened");
        assert_eq!(stored_type("Order", "OrderSubmitted"), "OrderSubmitted");
    }
}
