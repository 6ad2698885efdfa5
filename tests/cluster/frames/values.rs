//! The same bits as on one thread.

use talatat::frame::polars::prelude::*;
use talatat::frame::{
    ConcatColumns, Direction, Ewm, Frame, How, Keep, MergeAsof, MergeOn, SetIndex, Span, agg, concat,
};
use talatat::{Compute, compute_all_on};

use super::{frame, same, same_bits};
use crate::common::cluster::cluster;
use crate::here;

#[test]
fn steps_on_rows() {
    let f = frame();
    same(f.filter(col("x").gt(lit(0.0))).and_then(|f| f.select([col("s"), (col("x") * lit(2)).alias("y")])));
    same(f.with_columns([col("s").str().to_uppercase().alias("u"), col("t").dt().hour().alias("hour")]));
    same(f.dropna());
    same(f.melt(["id"], ["k", "x"].map(str::to_string)));
    same(Ok(f.head(31)));
    same(f.tail(31));
    same(f.iloc(20..90));
    same(f.with_row_index("row", 5));
    same(f.sample(0.3, 7));
}

#[test]
fn groups() {
    let f = frame();
    let all = || [agg::sum("x"), agg::mean("x"), agg::std("x"), agg::first("s"), agg::nunique("s"), agg::size()];
    same(f.groupby(["k"]).and_then(|group| group.agg(all())));
    same(f.groupby(["s", "k"]).and_then(|group| group.dropna(false).split_out(3).agg(all())));
    same(f.groupby(["k"]).and_then(|group| group.median(["x"])));
    same(f.groupby(["k"]).and_then(|group| group.with_columns([col("x").cum_sum(false).alias("sum")])));
    same(f.groupby(["s"]).and_then(|group| group.nth(1)));
    same(f.value_counts(["s"]));
    same(f.drop_duplicates(["k", "s"], Keep::Last));
    same(f.agg([agg::sum("x"), agg::quantile("x", 0.3), agg::skew("id")]));
    same(f.describe());
    same(f.quantile(["x", "id"], [0.1, 0.5]));
}

#[test]
fn rows_that_move() {
    let f = frame();
    same(f.sort_values(["k", "x"], true));
    same(f.sort_values(["s", "id"], false));
    same(f.shuffle(["s"], 5).and_then(|f| f.sort_values(["id"], true)));
    same(f.repartition(3));
    same(f.repartition(11));
    same(f.set_index("id", SetIndex::new()).and_then(|f| f.loc(20_i64..=90)));
    same(f.rank(["x"], RankMethod::Average, true));
    same(f.nlargest(9, ["id"]));
    same(concat([&f, &f.filter(col("k").eq(lit(2))).unwrap()], ConcatColumns::Outer));
}

#[test]
fn joins() {
    let f = frame();
    let stones = f.drop_duplicates(["s"], Keep::First).unwrap().select([col("s"), col("id").alias("first")]).unwrap();
    for how in [How::Inner, How::Left, How::Right, How::Outer, How::Semi, How::Anti] {
        same(f.merge(&stones, MergeOn::keys(["s"]).how(how).broadcast(false)));
    }
    same(f.merge(&stones, MergeOn::keys(["s"]).broadcast(true)));
    let by_id = |f: &Frame| f.set_index("id", SetIndex::new());
    let indexed =
        by_id(&f).and_then(|left| by_id(&f.select([col("id"), col("x").alias("y")])?).map(|right| (left, right)));
    same(indexed.and_then(|(left, right)| left.merge(&right, MergeOn::keys(["id"]))));
    let other = f.filter(col("k").eq(lit(1))).and_then(|f| f.select([col("t"), col("id").alias("near")])).unwrap();
    same(f.merge_asof(&other, MergeAsof::on("t").direction(Direction::Nearest)));
}

#[test]
fn windows() {
    let f = frame();
    same(f.cumsum(["x", "id"]));
    same(f.shift(["s", "x"], 9));
    same(f.diff(["x"], 1));
    same(f.ffill(["x", "s"]));
    same(f.interpolate(["x"]));
    same(f.rolling(Span::rows(40)).and_then(|window| window.min_periods(1).mean("x")));
    same(Span::time("t", "2h").and_then(|span| f.rolling(span)).and_then(|window| window.sum("x")));
    same(f.ewm(Ewm::alpha(0.3)).and_then(|fade| fade.mean("x")));
    same(f.resample("t", "1h").and_then(|bins| bins.agg([agg::sum("x"), agg::count("s")])));
}

#[test]
fn arrays_and_frames_in_one_graph() {
    let Some(cluster) = cluster() else { return };
    let f = frame().filter(col("x").gt(lit(-2.0))).unwrap();
    let x = f.column_array::<f64>("x").unwrap();
    let all = (f.len(), x.sum(..).unwrap().item().unwrap(), f.groupby(["k"]).unwrap().mean(["x"]).unwrap());
    let (rows, sum, means) = compute_all_on(cluster, all.clone()).unwrap();
    let expected = compute_all_on(&here(), all).unwrap();
    assert_eq!((rows, sum.to_bits()), (expected.0, expected.1.to_bits()));
    assert!(same_bits(&means, &expected.2));
    same(Frame::from_array("y", &(x * 2.0)));
    // In the background, while something else is computed.
    let future = cluster.submit_compute(&f).unwrap();
    assert_eq!(f.len().compute_on(cluster).unwrap(), rows);
    assert_eq!(future.result().unwrap().height(), rows);
    // What waits for something that it does not read.
    let bound = talatat::graph_manipulation::bind(frame().len(), f.len());
    assert_eq!(bound.compute_on(cluster).unwrap(), 200);
}
