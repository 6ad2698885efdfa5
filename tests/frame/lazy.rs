//! Building never computes; heads read no more than they need; equal frames have equal names.

use std::sync::Arc;

use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, Partition, agg, read_csv};
use talatat::graph::testing::Count;
use talatat::graph::{Error as GraphError, Key, closure_kernel};
use talatat::prelude::CsvOptions;
use talatat::{Compute, Error, Session};

use crate::common::{csv, everywhere, memory};

fn frame() -> Frame {
    csv("k,x\na,1\nb,2\na,3\n", CsvOptions::new().blocksize(4)).unwrap()
}

#[test]
fn building_never_computes() {
    let session = Session::builder().executor(ExecutorChoice::Refuse).build().unwrap();
    let table =
        frame().filter(col("x").gt(lit(1))).and_then(|frame| frame.groupby(["k"])?.agg([agg::mean("x")])).unwrap();
    let text = table.to_string();
    assert!(text.contains("1 partitions") && text.contains("x_mean  f64"), "{text}");
    assert!(matches!(table.compute_on(&session), Err(Error::Graph(GraphError::Refused { .. }))));
    assert!(matches!(table.len().compute_on(&session), Err(Error::Graph(GraphError::Refused { .. }))));
}

#[test]
fn head_parses_only_what_it_needs() {
    // The last record does not fit its column: whoever parses it fails.
    let text = format!("x\n{}oops\n", "1\n".repeat(300_000));
    let frame = csv(&text, CsvOptions::new().blocksize(50_000).sample(1000)).unwrap();
    let got = everywhere(&frame.with_columns([(col("x") + lit(1)).alias("y")]).unwrap().head(60_000));
    assert_eq!(got.height(), 60_000);
    assert!(frame.compute().is_err());
}

#[test]
fn head_of_anything_else_takes_the_first_rows() {
    let data = df!("x" => (0_i64..20).collect::<Vec<_>>()).unwrap();
    let frame = Frame::from_polars(data, 6);
    let kernel = closure_kernel("same", |_, inputs| {
        Ok(talatat::graph::Value::block(Partition(Partition::take(&mut inputs[0])?)))
    });
    let mapped = frame.map_partitions_with(Arc::new(kernel), frame.schema(), Key::of("same", &[])).head(7);
    let got = mapped.compute().unwrap();
    assert!(got.column("x").unwrap().i64().unwrap().into_no_null_iter().eq(0..7));
    let sums = frame.groupby([(col("x") / lit(4)).alias("q")]).unwrap().size().unwrap().head(2);
    assert_eq!(everywhere(&sums).height(), 2);
    assert_eq!(everywhere(&frame.head(100)).height(), 20);
    assert_eq!(everywhere(&frame.head(0)).height(), 0);
}

#[test]
fn equal_frames_have_equal_keys() {
    let path = memory("x\n1\n2\n");
    let open = |blocksize| read_csv([&path], CsvOptions::new().blocksize(blocksize)).unwrap();
    let bigger = |frame: Frame| frame.filter(col("x").gt(lit(1))).unwrap();
    assert_eq!(bigger(open(9)).key(), bigger(open(9)).key());
    assert_ne!(open(9).key(), open(2).key());
    assert_ne!(bigger(open(9)).key(), open(9).key());
    let data = df!("x" => [1, 2]).unwrap();
    assert_eq!(Frame::from_polars(data.clone(), 1).key(), Frame::from_polars(data.clone(), 1).key());
    assert_ne!(Frame::from_polars(data.clone(), 1).key(), Frame::from_polars(data, 2).key());
}

#[test]
fn common_work_is_done_once() {
    let data = frame();
    let table = data.groupby(["k"]).unwrap();
    let (a, b) = (table.sum(["x"]).unwrap(), table.sum(["x"]).unwrap());
    let count = Count::default();
    let session = Session::builder().custom_executor(Arc::new(count.clone())).build().unwrap();
    talatat::compute_all_on(&session, (a, b)).unwrap();
    assert_eq!(count.counter.counts()["frame.groupby.finish"], 1);
}

#[test]
fn a_persisted_frame_is_not_computed_again() {
    let kept = frame().persist().unwrap();
    assert_eq!(kept.partitions(), frame().partitions());
    assert!(everywhere(&kept).equals(&everywhere(&frame())));
    let data = Frame::from_polars(df!("x" => [1_i64, 2, 3]).unwrap(), 2);
    let (both, rows) = talatat::compute_all((data.clone(), data.len())).unwrap();
    assert_eq!((both.height(), rows), (3, 3), "a length that is known has a name of its own");
    let rows = frame().len().persist().unwrap();
    assert_eq!(crate::common::all_equal(&rows), 3);
}

#[test]
fn functions_on_partitions() {
    let data = frame();
    let session = |choice| Session::builder().executor(choice).threads(2).build().unwrap();
    let first = data.map_partitions(|part| Ok::<_, PolarsError>(part.head(Some(1)))).unwrap();
    assert!(first.compute_on(&session(ExecutorChoice::Threads)).unwrap().height() <= first.partitions());
    let error = first.compute_on(&session(ExecutorChoice::Serialize)).unwrap_err();
    assert!(matches!(error, Error::Graph(GraphError::NotPortable { .. })), "{error}");
    let liar = data.map_partitions_as(|part| part.select(["x"]), data.schema());
    let error = liar.compute().unwrap_err().to_string();
    assert!(error.contains("the function gave the columns x (i64), but k (str), x (i64) were promised"), "{error}");
    let closure = data.with_columns([col("x").map(|column| Ok(column * 2), |_, field| Ok(field.clone())).alias("y")]);
    if let Ok(closure) = closure {
        let error = closure.compute_on(&session(ExecutorChoice::Serialize)).unwrap_err();
        assert!(matches!(error, Error::Graph(GraphError::NotPortable { .. })), "{error}");
    }
}
