//! The page that shows a session at work, asked over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier};

use crate::common::builder;
use talatat::prelude::*;

fn ask(address: SocketAddr, request: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.replace("HOST", &address.to_string()).as_bytes()).unwrap();
    BufReader::new(stream)
}

fn answer(address: SocketAddr, request: &str) -> String {
    let mut text = String::new();
    ask(address, request).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_session_has_a_page_only_if_it_is_asked_for() {
    assert_eq!(builder().build().unwrap().live_address(), None);
    let session = builder().live_page(0).build().unwrap();
    let address = session.live_address().unwrap();
    assert!(address.ip().is_loopback());
    let page = answer(address, "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("EventSource(\"/events\")"), "{page}");
    assert!(page.contains("connect-src 'self'") && !page.contains("http://") && !page.contains("https://"));
}

#[test]
fn what_others_ask_is_refused() {
    let session = builder().live_page(0).build().unwrap();
    let address = session.live_address().unwrap();
    let status = |request: &str| answer(address, request).split("\r\n").next().unwrap_or_default().to_string();
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "HTTP/1.1 403 Forbidden");
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 403 Forbidden");
    assert_eq!(status("POST / HTTP/1.1\r\nHost: HOST\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status("GET /other HTTP/1.1\r\nhost: HOST\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(status("\u{1}\r\n\r\n"), "HTTP/1.1 403 Forbidden");
    // A request without end is cut off.
    let mut endless = ask(address, "GET / HTTP/1.1\r\n");
    let _ = endless.get_mut().write_all(&[b'a'; 20 << 10]);
    let mut text = String::new();
    let _ = endless.read_to_string(&mut text);
    assert!(!text.contains("200 OK"));
    let taken = builder().live_page(address.port()).build().unwrap_err().to_string();
    assert!(taken.contains("give another one, or 0") && taken.contains("tests/running/live.rs"), "{taken}");
}

#[test]
fn the_stream_tells_of_what_runs_and_ends_with_the_session() {
    let session = builder().threads(2).skip("fuse").live_page(0).build().unwrap();
    let address = session.live_address().unwrap();
    let gate = Arc::new(Barrier::new(2));
    let waits = gate.clone();
    let task = delayed(move || {
        waits.wait();
        waits.wait();
        1_i64
    });
    let value = task.named("<gate>").call(());
    let mut events = ask(address, "GET /events HTTP/1.1\r\nHost: HOST\r\n\r\n");
    std::thread::scope(|scope| {
        let run = scope.spawn(|| value.compute_on(&session));
        gate.wait();
        let lines = events.by_ref().lines().map(|line| line.unwrap());
        let told = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_string)).find_map(|text| {
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            let run = event["runs"].get(0)?.clone();
            run["running"].get(0).is_some().then_some(run)
        });
        gate.wait();
        run.join().unwrap().unwrap();
        let told = told.unwrap();
        assert_eq!((&told["done"], &told["tasks"], &told["threads"]), (&0.into(), &1.into(), &2.into()));
        assert_eq!(told["running"][0]["operation"], "<gate>");
    });
    drop(session);
    // The stream ends: reading it to its end comes to an end.
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
