//! What goes along the rows, summaries of groups, frames combined and texts: pandas' answers, in any partitions.

use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::frame::polars::prelude::*;
use talatat::frame::{
    Ewm, Expanding, Fade, Frame, GroupBy, Interpolate, Keep, LimitDirection, Rolling, Span, ValueCounts, text, time,
};
use talatat::{Compute, Result};

use crate::common::{cut, differs, everywhere, sessions, threads};
use crate::verbs::{cuts, input};

const FIXTURES: &str = include_str!("../fixtures/frames/along.json");

fn some(f: &Frame, names: &[&str]) -> Result<Frame> {
    f.select(names.iter().map(|name| col(*name)))
}

/// The columns that pandas' case has.
fn of_pair(f: &Frame, statistic: &str) -> Result<Frame> {
    some(f, if matches!(statistic, "cov" | "corr") { &["x", "y"] } else { &["x"] })
}

fn expanding(of: &Expanding, statistic: &str) -> Result<Frame> {
    match statistic {
        "sum" => of.sum("x"),
        "mean" => of.mean("x"),
        "min" => of.min("x"),
        "max" => of.max("x"),
        "count" => of.count("x"),
        "var" => of.var("x", 1),
        "std" => of.std("x", 1),
        "sem" => of.sem("x", 1),
        "skew" => of.skew("x"),
        "kurt" => of.kurt("x"),
        "first" => of.first("x"),
        "last" => of.last("x"),
        "cov" => of.cov("x", "y", 1),
        "corr" => of.corr("x", "y"),
        other => panic!("{other}"),
    }
}

fn fading(of: &Fade, statistic: &str) -> Result<Frame> {
    match statistic {
        "mean" => of.mean("x"),
        "sum" => of.sum("x"),
        "var" => of.var("x"),
        "std" => of.std("x"),
        "cov" => of.cov("x", "y"),
        "corr" => of.corr("x", "y"),
        other => panic!("{other}"),
    }
}

fn weights(way: &str) -> Ewm {
    match way {
        "com" => Ewm::com(2.0),
        "span" => Ewm::span(5.0),
        "halflife" => Ewm::halflife(3.0),
        "alpha" | "bias" => Ewm::alpha(0.3),
        "plain" => Ewm::alpha(0.3).adjust(false),
        "ignoring" => Ewm::alpha(0.4).ignore_na(true),
        "both" => Ewm::alpha(0.4).ignore_na(true).adjust(false),
        "least" => Ewm::alpha(0.4).min_periods(5),
        "one" => Ewm::alpha(1.0),
        other => panic!("{other}"),
    }
}

fn rolled(of: &Rolling, statistic: &str) -> Result<Frame> {
    match statistic {
        "first" => of.first("x"),
        "last" => of.last("x"),
        "nunique" => of.nunique("x"),
        "sem" => of.sem("x", 1),
        "skew" => of.skew("x"),
        "kurt" => of.kurt("x"),
        "cov" => of.cov("x", "y", 1),
        "corr" => of.corr("x", "y"),
        "agg" => of.agg([("x", "mean"), ("x", "max"), ("x", "sem")]),
        other => panic!("{other}"),
    }
}

fn interpolated(f: &Frame, way: &str) -> Result<Frame> {
    let options = match way {
        "" => return some(f, &["n", "x"])?.interpolate(["n", "x"]),
        "time" => return some(f, &["t", "x"])?.interpolate_with(["x"], &Interpolate::new().by("t")),
        "limit" => Interpolate::new().limit(2),
        "backward" => Interpolate::new().limit(1).direction(LimitDirection::Backward),
        "both" => Interpolate::new().direction(LimitDirection::Both),
        "both_limit" => Interpolate::new().direction(LimitDirection::Both).limit(1),
        "inside" => Interpolate::new().direction(LimitDirection::Both).inside(true),
        other => panic!("{other}"),
    };
    some(f, &["n", "x"])?.interpolate_with(["n", "x"], &options)
}

