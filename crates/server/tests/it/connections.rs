//! As many clients as there are places.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::host::Host;

/// Whether somebody who connects is served; if not, the connection ends at once.
fn is_served(host: &Host) -> Option<TcpStream> {
    let mut connection = TcpStream::connect(host.address).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    match connection.read(&mut [0]) {
        // The server waits for a request.
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
        {
            Some(connection)
        }
        Ok(0) | Err(_) => None,
        Ok(_) => panic!("it spoke first"),
    }
}

/// E19
#[test]
fn the_connection_too_many_is_closed_and_the_others_go_on() {
    let host = Host::start_as(|services| services.with_connections(3));
    let held = [is_served(&host).unwrap(), is_served(&host).unwrap()];
    assert_eq!(host.get("/health/live"), 204, "the third place");
    let begun = Instant::now();
    let third = loop {
        // The place of a connection is free when its end was noticed.
        match is_served(&host) {
            Some(third) => break third,
            None => assert!(begun.elapsed() < Duration::from_secs(10), "the third place is not free again"),
        }
    };
    for _ in 0..100 {
        assert!(is_served(&host).is_none(), "there is no fourth place");
    }
    // Who has a place is served as before.
    for mut connection in held.into_iter().chain([third]) {
        std::io::Write::write_all(
            &mut connection,
            b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
    let begun = Instant::now();
    while is_served(&host).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "no place is free again");
    }
}
