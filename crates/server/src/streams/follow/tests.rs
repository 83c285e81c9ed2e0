//! What a subscription says, page by page.

use super::*;
use crate::tail::tests::{expression, prefixes};
use factum_core::{
    Append, EventStore, EventType, ExpectedRevision, MemoryStore, NewEvent, Read, RecordedEvent, Signal,
    StreamName, SubscribeError, Subscription, SystemClock,
};
use factum_wire::filter::Of;
use factum_wire::position::Place;
use factum_wire::proto::streams::ReadResp;
use factum_wire::proto::streams::read_resp::Content;
use factum_wire::read::From;
use factum_wire::{Filter, IdForm, codec};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

struct Case {
    store: Arc<MemoryStore>,
    follower: Follower,
}

fn name(text: &str) -> StreamName {
    StreamName::new(text.to_owned()).unwrap()
}

fn append(store: &MemoryStore, to: &str, count: usize) {
    let events = std::iter::repeat_with(|| NewEvent::json("A", &().into()).unwrap()).take(count);
    store.append(Append::to(name(to), ExpectedRevision::Any, events)).unwrap();
}

fn follower(store: &Arc<MemoryStore>, tail: &Tail, resolve_links: bool, followed: Followed) -> Follower {
    let show = Show { ids: IdForm::Text, resolve_links };
    let (store, clock) = (Arc::<MemoryStore>::clone(store), Arc::new(SystemClock));
    let follower = Follower::begin(store, clock, tail.clone(), show, followed).unwrap();
    follower.telling_when_it_falls_behind(true)
}

/// Others on this thread have their turns.
async fn pause() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

impl Case {
    fn follow(store: MemoryStore, from: From) -> Self {
        let store = Arc::new(store);
        let followed = Followed::Stream { source: Source::new(name("s")).unwrap(), from };
        let follower = follower(&store, &Tail::default(), true, followed);
        Self { store, follower }
    }

    fn says(&self, json: &str) {
        let metadata = NewEvent::new(EventType::new("$metadata").unwrap(), json.to_owned());
        self.store.append(Append::to(name("$$s"), ExpectedRevision::Any, [metadata])).unwrap();
    }

    /// The next page, in short.
    fn told(&mut self) -> Vec<String> {
        let page = self.follower.page();
        let answers = codec::read_back::<ReadResp>(&page.answers.into_bytes()).unwrap();
        let mut told: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer.content.unwrap() {
                Content::Event(event) => {
                    event.event.map_or("gone".to_owned(), |event| event.stream_revision.to_string())
                }
                Content::CaughtUp(_) => "caught up".to_owned(),
                Content::FellBehind(_) => "fell behind".to_owned(),
                Content::Checkpoint(at) => format!("checkpoint {}", at.commit_position - 1),
                other => panic!("{other:?}"),
            })
            .collect();
        told.extend(page.end.map(|failure| failure.to_string()));
        told
    }
}

#[tokio::test]
async fn metadata_is_obeyed_as_it_is_at_each_page() {
    let store = MemoryStore::new();
    append(&store, "s", 2_000);
    let mut case = Case::follow(store, From::Start);
    let first = case.told();
    assert_eq!((first.len(), first[0].as_str(), first[511].as_str()), (EVENTS_MAX, "0", "511"));
    case.says(r#"{"$tb": 1998}"#);
    assert_eq!(case.told(), ["1998", "1999", "caught up"]);
    // Deleted while it is late, and begun again.
    let store = MemoryStore::new();
    append(&store, "s", 600);
    let mut case = Case::follow(store, From::Start);
    assert_eq!(case.told().len(), EVENTS_MAX);
    case.says(r#"{"$tb": 9223372036854775807}"#);
    assert_eq!(case.told(), ["caught up"]);
}

#[tokio::test]
async fn nobody_falls_behind_because_of_other_streams() {
    let store = MemoryStore::new();
    append(&store, "s", 1);
    let mut case = Case::follow(store, From::End);
    assert_eq!(case.told(), ["caught up"]);
    pause().await;
    append(&case.store, "other", 10_000);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert!(!case.follower.is_light(), "it is late all the same");
    assert_eq!(case.told(), [""; 0]);
    append(&case.store, "s", 1);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told(), ["1"]);
    // If an event of its own comes so late, it is told.
    pause().await;
    append(&case.store, "other", 10_000);
    append(&case.store, "s", 2);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told(), ["fell behind", "2", "3", "caught up"]);
}