fn method(name: &str) -> RankMethod {
    match name {
        "average" => RankMethod::Average,
        "min" => RankMethod::Min,
        "max" => RankMethod::Max,
        "dense" => RankMethod::Dense,
        "first" => RankMethod::Ordinal,
        other => panic!("{other}"),
    }
}

fn windows(f: &Frame, way: &[&str]) -> Result<Frame> {
    let rows = || f.rolling(Span::rows(6)).map(|rolling| rolling.min_periods(3));
    let timed = |span| some(f, &["t", "x"])?.rolling(Span::time("t", span)?);
    let x = || some(f, &["x"]);
    match way {
        ["rank", "down"] => x()?.rolling(Span::rows(6))?.min_periods(3).rank("x", RankMethod::Average, false, false),
        ["rank", "pct"] => x()?.rolling(Span::rows(6))?.min_periods(3).rank("x", RankMethod::Average, true, true),
        ["rank", name] => x()?.rolling(Span::rows(6))?.min_periods(3).rank("x", method(name), true, false),
        ["centered"] => x()?.rolling(Span::rows(5))?.center(true).min_periods(1).nunique("x"),
        ["time", statistic @ ("skew" | "kurt")] => rolled(&timed("6h")?, statistic),
        ["time", statistic] => rolled(&timed("3h")?, statistic),
        ["ties", statistic] => {
            let ties = f.select([col("t").dt().truncate(lit("2h")), col("x")])?;
            let of = ties.rolling(Span::time("t", "5h")?)?;
            match *statistic {
                "sum" => of.sum("x"),
                "mean" => of.mean("x"),
                "min" => of.min("x"),
                "max" => of.max("x"),
                "count" => of.count("x"),
                "var" => of.var("x", 1),
                "std" => of.std("x", 1),
                "median" => of.median("x"),
                _ => of.last("x"),
            }
        }
        ["closed", closed] => {
            let closed = match *closed {
                "both" => ClosedWindow::Both,
                "left" => ClosedWindow::Left,
                _ => ClosedWindow::None,
            };
            timed("3h")?.closed(closed).nunique("x")
        }
        ["groups"] => {
            let some = some(&f.filter(col("k").is_not_null())?, &["k", "x"])?;
            some.rolling(Span::rows(3))?.by(["k"])?.min_periods(1).nunique("x")
        }
        [statistic] => {
            let frame = of_pair(f, statistic)?;
            rolled(&frame.rolling(Span::rows(6))?.min_periods(3), statistic)
        }
        other => panic!("{other:?} {}", rows().is_ok()),
    }
}

fn summary(f: &Frame, name: &str) -> Result<Frame> {
    let group: GroupBy = f.groupby(["k"])?;
    match name {
        "describe" => group.describe("x"),
        "ohlc" => group.ohlc("x"),
        "value_counts" => group.value_counts(["n"]),
        "value_counts_shares" => group.value_counts_with(["n"], &ValueCounts::new().normalize(true).ascending(true)),
        "value_counts_unsorted" => group.value_counts_with(["n"], &ValueCounts::new().sort(false)),
        "pct_change" => group.pct_change(["x"], 1),
        "take" => group.take([0, -1, 2])?.select([col("id")]),
        "get" => group.get_group([lit("a")])?.select([col("id"), col("x")]),
        other => panic!("{other}"),
    }
}

