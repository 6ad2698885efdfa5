//! Verbs one after the other, at random: partitions, executors and rewrites must not change the answer.

use proptest::prelude::*;
use talatat::frame::polars::prelude::*;
use talatat::frame::{
    ConcatColumns, Direction, DropNa, Ewm, Frame, How, Keep, MergeAsof, MergeOn, NaPosition, SetIndex, SortOrder, Span,
    agg, concat,
};
use talatat::{Compute, Result};

use crate::common::{cut, sessions};

const COLUMNS: [&str; 6] = ["id", "k", "n", "x", "s", "t"];

/// A verb: which one, and how.
type Verb = (u8, u16);

/// Numbers that sums keep exactly, however they are put together.
fn snapped(expr: Expr) -> Expr {
    let eighths = (expr.cast(DataType::Float64).clip(lit(-1e5), lit(1e5)) * lit(8.0)).round(0, RoundMode::HalfToEven);
    (eighths / lit(8.0)).alias("x")
}

/// The columns that all verbs know, in order; what is not there is made.
fn whole(f: Frame, made: &[(&str, Expr)]) -> Result<Frame> {
    let types = [
        DataType::Int64,
        DataType::Int64,
        DataType::Int64,
        DataType::Float64,
        DataType::String,
        DataType::Datetime(TimeUnit::Microseconds, None),
    ];
    let column = |(name, dtype): (&str, DataType)| {
        let found = made.iter().find(|(other, _)| *other == name).map(|(_, expr)| expr.clone());
        let expr = found.unwrap_or_else(|| col(name)).cast(dtype);
        if name == "x" { snapped(expr) } else { expr.alias(name) }
    };
    f.select(COLUMNS.into_iter().zip(types).map(column).collect::<Vec<_>>())
}

fn sorted(f: &Frame, by: &[&str]) -> Result<Frame> {
    f.sort_values(by.iter().copied(), true)
}