#[tokio::test]
async fn nobody_is_told_of_falling_behind_who_did_not_ask_or_has_no_place() {
    let late = async |mut case: Case| {
        assert_eq!(case.told().last().unwrap(), "caught up");
        pause().await;
        append(&case.store, "other", 10_000);
        append(&case.store, "s", 1);
        tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
        case.told()
    };
    let store = || {
        let store = MemoryStore::new();
        append(&store, "s", 1);
        store
    };
    assert_eq!(late(Case::follow(store(), From::Start)).await, ["fell behind", "1", "caught up"]);
    let mut case = Case::follow(store(), From::Start);
    case.follower = case.follower.telling_when_it_falls_behind(false);
    assert_eq!(late(case).await, ["1"]);
    // Nothing of the stream was there to have come to.
    assert_eq!(late(Case::follow(MemoryStore::new(), From::Start)).await, ["0"]);
    // An empty log has no place either, until something of it was shown.
    let store = Arc::new(MemoryStore::new());
    let all = Followed::All { from: Place::Start, filter: None };
    let follower = follower(&store, &Tail::default(), false, all);
    let told = late(Case { store, follower }).await;
    assert_eq!((told[0].as_str(), told.len()), ("0", EVENTS_MAX));
}

#[tokio::test]
async fn live_pages_are_full_by_what_their_links_lead_to() {
    const LARGE: usize = 300 * 1024;
    let store = MemoryStore::new();
    let large = NewEvent { data: vec![b'x'; LARGE].into(), ..NewEvent::json("A", &().into()).unwrap() };
    store.append(Append::to(name("large"), ExpectedRevision::Any, [large])).unwrap();
    let mut case = Case::follow(store, From::End);
    assert_eq!(case.told(), ["caught up"]);
    let link = || NewEvent::new(EventType::new("$>").unwrap(), "0@large");
    let links: Vec<_> = std::iter::repeat_with(link).take(5).collect();
    case.store.append(Append::to(name("s"), ExpectedRevision::Any, links)).unwrap();
    let mut pages = Vec::new();
    while pages.iter().sum::<usize>() < 5 {
        tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
        assert!(!case.follower.is_light(), "links are not resolved on the runtime's threads");
        pages.push(case.told().len());
    }
    assert_eq!(pages, [2, 2, 1]);
}

/// A subscription that remembers on which thread each event was read.
struct Watched {
    subscription: Box<dyn Subscription>,
    read_on: Arc<Mutex<Vec<ThreadId>>>,
}

impl Watched {
    fn saw(&self, signal: Option<&Signal>) {
        if let Some(Signal::Event(_)) = signal {
            self.read_on.lock().unwrap().push(std::thread::current().id());
        }
    }
}

impl Subscription for Watched {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        self.subscription.next()
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        let signal = self.subscription.next_within(wait)?;
        self.saw(signal.as_ref());
        Ok(signal)
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        let signal = self.subscription.poll_next(context);
        if let Poll::Ready(Ok(signal)) = &signal {
            self.saw(Some(signal));
        }
        signal
    }
}

/// What came meanwhile may no longer be in memory.
#[tokio::test]
async fn after_a_client_let_it_wait_it_reads_where_waiting_is_allowed() {
    let store = Arc::new(MemoryStore::new());
    let links = Followed::Stream { source: Source::new(name("$et-A")).unwrap(), from: From::End };
    let mut follower = follower(&store, &Tail::default(), false, links);
    assert_eq!(follower.page().answers.count(), 1, "caught up");
    let read_on = Arc::default();
    let subscription = follower.subscription.take().unwrap();
    follower.subscription = Some(Box::new(Watched { subscription, read_on: Arc::clone(&read_on) }));
    let (sender, mut receiver) = mpsc::channel(1);
    let (_stop, stopping) = crate::stopping::stop();
    tokio::spawn(run(Box::new(follower), sender, stopping));
    // The first page is in the channel, the second waits to be sent.
    for _ in 0..3 {
        append(&store, "s", 1);
        pause().await;
    }
    for _ in 0..3 {
        assert_eq!(receiver.recv().await.unwrap().answers.count(), 1);
    }
    let read_on = read_on.lock().unwrap();
    let is_here: Vec<_> = read_on.iter().map(|thread| *thread == std::thread::current().id()).collect();
    assert_eq!(is_here, [true, true, false]);
}

