//! What it costs to watch: tasks of ten microseconds, unwatched, reported and profiled in turn.

use std::time::Instant;

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

/// Nanoseconds of processor time that this thread has had, as Linux counts them.
fn processor_time() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

pub fn overhead(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let session = options.session()?;
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
    let mut best = [(f64::INFINITY, f64::INFINITY); 3];
    for _ in 0..ROUNDS {
        for ((_, way), best) in ways.iter().zip(&mut best) {
            let plan = session.plan_graph(graph(tasks, steps)?)?;
            let (start, used) = (Instant::now(), processor_time());
            way(&session, plan)?;
            let wall = start.elapsed().as_nanos() as f64;
            best.0 = best.0.min(wall);
            if let (Some(before), Some(after)) = (used, processor_time()) {
                best.1 = best.1.min(after - before);
            }
        }
    }
    for ((name, _), (wall, processor)) in ways.iter().zip(best) {
        report.metric(&format!("{name}_us"), wall / 1e3 / tasks as f64);
        report.metric(&format!("{name}_pct"), (wall / best[0].0 - 1.0) * 100.0);
        // Of the calling thread: with one thread that is all but the sampler.
        report.metric(&format!("{name}_processor_pct"), (processor / best[0].1 - 1.0) * 100.0);
    }
    report.digest("tasks", tasks as f64);
    Ok(())
}
