//! What goes wrong is told: what, where, and in which line.

use std::sync::Arc;

use talatat::array::{Array, from_ndarray, map_blocks, ones};
use talatat::graph::{Cancel, Error as GraphError, Event, Observer};
use talatat::prelude::*;
use talatat::{Error, Session};

use crate::common::cluster::{cluster, cluster_builder};

fn not_portable(result: talatat::Result<impl std::fmt::Debug>) -> (String, String) {
    match result {
        Err(Error::Graph(GraphError::NotPortable { operation, reason })) => (operation, reason),
        other => panic!("{other:?}"),
    }
}

/// Nothing has run when it is refused: the array before it would fail.
#[test]
fn functions_of_this_program_are_refused_before_anything_runs() {
    let Some(cluster) = cluster() else { return };
    let x = ones::<f64>([20]).rechunk(4).unwrap();
    let functions: Vec<(&str, Array<f64>)> = vec![
        ("map_blocks", x.map_blocks(|_, block| block.to_owned()).unwrap()),
        ("map_blocks", map_blocks(&[&x, &x], vec![vec![4; 5]], |_, blocks| blocks[0].to_owned()).unwrap()),
    ];
    for (name, array) in functions {
        let (operation, reason) = not_portable(array.sum(..).unwrap().compute_on(cluster));
        assert!(operation.contains(name), "{operation}: {reason}");
        assert!(reason.contains("closure") && reason.contains("Registry::new()"), "{operation}: {reason}");
    }
    let call = delayed(|x: i64| x + 1).named("increment").call(1_i64);
    let (operation, _) = not_portable(call.compute_on(cluster));
    assert!(operation.contains("increment"), "{operation}");
    let target = Arc::new(std::sync::Mutex::new(ndarray::ArrayD::<f64>::zeros(vec![20])));
    let (operation, _) = not_portable(cluster.scope(|| x.store(&target)));
    assert!(operation.contains("store"), "{operation}");
    // Calls that are submitted run here.
    assert_eq!(cluster.submit(|x: i64| x * 2, 21_i64).unwrap().result().unwrap(), 42);
}

#[test]
fn an_error_names_operation_block_worker_and_line() {
    let Some(cluster) = cluster() else { return };
    let x = from_ndarray(ndarray::arr1(&[1.0, f64::NAN, f64::NAN, f64::NAN]), 2).unwrap();
    let bad = x.reshape([2, 2]).unwrap().nanargmin(1).unwrap();
    let line = line!() - 1;
    let error = bad.compute_on(cluster).unwrap_err();
    let Error::Graph(GraphError::Kernel { site, .. }) = &error else { panic!("{error}") };
    assert_eq!(site.location.unwrap().line(), line, "{error}");
    let worker = site.worker.as_deref().unwrap();
    assert!(cluster.workers().iter().any(|other| other.address == worker), "{error}");
    let text = error.to_string();
    assert!(text.contains("nanargmin") && text.contains("faults.rs") && text.contains(worker), "{text}");
    // It can be run again here, for a debugger.
    let failed = cluster.last_failure().unwrap();
    assert!(failed.rerun().unwrap_err().to_string().contains("nan"), "{failed}");
}

/// Cancels when the first task is told of.
struct AtFirst(Cancel);

impl Observer for AtFirst {
    fn on(&self, event: &Event<'_>) {
        if let Event::Task { .. } = event {
            self.0.cancel();
        }
    }
}

#[test]
fn a_cancel_ends_a_run() {
    let Some(cluster) = cluster() else { return };
    let cancel = Cancel::new();
    let session: Session =
        cluster.session().clone().with_cancel(cancel.clone()).observed(Arc::new(AtFirst(cancel.clone())));
    // One after the other: the first is long told of when the last begins.
    let x = ones::<f64>([64]).rechunk(8).unwrap();
    let x = (0..30).fold(x, |x, _| x.cumsum(0).unwrap());
    let error = x.compute_on(&session).unwrap_err();
    assert!(matches!(error, Error::Graph(GraphError::Cancelled { .. })), "{error}");
    // The cluster goes on.
    assert_eq!(ones::<f64>([4]).sum(..).unwrap().item().unwrap().compute_on(cluster).unwrap(), 4.0);
}

/// The limit of this process is for what comes here, whatever the workers need on the way.
#[test]
fn results_that_do_not_fit_here_are_refused() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.session(crate::common::builder().memory_limit(1 << 20)).local(1).unwrap();
    let x = ones::<f64>([1 << 18]).rechunk(1 << 16).unwrap().persist_on(&cluster).unwrap();
    assert_eq!((&x + 1.0).sum(..).unwrap().item().unwrap().compute_on(&cluster).unwrap(), f64::from(1 << 19));
    let error = x.compute_on(&cluster).unwrap_err();
    assert!(matches!(error, Error::Graph(GraphError::Memory { .. })), "{error}");
    assert!(error.to_string().contains("results"), "{error}");
}
