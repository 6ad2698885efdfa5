//! A scheduler and workers on this machine.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde::Deserialize;
use talatat_graph::Result;
use tempfile::TempDir;

use super::ClusterBuilder;
use super::python::{Process, unavailable};
use crate::wire::Tls;

/// The process that starts them. It ends, and they with it, when its standard input does: when this is dropped, or the driver's process
/// ends in whatever way.
pub(super) struct Local {
    process: Process,
    scheduler: String,
    /// Where workers put what does not fit into memory.
    _folder: TempDir,
}

#[derive(Deserialize)]
struct Started {
    scheduler: String,
}

impl Local {
    pub(super) fn start(python: &Path, workers: usize, options: &ClusterBuilder) -> Result<Local> {
        let folder = tempfile::Builder::new().prefix("talatat-workers-").tempdir();
        let folder = folder.map_err(|error| unavailable(format!("cannot make a folder for workers: {error}")))?;
        let memory = options.memory_limit.map_or("auto".to_string(), |bytes| bytes.to_string());
        let mut named: Vec<(&str, OsString)> = vec![
            ("--workers", workers.to_string().into()),
            ("--threads", options.threads.to_string().into()),
            ("--memory-limit", memory.into()),
            ("--folder", folder.path().into()),
        ];
        if let Some(Tls { ca, cert, key }) = &options.tls {
            named.extend([("--tls-ca-file", ca.into()), ("--tls-cert", cert.into()), ("--tls-key", key.into())]);
        }
        let arguments: Vec<OsString> = named.into_iter().flat_map(|(name, value)| [name.into(), value]).collect();
        let mut process = Process::start(python, "talatat_worker.local", arguments, Stdio::piped(), Stdio::piped())?;
        let (sender, told) = channel();
        if let Some(stdout) = process.child().stdout.take() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let _ = BufReader::new(stdout).read_line(&mut line);
                let _ = sender.send(line);
            });
        }
        let line = told.recv_timeout(options.timeout).unwrap_or_default();
        match serde_json::from_str::<Started>(&line) {
            Ok(Started { scheduler }) => Ok(Local { process, scheduler, _folder: folder }),
            Err(_) => Err(unavailable(format!("workers do not start: {}", process.last_words()))),
        }
    }

    pub(super) fn scheduler(&self) -> &str {
        &self.scheduler
    }

    /// Fails if the process has ended, and the scheduler with it.
    pub(super) fn check(&mut self) -> Result<()> {
        if matches!(self.process.child().try_wait(), Ok(None)) {
            return Ok(());
        }
        let address = &self.scheduler;
        Err(unavailable(format!("the local scheduler at {address} is gone: {}", self.process.last_words())))
    }

    pub(super) fn pid(&mut self) -> u32 {
        self.process.child().id()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.process.child().stdin.take());
        self.process.end(Duration::from_secs(15));
    }
}
