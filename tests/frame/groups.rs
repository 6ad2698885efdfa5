//! Rows by their groups: of any partitioning as eager polars' `over`, in the order of the rows.

use proptest::prelude::*;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, GroupBy};

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
