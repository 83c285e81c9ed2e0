//! One type, several homes: every test that takes a store runs in each.

use std::thread::JoinHandle;

use factum::Store;
use tokio::sync::oneshot;

/// Calls `test` with a fresh store of every kind.
pub fn everywhere(test: impl Fn(Store)) {
    test(Store::memory());
    let folder = tempfile::tempdir().unwrap();
    test(Store::open(folder.path().join("store")).unwrap());
    let served = Served::start();
    test(Store::connect(&served.url).unwrap());
}

/// A store in memory behind a server of this process. Dropped, it stops.
struct Served {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let services = factum_server::Services::of(Store::memory().events().clone());
                let stopped = async { stopped.await.unwrap_or_default() };
                factum_server::serve(listener, services, stopped).await.unwrap();
            });
        });
        let url = format!("kurrentdb://{}?tls=false", told.recv().unwrap());
        Self { url, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }
}

#[test]
fn connecting_says_what_is_in_the_way() {
    let served = Served::start();
    let url = served.url.clone();
    drop(served);
    let said = Store::connect(&url).err().unwrap().to_string();
    assert!(said.contains("nobody listens at 127.0.0.1") && said.contains("factum serve"), "{said}");
    let said = Store::connect("kurrentdb://127.0.0.1:2113").err().unwrap().to_string();
    assert!(said.contains("add ?tls=false"), "{said}");
}

#[test]
fn what_was_recorded_on_disk_is_there_when_it_is_opened_again() {
    use crate::domain::{Balance, deposited, opened};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let receipt = Store::open(&path).unwrap().record([opened("ada"), deposited("ada", 7)]).run().unwrap();
    assert_eq!(receipt.durability.as_str(), "disk");
    let again = Store::open(&path).unwrap();
    assert_eq!(again.load(Balance::of("ada")).run().unwrap().cents, 7);
}

#[test]
fn a_second_opening_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _open = Store::open(&path).unwrap();
    let error = Store::open(&path).err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains("close it there"), "{error}");
}

#[test]
fn an_empty_folder_is_refused_for_it_may_be_where_a_disk_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("empty"), "{error}");
}
