//! How a group stands, as clients read it: places are texts, which look one
//! way for a stream and another way for the log.

use std::time::Duration;

use factum_core::Position;

use crate::position;
use crate::proto::persistent_subscriptions::SubscriptionInfo;
use crate::proto::persistent_subscriptions::subscription_info::{ConnectionInfo, Measurement};

use super::key::{GroupKey, Source};
use super::settings::{GroupSettings, GroupStart};

/// A group at this moment.
#[derive(Debug, Clone)]
pub struct GroupInfo {
    #[allow(missing_docs)]
    pub key: GroupKey,
    #[allow(missing_docs)]
    pub settings: GroupSettings,
    #[allow(missing_docs)]
    pub start: GroupStart,
    #[allow(missing_docs)]
    pub members: Vec<MemberInfo>,
    /// Whether it has read what was there, and follows what comes.
    pub is_live: bool,
    /// Whether parked events are being read again.
    pub is_replaying: bool,
    /// Events delivered since it began to run.
    pub delivered: u64,
    /// Of these, in the last whole second.
    pub per_second: u64,
    /// The last revision or position before which everything is done, and that
    /// is written down.
    pub checkpointed: Option<u64>,
    /// The last revision or position there is.
    pub last_known: Option<u64>,
    /// Events in memory that nobody has got yet.
    pub waiting: usize,
    /// Events that are to be delivered again.
    pub again: usize,
    /// Events somebody has.
    pub in_flight: usize,
    /// Events that are neither done nor parked.
    pub outstanding: usize,
    #[allow(missing_docs)]
    pub parked: u64,
}

/// A consumer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    /// Its address.
    pub from: String,
    /// What it calls itself.
    pub name: String,
    #[allow(missing_docs)]
    pub delivered: u64,
    #[allow(missing_docs)]
    pub per_second: u64,
    /// How long it took for each of its last events; nothing, unless the group
    /// is to have extra statistics.
    pub times: Vec<Duration>,
    /// How many more events it takes.
    pub free: usize,
    #[allow(missing_docs)]
    pub in_flight: usize,
}

/// The message.
pub fn encode(info: &GroupInfo) -> SubscriptionInfo {
    let GroupInfo { key, settings, members, .. } = info;
    let ms = |span: Duration| i32::try_from(span.as_millis()).unwrap_or(i32::MAX);
    let place = |at: Option<u64>| at.map(|at| place(&key.source, at)).unwrap_or_default();
    SubscriptionInfo {
        event_source: key.source.as_str().to_owned(),
        group_name: key.name.clone(),
        status: status(info),
        connections: members.iter().map(|member| connection(member, settings.extra_statistics)).collect(),
        average_per_second: int(info.per_second),
        total_items: long(info.delivered),
        count_since_last_measurement: long(info.per_second),
        last_checkpointed_event_position: place(info.checkpointed),
        last_known_event_position: place(info.last_known),
        resolve_link_tos: settings.resolve_links,
        start_from: start(&key.source, info.start),
        message_timeout_milliseconds: ms(settings.message_timeout),
        extra_statistics: settings.extra_statistics,
        max_retry_count: int(settings.max_retry_count),
        live_buffer_size: int(settings.live_buffer_size),
        buffer_size: int(settings.history_buffer_size),
        read_batch_size: int(settings.read_batch_size),
        check_point_after_milliseconds: ms(settings.checkpoint_after),
        min_check_point_count: int(settings.min_checkpoint_count),
        max_check_point_count: int(settings.max_checkpoint_count),
        read_buffer_count: if info.is_live { 0 } else { int(info.waiting as u64) },
        live_buffer_count: if info.is_live { long(info.waiting as u64) } else { 0 },
        retry_buffer_count: int(info.again as u64),
        total_in_flight_messages: int(info.in_flight as u64),
        outstanding_messages_count: int(info.outstanding as u64),
        named_consumer_strategy: settings.strategy.as_str().to_owned(),
        max_subscriber_count: int(settings.max_subscriber_count),
        parked_message_count: long(info.parked),
    }
}

