//! Verbs on rows and columns, running results and windows: pandas' answers, in any partitions.

use serde_json::Value as Json;
use talatat::frame::polars::prelude::*;
use talatat::frame::{DropNa, Frame, Span, agg};
use talatat::{Compute, Result};

use crate::common::{differs, everywhere};

const FIXTURES: &str = include_str!("../fixtures/frames/verbs.json");

/// The fixtures' table as a frame in memory.
pub(crate) fn input(table: &Json) -> DataFrame {
    let names = table["columns"].as_array().unwrap();
    let rows = table["data"].as_array().unwrap();
    let column = |(at, (name, kind)): (usize, (&Json, &Json))| {
        let cells = || rows.iter().map(|row| &row[at]);
        let name: PlSmallStr = name.as_str().unwrap().into();
        let number = |cell: &Json| cell.as_f64().or_else(|| cell.as_str()?.parse().ok());
        match kind.as_str().unwrap() {
            "int" => Column::new(name, cells().map(Json::as_i64).collect::<Vec<_>>()),
            "float" => Column::new(name, cells().map(number).collect::<Vec<_>>()),
            "bool" => Column::new(name, cells().map(Json::as_bool).collect::<Vec<_>>()),
            "text" => Column::new(name, cells().map(Json::as_str).collect::<Vec<_>>()),
            "time" => {
                let texts = cells().map(Json::as_str).collect::<Vec<_>>();
                let options = StrptimeOptions { format: Some("%Y-%m-%dT%H:%M:%S".into()), ..Default::default() };
                let micros = DataType::Datetime(TimeUnit::Microseconds, None);
                let parsed = col(name.clone()).str().strptime(micros, options, lit("raise"));
                let frame = DataFrame::new_infer_height(vec![Column::new(name.clone(), texts)]).unwrap();
                frame.lazy().select([parsed]).collect().unwrap().column(&name).unwrap().clone()
            }
            other => panic!("{other}"),
        }
    };
    let kinds = table["kinds"].as_array().unwrap();
    DataFrame::new_infer_height(names.iter().zip(kinds).enumerate().map(column).collect()).unwrap()
}

