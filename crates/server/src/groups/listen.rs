//! What a consumer says during its call, passed on to its group.

use factum_wire::Failure;
use factum_wire::groups::GroupKey;
use factum_wire::groups::member::{Saying, saying};
use factum_wire::proto::persistent_subscriptions::ReadReq;
use tokio::sync::{mpsc, oneshot};
use tonic::Streaming;

use super::member::MemberId;
use super::runner::Command;

/// Listens until the consumer is gone, or is a consumer no longer. `gone` is
/// closed when nobody takes what it is told any more.
pub async fn listen(
    mut requests: Streaming<ReadReq>,
    commands: mpsc::Sender<Command>,
    id: MemberId,
    key: GroupKey,
    mut gone: oneshot::Sender<()>,
) {
    loop {
        let request = tokio::select! {
            request = requests.message() => request,
            () = gone.closed() => break,
        };
        let command = match request {
            Ok(Some(request)) => match saying(request) {
                Ok(Saying::Ack(ids)) => Command::Ack(id, ids),
                Ok(Saying::Nack { ids, verdict, reason }) => Command::Nack(id, ids, verdict, reason),
                Ok(Saying::Join(_)) => {
                    let what = "a consumer joins one group only: use a call for each".to_owned();
                    Command::Expel(id, Failure::Invalid(what))
                }
                Err(failure) => Command::Expel(id, failure),
            },
            // Who says nothing any more cannot ack either.
            Ok(None) => Command::Expel(id, Failure::GroupDropped { group: key.clone() }),
            Err(_) => break,
        };
        let is_over = matches!(command, Command::Expel(..));
        if commands.send(command).await.is_err() || is_over {
            return;
        }
    }
    // A group that has ended has no consumers.
    let _ = commands.send(Command::Leave(id)).await;
}
