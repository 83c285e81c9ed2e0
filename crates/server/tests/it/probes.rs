//! What is answered over plain HTTP: JSON that scripts and older tools ask for.

use std::io::{Read, Write};
use std::net::TcpStream;

use factum_core::{Append, ExpectedRevision, NewEvent, StreamName};
use serde_json::Value;

use crate::host::Host;

fn get(host: &Host, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(host.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn json(host: &Host, path: &str) -> Value {
    let (head, body) = get(host, path);
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{path}: {head}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn what_the_server_is_can_be_asked() {
    let host = Host::start();
    let info = json(&host, "/info");
    assert_eq!((&info["product"], &info["state"]), (&"Factum".into(), &"leader".into()));
    assert!(info["dbVersion"].as_str().unwrap().split('.').all(|part| part.parse::<u32>().is_ok()));
    assert_eq!(info["features"]["userManagement"], false);
    assert!(json(&host, "/ping")["text"].as_str().unwrap().contains("Ping"));
    let (head, body) = get(&host, "/web/index.html");
    assert!(
        head.starts_with("HTTP/1.1 404") && body.contains("/web/index.html is not here"),
        "{head}\n{body}"
    );
}

#[test]
fn gossip_and_stats_tell_how_far_the_log_is() {
    let host = Host::start();
    let events = (0..3).map(|_| NewEvent::json("A", &Value::Null).unwrap());
    let stream = StreamName::new("a").unwrap();
    host.store.append(Append::to(stream, ExpectedRevision::Any, events)).unwrap();
    let gossip = json(&host, "/gossip");
    let member = &gossip["members"][0];
    assert_eq!((&member["state"], &member["isAlive"]), (&"Leader".into(), &true.into()));
    assert_eq!(member["lastCommitPosition"], 3);
    assert_eq!(member["httpEndPointPort"], host.address.port());
    let stats = json(&host, "/stats");
    assert_eq!(stats["es"]["events"], 3);
    assert_eq!(stats["proc"]["id"], std::process::id());
    assert!(stats["proc"]["mem"].as_u64().unwrap() > 1_000_000, "{stats}");
    assert!(stats["proc"]["startTime"].as_str().unwrap().ends_with('Z'), "{stats}");
}
