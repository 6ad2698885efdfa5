//! Submitted calls under a model checker: who sleeps is woken, every call runs once, and waiting never stands still.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p talatat-graph --test schedules_futures
//! ```
#![cfg(shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shuttle::{check_pct, check_random, thread};
use talatat_graph::testing::{registry, tree_graph};
use talatat_graph::{
    Edge, Executor, Future, GraphBuilder, KernelError, Key, Layer, Need, Plan, PlanOptions, Pool, RunContext, Submit,
    Threads, Value, as_completed, closure_kernel, gather, join, wait_any,
};

/// Interleavings that each test tries.
const ITERATIONS: usize = 400;

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    check_random(test.clone(), ITERATIONS);
    // Few switches at random places find what needs a thread to be slow for long.
    check_pct(test, ITERATIONS, 3);
}

fn add(pool: &Pool, a: &Future<i64>, b: &Future<i64>) -> Future<i64> {
    let mut submit = Submit::new("add");
    submit.takes(a).takes(b);
    let (a, b) = (a.clone(), b.clone());
    submit.once(pool, move || Ok(a.result()? + b.result()?)).unwrap()
}

fn needing<T: Clone + Send + Sync + 'static>(
    pool: &Pool,
    need: Need,
    mut work: impl FnMut() -> T + Send + 'static,
) -> Future<T> {
    let mut submit = Submit::new("needing");
    submit.need(need);
    submit.again(pool, move || Ok(work())).unwrap()
}

fn fib(pool: &Pool, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let other = pool.clone();
    let first = pool.submit(move || fib(&other, n - 1));
    let second = fib(pool, n - 2);
    first.result().unwrap() + second
}

#[test]
fn results_come_whoever_waits() {
    for threads in [1, 2, 3] {
        check(move || {
            let threads = Threads::new(threads);
            let pool = threads.pool();
            let ran = Arc::new(AtomicUsize::new(0));
            let futures: Vec<Future<usize>> = (0..4)
                .map(|n| {
                    let ran = ran.clone();
                    pool.submit(move || {
                        ran.fetch_add(1, Ordering::SeqCst);
                        n
                    })
                })
                .collect();
            let copy = futures[3].clone();
            let other = thread::spawn(move || copy.result().unwrap());
            assert_eq!(gather(futures).unwrap(), [0, 1, 2, 3]);
            assert_eq!(other.join().unwrap(), 3);
            assert_eq!(ran.load(Ordering::SeqCst), 4, "each call ran once");
        });
    }
}

/// Nobody helps: the threads of the pool alone must come to the end.
#[test]
fn calls_run_though_nobody_waits() {
    for threads in [1, 2] {
        check(move || {
            let threads = Threads::new(threads);
            let pool = threads.pool();
            let (tell, told) = shuttle::sync::mpsc::channel();
            for n in 0..3 {
                let (one, tell) = (pool.submit(move || n), tell.clone());
                add(&pool, &one, &Future::ready(1)).on_done(move |sum| tell.send(sum.result().unwrap()).unwrap());
            }
            let mut sums: Vec<i64> = (0..3).map(|_| told.recv().unwrap()).collect();
            sums.sort_unstable();
            assert_eq!(sums, [1, 2, 3]);
        });
    }
}

#[test]
fn calls_submit_calls() {
    for threads in [1, 2, 3] {
        check(move || {
            let threads = Threads::new(threads);
            let pool = threads.pool();
            let inner = pool.clone();
            assert_eq!(pool.submit(move || fib(&inner, 5)).result().unwrap(), 5);
            let (a, b) = pool.submit(|| join(|| join(|| 1, || 2), || join(|| 3, || 4))).result().unwrap();
            assert_eq!((a, b), ((1, 2), (3, 4)));
        });
    }
}

#[test]
fn calls_wait_for_arguments_and_are_cancelled() {
    check(|| {
        let threads = Threads::new(2);
        let pool = threads.pool();
        let (one, two) = (pool.submit(|| 1), pool.submit(|| 2));
        let sum = add(&pool, &one, &two);
        let all = add(&pool, &sum, &one);
        let victim = one.clone();
        let other = thread::spawn(move || victim.cancel());
        drop((one, two, sum));
        match (all.result(), other.join().unwrap()) {
            (Ok(4), _) | (Err(_), true) => {}
            (result, cancelled) => panic!("{result:?}, cancelled {cancelled}"),
        }
        assert_eq!(pool.submit(|| 5).result().unwrap(), 5);
    });
}

