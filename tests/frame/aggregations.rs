//! Every aggregation, of any partitioning, merged and from all rows, against eager polars.

use proptest::prelude::*;
use talatat::Collection;
use talatat::frame::agg::{self, Agg};
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, GroupBy};

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
    let got = everywhere(&group.agg(aggs.iter().map(|(name, agg, _)| agg.clone().alias(*name))).unwrap());
    let names: Vec<&str> = aggs.iter().map(|case| case.0).collect();
    let exprs: Vec<Expr> =
        aggs.iter().map(|(name, _, expr)| expr.clone().cast(DataType::Float64).alias(*name)).collect();
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
        prop::option::weighted(0.9, 0_i64..4),
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
        "s" => rows.iter().map(|row| row.4.map(i64::from)).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Those that are merged from partitions.
fn merged(group: &GroupBy) -> Vec<Case> {
    let whole = |agg: &Agg| group.agg([agg.clone()]).unwrap().describe_expression(false).contains("from all rows");
    all().into_iter().filter(|case| !whole(&case.1)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn any_partitioning_gives_the_answer_of_one_pass(
        rows in rows(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        parts in 1_u32..5,
        sort in any::<bool>(),
    ) {
        let data = table(&rows);
        let frame = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        let group = frame.groupby(["k"]).unwrap().dropna(false).sort(sort).split_out(parts);
        let (merged, all) = (merged(&group), all());
        prop_assert_eq!(all.len() - merged.len(), 4, "median, quantiles and a deviation need all rows");
        check(&data, &group, &merged, &["k"]);
        check(&data, &group, &all, &["k"]);
    }
}
