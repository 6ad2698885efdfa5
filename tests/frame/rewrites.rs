//! Each rewrite: the expression before and after it, and the same answer without it.

use insta::assert_snapshot;
use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, agg};
use talatat::prelude::CsvOptions;
use talatat::{Collection, Compute, Session};

use crate::common::{csv, everywhere};

fn trips() -> Frame {
    let text = "town,fare,tip,zone\nLyon,10.0,1.0,a\nOslo,0.0,,b\nLyon,30.0,6.0,c\nParis,8.0,2.0,a\n";
    csv(text, CsvOptions::new().blocksize(20)).unwrap()
}

/// Before and after, with the file's name (which differs from run to run) left out; and the answer does not depend on any rule.
fn shown<C: Collection>(collection: &C) -> String {
    let clean = |text: String| {
        let hide = |line: &str| match line.split_once("read_csv ") {
            Some((head, tail)) => format!("{head}read_csv *.csv:{}", tail.split_once(':').map_or("", |(_, rest)| rest)),
            None => line.to_string(),
        };
        text.lines().map(hide).collect::<Vec<_>>().join("\n")
    };
    format!("{}\n--\n{}", clean(collection.describe_expression(false)), clean(collection.describe_expression(true)))
}

fn check(frame: &Frame) -> String {
    let all = everywhere(frame);
    for rule in ["filter_pushdown", "projection_pushdown", "join_order", "algorithms", "skewed_keys"] {
        let session = Session::builder().executor(ExecutorChoice::Synchronous).skip(rule).build().unwrap();
        assert!(all.equals_missing(&frame.compute_on(&session).unwrap()), "without {rule}");
    }
    shown(frame)
}