/// The verb with this name.
fn verb(f: &Frame, name: &str) -> Result<Frame> {
    let numbers = || f.select(["i", "n", "x"].map(col));
    let (x, time) = (|| f.select([col("x")]), || f.select([col("t"), col("x")]));
    let gap = || (col("row") % lit(7)).eq(lit(0)).or((col("row") % lit(7)).eq(lit(3)));
    let gaps = || {
        let row = f.select([col("i")])?.with_row_index("row", 0)?;
        row.select([when(gap()).then(col("row")).otherwise(NULL.lit()).alias("g")])
    };
    let groups = || f.dropna_with(DropNa::Any, ["k"])?.select(["k", "t", "x"].map(col));
    let floats = |names: &[&str]| f.select(names.iter().map(|name| col(*name).cast(DataType::Float64)));
    match name {
        "drop" => f.drop(["x", "t"]),
        "rename" => f.rename([("x", "width"), ("k", "key")]),
        "add_prefix_suffix" => f.add_prefix("p_")?.add_suffix("_s"),
        "astype" => f.astype([("i", DataType::Float64), ("n", DataType::Float64)]),
        "isna" => f.isna(),
        "notna" => f.notna(),
        "fillna_number" => f.fillna(lit(7)),
        "fillna_text" => f.fillna(lit("none")),
        "fillna_with" => f.fillna_with([("x", col("i")), ("k", lit("z"))]),
        "dropna" => f.dropna(),
        "dropna_subset" => f.dropna_with(DropNa::Any, ["n", "x"]),
        "dropna_all" => f.dropna_with(DropNa::All, ["n", "x"]),
        "dropna_thresh" => f.dropna_with(DropNa::Fewer(2), ["k", "n", "x"]),
        "where" => numbers()?.where_(col("i").gt(lit(0)), lit(0)),
        "where_missing" => f.select([col("n"), col("x")])?.where_(col("x").gt(lit(0)), NULL.lit()),
        "mask" => numbers()?.mask(col("i").gt(lit(0)), lit(-1)),
        "isin" => f.select([col("i"), col("n")])?.isin(&Series::new("".into(), [3_i64, 5, 8])),
        "isin_text" => f.select([col("k")])?.isin(&Series::new("".into(), ["a", "c"])),
        "clip" => numbers()?.clip(Some(-2.0), Some(3.0)),
        "clip_lower" => numbers()?.clip(Some(1.0), None),
        "round" => numbers()?.round(1),
        "abs" => numbers()?.abs(),
        "replace" => f.replace("k", ["a", "c"], ["A", "C"]),
        "melt" => {
            f.head(6).select(["i", "n", "x"].map(|name| col(name).cast(DataType::Float64)))?.melt(["i"], ["n", "x"])
        }
        "get_dummies" => f.select([col("i"), col("k")])?.get_dummies("k", ["a", "b", "q"]),
        "pivot_table" => f
            .with_columns([when(col("b")).then(lit("yes")).otherwise(lit("no")).alias("b")])?
            .pivot_table("k", "b", "x", ["no", "yes"], agg::mean),
        "between" => f.filter(col("x").is_between(lit(-1.0), lit(1.0), ClosedInterval::Both)),
        "map_case" => {
            let size = when(col("i").gt(lit(3))).then(lit("big")).when(col("i").gt(lit(0))).then(lit("small"));
            f.select([col("i"), size.otherwise(lit("none")).alias("size")])
        }
        "row_index" => f.select([col("i")])?.with_row_index("row", 10),
        "cumsum" => numbers()?.cumsum(["i", "n", "x"]),
        "cumprod" => x()?.cumprod(["x"]),
        "cummin" => numbers()?.cummin(["i", "n", "x"]),
        "cummax" => numbers()?.cummax(["i", "n", "x"]),
        "ffill" => f.select(["k", "n", "x", "t"].map(col))?.ffill(["k", "n", "x", "t"]),
        "bfill" => f.select(["k", "n", "x", "t"].map(col))?.bfill(["k", "n", "x", "t"]),
        "ffill_limit" => gaps()?.ffill_limit(["g"], 1),
        "bfill_limit" => gaps()?.bfill_limit(["g"], 2),
        "shift" => f.select(["k", "i", "x", "t"].map(col))?.shift(["k", "i", "x", "t"], 1),
        "shift_back" => f.select(["k", "x"].map(col))?.shift(["k", "x"], -3),
        "shift_far" => x()?.shift(["x"], 35),
        "diff" => floats(&["i", "n", "x"])?.diff(["i", "n", "x"], 1),
        "diff_back" => floats(&["i", "n", "x"])?.diff(["i", "n", "x"], -2),
        "pct_change" => x()?.pct_change(["x"], 1),
        "rolling_min_periods" => x()?.rolling(Span::rows(5))?.min_periods(2).mean("x"),
        "rolling_count" => x()?.rolling(Span::rows(4))?.count("x"),
        "rolling_center" => x()?.rolling(Span::rows(5))?.center(true).min_periods(1).mean("x"),
        "rolling_center_even" => x()?.rolling(Span::rows(4))?.center(true).min_periods(1).sum("x"),
        "rolling_quantile" => x()?.rolling(Span::rows(6))?.min_periods(3).quantile("x", 0.25),
        "rolling_skew" => x()?.rolling(Span::rows(9))?.min_periods(5).skew("x"),
        "rolling_kurt" => x()?.rolling(Span::rows(9))?.min_periods(5).kurt("x"),
        "rolling_closed" => time()?.rolling(Span::time("t", "3h")?)?.closed(ClosedWindow::Both).sum("x"),
        "rolling_by_time" => groups()?.rolling(Span::time("t", "5h")?)?.by(["k"])?.mean("x"),
        "rolling_by_rows" => groups()?.rolling(Span::rows(3))?.by(["k"])?.min_periods(1).mean("x"),
        _ => {
            let parts: Vec<&str> = name.split('_').collect();
            match parts.as_slice() {
                ["resample", rule] => f.resample("t", &rule.to_lowercase())?.agg([
                    agg::mean("x").alias("x_mean"),
                    agg::sum("i").alias("i_sum"),
                    agg::count("x").alias("x_count"),
                    agg::max("x").alias("x_max"),
                ]),
                ["rolling", statistic, window] => {
                    let rolling = match window.parse() {
                        Ok(rows) => x()?.rolling(Span::rows(rows))?,
                        Err(_) => {
                            let span = Span::time("t", &window.to_lowercase().replace("min", "m"))?;
                            time()?.rolling(span)?
                        }
                    };
                    match *statistic {
                        "sum" => rolling.sum("x"),
                        "mean" => rolling.mean("x"),
                        "min" => rolling.min("x"),
                        "max" => rolling.max("x"),
                        "std" => rolling.std("x", 1),
                        "var" => rolling.var("x", 1),
                        "median" => rolling.median("x"),
                        "count" => rolling.count("x"),
                        other => panic!("{other}"),
                    }
                }
                _ => panic!("no verb {name}"),
            }
        }
    }
}

