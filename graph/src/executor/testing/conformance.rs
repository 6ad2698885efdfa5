//! What every executor must do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault::{Fault, Faulty};
use super::graphs::{Rng, graph_of, random_graph, registry, tree_graph};
use crate::builder::GraphBuilder;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::executor::{Executor, RunContext};
use crate::graph::TaskGraph;
use crate::key::Key;
use crate::layer::Layer;
use crate::plan::{Plan, PlanOptions};
use crate::task::TaskContext;
use crate::value::{Block, Brief, Value};
use crate::{Edge, closure_kernel};

/// Checks an executor: the right outputs in the right order on graphs of all shapes and sizes, with and without a memory limit;
/// errors and panics reported with their task, the executor alive after them; cancelling; no block left
/// behind. `portable` says that kernels must be serializable (closures are then not tried).
///
/// # Panics
/// With a description of what the executor does wrong: it is for tests.
pub fn conformance(executor: &dyn Executor, portable: bool) {
    shapes(executor);
    random(executor);
    errors(executor);
    if !portable {
        panics(executor);
        cancel(executor);
        nothing_left(executor);
    }
}

fn context() -> RunContext {
    RunContext { registry: Arc::new(registry()), ..RunContext::default() }
}

fn plan(graph: TaskGraph, memory_limit: Option<u64>) -> Arc<Plan> {
    let options = PlanOptions { memory_limit, ..PlanOptions::default() };
    Arc::new(Plan::new(graph, &options).expect("a sound graph within its limit"))
}

fn integers(result: Result<Vec<Value>>) -> Vec<i64> {
    let values = result.expect("a sound graph");
    values.iter().map(|value| if let Value::I64(value) = value { *value } else { panic!("{value:?}") }).collect()
}

/// The outputs of a graph as it was built: no passes, no order, no scheduler, nothing freed.
fn reference(graph: &TaskGraph) -> Vec<i64> {
    let mut values: Vec<Value> = Vec::new();
    let read = |values: &[Value], edge: &Edge| match edge.part() {
        None => values[edge.task.index()].clone(),
        Some(part) => values[edge.task.index()].part(part).expect("the part exists").clone(),
    };
    for task in graph.tasks() {
        let mut inputs: Vec<Value> = graph.inputs(task).iter().map(|edge| read(&values, edge)).collect();
        let context = TaskContext { block: graph.block(task) };
        values.push(graph.layer(task).kernel.run(context, &mut inputs).expect("a sound graph"));
    }
    integers(Ok(graph.outputs().iter().map(|edge| read(&values, edge)).collect()))
}

fn shapes(executor: &dyn Executor) {
    let empty = executor.execute(plan(GraphBuilder::new().build(), None), &context());
    assert!(integers(empty).is_empty(), "an empty graph has no outputs");
    for leaves in [1, 10, 100, 10_000] {
        let graph = tree_graph(leaves, 8);
        let expected = reference(&graph);
        assert_eq!(integers(executor.execute(plan(graph, None), &context())), expected, "a tree of {leaves} leaves");
    }
    // The same output twice, in an order that is not the tasks'.
    let graph = graph_of(&[("read", &[]), ("add", &[0])], &[1, 0, 1]);
    let values = integers(executor.execute(plan(graph, None), &context()));
    assert_eq!(values, [3, 0, 3], "outputs are in the order they were asked for");
}

fn random(executor: &dyn Executor) {
    for seed in 0..200 {
        let graph = random_graph(seed, 1 + Rng::new(seed).below(60));
        let expected = reference(&graph);
        let free = plan(graph.clone(), None);
        let tight = plan(graph, Some(free.peak().bytes));
        assert_eq!(integers(executor.execute(free, &context())), expected, "graph {seed}");
        assert_eq!(integers(executor.execute(tight, &context())), expected, "graph {seed} at its limit");
    }
}

fn errors(executor: &dyn Executor) {
    // A part that does not exist is found when it is read.
    let mut graph = GraphBuilder::new();
    let layer = graph.layer(Layer::new(Key::of("sum", &[]), Arc::new(super::graphs::sum_kernel("sum"))));
    let a = graph.task(layer, 0, 1, &[]).expect("a source");
    let b = graph.task(layer, 1, 1, &[a.into(), Edge::part_of(a, 7)]).expect("inputs exist");
    graph.output(b.into());
    let error = executor.execute(plan(graph.build(), None), &context()).expect_err("there is no part 7");
    assert!(error.to_string().contains("part 7"), "{error}");
}

