//! Deletes and tombstones: two calls with the same shape.

use factum_core::{ExpectedRevision, Position, StreamName};

use crate::failure::Failure;
use crate::position;
use crate::proto::client::Empty;
use crate::proto::streams::{
    DeleteReq, DeleteResp, TombstoneReq, TombstoneResp, delete_resp, tombstone_resp,
};
use crate::{expectation, stream};

fn missing() -> Failure {
    Failure::Invalid("the request has no options".to_owned())
}

/// The stream to delete, and where it must stand.
pub fn delete(request: DeleteReq) -> Result<(StreamName, ExpectedRevision), Failure> {
    let options = request.options.ok_or_else(missing)?;
    let expected = expectation::of_delete(options.expected_stream_revision)?;
    Ok((stream::decode(options.stream_identifier)?, expected))
}

/// The stream to put a tombstone on, and where it must stand.
pub fn tombstone(request: TombstoneReq) -> Result<(StreamName, ExpectedRevision), Failure> {
    let options = request.options.ok_or_else(missing)?;
    let expected = expectation::of_tombstone(options.expected_stream_revision)?;
    Ok((stream::decode(options.stream_identifier)?, expected))
}

/// Where the deletion stands in the log.
pub fn deleted(at: Option<Position>) -> DeleteResp {
    use delete_resp::PositionOption;
    let position_option = Some(match at.map(position::encode) {
        Some(at) => {
            PositionOption::Position(delete_resp::Position { commit_position: at, prepare_position: at })
        }
        None => PositionOption::NoPosition(Empty {}),
    });
    DeleteResp { position_option }
}

/// Where the tombstone stands in the log.
pub fn buried(at: Option<Position>) -> TombstoneResp {
    use tombstone_resp::PositionOption;
    let position_option = Some(match at.map(position::encode) {
        Some(at) => {
            PositionOption::Position(tombstone_resp::Position { commit_position: at, prepare_position: at })
        }
        None => PositionOption::NoPosition(Empty {}),
    });
    TombstoneResp { position_option }
}
