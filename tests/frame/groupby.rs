//! Aggregations of any partitioning against eager polars.

use proptest::prelude::*;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, agg};

use crate::common::{close, cut, everywhere};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn trees_agree_with_one_pass(
        rows in prop::collection::vec((prop::option::weighted(0.9, 0_i64..5), prop::option::weighted(0.8, -1000_i64..1000), any::<bool>()), 0..60),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let key: Vec<Option<i64>> = rows.iter().map(|row| row.0).collect();
        let number: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
        let float: Vec<Option<f64>> = rows.iter().map(|row| row.1.map(|x| x as f64 / 7.0)).collect();
        let truth: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let data = df!("k" => key, "i" => number, "f" => float, "b" => truth).unwrap();
        let frame = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        let all = ["i", "f"].into_iter().flat_map(|name| {
            [agg::sum(name), agg::mean(name), agg::count(name), agg::min(name), agg::max(name), agg::var(name), agg::std(name), agg::first(name), agg::last(name)]
        });
        let all = all.chain([agg::size(), agg::sum("b"), agg::max("b")]);
        let got = everywhere(&frame.groupby(["k"]).unwrap().dropna(false).agg(all).unwrap());
        let one = |name: &str| {
            let x = || col(name);
            [
                x().sum().cast(DataType::Float64).alias(format!("{name}_sum")),
                x().mean().alias(format!("{name}_mean")),
                x().count().cast(DataType::Float64).alias(format!("{name}_count")),
                x().min().cast(DataType::Float64).alias(format!("{name}_min")),
                x().max().cast(DataType::Float64).alias(format!("{name}_max")),
                x().var(1).alias(format!("{name}_var")),
                x().std(1).alias(format!("{name}_std")),
                x().drop_nulls().first().cast(DataType::Float64).alias(format!("{name}_first")),
                x().drop_nulls().last().cast(DataType::Float64).alias(format!("{name}_last")),
            ]
        };
        let exprs: Vec<Expr> = one("i").into_iter().chain(one("f")).chain([
            len().cast(DataType::Float64).alias("size"),
            col("b").sum().cast(DataType::Float64).alias("b_sum"),
            col("b").cast(DataType::Float64).max().alias("b_max"),
        ]).collect();
        let options = SortMultipleOptions::default().with_nulls_last(true);
        let expect = data.lazy().group_by_stable([col("k")]).agg(exprs).sort(["k"], options).collect().unwrap();
        prop_assert_eq!(got.height(), expect.height());
        for column in expect.columns() {
            let have = got.column(column.name()).unwrap().cast(&DataType::Float64).unwrap();
            let want = column.cast(&DataType::Float64).unwrap();
            for row in 0..expect.height() {
                let (a, b) = (have.f64().unwrap().get(row), want.f64().unwrap().get(row));
                prop_assert!(close(a, b), "{} row {row}: {a:?}, not {b:?}\n{got}\n{expect}", column.name());
            }
        }
    }
}

#[test]
fn variance_does_not_cancel_far_from_zero() {
    // Values 1e9 + {0, 1, 2, 3, 4}: the variance of what is added is 2.5 exactly.
    let values: Vec<f64> = (0..5).map(|x| 1e9 + f64::from(x)).collect();
    let data = df!("x" => values).unwrap();
    for count in 1..=5 {
        let got = everywhere(&Frame::from_polars(data.clone(), count).agg([agg::var("x").alias("var")]).unwrap());
        let var = got.column("var").unwrap().f64().unwrap().get(0).unwrap();
        assert!((var - 2.5).abs() < 1e-9, "{count} partitions: {var}");
    }
}