/// Any cut into partitions, empty ones and ones of a single row included.
pub(crate) fn cuts(data: &DataFrame) -> Vec<Frame> {
    let cut = |at: &[usize]| {
        let parts = at.windows(2).map(|pair| data.slice(pair[0] as i64, pair[1] - pair[0]));
        Frame::from_partitions(parts.collect::<Vec<_>>()).unwrap()
    };
    let rows = data.height();
    vec![cut(&[0, rows]), cut(&[0, 1, 2, 13, 13, 27, rows, rows])]
}

#[test]
fn answers_are_those_of_pandas() {
    let fixtures: Json = serde_json::from_str(FIXTURES).unwrap();
    let data = input(&fixtures["input"]);
    let mut wrong = Vec::new();
    let cases = fixtures["cases"].as_object().unwrap();
    for frame in cuts(&data) {
        for (name, case) in cases {
            let label = format!("{name}, {} partitions", frame.partitions());
            let got = everywhere(&verb(&frame, name).unwrap_or_else(|error| panic!("{label}: {error}")));
            let difference = differs(&got, &case["expect"], case["rtol"].as_f64().unwrap());
            wrong.extend(difference.map(|difference| format!("{label}\n    {difference}")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), 2 * cases.len(), wrong.join("\n"));
}

#[test]
fn a_sample_does_not_depend_on_partitions() {
    let data = df!("x" => (0..5000_i64).collect::<Vec<_>>()).unwrap();
    let drawn = |partitions| everywhere(&Frame::from_polars(data.clone(), partitions).sample(0.3, 11).unwrap());
    let one = drawn(1);
    assert!((1350..1650).contains(&one.height()), "{}", one.height());
    assert!(drawn(7).equals(&one) && drawn(100).equals(&one));
    let other = Frame::from_polars(data.clone(), 3).sample(0.3, 12).unwrap().compute().unwrap();
    assert!(!other.equals(&one));
    let frame = Frame::from_polars(data, 3);
    assert_eq!(frame.sample(0.0, 1).unwrap().compute().unwrap().height(), 0);
    assert_eq!(frame.sample(1.0, 1).unwrap().compute().unwrap().height(), 5000);
}

#[test]
fn row_functions_see_what_they_ask_for() {
    let data = df!("a" => [Some(1.5), None, Some(3.0)], "b" => [1_i64, 2, 3], "s" => [Some("x"), Some("a longer text than fits in place"), None]).unwrap();
    let frame = Frame::from_polars(data, 2);
    let plain = frame.map_rows("sum", ["a", "b"], |a: f64, b: i64| a + b as f64).unwrap();
    let got = everywhere_local(&plain.select([col("sum")]).unwrap());
    assert!(got.equals_missing(&df!("sum" => [Some(2.5), None, Some(6.0)]).unwrap()), "{got}");
    let seen = frame.map_rows("len", ["s", "a"], |s: Option<PlSmallStr>, a: Option<f64>| {
        s.map(|s| s.len() as i64 + i64::from(a.is_none()))
    });
    let got = everywhere_local(&seen.unwrap().select([col("len")]).unwrap());
    assert!(got.equals_missing(&df!("len" => [Some(1_i64), Some(33), None]).unwrap()), "{got}");
    let error = frame.map_rows("x", ["b"], |b: f64| b).unwrap_err().to_string();
    assert!(error.contains("column `b` is of type i64, the function takes f64"), "{error}");
    assert!(frame.map_rows("x", ["b", "a"], |b: i64| b).unwrap_err().to_string().contains("takes 1 columns, not 2"));
}

/// On the executors of this process: closures do not leave it.
fn everywhere_local(frame: &Frame) -> DataFrame {
    let one = frame.compute_on(&crate::common::sessions()[0].1).unwrap();
    let two = frame.compute_on(crate::common::threads()).unwrap();
    assert!(one.equals_missing(&two));
    one
}

#[test]
fn windows_of_user_functions_reach_over_partitions() {
    let data = df!("x" => (0..20_i64).collect::<Vec<_>>()).unwrap();
    for partitions in [1, 3, 20] {
        let frame = Frame::from_polars(data.clone(), partitions);
        let around = |part: DataFrame| {
            part.lazy()
                .select([
                    col("x").shift(lit(2)).fill_null(lit(-1)) * lit(100) + col("x").shift(lit(-1)).fill_null(lit(-1))
                ])
                .collect()
        };
        let got = everywhere_local(&frame.map_overlap(around, Span::rows(2), Span::rows(1)).unwrap());
        let expect: Vec<i64> =
            (0..20).map(|x| if x < 2 { -100 } else { (x - 2) * 100 } + if x < 19 { x + 1 } else { -1 }).collect();
        assert!(got.equals(&df!("x" => expect).unwrap()), "{got}");
    }
    let frame = Frame::from_polars(data, 3);
    let shorter =
        frame.map_overlap(|part: DataFrame| Ok::<_, PolarsError>(part.head(Some(1))), Span::rows(2), Span::none());
    let error = shorter.unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("must give one for each"), "{error}");
}

#[test]
fn verbs_refuse_what_makes_no_sense() {
    let data = df!("x" => [1.0, 2.0], "s" => ["a", "b"], "t" => [2_i64, 1]).unwrap();
    let frame = Frame::from_polars(data, 1);
    let refused = |result: Result<Frame>, part: &str| {
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("verbs.rs"), "{error}");
    };
    refused(frame.drop(["y"]), "there is no column `y`; there are x (f64)");
    refused(frame.drop(["x", "s", "t"]), "no column would be left");
    refused(frame.rename([("y", "z")]), "there is no column `y`");
    refused(frame.rename([("x", "s")]), "s");
    refused(frame.fillna(lit(true)), "fits no column");
    refused(frame.clip(Some(3.0), Some(1.0)), "above the upper");
    refused(frame.explode(["x"]), "holds no lists");
    refused(frame.sample(1.5, 0), "between 0 and 1");
    refused(frame.cumsum(["s"]), "cast it first");
    refused(frame.shift(["y"], 1), "there is no column `y`");
    refused(frame.rolling(Span::rows(0)).and_then(|rolling| rolling.sum("x")), "the window has no rows");
    refused(frame.rolling(Span::rows(2)).and_then(|rolling| rolling.min_periods(3).sum("x")), "never has 3 values");
    refused(frame.rolling(Span::rows(2)).and_then(|rolling| rolling.sum("s")), "cast it to a number");
    refused(frame.rolling(Span::time("t", "1h").unwrap()).and_then(|rolling| rolling.sum("x")), "need dates or times");
    refused(frame.resample("x", "1h").and_then(|bins| bins.agg([agg::sum("x")])), "need dates or times");
    assert!(Span::time("t", "-1h").unwrap_err().to_string().contains("no window of time"));
    let times = frame.astype([("t", DataType::Datetime(TimeUnit::Microseconds, None))]).unwrap();
    let unsorted = times.rolling(Span::time("t", "1h").unwrap()).unwrap().sum("x").unwrap();
    let error = unsorted.compute().unwrap_err().to_string();
    assert!(error.contains("column `t` is not sorted") && error.contains("sort_values"), "{error}");
}
