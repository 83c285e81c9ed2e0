//! Fuzz targets, one for each format that is parsed: see `tests/`.
//!
//! They are ordinary tests: a short run of random bytes each, on a stable
//! compiler. Longer:
//!
//! ```text
//!   BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --release -p factum-fuzz
//!   cargo xtask torture --suite fuzz --minutes 30
//! ```
//!
//! With `cargo bolero` the same targets run under libFuzzer. What fails is
//! printed with its bytes; keep it as a test beside the code that was mended.
