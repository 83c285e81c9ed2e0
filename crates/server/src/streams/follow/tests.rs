//! What a subscription says, page by page.

use super::*;
use factum_core::{Append, EventType, ExpectedRevision, MemoryStore, NewEvent, StreamName, SystemClock};
use factum_wire::IdForm;
use factum_wire::proto::streams::read_resp::Content;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::thread::ThreadId;

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

impl Case {
    fn follow(store: MemoryStore, from: From) -> Self {
        let store = Arc::new(store);
        let show = Show { ids: IdForm::Text, resolve_links: true };
        let followed = Followed::Stream { source: Source::new(name("s")).unwrap(), from };
        let follower =
            Follower::begin(Arc::<MemoryStore>::clone(&store), Arc::new(SystemClock), show, followed);
        Self { store, follower: follower.unwrap() }
    }

    fn says(&self, json: &str) {
        let metadata = NewEvent::new(EventType::new("$metadata").unwrap(), json.to_owned());
        self.store.append(Append::to(name("$$s"), ExpectedRevision::Any, [metadata])).unwrap();
    }

    /// The next page, in short.
    fn told(&mut self) -> Vec<String> {
        let page = self.follower.page();
        let answers = WrittenAnswers::read_back(&page.answers.into_bytes()).unwrap();
        let mut told: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer.content.unwrap() {
                Content::Event(event) => {
                    event.event.map_or("gone".to_owned(), |event| event.stream_revision.to_string())
                }
                Content::CaughtUp(_) => "caught up".to_owned(),
                Content::FellBehind(_) => "fell behind".to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        told.extend(page.end.map(|failure| failure.to_string()));
        told
    }
}

#[test]
fn metadata_is_obeyed_as_it_is_at_each_page() {
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
    append(&case.store, "other", 10_000);
    case.follower.wait().await;
    assert!(!case.follower.is_light(), "it is late all the same");
    assert_eq!(case.told(), [""; 0]);
    append(&case.store, "s", 1);
    case.follower.wait().await;
    assert_eq!(case.told(), ["1"]);
    // If an event of its own comes so late, it is told.
    append(&case.store, "other", 10_000);
    append(&case.store, "s", 2);
    case.follower.wait().await;
    assert_eq!(case.told(), ["fell behind", "2", "3", "caught up"]);
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
        case.follower.wait().await;
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
    let mut case = Case::follow(MemoryStore::new(), From::End);
    assert_eq!(case.told(), ["caught up"]);
    let Case { store, mut follower } = case;
    let read_on = Arc::default();
    follower.subscription =
        Box::new(Watched { subscription: follower.subscription, read_on: Arc::clone(&read_on) });
    let (sender, mut receiver) = mpsc::channel(1);
    let (_stop, stopping) = crate::stopping::stop();
    tokio::spawn(run(follower, sender, stopping));
    // The first page is in the channel, the second waits to be sent.
    for _ in 0..3 {
        append(&store, "s", 1);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..3 {
        assert_eq!(receiver.recv().await.unwrap().answers.count(), 1);
    }
    let read_on = read_on.lock().unwrap();
    let is_here: Vec<_> = read_on.iter().map(|thread| *thread == std::thread::current().id()).collect();
    assert_eq!(is_here, [true, true, false]);
}
