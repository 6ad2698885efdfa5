//! What a task and a block cost on a cluster, beside Dask's own tasks on the same scheduler and workers.
//!
//! ```text
//! TALATAT_WORKER_PROFILE=release python/venv.sh FOLDER
//! TALATAT_PYTHON=FOLDER/venv/bin/python cargo bench -p talatat-cluster --bench overhead
//! ```

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use talatat_cluster::testing::{Act, registry};
use talatat_cluster::{Cluster, units};
use talatat_graph::testing::tree_graph;
use talatat_graph::{Executor, GraphBuilder, Key, Layer, Plan, PlanOptions, RunContext, Threads};

type Failed = Box<dyn std::error::Error>;

/// The median of several times.
fn median<T, E>(count: usize, mut work: impl FnMut() -> Result<T, E>) -> Result<Duration, E> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[count / 2])
}

fn blob(bytes: usize) -> Result<Arc<Plan>, Failed> {
    let mut graph = GraphBuilder::new();
    let layer = graph.layer(Layer::new(Key::of("blob", &[]), Arc::new(Act::Blob(bytes))));
    let task = graph.task(layer, 0, bytes as u64, &[])?;
    graph.output(task.into());
    Ok(Arc::new(Plan::new(graph.build(), &PlanOptions::default())?))
}

fn spin(tasks: u32, micros: u64) -> Result<Arc<Plan>, Failed> {
    let mut graph = GraphBuilder::new();
    let layer = graph.layer(Layer::new(Key::of("spin", &[]), Arc::new(Act::Spin(micros))));
    let edges = (0..tasks).map(|block| Ok(graph.task(layer, block, 8, &[])?.into()));
    let edges = edges.collect::<Result<Vec<talatat_graph::Edge>, Failed>>()?;
    let total = graph.task(layer, tasks, 8, &edges)?;
    graph.output(total.into());
    Ok(Arc::new(Plan::new(graph.build(), &PlanOptions::default())?))
}

fn main() -> Result<(), Failed> {
    let Ok(python) = std::env::var("TALATAT_PYTHON") else {
        println!("TALATAT_PYTHON must name a Python with the worker package: see the head of this file");
        return Ok(());
    };
    let start = Instant::now();
    let cluster = Cluster::builder().python(&python).local(2)?;
    println!("two workers and the helper started in {:?}", start.elapsed());
    let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
    let leaves: usize = std::env::var("LEAVES").map_or(Ok(87_500), |leaves| leaves.parse())?;
    let tree = Arc::new(Plan::new(tree_graph(leaves, 8), &PlanOptions::default())?);
    let tasks = tree.graph().len();
    let count = units::Units::cut(&tree, &units::Costs::default(), &units::CutOptions::slots(2)).units.len();
    let local = Threads::new(2);
    let here = median(5, || local.execute(tree.clone(), &context))?;
    let there = median(5, || cluster.execute(tree.clone(), &context))?;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / tasks as f64;
    println!("tree sum of {tasks} tasks: {count} units, {there:?} ({:.2} us a task)", each(there));
    println!("  here, on two threads: {here:?} ({:.2} us a task)", each(here));
    let tiny = Arc::new(Plan::new(tree_graph(1, 2), &PlanOptions::default())?);
    println!("one task, there and back: {:?}", median(20, || cluster.execute(tiny.clone(), &context))?);
    for bytes in [1 << 20, 64 << 20] {
        let plan = blob(bytes)?;
        let time = median(7, || cluster.execute(plan.clone(), &context))?;
        let keep = PlanOptions { outputs: talatat_graph::Outputs::Anywhere, ..PlanOptions::default() };
        let kept = cluster.execute(Arc::new(Plan::new(plan.graph().clone(), &keep)?), &context)?;
        let gather = median(7, || kept[0].clone().loaded())?;
        println!(
            "a block of {} MiB: made and gathered in {time:?}; gathered where it was kept in {gather:?}",
            bytes >> 20
        );
    }
    // Kernels of 10 ms: what is lost between them when units are of 100 ms.
    let rate = units::Rate { task: Duration::from_millis(10), bytes_per_second: 1e12 };
    let costs = units::Costs::default().measured("testing.act", rate);
    let busy = Cluster::builder().python(&python).costs(costs.clone()).connect(cluster.address())?;
    let plan = spin(400, 10_000)?;
    let here = median(3, || local.execute(plan.clone(), &context))?;
    let there = median(3, || busy.execute(plan.clone(), &context))?;
    let count = units::Units::cut(&plan, &costs, &units::CutOptions::slots(2)).units.len();
    let more = (there.as_secs_f64() / here.as_secs_f64() - 1.0) * 100.0;
    println!("400 kernels of 10 ms in {count} units: {there:?}, here on two threads {here:?}: {more:.1} % more");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/overhead.py");
    let status = Command::new(&python).args([script, cluster.address(), &leaves.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err("the comparison failed".into()) }
}
