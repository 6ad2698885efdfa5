//! Every aggregation, of any partitioning, merged and from all rows, against eager polars.

use proptest::prelude::*;
use talatat::frame::agg::{self, Agg};
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, GroupBy};
use talatat::{Collection, Compute};

use crate::common::{close, cut, everywhere};

type Case = (&'static str, Agg, Expr);

/// Aggregations, and what eager polars says of them.
fn all() -> Vec<Case> {
    let x = || col("x");
    let f = || col("f");
    let int = DataType::Int64;
    let both = |e: Expr| e.filter(col("x").is_not_null().and(col("f").is_not_null()));
    vec![
        ("sum", agg::sum("x"), x().sum()),
        ("fsum", agg::sum("f"), f().sum()),
        ("bsum", agg::sum("b"), col("b").sum()),
        ("prod", agg::prod("s"), col("s").cast(int.clone()).product()),
        ("mean", agg::mean("f"), f().mean()),
        ("count", agg::count("x"), x().count()),
        ("size", agg::size(), len()),
        ("min", agg::min("f"), f().min()),
        ("max", agg::max("x"), x().max()),
        ("var", agg::var("f"), f().var(1)),
        ("var0", agg::var("x").ddof(0), x().var(0)),
        ("std", agg::std("x"), x().std(1)),
        ("sem", agg::sem("f"), f().std(1) / f().count().cast(DataType::Float64).sqrt()),
        ("first", agg::first("x"), x().drop_nulls().first()),
        ("last", agg::last("x"), x().drop_nulls().last()),
        ("first_row", agg::first_row("x"), x().first()),
        ("last_row", agg::last_row("x"), x().last()),
        ("any", agg::any("b"), col("b").any(true)),
        ("all", agg::all("b"), col("b").all(true)),
        ("nunique", agg::nunique("s"), col("s").drop_nulls().n_unique()),
        ("approx", agg::approx_nunique("s"), col("s").drop_nulls().n_unique()),
        ("idxmin", agg::idxmin("x", "id"), col("id").get(x().arg_min(), true)),
        ("idxmax", agg::idxmax("x", "id"), col("id").get(x().arg_max(), true)),
        ("cov", agg::cov("x", "f"), polars_cov(both(x()), both(f()))),
        ("median", agg::median("f"), f().median()),
        ("q30", agg::quantile("f", 0.3), f().quantile(lit(0.3), QuantileMethod::Linear)),
        (
            "low",
            agg::quantile("x", 0.9).interpolation(QuantileMethod::Lower),
            x().quantile(lit(0.9), QuantileMethod::Lower),
        ),
        ("range", Agg::from(x().max() - x().min()), x().max() - x().min()),
        (
            "filtered",
            Agg::from(x().filter(col("b")).sum() + len()),
            x().filter(col("b")).sum() + len().cast(int.clone()),
        ),
        ("distinct", Agg::from(col("s").n_unique()), col("s").n_unique()),
        ("dropped", Agg::from(x().drop_nulls().first()), x().drop_nulls().first()),
        (
            "root",
            Agg::from(x().sum().cast(DataType::Float64).abs().sqrt()),
            x().sum().cast(DataType::Float64).abs().sqrt(),
        ),
        ("rows", Agg::from((f() - f().mean()).abs().max()), (f() - f().mean()).abs().max()),
    ]
}

fn polars_cov(x: Expr, y: Expr) -> Expr {
    let n = || x.clone().count().cast(DataType::Float64);
    let sum = ((x.clone() - x.clone().mean()) * (y.clone() - y.clone().mean())).sum();
    when(n().gt(lit(1.0))).then(sum / (n() - lit(1.0))).otherwise(lit(NULL))
}

fn check(data: &DataFrame, group: &GroupBy, aggs: &[Case], keys: &[&str]) {
    // A result may not have the name of a key.
    let named = |name: &str| format!("{name} of all");
    let aggs: Vec<(String, &Agg, &Expr)> = aggs.iter().map(|(name, agg, expr)| (named(name), agg, expr)).collect();
    let all = aggs.iter().map(|(name, agg, _)| (*agg).clone().alias(name.as_str()));
    let got = everywhere(&group.agg(all).unwrap());
    let names: Vec<&str> = aggs.iter().map(|case| case.0.as_str()).collect();
    let exprs: Vec<Expr> =
        aggs.iter().map(|(name, _, expr)| (*expr).clone().cast(DataType::Float64).alias(name.as_str())).collect();
    let by: Vec<Expr> = keys.iter().map(|key| col(*key)).collect();
    let options = SortMultipleOptions::default().with_nulls_last(true);
    let sort = |frame: DataFrame| frame.sort(keys.iter().copied(), options.clone()).unwrap();
    let expect = sort(data.clone().lazy().group_by_stable(by).agg(exprs).collect().unwrap());
    let got = sort(got);
    assert_eq!(got.height(), expect.height());
    for name in &names {
        let have = got.column(name).unwrap().cast(&DataType::Float64).unwrap();
        let want = expect.column(name).unwrap();
        for row in 0..expect.height() {
            let (a, b) = (have.f64().unwrap().get(row), want.f64().unwrap().get(row));
            assert!(close(a, b), "{name} row {row}: {a:?}, not {b:?}\n{got}\n{expect}");
        }
    }
}

type Row = (Option<i64>, Option<i64>, Option<f64>, bool, Option<i8>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::option::weighted(0.9, 0_i64..3),
        prop::option::weighted(0.8, -1000_i64..1000),
        prop::option::weighted(0.8, -50.0..50.0),
        any::<bool>(),
        prop::option::weighted(0.8, -3_i8..4),
    );
    prop::collection::vec(row, 0..60)
}

