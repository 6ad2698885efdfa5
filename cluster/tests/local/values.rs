//! A cluster gives what one machine gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use talatat_cluster::testing::{Act, Blob};
use talatat_cluster::units::{Costs, Rate};
use talatat_graph::testing::{conformance, random_graph, tree_graph};
use talatat_graph::{
    Edge, Event, Executor, GraphBuilder, Kernel, KernelResult, Key, Layer, Observer, Outputs, PlanOptions, RunContext,
    Synchronous, TaskContext, TaskId, Value,
};

use crate::support::{Acts, LARGE, builder, context, plan, plan_with};

#[test]
fn conformance_of_two_workers() {
    let Some(builder) = builder() else { return };
    conformance(&builder.local(2).unwrap(), true);
}

/// Rates by which even small graphs become many units.
fn slow() -> Costs {
    let rate = Rate { task: std::time::Duration::from_millis(4), bytes_per_second: 1e12 };
    Costs::default().measured("testing.sum", rate).measured("graph.fused", rate)
}

#[test]
fn many_units_give_the_same_values() {
    let Some(builder) = builder() else { return };
    let cluster = builder.costs(slow()).local(3).unwrap();
    for seed in 0..60 {
        let plan = plan(random_graph(seed, 100));
        let local = Synchronous.execute(plan.clone(), &context()).unwrap();
        let remote = cluster.execute(plan, &context()).unwrap();
        assert_eq!(format!("{remote:?}"), format!("{local:?}"), "graph {seed}");
    }
    let tree = plan(tree_graph(2000, 4));
    let local = Synchronous.execute(tree.clone(), &context()).unwrap();
    assert_eq!(format!("{:?}", cluster.execute(tree, &context()).unwrap()), format!("{local:?}"));
}

/// Tasks that were told of.
#[derive(Default)]
struct Seen(Mutex<Vec<TaskId>>);

impl Observer for Seen {
    fn on(&self, event: &Event<'_>) {
        if let Event::Task { task, .. } = event {
            self.0.lock().push(*task);
        }
    }
}

#[test]
fn every_task_is_told_of() {
    let Some(builder) = builder() else { return };
    let cluster = builder.costs(slow()).local(2).unwrap();
    let seen = Arc::new(Seen::default());
    let context = RunContext { observers: vec![seen.clone()], ..context() };
    let plan = plan(tree_graph(300, 4));
    cluster.execute(plan.clone(), &context).unwrap();
    let mut tasks = seen.0.lock().clone();
    tasks.sort_unstable();
    assert_eq!(tasks, plan.graph().tasks().collect::<Vec<_>>());
}

#[test]
fn blocks_and_parts_travel() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let mut acts = Acts::default();
    let sources: Vec<Edge> = (0..4).map(|_| acts.add(Act::Parts(3, 1 << 20), LARGE, &[])).collect();
    for part in 0..3 {
        let parts: Vec<Edge> = sources.iter().map(|source| Edge::part_of(source.task, part)).collect();
        let joined = acts.add(Act::Blob(1 << 20), LARGE, &parts);
        acts.output(joined);
    }
    acts.output(Edge::part_of(sources[1].task, 2));
    let values = cluster.execute(acts.plan(), &context()).unwrap();
    let firsts: Vec<u8> = values.iter().map(|value| value.get::<Blob>().unwrap().0[0]).collect();
    assert_eq!(firsts, [4, 5 + 4, 6 + 8, 2]);
    assert!(values.iter().all(|value| value.nbytes() == 1 << 20));
}

#[test]
fn an_output_that_is_also_read_comes_once() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let mut acts = Acts::default();
    let blob = acts.add(Act::Blob(64), LARGE, &[]);
    let other = acts.add(Act::Blob(64), LARGE, &[blob]);
    let sum = acts.add(Act::First, 0, &[blob, other]);
    for edge in [sum, blob, sum] {
        acts.output(edge);
    }
    let values = cluster.execute(acts.plan(), &context()).unwrap();
    assert!(matches!(values[..], [Value::I64(1), Value::Block(_), Value::I64(1)]), "{values:?}");
}