/// One verb. `other` is a second frame.
fn apply(f: &Frame, other: &Frame, (verb, how): Verb) -> Result<Frame> {
    let pick = |n: u16| i64::from(how % n);
    let (low, flag) = (pick(9) - 4, how % 2 == 0);
    let key = |at: u16| ["k", "n", "s", "x", "id"][usize::from(at) % 5];
    let group = || f.groupby([["k", "s", "n"][usize::from(how / 7) % 3]]).map(|group| group.dropna(flag));
    match verb % 40 {
        0 => f.filter(col("n").gt(lit(low))),
        1 => f.filter(col("k").is_not_null().or(col("x").lt(lit(low)))),
        2 => whole(
            f.clone(),
            &[("x", col("x") * lit(2.0) + col("n").cast(DataType::Float64)), ("n", col("n") - lit(low))],
        ),
        3 => {
            let nulls = if how % 3 == 0 { NaPosition::First } else { NaPosition::Last };
            f.sort_values(
                [key(how), key(how / 5 + 1 + how % 4)],
                SortOrder::from([flag, how % 4 < 2]).na_position(nulls),
            )
            .or_else(|_| f.sort_values([key(how)], flag))
        }
        4 => f.drop_duplicates([key(how)], [Keep::First, Keep::Last, Keep::None][usize::from(how / 5) % 3]),
        5 => match how % 4 {
            0 => whole(f.cumsum(["x", "n"])?, &[]),
            1 => f.cummin(["x", "n"]),
            2 => f.cummax(["x"]),
            _ => whole(f.expanding(1).mean("x")?, &[("x", col("x_mean"))]),
        },
        6 => {
            if flag {
                f.ffill(["n", "s", "x", "k"])
            } else {
                f.bfill(["n", "s", "x", "t"])
            }
        }
        7 => f.shift(["n", "s"], low),
        8 => {
            let hows = [How::Inner, How::Left, How::Right, How::Outer, How::Semi, How::Anti];
            let right = other.select([col("k"), col("n").alias("n2"), col("s").alias("s2")])?;
            let on = MergeOn::keys(["k"]).how(hows[usize::from(how) % 6]);
            let on = if how % 5 == 0 { on.broadcast(flag) } else { on };
            let both = f.head(40).merge(&right.head(7), on)?;
            match how % 6 {
                4 | 5 => Ok(both),
                _ => whole(both, &[("n", col("n").fill_null(col("n2"))), ("s", col("s2"))]),
            }
        }
        9 => {
            let means = group()?.agg([agg::mean("x").alias("m"), agg::size().alias("size")])?;
            let on: Vec<String> = means.column_names().into_iter().take(1).map(String::from).collect();
            whole(f.merge(&means, MergeOn::keys(on).how(How::Left))?, &[("x", col("m")), ("n", col("size"))])
        }
        10 => whole(
            group()?.with_columns([col("x").sum().alias("sum"), col("n").max().alias("n2")])?,
            &[("x", col("sum")), ("n", col("n2"))],
        ),
        11 => {
            let aggs = [
                agg::sum("x").alias("x_"),
                agg::first("s").alias("s_"),
                agg::max("n").alias("n_"),
                agg::last("id").alias("id_"),
                agg::min("t").alias("t_"),
                agg::nunique("k").alias("k_"),
            ];
            let names = ["x", "s", "n", "id", "t", "k"].map(|name| (name, col(format!("{name}_"))));
            whole(group()?.sort(how % 3 > 0).agg(aggs)?, &names)
        }
        12 => {
            let aggs = [
                agg::median("x").alias("x_"),
                agg::first("id").alias("id_"),
                agg::min("t").alias("t_"),
                agg::size().alias("n_"),
            ];
            let table = f.groupby(["k", "s"])?.dropna(flag).agg(aggs)?;
            whole(table, &["x", "id", "t", "n"].map(|name| (name, col(format!("{name}_")))))
        }
        13 => concat([&f.head(30), &f.filter(col("n").lt(lit(low)))?.head(20)], ConcatColumns::Outer),
        14 => match how % 5 {
            0 => Ok(f.head(usize::from(how) % 30)),
            1 => f.tail(usize::from(how) % 30),
            2 => f.iloc(low..i64::from(how) % 30),
            3 => f.iloc(i64::from(how) % 20..),
            _ => f.iloc(-i64::from(how) % 30..-2),
        },
        15 => f.repartition(1 + usize::from(how) % 7),
        16 => f.shuffle([key(how)], 1 + usize::from(how) % 5).and_then(|f| sorted(&f, &COLUMNS)),
        17 => {
            let methods =
                [RankMethod::Average, RankMethod::Min, RankMethod::Max, RankMethod::Dense, RankMethod::Ordinal];
            let names = ["x", "n"];
            whole(f.rank(names, methods[usize::from(how) % 5], how % 3 > 0)?, &[])
        }
        18 => {
            if flag {
                f.dropna_with(DropNa::Any, [key(how)])
            } else {
                f.fillna(lit(low))
            }
        }
        19 => {
            let present = f.dropna_with(DropNa::Any, [key(how)])?;
            if flag {
                present.nlargest(usize::from(how) % 20, [key(how)])
            } else {
                present.nsmallest(usize::from(how) % 20, [key(how), "id"])
            }
        }
        20 => {
            let counts = f.value_counts(["k"])?;
            let none = || lit(NULL);
            whole(counts, &[("n", col("count")), ("x", col("k")), ("id", col("k")), ("s", none()), ("t", none())])
        }
        21 => {
            let rolling = f.rolling(Span::rows(1 + pick(6) as u64))?.min_periods(1);
            match how % 4 {
                0 => whole(rolling.sum("x")?, &[("x", col("x_sum"))]),
                1 => whole(rolling.center(true).max("n")?, &[("n", col("n_max"))]),
                2 => whole(rolling.by(["k"])?.min("x")?, &[("x", col("x_min"))]),
                _ => whole(rolling.nunique("n")?, &[("n", col("n_nunique"))]),
            }
        }
        22 => {
            let timed = sorted(&f.dropna_with(DropNa::Any, ["t"])?, &["t"])?;
            let rolling = timed.rolling(Span::time("t", ["30m", "1h", "3h"][usize::from(how) % 3])?)?;
            match how % 4 {
                0 => whole(rolling.sum("x")?, &[("x", col("x_sum"))]),
                1 => whole(rolling.count("n")?, &[("n", col("n_count"))]),
                2 => whole(rolling.max("n")?, &[("n", col("n_max"))]),
                _ => whole(rolling.last("n")?, &[("n", col("n_last"))]),
            }
        }
        23 => {
            let indexed = f.dropna_with(DropNa::Any, ["id"])?.set_index("id", SetIndex::new())?;
            sorted(&indexed.loc(low * 4..=low * 4 + 30)?, &COLUMNS)
        }
        24 => match how % 4 {
            0 => group()?.head(1 + pick(3) as usize),
            1 => group()?.tail(1 + pick(3) as usize),
            2 => group()?.nth(low),
            _ => group()?.take([0, -1]),
        },
        25 => {
            let (group, number) = (group()?, pick(5));
            let made = match number {
                0 => group.with_columns([col("x").cum_sum(false).alias("x2")])?,
                1 => group.with_columns([col("x").shift(lit(low)).alias("x2")])?,
                2 => group
                    .with_columns([col("n").rank(RankOptions::default(), None).cast(DataType::Float64).alias("x2")])?,
                3 => group
                    .with_columns([col("x").fill_null_with_strategy(FillNullStrategy::Forward(None)).alias("x2")])?,
                _ => return whole(group.ewm(Ewm::alpha(0.5))?.mean("x")?, &[("x", col("x_mean"))]),
            };
            whole(made, &[("x", col("x2"))])
        }
        26 => {
            let (left, right) = (f.dropna_with(DropNa::Any, ["t"])?, other.dropna_with(DropNa::Any, ["t"])?);
            let directions = [Direction::Backward, Direction::Forward, Direction::Nearest];
            let right = sorted(&right, &["t", "id"])?.select([col("t"), col("n").alias("n2")])?;
            let on = MergeAsof::on("t").direction(directions[usize::from(how) % 3]);
            whole(sorted(&left, &["t"])?.merge_asof(&right, on)?, &[("n", col("n2"))])
        }
        27 => f.sample(f64::from(how % 10) / 10.0, u64::from(how)),
        28 => match how % 3 {
            0 => whole(f.interpolate(["x"])?, &[]),
            1 => whole(f.ewm(Ewm::alpha(0.25))?.mean("x")?, &[("x", col("x_mean"))]),
            _ => whole(f.diff(["n", "x"], low)?, &[]),
        },
        29 => f.combine_first(&other.drop_duplicates(["id"], Keep::First)?.head(9), ["id"]).and_then(|f| whole(f, &[])),
        30 => whole(f.clone(), &[("s", col("s").str().to_uppercase() + lit("b")), ("k", col("k") % lit(3))]),
        31 => f.where_(col("n").gt(lit(low)), lit(NULL)).and_then(|f| whole(f, &[])),
        32 => whole(f.with_row_index("row", 0)?, &[("id", col("row"))]),
        33 => {
            let part = f.filter(col("n").gt(lit(low)))?.head(12).select([
                col("k"),
                col("id").alias("id2"),
                col("x").alias("x2"),
            ])?;
            let both = f.head(12).merge(&part, MergeOn::keys(["k"]).how(if flag { How::Inner } else { How::Left }))?;
            whole(both, &[("x", col("x2")), ("n", col("id2"))])
        }
        34 => {
            let bins = f.dropna_with(DropNa::Any, ["t"])?.resample("t", ["1h", "20m"][usize::from(how) % 2])?;
            let aggs = [
                agg::sum("x").alias("x_"),
                agg::first("s").alias("s_"),
                agg::max("n").alias("n_"),
                agg::count("id").alias("id_"),
            ];
            let names = ["x", "s", "n", "id"].map(|name| (name, col(format!("{name}_"))));
            whole(bins.agg(aggs)?, &[&names[..], &[("k", lit(low))]].concat())
        }
        35 => f.dropna_with(DropNa::Any, ["t"])?.drop_duplicates(["t"], Keep::Last)?.asfreq("t", "20m"),
        36 => whole(f.qcut("x", 1 + u32::from(how % 5), "bin")?, &[("n", col("bin"))]),
        37 => whole(f.clone(), &[("x", lit(1.5)), ("s", col("s").fill_null(lit("z")))]),
        38 => f.update(&other.drop_duplicates(["k"], Keep::First)?.dropna_with(DropNa::Any, ["k"])?, ["k"]),
        _ => whole(
            group()?.value_counts(["id"])?,
            &[("n", col("count")), ("k", col("id")), ("x", col("id")), ("s", lit("v")), ("t", lit(NULL))],
        ),
    }
}

