//! The executor: hands a plan's units to an engine and gives the results back.
//!
//! ```text
//! Cluster -> helper (a process of the user's Python with the engine's own client) -> scheduler -> workers
//!    run.rs: cut, pack, submit, wait, read back      kept.rs: results that stay on the workers
//!    link.rs: the connection, and another one when it is lost
//! ```

mod helper;
mod kept;
mod link;
mod local;
mod progress;
mod python;
mod run;
mod seen;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use talatat_graph::{Executor, Plan, Pool, Result, RunContext, Threads, Value};

use crate::simulator::Machines;
use crate::units::{Costs, CutOptions, Units};
use crate::wire::{Answer, Request, Tls, WorkerInfo};
use link::{Link, described};
use local::Local;
use python::{python, unavailable};

/// How many calls and computes run at once in the background of the driver, most of which wait for workers.
const BACKGROUND: usize = 4;

/// Runs plans on a cluster of machines, by Dask's `distributed`.
///
/// The driver needs a Python with the package `talatat-worker`: the one that an option names, or the environment variable
/// `TALATAT_PYTHON`, or `python3`. So do the scheduler and the workers. Kernels that run there must be registered.
///
/// ```no_run
/// use talatat_cluster::Cluster;
/// let cluster = Cluster::connect("tcp://scheduler:8786")?;
/// # Ok::<(), talatat_graph::Error>(())
/// ```
pub struct Cluster {
    link: Arc<Link>,
    costs: Option<Costs>,
    /// Where calls run that are submitted, and computes in the background wait: made when it is asked for.
    background: OnceLock<Threads>,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ClusterBuilder {
    python: Option<PathBuf>,
    timeout: Duration,
    direct: bool,
    costs: Option<Costs>,
    threads: usize,
    memory_limit: Option<u64>,
    tls: Option<Tls>,
}

impl Default for ClusterBuilder {
    fn default() -> Self {
        ClusterBuilder {
            python: None,
            timeout: Duration::from_secs(60),
            direct: false,
            costs: None,
            threads: 1,
            memory_limit: None,
            tls: None,
        }
    }
}

impl Cluster {
    /// Connects to a scheduler, e.g. `tcp://10.0.0.1:8786`.
    ///
    /// # Errors
    /// [`Error::Unavailable`](talatat_graph::Error::Unavailable) if there is no Python with the worker package, the scheduler cannot be
    /// reached, or a worker has other versions.
    pub fn connect(address: &str) -> Result<Cluster> {
        Cluster::builder().connect(address)
    }

    /// Starts a scheduler and `workers` workers of one thread each on 127.0.0.1. They end when this is dropped, or when this process ends.
    ///
    /// # Errors
    /// As [`connect`](Cluster::connect).
    pub fn local(workers: usize) -> Result<Cluster> {
        Cluster::builder().local(workers)
    }

    /// Options for [`connect`](ClusterBuilder::connect) and [`local`](ClusterBuilder::local).
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// The scheduler's address.
    pub fn address(&self) -> &str {
        &self.link.address
    }

    /// The workers, as they were when they were last asked.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.link.workers.lock().clone()
    }

    /// Asks who the workers are now. If the helper or the scheduler is gone, it connects again first.
    ///
    /// # Errors
    /// As [`connect`](Cluster::connect).
    pub fn refresh(&self) -> Result<Vec<WorkerInfo>> {
        let (workers, _) = described(self.link.alive()?.helper.ask(|id| Request::Describe { id })?)?;
        *self.link.workers.lock() = workers.clone();
        Ok(workers)
    }

    /// How many results stay on the workers for this program, counted where they are held. Results of one unit count as one.
    ///
    /// # Errors
    /// If the helper is gone.
    pub fn kept(&self) -> Result<usize> {
        match self.link.last().helper.ask(|id| Request::Kept { id })? {
            Answer::Count { count, .. } => Ok(count),
            _ => Err(unavailable("the helper answers something else")),
        }
    }