/// Counts how often it runs, in this process; sums what it reads.
struct Once(Arc<AtomicI64>);

impl Kernel for Once {
    fn name(&self) -> &str {
        "once"
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let sum: i64 = inputs.iter().map(|input| if let Value::I64(value) = input { *value } else { 0 }).sum();
        Ok(if inputs.is_empty() { Value::Unit } else { Value::I64(100 * before + sum) })
    }

    fn once(&self) -> bool {
        true
    }
}

/// What is to be done once is done by the driver, before the units and after them, whether their results come here or not.
#[test]
fn the_driver_does_itself_what_is_done_once() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    for outputs in [Outputs::InMemory, Outputs::Anywhere] {
        let count = Arc::new(AtomicI64::new(0));
        let mut graph = GraphBuilder::new();
        let mut add = |name: &str, kernel: Arc<dyn Kernel>, bytes: u64, inputs: &[Edge]| {
            let layer = graph.layer(Layer::new(Key::of(name, &[]), kernel));
            Edge::whole(graph.task(layer, 3, bytes, inputs).unwrap())
        };
        let begin = add("begin", Arc::new(Once(count.clone())), 0, &[]);
        let first = add("first", Arc::new(Act::Blob(8)), LARGE, &[begin]);
        let other = add("other", Arc::new(Act::First), LARGE, &[begin, first]);
        let end = add("end", Arc::new(Once(count.clone())), 0, &[other]);
        graph.output(end);
        graph.output(other);
        let plan = plan_with(graph.build(), &PlanOptions { outputs, ..PlanOptions::default() });
        let values = cluster.execute(plan, &context()).unwrap();
        let values: Vec<Value> = values.into_iter().map(|value| value.loaded().unwrap()).collect();
        assert!(matches!(values[..], [Value::I64(103), Value::I64(3)]), "{values:?}");
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}

/// Of units with several results only what is asked for is brought.
#[test]
fn kept_results_come_one_by_one_or_together() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let mut acts = Acts::default();
    let edges: Vec<Edge> = (0..6).map(|_| acts.add(Act::Blob(100), 8, &[])).collect();
    edges.into_iter().for_each(|edge| acts.output(edge));
    let plan = acts.plan();
    let keep = PlanOptions { outputs: Outputs::Anywhere, ..PlanOptions::default() };
    let kept = cluster.execute(plan_with(plan.graph().clone(), &keep), &context()).unwrap();
    assert_eq!(cluster.kept().unwrap(), 1, "one unit");
    let first = |value: Value| value.get::<Blob>().unwrap().0[0];
    assert_eq!([4, 1].map(|at: usize| first(kept[at].clone().loaded().unwrap())), [4, 1]);
    let all = cluster.execute(plan, &context()).unwrap();
    assert_eq!(all.into_iter().map(first).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

/// What was measured decides how a plan is cut and how long it is said to take, and nothing else.
#[test]
fn units_are_cut_by_what_was_measured() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let plan = plan(tree_graph(64, 8));
    let times = vec![20e6; plan.graph().len()];
    let unknown = cluster.outlook(&plan, &[]).unwrap();
    assert!(unknown.starts_with("1 units of 73 tasks on 2 threads"), "{unknown}");
    assert!(unknown.contains("going by bytes, as nothing has been measured"), "{unknown}");
    let known = cluster.outlook(&plan, &times).unwrap();
    assert!(!known.starts_with("1 units") && known.contains("going by what operations took before"), "{known}");
    let local = Synchronous.execute(plan.clone(), &context()).unwrap();
    let remote = cluster.execute(plan, &RunContext { times, ..context() }).unwrap();
    assert_eq!(format!("{remote:?}"), format!("{local:?}"));
}