/// Rows with ties, nulls, NaNs and times in order.
fn rows(most: usize) -> impl Strategy<Value = DataFrame> {
    let float = prop_oneof![
        6 => (-9..9).prop_map(|x| Some(f64::from(x) / 2.0)),
        2 => Just(None),
        1 => prop_oneof![Just(Some(f64::NAN)), Just(Some(-0.0))],
    ];
    let small = |n: i64| prop::option::weighted(0.85, 0..n);
    let text = prop::option::weighted(0.85, "[abß ]{0,2}");
    prop::collection::vec((float, small(4), small(9), text, 0..3_i64), 0..most).prop_map(|rows| {
        let times = rows.iter().scan(0, |time, row| {
            *time += row.4 * 1_200_000_000;
            Some(*time)
        });
        let times: Vec<i64> = times.collect();
        let frame = df!(
            "id" => (0..rows.len() as i64).collect::<Vec<_>>(),
            "k" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "n" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            "x" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "s" => rows.iter().map(|row| row.3.clone()).collect::<Vec<_>>(),
            "t" => times,
        );
        let micros = DataType::Datetime(TimeUnit::Microseconds, None);
        frame.unwrap().lazy().with_columns([col("t").cast(micros)]).collect().unwrap()
    })
}

/// Some of the columns, of some of the rows: what is not wanted need not be made.
fn seen(f: Frame, some: u16) -> Result<Frame> {
    let f = if some.is_multiple_of(3) { f.filter(col("n").lt(lit(6)).or(col("id").is_null()))? } else { f };
    let kept = COLUMNS.iter().enumerate().filter(|(at, _)| some >> at & 1 == 1 || *at == usize::from(some) % 6);
    f.select(kept.map(|(_, name)| col(*name)).collect::<Vec<_>>())
}

