//! What runs before what: checkpoint, wait_on, bind and clone, on every executor.

use std::sync::Arc;

use crate::common::{builder, sessions};
use parking_lot::Mutex;
use talatat::bag::Bag;
use talatat::delayed::{Delayed, delayed};
use talatat::graph::PASSES;
use talatat::graph::testing::Count;
use talatat::graph_manipulation::{bind, checkpoint, clone, wait_on};
use talatat::{Collection, Compute, ExecutorChoice, Session, compute_all_on};

/// What ran, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    /// `count` chains of two calls that note this name.
    fn chains(&self, name: &'static str, count: i64) -> Vec<Delayed<i64>> {
        let log = self.0.clone();
        let note = delayed(move |x: i64| {
            log.lock().push(name);
            x + 1
        });
        (0..count).map(|x| note.call(note.call(x))).collect()
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// All executors, and one thread and several without each of the passes.
fn all_sessions() -> Vec<Session> {
    let passes = PASSES.iter().map(|pass| pass.name);
    let skipping = passes.flat_map(|name| [1, 3].map(|threads| builder().threads(threads).skip(name).build().unwrap()));
    sessions().into_iter().chain(skipping).collect()
}

/// All of the first name come before all of the second.
fn in_turn(log: &[&str], first: &str, second: &str) -> bool {
    let last = log.iter().rposition(|name| *name == first);
    let next = log.iter().position(|name| *name == second);
    last.zip(next).is_some_and(|(last, next)| last < next)
}

#[test]
fn children_wait_for_parents() {
    for session in all_sessions() {
        let log = Log::default();
        let (parents, children) = (log.chains("parent", 5), log.chains("child", 4));
        let bound = bind(children.clone(), parents.clone());
        assert_eq!(bound.compute_on(&session).unwrap(), [2, 3, 4, 5]);
        let ran = log.take();
        assert!(ran.len() == 18 && in_turn(&ran, "parent", "child"), "{session:?}: {ran:?}");
        // Beside the parents, which are shared, and the children themselves, which are not.
        let (_, both, plain) = compute_all_on(&session, (parents, bound, children)).unwrap();
        assert_eq!((both, plain), (vec![2, 3, 4, 5], vec![2, 3, 4, 5]));
        assert_eq!(log.take().len(), 10 + 8 + 8);
    }
}

#[test]
fn bound_values_are_arguments() {
    for session in all_sessions() {
        let log = Log::default();
        let bound = bind(log.chains("child", 3), checkpoint(log.chains("parent", 3)));
        let bound = bound.delayed();
        let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>()).call(bound.clone());
        let (values, sum) = compute_all_on(&session, (bound, sum)).unwrap();
        assert_eq!((values, sum), (vec![2, 3, 4], 9));
        let ran = log.take();
        assert!(ran.len() == 12 && in_turn(&ran, "parent", "child"), "{session:?}: {ran:?}");
        // One after the other, and the other after both.
        let first = bind(log.chains("first", 2), log.chains("zeroth", 2)).delayed();
        let second = bind(log.chains("second", 2), first);
        assert_eq!(second.compute_on(&session).unwrap(), [2, 3]);
        let ran = log.take();
        assert!(in_turn(&ran, "zeroth", "first") && in_turn(&ran, "first", "second"), "{session:?}: {ran:?}");
    }
}

#[test]
fn readers_wait_for_all() {
    for session in all_sessions() {
        let log = Log::default();
        let parts = wait_on(log.chains("part", 6)).delayed();
        let noted = log.0.clone();
        let read = delayed(move |x: i64| {
            noted.lock().push("read");
            x
        });
        let reads: Vec<_> = parts.into_iter().map(|part| read.call(part)).collect();
        assert_eq!(reads.compute_on(&session).unwrap(), [2, 3, 4, 5, 6, 7]);
        let ran = log.take();
        assert!(ran.len() == 18 && in_turn(&ran, "part", "read"), "{session:?}: {ran:?}");
    }
}

#[test]
fn checkpoints_compute_all_and_keep_nothing() {
    for session in all_sessions() {
        let log = Log::default();
        let (one, other) = (log.chains("one", 3), log.chains("other", 2));
        checkpoint((one.clone(), other)).compute_on(&session).unwrap();
        assert_eq!(log.take().len(), 10);
        let done = checkpoint(one).delayed();
        let after = delayed(|(): ()| 7).call(done);
        assert_eq!(after.compute_on(&session).unwrap(), 7);
        assert_eq!(log.take().len(), 6);
    }
}

