//! Sessions on a cluster of machines: [`Cluster`].

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use talatat_cluster::units::{Costs, Rate};
pub use talatat_cluster::wire::WorkerInfo;
use talatat_collections::Result;
use talatat_graph::{Observer, Registry};

use crate::session::{Session, SessionBuilder};

/// A [`Session`] whose tasks run on a cluster of machines, by Dask's `distributed`: `x.compute_on(&cluster)?`, and all else that sessions do.
///
/// ```no_run
/// use talatat::prelude::*;
/// let x = talatat::array::ones::<f64>([100_000, 100_000]);
/// let cluster = Cluster::connect("tcp://scheduler:8786")?;
/// println!("{}", cluster.explain(&x)?); // with units, bytes between workers and predicted time
/// let total = (&x + x.t()).sum(..)?.compute_on(&cluster)?;
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// The graph is cut into coarse units, which go to the workers as data: names of operations, parameters, references. There they run
/// compiled, in the Python package `talatat-worker`, which the scheduler, the workers and this program's Python must have (the option
/// [`python`](ClusterBuilder::python), or the environment variable `TALATAT_PYTHON`, or `python3`).
///
/// What is different from other sessions:
/// - **Functions of one's own** in this program cannot be sent: [`delayed`](crate::delayed::delayed) calls, `map_blocks`, `map_overlap`, `blockwise`,
///   `apply_gufunc`, `apply_along_axis`, `reduction`, `from_delayed` and `store` with a target of one's own; of frames `map_partitions`, `map_rows`, `apply`,
///   `from_map` and expressions of polars with a closure in them. They are errors that name the function, before anything runs. Kernels that a crate
///   registers by name can be: `examples/quarry`. Calls that are submitted ([`Session::submit`]) run in this process.
/// - **Files** are read and written by the workers: a path must mean the same to all of them. `memory://` is an error.
/// - **[`persist`](crate::Compute::persist)** leaves the blocks on the workers, until the last handle on them is dropped. Lengths, and between which values
///   of its index each partition lies, are known here afterwards.
/// - **The memory limit** of the session is for the results that come here; each worker has its own.
/// - **What is lost is computed again**: what a worker had that is gone, and all of a run if the scheduler is started again at its address. Persisted blocks are lost
///   with the scheduler; whoever reads them gets an error that says so.
#[derive(Clone, Debug)]
pub struct Cluster {
    session: Session,
    executor: Arc<talatat_cluster::Cluster>,
}

impl Cluster {
    /// Connects to a scheduler, e.g. `tcp://10.0.0.1:8786`.
    ///
    /// # Errors
    /// If there is no Python with the worker package, the scheduler cannot be reached, or a worker has other versions.
    pub fn connect(address: &str) -> Result<Cluster> {
        Cluster::builder().connect(address)
    }

    /// Starts a scheduler and `workers` workers of one thread each on 127.0.0.1. They end when the last clone of this and all that was
    /// persisted there is dropped, or when this process ends.
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

    /// The session, for whoever wants one; a `&Cluster` is taken wherever a `&Session` is.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The scheduler's address.
    pub fn address(&self) -> &str {
        self.executor.address()
    }

    /// The workers, as they were when they were last asked.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.executor.workers()
    }

    /// Asks who the workers are now.
    ///
    /// # Errors
    /// If the scheduler is gone.
    pub fn refresh(&self) -> Result<Vec<WorkerInfo>> {
        Ok(self.executor.refresh()?)
    }

    /// How many units' results stay on the workers for this program.
    ///
    /// # Errors
    /// If the helper is gone.
    pub fn kept(&self) -> Result<usize> {
        Ok(self.executor.kept()?)
    }
}

impl Deref for Cluster {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// How to connect to a cluster, and what the [`Session`] on it is like.
#[derive(Default)]
pub struct ClusterBuilder {
    cluster: talatat_cluster::ClusterBuilder,
    session: SessionBuilder,
}

/// Options that are handed on as they are: one line each.
macro_rules! options {
    ($($(#[$doc:meta])* $part:ident.$name:ident($($argument:ident: $type:ty),+);)*) => {
        impl ClusterBuilder {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(mut self, $($argument: $type),+) -> Self {
                    self.$part = self.$part.$name($($argument),+);
                    self
                }
            )*
        }
    };
}

options! {
    /// The Python with the package `talatat-worker` on this machine; otherwise the environment variable `TALATAT_PYTHON` names it, or it is
    /// `python3`.
    cluster.python(python: impl Into<PathBuf>);
    /// How long to wait for the scheduler and the workers, for a scheduler that is gone to come back, and for a worker when none is left; by
    /// default a minute.
    cluster.timeout(timeout: Duration);
    /// Whether results come from the workers themselves and not by way of the scheduler: faster where this program can reach them. By default
    /// only of a local cluster.
    cluster.direct(direct: bool);
    /// What operations take: the graph is cut into units by it. By default by what [reported](crate::Compute::compute_reported) and
    /// [profiled](crate::Compute::compute_profiled) runs took, and if there were none, by bytes.
    cluster.costs(costs: Costs);
    /// Threads of each worker of a local cluster; by default one.
    cluster.threads(threads: usize);
    /// Bytes of memory for each worker of a local cluster; by default the machine's memory is divided among them.
    cluster.memory_limit(bytes: u64);
    /// Encrypts all connections, and has both sides show who they are: the certificate of who signs for all of the cluster, one's own
    /// certificate and its key, as files in PEM. The scheduler's address then begins with `tls://`.
    cluster.tls(ca: impl Into<PathBuf>, cert: impl Into<PathBuf>, key: impl Into<PathBuf>);
    /// The kernels and blocks that this program and the workers know by name, if they are more than the built-in ones.
    session.registry(registry: Registry);
    /// Lets an observer watch all computations.
    session.observer(observer: Arc<dyn Observer>);
}

impl ClusterBuilder {
    /// What the session is like otherwise: settings, progress, cancelling. Goes before [`registry`](ClusterBuilder::registry) and
    /// [`observer`](ClusterBuilder::observer), which are parts of it.
    #[must_use]
    pub fn session(mut self, session: SessionBuilder) -> Self {
        self.session = session;
        self
    }

    /// Connects to a scheduler.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    #[track_caller]
    pub fn connect(self, address: &str) -> Result<Cluster> {
        let ClusterBuilder { cluster, session } = self;
        on(cluster.connect(address)?, session)
    }

    /// Starts a scheduler and workers on 127.0.0.1.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    #[track_caller]
    pub fn local(self, workers: usize) -> Result<Cluster> {
        let ClusterBuilder { cluster, session } = self;
        on(cluster.local(workers)?, session)
    }
}

#[track_caller]
fn on(cluster: talatat_cluster::Cluster, session: SessionBuilder) -> Result<Cluster> {
    let executor = Arc::new(cluster);
    Ok(Cluster { session: session.custom_executor(executor.clone()).build()?, executor })
}