/// What the verbs make of a frame in one partition, and of the same rows in several.
fn both(
    data: &(DataFrame, Vec<usize>),
    other: &(DataFrame, Vec<usize>),
    verbs: &[Verb],
    some: u16,
) -> std::result::Result<(), TestCaseError> {
    let parts = |(data, cuts): &(DataFrame, Vec<usize>)| Frame::from_partitions(cut(data, cuts)).unwrap();
    let whole = |(data, _): &(DataFrame, Vec<usize>)| Frame::from_partitions([data.clone()]).unwrap();
    let run = |mut f: Frame, other: Frame| -> Result<Frame> {
        for verb in verbs {
            f = apply(&f, &other, *verb)?;
        }
        if some < 128 { seen(f, some) } else { Ok(f) }
    };
    let (one, many) = match (run(whole(data), whole(other)), run(parts(data), parts(other))) {
        (Ok(one), Ok(many)) => (one, many),
        (Err(_), Err(_)) => return Ok(()),
        (one, many) => {
            let text = |result: Result<Frame>| result.map(|_| ()).map_err(|error| error.to_string());
            return Err(TestCaseError::fail(format!("{:?} and {:?}", text(one), text(many))));
        }
    };
    let want = one.compute_on(&sessions()[0].1);
    for (name, session) in sessions() {
        let got = many.compute_on(session);
        match (&want, got) {
            (Ok(want), Ok(got)) => {
                prop_assert!(want.equals_missing(&got), "on {name}, one partition:\n{want}\nseveral:\n{got}");
                prop_assert_eq!(&**got.schema(), &**many.schema());
                prop_assert_eq!(
                    many.len().compute_on(session).unwrap(),
                    want.height(),
                    "the number of rows, on {}",
                    name
                );
            }
            (Err(_), Err(_)) => {}
            (want, got) => {
                let texts = [want.as_ref().err().map(ToString::to_string), got.err().map(|error| error.to_string())];
                prop_assert!(false, "on {name}, one partition or several: {texts:?}");
            }
        }
    }
    Ok(())
}

/// More of them for a search: `PIPELINES=2000 cargo test --test frame pipelines`.
fn cases() -> u32 {
    std::env::var("PIPELINES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_verbs_on_any_partitions(
        data in (rows(40), prop::collection::vec(any::<usize>(), 0..5)),
        other in (rows(12), prop::collection::vec(any::<usize>(), 0..3)),
        verbs in prop::collection::vec((any::<u8>(), 0..2000_u16), 1..7),
        some in 0..256_u16,
    ) {
        both(&data, &other, &verbs, some)?;
    }
}
