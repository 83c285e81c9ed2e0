//! The files of a store. Each format is tried as it is, where nearly all bytes
//! end at a checksum, and with its checksums made right, which is what a
//! forger could do and chance cannot.

use factum_log::fuzzing;

use crate::bytes_up_to;

#[test]
fn batches_and_records() {
    bolero::check!()
        .with_max_len(1 << 16)
        .with_generator(bytes_up_to(6000))
        .for_each(|bytes| fuzzing::segment(bytes));
}

#[test]
fn batches_and_records_with_right_checksums() {
    bolero::check!()
        .with_max_len(1 << 16)
        .with_generator(bytes_up_to(6000))
        .for_each(|bytes| fuzzing::sealed_batch(bytes));
}

#[test]
fn indexes() {
    bolero::check!()
        .with_max_len(1 << 16)
        .with_generator(bytes_up_to(6000))
        .for_each(|bytes| fuzzing::index(bytes));
}

#[test]
fn store_files() {
    bolero::check!()
        .with_max_len(1 << 16)
        .with_generator(bytes_up_to(6000))
        .for_each(|bytes| fuzzing::store_file(bytes));
}