#[test]
fn nothing_has_a_sum_but_no_mean() {
    let data = df!("k" => ["a", "a", "b"], "x" => [None::<f64>, None, Some(1.0)]).unwrap();
    let table = Frame::from_polars(data, 3)
        .groupby(["k"])
        .unwrap()
        .agg([agg::sum("x"), agg::mean("x"), agg::std("x"), agg::first("x")])
        .unwrap();
    let expect = df!("k" => ["a", "b"], "x_sum" => [0.0, 1.0], "x_mean" => [None, Some(1.0)], "x_std" => [None::<f64>, None], "x_first" => [None, Some(1.0)]).unwrap();
    let got = everywhere(&table);
    assert!(got.equals_missing(&expect), "{got}");
}

#[test]
fn nan_and_infinities_are_numbers() {
    let data = df!("k" => [1, 1, 2, 2, 3], "x" => [f64::NAN, 1.0, f64::INFINITY, 1.0, -0.0]).unwrap();
    let got =
        everywhere(&Frame::from_polars(data, 2).groupby(["k"]).unwrap().agg([agg::sum("x"), agg::count("x")]).unwrap());
    let sums: Vec<f64> = got.column("x_sum").unwrap().f64().unwrap().into_no_null_iter().collect();
    assert!(sums[0].is_nan() && sums[1] == f64::INFINITY && sums[2] == 0.0, "{sums:?}");
    assert!(got.column("x_count").unwrap().i64().unwrap().into_no_null_iter().eq([2, 2, 1]));
}

#[test]
fn large_integers_are_summed_as_integers() {
    let data = df!("x" => [i32::MAX, i32::MAX, i32::MAX]).unwrap();
    let got = everywhere(&Frame::from_polars(data, 2).agg([agg::sum("x").alias("sum")]).unwrap());
    assert_eq!(got.column("sum").unwrap().i64().unwrap().get(0), Some(3 * i64::from(i32::MAX)));
}

#[test]
fn unsorted_groups_come_in_the_order_of_rows() {
    let data = df!("k" => ["b", "a", "c", "a", "b"], "x" => [1, 2, 3, 4, 5]).unwrap();
    for count in 1..=5 {
        let table = Frame::from_polars(data.clone(), count).groupby(["k"]).unwrap().sort(false).sum(["x"]).unwrap();
        let got = everywhere(&table);
        assert!(got.equals(&df!("k" => ["b", "a", "c"], "x" => [6_i64, 6, 3]).unwrap()), "{got}");
    }
}

#[test]
fn keys_may_be_expressions() {
    let data = df!("x" => [1_i64, 2, 3, 4, 5]).unwrap();
    let table = Frame::from_polars(data, 3)
        .groupby([(col("x") % lit(2)).alias("odd")])
        .unwrap()
        .agg([agg::sum(col("x") * lit(10)).alias("sum")])
        .unwrap();
    let got = everywhere(&table);
    assert!(got.equals(&df!("odd" => [0_i64, 1], "sum" => [60_i64, 90]).unwrap()), "{got}");
}

/// Merging sums of partitions is what polars would hand to threads of its own, if it were let: the last bits then differ from run to run.
#[test]
fn float_sums_have_the_same_bits_every_time() {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let rows: Vec<(String, f64)> =
        (0..5000).map(|_| (format!("key {}", draw() % 5), (draw() as f64 - 1e9) / 7.0)).collect();
    let (keys, values): (Vec<String>, Vec<f64>) = rows.into_iter().unzip();
    let frame = Frame::from_polars(df!("k" => keys, "x" => values).unwrap(), 9);
    let table =
        frame.groupby(["k"]).unwrap().agg([agg::sum("x").alias("sum"), agg::count("x"), agg::max("x")]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (_, session) in crate::common::sessions() {
        for _ in 0..30 {
            let got = table.compute_on(session).unwrap();
            let sums = got.column("sum").unwrap().f64().unwrap();
            seen.insert(sums.into_no_null_iter().map(f64::to_bits).collect::<Vec<u64>>());
        }
    }
    assert_eq!(seen.len(), 1, "there were {} different answers", seen.len());
}
