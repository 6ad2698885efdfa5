//! A page that shows a session at work, for a browser on the same machine.
//!
//! One thread accepts, one for each connection answers: a page, and a stream of server-sent events that the page draws. It listens on
//! 127.0.0.1 alone, answers requests that name it so (a page of another origin that has its name lead here is refused), and has nothing to
//! say but what runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde_json::json;
use talatat_graph::{Board, RunStatus};

use super::page::page;
use super::recording::process_memory;

/// Between two events.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a browser may take to ask or to read.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most connections at once.
const CONNECTIONS: usize = 16;
/// The most bytes of a request.
const REQUEST: u64 = 8 << 10;

const SCRIPT: &str = include_str!("live.js");
const BODY: &str = r#"<header><div><h1>Talatat</h1><p class="dim" id="state">nothing is being computed</p></div><button id="theme" title="light or dark">◐</button></header>
<div class="cards" id="cards"></div>
<h2>Threads</h2><p class="dim">what each thread ran, looked at ten times a second; the last minute</p><canvas id="stream"></canvas>
<h2>Memory</h2><div class="keys" id="keys"></div><canvas id="memory"></canvas>
<h2>Running</h2><div class="wide"><table><thead><tr><th>task</th><th>thread</th><th>for</th></tr></thead><tbody id="running"></tbody></table></div>
<div id="tip"></div>"#;

/// A server on the loopback device; it ends when it is dropped.
pub(crate) struct LivePage {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    board: Board,
    port: u16,
    connections: AtomicUsize,
    over: Mutex<bool>,
    end: Condvar,
}

impl LivePage {
    /// Serves what stands on a board; port 0 is one that is free.
    ///
    /// # Errors
    /// If the port is taken, or the system gives no thread.
    pub(crate) fn serve(board: Board, port: u16) -> io::Result<LivePage> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { board, port: address.port(), ..Shared::default() });
        let accepting = shared.clone();
        let work = move || accept(&listener, &accepting);
        let accepting = std::thread::Builder::new().name("talatat-live".into()).spawn(work)?;
        Ok(LivePage { address, shared, accepting: Some(accepting) })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LivePage {
    fn drop(&mut self) {
        *self.shared.over.lock() = true;
        self.shared.end.notify_all();
        // Whoever waits for a connection gets one, and sees that it is over.
        if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok() {
            self.accepting.take().into_iter().for_each(|thread| drop(thread.join()));
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if *shared.over.lock() {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.connections.fetch_add(1, Relaxed) >= CONNECTIONS {
            shared.connections.fetch_sub(1, Relaxed);
            continue;
        }
        let answering = shared.clone();
        let answer = move || {
            // A browser that goes away is no error of ours.
            let _ = answering.answer(&stream);
            answering.connections.fetch_sub(1, Relaxed);
        };
        if std::thread::Builder::new().name("talatat-live".into()).spawn(answer).is_err() {
            shared.connections.fetch_sub(1, Relaxed);
        }
    }
}

impl Shared {
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.take(REQUEST)).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut host = String::new();
        for line in lines {
            let line = line?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("host") => host = value.trim().to_ascii_lowercase(),
                Some(_) => {}
                None => break,
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if ![format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)].contains(&host) {
            return reply(stream, "403 Forbidden", "text/plain", "this page is for 127.0.0.1 and localhost\n");
        }
        match (method, path) {
            ("GET", "/") => {
                reply(stream, "200 OK", "text/html; charset=utf-8", &page("Talatat", BODY, &(), SCRIPT, "'self'"))
            }
            ("GET", "/events") => self.events(stream),
            ("GET", _) => reply(stream, "404 Not Found", "text/plain", "there is only / and /events\n"),
            _ => reply(stream, "405 Method Not Allowed", "text/plain", "only GET\n"),
        }
    }

    fn events(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.write_all(head("200 OK", "text/event-stream").as_bytes())?;
        stream.write_all(b"\r\n")?;
        let mut over = self.over.lock();
        while !*over {
            parking_lot::MutexGuard::unlocked(&mut over, || -> io::Result<()> {
                let runs: Vec<_> = self.board.statuses().iter().map(describe).collect();
                let event = json!({"runs": runs, "process": process_memory()});
                stream.write_all(format!("data: {event}\n\n").as_bytes())
            })?;
            if !*over {
                self.end.wait_for(&mut over, PAUSE);
            }
        }
        Ok(())
    }
}

fn describe(run: &RunStatus) -> serde_json::Value {
    let graph = run.plan.graph();
    let running = run.running.iter().map(|running| {
        let operation = graph.layer(running.task).kernel.describe();
        json!({
            "operation": operation,
            "block": graph.block(running.task),
            "thread": running.thread,
            "seconds": running.age.as_secs_f64(),
            "writes": running.writes,
        })
    });
    json!({
        "done": run.finished,
        "tasks": graph.len(),
        "ready": run.ready,
        "seconds": run.elapsed.as_secs_f64(),
        "threads": run.threads,
        "held": run.held,
        "reserved": run.reserved,
        "limit": run.plan.memory_limit(),
        "cancelled": run.cancelled,
        "running": running.collect::<Vec<_>>(),
    })
}

fn head(status: &str, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n"
    )
}

fn reply(mut stream: &TcpStream, status: &str, kind: &str, text: &str) -> io::Result<()> {
    let head = head(status, kind);
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes())
}
