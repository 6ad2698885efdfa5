//! The thread pool under a model checker: random interleavings of its threads, a deadlock or a lost task is found, not waited for.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p talatat-graph --test schedules
//! ```
#![cfg(shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::{check_pct, check_random, thread};
use talatat_graph::memory::SpillSpace;
use talatat_graph::testing::{
    Weight, graph_of, random_graph, random_weights, registry, shuffle_weights, tree_graph, weights,
};
use talatat_graph::{
    Cancel, Error, Event, Executor, GraphBuilder, Key, Layer, Observer, Outputs, Plan, PlanOptions, RunContext,
    Synchronous, TaskGraph, Threads, Value, closure_kernel,
};

/// Interleavings that each test tries.
const ITERATIONS: usize = 300;

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    check_random(test.clone(), ITERATIONS);
    // Few switches at random places find what needs a thread to be slow for long.
    check_pct(test, ITERATIONS, 3);
}

fn context() -> RunContext {
    RunContext { registry: Arc::new(registry()), ..RunContext::default() }
}

fn plan(graph: TaskGraph, memory_limit: Option<u64>) -> Arc<Plan> {
    // Nothing is fused: the more tasks, the more there is to get wrong.
    let options = PlanOptions { memory_limit, skip_passes: vec!["fuse".into()], ..PlanOptions::default() };
    Arc::new(Plan::new(graph, &options).unwrap())
}

fn integers(values: Vec<Value>) -> Vec<i64> {
    values.iter().map(|value| if let Value::I64(value) = value { *value } else { panic!("{value:?}") }).collect()
}

fn agrees(executor: &Threads, graph: TaskGraph, limited: bool) {
    let limit = limited.then(|| plan(graph.clone(), None).peak().bytes);
    let plan = plan(graph, limit);
    let expected = integers(Synchronous.execute(plan.clone(), &context()).unwrap());
    assert_eq!(integers(executor.execute(plan, &context()).unwrap()), expected);
}

#[test]
fn every_task_once_whoever_runs_it() {
    for threads in [2, 3] {
        for limited in [false, true] {
            check(move || {
                let pool = Threads::new(threads);
                agrees(&pool, tree_graph(8, 2), limited);
                agrees(&pool, random_graph(5, 12), limited);
            });
        }
    }
}

/// Results leave memory and come back while other threads read them.
#[test]
fn results_go_to_the_disk_and_come_back() {
    let registry = Arc::new(weights());
    for (seed, graph) in
        [(7, random_weights(7, 14, 100)), (8, random_weights(8, 14, 100)), (0, shuffle_weights(4, 4, 100))]
    {
        let options = |limit| PlanOptions {
            memory_limit: limit,
            spill: true,
            outputs: Outputs::Anywhere,
            skip_passes: vec!["fuse".into()],
            ..PlanOptions::default()
        };
        let Err(Error::Memory { needed, .. }) = Plan::new(graph.clone(), &options(Some(1))) else {
            panic!("graph {seed} fits")
        };
        let space = SpillSpace::new(std::env::temp_dir(), registry.clone());
        let context = RunContext { registry: registry.clone(), spill: Some(space.clone()), ..RunContext::default() };
        let fills = |executor: &dyn Executor, limit| -> Vec<u8> {
            let plan = Plan::new(graph.clone(), &options(limit)).unwrap();
            let values = executor.execute(Arc::new(plan), &context).unwrap().into_iter();
            values.map(|value| value.loaded().unwrap().get::<Weight>().unwrap().fill().unwrap()).collect()
        };
        let expected = fills(&Synchronous, None);
        let (graph, context) = (graph.clone(), context.clone());
        check(move || {
            let plan = Plan::new(graph.clone(), &options(Some(needed))).unwrap();
            let values = Threads::new(3).execute(Arc::new(plan), &context).unwrap().into_iter();
            let fills: Vec<u8> =
                values.map(|value| value.loaded().unwrap().get::<Weight>().unwrap().fill().unwrap()).collect();
            assert_eq!(fills, expected);
            assert_eq!(space.used(), 0, "nothing stays on disk");
        });
    }
}

