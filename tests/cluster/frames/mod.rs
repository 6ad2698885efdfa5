//! Frames on a local cluster of three workers. (The whole suite of frames runs there with `TALATAT_TEST_CLUSTER=1`.)

mod faults;
mod files;
mod kept;
mod values;

use talatat::Compute;
use talatat::frame::Frame;
use talatat::frame::polars::prelude::*;

use crate::common::cluster::cluster;
use crate::here;

/// Rows with ties, missing values, floats of all sorts and times in order.
fn data(rows: i64) -> DataFrame {
    let float = |n: i64| match n % 11 {
        0 => Some(f64::NAN),
        1 => None,
        2 => Some(-0.0),
        _ => Some((n * 37 % 101) as f64 / 7.0 - 5.0),
    };
    let times: Vec<i64> = (0..rows).map(|n| n * n / 3 * 1_000_000).collect();
    df!(
        "id" => (0..rows).map(|n| n * 61 % rows).collect::<Vec<_>>(),
        "k" => (0..rows).map(|n| (n % 13 > 0).then_some(n * 7 % 5)).collect::<Vec<_>>(),
        "s" => (0..rows).map(|n| (n % 6 > 0).then(|| format!("stone {}", n * 5 % 17))).collect::<Vec<_>>(),
        "x" => (0..rows).map(float).collect::<Vec<_>>(),
        "t" => times,
    )
    .unwrap()
    .lazy()
    .with_columns([col("t").cast(DataType::Datetime(TimeUnit::Microseconds, None))])
    .collect()
    .unwrap()
}

fn frame() -> Frame {
    Frame::from_polars(data(200), 7)
}

/// Whether two tables are the same to the bit: of floats all bits count.
fn same_bits(a: &DataFrame, b: &DataFrame) -> bool {
    let bits = |column: &Column| column.f64().ok().map(|x| x.iter().map(|x| x.map(f64::to_bits)).collect::<Vec<_>>());
    let columns = a.columns().iter().zip(b.columns());
    a.schema() == b.schema() && a.equals_missing(b) && columns.into_iter().all(|(a, b)| bits(a) == bits(b))
}

/// Computes on the cluster and on one thread: the bits must be the same.
#[track_caller]
fn same(frame: talatat::Result<Frame>) {
    let Some(cluster) = cluster() else { return };
    let frame = frame.unwrap();
    let there = frame.compute_on(cluster).unwrap_or_else(|error| panic!("{error}\n{frame}"));
    let here = frame.compute_on(&here()).unwrap();
    assert!(same_bits(&there, &here), "{there}\n{here}");
    assert_eq!(**there.schema(), **frame.schema());
}
