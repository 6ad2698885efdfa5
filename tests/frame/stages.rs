//! What is measured before the rest is planned: samples of sizes and of groups, and what they decide.

use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{CsvOptions, Frame, MergeOn, agg, read_csv};
use talatat::{Compute, Session};

use crate::common::{everywhere, memory};

fn session() -> talatat::SessionBuilder {
    Session::builder().executor(ExecutorChoice::Synchronous)
}

/// Six numbers of `0..rows` a row, in partitions.
fn numbers(rows: i64, partitions: usize) -> Frame {
    let data =
        df!("k" => (0..rows).collect::<Vec<_>>(), "x" => (0..rows).map(|row| row % 7).collect::<Vec<_>>()).unwrap();
    let wide =
        data.lazy().with_columns((0..4).map(|at| (col("k") + lit(at)).alias(format!("v{at}"))).collect::<Vec<_>>());
    Frame::from_polars(wide.collect().unwrap(), partitions)
}

#[test]
fn a_sample_of_the_filtered_side_decides_how_a_join_is_done() {
    let large = numbers(400_000, 8);
    // That a condition keeps one row of a thousand is in no metadata.
    let few = large.filter((col("k") % lit(1000)).eq(lit(0))).unwrap();
    let merged = large.select([col("k"), col("x").alias("y")]).unwrap().merge(&few, MergeOn::from("k")).unwrap();
    let session = session().build().unwrap();
    let before = session.explain(&merged).unwrap().to_string();
    assert!(before.contains("hash shuffle"), "{before}");
    assert!(before.contains("measured first") && before.contains("rows, 1 of 8 partitions"), "{before}");
    let after = session.explain_measured(&merged).unwrap().to_string();
    assert!(after.contains("broadcast of the right side") && after.contains("by a sample of 1"), "{after}");
    assert!(!after.contains("measured first"), "{after}");
    let got = merged.compute_on(&session).unwrap();
    assert_eq!(got.height(), 400);
    let unsampled = self::session().skip("sampling").build().unwrap();
    assert!(unsampled.explain_measured(&merged).unwrap().to_string().contains("hash shuffle"));
    assert!(got.equals_missing(&merged.compute_on(&unsampled).unwrap()));
    // What is known to be small, or what the user decides, is not measured.
    let known = large.merge(&numbers(100, 4), "k").unwrap();
    assert!(!session.explain(&known).unwrap().to_string().contains("measured first"));
    let wished = large.merge(&few, MergeOn::from("k").broadcast(false)).unwrap();
    assert!(!session.explain(&wished).unwrap().to_string().contains("measured first"));
}

#[test]
fn a_sample_of_keys_decides_how_groups_are_merged() {
    let data = |keys: i64| {
        let key = |row: i64| (row % 11 != 0).then_some(row * 7919 % keys);
        let data = df!("k" => (0..40_000).map(key).collect::<Vec<_>>(), "x" => (0_i64..40_000).collect::<Vec<_>>());
        Frame::from_polars(data.unwrap(), 5)
    };
    let session = session().build().unwrap();
    for sort in [true, false] {
        let sums = |keys| {
            let group = data(keys).groupby(["k"]).unwrap().dropna(false).sort(sort).split_out(16);
            group.agg([agg::sum("x").alias("sum"), agg::first("x").alias("first"), agg::size()]).unwrap()
        };
        let few = sums(100);
        let shown = session.explain(&few).unwrap().to_string();
        assert!(shown.contains("groups of key 0, 1 of 5 partitions"), "{shown}");
        let shown = session.explain_measured(&few).unwrap().to_string();
        assert!(shown.contains("in a tree, then 16 parts (about 101 groups by a sample of 1)"), "{shown}");
        assert_eq!((few.partitions(), everywhere(&few).height()), (16, 101));
        let unsampled = self::session().skip("sampling").build().unwrap();
        assert!(everywhere(&few).equals_missing(&few.compute_on(&unsampled).unwrap()));
        let many = session.explain_measured(&sums(1 << 40)).unwrap().to_string();
        assert!(!many.contains("in a tree"), "{many}");
    }
    // One part is not worth a look, nor are few of what has to be parsed.
    let measures = |frame: &Frame, parts| {
        let sizes = frame.groupby(["k"]).unwrap().split_out(parts).size().unwrap();
        session.explain(&sizes).unwrap().to_string().contains("measured first")
    };
    assert!(!measures(&data(9), 1) && measures(&data(9), 2));
    let text: String = (0..200).map(|row| format!("{row}\n")).collect();
    let parsed = read_csv([memory(&format!("k\n{text}"))], CsvOptions::new().blocksize(64)).unwrap();
    assert!(parsed.partitions() >= 8 && !measures(&parsed, 8) && measures(&parsed, 16));
}

#[test]
fn sizes_follow_the_groups_that_were_found() {
    // Two thirds of the rows have a key of their own; a guess without a sample is 65,536 groups.
    let key = |row: i64| if row % 3 == 0 { row / 3000 } else { row };
    let data = df!("k" => (0..400_000).map(key).collect::<Vec<_>>(), "x" => vec![1.0; 400_000]).unwrap();
    let frame = Frame::from_polars(data.clone(), 4);
    let sums = frame.groupby(["k"]).unwrap().sort(false).split_out(16).sum(["x"]).unwrap();
    let session = session().build().unwrap();
    let plan = session.plan_measured(&sums).unwrap();
    let promised: u64 = plan.graph().outputs().iter().map(|edge| plan.graph().bytes(edge.task)).sum();
    let groups = sums.compute_on(&session).unwrap();
    let made = groups.estimated_size() as u64;
    assert!(groups.height() > 250_000 && (made / 2..made * 2).contains(&promised), "{promised} of {made}");
}

#[test]
fn a_sample_that_fails_is_left_to_the_run() {
    let large = numbers(400_000, 8);
    let other = large.select([col("k"), col("x").alias("y")]).unwrap();
    let bad = large
        .with_columns([(col("x").cast(DataType::String) + lit("a")).strict_cast(DataType::Int64).alias("b")])
        .unwrap();
    let merged = other.merge(&bad.filter(col("b").gt(lit(0))).unwrap(), "k").unwrap();
    assert!(session().build().unwrap().explain_measured(&merged).is_ok());
    assert!(merged.compute_on(&session().build().unwrap()).is_err());
}