fn combined(f: &Frame, name: &str) -> Result<Frame> {
    let some = |names: &[&str]| some(f, names);
    let a = || some(&["id", "n", "x"])?.filter(col("id").lt(lit(30)));
    let b = || {
        let kept = f.filter((col("id") % lit(3)).gt(lit(0)))?;
        kept.select([col("id"), col("y").alias("x"), col("s")])
    };
    match name {
        "combine_first" => a()?.combine_first(&b()?, ["id"]),
        "update" => a()?.update(&b()?, ["id"]),
        "corrwith" => a()?.corrwith(&b()?, ["id"]),
        "iloc" => some(&["id", "x"])?.iloc(7..31),
        "iloc_end" => some(&["id", "x"])?.iloc(-9..-2),
        "iloc_far" => some(&["id", "x"])?.iloc(40..=98),
        "take" => some(&["id", "x"])?.take([5, -1, 0, 5, 30]),
        "wide_to_long" => {
            let id = |by: i64| col("id") * lit(by);
            let columns = [col("x").alias("A1"), col("y").alias("A2"), id(2).alias("B1"), id(3).alias("B2"), col("k")];
            let wide = f.select([col("id")].into_iter().chain(columns))?.head(9);
            wide.wide_to_long(["A", "B"], ["id"], "year")
        }
        "qcut_ties" => some(&["n"])?.qcut("n", 20, "bin"),
        "qcut_4" => some(&["x"])?.qcut("x", 4, "bin"),
        "qcut_10" => some(&["x"])?.qcut("x", 10, "bin"),
        "asfreq" => {
            let gaps = f.select([col("t").dt().truncate(lit("30m")), col("x")])?;
            gaps.drop_duplicates(["t"], Keep::First)?.asfreq("t", "1h")
        }
        "dot" => f.dot(["id", "y"], &df!("p" => [1.0, 0.5], "q" => [2.0, -1.0]).unwrap()),
        other => panic!("{other}"),
    }
}

fn texts(f: &Frame, name: &str) -> Result<Frame> {
    let s = || col("s");
    let joined = |lists: Expr| lists.list().join(lit("|"), false);
    let expr = match name {
        "capitalize" => text::capitalize(s()),
        "swapcase" => text::swapcase(s()),
        "title" => text::title(s()),
        "center" => text::center(s(), 9, '*'),
        "center_even" => text::center(s(), 10, '*'),
        "repeat" => text::repeat(s(), 2),
        "rfind" => text::rfind(s(), "a"),
        "normalize" => text::normalize(s(), text::Form::Nfd),
        "rsplit" => joined(text::rsplit(s(), None, None)),
        "rsplit_one" => joined(text::rsplit(s(), None, Some(1))),
        "rsplit_by" => joined(text::rsplit(s(), Some("a"), Some(2))),
        "rpartition" => {
            let field = |at| text::rpartition(s(), "a").struct_().field_by_name(&format!("field_{at}"));
            field(0) + lit("|") + field(1) + lit("|") + field(2)
        }
        other => panic!("{other}"),
    };
    f.select([expr.alias("s")])
}

/// The verb with this name.
fn verb(f: &Frame, name: &str) -> Result<Frame> {
    let (family, way) = name.split_once('_').unwrap_or((name, ""));
    let parts: Vec<&str> = way.split('_').collect();
    match (family, parts.as_slice()) {
        ("expanding", [statistic, least]) => {
            expanding(&of_pair(f, statistic)?.expanding(least.parse().unwrap()), statistic)
        }
        ("groups", ["expanding", statistic]) => {
            let frame = some(&f.filter(col("k").is_not_null())?, &["k", "x"])?;
            expanding(&frame.groupby(["k"])?.expanding(2), statistic)
        }
        ("groups", _) => {
            let frame = some(&f.filter(col("k").is_not_null())?, &["k", "x"])?;
            frame.groupby(["k"])?.ewm(Ewm::alpha(0.5))?.mean("x")
        }
        ("ewm", ["bias"]) => some(f, &["x"])?.ewm(weights("bias").bias(true))?.var("x"),
        ("ewm", [statistic, way]) => fading(&of_pair(f, statistic)?.ewm(weights(way))?, statistic),
        ("interpolate", _) => interpolated(f, way),
        ("rank", ["pct"]) => some(f, &["n", "x", "s"])?.rank_pct(["n", "x", "s"], RankMethod::Average, true),
        ("rank", ["pct", "dense"]) => some(f, &["n", "x", "s"])?.rank_pct(["n", "x", "s"], RankMethod::Dense, true),
        ("rank", [name, direction]) => {
            some(f, &["n", "x", "s"])?.rank(["n", "x", "s"], method(name), *direction == "up")
        }
        ("rolling", parts) => windows(f, parts),
        ("group", _) => summary(f, way),
        ("text", _) => texts(f, way),
        ("time", [_, rule]) => f.select([time::ceil(col("t"), &rule.to_lowercase().replace("min", "m"))]),
        _ => combined(f, name),
    }
}