    /// The units of a plan, by what is known of the time that its tasks take.
    fn units(&self, plan: &Plan, times: &[f64]) -> Units {
        let options = CutOptions::slots(self.threads());
        match &self.costs {
            Some(costs) => Units::cut(plan, costs, &options),
            None if is_measured(plan, times) => {
                let seconds: Vec<f64> = times.iter().map(|nanos| nanos * 1e-9).collect();
                Units::cut_by(plan, &seconds, &options)
            }
            None => Units::cut(plan, &Costs::default(), &options),
        }
    }

    /// The helper's process. There is another one after the helper or the scheduler was gone and a run needed them again.
    pub fn helper_pid(&self) -> u32 {
        self.link.last().pid
    }

    /// The process that started the scheduler and the workers, if this is a [local](Cluster::local) cluster.
    pub fn local_pid(&self) -> Option<u32> {
        self.link.local.lock().as_mut().map(Local::pid)
    }
}

impl ClusterBuilder {
    /// The driver's Python; otherwise the environment variable `TALATAT_PYTHON` names it, or it is `python3`.
    pub fn python(mut self, python: impl Into<PathBuf>) -> Self {
        self.python = Some(python.into());
        self
    }

    /// How long to wait for the scheduler and the workers, for a scheduler that is gone to come back, and for a worker when none is left; by
    /// default a minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether results come from the workers themselves and not by way of the scheduler: faster where the driver can reach them. By default
    /// only of a local cluster.
    pub fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// What operations have been measured to take: units are cut by it. Otherwise they are cut by what a run's context says, and if that says
    /// nothing, by bytes.
    pub fn costs(mut self, costs: Costs) -> Self {
        self.costs = Some(costs);
        self
    }

    /// Threads of each worker of a local cluster; by default one.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Bytes of memory for each worker of a local cluster; by default the machine's memory is divided among them.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Encrypts all connections, and has both sides show who they are: the certificate of who signs for all of the cluster, one's own
    /// certificate and its key, as files in PEM. The address of the scheduler then begins with `tls://`; it and the workers are started with
    /// `--tls-ca-file`, `--tls-cert` and `--tls-key`.
    pub fn tls(mut self, ca: impl Into<PathBuf>, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some(Tls { ca: ca.into(), cert: cert.into(), key: key.into() });
        self
    }

    /// Connects to a scheduler.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub fn connect(self, address: &str) -> Result<Cluster> {
        self.link(address.to_string(), None, 0)
    }

    /// Starts a scheduler and workers on 127.0.0.1.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub fn local(mut self, workers: usize) -> Result<Cluster> {
        let python = python(self.python.as_deref());
        let workers = workers.max(1);
        let local = Local::start(&python, workers, &self)?;
        self.direct = true;
        self.link(local.scheduler().to_string(), Some(local), workers)
    }

    fn link(self, address: String, local: Option<Local>, workers: usize) -> Result<Cluster> {
        let costs = self.costs.clone();
        Ok(Cluster { link: Link::new(self, address, local, workers)?, costs, background: OnceLock::new() })
    }
}

fn is_measured(plan: &Plan, times: &[f64]) -> bool {
    !times.is_empty() && times.len() == plan.graph().len()
}

/// Finds the operations of a plan that a worker lacks.
fn check_operations(plan: &Plan, workers: &[WorkerInfo]) -> Result<()> {
    let graph = plan.graph();
    let mut used = vec![false; graph.layers().len()];
    graph.tasks().for_each(|task| used[graph.layer_id(task).0 as usize] = true);
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    for (layer, _) in graph
        .layers()
        .iter()
        .zip(used)
        .filter(|&(layer, used)| used && !layer.kernel.once() && layer.kernel.held(0).is_none())
    {
        match layer.kernel.fused() {
            Some(fused) => needed.extend(fused.layers().iter().map(|layer| layer.kernel.name())),
            None => drop(needed.insert(layer.kernel.name())),
        }
    }
    // What the graph crate puts around kernels every registry knows.
    needed.retain(|name| !name.starts_with("graph."));
    for worker in workers {
        let lacks: Vec<&str> =
            needed.iter().filter(|name| !worker.operations.iter().any(|known| known == *name)).copied().collect();
        if !lacks.is_empty() {
            return Err(unavailable(lacking(worker, &lacks)));
        }
    }
    Ok(())
}