fn status(info: &GroupInfo) -> String {
    let stands = if info.is_live { "Live" } else { "Behind" };
    match info.is_replaying {
        true => format!("{stands}, ReplayingParkedMessages"),
        false => stands.to_owned(),
    }
}

fn connection(member: &MemberInfo, with_measurements: bool) -> ConnectionInfo {
    let own = [("delivered", member.delivered), ("per_second", member.per_second)];
    let measured = took(&member.times).into_iter().chain(own);
    let measured = measured.map(|(key, value)| Measurement { key: key.to_owned(), value: long(value) });
    ConnectionInfo {
        from: member.from.clone(),
        // Nobody has to say who they are yet.
        username: "anonymous".to_owned(),
        average_items_per_second: int(member.per_second),
        total_items: long(member.delivered),
        count_since_last_measurement: long(member.per_second),
        observed_measurements: if with_measurements { measured.collect() } else { Vec::new() },
        available_slots: int(member.free as u64),
        in_flight_messages: int(member.in_flight as u64),
        connection_name: member.name.clone(),
    }
}

/// How long events took, in milliseconds and in the protocol's words: quintiles
/// are told by where they begin.
fn took(times: &[Duration]) -> Vec<(&'static str, u64)> {
    const SHARES: [(&str, usize); 12] = [
        ("Median", 500),
        ("Fastest", 0),
        ("Quintile 1", 0),
        ("Quintile 2", 200),
        ("Quintile 3", 400),
        ("Quintile 4", 600),
        ("Quintile 5", 800),
        ("90%", 900),
        ("95%", 950),
        ("99%", 990),
        ("99.5%", 995),
        ("99.9%", 999),
    ];
    let mut sorted: Vec<_> = times.iter().map(|took| took.as_millis() as u64).collect();
    sorted.sort_unstable();
    let (Some(highest), count) = (sorted.last(), sorted.len()) else { return Vec::new() };
    let mean = sorted.iter().sum::<u64>() / count as u64;
    let shares = SHARES.map(|(key, per_mille)| (key, sorted[count * per_mille / 1_000]));
    [("Mean", mean)].into_iter().chain(shares).chain([("Highest", *highest)]).collect()
}

/// A revision as a number, a position as a pair.
pub fn place(source: &Source, at: u64) -> String {
    match source {
        Source::Stream(_) => at.to_string(),
        Source::All => {
            let at = position::encode(Position::new(at));
            format!("C:{at}/P:{at}")
        }
    }
}

fn start(source: &Source, start: GroupStart) -> String {
    match (source, start) {
        (Source::Stream(_), GroupStart::First) => "0".to_owned(),
        (Source::Stream(_), GroupStart::End) => "-1".to_owned(),
        (Source::All, GroupStart::First) => "C:0/P:0".to_owned(),
        (Source::All, GroupStart::End) => "C:-1/P:-1".to_owned(),
        (source, GroupStart::At(at)) => place(source, at),
    }
}

fn int(n: impl Into<u64>) -> i32 {
    i32::try_from(n.into()).unwrap_or(i32::MAX)
}

fn long(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_the_names_that_clients_know() {
        assert!(took(&[]).is_empty());
        let times: Vec<_> = (1..=1_000).rev().map(Duration::from_millis).collect();
        let expected = [
            ("Mean", 500),
            ("Median", 501),
            ("Fastest", 1),
            ("Quintile 1", 1),
            ("Quintile 2", 201),
            ("Quintile 3", 401),
            ("Quintile 4", 601),
            ("Quintile 5", 801),
            ("90%", 901),
            ("95%", 951),
            ("99%", 991),
            ("99.5%", 996),
            ("99.9%", 1_000),
            ("Highest", 1_000),
        ];
        assert_eq!(took(&times), expected);
        assert!(took(&times[..1]).iter().all(|(_, took)| *took == 1_000));
    }
}
