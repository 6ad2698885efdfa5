//! Predictions of whole programs: learnt in one session, used in another.

use crate::common::builder;
use talatat::config::Costs;
use talatat::diagnostics::Basis;
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
