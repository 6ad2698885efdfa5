//! What it costs to watch: tasks of ten microseconds, unwatched, reported and profiled in turn.

use std::time::Instant;

use talatat::Session;
use talatat::config::Costs;
use talatat::graph::{Edge, GraphBuilder, KernelError, Key, Layer, Plan, TaskGraph, Value, closure_kernel};

use crate::report::{Options, Report};

/// How often each way is measured; the best counts, since others use the machine, too.
const ROUNDS: usize = 15;
const TASK_NANOS: f64 = 10_000.0;

/// Work that nothing can leave out or do faster than one step after the other.
fn spin(steps: u64, seed: u64) -> u64 {
    (0..steps).fold(seed, |x, _| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
}

/// Sources that spin, summed a hundred by a hundred.
fn graph(tasks: usize, steps: u64) -> talatat::graph::Result<TaskGraph> {
    let mut graph = GraphBuilder::new();
    let spins = closure_kernel("spin", move |task, _| Ok(Value::I64(spin(steps, task.block) as i64)));
    let adds = closure_kernel("add", |_, inputs: &mut [Value]| {
        let add = |sum: i64, value: &Value| match value {
            Value::I64(value) => Ok(sum.wrapping_add(*value)),
            _ => Err(KernelError::new("expected an integer")),
        };
        inputs.iter().try_fold(0, add).map(Value::I64)
    });
    let source = graph.layer(Layer::new(Key::of("spin", &[]), std::sync::Arc::new(spins)));
    let sum = graph.layer(Layer::new(Key::of("add", &[]), std::sync::Arc::new(adds)));
    let mut level = Vec::new();
    for number in 0..tasks as u32 {
        level.push(Edge::whole(graph.task(source, number, 8, &[])?));
    }
    while level.len() > 1 {
        let mut next = Vec::new();
        for inputs in level.chunks(100) {
            next.push(Edge::whole(graph.task(sum, next.len() as u32, 8, inputs)?));
        }
        level = next;
    }
    level.into_iter().for_each(|edge| graph.output(edge));
    Ok(graph.build())
}

pub fn overhead(options: &Options, report: &mut Report) -> talatat::Result<()> {
    // What is learnt of costs after a run is no part of watching it.
    let session = Session::builder().threads(options.threads).memory_limit(None).costs(Costs::Off).build()?;
    let tasks = options.scaled(50_000.0, 1);
    let mut steps = 1000;
    loop {
        let start = Instant::now();
        for seed in 0..100 {
            std::hint::black_box(spin(std::hint::black_box(steps), seed));
        }
        let nanos = start.elapsed().as_nanos() as f64 / 100.0;
        if nanos > 0.8 * TASK_NANOS {
            steps = (steps as f64 * TASK_NANOS / nanos) as u64;
            break;
        }
        steps *= 2;
    }
    type Way = fn(&talatat::Session, Plan) -> talatat::Result<()>;
    let ways: [(&str, Way); 3] = [
        ("off", |session, plan| session.run(plan).map(drop)),
        ("reported", |session, plan| session.run_reported(plan).map(drop)),
        ("profiled", |session, plan| session.run_profiled(plan).0.map(drop)),
    ];
    // Tasks of nothing show what watching takes of each task, in nanoseconds; the others what part of the time that is.
    for (what, steps) in [("empty", 0), ("ten_us", steps)] {
        let mut best = [f64::INFINITY; 3];
        for _ in 0..ROUNDS {
            for ((_, way), best) in ways.iter().zip(&mut best) {
                let plan = session.plan_graph(graph(tasks, steps)?)?;
                let start = Instant::now();
                way(&session, plan)?;
                *best = best.min(start.elapsed().as_nanos() as f64);
            }
        }
        for ((name, _), time) in ways.iter().zip(best) {
            report.metric(&format!("{what}_{name}_ns"), time / tasks as f64);
            report.metric(&format!("{what}_{name}_more_pct"), (time / best[0] - 1.0) * 100.0);
        }
    }
    report.digest("tasks", tasks as f64);
    Ok(())
}
