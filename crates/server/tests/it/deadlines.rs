//! Calls that take longer than their client waits, as they look on the wire: a
//! client with a timer of its own would answer itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::host::Host;

/// Begins an append, sends nothing of it, and gives the status it is answered with.
fn unsent(host: &Host, patience: &str) -> String {
    let mut connection = TcpStream::connect(host.address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let call = "/event_store.client.streams.Streams/Append";
    write!(
        connection,
        "POST {call} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nTE: trailers\r\n\
         grpc-timeout: {patience}\r\nContent-Length: 100\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap().to_lowercase()
}

#[test]
fn a_deadline_that_passes_is_told_as_such_and_as_nothing_else() {
    let host = Host::start();
    for patience in ["0S", "1n", "50u", "400u", "1m", "2m", "5m"] {
        for _ in 0..40 {
            let answer = unsent(&host, patience);
            assert!(answer.starts_with("http/1.1 200"), "{answer}");
            assert!(answer.contains("grpc-status: 4\r\n"), "after {patience}: {answer}");
        }
    }
}
