//! The connection to an engine: a helper that is connected, and another one when that is gone.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use talatat_graph::Result;

use super::ClusterBuilder;
use super::helper::Helper;
use super::local::Local;
use super::python::{python, unavailable};
use crate::wire::{Answer, PROTOCOL, Request, WorkerInfo};

/// A helper is given so long to start, however little is left to the scheduler: that it is slow says nothing of the cluster.
const HELPER: Duration = Duration::from_secs(60);

/// A helper that is connected. What the engine keeps for the driver it keeps for this helper, and drops when the helper is gone.
pub(super) struct Connection {
    pub(super) helper: Helper,
    pub(super) pid: u32,
}

/// The connection of a cluster, one after the other, shared with results that stay on the workers.
pub(super) struct Link {
    options: ClusterBuilder,
    pub(super) address: String,
    connection: Mutex<Arc<Connection>>,
    pub(super) workers: Mutex<Vec<WorkerInfo>>,
    pub(super) local: Mutex<Option<Local>>,
}

impl Link {
    /// Connects for the first time, and waits for so many workers.
    pub(super) fn new(
        options: ClusterBuilder,
        address: String,
        local: Option<Local>,
        workers: usize,
    ) -> Result<Arc<Link>> {
        let (connection, workers) = connect(&options, &address, workers, false)?;
        let (connection, workers) = (Mutex::new(Arc::new(connection)), Mutex::new(workers));
        Ok(Arc::new(Link { options, address, connection, workers, local: Mutex::new(local) }))
    }

    /// The connection, whether it is still there or not.
    pub(super) fn last(&self) -> Arc<Connection> {
        self.connection.lock().clone()
    }

    /// The connection, if it is there now and nobody is making another one.
    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        self.connection.try_lock().filter(|connection| connection.helper.gone().is_none()).map(|found| found.clone())
    }

    /// The connection; another one if that is gone. A helper that was killed is started again, and a scheduler that was is waited for as
    /// long as the options say; what was kept on the workers is lost either way.
    pub(super) fn alive(&self) -> Result<Arc<Connection>> {
        let mut connection = self.connection.lock();
        let Some(gone) = connection.helper.gone() else { return Ok(connection.clone()) };
        self.check()?;
        // As many workers as there were, or fewer if some do not come back.
        let before = self.workers.lock().len();
        let again = connect(&self.options, &self.address, before.max(1), true);
        let (new, workers) = again.map_err(|error| unavailable(format!("{gone}; it does not come back: {error}")))?;
        *self.workers.lock() = workers;
        *connection = Arc::new(new);
        Ok(connection.clone())
    }

    /// Fails if a local scheduler is gone: nobody starts it again.
    pub(super) fn check(&self) -> Result<()> {
        self.local.lock().as_mut().map_or(Ok(()), Local::check)
    }
}

/// Starts a helper and has it connect. With `few` less than `workers` workers are enough after a while.
fn connect(
    options: &ClusterBuilder,
    address: &str,
    workers: usize,
    few: bool,
) -> Result<(Connection, Vec<WorkerInfo>)> {
    let helper = Helper::start(&python(options.python.as_deref()), options.timeout.max(HELPER))?;
    let asked = helper.ask(|id| Request::Connect {
        id,
        address: address.to_string(),
        timeout: options.timeout.as_secs_f64(),
        workers,
        few,
        direct: options.direct,
        tls: options.tls.clone(),
    });
    let answer = asked.map_err(|error| unavailable(format!("cannot connect to {address}: {error}")))?;
    let (workers, pid) = described(answer)?;
    Ok((Connection { helper, pid }, workers))
}

/// Compares what the helper and the workers are with what they must be.
pub(super) fn described(answer: Answer) -> Result<(Vec<WorkerInfo>, u32)> {
    let Answer::Described { protocol, pid, packages, workers, .. } = answer else {
        return Err(unavailable("the helper answers something else"));
    };
    let ours = env!("CARGO_PKG_VERSION");
    if protocol != PROTOCOL {
        return Err(unavailable(format!(
            "the driver's Python has a package talatat-worker that speaks version {protocol}, this program speaks {PROTOCOL}: install \
             talatat-worker {ours} there"
        )));
    }
    let mut wrong = Vec::new();
    for worker in &workers {
        if let Some(missing) = &worker.missing {
            wrong.push(format!("{} cannot run units: {missing}", worker.address));
            continue;
        }
        if worker.version != ours {
            let version = &worker.version;
            wrong.push(format!("{} has talatat-worker {version}, this program is {ours}", worker.address));
        }
        for (package, version) in &packages {
            if let Some(other) = worker.packages.get(package).filter(|&other| other != version) {
                wrong.push(format!("{} has {package} {other}, the driver's Python {version}", worker.address));
            }
        }
    }
    if wrong.is_empty() { Ok((workers, pid)) } else { Err(unavailable(wrong.join("; "))) }
}
