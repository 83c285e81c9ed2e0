//! The likeliest mistakes with the derives, and what the compiler says about
//! them. After a change of a message: `TRYBUILD=overwrite cargo test -p factum`.

#[test]
fn mistakes_are_told_where_they_are_with_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