/// A closure stays in its process.
fn with_closure(f: &Frame, name: &str) -> Result<Frame> {
    match name {
        "rolling_apply" => {
            let weighted = |x: &[f64]| (0..).zip(x).filter(|(_, x)| !x.is_nan()).map(|(at, x)| f64::from(at) * x).sum();
            some(f, &["x"])?.rolling(Span::rows(6))?.min_periods(3).apply("x", weighted)
        }
        _ => {
            let range = |x: &[f64]| {
                let values = || x.iter().copied().filter(|x| !x.is_nan());
                values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min)
            };
            some(f, &["t", "x"])?.rolling(Span::time("t", "3h")?)?.apply("x", range)
        }
    }
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
            let got = match name.ends_with("apply") {
                true => with_closure(&frame, name).unwrap().compute_on(threads()).unwrap(),
                false => everywhere(&verb(&frame, name).unwrap_or_else(|error| panic!("{label}: {error}"))),
            };
            let difference = differs(&got, &case["expect"], case["rtol"].as_f64().unwrap());
            wrong.extend(difference.map(|difference| format!("{label}\n    {difference}")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), 2 * cases.len(), wrong.join("\n"));
}

/// Values with nulls, NaNs, infinities and ties.
fn table() -> impl Strategy<Value = DataFrame> {
    let float = prop_oneof![
        4 => (-9..9).prop_map(|x| Some(f64::from(x) / 2.0)),
        1 => Just(None),
        1 => prop_oneof![Just(Some(f64::NAN)), Just(Some(f64::INFINITY)), Just(Some(-0.0))],
    ];
    let key = prop_oneof![4 => (0..4_i64).prop_map(Some), 1 => Just(None)];
    let text = prop::option::weighted(0.8, "[abB ]{0,3}");
    prop::collection::vec((float, key, text, 0..3_i64), 0..40).prop_map(|rows| {
        let times: Vec<i64> = rows
            .iter()
            .scan(0, |time, row| {
                *time += row.3 * 1_800_000_000;
                Some(*time)
            })
            .collect();
        let frame = df!(
            "x" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "y" => rows.iter().rev().map(|row| row.0).collect::<Vec<_>>(),
            "k" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "s" => rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>(),
            "t" => times,
        );
        let micros = DataType::Datetime(TimeUnit::Microseconds, None);
        frame.unwrap().lazy().with_columns([col("t").cast(micros)]).collect().unwrap()
    })
}

