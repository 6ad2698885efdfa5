//! What goes wrong is told: what, where, and in which line. What is lost is made again.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talatat::Error;
use talatat::frame::polars::prelude::*;
use talatat::frame::{DataType, Frame, MergeOn, Partition, Schema, SetIndex, from_delayed, from_map};
use talatat::graph::{Error as GraphError, Event, Key, Observer, Value, closure_kernel};
use talatat::prelude::*;

use super::{data, frame, same_bits};
use crate::common::cluster::{cluster, cluster_builder};
use crate::here;

/// Nothing has run when it is refused, and the message says what to do instead.
#[test]
fn functions_of_this_program_are_refused() {
    let Some(cluster) = cluster() else { return };
    let f = frame();
    let schema = Schema::from_iter([("n".into(), DataType::Int64)]);
    let kernel = closure_kernel("mine", |_, inputs| Ok(Value::block(Partition(Partition::take(&mut inputs[0])?))));
    let read = delayed(|n: i64| df!("n" => [n]).unwrap()).named("read_one");
    let functions: Vec<(&str, Frame)> = vec![
        ("map_partitions", f.map_partitions_as(Ok::<_, PolarsError>, f.schema())),
        ("mine", f.map_partitions_with(Arc::new(kernel), f.schema(), Key::of("mine", &[]))),
        ("from_map", from_map([1_i64], |n: &i64| df!("n" => [*n]), &schema).unwrap()),
        ("from_delayed", from_delayed([read.call(1_i64)], &schema).unwrap()),
        ("apply", f.groupby(["k"]).unwrap().apply(|group| Ok::<_, PolarsError>(group.head(Some(1)))).unwrap()),
        ("map_partitions", f.map_rows("y", ["id"], |id: i64| id + 1).unwrap()),
    ];
    for (name, function) in functions {
        match function.sort_values(function.column_names()[..1].to_vec(), true).unwrap().compute_on(cluster) {
            Err(Error::Graph(GraphError::NotPortable { operation, reason })) => {
                assert!(operation.contains(name) || name == "from_delayed", "{name}: {operation}: {reason}");
                assert!(reason.contains("closure") && reason.contains("regist"), "{operation}: {reason}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let closure = col("id").map(|column| Ok(column * 2), |_, field| Ok(field.clone()));
    let error = f.with_columns([closure.alias("y")]).unwrap().compute_on(cluster).unwrap_err();
    let Error::Graph(GraphError::NotPortable { reason, .. }) = &error else { panic!("{error}") };
    assert!(reason.contains("an expression in it holds a closure"), "{error}");
}

#[test]
fn an_error_names_operation_partition_worker_and_line() {
    let Some(cluster) = cluster() else { return };
    let words: Vec<&str> = (0..40).map(|n| if n == 33 { "granite" } else { "7" }).collect();
    let frame = Frame::from_polars(df!("mass" => words).unwrap(), 8);
    let bad = frame.with_columns([col("mass").strict_cast(DataType::Int64).alias("kg")]).unwrap();
    let line = line!() - 1;
    let error = bad.sort_values(["kg"], true).unwrap().compute_on(cluster).unwrap_err();
    let Error::Graph(GraphError::Kernel { site, source }) = &error else { panic!("{error}") };
    assert_eq!((site.location.unwrap().line(), site.block), (line, 6), "{error}");
    let worker = site.worker.as_deref().unwrap();
    assert!(cluster.workers().iter().any(|other| other.address == worker), "{error}");
    assert!(source.to_string().contains("granite"), "{error}");
    let text = error.to_string();
    assert!(text.contains("frame.partition") && text.contains("faults.rs") && text.contains(worker), "{text}");
    // It can be run again here, for a debugger.
    let failed = cluster.last_failure().unwrap();
    assert!(failed.rerun().unwrap_err().to_string().contains("granite"), "{failed}");
}

/// Kills a worker when so many tasks have been told of.
struct Killer {
    left: AtomicUsize,
    pid: u32,
}

impl Observer for Killer {
    fn on(&self, event: &Event<'_>) {
        if let Event::Task { .. } = event
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) == Ok(1)
        {
            let killed = Command::new("kill").args(["-s", "KILL", &self.pid.to_string()]).status();
            assert!(killed.unwrap().success());
        }
    }
}

/// A worker is killed while rows are on their way, after some tasks, with all that it has made for others.
#[test]
fn a_killed_worker_costs_time_only() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(3).unwrap();
    let left = Frame::from_polars(data(600), 12);
    let right = left.filter(col("k").is_not_null()).unwrap().select([col("s"), col("id").alias("other")]).unwrap();
    let joined = left.merge(&right, MergeOn::keys(["s"]).broadcast(false)).unwrap();
    let sorted = left.sort_values(["x", "id"], true).unwrap();
    let indexed = left.set_index("id", SetIndex::new()).unwrap();
    for (seed, frame) in [&joined, &sorted, &indexed].into_iter().enumerate() {
        let workers = cluster.refresh().unwrap();
        let killer = Arc::new(Killer { left: AtomicUsize::new(4 + 3 * seed), pid: workers[seed % workers.len()].pid });
        let session = cluster.session().clone().observed(killer.clone());
        let there = frame.compute_on(&session).unwrap();
        assert_eq!(killer.left.load(Ordering::Relaxed), 0, "it was killed");
        assert!(same_bits(&there, &frame.compute_on(&here()).unwrap()), "{frame}");
    }
}

/// What was kept on a worker that is killed is made again.
#[test]
fn persisted_partitions_outlive_their_worker() {
    let Some(builder) = cluster_builder() else { return };
    let cluster = builder.local(3).unwrap();
    let kept = frame().sort_values(["id"], true).unwrap().persist_on(&cluster).unwrap();
    let pid = cluster.workers()[1].pid.to_string();
    assert!(Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap().success());
    let sums = kept.groupby(["k"]).unwrap().sum(["id"]).unwrap();
    let expected = frame().groupby(["k"]).unwrap().sum(["id"]).unwrap().compute_on(&here()).unwrap();
    assert!(same_bits(&sums.compute_on(&cluster).unwrap(), &expected));
}