/// What is said of a worker that lacks operations.
fn lacking(worker: &WorkerInfo, lacks: &[&str]) -> String {
    // Names begin with the feature that brings them.
    let family = |name: &str| name.split('.').next().unwrap_or_default().to_string();
    let known: BTreeSet<String> = worker.operations.iter().map(|name| family(name)).collect();
    let absent: BTreeSet<String> = lacks.iter().map(|name| family(name)).filter(|name| !known.contains(name)).collect();
    let absent: Vec<String> = absent.into_iter().collect();
    let feature = match absent.join(",") {
        none if none.is_empty() => String::new(),
        absent => format!("with the feature {absent}, of which it knows nothing, or "),
    };
    let (what, them) = if lacks.len() == 1 { ("an operation", "it") } else { ("operations", "them") };
    format!(
        "the worker at {} lacks {what} that this program sends to it: {}; build the workers' extension {feature}from a crate that registers {them}",
        worker.address,
        lacks.join(", "),
    )
}

impl Executor for Cluster {
    fn name(&self) -> &str {
        "cluster"
    }

    fn threads(&self) -> usize {
        self.link.workers.lock().iter().map(|worker| worker.threads).sum::<usize>().max(1)
    }

    fn pool(&self) -> Result<Pool> {
        Executor::pool(self.background.get_or_init(|| Threads::new(BACKGROUND)))
    }

    fn elsewhere(&self) -> bool {
        true
    }

    fn outlook(&self, plan: &Plan, times: &[f64]) -> Option<String> {
        let workers = self.link.workers.lock().len();
        let slots = self.threads();
        let machines = Machines { workers, threads: slots / workers.max(1) };
        let units = self.units(plan, times);
        let outlook = units.outlook(plan, &units.seconds(), machines).ok()?;
        let basis = match &self.costs {
            Some(_) => "the costs that were given",
            None if is_measured(plan, times) => "what operations took before",
            None => "bytes, as nothing has been measured",
        };
        Some(format!("{outlook}, going by {basis}\nof {workers} workers at {}", self.link.address))
    }

    fn lanes(&self) -> Vec<String> {
        seen::lanes(&self.link.workers.lock())
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        run::execute(self, &plan, context)
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({}, {} workers)", self.link.address, self.link.workers.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use talatat_graph::{GraphBuilder, Key, Layer, PlanOptions, closure_kernel};

    use super::*;

    /// What is said of a worker that knows `knows`, when a plan needs `needs`.
    fn said(knows: &[&str], needs: &[&str]) -> String {
        let mut graph = GraphBuilder::new();
        for name in needs {
            let kernel = Arc::new(closure_kernel(*name, |_, _| Ok(Value::Unit)));
            let layer = graph.layer(Layer::new(Key::of(name, &[]), kernel));
            let task = graph.task(layer, 0, 1, &[]).unwrap();
            graph.output(task.into());
        }
        let plan = Plan::new(graph.build(), &PlanOptions::default()).unwrap();
        let operations = knows.iter().map(ToString::to_string).collect();
        let worker = WorkerInfo { address: "tcp://there".into(), operations, ..WorkerInfo::default() };
        check_operations(&plan, &[worker]).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_a_worker_lacks_is_said_with_its_feature() {
        assert_eq!(said(&["array.sum", "frame.sort"], &["frame.sort"]), "");
        let one = said(&["array.sum", "frame.sort"], &["frame.sort", "frame.new"]);
        assert!(one.contains("lacks an operation that this program sends to it: frame.new; build"), "{one}");
        assert!(one.ends_with("extension from a crate that registers it"), "{one}");
        let all = said(&["array.sum"], &["array.sum", "frame.sort", "frame.split"]);
        assert!(all.contains("with the feature frame, of which it knows nothing"), "{all}");
    }
}