#[test]
fn clones_share_nothing() {
    let count = Count::default();
    let session = builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    let log = Log::default();
    let x = log.chains("x", 3);
    let copies = (clone(x.clone()), clone(x.clone()), x);
    let expected = vec![2, 3, 4];
    assert_eq!(copies.compute_on(&session).unwrap(), (expected.clone(), expected.clone(), expected));
    assert_eq!(log.take().len(), 18);
    // One copy is one, however often it is read.
    let copy = clone(log.chains("y", 1)).delayed();
    let pair = delayed(|a: i64, b: i64| a + b).call((copy[0].clone(), copy[0].clone()));
    assert_eq!((pair, copy).compute_on(&session).unwrap(), (4, vec![2]));
    assert_eq!(log.take().len(), 2);
    // Copies of different things are told apart, and a copy of a copy is one more.
    let (a, b) = (log.chains("a", 2), log.chains("b", 3));
    let all = (clone(b.clone()), clone(a), clone(clone(b)));
    assert_eq!(all.compute_on(&session).unwrap(), (vec![2, 3, 4], vec![2, 3], vec![2, 3, 4]));
    assert_eq!(log.take().len(), 6 + 4 + 6);
}

#[test]
fn what_is_omitted_is_shared_and_waits_for_nothing() {
    for session in all_sessions() {
        let log = Log::default();
        let shared = log.chains("shared", 3);
        let reader = {
            let log = log.0.clone();
            delayed(move |x: i64| {
                log.lock().push("child");
                10 * x
            })
        };
        let children: Vec<_> = shared.iter().map(|x| reader.call(x.clone())).collect();
        let bound = bind(children.clone(), log.chains("parent", 2)).omit(shared.clone());
        assert_eq!(bound.compute_on(&session).unwrap(), [20, 30, 40]);
        let ran = log.take();
        assert!(ran.len() == 6 + 4 + 3 && in_turn(&ran, "parent", "child"), "{session:?}: {ran:?}");
        // Beside what is shared, which runs once, and the children themselves.
        let (_, plain, both) = compute_all_on(&session, (shared.clone(), children.clone(), bound)).unwrap();
        assert_eq!((plain, both), (vec![20, 30, 40], vec![20, 30, 40]));
        assert_eq!(log.take().len(), 6 + 3 + 4 + 3);
        // A copy of a copy, as values for other calls.
        let copy = clone(clone(children).omit(shared.clone()).delayed()).omit(shared).delayed();
        assert_eq!(reader.call(copy[0].clone()).compute_on(&session).unwrap(), 200);
        // (Without culling, what nobody asked for runs, too.)
        let ran = log.take();
        let count = |name: &str| ran.iter().filter(|ran| **ran == name).count();
        assert!(matches!((count("shared"), count("child")), (2, 2) | (6, 4)), "{session:?}: {ran:?}");
    }
}

#[test]
fn omitted_bags_are_shared() {
    let session = builder().build().unwrap();
    let log = Log::default();
    let note = log.0.clone();
    let shared = Bag::from_fn(2, move |part| {
        note.lock().push("shared");
        vec![part as u64]
    });
    let sum = shared.map(|x| x + 1).sum();
    let both = (shared.clone(), sum.clone(), clone(sum).omit(shared));
    let text = both.explain().unwrap().to_string();
    assert!(text.contains("sharing"), "{text}");
    assert_eq!(both.compute_on(&session).unwrap(), (vec![0, 1], 3, 3));
    assert_eq!(log.take().len(), 2);
}

#[test]
fn it_shows_and_fails_like_anything_else() {
    let log = Log::default();
    let bound = bind(log.chains("child", 1), log.chains("parent", 1));
    let text = bound.explain().unwrap().to_string();
    assert!(text.contains("bind") && text.contains("after") && text.contains("checkpoint"), "{text}");
    let refuse = builder().executor(ExecutorChoice::Refuse).build().unwrap();
    assert!(bound.compute_on(&refuse).is_err() && log.take().is_empty());
    let bad = talatat::delayed::try_delayed(|x: i64| Err::<i64, _>(format!("not {x}"))).named("bad").call(1_i64);
    let error = bind(log.chains("child", 2), bad.clone()).compute().unwrap_err().to_string();
    assert!(
        error.contains("bad, block 0, called at tests/calls/graph_manipulation.rs:") && error.contains("not 1"),
        "{error}"
    );
    assert!(log.take().is_empty(), "no child has run");
    let error = bind(bad, log.chains("parent", 1)).compute().unwrap_err().to_string();
    assert!(error.contains("bad, block 0, called at tests/calls/graph_manipulation.rs:"), "{error}");
    // Blocks of any collection, counted as before.
    assert_eq!(wait_on((log.chains("x", 2), log.chains("y", 1))).blocks().unwrap(), 3);
}

/// What is bound can be kept in a store, too.
#[test]
fn bound_results_are_durable() {
    let session = builder().build().unwrap();
    let square = delayed(|x: i64| x * x).versioned("square", 1);
    let bound = || bind(vec![square.call(3_i64)], square.call(4_i64));
    assert_eq!(
        bound().persist_to_on("memory://manipulation/bound", &session).unwrap().compute_on(&session).unwrap(),
        [9]
    );
    let again = bound();
    let again = again.durable("memory://manipulation/bound").unwrap();
    assert_eq!(again.compute_on(&session).unwrap(), [9]);
    assert_eq!(again.survey().found, 1);
}