#[tokio::test]
async fn a_revision_to_come_is_waited_for() {
    let mut case = Case::follow(MemoryStore::new(), From::Revision(factum_core::Revision::new(2)));
    assert_eq!(case.told(), ["caught up"]);
    pause().await;
    append(&case.store, "s", 4);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told(), ["3"]);
    // Late once more, it still knows.
    let mut case = Case::follow(MemoryStore::new(), From::Revision(factum_core::Revision::new(2)));
    assert_eq!(case.told(), ["caught up"]);
    pause().await;
    append(&case.store, "other", 10_000);
    append(&case.store, "s", 4);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told(), ["3"]);
}

#[tokio::test]
async fn checkpoints_are_counted_on_whoever_reads() {
    let store = Arc::new(MemoryStore::new());
    let filter = Some(prefixes(Of::Stream, &["none"], 100));
    let follower = follower(&store, &Tail::default(), false, Followed::All { from: Place::End, filter });
    let mut case = Case { store, follower };
    assert_eq!(case.told(), ["caught up"]);
    pause().await;
    append(&case.store, "other", 60);
    pause().await;
    // The tail has looked at these, and does not look at those.
    append(&case.store, "other", 10_000);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told()[..3], ["fell behind", "checkpoint 99", "checkpoint 199"]);
}

/// Between what it read and what it is told lies what came while it took its seat.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_comes_between_reading_and_being_told_is_read() {
    let store = Arc::new(MemoryStore::new());
    let tail = Tail::default();
    let all = || Followed::All { from: Place::Start, filter: Some(prefixes(Of::Stream, &["s"], 3)) };
    // Somebody is there already.
    let mut other = follower(&store, &tail, false, all());
    other.page();
    append(&store, "s", 2);
    let mut case = Case { follower: follower(&store, &tail, false, all()), store: Arc::clone(&store) };
    // When it has caught up, the tail goes on before it takes its seat.
    let then = {
        let (store, tail) = (Arc::clone(&store), tail.clone());
        move || {
            append(&store, "s", 2);
            while tail.end() < 4 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    };
    let follows = case.follower.subscription.take().unwrap();
    case.follower.subscription = Some(Box::new(Between { follows, then: Some(Box::new(then)) }));
    let told = ["0", "1", "checkpoint 1", "caught up", "2", "3"];
    assert_eq!(case.told(), told);
    append(&store, "s", 1);
    tokio::time::timeout(LONG, case.follower.wait()).await.unwrap();
    assert_eq!(case.told(), ["4", "checkpoint 4"]);
}

/// A subscription after whose word that it has caught up something happens.
struct Between {
    follows: Box<dyn Subscription>,
    then: Option<Box<dyn FnOnce() + Send>>,
}

impl Subscription for Between {
    fn next(&mut self) -> Result<Signal, SubscribeError> {
        self.follows.next()
    }

