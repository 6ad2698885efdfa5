//! An engine in processes of its own, each of which can be killed, and which can be started again where they were.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A scheduler on 127.0.0.1 and workers of one thread each. They end when this is dropped. A worker that has not been heard of for five
/// seconds is given up, not for minutes as by default.
pub struct Engine {
    python: PathBuf,
    port: u16,
    count: usize,
    workers: Vec<Group>,
    scheduler: Option<Group>,
    /// Where they write what they have to say, and what does not fit into memory.
    folder: TempDir,
}

/// A process and those that it has started: all of them are killed when this is dropped.
struct Group(Child);

impl Engine {
    /// Starts one with a Python that has the worker package. It may take a moment until it answers.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn start(python: &Path, workers: usize) -> io::Result<Engine> {
        // Free at this moment.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::Builder::new().prefix("talatat-engine-").tempdir()?;
        let (python, count) = (python.to_path_buf(), workers);
        let mut engine = Engine { python, port, count, workers: Vec::new(), scheduler: None, folder };
        engine.begin()?;
        Ok(engine)
    }

    /// Where the scheduler is, again and again.
    pub fn address(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Kills all of it.
    pub fn kill(&mut self) {
        self.scheduler = None;
        self.workers.clear();
    }

    /// Kills all of it and starts it again, at the same address: it knows nothing of what was there.
    ///
    /// # Errors
    /// As [`start`](Engine::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        self.begin()
    }

    fn begin(&mut self) -> io::Result<()> {
        let port = self.port.to_string();
        self.scheduler = Some(self.process("scheduler", &["--port", &port])?);
        for number in 0..self.count {
            let folder = self.folder.path().join(format!("worker-{number}")).display().to_string();
            let one = ["--nworkers", "1", "--nthreads", "1", "--memory-limit", "1GiB", "--death-timeout", "60"];
            let address = self.address();
            let arguments = [&[address.as_str(), "--local-directory", &folder], one.as_slice()].concat();
            let worker = self.process("worker", &arguments)?;
            self.workers.push(worker);
        }
        Ok(())
    }

    fn process(&self, role: &str, arguments: &[&str]) -> io::Result<Group> {
        let log = self.folder.path().join(format!("{role}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.python);
        command.args(["-m", &format!("distributed.cli.dask_{role}")]).args(arguments);
        command.args(["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--preload", "talatat_worker"]);
        command.env("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "5s");
        command.env("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED", "False");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0).spawn().map(Group)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a process a signal, if it is there.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
}
