//! What this server says it can do.
//!
//! Clients choose their calls by it, so that only what is there is named:
//! naming a call too many is worse than naming one too few.

use crate::proto::server_features::{SupportedMethod, SupportedMethods};

/// The version whose protocol this is. Clients read three numbers.
pub const VERSION: &str = "26.1.0";

/// Methods of a service, each with its features.
type Methods = &'static [(&'static str, &'static [&'static str])];

/// What every call about groups takes.
const BOTH: &[&str] = &["stream", "all"];

/// Services with their methods; all in lower case.
const SERVICES: [(&str, Methods); 9] = [
    (
        "event_store.client.streams.streams",
        &[
            ("read", &["position", "events"]),
            ("append", &[]),
            ("delete", &[]),
            ("tombstone", &[]),
            ("batchappend", &["deadline_duration"]),
        ],
    ),
    (
        "event_store.client.persistent_subscriptions.persistentsubscriptions",
        &[
            ("create", BOTH),
            ("update", BOTH),
            ("delete", BOTH),
            ("read", BOTH),
            ("getinfo", BOTH),
            ("replayparked", BOTH),
            ("truncateparked", BOTH),
            ("list", BOTH),
            ("restartsubsystem", BOTH),
        ],
    ),
    ("kurrentdb.protocol.v2.streams.streamsservice", &[("appendsession", &[]), ("appendrecords", &[])]),
    ("event_store.client.gossip.gossip", &[("read", &[])]),
    ("event_store.client.monitoring.monitoring", &[("stats", &[])]),
    (
        "event_store.client.operations.operations",
        &[
            ("startscavenge", &[]),
            ("stopscavenge", &[]),
            ("shutdown", &[]),
            ("mergeindexes", &[]),
            ("resignnode", &[]),
            ("setnodepriority", &[]),
            ("restartpersistentsubscriptions", &[]),
        ],
    ),
    (
        "event_store.client.projections.projections",
        &[
            ("statistics", &[]),
            ("disable", &[]),
            ("enable", &[]),
            ("reset", &[]),
            ("state", &[]),
            ("result", &[]),
            ("restartsubsystem", &[]),
        ],
    ),
    (
        "event_store.client.users.users",
        &[
            ("create", &[]),
            ("update", &[]),
            ("delete", &[]),
            ("enable", &[]),
            ("disable", &[]),
            ("details", &[]),
            ("changepassword", &[]),
            ("resetpassword", &[]),
        ],
    ),
    ("event_store.client.server_features.serverfeatures", &[("getsupportedmethods", &[])]),
];

/// The answer.
pub fn supported() -> SupportedMethods {
    let methods = SERVICES.iter().flat_map(|(service, methods)| {
        methods.iter().map(|(method, features)| SupportedMethod {
            method_name: (*method).to_owned(),
            service_name: (*service).to_owned(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        })
    });
    SupportedMethods { methods: methods.collect(), event_store_server_version: VERSION.to_owned() }
}
