//! pandas' answers about groups and statistics.

use serde_json::Value as Json;
use talatat::Compute;
use talatat::frame::agg::{self, Agg};
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, GroupBy, Keep, ValueCounts, read_csv};
use talatat::prelude::CsvOptions;

use crate::common::{differs, everywhere, sessions};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/frames");

fn texts(value: &Json) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_string())).collect()
}

fn numbers(value: &Json) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Json::as_f64).collect()
}

fn aggregation(name: &str, column: &str) -> Agg {
    let all: [fn(&str) -> Agg; 17] = [
        |x| agg::sum(x),
        |x| agg::prod(x),
        |x| agg::mean(x),
        |x| agg::count(x),
        |x| agg::min(x),
        |x| agg::max(x),
        |x| agg::var(x),
        |x| agg::std(x),
        |x| agg::sem(x),
        |x| agg::skew(x),
        |x| agg::kurtosis(x),
        |x| agg::median(x),
        |x| agg::first(x),
        |x| agg::last(x),
        |x| agg::any(x),
        |x| agg::all(x),
        |x| agg::nunique(x),
    ];
    let named = all.iter().map(|make| make(column)).find(|agg| agg.to_string().split(' ').next() == Some(name));
    named.unwrap_or_else(|| panic!("{name}")).alias(name)
}

fn interpolation(name: &str) -> QuantileMethod {
    match name {
        "linear" => QuantileMethod::Linear,
        "lower" => QuantileMethod::Lower,
        "higher" => QuantileMethod::Higher,
        "midpoint" => QuantileMethod::Midpoint,
        "nearest" => QuantileMethod::Nearest,
        other => panic!("{other}"),
    }
}

fn rank_method(name: &str) -> RankMethod {
    match name {
        "average" => RankMethod::Average,
        "min" => RankMethod::Min,
        "max" => RankMethod::Max,
        "dense" => RankMethod::Dense,
        "first" => RankMethod::Ordinal,
        other => panic!("{other}"),
    }
}

fn keep(value: &Json) -> Keep {
    match value.as_str() {
        Some("first") => Keep::First,
        Some("last") => Keep::Last,
        _ => Keep::None,
    }
}

fn rows(group: &GroupBy, args: &Json) -> talatat::Result<Frame> {
    let columns = texts(&args["columns"]);
    let n = args["n"].as_i64().unwrap_or(1);
    match args["call"].as_str().unwrap() {
        "cumsum" => group.cumsum(columns),
        "cumprod" => group.cumprod(columns),
        "cummin" => group.cummin(columns),
        "cummax" => group.cummax(columns),
        "ffill" => group.ffill(columns),
        "bfill" => group.bfill(columns),
        "shift" => group.shift(columns, n),
        "diff" => group.diff(columns, n),
        "rank" => {
            let method = rank_method(args["method"].as_str().unwrap());
            group.rank(columns, method, args["ascending"].as_bool().unwrap())
        }
        "transform" => group.transform(columns.iter().map(|name| col(name.as_str()).mean())),
        "cumcount" => group.cumcount().and_then(|frame| frame.filter(col("cumcount").is_not_null())),
        other => panic!("{other}"),
    }
}

fn kept(group: &GroupBy, args: &Json) -> talatat::Result<Frame> {
    let n = args["n"].as_i64().unwrap_or(0);
    let kept = match args["call"].as_str().unwrap() {
        "head" => group.head(n as usize),
        "tail" => group.tail(n as usize),
        "nth" => group.nth(n),
        "filter" => group.filter(col("price").sum().gt(lit(args["above"].as_f64().unwrap()))),
        other => panic!("{other}"),
    };
    kept.and_then(|frame| frame.select([col("id"), col("price")]))
}

fn reduced(frame: &Frame, call: &str, columns: &[String]) -> talatat::Result<Frame> {
    match call {
        "sum" => frame.sum(columns),
        "mean" => frame.mean(columns),
        "count" => frame.count(columns),
        "min" => frame.min(columns),
        "max" => frame.max(columns),
        "var" => frame.var(columns),
        "std" => frame.std(columns),
        "sem" => frame.sem(columns),
        "skew" => frame.skew(columns),
        "kurtosis" => frame.kurtosis(columns),
        "median" => frame.median(columns),
        "nunique" => frame.nunique(columns),
        other => panic!("{other}"),
    }
}

