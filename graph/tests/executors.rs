//! Every executor of this crate does what every executor must do.

use std::sync::Arc;

use talatat_graph::testing::{Count, Refuse, Serialize, conformance, tree_graph};
use talatat_graph::{Error, Executor, Plan, PlanOptions, RunContext, Synchronous, Threads};

#[test]
fn synchronous() {
    conformance(&Synchronous, false);
}

#[test]
fn threads() {
    for threads in [1, 2, 3, 8] {
        conformance(&Threads::new(threads), false);
    }
}

#[test]
fn serialize() {
    conformance(&Serialize, true);
}

#[test]
fn count() {
    let count = Count::default();
    let plan = Plan::new(tree_graph(100, 10), &PlanOptions::default()).unwrap();
    count.execute(Arc::new(plan), &RunContext::default()).unwrap();
    assert_eq!(count.counter.total(), 111);
}

#[test]
fn refuse() {
    let plan = Plan::new(tree_graph(100, 10), &PlanOptions::default()).unwrap();
    let error = Refuse.execute(Arc::new(plan), &RunContext::default()).unwrap_err();
    assert!(matches!(error, Error::Refused { tasks: 111, .. }));
}
