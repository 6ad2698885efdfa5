//! A web server that hands out files, and fails as it is told to.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What becomes of the next request for a part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer is `503 Service Unavailable`.
    Busy,
    /// There is no answer, and the connection stays open.
    Stall,
    /// The connection ends after so many bytes of the file.
    Cut(usize),
    /// The file is replaced before it is read.
    Replace(Vec<u8>),
}

/// How well the server knows HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skill {
    /// Ranges, conditions and `HEAD`.
    #[default]
    All,
    /// No `HEAD`.
    NoHead,
    /// Whole files alone.
    NoRanges,
}

#[derive(Debug, Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    faults: HashMap<String, VecDeque<Fault>>,
    skill: Skill,
    /// Requests for parts of files that came, by path.
    requests: Vec<String>,
    /// Connections without an answer.
    stalled: Vec<TcpStream>,
}

/// A running server; its thread ends with the process.
#[derive(Clone, Debug)]
pub struct WebServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl WebServer {
    /// Starts a server without files.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start(skill: Skill) -> std::io::Result<WebServer> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let state = Arc::new(Mutex::new(State { skill, ..State::default() }));
        let server = WebServer { address: listener.local_addr()?, state };
        let own = server.clone();
        std::thread::Builder::new().name("web".into()).spawn(move || {
            for socket in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.serve(socket));
            }
        })?;
        Ok(server)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a file there; its URL.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) -> String {
        self.state().files.insert(path.into(), content.into());
        format!("http://{}/{path}", self.address)
    }

    /// What becomes of the next requests for parts of a file.
    pub fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.entry(path.into()).or_default().extend(faults);
    }

    /// Forgets what was to become of requests for a file.
    pub fn clear(&self, path: &str) {
        self.state().faults.remove(path);
    }

    /// How often a file was asked for, without its `HEAD`s.
    pub fn requests(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|asked| *asked == path).count()
    }

    fn serve(&self, socket: TcpStream) {
        // Who has gone need not be told.
        let _ = self.answer(socket);
    }

    fn answer(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(socket.try_clone()?);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut words = first.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
            }
        }
        let path = target.trim_start_matches('/').replace("%20", " ");
        let mut state = self.state();
        let skill = state.skill;
        let head = method == "HEAD";
        if (head && skill != Skill::All) || !(head || method == "GET") {
            return socket
                .write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let mut cut = usize::MAX;
        if !head {
            state.requests.push(path.clone());
            match state.faults.get_mut(&path).and_then(VecDeque::pop_front) {
                Some(Fault::Busy) => {
                    return socket.write_all(
                        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    );
                }
                Some(Fault::Stall) => {
                    state.stalled.push(socket);
                    return Ok(());
                }
                Some(Fault::Cut(bytes)) => cut = bytes,
                Some(Fault::Replace(content)) => drop(state.files.insert(path.clone(), content)),
                None => {}
            }
        }
        let Some(content) = state.files.get(&path).cloned() else {
            return socket.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        drop(state);
        let sum =
            content.iter().fold(content.len() as u64, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        let etag = format!("\"{sum:x}\"");
        if headers.get("if-match").is_some_and(|wanted| *wanted != etag) {
            return socket
                .write_all(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let range = headers.get("range").filter(|_| skill != Skill::NoRanges).and_then(|text| {
            let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
            let end = end.parse::<usize>().map_or(content.len(), |last| content.len().min(last + 1));
            Some((start.parse::<usize>().ok()?, end))
        });
        let (status, from) = match range {
            Some((start, end)) => {
                let of = format!("Content-Range: bytes {start}-{}/{}\r\n", end.saturating_sub(1), content.len());
                (format!("206 Partial Content\r\n{of}"), start..end)
            }
            None => ("200 OK\r\n".to_string(), 0..content.len()),
        };
        let body = content.get(from).unwrap_or_default();
        let head_text = format!(
            "HTTP/1.1 {status}Content-Length: {}\r\nETag: {etag}\r\nLast-Modified: Thu, 29 Feb 2024 12:00:00 GMT\r\nConnection: close\r\n\r\n",
            body.len()
        );
        socket.write_all(head_text.as_bytes())?;
        if !head {
            socket.write_all(body.get(..cut.min(body.len())).unwrap_or_default())?;
        }
        socket.shutdown(std::net::Shutdown::Write)?;
        // What is closed while the other side still writes is reset, and what was sent is lost.
        let _ = reader.read(&mut [0; 64]);
        Ok(())
    }
}
