//! Predictions of whole programs: learnt in one session, used in another.

use std::sync::Arc;

use crate::common::builder;
use talatat::config::Costs;
use talatat::diagnostics::Basis;
use talatat::graph::{Error, Executor, Plan, RunContext, Value};
use talatat::prelude::*;

fn program(calls: i64) -> Delayed<i64> {
    let square = delayed(|x: i64| x * x).named("square");
    let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>()).named("sum");
    sum.call((0..calls).map(|x| square.call(x)).collect::<Vec<_>>())
}

#[test]
fn what_one_session_measures_another_knows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("costs");
    let session = || builder().threads(1).costs(Costs::File(file.clone())).build().unwrap();
    let unknown = session().predict(&program(10)).unwrap();
    assert!(unknown.operations.iter().all(|row| row.basis == Basis::Unknown) && unknown.note.is_none());
    let first = session();
    let (_, report) = first.run_reported(first.plan(&program(1000)).unwrap()).unwrap();
    assert_eq!((report.predicted, &report.note), (None, &None));
    let second = session();
    let known = second.predict(&program(10)).unwrap();
    assert!(known.operations.iter().all(|row| row.basis == Basis::Measured), "{known}");
    assert!(known.busy > std::time::Duration::ZERO && known.elapsed >= known.busy, "{known}");
    let (_, report) = second.run_reported(second.plan(&program(10)).unwrap()).unwrap();
    assert!(report.predicted.is_some() && report.to_string().contains("predicted"), "{report}");
    assert_eq!(session().predict(&program(10)).unwrap().earlier.len(), 1);
}

#[test]
fn a_damaged_file_is_said_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("costs");
    std::fs::write(&file, "talatat costs 99 0\n{}").unwrap();
    let session = builder().threads(1).costs(Costs::File(file)).build().unwrap();
    let text = session.predict(&program(3)).unwrap().to_string();
    assert!(text.contains("note: ") && text.contains("is of version \"99\", not 1"), "{text}");
    let (_, report) = session.run_reported(session.plan(&program(3)).unwrap()).unwrap();
    assert!(report.to_string().contains("is of version \"99\""), "{report}");
    assert_eq!(session.predict(&program(3)).unwrap().note, None);
}

#[test]
fn costs_that_are_off_leave_no_file() {
    let session = builder().threads(1).build().unwrap();
    let (_, report) = session.run_reported(session.plan(&program(3)).unwrap()).unwrap();
    assert_eq!((report.predicted, report.note), (None, None));
    assert!(session.predict(&program(3)).unwrap().note.unwrap().contains("`costs` is off"));
}

/// Says what it is told of times.
struct Elsewhere;

impl Executor for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn elsewhere(&self) -> bool {
        true
    }

    fn outlook(&self, plan: &Plan, times: &[f64]) -> Option<String> {
        let known = times.iter().filter(|&&nanos| nanos > 0.0).count();
        Some(format!("{known} of {} tasks are predicted", plan.graph().len()))
    }

    fn execute(&self, plan: Arc<Plan>, context: &RunContext) -> talatat::graph::Result<Vec<Value>> {
        Err(Error::InvalidGraph(self.outlook(&plan, &context.times).unwrap()))
    }
}

/// Whoever cuts a plan to pieces knows what its tasks took before, when it explains as when it runs.
#[test]
fn executors_elsewhere_are_told_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let costs = || Costs::File(folder.path().join("costs"));
    let there = |costs| builder().custom_executor(Arc::new(Elsewhere)).costs(costs).build().unwrap();
    let explained = |costs| there(costs).explain(&program(10)).unwrap().to_string();
    assert!(explained(costs()).contains("0 of 11 tasks are predicted"), "{}", explained(costs()));
    let here = builder().threads(1).costs(costs()).build().unwrap();
    here.run_reported(here.plan(&program(1000)).unwrap()).unwrap();
    assert!(explained(costs()).contains("11 of 11 tasks are predicted"), "{}", explained(costs()));
    assert!(explained(Costs::Off).contains("0 of 11 tasks are predicted"));
    let error = program(10).compute_on(&there(costs())).unwrap_err();
    assert!(error.to_string().contains("11 of 11 tasks are predicted"), "{error}");
}