#[test]
fn resources_priorities_and_retries() {
    for threads in [1, 3] {
        check(move || {
            let threads = Threads::new(threads);
            let pool = threads.pool();
            pool.set_resource("gpu", 1);
            pool.set_memory_limit(Some(10));
            let now = Arc::new(AtomicUsize::new(0));
            let futures: Vec<Future<usize>> = (0..3)
                .map(|n| {
                    let (now, mut tries) = (now.clone(), 0);
                    let need = Need::default().resource("gpu", 1).bytes(4 + n).priority(n as i32);
                    needing(&pool, need.retries(1, Duration::from_secs(1)), move || {
                        assert_eq!(now.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        tries += 1;
                        if n == 1 && tries == 1 {
                            std::panic::resume_unwind(Box::new("once"));
                        }
                        tries
                    })
                })
                .collect();
            assert_eq!(gather(futures).unwrap(), [1, 2, 1]);
            // A thread may still be finding out that somebody else has begun what it was to begin.
            while pool.reserved() > 0 {
                thread::yield_now();
            }
        });
    }
}

/// A call waits for what another one has reserved, on the only thread that is left.
#[test]
fn waiting_for_a_resource_within_a_call() {
    check(|| {
        let threads = Threads::new(2);
        let pool = threads.pool();
        pool.set_resource("gpu", 1);
        let first = needing(&pool, Need::default().resource("gpu", 1), || 1);
        let inner = pool.clone();
        let second = pool.submit(move || needing(&inner, Need::default().resource("gpu", 1), || 2).result().unwrap());
        assert_eq!((second.result().unwrap(), first.result().unwrap()), (2, 1));
    });
}

#[test]
fn whoever_ends_first() {
    check(|| {
        let threads = Threads::new(2);
        let pool = threads.pool();
        let futures: Vec<Future<usize>> = (0..3).map(|n| pool.submit(move || n)).collect();
        let first = wait_any(&futures).unwrap();
        assert!(futures[first].is_done());
        let mut all: Vec<usize> = as_completed(futures).map(|future| future.result().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    });
}

/// Graphs and calls share the threads: neither starves, whoever comes first.
#[test]
fn runs_and_calls_share_threads() {
    for threads in [1, 2, 3] {
        check(move || {
            let executor = Arc::new(Threads::new(threads));
            let pool = executor.pool();
            let run = |executor: &Threads| {
                let options = PlanOptions { skip_passes: vec!["fuse".into()], ..PlanOptions::default() };
                let plan = Arc::new(Plan::new(tree_graph(4, 2), &options).unwrap());
                let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
                let values = executor.execute(plan, &context).unwrap();
                assert!(matches!(values[..], [Value::I64(_)]), "{values:?}");
            };
            let (tell, told) = shuttle::sync::mpsc::channel();
            let future = pool.submit(|| 1);
            future.on_done(move |one| tell.send(one.result().unwrap()).unwrap());
            let inner = executor.clone();
            let nested = pool.submit(move || run(&inner));
            run(&executor);
            nested.result().unwrap();
            assert_eq!(told.recv().unwrap(), 1);
        });
    }
}

#[test]
fn the_pool_ends_with_its_last_handle() {
    check(|| {
        let futures: Vec<Future<u32>> = {
            let pool = Threads::new(2).pool();
            (0..2).map(|n| pool.submit(move || n)).collect()
        };
        assert_eq!(gather(futures).unwrap(), [0, 1]);
    });
}

/// Annotated tasks of a graph go by way of the agenda and come back, while others run.
#[test]
fn annotated_tasks_of_graphs() {
    for threads in [1, 2, 3] {
        check(move || {
            let executor = Threads::new(threads);
            executor.pool().set_resource("gpu", 1);
            let (now, tries) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let kernel = closure_kernel("train", move |task, _| {
                assert_eq!(now.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                if task.block == 1 && tries.fetch_add(1, Ordering::SeqCst) == 0 {
                    return Err(KernelError::new("once"));
                }
                Ok(Value::I64(1))
            });
            let mut graph = GraphBuilder::new();
            let need = Need::default().resource("gpu", 1).retries(1, Duration::from_secs(1));
            let train = Layer::new(Key::of("train", &[]), Arc::new(kernel)).needs(Some(Arc::new(need)));
            let train = graph.layer(train);
            let plain = closure_kernel("sum", |_, inputs| {
                let one = |value: &Value| if let Value::I64(value) = value { *value } else { 0 };
                Ok(Value::I64(inputs.iter().map(one).sum()))
            });
            let sum = graph.layer(Layer::new(Key::of("sum", &[]), Arc::new(plain)));
            let trained: Vec<Edge> = (0..3).map(|block| graph.task(train, block, 0, &[]).unwrap().into()).collect();
            let other = graph.task(sum, 0, 0, &[trained[0]]).unwrap().into();
            let last = graph.task(sum, 1, 0, &[trained[0], trained[1], trained[2], other]).unwrap();
            graph.output(last.into());
            let plan = Arc::new(Plan::new(graph.build(), &PlanOptions::default()).unwrap());
            let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
            let values = executor.execute(plan, &context).unwrap();
            assert!(matches!(values[..], [Value::I64(4)]), "{values:?}");
        });
    }
}
