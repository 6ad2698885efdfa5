//! The helper's process and the socket to it: requests go out, answers go to whoever waits for them.

use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use talatat_graph::{Registry, Result, Value};

use super::python::{Process, unavailable};
use crate::wire::{Answer, Request, read_frame, read_header, write_message};
use crate::worker::Report;

/// What comes back.
pub(super) enum Told {
    /// An answer with its frames.
    Answer(Answer, Vec<Vec<u8>>),
    /// Results, which have been read off the socket.
    Values(Vec<usize>, Result<Vec<Value>>),
    /// A unit is done.
    Report(String, Report),
    /// The helper is gone: nothing will come any more.
    Gone(String),
}

/// The driver's end.
pub(super) struct Helper {
    writer: Mutex<UnixStream>,
    shared: Arc<Shared>,
    next: AtomicU64,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// Where answers go, and what reads the values in them.
#[derive(Clone)]
struct Waiting {
    sender: Sender<Told>,
    registry: Arc<Registry>,
}

/// What the reading thread knows, too.
#[derive(Default)]
struct Shared {
    routes: Mutex<Routes>,
    /// The helper is gone, and why.
    ended: Condvar,
}

/// Who waits for what.
#[derive(Default)]
struct Routes {
    runs: HashMap<String, Waiting>,
    asked: HashMap<u64, Waiting>,
    /// Why there is no helper any more.
    gone: Option<String>,
}

impl Helper {
    /// Starts the helper of a Python.
    pub(super) fn start(python: &Path, timeout: Duration) -> Result<Helper> {
        // A folder of our own that nobody else may enter (mode 0700).
        let folder = tempfile::Builder::new().prefix("talatat-").tempdir();
        let folder = folder.map_err(|error| unavailable(format!("cannot make a folder for its socket: {error}")))?;
        let path = folder.path().join("helper");
        let listener = UnixListener::bind(&path)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| unavailable(format!("cannot listen on {}: {error}", path.display())))?;
        let mut process = Process::start(python, "talatat_worker.helper", [&path], Stdio::null(), Stdio::null())?;
        let stream = accept(&listener, &mut process, timeout)?;
        let writer = stream.try_clone().map_err(|error| unavailable(format!("its socket: {error}")))?;
        let shared = Arc::new(Shared::default());
        let reader = std::thread::Builder::new().name("talatat-helper".into()).spawn({
            let shared = shared.clone();
            move || {
                let end = read(stream, &shared.routes);
                let reason = format!("the helper is gone ({end}): {}", process.last_words());
                let mut routes = shared.routes.lock();
                routes.gone = Some(reason.clone());
                let (runs, asked) = (std::mem::take(&mut routes.runs), std::mem::take(&mut routes.asked));
                drop(routes);
                shared.ended.notify_all();
                for waiting in runs.into_values().chain(asked.into_values()) {
                    let _ = waiting.sender.send(Told::Gone(reason.clone()));
                }
                // The socket's folder goes with the helper.
                drop(folder);
            }
        });
        let reader = reader.map_err(|error| unavailable(format!("no thread for its answers: {error}")))?;
        Ok(Helper { writer: Mutex::new(writer), shared, next: AtomicU64::new(1), reader: Some(reader) })
    }

    /// Why there is no helper any more, if that is so.
    pub(super) fn gone(&self) -> Option<String> {
        self.shared.routes.lock().gone.clone()
    }