fn operation(frame: &Frame, case: &Json, parts: u32) -> talatat::Result<Frame> {
    let args = &case["args"];
    let columns = texts(&args["columns"]);
    let named = |name: &str| args[name].as_str().unwrap();
    let group = || frame.groupby(texts(&args["by"]).iter().map(|name| col(name.as_str()))).unwrap().split_out(parts);
    let only = |names: Vec<String>| frame.select(names.iter().map(|name| col(name.as_str())));
    match case["op"].as_str().unwrap() {
        "groupby" => group().agg(texts(&args["aggs"]).into_iter().map(|name| aggregation(&name, named("column")))),
        "groupby_quantile" => {
            let quantile = agg::quantile(named("column"), args["q"].as_f64().unwrap());
            group().agg([quantile.interpolation(interpolation(named("interpolation"))).alias("quantile")])
        }
        "groupby_ddof" => {
            let ddof = args["ddof"].as_u64().unwrap() as u8;
            group().agg(["var", "std", "sem"].map(|name| aggregation(name, named("column")).ddof(ddof)))
        }
        "groupby_pair" => {
            let (x, y) = (col(columns[0].as_str()), col(columns[1].as_str()));
            let pair = if named("agg") == "cov" { agg::cov(x, y) } else { agg::corr(x, y) };
            group().agg([pair.alias(named("agg"))])
        }
        "groupby_idx" => {
            let frame = frame.filter(col("grade").neq(lit("only_missing")))?;
            let group = frame.groupby(["grade"])?.split_out(parts);
            let (column, label) = (named("column"), named("label"));
            let extreme =
                if named("agg") == "idxmin" { agg::idxmin(column, label) } else { agg::idxmax(column, label) };
            group.agg([extreme.alias(named("agg"))])
        }
        "rows" => rows(&group(), args),
        "kept" => kept(&group(), args),
        "value_counts" => {
            let flag = |name: &str| args[name].as_bool().unwrap();
            let options =
                ValueCounts::new().normalize(flag("normalize")).dropna(flag("dropna")).ascending(flag("ascending"));
            frame.value_counts_with(columns, &options)
        }
        "unique" => frame.unique(named("column")),
        "mode" => frame.mode(named("column")),
        "drop_duplicates" => {
            let names = ["id".to_string()].into_iter().chain(columns.clone()).collect();
            only(names)?.drop_duplicates(columns, keep(&args["keep"]))
        }
        "duplicated" => frame.duplicated(columns, keep(&args["keep"])),
        "top" => {
            let n = args["n"].as_u64().unwrap() as usize;
            let present = columns.iter().map(|name| col(name.as_str()).is_not_null()).reduce(Expr::and).unwrap();
            let frame = frame.filter(present)?.select([col("id"), col("shelf"), col("price")])?;
            if named("call") == "nlargest" { frame.nlargest(n, columns) } else { frame.nsmallest(n, columns) }
        }
        "describe" => only(columns)?.describe(),
        "reduce" => reduced(frame, named("call"), &columns),
        "quantile" => frame.quantile_with(columns, numbers(&args["q"]), interpolation(named("interpolation"))),
        "pairs" => {
            if named("call") == "corr" {
                frame.corr(columns)
            } else {
                frame.cov(columns)
            }
        }
        other => panic!("{other}"),
    }
}

#[test]
fn groups_and_statistics_as_pandas() {
    let cases: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}/groups.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (blocksize, parts) in [(1 << 20, 1), (397, 3)] {
        let options = CsvOptions::new().pandas_nulls().blocksize(blocksize).parse_dates(["when"], None);
        let frame = read_csv([format!("{FOLDER}/mixed.csv")], options).unwrap();
        for case in &cases {
            let label = format!("{} {}, blocks of {blocksize}, {parts} parts", case["op"], case["args"]);
            let result = operation(&frame, case, parts).unwrap_or_else(|error| panic!("{label}: {error}"));
            // Every executor gets the small blocks; the large ones are for what is done where there is one partition.
            let mut got = if parts > 1 { everywhere(&result) } else { result.compute_on(&sessions()[0].1).unwrap() };
            let by = texts(&case["args"]["then_sort_by"]);
            if !by.is_empty() {
                let options = SortMultipleOptions::default().with_nulls_last(true);
                got = got.sort(by, options).unwrap();
            }
            let difference = differs(&got, &case["expect"], case["rtol"].as_f64().unwrap());
            wrong.extend(difference.map(|difference| format!("{label}\n    {difference}")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), 2 * cases.len(), wrong.join("\n"));
}
