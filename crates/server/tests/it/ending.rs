//! The end of a server: with subscribers, with appends under way.

use std::time::Duration;

use factum_core::{EventStoreExt, NewEvent, StreamName};
use factum_wire::proto::streams::read_resp::Content;
use tonic::Code;

use crate::calls::{Client, any_append, append, follow_all, read_first, runtime};
use crate::host::Host;

#[test]
fn subscribers_are_told_and_nobody_holds_it_up() {
    let mut host = Host::start();
    let runtime = runtime();
    let mut answers = runtime.block_on(async {
        let mut client = Client::connect(&host).await;
        append(&mut client, "a", &[NewEvent::json("A", &().into()).unwrap()]).await;
        let mut answers = client.read(follow_all()).await.unwrap().into_inner();
        while !matches!(answers.message().await.unwrap().unwrap().content, Some(Content::CaughtUp(_))) {}
        answers
    });
    let took = host.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let end = runtime.block_on(answers.message()).unwrap_err();
    assert_eq!((end.code(), end.message()), (Code::Unavailable, "Server Is Not Ready"));
}

#[test]
fn what_was_acknowledged_is_there_and_a_closed_store_is_said_to_be() {
    let mut host = Host::start();
    let runtime = runtime();
    let mut client = runtime.block_on(Client::connect(&host));
    runtime.block_on(append(&mut client, "a", &[NewEvent::json("A", &().into()).unwrap()]));
    assert_eq!(host.get("/health/ready"), 204);
    let last = host.store.last_revision(&StreamName::new("a").unwrap()).unwrap();
    assert_eq!(last.unwrap().get(), 0);
    host.close_store();
    assert_eq!((host.get("/health/live"), host.get("/health/ready")), (204, 503));
    let says = |status: tonic::Status| (status.code(), status.message().to_owned());
    let not_ready = (Code::Unavailable, "Server Is Not Ready".to_owned());
    let end = runtime.block_on(async {
        let mut answers = client.read(follow_all()).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap();
        answers.message().await.unwrap_err()
    });
    assert_eq!(says(end), not_ready);
    assert_eq!(says(runtime.block_on(client.read(read_first())).unwrap_err()), not_ready);
    let nothing_more = runtime.block_on(client.append(tokio_stream::iter(any_append("a"))));
    assert_eq!(says(nothing_more.unwrap_err()), not_ready);
    host.stop();
    let gone = runtime.block_on(client.read(follow_all())).unwrap_err();
    // By when the channel notices: while it connects, or in the middle of the call.
    assert!(matches!(gone.code(), Code::Unavailable | Code::Cancelled), "{gone:?}");
    assert_ne!(gone.message(), "Server Is Not Ready", "nobody is there to say so");
}