fn table(rows: &[Row]) -> DataFrame {
    df!(
        "id" => (0..rows.len() as i64).collect::<Vec<_>>(),
        "k" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "b" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "t" => rows.iter().map(|row| row.0.map(|k| format!("key {k}"))).collect::<Vec<_>>(),
        "long" => rows.iter().map(|row| row.0.map(|k| format!("a key of more than twelve bytes: {k}"))).collect::<Vec<_>>(),
        "wide" => rows.iter().map(|row| row.0.map(|k| k * 4_611_686_018_427_387_903 - 9)).collect::<Vec<_>>(),
        "s" => rows.iter().map(|row| row.4.map(i64::from)).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Those that are merged from partitions.
fn merged(group: &GroupBy) -> Vec<Case> {
    let whole = |agg: &Agg| {
        group.agg([agg.clone().alias("result")]).unwrap().describe_expression(false).contains("from all rows")
    };
    all().into_iter().filter(|case| !whole(&case.1)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn any_partitioning_gives_the_answer_of_one_pass(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        parts in 1_u32..5,
        sort in any::<bool>(),
        keys in prop::sample::select(vec![vec!["k"], vec!["t"], vec!["long"], vec!["wide", "b"], vec!["t", "s", "b"]]),
    ) {
        let data = table(&rows);
        let frame = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        let group = frame.groupby(keys.iter().map(|key| col(*key))).unwrap().dropna(false).sort(sort).split_out(parts);
        let (merged, all) = (merged(&group), all());
        prop_assert_eq!(all.len() - merged.len(), 4, "median, quantiles and a deviation need all rows");
        check(&data, &group, &merged, &keys);
        check(&data, &group, &all, &keys);
    }
}

#[test]
fn counts_of_many_distinct_values_are_near_and_do_not_depend_on_partitions() {
    let values: Vec<i64> = (0..60_000_i64).map(|at| at * 7_919 % 40_009).collect();
    let data = df!("x" => values).unwrap();
    let counted = |partitions| {
        let frame = Frame::from_polars(data.clone(), partitions);
        let row = frame.agg([agg::approx_nunique("x").alias("near"), agg::nunique("x").alias("n")]).unwrap();
        let got = talatat::Compute::compute_on(&row, &crate::common::sessions()[1].1).unwrap();
        let value = |name: &str| got.column(name).unwrap().i64().unwrap().get(0).unwrap();
        (value("near"), value("n"))
    };
    let (near, exact) = counted(1);
    assert_eq!(exact, 40_009);
    assert!((near - exact).abs() < exact / 20, "{near}");
    assert_eq!((counted(3), counted(11)), ((near, exact), (near, exact)));
}

#[test]
fn lists_keep_the_order_of_rows() {
    let data = df!("k" => [1, 2, 1, 1], "x" => [Some(3), None, None, Some(9)]).unwrap();
    for parts in 1..3 {
        let group = Frame::from_polars(data.clone(), 3).groupby(["k"]).unwrap().split_out(parts);
        let all = group.agg([
            agg::list("x").alias("all"),
            agg::nlargest("x", 1).alias("top"),
            agg::nsmallest("x", 5).alias("low"),
        ]);
        let got = everywhere(&all.unwrap());
        let list = |name: &str, row| got.column(name).unwrap().list().unwrap().get_as_series(row).unwrap();
        let values = |name: &str, row| list(name, row).i32().unwrap().iter().collect::<Vec<_>>();
        assert_eq!(values("all", 0), [Some(3), None, Some(9)]);
        assert_eq!(values("top", 0), [Some(9)]);
        assert_eq!(values("low", 0), [Some(3), Some(9)]);
        assert_eq!((values("all", 1), values("top", 1)), (vec![None], vec![]));
    }
}

#[test]
fn what_is_merged_and_what_needs_all_rows() {
    let frame = Frame::from_polars(df!("k" => [1, 2], "x" => [1.0, 2.0]).unwrap(), 2);
    let group = frame.groupby(["k"]).unwrap();
    let shown = |agg: Agg| group.agg([agg]).unwrap().describe_expression(false).lines().next().unwrap().to_string();
    insta::assert_snapshot!(shown((col("x").max() - col("x").min()).alias("range").into()), @r#"groupby [col("k")]: [(col("x").max()) - (col("x").min())].alias("range")"#);
    insta::assert_snapshot!(shown(agg::median("x")), @r#"groupby [col("k")] from all rows: median of col("x")"#);
    let spread = group.split_out(4).agg([agg::mean("x")]).unwrap();
    insta::assert_snapshot!(spread.describe_expression(false).lines().next().unwrap(), @r#"groupby [col("k")] in 4 parts: mean of col("x")"#);
}

#[test]
fn the_largest_of_each_group_are_those_of_a_sort() {
    let key: Vec<i64> = (0..300_i64).map(|at| at * 31 % 7).collect();
    let value: Vec<Option<f64>> =
        (0..300_i32).map(|at| (at % 11 != 3).then(|| f64::from(at * 73 % 59) / 4.0)).collect();
    let value: Vec<Option<f64>> =
        value.into_iter().enumerate().map(|(at, x)| if at == 70 { Some(f64::NAN) } else { x }).collect();
    let data = df!("k" => key.clone(), "x" => value.clone()).unwrap();
    for (partitions, parts, n) in [(1, 1, 3), (7, 1, 3), (7, 3, 5), (5, 2, 70)] {
        let group = Frame::from_polars(data.clone(), partitions).groupby(["k"]).unwrap().split_out(parts);
        let got =
            everywhere(&group.agg([agg::nlargest("x", n).alias("top"), agg::nsmallest("x", n).alias("low")]).unwrap());
        for row in 0..7 {
            let of = key.iter().zip(&value).filter(|(key, _)| **key == row as i64).filter_map(|(_, x)| *x);
            let mut sorted: Vec<f64> = of.collect();
            sorted.sort_by(f64::total_cmp);
            let list = |name: &str| {
                let list = got.column(name).unwrap().list().unwrap().get_as_series(row).unwrap();
                list.f64().unwrap().into_no_null_iter().map(f64::to_bits).collect::<Vec<_>>()
            };
            let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            assert_eq!(list("low"), bits(sorted.iter().copied().take(n).collect()));
            assert_eq!(list("top"), bits(sorted.iter().copied().rev().take(n).collect()));
        }
    }
}

#[test]
fn sorted_groups_of_many_parts_are_many_partitions() {
    let rows = 3000_i64;
    let keys: Vec<Option<i64>> = (0..rows).map(|row| (row % 50 != 0).then_some(row * 7919 % 1000)).collect();
    let data = df!("k" => keys, "x" => (0..rows).collect::<Vec<_>>()).unwrap();
    let group = Frame::from_polars(data, 7).groupby(["k"]).unwrap().dropna(false).split_out(4);
    let sums = group.agg([agg::sum("x").alias("x"), agg::median("x").alias("m")]).unwrap();
    assert_eq!(sums.partitions(), 4);
    let one = group.clone().split_out(1).agg([agg::sum("x").alias("x"), agg::median("x").alias("m")]).unwrap();
    assert!(everywhere(&sums).equals_missing(&everywhere(&one)));
    let heights: Vec<usize> =
        (0..4).map(|part| sums.get_partition(part).unwrap().compute().unwrap().height()).collect();
    assert!(heights.iter().all(|&height| (200..310).contains(&height)), "{heights:?}");
    // What is done with all groups has them together, and a filter on the result is not one of its rows.
    let counts = Frame::from_polars(df!("x" => [3, 1, 3, 2, 3, 2]).unwrap(), 3).value_counts(["x"]).unwrap();
    let got = everywhere(&counts.filter(col("x").lt(lit(3))).unwrap());
    assert!(got.equals(&df!("x" => [2, 1], "count" => [2_i64, 1]).unwrap()), "{got}");
}