    /// Sends a request.
    pub(super) fn send(&self, request: &Request, frames: &[&[u8]]) -> Result<()> {
        if let Some(gone) = self.gone() {
            return Err(unavailable(gone));
        }
        let mut writer = self.writer.lock();
        let sent = write_message(&mut *writer, request, frames);
        let Err(error) = sent else { return Ok(()) };
        if error.kind() == io::ErrorKind::InvalidData {
            return Err(unavailable(format!("the helper cannot be told that much: {error}")));
        }
        // It is gone, or will be: whoever reads from it finds out why.
        let _ = writer.shutdown(std::net::Shutdown::Both);
        drop(writer);
        let mut routes = self.shared.routes.lock();
        loop {
            match &routes.gone {
                Some(gone) => return Err(unavailable(gone.clone())),
                None => self.shared.ended.wait(&mut routes),
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&self, request: impl FnOnce(u64) -> Request) -> Result<Answer> {
        match self.told(request, Arc::default())? {
            Told::Answer(answer, _) => Ok(answer),
            _ => Err(unavailable("the helper answers something else")),
        }
    }

    /// Sends a request and waits for the values that it asks for.
    pub(super) fn fetch(&self, request: impl FnOnce(u64) -> Request, registry: Arc<Registry>) -> Result<Vec<Value>> {
        match self.told(request, registry)? {
            Told::Values(_, values) => values,
            _ => Err(unavailable("the helper answers something else")),
        }
    }

    fn told(&self, request: impl FnOnce(u64) -> Request, registry: Arc<Registry>) -> Result<Told> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = channel();
        self.shared.routes.lock().asked.insert(id, Waiting { sender, registry });
        let told = self.send(&request(id), &[]).map(|()| answers.recv());
        self.shared.routes.lock().asked.remove(&id);
        match told? {
            Ok(Told::Answer(Answer::Failed { kind, message, .. }, _)) => Err(unavailable(format!("{kind}: {message}"))),
            Ok(Told::Gone(reason)) => Err(unavailable(reason)),
            Ok(told) => Ok(told),
            Err(_) => Err(unavailable("the helper is gone")),
        }
    }

    /// Opens a run: what is told of it comes here.
    pub(super) fn open(&self, run: &str, registry: Arc<Registry>) -> Receiver<Told> {
        let (sender, receiver) = channel();
        let mut routes = self.shared.routes.lock();
        match &routes.gone {
            Some(gone) => drop(sender.send(Told::Gone(gone.clone()))),
            None => drop(routes.runs.insert(run.to_string(), Waiting { sender, registry })),
        }
        receiver
    }

    /// Closes a run.
    pub(super) fn close(&self, run: &str) {
        self.shared.routes.lock().runs.remove(run);
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The helper ends with the socket, and the reader with the helper.
        let _ = self.writer.lock().shutdown(std::net::Shutdown::Both);
        if let Some(reader) = self.reader.take()
            && reader.thread().id() != std::thread::current().id()
        {
            let _ = reader.join();
        }
    }
}

fn accept(listener: &UnixListener, process: &mut Process, timeout: Duration) -> Result<UnixStream> {
    // Beyond what the clock can count there is none.
    let deadline = Instant::now().checked_add(timeout);
    let early = || deadline.is_none_or(|deadline| Instant::now() < deadline);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let blocking = stream.set_nonblocking(false);
                return blocking.map(|()| stream).map_err(|error| unavailable(format!("its socket: {error}")));
            }
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                return Err(unavailable(format!("its socket: {error}")));
            }
            Err(_) if matches!(process.child().try_wait(), Ok(None)) && early() => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(_) => return Err(unavailable(format!("the helper does not start: {}", process.last_words()))),
        }
    }
}

/// Hands answers on until there are none any more, and tells why.
fn read(mut stream: UnixStream, routes: &Mutex<Routes>) -> String {
    loop {
        match read_header::<Answer>(&mut stream).and_then(|header| match header {
            None => Ok(false),
            Some((answer, sizes)) => hand_on(answer, sizes, &mut stream, routes).map(|()| true),
        }) {
            Ok(true) => {}
            Ok(false) => return "it has closed the socket".into(),
            Err(error) => return error.to_string(),
        }
    }
}

/// Reads the frames of an answer and gives them to whoever waits for it. Nobody waits for a run that has ended with an error.
fn hand_on(answer: Answer, sizes: Vec<u64>, stream: &mut UnixStream, routes: &Mutex<Routes>) -> io::Result<()> {
    let waiting = {
        let routes = routes.lock();
        match &answer {
            Answer::Report { .. } => None,
            Answer::Described { id, .. } | Answer::Count { id, .. } => routes.asked.get(id).cloned(),
            Answer::Kept { run, .. } | Answer::UnitFailed { run, .. } | Answer::Cancelled { run } => {
                routes.runs.get(run).cloned()
            }
            Answer::Values { run, id, .. } | Answer::Failed { run, id, .. } => {
                let run = run.as_ref().and_then(|run| routes.runs.get(run));
                run.or(id.as_ref().and_then(|id| routes.asked.get(id))).cloned()
            }
        }
    };
    if let (Answer::Values { counts, .. }, Some(waiting)) = (&answer, &waiting) {
        let values = read_values(sizes, stream, &waiting.registry)?;
        let _ = waiting.sender.send(Told::Values(counts.clone(), values));
        return Ok(());
    }
    let frames: Vec<Vec<u8>> = sizes.into_iter().map(|size| read_frame(stream, size)).collect::<io::Result<_>>()?;
    if let Answer::Report { worker } = answer {
        let report = frames.first().and_then(|frame| Report::decode(frame));
        let waiting = report.as_ref().and_then(|report| routes.lock().runs.get(&run_name(report.run)).cloned());
        if let (Some(report), Some(waiting)) = (report, waiting) {
            let _ = waiting.sender.send(Told::Report(worker, report));
        }
    } else if let Some(waiting) = waiting {
        let _ = waiting.sender.send(Told::Answer(answer, frames));
    }
    Ok(())
}

/// Reads values off the socket. One that cannot be read is skipped, so that what follows can be.
fn read_values(sizes: Vec<u64>, stream: &mut UnixStream, registry: &Registry) -> io::Result<Result<Vec<Value>>> {
    let mut values = Ok(Vec::with_capacity(sizes.len()));
    for size in sizes {
        let mut frame = stream.take(size);
        match (&mut values, registry.read_value(&mut frame)) {
            (Ok(values), Ok(value)) => values.push(value),
            (Ok(_), Err(error)) => values = Err(error),
            (Err(_), _) => {}
        }
        io::copy(&mut frame, &mut io::sink())?;
        if frame.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(values)
}

/// A run's number as it is written in headers.
pub(super) fn run_name(run: u128) -> String {
    format!("{run:032x}")
}