#[test]
fn a_filter_reaches_the_reader() {
    let frame = trips()
        .with_columns([(col("tip") / col("fare")).alias("share")])
        .and_then(|frame| frame.select([col("town").alias("city"), col("fare"), col("share")]))
        .and_then(|frame| {
            frame.filter(col("fare").gt(lit(0.0)).and(col("city").neq(lit("Paris"))).and(col("share").gt(lit(0.1))))
        })
        .unwrap();
    assert_snapshot!(check(&frame), @r#"
    filter [([([(col("fare")) > (dyn float: 0)]) & ([(col("city")) != ("Paris")])]) & ([(col("share")) > (dyn float: 0.1)])]
      select col("town").alias("city"), col("fare"), col("share")
        with_columns [(col("tip")) rust_div (col("fare"))].alias("share")
          read_csv *.csv: 4 blocks, all 4 columns
    --
    select col("town").alias("city"), col("fare"), col("share")
      filter [(col("share")) > (dyn float: 0.1)]
        with_columns [(col("tip")) rust_div (col("fare"))].alias("share")
          read_csv *.csv: 4 blocks, columns [town, fare, tip] of 4 where [([(col("fare")) > (dyn float: 0)]) & ([(col("town")) != ("Paris")])]
    "#);
}

#[test]
fn a_filter_stays_above_head_and_aggregations() {
    let frame = trips().head(3).filter(col("fare").gt(lit(0.0))).unwrap();
    assert_snapshot!(check(&frame), @r#"
    filter [(col("fare")) > (dyn float: 0)]
      head 3
        read_csv *.csv: 4 blocks, all 4 columns
    --
    filter [(col("fare")) > (dyn float: 0)]
      head 3
        read_csv *.csv: 4 blocks, all 4 columns
    "#);
    let frame = trips()
        .groupby(["town"])
        .and_then(|group| group.sum(["fare"]))
        .and_then(|frame| frame.filter(col("fare").gt(lit(9.0))))
        .unwrap();
    assert_snapshot!(check(&frame), @r#"
    filter [(col("fare")) > (dyn float: 9)]
      groupby [col("town")]: sum of col("fare")
        filter col("key 0").is_not_null()
          select col("town").alias("key 0"), col("fare").alias("in 0")
            read_csv *.csv: 4 blocks, all 4 columns
    --
    filter [(col("fare")) > (dyn float: 9)]
      groupby [col("town")]: sum of col("fare")
        select col("town").alias("key 0"), col("fare").alias("in 0")
          read_csv *.csv: 4 blocks, columns [town, fare] of 4 where col("town").is_not_null()
    "#);
}

#[test]
fn a_filter_on_keys_passes_aggregations() {
    let fares = trips()
        .groupby(["town", "zone"])
        .unwrap()
        .dropna(false)
        .agg([agg::sum("fare").alias("fare"), agg::median("tip")]);
    let kept = col("town")
        .neq(lit("Oslo"))
        .and(col("fare").gt(lit(9.0)))
        .and(col("zone").is_in(lit(Series::new("".into(), ["a", "c"])).implode(true), false));
    let frame = fares.unwrap().filter(kept).unwrap();
    let text = check(&frame);
    let after = text.split("--").last().unwrap();
    let (above, below) = after.split_once("groupby").unwrap();
    assert!(above.contains("filter [(col(\"fare\")) > (dyn float: 9)]"), "{text}");
    assert!(below.contains("where") && below.contains("\"Oslo\"") && below.contains("is_in"), "{text}");
    assert_eq!(everywhere(&frame).height(), 2);
    // Shares are those of all rows, whatever is shown of them.
    let shares = trips().value_counts_with(["town"], &talatat::frame::ValueCounts::new().normalize(true)).unwrap();
    let lyon = shares.filter(col("town").eq(lit("Lyon"))).unwrap();
    assert!(everywhere(&lyon).equals(&df!("town" => ["Lyon"], "proportion" => [0.5]).unwrap()));
}

#[test]
fn only_needed_columns_are_read() {
    let frame = trips()
        .with_columns([(col("tip") * lit(2.0)).alias("unused"), (col("fare") * lit(2.0)).alias("twice")])
        .unwrap();
    let table = frame.groupby(["town"]).unwrap().agg([agg::mean("twice"), agg::size()]).unwrap();
    assert_snapshot!(check(&table), @r#"
    groupby [col("town")]: mean of col("twice"), size
      filter col("key 0").is_not_null()
        select col("town").alias("key 0"), col("twice").alias("in 0")
          with_columns [(col("tip")) * (dyn float: 2)].alias("unused"), [(col("fare")) * (dyn float: 2)].alias("twice")
            read_csv *.csv: 4 blocks, all 4 columns
    --
    groupby [col("town")]: mean of col("twice"), size
      select col("town").alias("key 0"), col("twice").alias("in 0")
        with_columns [(col("fare")) * (dyn float: 2)].alias("twice")
          read_csv *.csv: 4 blocks, columns [town, fare] of 4 where col("town").is_not_null()
    "#);
    assert_snapshot!(check(&frame.select([col("twice"), lit(1).alias("one")]).unwrap()), @r#"
    select col("twice"), dyn int: 1.alias("one")
      with_columns [(col("tip")) * (dyn float: 2)].alias("unused"), [(col("fare")) * (dyn float: 2)].alias("twice")
        read_csv *.csv: 4 blocks, all 4 columns
    --
    select col("twice"), dyn int: 1.alias("one")
      with_columns [(col("fare")) * (dyn float: 2)].alias("twice")
        read_csv *.csv: 4 blocks, columns [fare] of 4
    "#);
}

#[test]
fn counting_rows_reads_no_column() {
    let frame = trips().with_columns([(col("fare") * lit(2.0)).alias("twice")]).unwrap();
    assert_snapshot!(shown(&frame.len()), @r#"
    len
      with_columns [(col("fare")) * (dyn float: 2)].alias("twice")
        read_csv *.csv: 4 blocks, all 4 columns
    --
    len
      read_csv *.csv: 4 blocks, columns [] of 4
    "#);
    let some = frame.filter(col("twice").gt(lit(10.0))).unwrap();
    assert_snapshot!(shown(&some.len()), @r#"
    len
      filter [(col("twice")) > (dyn float: 10)]
        with_columns [(col("fare")) * (dyn float: 2)].alias("twice")
          read_csv *.csv: 4 blocks, all 4 columns
    --
    len
      filter [(col("twice")) > (dyn float: 10)]
        with_columns [(col("fare")) * (dyn float: 2)].alias("twice")
          read_csv *.csv: 4 blocks, columns [fare] of 4
    "#);
    let both = (crate::common::all_equal(&frame.len()), crate::common::all_equal(&some.len()));
    assert_eq!(both, (4, 3));
}

#[test]
fn a_filter_may_read_a_column_that_is_not_kept() {
    let frame = trips().filter(col("zone").eq(lit("a"))).and_then(|frame| frame.select([col("tip")])).unwrap();
    assert_snapshot!(check(&frame), @r#"
    select col("tip")
      filter [(col("zone")) == ("a")]
        read_csv *.csv: 4 blocks, all 4 columns
    --
    select col("tip")
      read_csv *.csv: 4 blocks, columns [tip] of 4 where [(col("zone")) == ("a")]
    "#);
}

#[test]
fn what_two_read_is_made_once_with_the_columns_of_both() {
    let trips = trips();
    let fares = trips.groupby(["town"]).unwrap().sum(["fare"]).unwrap();
    let zones = trips.filter(col("zone").eq(lit("a"))).unwrap().select([col("tip")]).unwrap();
    let both = (fares.clone(), zones.clone());
    let session = Session::builder().executor(ExecutorChoice::Synchronous).build().unwrap();
    let explained = session.explain(&both).unwrap();
    let text = explained.to_string();
    // Neither the filter of one nor the columns of one alone reach the reader.
    assert!(text.contains("columns [town, fare, tip, zone]") || text.contains("all 4 columns"), "{text}");
    assert!(!text.contains("of 4 where"), "{text}");
    let graph = explained.plan().graph();
    let reads = graph.tasks().filter(|&task| graph.layer(task).kernel.describe().contains("(read_csv"));
    assert_eq!(reads.count(), 4, "{text}");
    let (fares_too, zones_too) = both.compute_on(&session).unwrap();
    assert!(fares_too.equals_missing(&everywhere(&fares)) && zones_too.equals_missing(&everywhere(&zones)));
}

#[test]
fn a_frame_may_read_another_one_twice() {
    let trips = trips();
    let fares = trips.groupby(["town"]).unwrap().sum(["fare"]).unwrap();
    let joined = trips.merge(&fares.rename([("fare", "all")]).unwrap(), ["town"]).unwrap();
    let shares =
        joined.filter(col("all").gt(lit(0.0))).unwrap().select([col("town"), col("fare") / col("all")]).unwrap();
    let got = everywhere(&shares);
    assert!(got.equals(&df!("town" => ["Lyon", "Lyon", "Paris"], "fare" => [0.25, 0.75, 1.0]).unwrap()), "{got}");
}
