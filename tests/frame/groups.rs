//! Rows by their groups: of any partitioning as eager polars' `over`, in the order of the rows.

use proptest::prelude::*;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Aggregation, Frame, GroupBy};

use crate::common::{close, cut, everywhere};

type Row = (Option<i8>, Option<bool>, Option<i64>, Option<f64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::option::weighted(0.9, 0_i8..4),
        prop::option::weighted(0.9, any::<bool>()),
        prop::option::weighted(0.7, -9_i64..9),
        prop::option::weighted(0.7, -50.0..50.0),
    );
    prop::collection::vec(row, 0..50)
}

fn table(rows: &[Row]) -> DataFrame {
    df!(
        "id" => (0..rows.len() as i64).collect::<Vec<_>>(),
        "k" => rows.iter().map(|row| row.0.map(i64::from)).collect::<Vec<_>>(),
        "b" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "f" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Equal rows in equal order, floats nearly.
fn same(got: &DataFrame, want: &DataFrame) {
    assert_eq!(got.get_column_names(), want.get_column_names());
    assert_eq!(got.height(), want.height(), "{got}\n{want}");
    for column in want.columns() {
        let have = got.column(column.name()).unwrap().cast(&DataType::Float64).unwrap();
        let expect = column.cast(&DataType::Float64).unwrap();
        for row in 0..column.len() {
            let (a, b) = (have.f64().unwrap().get(row), expect.f64().unwrap().get(row));
            assert!(close(a, b), "{} row {row}: {a:?}, not {b:?}\n{got}\n{want}", column.name());
        }
    }
}

fn keys() -> [Expr; 2] {
    [col("k"), col("b")]
}

fn eager(data: &DataFrame, exprs: impl IntoIterator<Item = Expr>) -> DataFrame {
    let present = || col("k").is_not_null().and(col("b").is_not_null());
    let over = |expr: Expr| when(present()).then(expr.over(keys()).unwrap()).otherwise(lit(NULL));
    data.clone().lazy().select(exprs.into_iter().map(over).collect::<Vec<_>>()).collect().unwrap()
}

fn kept(data: &DataFrame, mask: Expr) -> DataFrame {
    let present = col("k").is_not_null().and(col("b").is_not_null());
    data.clone().lazy().filter(present.and(mask.over(keys()).unwrap())).collect().unwrap()
}

fn check(data: &DataFrame, group: &GroupBy) {
    let x = || col("x");
    let options = |method| RankOptions { method, descending: false };
    let place = |reverse| col("id").cum_count(reverse).cast(DataType::Int64) - lit(1_i64);
    same(&everywhere(&group.cumsum(["x"]).unwrap()), &eager(data, [x().cum_sum(false)]));
    same(&everywhere(&group.cumprod(["f"]).unwrap()), &eager(data, [col("f").cum_prod(false)]));
    same(&everywhere(&group.cummin(["x"]).unwrap()), &eager(data, [x().cum_min(false)]));
    same(&everywhere(&group.cummax(["f"]).unwrap()), &eager(data, [col("f").cum_max(false)]));
    same(&everywhere(&group.cumcount().unwrap()), &eager(data, [place(false).alias("cumcount")]));
    same(
        &everywhere(&group.shift(["x", "f"], -2).unwrap()),
        &eager(data, [x().shift(lit(-2)), col("f").shift(lit(-2))]),
    );
    same(&everywhere(&group.diff(["x"], 1).unwrap()), &eager(data, [x() - x().shift(lit(1))]));
    same(
        &everywhere(&group.ffill(["x"]).unwrap()),
        &eager(data, [x().fill_null_with_strategy(FillNullStrategy::Forward(None))]),
    );
    same(
        &everywhere(&group.bfill(["f"]).unwrap()),
        &eager(data, [col("f").fill_null_with_strategy(FillNullStrategy::Backward(None))]),
    );
    let ranked = group.rank(["x"], RankMethod::Average, true).unwrap();
    same(&everywhere(&ranked), &eager(data, [x().rank(options(RankMethod::Average), None)]));
    same(
        &everywhere(&group.transform([(col("f") - col("f").mean()).alias("far")]).unwrap()),
        &eager(data, [(col("f") - col("f").mean()).alias("far")]),
    );
    same(&everywhere(&group.filter(x().sum().gt(lit(2))).unwrap()), &kept(data, x().sum().gt(lit(2))));
    same(&everywhere(&group.head(2).unwrap()), &kept(data, place(false).lt(lit(2))));
    same(&everywhere(&group.tail(3).unwrap()), &kept(data, place(true).lt(lit(3))));
    same(&everywhere(&group.nth(1).unwrap()), &kept(data, place(false).eq(lit(1))));
    same(&everywhere(&group.nth(-2).unwrap()), &kept(data, place(true).eq(lit(1))));
    let added = everywhere(&group.with_columns([x().max().alias("x"), x().sum().alias("sum")]).unwrap());
    let new = eager(data, [x().max(), x().sum().alias("sum")]);
    let mut want = data.clone();
    for column in new.columns() {
        want.with_column(column.clone()).unwrap();
    }
    same(&added, &want);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn rows_keep_their_order(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
        parts in 1_u32..5,
    ) {
        let data = table(&rows);
        let frame = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        check(&data, &frame.groupby(["k", "b"]).unwrap().split_out(parts));
    }
}

#[test]
fn a_missing_key_may_be_a_group() {
    let data = df!("k" => [Some(1), None, Some(1), None], "x" => [1_i64, 2, 3, 4]).unwrap();
    let group = Frame::from_polars(data, 3).groupby(["k"]).unwrap();
    let got = everywhere(&group.cumsum(["x"]).unwrap());
    assert!(got.equals_missing(&df!("x" => [Some(1_i64), None, Some(4), None]).unwrap()), "{got}");
    let got = everywhere(&group.dropna(false).cumsum(["x"]).unwrap());
    assert!(got.equals_missing(&df!("x" => [1_i64, 2, 4, 6]).unwrap()), "{got}");
}

#[test]
fn only_what_is_wanted_is_computed() {
    let data = df!("k" => [1, 2, 1], "x" => [1_i64, 2, 3], "y" => ["a", "b", "c"]).unwrap();
    let group = Frame::from_polars(data, 2).groupby(["k"]).unwrap();
    let wide = group.with_columns([col("x").sum().alias("sum")]).unwrap();
    let got = everywhere(&wide.select([col("sum")]).unwrap());
    assert!(got.equals(&df!("sum" => [4_i64, 2, 4]).unwrap()), "{got}");
    assert_eq!(crate::common::all_equal(&wide.len()), 3);
}

/// On every executor that does not leave the process: closures cannot.
fn in_process(frame: &Frame) -> DataFrame {
    let sessions = crate::common::local_sessions();
    let mut results: Vec<DataFrame> = sessions.map(|(_, session)| frame.compute_on(session).unwrap()).collect();
    let first = results.remove(0);
    results.iter().for_each(|other| assert!(first.equals_missing(other), "{first}\n{other}"));
    first
}

#[test]
fn functions_on_groups() {
    let data = df!("k" => [Some("b"), Some("a"), None, Some("b"), Some("c")], "x" => [1_i64, 2, 3, 4, 5]).unwrap();
    let rows = |frame: DataFrame| frame.lazy().select([col("k").first(), col("x").sum()]).collect();
    for partitions in 1..=5 {
        let group = Frame::from_polars(data.clone(), partitions).groupby(["k"]).unwrap();
        let sums = df!("k" => ["a", "b", "c"], "x" => [2_i64, 5, 5]).unwrap();
        let got = in_process(&group.apply(rows).unwrap());
        assert!(got.equals(&sums), "{got}");
        let parts = in_process(&group.clone().split_out(3).apply(rows).unwrap());
        assert!(parts.sort(["k"], SortMultipleOptions::default()).unwrap().equals(&sums), "{parts}");
        let unsorted = in_process(&group.clone().sort(false).dropna(false).apply(rows).unwrap());
        let want = df!("k" => [Some("b"), Some("a"), None, Some("c")], "x" => [5_i64, 2, 3, 5]).unwrap();
        assert!(unsorted.equals_missing(&want), "{unsorted}");

        let chunk = |rows: DataFrame| rows.lazy().select([col("x").sum().alias("sum"), len().alias("n")]).collect();
        let combine = |states: DataFrame| states.lazy().select([col("sum").sum(), col("n").sum()]).collect();
        let finish = |states: DataFrame| {
            let mean = col("sum").cast(DataType::Float64) / col("n").cast(DataType::Float64);
            states.lazy().select([mean.alias("mean")]).collect()
        };
        let mean = Aggregation::new(chunk, combine, finish);
        let means = df!("k" => ["a", "b", "c"], "mean" => [2.0, 2.5, 5.0]).unwrap();
        let got = in_process(&group.aggregate(&mean).unwrap());
        assert!(got.equals(&means), "{got}");
        let parts = in_process(&group.split_out(2).aggregate(&mean).unwrap());
        assert!(parts.sort(["k"], SortMultipleOptions::default()).unwrap().equals(&means), "{parts}");
    }
}

#[test]
fn functions_that_break_their_promise() {
    let data = df!("k" => ["a", "b"], "x" => [1_i64, 2]).unwrap();
    let group = Frame::from_polars(data, 2).groupby(["k"]).unwrap();
    let two = |rows: DataFrame| rows.select(["x"])?.vstack(&rows.select(["x"])?);
    let error = group.apply_as(two, group.clone().size().unwrap().schema()).unwrap();
    let error = error.compute_on(&crate::common::sessions()[0].1).unwrap_err().to_string();
    assert!(error.contains("were promised"), "{error}");
    let error = group.apply(|_| Err::<DataFrame, _>("no rows, no work")).unwrap_err().to_string();
    assert!(error.contains("no rows, no work") && error.contains("apply_as"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Quantiles by selection are those of all values sorted; nearly right ones are near by rank.
    #[test]
    fn quantiles_are_exact(
        values in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![-9.0..9.0, Just(0.5), Just(f64::INFINITY)]), 0..4000),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
        quantile in 0.0..=1.0_f64,
    ) {
        let data = df!("x" => values.clone()).unwrap();
        let frame = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        let mut sorted: Vec<f64> = values.into_iter().flatten().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let place = quantile * (sorted.len().max(1) - 1) as f64;
        let asked = frame.quantile_with(["x"], [quantile, 1.0], QuantileMethod::Lower).unwrap();
        let got = everywhere(&asked);
        let got = got.column("x").unwrap().f64().unwrap();
        prop_assert_eq!(got.get(0), sorted.get(place as usize).copied());
        prop_assert_eq!(got.get(1), sorted.last().copied());
        let near = everywhere(&frame.approx_quantile(["x"], [quantile]).unwrap());
        if let Some(near) = near.column("x").unwrap().f64().unwrap().get(0) {
            let below = sorted.iter().filter(|x| **x < near).count() as f64;
            let upto = sorted.iter().filter(|x| **x <= near).count() as f64;
            let slack = sorted.len() as f64 / 512.0 + 6.0;
            prop_assert!(below <= place + slack && place - slack <= upto, "{near} is from {below} to {upto}, not {place}");
        }
    }
}