/// What must not depend on partitions, to the last bit.
fn invariants(f: &Frame) -> Result<Vec<Frame>> {
    let group = || f.groupby(["k"]);
    let timed = || f.rolling(Span::time("t", "1h")?);
    let all = ["sum", "mean", "min", "max", "count", "var", "sem", "skew", "kurt", "first", "last", "cov", "corr"];
    let mut made = all.iter().map(|name| expanding(&f.expanding(2), name)).collect::<Result<Vec<_>>>()?;
    for name in ["mean", "sum", "std", "cov", "corr"] {
        made.push(fading(&f.ewm(Ewm::alpha(0.3))?, name)?);
    }
    for name in ["first", "last", "nunique", "cov", "corr"] {
        made.push(rolled(&f.rolling(Span::rows(3))?.min_periods(1), name)?);
        made.push(rolled(&timed()?, name)?);
    }
    for name in ["average", "min", "max", "dense", "first"] {
        made.push(f.rank(["x", "s", "k"], method(name), true)?);
        made.push(f.rank(["x", "s"], method(name), false)?);
    }
    made.extend([
        f.rolling(Span::rows(4))?.rank("x", RankMethod::Average, true, true)?,
        f.rolling(Span::rows(3))?.center(true).min_periods(1).nunique("x")?,
        f.rolling(Span::rows(2))?.by(["k"])?.min_periods(1).nunique("x")?,
        f.rank_pct(["x"], RankMethod::Dense, false)?,
        f.interpolate(["x", "y"])?,
        f.interpolate_with(["x"], &Interpolate::new().limit(1).direction(LimitDirection::Both).by("t"))?,
        group()?.expanding(1).sum("x")?,
        group()?.ewm(Ewm::com(1.0))?.mean("x")?,
        group()?.take([1, -1])?,
        group()?.sample(2, 3)?,
        group()?.sample_frac(0.5, 3)?,
        group()?.pct_change(["x"], 1)?,
        group()?.value_counts(["s"])?,
        group()?.get_group([lit(2_i64)])?,
        f.iloc(3..17)?,
        f.iloc(-5..)?,
        f.iloc(-30..-1)?,
        f.qcut("y", 3, "third")?,
        f.is_monotonic_increasing("x")?,
        f.is_monotonic_decreasing("t")?,
        f.is_monotonic_increasing("t")?,
        f.equals(&f.filter(col("k").is_null().or(col("k").gt_eq(lit(0))))?)?,
        f.select([text::title(col("s")), text::rsplit(col("s"), None, None).alias("list")])?,
    ]);
    made.extend(f.random_split([0.25, 0.5, 0.25], 5)?);
    Ok(made)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn partitions_do_not_matter(data in table(), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
        let one = invariants(&Frame::from_partitions([data.clone()]).unwrap()).unwrap();
        // The lengths of filtered partitions are not known before.
        let many = Frame::from_partitions(cut(&data, &cuts)).unwrap();
        let unknown = many.filter(col("t").is_not_null()).unwrap();
        let (known, unknown) = (invariants(&many).unwrap(), invariants(&unknown).unwrap());
        for (number, (one, (known, unknown))) in one.iter().zip(known.iter().zip(&unknown)).enumerate() {
            let want = one.compute_on(&sessions()[0].1).unwrap();
            for got in [everywhere(known), unknown.compute_on(&sessions()[1].1).unwrap()] {
                prop_assert!(want.equals_missing(&got), "number {number}:\n{want}\n{got}");
            }
        }
    }
}

#[test]
fn frames_that_are_equal() {
    let data = df!("x" => [Some(1.0), None, Some(f64::NAN)], "s" => ["a", "b", "c"]).unwrap();
    let frame = |data: &DataFrame, partitions| Frame::from_polars(data.clone(), partitions);
    let other = df!("x" => [Some(1.0), None, Some(2.0)], "s" => ["a", "b", "c"]).unwrap();
    let says = |a: &Frame, b: &Frame| {
        let got = everywhere(&a.equals(b).unwrap());
        got.column("equals").unwrap().bool().unwrap().get(0).unwrap()
    };
    for (a, b) in [(1, 1), (2, 3), (3, 3)] {
        assert!(says(&frame(&data, a), &frame(&data, b)));
        assert!(!says(&frame(&data, a), &frame(&other, b)));
        assert!(!says(&frame(&data, a), &frame(&data.head(Some(2)), b)));
        assert!(!says(&frame(&data, a), &frame(&data, b).rename([("x", "y")]).unwrap()));
        // How many rows are left is not known before.
        let filtered = frame(&data, b).filter(col("s").neq(lit("c"))).unwrap();
        assert!(!says(&frame(&data, a), &filtered) && says(&frame(&data.head(Some(2)), a), &filtered));
    }
}

