//! An executor of one's own: any type that runs each task once, after its inputs, can stand where the thread pool stands.
//!
//! ```text
//! cargo run --release --example own_executor
//! ```
//!
//! This one runs the tasks in a random order that respects the edges. That is of no use but to show that results
//! do not depend on the order; and the library's conformance suite says whether the executor is sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use talatat::graph::testing::{Rng, conformance};
use talatat::graph::{Error, Event, Executor, Plan, Result, RunContext, Store, TaskId, Value, invoke};
use talatat::prelude::*;

/// Runs tasks on the calling thread, each time in another order.
struct Shuffled {
    seed: AtomicU64,
}

impl Executor for Shuffled {
    fn name(&self) -> &str {
        "shuffled"
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
        let begin = Instant::now();
        let tell = |event: &Event| context.observers.iter().for_each(|observer| observer.on(event));
        tell(&Event::Started { plan: &plan, threads: 1 });
        let result = self.run(&plan, context, begin);
        tell(&Event::Finished { plan: &plan, error: result.as_ref().err(), elapsed: begin.elapsed(), peak: None });
        result
    }
}

impl Shuffled {
    fn run(&self, plan: &Plan, context: &RunContext, begin: Instant) -> Result<Vec<Value>> {
        let graph = plan.graph();
        let mut rng = Rng::new(self.seed.fetch_add(1, Ordering::Relaxed));
        let broken = |error: talatat::graph::KernelError| Error::InvalidGraph(error.to_string());
        // The store hands out inputs and forgets each result after its last reader.
        let (mut store, mut trash) = (Store::new(graph), Vec::new());
        let mut waiting: Vec<usize> = graph.tasks().map(|task| graph.inputs(task).len()).collect();
        let mut ready: Vec<TaskId> = graph.tasks().filter(|task| waiting[task.index()] == 0).collect();
        let mut done = 0;
        while !ready.is_empty() {
            if context.cancel.is_cancelled() {
                return Err(Error::Cancelled { done, total: graph.len() });
            }
            let task = ready.swap_remove(rng.below(ready.len()));
            let mut inputs = Vec::new();
            store.gather(graph, task, &mut inputs).map_err(broken)?;
            let start = begin.elapsed();
            let value = invoke(graph, task, &mut inputs, &context.cancel).map_err(|error| match error {
                // A fused task that stops between two steps does not know how far the run is.
                Error::Cancelled { .. } => Error::Cancelled { done, total: graph.len() },
                error => error,
            })?;
            let (end, bytes) = (begin.elapsed(), value.nbytes() as u64);
            store.put(plan, task, value, &mut trash);
            store.release(graph, task, &mut trash);
            trash.clear();
            done += 1;
            for observer in &context.observers {
                observer.on(&Event::Task { task, thread: 0, start, end, bytes });
            }
            for &reader in plan.successors().of(task) {
                waiting[reader.index()] -= 1;
                if waiting[reader.index()] == 0 {
                    ready.push(reader);
                }
            }
        }
        store.outputs(graph).map_err(broken)
    }
}

fn main() -> talatat::Result<()> {
    conformance(&Shuffled { seed: AtomicU64::new(1) }, false);
    println!("the executor passes the conformance suite");

    let session = Session::builder().custom_executor(Arc::new(Shuffled { seed: AtomicU64::new(1) })).build()?;
    let square = delayed(|x: i64| x * x);
    let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>());
    let total = sum.call((0..1000).map(|x: i64| square.call(x)).collect::<Vec<_>>());
    println!("{session:?} computes {}", total.compute_on(&session)?);
    assert_eq!(total.compute_on(&session)?, total.compute()?);
    Ok(())
}
