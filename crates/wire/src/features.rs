//! What this server says it can do.
//!
//! Clients choose their calls by it, so that only what is there is named:
//! naming a call too many is worse than naming one too few.

use crate::proto::server_features::{SupportedMethod, SupportedMethods};

/// The version whose protocol this is. Clients read three numbers.
pub const VERSION: &str = "26.1.0";

const STREAMS: &str = "event_store.client.streams.streams";

const GROUPS: &str = "event_store.client.persistent_subscriptions.persistentsubscriptions";

/// What every call about groups takes.
const BOTH: &[&str] = &["stream", "all"];

/// Method, service, features; all in lower case.
const METHODS: [(&str, &str, &[&str]); 16] = [
    ("read", STREAMS, &["position", "events"]),
    ("append", STREAMS, &[]),
    ("delete", STREAMS, &[]),
    ("tombstone", STREAMS, &[]),
    ("batchappend", STREAMS, &["deadline_duration"]),
    ("create", GROUPS, BOTH),
    ("update", GROUPS, BOTH),
    ("delete", GROUPS, BOTH),
    ("read", GROUPS, BOTH),
    ("getinfo", GROUPS, BOTH),
    ("replayparked", GROUPS, BOTH),
    ("truncateparked", GROUPS, BOTH),
    ("list", GROUPS, BOTH),
    ("restartsubsystem", GROUPS, BOTH),
    ("read", "event_store.client.gossip.gossip", &[]),
    ("getsupportedmethods", "event_store.client.server_features.serverfeatures", &[]),
];

/// The answer.
pub fn supported() -> SupportedMethods {
    let methods = METHODS.iter().map(|(method, service, features)| SupportedMethod {
        method_name: (*method).to_owned(),
        service_name: (*service).to_owned(),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
    });
    SupportedMethods { methods: methods.collect(), event_store_server_version: VERSION.to_owned() }
}
