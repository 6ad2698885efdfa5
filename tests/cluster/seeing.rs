//! What is seen of a run on a cluster, before, while it goes on, and after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talatat::array::{Array, arange, normal};
use talatat::graph::{Event, Observer};
use talatat::prelude::*;

use crate::common::cluster::cluster;

fn product() -> Array<f64> {
    let x = arange(0.0, 2400.0, 1.0).unwrap().reshape([40, 60]).unwrap().rechunk([9, 11]).unwrap();
    x.matmul(&x.t()).unwrap()
}

#[test]
fn explain_tells_units_bytes_and_time() {
    let Some(cluster) = cluster() else { return };
    let text = cluster.explain(&product()).unwrap().to_string();
    for part in ["units of", "between workers", "to the driver", "predicted", "3 workers at tcp://127.0.0.1"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    // What comes to the driver is known.
    assert!(text.contains("12.5 KiB to the driver"), "{text}");
}

#[derive(Default)]
struct Counts {
    started: AtomicUsize,
    tasks: AtomicUsize,
    finished: AtomicUsize,
    /// A bit for each lane.
    lanes: AtomicUsize,
}

impl Observer for Counts {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::Started { threads, .. } => drop(self.started.fetch_add(*threads, Ordering::Relaxed)),
            Event::Task { thread, start, end, .. } => {
                assert!(start <= end);
                self.tasks.fetch_add(1, Ordering::Relaxed);
                self.lanes.fetch_or(1 << thread, Ordering::Relaxed);
            }
            Event::Finished { .. } => drop(self.finished.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

#[test]
fn observers_are_told_of_every_task_and_where_it_ran() {
    let Some(cluster) = cluster() else { return };
    let counts = Arc::new(Counts::default());
    let session = cluster.session().clone().observed(counts.clone());
    // Hundreds of units that wait for nothing: they go to all workers.
    let x = normal(0.0, 1.0, [200, 200], 1).unwrap().rechunk(10).unwrap().cumsum(0).unwrap();
    let plan = session.plan(&x).unwrap();
    let tasks = plan.graph().len();
    session.run(plan).unwrap();
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert_eq!((read(&counts.started), read(&counts.tasks), read(&counts.finished)), (3, tasks, 1));
    assert!(read(&counts.lanes) < 8 && read(&counts.lanes).count_ones() > 1, "more than one of three workers");
    let (_, report) = cluster.scope(|| x.compute_reported()).unwrap();
    assert_eq!(report.operations.iter().map(|operation| operation.tasks).sum::<usize>(), tasks);
    let (_, profile) = cluster.scope(|| x.compute_profiled()).unwrap();
    assert_eq!(profile.report().operations.len(), report.operations.len());
}
