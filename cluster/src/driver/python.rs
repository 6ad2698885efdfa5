//! Finds the user's Python and starts processes of it.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use talatat_graph::{Error, Result};

/// The environment variable that names the Python with the worker package.
const VARIABLE: &str = "TALATAT_PYTHON";

/// So much of what a process writes to its standard error is kept for errors.
const TAIL: usize = 8 << 10;

/// An error of this executor.
pub(super) fn unavailable(reason: impl Into<String>) -> Error {
    Error::Unavailable { executor: "cluster".into(), reason: reason.into() }
}

/// The Python of the option, of the environment, or of the path.
pub(super) fn python(option: Option<&Path>) -> PathBuf {
    let named = option.map(Path::to_path_buf).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    named.unwrap_or_else(|| "python3".into())
}

/// A process of Python that runs a module of the worker package. It gets no signals of the terminal, and is ended when this is dropped.
pub(super) struct Process {
    child: Child,
    python: PathBuf,
    errors: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a module.
    pub(super) fn start<A: AsRef<OsStr>>(
        python: &Path,
        module: &str,
        arguments: impl IntoIterator<Item = A>,
        stdin: Stdio,
        stdout: Stdio,
    ) -> Result<Process> {
        let mut command = Command::new(python);
        command.arg("-m").arg(module).args(arguments.into_iter().map(|argument| OsString::from(argument.as_ref())));
        // Ctrl-C is for the driver, which then tells what to do.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let started = command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| {
            unavailable(format!(
                "cannot start {}: {error}; name a Python that has the package talatat-worker by the option `python` or by {VARIABLE}",
                python.display()
            ))
        })?;
        let errors = Arc::new(Mutex::new(Vec::new()));
        let reader = child.stderr.take().and_then(|stderr| {
            let errors = errors.clone();
            std::thread::Builder::new().name("talatat-errors".into()).spawn(move || keep_tail(stderr, &errors)).ok()
        });
        Ok(Process { child, python: python.to_path_buf(), errors, reader })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the end, but not for ever: then the process is killed.
    pub(super) fn end(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends the process and tells what it has said last.
    pub(super) fn last_words(&mut self) -> String {
        // A process that is about to end by itself has something to say.
        self.end(Duration::from_secs(1));
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let errors = self.errors.lock();
        let text = String::from_utf8_lossy(&errors);
        let last = text.trim().lines().rev().take(12).collect::<Vec<_>>();
        let text = last.into_iter().rev().collect::<Vec<_>>().join("\n");
        if text.contains("No module named") && text.contains("talatat_worker") {
            return format!(
                "{} has no package talatat-worker: install it there, or name another Python by the option `python` or by {VARIABLE}",
                self.python.display()
            );
        }
        if text.is_empty() { "it said nothing".into() } else { text }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

fn keep_tail(mut stream: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let mut tail = tail.lock();
        tail.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let over = tail.len().saturating_sub(TAIL);
        tail.drain(..over);
    }
}
