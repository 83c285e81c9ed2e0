//! Factum's own protocol: the law of the port, over a real connection.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use factum_core::answers::Each;
use factum_core::{
    Answers, Append, AppendError, AppendFuture, Appended, EventStore, Events, ExpectedRevision,
    InvalidAppend, MemoryStore, NewEvent, Position, Query, Read, ReadError, Revision, Selection, Signal,
    StorageError, StreamName, Subscribe, SubscribeError, SubscribeFrom, Subscription, contract,
};
use factum_log::{Log, LogOptions};
use factum_server::Services;
use factum_wire::client::{Address, ConnectError, RemoteOptions, RemoteStore};
use factum_wire::proto::store::AppendRequest;
use factum_wire::proto::store::store_client::StoreClient;
use factum_wire::store::packed::{PackedAppends, UnpackedAnswers};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::host::Served;

/// A remote store and the server it is at, which ends after it.
struct Remote {
    store: RemoteStore,
    _served: Served,
}

impl Remote {
    fn of(store: Arc<dyn EventStore>) -> Self {
        let served = Served::start(store);
        Self { store: connect(served.address), _served: served }
    }
}

pub fn connect(address: SocketAddr) -> RemoteStore {
    RemoteStore::connect(&format!("factum://{address}?tls=false")).unwrap()
}

impl EventStore for Remote {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.store.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.store.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        self.store.read(read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.store.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.store.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.store.last_position()
    }
}

#[test]
fn the_law_holds_over_memory() {
    contract::check(&|| Remote::of(Arc::new(MemoryStore::new())));
}

#[test]
fn the_law_holds_over_the_log() {
    let dir = TempDir::new().unwrap();
    let count = AtomicUsize::new(0);
    contract::check(&|| {
        let small = 17 * 1024 * 1024;
        let options = LogOptions {
            segment_bytes_first: small,
            segment_bytes_max: small,
            zero_segments: false,
            ..LogOptions::default()
        };
        let name = count.fetch_add(1, Ordering::Relaxed).to_string();
        Remote::of(Arc::new(Log::open(&dir.path().join(name), options).unwrap()))
    });
}

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn event() -> NewEvent {
    NewEvent::json("Happened", &serde_json::json!({})).unwrap()
}

fn one(stream: &str, expected: ExpectedRevision) -> Append {
    Append::to(name(stream), expected, [event()])
}

fn options() -> (Address, RemoteOptions) {
    let mut options = RemoteOptions { reconnect_within: Duration::from_secs(20), ..RemoteOptions::default() };
    (Address::parse("factum://127.0.0.1:1?tls=false", &mut options).unwrap(), options)
}

fn connect_to(address: SocketAddr, options: RemoteOptions) -> Result<RemoteStore, ConnectError> {
    let url = format!("factum://{address}?tls=false");
    RemoteStore::connect_to(&Address::parse(&url, &mut RemoteOptions::default()).unwrap(), options)
}

fn wait_until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn appends_in_flight_build_on_one_another_and_share_flushes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store");
    let log = Log::open(&path, LogOptions::default()).unwrap();
    let served = Served::start(Arc::new(log.clone()));
    let remote = connect(served.address);
    let mut expected = ExpectedRevision::NoStream;
    let flying: Vec<_> = (0..1_024)
        .map(|n| {
            let append = remote.append_async(&one("chain", expected));
            expected = ExpectedRevision::Exact(Revision::new(n));
            append
        })
        .collect();
    for (n, append) in flying.into_iter().enumerate() {
        let receipt = pollster::block_on(append).unwrap();
        assert_eq!(receipt.revision(), Some(Revision::new(n as u64)));
        assert_eq!(receipt.durability.as_str(), "disk");
    }
    drop((remote, served));
    log.close().unwrap();
    let report = factum_log::verify::verify(&path, factum_log::verify::Depth::Deep, &mut |_| {}).unwrap();
    assert_eq!(report.events, 1_024);
    assert!(report.batches < 512, "{} batches", report.batches);
}

