//! Requests about a group that is there: end it, show it, bring back what it
//! parked.

use crate::failure::Failure;
use crate::proto::client::StreamIdentifier;
use crate::proto::persistent_subscriptions::{
    DeleteReq, GetInfoReq, ListReq, ReplayParkedReq, TruncateParkedReq, delete_req, get_info_req, list_req,
    replay_parked_req, truncate_parked_req,
};

use super::key::{GroupKey, Source};

/// Which group is to end.
pub fn delete(request: DeleteReq) -> Result<GroupKey, Failure> {
    use delete_req::options::StreamOption;
    let options = request.options.ok_or_else(no_options)?;
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => of_stream(stream)?,
        Some(StreamOption::All(_)) => Source::All,
        None => return Err(no_source()),
    };
    GroupKey::new(source, options.group_name)
}

/// Which group is asked about.
pub fn info(request: GetInfoReq) -> Result<GroupKey, Failure> {
    use get_info_req::options::StreamOption;
    let options = request.options.ok_or_else(no_options)?;
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => of_stream(stream)?,
        Some(StreamOption::All(_)) => Source::All,
        None => return Err(no_source()),
    };
    GroupKey::new(source, options.group_name)
}

/// Whose groups are asked about; `None`: all of them.
pub fn list(request: ListReq) -> Result<Option<Source>, Failure> {
    use list_req::options::ListOption;
    use list_req::stream_option::StreamOption;
    let options = request.options.ok_or_else(no_options)?;
    match options.list_option {
        Some(ListOption::ListAllSubscriptions(_)) => Ok(None),
        Some(ListOption::ListForStream(of)) => match of.stream_option {
            Some(StreamOption::Stream(stream)) => of_stream(stream).map(Some),
            Some(StreamOption::All(_)) => Ok(Some(Source::All)),
            None => Err(no_source()),
        },
        None => Err(Failure::Invalid("the request does not say which groups to list".to_owned())),
    }
}

/// Which group's parked events are to be delivered again, and before which
/// revision of where they are parked that stops.
pub fn replay(request: ReplayParkedReq) -> Result<(GroupKey, Option<u64>), Failure> {
    use replay_parked_req::options::{StopAtOption, StreamOption};
    let options = request.options.ok_or_else(no_options)?;
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => of_stream(stream)?,
        Some(StreamOption::All(_)) => Source::All,
        None => return Err(no_source()),
    };
    let stop_at = match options.stop_at_option {
        Some(StopAtOption::StopAt(at)) => Some(revision(at)?),
        Some(StopAtOption::NoLimit(_)) => None,
        None => return Err(no_limit()),
    };
    Ok((GroupKey::new(source, options.group_name)?, stop_at))
}

/// Which group's parked events are no longer wanted, and before which revision.
pub fn truncate(request: TruncateParkedReq) -> Result<(GroupKey, Option<u64>), Failure> {
    use truncate_parked_req::options::{StopAtOption, StreamOption};
    let options = request.options.ok_or_else(no_options)?;
    let source = match options.stream_option {
        Some(StreamOption::StreamIdentifier(stream)) => of_stream(stream)?,
        Some(StreamOption::All(_)) => Source::All,
        None => return Err(no_source()),
    };
    let stop_at = match options.stop_at_option {
        Some(StopAtOption::StopAt(at)) => Some(revision(at)?),
        Some(StopAtOption::NoLimit(_)) => None,
        None => return Err(no_limit()),
    };
    Ok((GroupKey::new(source, options.group_name)?, stop_at))
}

fn of_stream(stream: StreamIdentifier) -> Result<Source, Failure> {
    Source::decode(Some(stream))
}

fn revision(at: i64) -> Result<u64, Failure> {
    u64::try_from(at).map_err(|_| Failure::Invalid(format!("stop_at is {at}: use 0 or more")))
}

fn no_options() -> Failure {
    Failure::Invalid("the request has no options".to_owned())
}

fn no_source() -> Failure {
    Failure::Invalid("the request does not say what the group reads".to_owned())
}

fn no_limit() -> Failure {
    Failure::Invalid("the request does not say where to stop: send stop_at or no_limit".to_owned())
}
