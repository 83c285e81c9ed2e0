//! This server as clients and operators see it: one node, its own leader, known
//! by an id until it stops.

use std::collections::BTreeMap;
use std::sync::Arc;

use factum_core::{Clock, EventStore, Timestamp};
use factum_wire::proto::gossip::ClusterInfo;
use factum_wire::{Failure, features, gossip};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::failure;
use crate::serve::Services;

/// One server, from its start on.
pub struct Node {
    instance: Uuid,
    address: String,
    port: u16,
    started: Timestamp,
    clock: Arc<dyn Clock>,
    store: Arc<dyn EventStore>,
}

impl Node {
    /// Of the server at this address.
    pub fn new(services: &Services, address: String, port: u16) -> Self {
        let Services { store, clock, .. } = services.clone();
        Self { instance: Uuid::new_v4(), address, port, started: clock.now(), clock, store }
    }

    /// The cluster, which is this node.
    pub fn cluster(&self) -> ClusterInfo {
        gossip::alone(self.instance, self.address.clone(), self.port, self.clock.now())
    }

    /// The same for who asks over HTTP. What it has not is 0.
    pub fn gossip(&self) -> Result<Value, Failure> {
        let end = self.end()?;
        Ok(json!({
            "members": [{
                "instanceId": self.instance.to_string(),
                "timeStamp": self.clock.now().to_string(),
                "state": "Leader",
                "isAlive": true,
                "internalTcpIp": self.address,
                "internalTcpPort": 0,
                "internalSecureTcpPort": 0,
                "externalTcpIp": self.address,
                "externalTcpPort": 0,
                "externalSecureTcpPort": 0,
                "internalHttpEndPointIp": self.address,
                "internalHttpEndPointPort": self.port,
                "httpEndPointIp": self.address,
                "httpEndPointPort": self.port,
                "lastCommitPosition": end,
                "writerCheckpoint": end,
                "chaserCheckpoint": end,
                "epochPosition": 0,
                "epochNumber": 0,
                "epochId": Uuid::nil().to_string(),
                "nodePriority": 0,
                "isReadOnlyReplica": false,
            }],
            "serverIp": self.address,
            "serverPort": self.port,
        }))
    }

    /// What this is, and what of KurrentDB is switched on here.
    pub fn info(&self) -> Value {
        json!({
            "product": "Factum",
            "version": env!("CARGO_PKG_VERSION"),
            "dbVersion": features::VERSION,
            "esVersion": features::VERSION,
            "state": "leader",
            "features": { "projections": true, "userManagement": false, "atomPub": false },
            "authentication": { "type": "insecure", "properties": {} },
        })
    }

    /// What is measured: of the process, and of the store. Reads the store.
    pub fn stats(&self) -> Result<BTreeMap<&'static str, String>, Failure> {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let milliseconds = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
        let up = self.clock.now().as_micros().saturating_sub(self.started.as_micros()).max(0);
        let mut stats = BTreeMap::from([
            ("proc-id", std::process::id().to_string()),
            ("proc-startTime", self.started.to_string()),
            ("proc-upSeconds", (up / 1_000_000).to_string()),
            ("proc-cpuMilliseconds", milliseconds.to_string()),
            ("es-events", self.end()?.to_string()),
        ]);
        if let Some(memory) = memory_stats::memory_stats() {
            stats.insert("proc-mem", memory.physical_mem.to_string());
        }
        Ok(stats)
    }

    /// How many events there are, which is also the position of the last one
    /// as clients know it.
    fn end(&self) -> Result<u64, Failure> {
        let last = self.store.last_position().map_err(failure::of_read)?;
        Ok(last.map_or(0, factum_wire::position::encode))
    }
}