/// Every event of the log exactly once and in order, and one state after the
/// other, over as many servers as come and go.
#[test]
fn a_subscription_outlives_its_servers() {
    let store = Arc::new(MemoryStore::new());
    let mut served = Served::start(store.clone());
    let address = served.address;
    let remote = connect_to(address, options().1).unwrap();
    const EVENTS: u64 = 400;
    let selections = [
        Selection::All,
        Selection::Stream(name("even")),
        Selection::Query(Query::types([factum_core::EventType::new("Happened").unwrap()])),
    ];
    let mut followers = Vec::new();
    for selection in selections {
        for behind_after in [3, 8_192] {
            let request = Subscribe { behind_after, ..Subscribe::to(selection.clone()) };
            let mut subscription = remote.subscribe(request).unwrap();
            followers.push(std::thread::spawn(move || {
                let (mut positions, mut live) = (Vec::new(), false);
                loop {
                    match subscription.next().unwrap() {
                        Signal::Event(event) => {
                            positions.push(event.position.get());
                            if event.tags.iter().any(|tag| tag == "last") {
                                return positions;
                            }
                        }
                        Signal::Checkpoint(_) => {}
                        Signal::CaughtUp(_) => assert!(!std::mem::replace(&mut live, true)),
                        Signal::FellBehind { events } => {
                            assert!(std::mem::replace(&mut live, false) && events > behind_after);
                        }
                    }
                }
            }));
        }
    }
    let put = |n: u64| {
        let tags: &[&str] = if n >= EVENTS - 2 { &["last"] } else { &[] };
        let tags = tags.iter().map(|tag| factum_core::Tag::new((*tag).to_owned()).unwrap());
        let event = event().with_tags(tags).unwrap();
        let stream = name(["even", "odd"][n as usize % 2]);
        store.append(Append::to(stream, ExpectedRevision::Any, [event])).unwrap();
    };
    for n in 0..EVENTS - 2 {
        put(n);
        // A few are recorded while nobody serves them.
        match n % 100 {
            50 => served.stop(),
            60 => served = Served::at(address, store.clone()),
            _ if n % 7 == 0 => std::thread::sleep(Duration::from_millis(2)),
            _ => {}
        }
    }
    put(EVENTS - 2);
    put(EVENTS - 1);
    for (n, follower) in followers.into_iter().enumerate() {
        let step = if n / 2 == 1 { 2 } else { 1 };
        let wanted: Vec<_> = (0..EVENTS - 1).step_by(step).collect();
        assert_eq!(follower.join().unwrap(), wanted, "follower {n}");
    }
}

#[test]
fn a_subscription_that_begins_in_the_future_still_does_on_another_server() {
    let store = Arc::new(MemoryStore::new());
    let mut served = Served::start(store.clone());
    let address = served.address;
    let remote = connect_to(address, options().1).unwrap();
    store.append(one("a", ExpectedRevision::Any)).unwrap();
    let from = [
        SubscribeFrom::AfterRevision(Revision::new(2)),
        SubscribeFrom::After(Position::new(2)),
        SubscribeFrom::Now,
    ];
    let mut subscriptions =
        from.map(|from| remote.subscribe(Subscribe::to(Selection::Stream(name("a"))).from(from)).unwrap());
    served.stop();
    for _ in 0..4 {
        store.append(one("a", ExpectedRevision::Any)).unwrap();
    }
    let _served = Served::at(address, store.clone());
    for (subscription, first) in subscriptions.iter_mut().zip([3, 3, 1]) {
        let position = loop {
            if let Signal::Event(event) = subscription.next().unwrap() {
                break event.position.get();
            }
        };
        assert_eq!(position, first);
    }
}

#[test]
fn another_log_at_the_same_address_is_noticed() {
    let store = Arc::new(MemoryStore::new());
    store.append(one("a", ExpectedRevision::Any)).unwrap();
    let mut served = Served::start(store);
    let address = served.address;
    let remote = connect_to(address, options().1).unwrap();
    let mut subscription = remote.subscribe(Subscribe::to(Selection::All)).unwrap();
    while !matches!(subscription.next().unwrap(), Signal::CaughtUp(_)) {}
    served.stop();
    let _served = Served::at(address, Arc::new(MemoryStore::new()));
    let SubscribeError::Storage(error) = subscription.next().unwrap_err() else { panic!("another error") };
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("it is another log"));
}

