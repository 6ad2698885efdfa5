//! Submitted calls, from the user's side: on every executor, with arrays of arguments, annotations and computes in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{builder, sessions};
use parking_lot::Mutex;
use talatat::delayed::{Delayed, Lit, delayed, try_delayed};
use talatat::graph::{Error as GraphError, Event, Observer};
use talatat::prelude::*;
use talatat::{Error, ExecutorChoice};

#[test]
fn the_same_on_every_executor() {
    for session in sessions() {
        let squares = session.map(|x: i64| x * x, 0..10_i64).unwrap();
        let sum = session.submit(|values: Vec<i64>| values.iter().sum::<i64>(), squares.clone()).unwrap();
        let shown = session
            .submit(
                |sum: i64, word: String, none: Option<i64>| format!("{word} {sum} {none:?}"),
                (sum, "sum".to_string(), None::<Future<i64>>),
            )
            .unwrap();
        assert_eq!(shown.result().unwrap(), "sum 285 None", "{session:?}");
        assert_eq!(gather(squares).unwrap()[9], 81);
        assert_eq!(gather(session.scatter([1, 2])).unwrap(), [1, 2]);
    }
}

#[test]
fn arguments_are_moved() {
    #[derive(Hash)]
    struct Counted(Arc<()>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            panic!("copied");
        }
    }
    let session = builder().build().unwrap();
    let shared = Arc::new(());
    let counted = Lit(Counted(shared.clone()));
    assert_eq!(session.submit(|counted: Counted| Arc::strong_count(&counted.0), counted).unwrap().result().unwrap(), 2);
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn lazy_values_and_futures_meet() {
    let session = builder().build().unwrap();
    session.scope(|| {
        let future = session.submit(|x: i64| x + 1, 1_i64).unwrap();
        let lazy = delayed(|x: i64, y: i64| x * y).call((future, 21_i64));
        assert_eq!(lazy.compute().unwrap(), 42);
        let again = lazy.submit().unwrap();
        assert_eq!(session.submit(|x: i64| x - 2, again).unwrap().result().unwrap(), 40);
        let error = session.submit(|x: i64| x, lazy).unwrap_err();
        assert!(
            error.to_string().contains("tests/calls/futures.rs") && error.to_string().contains("submit it"),
            "{error}"
        );
    });
}

#[test]
fn errors_name_the_function_and_the_line() {
    fn post(amount: i64) -> Result<i64, String> {
        if amount < 0 { Err(format!("{amount} is negative")) } else { Ok(amount) }
    }
    for session in sessions() {
        let line = line!() + 1;
        let bad = session.try_submit(post, -1_i64).unwrap();
        let reader = session.submit(|x: i64| x, bad).unwrap();
        let error = reader.result().unwrap_err().to_string();
        assert_eq!(error, format!("post, block 0, called at {}:{line}: -1 is negative", file!()), "{session:?}");
    }
    // In the background, too.
    let session = builder().build().unwrap();
    let error = session.submit_compute(&try_delayed(post).call(-2_i64)).unwrap().result().unwrap_err();
    assert!(matches!(&error, GraphError::Kernel { site, .. } if site.operation == "post"), "{error}");
    let refuse = builder().executor(ExecutorChoice::Refuse).build().unwrap();
    assert!(matches!(refuse.submit(|| 1, ()), Err(Error::Graph(GraphError::Refused { .. }))));
}

