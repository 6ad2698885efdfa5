//! Results that stay on the workers.

use std::sync::Arc;

use talatat_cluster::testing::{Act, Blob};
use talatat_graph::{
    Edge, Executor, GraphBuilder, Kernel, KernelResult, Key, Layer, Outputs, Plan, PlanOptions, Synchronous,
    TaskContext, TaskGraph, Value,
};

use crate::support::{LARGE, builder, context, kill, plan, plan_with};

/// Hands out what is there.
struct Kept(Vec<Value>);

impl Kernel for Kept {
    fn name(&self) -> &str {
        "kept"
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        Ok(self.0[task.block as usize].clone())
    }

    fn held(&self, block: u64) -> Option<Value> {
        self.0.get(block as usize).cloned()
    }
}

fn make(count: u32) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let layer = graph.layer(Layer::new(Key::of("make", &[]), Arc::new(Act::Blob(1 << 16))));
    for block in 0..count {
        let task = graph.task(layer, block, LARGE, &[]).unwrap();
        graph.output(task.into());
    }
    graph.build()
}

/// The sum of the first bytes of what is kept, and the first of them.
fn sum(kept: &[Value]) -> Arc<Plan> {
    let mut graph = GraphBuilder::new();
    let hand = graph.layer(Layer::new(Key::of("kept", &[]), Arc::new(Kept(kept.to_vec()))).borrowed(true));
    let first = graph.layer(Layer::new(Key::of("first", &[]), Arc::new(Act::First)));
    let edges: Vec<Edge> = (0..kept.len() as u32).map(|at| graph.task(hand, at, 0, &[]).unwrap().into()).collect();
    let total = graph.task(first, 0, 8, &edges).unwrap();
    graph.output(total.into());
    graph.output(edges[0]);
    plan(graph.build())
}

#[test]
fn later_graphs_start_from_what_was_kept() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let options = PlanOptions { outputs: Outputs::Anywhere, ..PlanOptions::default() };
    let kept = cluster.execute(plan_with(make(5), &options), &context()).unwrap();
    assert!(kept.iter().all(|value| matches!(value, Value::Remote(_)) && value.nbytes() == 0), "{kept:?}");
    // On the cluster, where they are; here, whereto they are brought; and mixed with what is here.
    let values = cluster.execute(sum(&kept), &context()).unwrap();
    assert!(matches!(values[0], Value::I64(10)), "{values:?}");
    assert_eq!(values[1].get::<Blob>().unwrap(), &Blob(vec![0; 1 << 16]));
    let values = Synchronous.execute(sum(&kept), &context()).unwrap();
    assert!(matches!(values[0], Value::I64(10)), "{values:?}");
    let here = Value::block(Blob(vec![7; 10]));
    let values = cluster.execute(sum(&[kept[3].clone(), here]), &context()).unwrap();
    assert!(matches!(values[0], Value::I64(10)), "{values:?}");
}

#[test]
fn what_is_dropped_is_released() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let options = PlanOptions { outputs: Outputs::Anywhere, ..PlanOptions::default() };
    let mut kept = cluster.execute(plan_with(make(5), &options), &context()).unwrap();
    assert_eq!(cluster.kept().unwrap(), 5);
    kept.truncate(2);
    assert_eq!(cluster.kept().unwrap(), 2);
    drop(kept);
    assert_eq!(cluster.kept().unwrap(), 0);
}

/// A worker that is killed takes what was kept with it; the engine makes it again.
#[test]
fn what_was_kept_outlives_its_worker() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let options = PlanOptions { outputs: Outputs::Anywhere, ..PlanOptions::default() };
    let kept = cluster.execute(plan_with(make(6), &options), &context()).unwrap();
    kill(cluster.workers()[0].pid);
    let values = cluster.execute(sum(&kept), &context()).unwrap();
    assert!(matches!(values[0], Value::I64(15)), "{values:?}");
}

/// The engine keeps it for the helper; who reads it is told.
#[test]
fn what_was_kept_is_lost_with_the_helper() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let options = PlanOptions { outputs: Outputs::Anywhere, ..PlanOptions::default() };
    let kept = cluster.execute(plan_with(make(3), &options), &context()).unwrap();
    kill(cluster.helper_pid());
    for executor in [&cluster as &dyn Executor, &Synchronous] {
        let error = executor.execute(sum(&kept), &context()).unwrap_err().to_string();
        assert!(error.contains("lost") && error.contains("persist it again"), "{error}");
    }
    let again = cluster.execute(plan_with(make(3), &options), &context()).unwrap();
    assert!(matches!(cluster.execute(sum(&again), &context()).unwrap()[0], Value::I64(3)));
    drop(kept);
    assert_eq!(cluster.kept().unwrap(), 3);
}