#[test]
fn a_server_that_is_told_to_stop_loses_no_append_and_doubles_none() {
    let store = Arc::new(MemoryStore::new());
    let mut served = Served::start(store.clone());
    let address = served.address;
    let remote = connect_to(address, options().1).unwrap();
    const APPENDS: usize = 3_000;
    let appending = std::thread::spawn(move || {
        let mut flying = Vec::new();
        for n in 0..APPENDS {
            // Nothing that the law would let repeat for ever.
            flying.push(remote.append_async(&one(&format!("s-{}", n % 5), ExpectedRevision::Any)));
            if n % 8 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        flying.into_iter().map(pollster::block_on).collect::<Vec<_>>()
    });
    for part in 1..4 {
        wait_until(|| {
            store.last_position().unwrap().is_some_and(|last| last.get() as usize > part * APPENDS / 5)
        });
        served.stop();
        served = Served::at(address, store.clone());
    }
    let answers = appending.join().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|receipt| !receipt.repeated)));
    assert_eq!(store.last_position().unwrap(), Some(Position::new(APPENDS as u64 - 1)));
}

/// A store that records at once and answers, but for streams named `quick`, when it is
/// let.
struct Held {
    store: MemoryStore,
    held: watch::Receiver<bool>,
}

impl EventStore for Held {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        let answer = self.store.append(append.clone());
        let mut held = self.held.clone();
        let is_quick = append.writes.iter().any(|write| write.stream.as_str() == "quick");
        Box::pin(async move {
            if is_quick {
                return answer;
            }
            let _ = held.wait_for(|held| !held).await;
            answer
        })
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        Box::new(Each::of(appends.map(|append| self.append_async(&append))))
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(&self.store, read)
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.store.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        self.store.subscribe(subscribe)
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.store.last_position()
    }
}

#[test]
fn a_lost_answer_is_found_again_where_the_law_permits_and_said_to_be_unknown_elsewhere() {
    let store = MemoryStore::new();
    let (hold, held) = watch::channel(true);
    let served = Served::start(Arc::new(Held { store: store.clone(), held }));
    let cable = Cable::to(served.address);
    let remote = connect_to(cable.address, options().1).unwrap();
    let anywhere = one("any", ExpectedRevision::Any);
    let lost = remote.append_async(&anywhere);
    let first = remote.append_async(&one("new", ExpectedRevision::NoStream));
    let second = remote.append_async(&one("new", ExpectedRevision::Exact(Revision::FIRST)));
    wait_until(|| store.last_position().unwrap() == Some(Position::new(2)));
    cable.cut();
    let _ = hold.send(false);
    let unknown = pollster::block_on(lost).unwrap_err();
    assert!(matches!(unknown, AppendError::Unknown(StorageError::Unreachable { .. })), "{unknown:?}");
    assert!(unknown.to_string().contains("append them again with the same ids"), "{unknown}");
    for (append, revision) in [(first, 0), (second, 1)] {
        let receipt = pollster::block_on(append).unwrap();
        assert_eq!((receipt.revision(), receipt.repeated), (Some(Revision::new(revision)), true));
    }
    assert_eq!(store.last_position().unwrap(), Some(Position::new(2)), "nothing is there twice");
    // What the error says to do is safe.
    assert!(remote.append(anywhere).unwrap().repeated);
    assert_eq!(store.last_position().unwrap(), Some(Position::new(2)));
}

#[test]
fn who_waits_long_holds_up_nobody_behind() {
    let store = MemoryStore::new();
    let (hold, held) = watch::channel(true);
    let served = Served::start(Arc::new(Held { store: store.clone(), held }));
    let remote = connect(served.address);
    let slow = [0, 1].map(|_| remote.append_async(&one("slow", ExpectedRevision::Any)));
    for n in 0..5 {
        let receipt = remote.append(one("quick", ExpectedRevision::Any)).unwrap();
        assert_eq!(receipt.revision(), Some(Revision::new(n)));
    }
    assert_eq!(store.last_position().unwrap(), Some(Position::new(6)));
    // More than the server has in flight: the last of them wait after all.
    let many: Vec<_> =
        (0..9_000).map(|_| remote.append_async(&one("quick", ExpectedRevision::Any))).collect();
    let _ = hold.send(false);
    for (n, append) in slow.into_iter().enumerate() {
        assert_eq!(pollster::block_on(append).unwrap().revision(), Some(Revision::new(n as u64)));
    }
    for (n, append) in (5..).zip(many) {
        assert_eq!(pollster::block_on(append).unwrap().revision(), Some(Revision::new(n)));
    }
}