    fn next_within(&mut self, wait: Duration) -> Result<Option<Signal>, SubscribeError> {
        let signal = self.follows.next_within(wait)?;
        if let Some(Signal::CaughtUp(_)) = &signal
            && let Some(then) = self.then.take()
        {
            then();
        }
        Ok(signal)
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Signal, SubscribeError>> {
        self.follows.poll_next(context)
    }
}

/// What a client asks for, by turns.
fn asked(turn: usize) -> (Followed, Option<Filter>, bool) {
    let every = 3 + (turn % 40) as u32;
    let filter = || match turn % 5 {
        0 => None,
        1 => Some(prefixes(Of::Stream, &["s", "other-1"], every)),
        2 => Some(prefixes(Of::Stream, &["other-2"], every)),
        3 => Some(expression(Of::Stream, "^other-[12]$", every)),
        _ => Some(prefixes(Of::Stream, &["none"], every)),
    };
    if turn % 6 == 5 {
        let source = Source::new(name("s")).unwrap();
        return (Followed::Stream { source, from: From::Start }, None, true);
    }
    (Followed::All { from: Place::Start, filter: filter() }, filter(), false)
}

/// Clients of all kinds, that read as they like, beside one that appends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_gets_what_they_asked_for_however_they_read() {
    const CLIENTS: usize = 30;
    let store = Arc::new(MemoryStore::new());
    let (tail, (stop, stopping)) = (Tail::default(), crate::stopping::stop());
    let end = Arc::new(Mutex::new(None::<u64>));
    let mut clients = tokio::task::JoinSet::new();
    for turn in 0..CLIENTS {
        let (followed, filter, of_stream) = asked(turn);
        let (store, tail, stopping) = (Arc::clone(&store), tail.clone(), stopping.clone());
        let end = Arc::clone(&end);
        clients.spawn(async move {
            // Some come later.
            tokio::time::sleep(Duration::from_millis(turn as u64 * 7 % 50)).await;
            let begun = (Arc::clone(&store), tail.clone());
            let follower = blocking(move || Ok(follower(&begun.0, &begun.1, false, followed))).await.unwrap();
            let (sender, mut receiver) = mpsc::channel(1);
            tokio::spawn(run(Box::new(follower), sender, stopping));
            let (mut given, mut checkpoint, mut pages) = (Vec::new(), None, 0_u64);
            let mut wanted = None;
            loop {
                // Every third is slow, and sometimes very.
                pages += 1;
                if turn % 3 == 2 {
                    let patience = if pages % 16 == 0 { 40 } else { 1 };
                    tokio::time::sleep(Duration::from_millis(patience)).await;
                }
                if let Some(end) = *end.lock().unwrap() {
                    let wants = |event: &RecordedEvent| match &filter {
                        Some(filter) => filter.matches(event).unwrap(),
                        None => !of_stream || event.stream.as_str() == "s",
                    };
                    let all = || store.read(Read::all()).unwrap().map(Result::unwrap);
                    let wanted: &Vec<_> = wanted.get_or_insert_with(|| {
                        all().filter(wants).map(|event| event.position.get()).collect()
                    });
                    let come_to = given.last().copied().max(checkpoint).map_or(0, |last: u64| last + 1);
                    // It is told checkpoints until it is as near to the end as it asked for.
                    let is_near =
                        filter.as_ref().is_none_or(|filter| end - come_to < filter.checkpoint_every);
                    if given.len() >= wanted.len() && is_near {
                        assert_eq!(given, *wanted);
                        return;
                    }
                }
                let Ok(page) = tokio::time::timeout(Duration::from_millis(200), receiver.recv()).await else {
                    continue;
                };
                for answer in codec::read_back::<ReadResp>(&page.unwrap().answers.into_bytes()).unwrap() {
                    match answer.content.unwrap() {
                        Content::Event(event) => {
                            let position = event.event.unwrap().commit_position - 1;
                            assert!(given.last().is_none_or(|last| *last < position));
                            assert!(checkpoint.is_none_or(|checkpoint| checkpoint < position));
                            given.push(position);
                        }
                        Content::Checkpoint(at) => {
                            let at = at.commit_position - 1;
                            assert!(checkpoint < Some(at) && given.last().is_none_or(|last| *last <= at));
                            checkpoint = Some(at);
                        }
                        Content::CaughtUp(_) | Content::FellBehind(_) => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }
    let mut appended = 0;
    for turn in 0..600_usize {
        let to = ["s", "other-1", "other-2", "other-3"][turn * turn % 4 + turn % 2];
        let count = if turn % 150 == 149 { 9_000 } else { 1 + turn % 30 };
        append(&store, to, count);
        appended += count as u64;
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    *end.lock().unwrap() = Some(appended);
    let all_have_it = async {
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    };
    tokio::time::timeout(LONG, all_have_it).await.unwrap();
    drop(stop);
}
