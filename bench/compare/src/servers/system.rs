//! The servers: what each is called, how it is set, and what it has.

use crate::servers::workload::Workload;
use crate::versions;

/// One of those compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum System {
    /// `factum serve`, appends over one batch append call.
    Factum,
    /// The same, one call for each append.
    FactumCalls,
    /// The same server, through its own client.
    FactumOwn,
    /// UmaDB.
    #[value(name = "umadb")]
    UmaDb,
    /// SierraDB.
    #[value(name = "sierradb")]
    SierraDb,
    /// A message store in plain SQL.
    Postgres,
    /// NATS JetStream.
    Nats,
    /// Redis Streams.
    Redis,
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The workspace this folder is in.
    Workspace,
    /// crates.io: the crate, the program in it, and what building it takes.
    Crate {
        /// Its name.
        name: &'static str,
        /// Of the program.
        program: &'static str,
        /// Another program, and its Debian package.
        needs: Option<(&'static str, &'static str)>,
    },
    /// The Go module proxy.
    Go {
        /// Its path.
        module: &'static str,
        /// Of the program.
        program: &'static str,
    },
    /// Installed, as a Debian package.
    Debian {
        /// Of the program.
        program: &'static str,
        /// Of the package.
        package: &'static str,
    },
    /// Installed; [`crate::postgres`] knows where.
    Postgres,
}

impl System {
    /// In the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Factum,
        Self::FactumCalls,
        Self::FactumOwn,
        Self::UmaDb,
        Self::SierraDb,
        Self::Postgres,
        Self::Nats,
        Self::Redis,
    ];

    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Factum => "Factum",
            Self::FactumCalls => "Factum, a call each",
            Self::FactumOwn => "Factum, its own client",
            Self::UmaDb => "UmaDB",
            Self::SierraDb => "SierraDB",
            Self::Postgres => "PostgreSQL",
            Self::Nats => "NATS JetStream",
            Self::Redis => "Redis Streams",
        }
    }

    /// Whether it is none of the peers.
    pub fn is_factum(self) -> bool {
        matches!(self, Self::Factum | Self::FactumCalls | Self::FactumOwn)
    }

    /// Where it comes from.
    pub fn source(self) -> Source {
        match self {
            Self::Factum | Self::FactumCalls | Self::FactumOwn => Source::Workspace,
            Self::UmaDb => Source::Crate {
                name: "umadb",
                program: "umadb",
                needs: Some(("protoc", "protobuf-compiler")),
            },
            Self::SierraDb => Source::Crate { name: "sierradb-server", program: "sierradb", needs: None },
            Self::Postgres => Source::Postgres,
            Self::Nats => Source::Go { module: "github.com/nats-io/nats-server/v2", program: "nats-server" },
            Self::Redis => Source::Debian { program: "redis-server", package: "redis-server" },
        }
    }

    /// The client's crate, with its version.
    pub fn client(self) -> String {
        match self {
            Self::Factum | Self::FactumCalls => versions::of("kurrentdb"),
            Self::FactumOwn => versions::of("factum-wire"),
            Self::UmaDb => versions::of("umadb-client"),
            Self::SierraDb => [versions::of("sierradb-client"), versions::of("redis")].join(", "),
            Self::Postgres => versions::of("sqlx"),
            Self::Nats => versions::of("async-nats"),
            Self::Redis => versions::of("redis"),
        }
    }

    /// How it is set, what guards an append, and how it is read.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Factum => {
                "`factum serve`, all defaults; appends over the client's batch append with the expected revision; \
                 read by `read_all`, followed by `subscribe_to_all`"
            }
            Self::FactumCalls => "the same, by `append_to_stream`",
            Self::FactumOwn => {
                "the same server over its own protocol, with `RemoteStore`: appends over its one call, read by `read`, \
                 followed by `subscribe`"
            }
            Self::UmaDb => {
                "all defaults (two `fdatasync` a commit); no streams: an event is tagged with its stream, and an append \
                 fails if an event of that tag came after the one before; read by `read`, followed by `subscribe`"
            }
            Self::SierraDb => {
                "one node, `cluster_enabled = false`, else all defaults (flushes after 4 KiB, 50 events or 5 ms), for \
                 lone appends `max_batch_size = 1`; a connection answers one command after the other, so that each \
                 append in flight has one of its own; `EAPPEND` with the expected version; no order of all events: its 32 partitions are read one after the \
                 other by `EPSCAN`, 1,000 events at a time, and followed by `EPSUB *`, acknowledging every 250th event"
            }
            Self::Postgres => {
                "as `initdb` leaves it with `fsync`, `synchronous_commit` and `full_page_writes` on; one table with a \
                 global `bigserial` and a unique `(stream, revision)`, appends through one function with the expected \
                 revision, 64 connections; read by one `SELECT`, which sees gaps where others have not committed; \
                 no live subscription: whoever follows has to poll"
            }
            Self::Nats => {
                "one file stream with `sync_interval: always`; one subject for each stream, appends with \
                 `expected_last_subject_sequence`; read and followed by an ordered push consumer; filled before that \
                 setting, then started again with it"
            }
            Self::Redis => {
                "`appendonly yes`, `appendfsync always`, no snapshots; all events in one stream by `XADD`, \
                 **which has no guard**; read by `XRANGE`, 10,000 events at a time, followed by `XREAD BLOCK`; filled \
                 with `appendfsync no`, then started again"
            }
        }
    }

    /// Whether it has a row in a workload.
    pub fn takes_part(self, workload: Workload) -> bool {
        match self {
            Self::Factum => true,
            // Elsewhere it would be the same as Factum.
            Self::FactumCalls => matches!(workload, Workload::InFlight | Workload::Lone),
            _ => !matches!(workload, Workload::FanOut | Workload::Group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_has_a_client_of_a_known_version() {
        for system in System::ALL {
            assert!(system.client().contains(' '), "{}", system.client());
        }
    }

    #[test]
    fn peers_are_asked_for_what_they_have() {
        for system in System::ALL {
            assert!(system.takes_part(Workload::InFlight) && system.takes_part(Workload::Lone));
            assert_eq!(system.takes_part(Workload::Group), system == System::Factum);
            assert_eq!(system.takes_part(Workload::Live), system != System::FactumCalls);
        }
    }
}
