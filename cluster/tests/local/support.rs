//! A Python with the worker package, clusters of it, and gates that tasks wait at.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use talatat_cluster::testing::{Act, registry};
use talatat_cluster::{Cluster, ClusterBuilder};
use talatat_graph::{Edge, GraphBuilder, Key, Layer, Plan, PlanOptions, RunContext, TaskGraph};

/// The Python of the tests: made by `python/venv.sh`, once for a test run. `None`, with a line that tells so, where there is no Python;
/// with `TALATAT_REQUIRE_SHARED=1` that is an error.
pub fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
            let required = std::env::var_os("TALATAT_REQUIRE_SHARED").is_some_and(|value| value == "1");
            assert!(!required, "TALATAT_REQUIRE_SHARED=1, and there is no python3 on the PATH");
            // Not with a macro: the test runner would keep those lines to itself.
            let told = std::io::stderr().write_all(b"SKIPPED: no python3 on the PATH for the tests of the cluster\n");
            told.unwrap();
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/venv.sh");
        let output = Command::new(script).arg(&folder).output().expect("the script runs");
        assert!(output.status.success(), "python/venv.sh: {}", String::from_utf8_lossy(&output.stderr));
        Some(folder.join("venv/bin/python"))
    };
    PYTHON.get_or_init(make).as_deref()
}

/// Options for a cluster of the tests' Python.
pub fn builder() -> Option<ClusterBuilder> {
    python().map(|python| Cluster::builder().python(python).memory_limit(1 << 30))
}

pub fn context() -> RunContext {
    RunContext { registry: Arc::new(registry()), ..RunContext::default() }
}

pub fn plan(graph: TaskGraph) -> Arc<Plan> {
    plan_with(graph, &PlanOptions::default())
}

pub fn plan_with(graph: TaskGraph, options: &PlanOptions) -> Arc<Plan> {
    Arc::new(Plan::new(graph, options).unwrap())
}

/// A graph of acts: what each task does, and the tasks that it reads, or parts of them. Its last task is the output.
#[derive(Default)]
pub struct Acts {
    graph: GraphBuilder,
    last: Option<Edge>,
}

/// Bytes that make a task a unit of its own, going by what is predicted of it, and that fit into a worker's memory.
pub const LARGE: u64 = 160 << 20;

impl Acts {
    /// Adds a task that says it makes so many bytes.
    #[track_caller]
    pub fn add(&mut self, act: Act, bytes: u64, inputs: &[Edge]) -> Edge {
        let block = self.graph.len() as u32;
        let layer = Layer::new(Key::of("act", &[]).block(u64::from(block)), Arc::new(act));
        let layer = self.graph.layer(layer.at(std::panic::Location::caller()));
        let task = Edge::whole(self.graph.task(layer, block, bytes, inputs).unwrap());
        self.last = Some(task);
        task
    }

    pub fn output(&mut self, edge: Edge) {
        self.graph.output(edge);
        self.last = None;
    }

    pub fn plan(mut self) -> Arc<Plan> {
        self.last.into_iter().for_each(|last| self.graph.output(last));
        plan(self.graph.build())
    }
}

/// Where tasks wait until a test lets them go on.
pub struct Gate(TcpListener);

impl Gate {
    pub fn new() -> Gate {
        Gate(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// What a task does that waits here.
    pub fn act(&self) -> Act {
        Act::Wait(self.0.local_addr().unwrap().to_string())
    }

    /// Does something during which a test waits for arrivals; at its end one more comes, so that the test sees how it ended.
    pub fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        let result = work();
        let _ = TcpStream::connect(self.0.local_addr().unwrap());
        result
    }

    /// Waits until a task has come; it waits as long as what is given is not dropped.
    pub fn arrival(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

impl Gate {
    /// Lets one more task through; whether that was the [`end`](Gate::end).
    pub fn is_over(&self) -> bool {
        let mut who = self.arrival();
        let mut said = [0];
        // A task says nothing until it is told something.
        who.write_all(&[1]).is_ok() && who.read(&mut said).is_ok_and(|count| count == 1)
    }

    /// Ends who opens the gate.
    pub fn end(&self) {
        let mut last = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        last.write_all(&[1]).unwrap();
        last.read_exact(&mut [0]).unwrap();
    }
}

/// Kills a process for good.
pub fn kill(pid: u32) {
    talatat_cluster::testing::engine::signal(pid, "KILL");
}
