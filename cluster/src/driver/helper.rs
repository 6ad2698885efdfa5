//! The helper's process and the socket to it: requests go out, answers go to whoever waits for them.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use talatat_graph::Result;

use super::python::{Process, unavailable};
use crate::wire::{Answer, Request, read_message, write_message};
use crate::worker::Report;

/// What comes back.
pub(super) enum Told {
    /// An answer with its frames.
    Answer(Answer, Vec<Vec<u8>>),
    /// A unit is done.
    Report(String, Report),
    /// The helper is gone: nothing will come any more.
    Gone(String),
}

/// The driver's end.
pub(super) struct Helper {
    writer: Mutex<UnixStream>,
    routes: Arc<Mutex<Routes>>,
    next: AtomicU64,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// Who waits for what.
#[derive(Default)]
struct Routes {
    runs: HashMap<String, Sender<Told>>,
    asked: HashMap<u64, Sender<Told>>,
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
        let routes = Arc::new(Mutex::new(Routes::default()));
        let reader = std::thread::Builder::new().name("talatat-helper".into()).spawn({
            let routes = routes.clone();
            move || {
                let end = read(stream, &routes);
                let reason = format!("the helper is gone ({end}): {}", process.last_words());
                let mut routes = routes.lock();
                routes.gone = Some(reason.clone());
                let (runs, asked) = (std::mem::take(&mut routes.runs), std::mem::take(&mut routes.asked));
                drop(routes);
                for waiting in runs.into_values().chain(asked.into_values()) {
                    let _ = waiting.send(Told::Gone(reason.clone()));
                }
                // The socket's folder goes with the helper.
                drop(folder);
            }
        });
        let reader = reader.map_err(|error| unavailable(format!("no thread for its answers: {error}")))?;
        Ok(Helper { writer: Mutex::new(writer), routes, next: AtomicU64::new(1), reader: Some(reader) })
    }

    /// Sends a request.
    pub(super) fn send(&self, request: &Request, frames: &[&[u8]]) -> Result<()> {
        if let Some(gone) = &self.routes.lock().gone {
            return Err(unavailable(gone.clone()));
        }
        let sent = write_message(&mut *self.writer.lock(), request, frames);
        sent.map_err(|error| unavailable(format!("the helper does not listen: {error}")))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(&self, request: impl FnOnce(u64) -> Request) -> Result<(Answer, Vec<Vec<u8>>)> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = channel();
        self.routes.lock().asked.insert(id, sender);
        if let Err(error) = self.send(&request(id), &[]) {
            self.routes.lock().asked.remove(&id);
            return Err(error);
        }
        match answers.recv() {
            Ok(Told::Answer(Answer::Failed { kind, message, .. }, _)) => Err(unavailable(format!("{kind}: {message}"))),
            Ok(Told::Answer(answer, frames)) => Ok((answer, frames)),
            Ok(Told::Gone(reason)) => Err(unavailable(reason)),
            Ok(Told::Report(..)) | Err(_) => Err(unavailable("the helper answers something else")),
        }
    }

    /// Opens a run: what is told of it comes here.
    pub(super) fn open(&self, run: &str) -> Receiver<Told> {
        let (sender, receiver) = channel();
        let mut routes = self.routes.lock();
        match &routes.gone {
            Some(gone) => drop(sender.send(Told::Gone(gone.clone()))),
            None => drop(routes.runs.insert(run.to_string(), sender)),
        }
        receiver
    }

    /// Closes a run.
    pub(super) fn close(&self, run: &str) {
        self.routes.lock().runs.remove(run);
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
    let deadline = Instant::now() + timeout;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let blocking = stream.set_nonblocking(false);
                return blocking.map(|()| stream).map_err(|error| unavailable(format!("its socket: {error}")));
            }
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                return Err(unavailable(format!("its socket: {error}")));
            }
            Err(_) if matches!(process.child().try_wait(), Ok(None)) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(_) => return Err(unavailable(format!("the helper does not start: {}", process.last_words()))),
        }
    }
}

/// Hands answers on until there are none any more, and tells why.
fn read(mut stream: UnixStream, routes: &Mutex<Routes>) -> String {
    loop {
        let (answer, frames) = match read_message::<Answer>(&mut stream) {
            Ok(Some(message)) => message,
            Ok(None) => return "it has closed the socket".into(),
            Err(error) => return error.to_string(),
        };
        let routes = routes.lock();
        let waiting = match &answer {
            Answer::Report { worker } => {
                let report = frames.first().and_then(|frame| Report::decode(frame));
                if let Some(report) = report
                    && let Some(waiting) = routes.runs.get(&run_name(report.run))
                {
                    let _ = waiting.send(Told::Report(worker.clone(), report));
                }
                continue;
            }
            Answer::Described { id, .. } | Answer::Count { id, .. } => routes.asked.get(id),
            Answer::Kept { run, .. } | Answer::UnitFailed { run, .. } | Answer::Cancelled { run } => {
                routes.runs.get(run)
            }
            Answer::Values { run, id, .. } | Answer::Failed { run, id, .. } => {
                run.as_ref().and_then(|run| routes.runs.get(run)).or(id.as_ref().and_then(|id| routes.asked.get(id)))
            }
        };
        // Nobody waits for a run that has ended with an error.
        if let Some(waiting) = waiting {
            let _ = waiting.send(Told::Answer(answer, frames));
        }
    }
}

/// A run's number as it is written in headers.
pub(super) fn run_name(run: u128) -> String {
    format!("{run:032x}")
}