#[test]
fn appends_have_room_until_they_are_answered() {
    let store = MemoryStore::new();
    let (hold, held) = watch::channel(true);
    let services = Services::of(Arc::new(Held { store: store.clone(), held }));
    let services = services.with_room(1 << 20, Duration::from_millis(100));
    let served = Served::of("127.0.0.1:0".parse().unwrap(), services);
    let large = |stream: &str| {
        let event = NewEvent { data: vec![b'1'; 700 << 10].into(), ..event() };
        Append::to(name(stream), ExpectedRevision::Any, [event])
    };
    let (one, other) = (connect(served.address), connect(served.address));
    let first = one.append_async(&large("a"));
    wait_until(|| store.last_position().unwrap().is_some());
    for remote in [&one, &other] {
        let refused = remote.append(large("b")).unwrap_err();
        let AppendError::Overloaded { queued_bytes, limit_bytes } = refused else { panic!("{refused:?}") };
        assert!(queued_bytes > 700 << 10 && limit_bytes == 1 << 20, "{refused:?}");
    }
    assert_eq!(store.last_position().unwrap(), Some(Position::FIRST), "it was not looked at");
    // What waits has room as soon as it is there.
    let waits = other.append_async(&large("c"));
    let _ = hold.send(false);
    pollster::block_on(first).unwrap();
    pollster::block_on(waits).unwrap();
    one.append(large("b")).unwrap();
}

