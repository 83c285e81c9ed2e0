//! What to do where clients of another language cannot be had.

/// Fails the test, unless whoever runs it can do without these clients.
pub fn missing(what: &str) {
    match std::env::var("FACTUM_CLIENTS") {
        Ok(value) if value == "optional" => eprintln!("NOT TRIED: {what}"),
        _ => panic!("{what}: install it, or set FACTUM_CLIENTS=optional to do without these clients"),
    }
}
