//! Why a row has no figure: whatever a system said, in its own words.

use std::error::Error;

/// What went wrong. Every peer has errors of its own, and here they are only
/// printed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An error and what caused it, in one line, saying nothing twice.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot raise the counter{0}")]
    struct Outer(&'static str, #[source] std::fmt::Error);

    #[test]
    fn tells_causes_once() {
        let cause = std::fmt::Error.to_string();
        assert_eq!(with_causes(&Outer("", std::fmt::Error)), format!("cannot raise the counter: {cause}"));
        let told = with_causes(&Outer(": an error occurred when formatting an argument", std::fmt::Error));
        assert_eq!(told.matches(&cause).count(), 1, "{told}");
    }
}