#[test]
fn annotations_count_for_calls_that_begin_at_once() {
    let session = builder().threads(3).resource("gpu", 2).build().unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (at, high) = (now.clone(), most.clone());
    let train = delayed(move |seed: u64| {
        high.fetch_max(at.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        (0..50).for_each(|_| std::thread::yield_now());
        at.fetch_sub(1, Ordering::SeqCst);
        seed
    });
    let train = train.named("train").needs(Need::default().resource("gpu", 1));
    let models: Vec<_> = (0..30_u64).map(|seed| session.submit_call(&train, seed).unwrap()).collect();
    assert_eq!(gather(models).unwrap().len(), 30);
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    let error = session.submit_call(&train.clone().needs(Need::default().resource("tape", 1)), 1_u64).unwrap_err();
    assert!(error.to_string().contains("train wants 1 of the resource \"tape\""), "{error}");

    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let flaky = try_delayed(
        move |x: Vec<i64>| if count.fetch_add(1, Ordering::SeqCst) < 2 { Err("not yet") } else { Ok(x.len()) },
    );
    let flaky = flaky.needs(Need::default().retries(2, Duration::from_millis(1)));
    assert_eq!(session.submit_call(&flaky, vec![1_i64, 2]).unwrap().result().unwrap(), 2);
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

/// The annotations of lazy calls count when they are computed, whatever is fused, on every executor.
#[test]
fn annotations_count_for_lazy_calls() {
    let executors: [Arc<dyn talatat::graph::Executor>; 4] = [
        Arc::new(talatat::graph::Synchronous),
        Arc::new(talatat::graph::Threads::new(1)),
        Arc::new(talatat::graph::Threads::new(2)),
        Arc::new(talatat::graph::Threads::new(4)),
    ];
    for executor in executors {
        let session = builder().custom_executor(executor).resource("gpu", 2).build().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (at, high) = (now.clone(), most.clone());
        let train = delayed(move |seed: i64| {
            high.fetch_max(at.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            (0..50).for_each(|_| std::thread::yield_now());
            at.fetch_sub(1, Ordering::SeqCst);
            seed
        });
        let train = train.named("train").needs(Need::default().resource("gpu", 1));
        let tries = Arc::new(AtomicUsize::new(0));
        let count = tries.clone();
        let flaky = try_delayed(
            move |x: i64| if count.fetch_add(1, Ordering::SeqCst) % 3 < 2 { Err("not yet") } else { Ok(x + 1) },
        );
        let flaky = flaky.needs(Need::default().retries(20, Duration::from_micros(10)));
        let (before, after) = (delayed(|x: i64| x * 2), delayed(|x: i64| x - 1));
        let models: Vec<_> = (0..20).map(|x: i64| after.call(flaky.call(train.call(before.call(x))))).collect();
        let sum = delayed(|models: Vec<i64>| models.iter().sum::<i64>()).call(models);
        assert_eq!(sum.compute_on(&session).unwrap(), 380, "{session:?}");
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{session:?}");
        assert!(tries.load(Ordering::SeqCst) >= 60, "{session:?}");
        let plan = session.plan(&sum).unwrap().to_string();
        assert!(plan.lines().any(|line| line.starts_with("train ")), "{plan}");
        // What fails for good ends the run, whatever else waits for its turn.
        let broken = try_delayed(|x: i64| if x == 7 { Err("broken") } else { Ok(x) });
        let broken =
            broken.named("broken").needs(Need::default().resource("gpu", 1).retries(1, Duration::from_micros(1)));
        let error = (0..20).map(|x: i64| broken.call(x)).collect::<Vec<_>>().compute_on(&session).unwrap_err();
        assert!(
            error.to_string().contains("broken, block") && error.to_string().contains("tests/calls/futures.rs"),
            "{error}"
        );
        // More than there is, and nested runs that hold what they wait for.
        let error = train.clone().needs(Need::default().resource("gpu", 3)).call(1_i64).compute_on(&session);
        if session.executor().threads() > 1 {
            assert!(error.unwrap_err().to_string().contains("wants 3"), "{session:?}");
            let (inner, train) = (session.clone(), train.clone());
            let outer = delayed(move |x: i64| train.call(x).compute_on(&inner).map_err(|error| error.to_string()));
            let outer = outer.needs(Need::default().resource("gpu", 2)).call(1_i64).compute_on(&session).unwrap();
            assert!(outer.unwrap_err().contains("cannot end before it does"));
        }
    }
}

#[test]
fn urgent_tasks_come_first() {
    let session = builder().threads(1).build().unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let note = |name: &'static str, priority| {
        let order = order.clone();
        delayed(move |x: i64| {
            order.lock().unwrap().push(name);
            x
        })
        .needs(Need::default().priority(priority))
    };
    let (low, plain, high) = (note("low", -1), note("plain", 0), note("high", 9));
    let calls: Vec<_> = (0..3).flat_map(|x: i64| [low.call(x), plain.call(x), high.call(x)]).collect();
    calls.compute_on(&session).unwrap();
    assert_eq!(order.lock().unwrap().concat(), ["high"; 3].concat() + &["plain"; 3].concat() + &["low"; 3].concat());
}

/// Several runs in the background share the memory limit, and one in the foreground finds what they leave.
#[test]
fn computes_in_the_background_share_the_memory() {
    let session = builder().threads(2).memory_limit(1 << 20).build().unwrap();
    let make = delayed(|n: u64| vec![n as u8; 1000]);
    let length = delayed(|parts: Vec<Vec<u8>>| parts.iter().map(Vec::len).sum::<usize>());
    let futures: Vec<_> = (0..20_u64)
        .map(|n| {
            let parts: Vec<Delayed<Vec<u8>>> = (0..10).map(|m| make.call(100 * n + m)).collect();
            session.submit_compute(&length.call(parts)).unwrap()
        })
        .collect();
    let here = length.call(vec![make.call(7_u64)]);
    for _ in 0..20 {
        assert_eq!(here.compute_on(&session).unwrap(), 1000);
    }
    assert_eq!(gather(futures).unwrap(), [10_000; 20]);
}

/// A call computes, a task submits, a task of a compute waits for a call: on one thread as on many.
#[test]
fn nested_every_way() {
    for threads in [1, 2, 3] {
        let session = builder().threads(threads).build().unwrap();
        let (inner, outer) = (session.clone(), session.clone());
        let task = delayed(move |n: i64| {
            let parts = inner.map(|x: i64| x + 1, 0..n).unwrap();
            gather(parts).unwrap().iter().sum::<i64>()
        });
        let call = session
            .submit(
                move |n: i64| {
                    let many: Vec<Delayed<i64>> = (0..n).map(|n| task.call(n)).collect();
                    delayed(|sums: Vec<i64>| sums.iter().sum::<i64>()).call(many).compute_on(&outer).unwrap()
                },
                20_i64,
            )
            .unwrap();
        assert_eq!(call.result().unwrap(), (0..20).map(|n| n * (n + 1) / 2).sum::<i64>());
    }
}

/// Notes the calls that it is told of.
#[derive(Default)]
struct Calls(Mutex<Vec<(String, bool)>>);

impl Observer for Calls {
    fn on(&self, event: &Event<'_>) {
        if let Event::Call { name, start, end, error, location, .. } = event {
            assert!(start <= end && location.file().ends_with("futures.rs"));
            self.0.lock().push((name.to_string(), error.is_none()));
        }
    }
}

#[test]
fn observers_hear_of_calls_before_anybody_has_their_results() {
    let calls = Arc::new(Calls::default());
    let session = builder().threads(2).observer(calls.clone()).build().unwrap();
    let (good, bad) = (delayed(|x: i64| x + 1).named("good"), try_delayed(|_: i64| Err::<i64, _>("no")).named("bad"));
    for number in 0..20_usize {
        assert!(session.submit_call(&good, 1_i64).unwrap().result().is_ok());
        assert!(session.submit_call(&bad, 1_i64).unwrap().result().is_err());
        assert_eq!(calls.0.lock().len(), 2 * (number + 1));
    }
    assert_eq!(calls.0.lock()[..2], [("good".to_string(), true), ("bad".to_string(), false)]);
    // Each try is told of.
    let retried = bad.needs(Need::default().retries(2, Duration::ZERO));
    assert!(session.submit_call(&retried, 1_i64).unwrap().result().is_err());
    assert_eq!(calls.0.lock().iter().filter(|(name, _)| name == "bad").count(), 20 + 3);
    // What a graph runs is told of as tasks, annotated or not.
    let before = calls.0.lock().len();
    let tasks = delayed(|x: i64| x + 1).needs(Need::default().priority(3)).call(1_i64);
    assert_eq!(tasks.compute_on(&session).unwrap(), 2);
    assert_eq!(calls.0.lock().len(), before);
    // Who no longer watches hears nothing.
    drop(session);
    let other = builder().threads(1).build().unwrap();
    assert!(other.submit_call(&good, 1_i64).unwrap().result().is_ok());
    assert_eq!(calls.0.lock().len(), before);
}

#[test]
fn calls_are_recorded_as_tasks_are() {
    for session in [builder().threads(1).build().unwrap(), builder().threads(3).build().unwrap()] {
        let leaf = delayed(|x: u64| x).named("leaf");
        let inner = session.clone();
        let node = delayed(move |x: u64| {
            let parts: Vec<_> = (0..x).map(|x| inner.submit_call(&leaf, x).unwrap()).collect();
            parts.into_iter().map(|part| part.result().unwrap()).sum::<u64>()
        });
        let node = node.named("node");
        let failing = try_delayed(|| Err::<u64, _>("broken")).named("failing");
        let (sums, profile) = session
            .record_calls(|| {
                let sums: Vec<_> = (0..4_u64).map(|x| session.submit_call(&node, x).unwrap()).collect();
                let sums: Vec<u64> = sums.into_iter().map(|sum| sum.result().unwrap()).collect();
                assert!(session.submit_call(&failing, ()).unwrap().result().is_err());
                sums
            })
            .unwrap();
        assert_eq!(sums, [0, 0, 1, 3]);
        let count = |name: &str| {
            let row = profile.report().operations.iter().find(|row| row.operation == name);
            row.map(|row| (row.tasks, row.planned))
        };
        assert_eq!((count("node"), count("leaf"), count("failing")), (Some((4, 4)), Some((6, 6)), Some((0, 1))));
        let trace = profile.to_chrome_json();
        assert!(trace.contains(r#""name":"leaf""#) && trace.contains("futures.rs:"));
        assert!(profile.to_html().contains("node"));
    }
}
