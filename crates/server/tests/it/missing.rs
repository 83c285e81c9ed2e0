//! What to do where clients of another language cannot be had.

/// Says so; fails the test where all clients are required, as in CI.
pub fn missing(what: &str) {
    match std::env::var("FACTUM_CLIENTS") {
        Ok(value) if value == "required" => panic!("{what}: install it, or do not set FACTUM_CLIENTS"),
        _ => eprintln!("NOT TRIED: {what}"),
    }
}