#[test]
fn windows_that_nobody_reads() {
    let f = Frame::from_polars(df!("x" => [1.0, 2.0], "s" => ["a", "b"]).unwrap(), 2);
    let expect = df!("s" => ["a", "b"]).unwrap();
    for made in [f.shift(["x"], 1), f.cumsum(["x"]), f.rank(["x"], RankMethod::Min, true), f.interpolate(["x"])] {
        assert!(everywhere(&made.unwrap().select([col("s")]).unwrap()).equals(&expect));
    }
}

#[test]
fn samples_of_samples_are_counted() {
    let data = df!("x" => (0..1000_i64).collect::<Vec<_>>()).unwrap();
    let twice = Frame::from_polars(data, 3).sample(0.5, 1).unwrap().sample(0.5, 2).unwrap();
    assert_eq!(crate::common::all_equal(&twice.len()), everywhere(&twice).height());
}

#[test]
fn splits_at_random_are_of_all_rows() {
    let data = df!("x" => (0..3000_i64).collect::<Vec<_>>()).unwrap();
    let parts = Frame::from_polars(data.clone(), 5).random_split([0.7, 0.2, 0.1], 9).unwrap();
    let parts: Vec<DataFrame> = parts.iter().map(everywhere).collect();
    for (part, frac) in parts.iter().zip([0.7, 0.2, 0.1]) {
        assert!((part.height() as f64 - 3000.0 * frac).abs() < 150.0, "{}", part.height());
    }
    let all = parts[0].vstack(&parts[1]).unwrap().vstack(&parts[2]).unwrap();
    assert!(all.sort(["x"], Default::default()).unwrap().equals(&data));
    let sampled = everywhere(&Frame::from_polars(data, 3).groupby([col("x") % lit(7)]).unwrap().sample(5, 1).unwrap());
    assert_eq!(sampled.height(), 35);
}

#[test]
fn along_the_rows_bad_input_is_refused() {
    let data = df!("x" => [1.0, 2.0], "s" => ["a", "b"], "t" => [2_i64, 1]).unwrap();
    let f = Frame::from_polars(data, 2);
    let refused = |result: Result<Frame>, part: &str| {
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("along.rs"), "{error}");
    };
    refused(f.expanding(1).sum("s"), "cast it to a number");
    refused(f.expanding(1).sum("z"), "there is no column `z`");
    refused(f.ewm(Ewm::com(-1.0)).and_then(|ewm| ewm.mean("x")), "must be above 0");
    refused(f.ewm(Ewm::alpha(0.5).adjust(false)).and_then(|ewm| ewm.sum("x")), "no weights");
    refused(f.interpolate(["s"]), "cast it to a number");
    refused(f.interpolate_with(["x"], &Interpolate::new().by("s")), "cannot say where rows stand");
    refused(f.rank(["z"], RankMethod::Min, true), "there is no column `z`");
    refused(f.rolling(Span::rows(2)).and_then(|r| r.agg([("x", "sums")])), "no statistic `sums`");
    refused(f.rolling(Span::rows(2)).and_then(|r| r.rank("x", RankMethod::Dense, true, false)), "choose one of");
    refused(f.combine_first(&f, ["z"]), "there is no column `z`");
    refused(f.corrwith(&f.select([col("s")]).unwrap(), ["s"]), "no column of numbers in common");
    refused(f.qcut("x", 0, "bin"), "at least one");
    refused(f.qcut("x", 2, "s"), "already");
    refused(f.wide_to_long(["z"], ["s"], "j"), "`z` and a number");
    refused(f.tz_localize("x", Some("UTC")), "not of times");
    refused(f.select([text::title(col("x"))]), "text::title is of texts");
    refused(f.groupby(["s"]).and_then(|group| group.get_group([])), "give one for each");
    assert!(f.random_split([0.5, 0.6], 1).unwrap_err().to_string().contains("add up to 1.1"));
    let far = f.take([2]).unwrap().compute().unwrap_err().to_string();
    assert!(far.contains("there is no row 2: there are 2 rows"), "{far}");
}
