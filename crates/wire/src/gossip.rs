//! The cluster, which is one server: alive, and its own leader.

use factum_core::Timestamp;
use uuid::Uuid;

use crate::id::IdForm;
use crate::proto::gossip::member_info::VNodeState;
use crate::proto::gossip::{ClusterInfo, EndPoint, MemberInfo};

/// The one member there is.
pub fn alone(instance: Uuid, address: String, port: u16, now: Timestamp) -> ClusterInfo {
    ClusterInfo {
        members: vec![MemberInfo {
            instance_id: Some(IdForm::Structured.encode(instance)),
            time_stamp: now.as_micros().saturating_mul(10),
            state: VNodeState::Leader as i32,
            is_alive: true,
            http_end_point: Some(EndPoint { address, port: u32::from(port) }),
        }],
    }
}
