//! A server that takes its time: made of nothing but the messages it sends, so
//! that they can be sent as a long search sends them.

use std::time::Duration;

use factum_core::{Append, ExpectedRevision, StreamName};
use factum_core::{EventStore, MemoryStore, NewEvent, Read, RecordedEvent, Selection, Signal, Subscribe};
use factum_wire::client::RemoteStore;
use factum_wire::proto::store::store_server::{Store, StoreServer};
use factum_wire::proto::store::{
    AppendRequest, AppendResponse, Begun, CountResponse, LastPositionRequest, LastPositionResponse,
    ReadRequest, ReadResponse, SubscribeRequest, SubscribeResponse,
};
use factum_wire::store::packed::Packed;
use factum_wire::store::subscribe;
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, iter, pending};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// Says "still looking" before every word.
struct Slow(Vec<RecordedEvent>);

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl Store for Slow {
    type AppendStream = Answers<AppendResponse>;
    type ReadStream = Answers<ReadResponse>;
    type SubscribeStream = Answers<SubscribeResponse>;

    async fn append(
        &self,
        _: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        Err(Status::unimplemented("it only takes its time"))
    }

    async fn read(&self, _: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let pages = self.0.iter().flat_map(|event| {
            let mut page = Packed::default();
            page.push(event);
            let page = ReadResponse { events: page.into_bytes() };
            [ReadResponse::default(), ReadResponse::default(), page]
        });
        let pages: Vec<_> = pages.map(Ok).collect();
        Ok(Response::new(iter(pages).boxed()))
    }

    async fn subscribe(
        &self,
        requests: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let last_position = self.0.last().map(|event| event.position.get());
        let signals = subscribe::encode_signals(self.0.iter().cloned().map(Signal::Event));
        let answers = [
            SubscribeResponse::default(),
            SubscribeResponse { begun: Some(Begun { last_position }), signals, ..Default::default() },
            SubscribeResponse::default(),
            SubscribeResponse {
                turn: 1,
                signals: subscribe::encode_signals([Signal::CaughtUp(None)]),
                ..Default::default()
            },
        ];
        // As long as the client stays.
        let stay = pending().map(move |()| {
            let _ = &requests;
            Err(Status::cancelled("never"))
        });
        Ok(Response::new(iter(answers.map(Ok)).chain(stay).boxed()))
    }

    async fn count(&self, _: Request<ReadRequest>) -> Result<Response<CountResponse>, Status> {
        Ok(Response::new(CountResponse { count: self.0.len() as u64 }))
    }

    async fn last_position(
        &self,
        _: Request<LastPositionRequest>,
    ) -> Result<Response<LastPositionResponse>, Status> {
        Ok(Response::new(LastPositionResponse { position: None }))
    }
}

#[test]
fn words_that_say_nothing_yet_are_passed_over() {
    let store = MemoryStore::new();
    let three = (0..3).map(|_| NewEvent::json("A", &().into()).unwrap());
    store.append(Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, three)).unwrap();
    let events: Vec<_> = EventStore::read(&store, Read::all()).unwrap().collect::<Result<_, _>>().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let service = StoreServer::new(Slow(events.clone()));
    let serving = tonic::transport::Server::builder().add_service(service);
    runtime.spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));

    let remote = RemoteStore::connect(&format!("factum://{address}?tls=false")).unwrap();
    let read: Vec<_> = remote.read(Read::all()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, events);
    let mut subscription = remote.subscribe(Subscribe::to(Selection::All)).unwrap();
    for event in &events {
        assert_eq!(subscription.next().unwrap(), Signal::Event(event.clone()));
    }
    assert_eq!(subscription.next_within(Duration::from_secs(20)).unwrap(), Some(Signal::CaughtUp(None)));
    // A call that is not there is no reason to try again.
    let append = Append::to(StreamName::new("a").unwrap(), ExpectedRevision::Any, []);
    let refused = remote.append(append).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap();
    let why = std::error::Error::source(why).unwrap().to_string();
    assert!(why.contains("does not speak factum.store.v3"), "{refused}: {why}");
    drop(remote);
    runtime.shutdown_background();
}