fn panics(executor: &dyn Executor) {
    struct Borrowed<'a>(&'a dyn Executor);
    impl Executor for Borrowed<'_> {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> Result<Vec<Value>> {
            self.0.execute(plan, context)
        }
    }
    for seed in 0..50 {
        for fault in [Fault::Error, Fault::Panic] {
            let faulty = Faulty { inner: Borrowed(executor), fault, seed };
            let error = faulty.execute(plan(random_graph(seed, 40), None), &context()).expect_err("a task fails");
            match (&error, fault) {
                (Error::Kernel { site, source }, Fault::Error) => {
                    assert!(source.to_string().contains("injected") && site.operation.contains("op"), "{error}");
                }
                (Error::Panic { site, message }, Fault::Panic) => {
                    assert!(message.contains("injected") && site.operation.contains("op"), "{error}");
                }
                _ => panic!("{fault:?} was reported as {error}"),
            }
        }
    }
    shapes(executor);
}

fn cancel(executor: &dyn Executor) {
    let cancel = Cancel::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("count", {
        let (cancel, ran) = (cancel.clone(), ran.clone());
        move |task, _| {
            ran.fetch_add(1, Ordering::SeqCst);
            if task.block == 100 {
                cancel.cancel();
            }
            Ok(Value::Unit)
        }
    });
    let layer = graph.layer(Layer::new(Key::of("count", &[]), Arc::new(kernel)));
    let mut last = graph.task(layer, 0, 1, &[]).expect("a source");
    for block in 1..1000 {
        last = graph.task(layer, block, 1, &[last.into()]).expect("inputs exist");
    }
    graph.output(last.into());
    let error =
        executor.execute(plan(graph.build(), None), &RunContext { cancel, ..context() }).expect_err("cancelled");
    assert!(matches!(error, Error::Cancelled { total, .. } if total > 0), "{error}");
    assert_eq!(ran.load(Ordering::SeqCst), 101, "no task starts after the cancel");
}

/// A block that counts how many of its kind are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::SeqCst);
        Alive(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Block for Alive {
    fn nbytes(&self) -> usize {
        1
    }

    fn brief(&self) -> Brief {
        Brief::new("alive", &[])
    }
}

fn nothing_left(executor: &dyn Executor) {
    for fail_at in [None, Some(500)] {
        let alive = Arc::new(AtomicUsize::new(0));
        let mut graph = GraphBuilder::new();
        let count = alive.clone();
        let make = closure_kernel("make", move |_, _| {
            Ok(Value::Parts([Value::block(Alive::new(&count)), Value::block(Alive::new(&count))].into()))
        });
        let count = alive.clone();
        let pass = closure_kernel("pass", move |task, inputs| {
            assert!(Some(task.block) != fail_at, "block 500 fails");
            inputs.iter_mut().try_for_each(|input| input.take::<Alive>().map(drop))?;
            Ok(Value::block(Alive::new(&count)))
        });
        let make = graph.layer(Layer::new(Key::of("make", &[]), Arc::new(make)));
        let pass = graph.layer(Layer::new(Key::of("pass", &[]), Arc::new(pass)));
        let mut ends = Vec::new();
        for block in 0..1000 {
            let source = graph.task(make, block, 2, &[]).expect("a source");
            let parts = [Edge::part_of(source, 0), Edge::part_of(source, 1), Edge::part_of(source, 1)];
            ends.push(Edge::whole(graph.task(pass, block, 1, &parts).expect("inputs exist")));
        }
        let end = graph.task(pass, 1000, 1, &ends).expect("inputs exist");
        graph.output(end.into());
        let plan = plan(graph.build(), None);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let result = executor.execute(plan, &context());
        std::panic::set_hook(hook);
        assert_eq!(result.is_err(), fail_at.is_some());
        assert_eq!(alive.load(Ordering::SeqCst), usize::from(result.is_ok()), "blocks alive beside the output");
    }
}