/// Appends as only another client would tell them.
#[test]
fn messages_that_are_none_end_the_call_and_what_came_before_counts() {
    let store = MemoryStore::new();
    let served = Served::start(Arc::new(store.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = |bytes: Vec<u8>, count| {
        runtime.block_on(async {
            let channel = tonic::transport::Channel::from_shared(format!("http://{}", served.address));
            let mut client = StoreClient::new(channel.unwrap().connect().await.unwrap());
            let request = AppendRequest { appends: bytes.into(), count };
            let answers = client.append(tokio_stream::iter([request])).await.unwrap();
            let mut answers = answers.into_inner();
            let mut answered = 0;
            loop {
                match answers.message().await {
                    Ok(Some(answer)) => answered += UnpackedAnswers::of(answer.answers).count(),
                    Ok(None) => return (answered, None),
                    Err(status) => return (answered, Some((status.code(), status.message().to_owned()))),
                }
            }
        })
    };
    let packed = |count: usize| {
        let mut packed = PackedAppends::default();
        (0..count).for_each(|_| packed.push(&one("a", ExpectedRevision::Any)));
        packed.into_bytes().to_vec()
    };
    assert_eq!(told(packed(3), 3), (3, None));
    let cut = packed(3)[..packed(3).len() - 1].to_vec();
    let rows = [
        (cut, 3, 2, "something in it is longer than the message"),
        (packed(3), 2, 2, "it has more appends than it says"),
        (packed(3), 4, 3, "it has fewer appends than it says"),
        (packed(3), 8_193, 0, "it has too many appends"),
        (packed(3), u32::MAX, 0, "it has too many appends"),
    ];
    for (bytes, count, answered, says) in rows {
        let (told, end) = told(bytes, count);
        let (code, text) = end.unwrap();
        assert_eq!((told, code), (answered, tonic::Code::InvalidArgument), "{says}");
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(store.last_position().unwrap(), Some(Position::new(3 + 2 + 2 + 3 - 1)));
}

#[test]
fn an_answer_that_does_not_come_in_time_is_unknown() {
    let store = MemoryStore::new();
    let (_hold, held) = watch::channel(true);
    let served = Served::start(Arc::new(Held { store: store.clone(), held }));
    let patience = RemoteOptions { answer_within: Duration::from_millis(200), ..options().1 };
    let remote = connect_to(served.address, patience).unwrap();
    let unknown = remote.append(one("a", ExpectedRevision::NoStream)).unwrap_err();
    assert!(matches!(&unknown, AppendError::Unknown(_)), "{unknown:?}");
    let says = std::error::Error::source(&unknown).unwrap().to_string();
    assert!(says.contains("did not answer within 200ms"), "{says}");
}

#[test]
fn without_a_server_everything_says_so_in_time() {
    let store = Arc::new(MemoryStore::new());
    store.append(one("a", ExpectedRevision::Any)).unwrap();
    let mut served = Served::start(store.clone());
    let short = RemoteOptions { reconnect_within: Duration::from_millis(300), ..options().1 };
    let remote = connect_to(served.address, short.clone()).unwrap();
    let mut subscription = remote.subscribe(Subscribe::to(Selection::All)).unwrap();
    while !matches!(subscription.next().unwrap(), Signal::CaughtUp(_)) {}
    served.stop();
    let begun = Instant::now();
    let nobody = |error: StorageError| {
        let says = error.to_string();
        assert!(says.starts_with("nobody listens at 127.0.0.1") && says.contains("factum serve"), "{says}");
        assert_eq!(error.kind(), factum_core::ErrorKind::Unavailable);
    };
    match remote.append(one("a", ExpectedRevision::Any)).unwrap_err() {
        AppendError::Storage(error) => nobody(error),
        other => panic!("{other:?}"),
    }
    match remote.read(Read::all()).err().unwrap() {
        ReadError::Storage(error) => nobody(error),
        other => panic!("{other:?}"),
    }
    match remote.last_position().unwrap_err() {
        ReadError::Storage(error) => nobody(error),
        other => panic!("{other:?}"),
    }
    match subscription.next().unwrap_err() {
        SubscribeError::Storage(error) => nobody(error),
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    match connect_to(served.address, short).err().unwrap() {
        ConnectError::Server(error) => nobody(error),
        other => panic!("{other:?}"),
    }
    // Told once more, it tries once more.
    let _served = Served::at(served.address, store.clone());
    store.append(one("a", ExpectedRevision::Any)).unwrap();
    assert!(matches!(subscription.next().unwrap(), Signal::Event(event) if event.position.get() == 1));
}

#[test]
fn a_listener_that_says_nothing_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let short = RemoteOptions { answer_within: Duration::from_millis(200), ..options().1 };
    let said = connect_to(silent.local_addr().unwrap(), short).err().unwrap().to_string();
    assert!(said.contains("did not answer within 200ms"), "{said}");
}

/// A store that counts how many events are taken from it.
struct Counting(MemoryStore, Arc<AtomicUsize>);

impl EventStore for Counting {
    fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.0.append(append)
    }

    fn append_async(&self, append: &Append) -> AppendFuture {
        self.0.append_async(append)
    }

    fn append_each(&self, appends: &mut dyn Iterator<Item = Append>) -> Box<dyn Answers> {
        self.0.append_each(appends)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        let count = Arc::clone(&self.1);
        let events = EventStore::read(&self.0, read)?;
        Ok(Box::new(events.inspect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })))
    }

    fn count(&self, read: Read) -> Result<u64, ReadError> {
        self.0.count(read)
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<Box<dyn Subscription>, SubscribeError> {
        let from = Counting(self.0.clone(), Arc::clone(&self.1));
        Ok(Box::new(factum_core::CursorSubscription::new(from, subscribe)?))
    }

    fn last_position(&self) -> Result<Option<Position>, ReadError> {
        self.0.last_position()
    }
}

impl factum_core::CursorSource for Counting {
    fn committed_end(&self) -> Result<Position, SubscribeError> {
        factum_core::CursorSource::committed_end(&self.0)
    }

    fn listen(&self) -> event_listener::EventListener {
        factum_core::CursorSource::listen(&self.0)
    }

    fn read(&self, read: Read) -> Result<Events, ReadError> {
        EventStore::read(self, read)
    }
}

#[test]
fn who_does_not_read_is_not_read_for() {
    const EVENTS: usize = 20_000;
    let store = MemoryStore::new();
    let large = || NewEvent { data: vec![b'1'; 1_000].into(), ..event() };
    store.append(Append::to(name("a"), ExpectedRevision::Any, (0..EVENTS).map(|_| large()))).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let served = Served::start(Arc::new(Counting(store, Arc::clone(&count))));
    let remote = connect(served.address);
    let settled = || {
        let mut before = usize::MAX;
        while std::mem::replace(&mut before, count.load(Ordering::Relaxed)) != before {
            std::thread::sleep(Duration::from_millis(200));
        }
        before
    };
    let mut events = remote.read(Read::all()).unwrap();
    events.next().unwrap().unwrap();
    assert!(settled() < EVENTS / 3, "{} of {EVENTS} were read for one", settled());
    // Others are not held up by it, and it goes on where it was.
    assert_eq!(remote.read(Read::all()).unwrap().count(), EVENTS);
    assert_eq!(events.count(), EVENTS - 1);
    count.store(0, Ordering::Relaxed);
    let mut subscription = remote.subscribe(Subscribe::to(Selection::All)).unwrap();
    subscription.next().unwrap();
    assert!(settled() < EVENTS / 10, "{} of {EVENTS} were read for one", settled());
}

#[test]
fn callers_may_have_a_runtime_and_need_none() {
    let served = Served::start(Arc::new(MemoryStore::new()));
    let url = format!("factum://{}?tls=false", served.address);
    let story = async {
        let remote = RemoteStore::connect(&url).unwrap();
        remote.append(one("a", ExpectedRevision::Any)).unwrap();
        remote.append_async(&one("a", ExpectedRevision::Any)).await.unwrap();
        let read = remote.read(Read::stream(name("a"))).unwrap().count();
        let mut subscription = remote.subscribe(Subscribe::to(Selection::All)).unwrap();
        while !matches!(subscription.next_within(Duration::from_secs(5)), Ok(Some(Signal::CaughtUp(_)))) {}
        assert!(subscription.next_within(Duration::from_millis(1)).unwrap().is_none());
        read
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(story), 2);
}

#[test]
fn what_was_handed_over_is_recorded_though_the_store_is_dropped() {
    let store = MemoryStore::new();
    let served = Served::start(Arc::new(store.clone()));
    let remote = connect(served.address);
    for _ in 0..500 {
        drop(remote.append_async(&one("a", ExpectedRevision::Any)));
    }
    drop(remote);
    assert_eq!(store.last_position().unwrap(), Some(Position::new(499)));
}

#[test]
fn limits_are_told_before_anything_is_sent() {
    let served = Served::start(Arc::new(MemoryStore::new()));
    let remote = connect_to(served.address, RemoteOptions { queue_bytes_max: 100, ..options().1 }).unwrap();
    let refused = remote.append(one("a", ExpectedRevision::Any).or_refuse()).unwrap_err();
    assert!(matches!(refused, AppendError::Overloaded { limit_bytes: 100, .. }), "{refused:?}");
    remote.append(one("a", ExpectedRevision::Any)).unwrap();
    let large = || NewEvent { data: vec![0; 12 << 20].into(), ..event() };
    let too_large = Append::to(name("a"), ExpectedRevision::Any, [large(), large(), large()]);
    let refused = remote.append(too_large).unwrap_err();
    assert!(
        matches!(refused, AppendError::Invalid(InvalidAppend::TooLarge { limit, .. }) if limit == 32 << 20),
        "{refused:?}"
    );
    let two = Append::to(name("a"), ExpectedRevision::Any, [large(), large()]);
    assert_eq!(remote.append(two).unwrap().revision(), Some(Revision::new(2)));
}

/// What lies between a client and a server, to be cut.
struct Cable {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&connections);
        // Ends with the test's process; it holds nothing but a port.
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let (near, Ok(far)) = (near.unwrap(), TcpStream::connect(server)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
                all.lock().unwrap().extend([near, far]);
            }
        });
        Self { address, connections }
    }

    fn cut(&self) {
        for end in self.connections.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}
