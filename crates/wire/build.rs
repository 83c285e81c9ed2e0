//! Compiles `proto/` without `protoc`: `protox` reads the files, tonic writes
//! the code. The client side is made only where the feature asks for it.

use std::error::Error;

const FILES: [&str; 11] = [
    "factum/store.proto",
    "gossip.proto",
    "monitoring.proto",
    "operations.proto",
    "persistent.proto",
    "projections.proto",
    "server_features.proto",
    "session_errors.proto",
    "sessions.proto",
    "streams.proto",
    "users.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    let mut messages = tonic_prost_build::Config::new();
    // Details inside a status are named by their type.
    messages.enable_type_names();
    // Properties are stored as they are read here: always in the same order.
    messages.btree_map([".kurrentdb.protocol.v2.streams"]);
    tonic_prost_build::configure()
        .build_client(std::env::var_os("CARGO_FEATURE_CLIENT").is_some())
        .build_transport(false)
        .codec_path("crate::codec::Whole")
        // Payloads share the buffer they arrived in.
        .bytes(".event_store.client.streams")
        .bytes(".event_store.client.StreamIdentifier")
        .bytes(".factum.store.v3")
        .bytes(".kurrentdb.protocol.v2.streams")
        .compile_fds_with_config(files, messages)?;
    Ok(())
}