#[test]
fn an_empty_graph_and_a_pool_that_never_worked() {
    check(|| {
        drop(Threads::new(3));
        let pool = Threads::new(2);
        assert!(pool.execute(plan(GraphBuilder::new().build(), None), &context()).unwrap().is_empty());
    });
}

#[test]
fn two_callers_of_one_pool() {
    check(|| {
        let pool = Arc::new(Threads::new(2));
        let other = pool.clone();
        let caller = thread::spawn(move || agrees(&other, tree_graph(4, 2), false));
        agrees(&pool, tree_graph(5, 2), false);
        caller.join().unwrap();
    });
}

/// Four sources, and a task after them, that count; the second source fails.
fn failing(count: Arc<AtomicUsize>) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("step", move |task, _| {
        count.fetch_add(1, Ordering::SeqCst);
        if task.block == 1 { Err(talatat_graph::KernelError::new("no")) } else { Ok(Value::Unit) }
    });
    let layer = graph.layer(Layer::new(Key::of("step", &[]), Arc::new(kernel)));
    let sources: Vec<_> = (0..4).map(|block| graph.task(layer, block, 0, &[]).unwrap().into()).collect();
    let last = graph.task(layer, 4, 0, &sources).unwrap();
    graph.output(last.into());
    graph.build()
}

#[test]
fn a_failure_ends_the_run_and_not_the_pool() {
    check(|| {
        let pool = Threads::new(3);
        let count = Arc::new(AtomicUsize::new(0));
        let error = pool.execute(plan(failing(count.clone()), None), &context()).unwrap_err();
        assert!(matches!(error, Error::Kernel { .. }));
        let ran = count.load(Ordering::SeqCst);
        assert!(ran <= 4, "what reads the failed task ran");
        agrees(&pool, tree_graph(4, 2), false);
        assert_eq!(count.load(Ordering::SeqCst), ran, "a task of the failed run ran after its end");
    });
}

#[test]
fn cancelled_while_it_runs() {
    check(|| {
        let pool = Threads::new(2);
        let cancel = Cancel::new();
        let handle = cancel.clone();
        let other = thread::spawn(move || handle.cancel());
        let context = RunContext { cancel, ..context() };
        match pool.execute(plan(tree_graph(6, 2), None), &context) {
            Ok(values) => assert_eq!(values.len(), 1),
            Err(Error::Cancelled { done, total }) => assert!(done < total),
            Err(other) => panic!("{other}"),
        }
        other.join().unwrap();
    });
}

#[test]
fn a_task_computes_on_its_own_pool() {
    check(|| {
        let pool = Arc::new(Threads::new(2));
        let inner = pool.clone();
        let kernel = closure_kernel("outer", move |_, _| {
            let values = inner.execute(plan(tree_graph(3, 2), None), &context());
            Ok(values.expect("the inner graph").remove(0))
        });
        let mut graph = GraphBuilder::new();
        let layer = graph.layer(Layer::new(Key::of("outer", &[]), Arc::new(kernel)));
        for block in 0..2 {
            let task = graph.task(layer, block, 0, &[]).unwrap();
            graph.output(task.into());
        }
        let values = pool.execute(plan(graph.build(), None), &context()).unwrap();
        assert_eq!(values.len(), 2);
    });
}

#[test]
fn the_end_is_told_last() {
    #[derive(Default)]
    struct Order(std::sync::Mutex<Vec<char>>);
    impl Observer for Order {
        fn on(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(match event {
                Event::Started { .. } => 's',
                Event::TaskStarted { .. } => return,
                Event::Task { .. } => 't',
                _ => 'f',
            });
        }
    }
    check(|| {
        let order = Arc::new(Order::default());
        let context = RunContext { observers: vec![order.clone()], ..context() };
        let graph = graph_of(&[("read", &[]), ("read", &[]), ("add", &[0, 1])], &[2]);
        Threads::new(2).execute(plan(graph, None), &context).unwrap();
        assert_eq!(order.0.lock().unwrap().iter().collect::<String>(), "stttf");
    });
}
