//! Joins: pandas' answers in pandas' order, a nested loop over random partitionings, plans, bad input.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{
    ConcatColumns, Direction, Frame, How, MergeAsof, MergeOn, NaPosition, SetIndex, SortOrder, Validate, concat,
    concat_columns,
};
use talatat::{Collection, Compute, Session};

use crate::common::{differs, everywhere};
use crate::order::partitions;

/// A table of the fixtures.
fn table(json: &Json) -> DataFrame {
    let texts = |name: &str| json[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string());
    let rows = json["data"].as_array().unwrap();
    let column = |(at, (name, dtype)): (usize, (String, String))| {
        let cells = rows.iter().map(|row| &row[at]);
        match dtype.as_str() {
            "int64" | "Int64" => Column::new(name.into(), cells.map(Json::as_i64).collect::<Vec<_>>()),
            "float64" => Column::new(name.into(), cells.map(Json::as_f64).collect::<Vec<_>>()),
            "str" => Column::new(name.into(), cells.map(|cell| cell.as_str().map(str::to_string)).collect::<Vec<_>>()),
            other => panic!("{other}"),
        }
    };
    let columns = texts("columns").zip(texts("dtypes")).enumerate().map(column).collect();
    DataFrame::new(rows.len(), columns).unwrap()
}

fn texts(value: &Json) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_string())).collect()
}

fn how(name: &str) -> How {
    match name {
        "inner" => How::Inner,
        "left" => How::Left,
        "right" => How::Right,
        "outer" => How::Outer,
        "cross" => How::Cross,
        other => panic!("{other}"),
    }
}

fn merge(left: &Frame, right: &Frame, args: &Json) -> talatat::Result<Frame> {
    let on = match (&args["on"], &args["left_on"], args["how"].as_str()) {
        (_, _, Some("cross")) => MergeOn::cross(),
        (Json::Array(_), _, _) => MergeOn::keys(texts(&args["on"])),
        (_, Json::Array(_), _) => MergeOn::pairs(texts(&args["left_on"]).into_iter().zip(texts(&args["right_on"]))),
        _ => MergeOn::common(),
    };
    let on = if left.partitions() > 10 { on.broadcast(false) } else { on };
    let mut on = on.how(how(args["how"].as_str().unwrap())).indicator(args["indicator"] == true);
    if let [left, right] = texts(&args["suffixes"]).as_slice() {
        on = on.suffixes(left, right);
    }
    on = on.validate(match args["validate"].as_str() {
        None => Validate::ManyToMany,
        Some("many_to_one") => Validate::ManyToOne,
        Some("one_to_many") => Validate::OneToMany,
        Some("one_to_one") => Validate::OneToOne,
        Some(other) => panic!("{other}"),
    });
    left.merge(right, on)
}

#[test]
fn answers_and_order_are_those_of_pandas() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/frames/joins.json");
    let cases: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let named = |name: &Json| {
        let case = cases.iter().find(|case| case["op"] == "frame" && case["args"]["name"] == *name);
        table(&case.unwrap()["expect"])
    };
    let (mut wrong, mut done) = (Vec::new(), 0);
    for case in cases.iter().filter(|case| case["op"] != "frame") {
        let args = &case["args"];
        for (left, right) in [(1, 1), (4, 1), (12, 8)] {
            let frame = |name: &Json, count: usize| Frame::from_polars(named(name), count);
            let label = format!("{} {args} of {left} and {right} partitions", case["op"]);
            let result = match case["op"].as_str().unwrap() {
                "merge" => merge(&frame(&args["left"], left), &frame(&args["right"], right), args),
                "concat" => {
                    let frames = args["frames"].as_array().unwrap().iter().map(|name| frame(name, left));
                    let join = if args["join"] == "outer" { ConcatColumns::Outer } else { ConcatColumns::Inner };
                    concat(&frames.collect::<Vec<_>>(), join)
                }
                "sort_values" => {
                    let flags: Vec<bool> =
                        args["ascending"].as_array().unwrap().iter().filter_map(Json::as_bool).collect();
                    let position = if args["na_position"] == "first" { NaPosition::First } else { NaPosition::Last };
                    let order = SortOrder::from(flags).na_position(position);
                    frame(&args["frame"], left).sort_values(texts(&args["by"]), order)
                }
                "merge_asof" => {
                    let mut options = MergeAsof::on(args["on"].as_str().unwrap()).by(texts(&args["by"]));
                    options = options.direction(match args["direction"].as_str() {
                        Some("backward") => Direction::Backward,
                        Some("forward") => Direction::Forward,
                        _ => Direction::Nearest,
                    });
                    if let Some(units) = args["tolerance"].as_f64() {
                        options = options.tolerance(units);
                    }
                    options = options.allow_exact_matches(args["allow_exact_matches"] != false);
                    frame(&args["left"], left).merge_asof(&frame(&args["right"], right), options)
                }
                other => panic!("{other}"),
            };
            let failed = result.as_ref().err().map(ToString::to_string);
            let failed = failed.or_else(|| result.as_ref().ok()?.compute().err().map(|error| error.to_string()));
            done += 1;
            match (failed, &case["expect"]["error"]) {
                (Some(_), Json::String(_)) => {}
                (Some(error), _) => wrong.push(format!("{label}\n    {error}")),
                (None, Json::String(error)) => wrong.push(format!("{label}\n    this worked, pandas says {error}")),
                (None, _) => {
                    let got = everywhere(&result.unwrap());
                    let difference = differs(&got, &case["expect"], 0.0);
                    wrong.extend(difference.map(|difference| format!("{label}\n    {difference}\n{got}")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {done} differ:\n{}", wrong.len(), wrong.join("\n"));
}

type Row = (Option<i64>, Option<i64>, Option<i64>);

/// Pairs as a nested loop finds them, in pandas' order: key, left row, right row.
fn nested_loop(left: &[Option<i64>], right: &[Option<i64>], how: How) -> Vec<Row> {
    let pair = |l: usize, r: usize| (left[l], Some(l as i64), Some(r as i64));
    let partners = |key: &Option<i64>, of: &[Option<i64>]| -> Vec<usize> {
        of.iter().enumerate().filter(|(_, other)| *other == key).map(|(at, _)| at).collect()
    };
    let mut rows = Vec::new();
    if how == How::Right {
        for (r, key) in right.iter().enumerate() {
            let found = partners(key, left);
            rows.extend(found.iter().map(|&l| pair(l, r)));
            rows.extend(found.is_empty().then_some((*key, None, Some(r as i64))));
        }
        return rows;
    }
    for (l, key) in left.iter().enumerate() {
        let found = partners(key, right);
        let alone = (*key, Some(l as i64), None);
        match how {
            How::Semi => rows.extend((!found.is_empty()).then_some(alone)),
            How::Anti => rows.extend(found.is_empty().then_some(alone)),
            How::Cross => rows.extend((0..right.len()).map(|r| pair(l, r))),
            _ => {
                rows.extend(found.iter().map(|&r| pair(l, r)));
                rows.extend((how != How::Inner && found.is_empty()).then_some(alone));
            }
        }
    }
    if how == How::Outer {
        for (r, key) in right.iter().enumerate() {
            rows.extend(partners(key, left).is_empty().then_some((*key, None, Some(r as i64))));
        }
        // The order is by key, missing ones last, and what is equal stays.
        rows.sort_by_key(|row| (row.0.is_none(), row.0));
    }
    rows
}

fn numbers(frame: &DataFrame, name: &str) -> Vec<Option<i64>> {
    match frame.column(name) {
        Ok(column) => column.cast(&DataType::Int64).unwrap().i64().unwrap().iter().collect(),
        Err(_) => vec![None; frame.height()],
    }
}

const ALL: [How; 7] = [How::Inner, How::Left, How::Right, How::Outer, How::Semi, How::Anti, How::Cross];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn joins_agree_with_a_nested_loop(
        left in prop::collection::vec(prop::option::weighted(0.85, -3_i64..4), 0..30),
        right in prop::collection::vec(prop::option::weighted(0.85, -3_i64..4), 0..20),
        left_cuts in prop::collection::vec(any::<usize>(), 0..12),
        right_cuts in prop::collection::vec(any::<usize>(), 0..9),
        kind in 0..4,
    ) {
        let data = |keys: &[Option<i64>], row: &str, dtype: &DataType| {
            let rows: Vec<i64> = (0..keys.len() as i64).collect();
            let data = df!("k" => keys, row => rows).unwrap();
            data.lazy().with_column(col("k").cast(dtype.clone())).collect().unwrap()
        };
        // Keys of the same type, of other widths, of integers and floats, of text.
        let types = [[DataType::Int64, DataType::Int64], [DataType::Int16, DataType::Int32], [DataType::Int64, DataType::Float64], [DataType::String, DataType::String]];
        let [l, r] = &types[kind as usize];
        let (l, r) = (data(&left, "l", l), data(&right, "r", r));
        let frames = [partitions(&l, &left_cuts), partitions(&r, &right_cuts)].map(|parts| Frame::from_partitions(parts).unwrap());
        for how in ALL {
            let on = if how == How::Cross { MergeOn::cross().suffixes("", "_right") } else { MergeOn::from("k").how(how) };
            let merged = frames[0].merge(&frames[1], on.clone()).unwrap();
            let got = everywhere(&merged);
            let mut rows: Vec<Row> = numbers(&got, "k").into_iter().zip(numbers(&got, "l")).zip(numbers(&got, "r")).map(|((k, l), r)| (k, l, r)).collect();
            let mut expect = nested_loop(&left, &right, how);
            if kind == 3 && how == How::Outer {
                // Texts have an order of their own.
                rows.sort();
                expect.sort();
            }
            prop_assert_eq!(&rows, &expect, "{:?} of {:?} and {:?}: {}", how, left, right, merged.describe_expression(true));
            // The same by way of a shuffle.
            let moved = frames[0].merge(&frames[1], on.clone().broadcast(false)).unwrap();
            prop_assert!(everywhere(&moved).equals_missing(&got), "{how:?}: {}", moved.describe_expression(true));
            let loose = everywhere(&frames[0].merge(&frames[1], on.broadcast(false).keep_order(false)).unwrap());
            let mut rows: Vec<Row> = numbers(&loose, "k").into_iter().zip(numbers(&loose, "l")).zip(numbers(&loose, "r")).map(|((k, l), r)| (k, l, r)).collect();
            rows.sort();
            expect.sort();
            prop_assert_eq!(rows, expect);
        }
    }

    #[test]
    fn sorted_partitions_meet_where_they_overlap(
        left in prop::collection::vec(prop::option::weighted(0.9, -9_i64..9), 1..40),
        right in prop::collection::vec(prop::option::weighted(0.9, -9_i64..9), 1..40),
        cuts in prop::collection::vec(any::<usize>(), 3..9),
    ) {
        let indexed = |keys: &[Option<i64>], row: &str| {
            let data = df!("k" => keys, row => (0..keys.len() as i64).collect::<Vec<_>>()).unwrap();
            let frame = Frame::from_partitions(partitions(&data, &cuts)).unwrap();
            frame.set_index("k", SetIndex::new()).unwrap().persist().unwrap()
        };
        let (l, r) = (indexed(&left, "l"), indexed(&right, "r"));
        let sorted = |frame: &Frame, row: &str| (numbers(&frame.compute().unwrap(), "k"), numbers(&frame.compute().unwrap(), row));
        let ((left, left_rows), (right, right_rows)) = (sorted(&l, "l"), sorted(&r, "r"));
        for how in [How::Inner, How::Left, How::Semi, How::Anti] {
            let merged = l.merge(&r, MergeOn::from("k").how(how)).unwrap();
            prop_assert!(merged.describe_expression(true).contains("sorted partitions"), "{}", merged.describe_expression(true));
            let got = everywhere(&merged);
            let rows: Vec<Row> = numbers(&got, "k").into_iter().zip(numbers(&got, "l")).zip(numbers(&got, "r")).map(|((k, l), r)| (k, l, r)).collect();
            let named = |row: Row| (row.0, row.1.and_then(|l| left_rows[l as usize]), row.2.and_then(|r| right_rows[r as usize]));
            let expect: Vec<Row> = nested_loop(&left, &right, how).into_iter().map(named).collect();
            prop_assert_eq!(rows, expect);
            // The index is still there.
            let few = merged.loc(-3_i64..=3).unwrap();
            prop_assert_eq!(everywhere(&few).height(), everywhere(&merged.filter(col("k").is_between(lit(-3), lit(3), ClosedInterval::Both)).unwrap()).height());
        }
    }

    #[test]
    fn keys_that_are_never_missing_have_a_table_of_their_own(
        left in prop::collection::vec(-9_i64..9, 0..40),
        right in prop::collection::vec(-9_i64..9, 0..25),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        // Close together or far apart; of two widths; times; texts.
        kind in 0..5,
    ) {
        let data = |keys: &[i64], row: &str, narrow: bool| {
            let key = match kind {
                0 => col("k"),
                1 => col("k") * lit(0x1_0000_0001_i64),
                2 => col("k").cast(if narrow { DataType::Int16 } else { DataType::Int32 }),
                3 => col("k").cast(DataType::Date),
                _ => col("k").cast(DataType::String),
            };
            let data = df!("k" => keys, row => (0..keys.len() as i64).collect::<Vec<_>>()).unwrap();
            data.lazy().with_column(key).collect().unwrap()
        };
        let (l, r) = (data(&left, "l", true), data(&right, "r", false));
        let frames = [partitions(&l, &cuts), partitions(&r, &cuts)].map(|parts| Frame::from_partitions(parts).unwrap());
        let keys = |keys: &[i64]| keys.iter().map(|key| Some(*key)).collect::<Vec<_>>();
        for (how, broadcast) in [How::Inner, How::Left, How::Semi, How::Anti].into_iter().zip([true, false].into_iter().cycle()) {
            let on = MergeOn::from("k").how(how).broadcast(broadcast == (kind % 2 == 0));
            let got = everywhere(&frames[0].merge(&frames[1], on).unwrap());
            let rows: Vec<_> = numbers(&got, "l").into_iter().zip(numbers(&got, "r")).collect();
            let expect: Vec<_> = nested_loop(&keys(&left), &keys(&right), how).into_iter().map(|(_, l, r)| (l, r)).collect();
            prop_assert_eq!(rows, expect, "{:?} of kind {}", how, kind);
        }
    }

    #[test]
    fn frequent_keys_are_spread(
        left in prop::collection::vec(prop::option::weighted(0.95, prop_oneof![4 => Just(7_i64), 1 => 0_i64..40]), 60..160),
        right in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![1 => Just(7_i64), 20 => 0_i64..40]), 1..40),
        left_cuts in prop::collection::vec(any::<usize>(), 2..9),
        right_cuts in prop::collection::vec(any::<usize>(), 0..9),
        turned in any::<bool>(),
    ) {
        let (left, right) = if turned { (right, left) } else { (left, right) };
        let data = |keys: &[Option<i64>], row: &str| df!("k" => keys, row => (0..keys.len() as i64).collect::<Vec<_>>()).unwrap();
        let l = Frame::from_partitions(partitions(&data(&left, "l"), &left_cuts)).unwrap();
        let r = Frame::from_partitions(partitions(&data(&right, "r"), &right_cuts)).unwrap();
        for how in [How::Inner, How::Left, How::Right, How::Outer, How::Semi, How::Anti] {
            for ordered in [true, false] {
                let on = MergeOn::from("k").how(how).broadcast(false).keep_order(ordered);
                let got = if ordered {
                    everywhere(&l.merge(&r, on).unwrap())
                } else {
                    l.merge(&r, on).unwrap().compute().unwrap()
                };
                let mut rows: Vec<Row> = numbers(&got, "k").into_iter().zip(numbers(&got, "l")).zip(numbers(&got, "r")).map(|((k, l), r)| (k, l, r)).collect();
                let mut expect = nested_loop(&left, &right, how);
                if !ordered {
                    rows.sort();
                    expect.sort();
                }
                prop_assert_eq!(rows, expect, "{:?}, ordered: {}", how, ordered);
            }
        }
    }

    #[test]
    fn filters_and_columns_pass_joins(
        left in prop::collection::vec(prop::option::weighted(0.9, 0_i64..4), 0..25),
        right in prop::collection::vec(prop::option::weighted(0.9, 0_i64..4), 0..25),
        cuts in prop::collection::vec(any::<usize>(), 0..9),
        at in 0_usize..6,
    ) {
        let data = |keys: &[Option<i64>]| df!("k" => keys, "v" => (0..keys.len() as i64).collect::<Vec<_>>(), "w" => keys.iter().map(|key| key.map(|key| key * 2)).collect::<Vec<_>>()).unwrap();
        let frames = [data(&left), data(&right)].map(|data| Frame::from_partitions(partitions(&data, &cuts)).unwrap());
        let conditions = [col("k").gt(lit(1)), col("v_x").gt(lit(3)), col("v_y").lt(lit(9)), col("k").is_null(), col("v_x").gt(col("v_y")), col("k").lt(lit(3)).and(col("w_y").is_not_null())];
        for how in [How::Inner, How::Left, How::Right, How::Outer] {
            let merged = frames[0].merge(&frames[1], MergeOn::from("k").how(how).broadcast(at % 2 == 0)).unwrap();
            let filtered = merged.filter(conditions[at].clone()).unwrap();
            // One of the sessions of `everywhere` leaves all rewrites out.
            everywhere(&filtered);
            everywhere(&filtered.select([col("v_y")]).unwrap());
            let rows = everywhere(&filtered).height();
            prop_assert_eq!(crate::common::all_equal(&filtered.len()), rows);
        }
    }
}

fn shown(frame: &Frame) -> String {
    let clean = |text: String| text.trim_end().to_string();
    for rule in ["filter_pushdown", "projection_pushdown", "join_order", "algorithms", "skewed_keys"] {
        let session = Session::builder().executor(ExecutorChoice::Synchronous).skip(rule).build().unwrap();
        assert!(everywhere(frame).equals_missing(&frame.compute_on(&session).unwrap()), "without {rule}");
    }
    format!("{}\n--\n{}", clean(frame.describe_expression(false)), clean(frame.describe_expression(true)))
}

fn trips(count: usize) -> Frame {
    let data = df!("town" => ["Lyon", "Oslo", "Rome", "Lyon"], "fare" => [1, 2, 3, 4], "tip" => [0, 1, 0, 1]).unwrap();
    Frame::from_polars(data, count)
}

fn towns(count: usize) -> Frame {
    let data = df!("town" => ["Oslo", "Lyon"], "people" => [709, 522], "land" => ["NO", "FR"]).unwrap();
    Frame::from_polars(data, count)
}

#[test]
fn plans_say_what_was_chosen() {
    let frame = trips(3).merge(&towns(1), "town").unwrap();
    let frame = frame.filter(col("fare").gt(lit(1)).and(col("people").gt(lit(600)))).unwrap();
    assert_snapshot!(shown(&frame.select([col("land")]).unwrap()), @r#"
    select col("land")
      filter [([(col("fare")) > (dyn int: 1)]) & ([(col("people")) > (dyn int: 600)])]
        merge inner on town
          from_polars: 3 partitions [town, fare, tip]
          from_polars: 1 partitions [town, people, land]
    --
    select col("land")
      merge inner on town: broadcast of the right side (left about 96 B, right about 64 B, 3 partitions on the left)
        select col("town")
          filter [(col("fare")) > (dyn int: 1)]
            from_polars: 3 partitions [town, fare, tip]
        select col("town"), col("land")
          filter [(col("people")) > (dyn int: 600)]
            from_polars: 1 partitions [town, people, land]
    "#);
    let frame = trips(4).merge(&towns(2), MergeOn::from("town").how(How::Outer)).unwrap();
    let frame = frame.filter(col("town").neq(lit("Rome")).and(col("fare").gt(lit(1)))).unwrap();
    assert_snapshot!(shown(&frame), @r#"
    filter [([(col("town")) != ("Rome")]) & ([(col("fare")) > (dyn int: 1)])]
      merge outer on town
        from_polars: 4 partitions [town, fare, tip]
        from_polars: 2 partitions [town, people, land]
    --
    filter [(col("fare")) > (dyn int: 1)]
      merge outer on town: hash shuffle to 4 partitions (left about 0 B, right about 0 B)
        filter [(col("town")) != ("Rome")]
          from_polars: 4 partitions [town, fare, tip]
        filter [(col("town")) != ("Rome")]
          from_polars: 2 partitions [town, people, land]
    "#);
}

#[test]
fn one_key_does_not_fill_one_task() {
    // Nine of ten rows have one key.
    let keys: Vec<i64> = (0..4000).map(|row| if row % 10 == 0 { row } else { -1 }).collect();
    let large = df!("k" => keys, "row" => (0_i64..4000).collect::<Vec<_>>()).unwrap();
    let large = Frame::from_polars(large, 8);
    let small = df!("k" => [-1_i64, 10, 20, -1, 5], "v" => [1_i64, 2, 3, 4, 5]).unwrap();
    let small = Frame::from_polars(small, 3);
    for (left, right, how) in [
        (&large, &small, How::Inner),
        (&large, &small, How::Left),
        (&small, &large, How::Inner),
        (&small, &large, How::Right),
    ] {
        let on = MergeOn::from("k").how(how).broadcast(false);
        let merged = left.merge(right, on.clone()).unwrap();
        everywhere(&merged);
        // Unordered rows stay where they were joined.
        let parts = left.merge(right, on.keep_order(false)).unwrap();
        let plan = parts.describe_expression(true);
        assert!(plan.contains("frequent keys of the"), "{plan}");
        if parts.partitions() == 8 {
            let heights: Vec<usize> =
                (0..8).map(|part| parts.get_partition(part).unwrap().compute().unwrap().height()).collect();
            let (most, all) = (heights.iter().max().unwrap(), heights.iter().sum::<usize>());
            assert!(*most * 4 < all, "{how:?}: {heights:?}");
        }
    }
    // A row without a partner would come out once a part.
    let outer = large.merge(&small, MergeOn::from("k").how(How::Outer).broadcast(false)).unwrap();
    assert!(!outer.describe_expression(true).contains("frequent"));
}

#[test]
fn what_the_filters_leave_decides() {
    let rows = 200_000_i64;
    let large = df!("k" => (0..rows).map(|row| row % 1000).collect::<Vec<_>>(), "v" => (0..rows).collect::<Vec<_>>());
    let large = Frame::from_polars(large.unwrap(), 8);
    let other = large.select([col("k"), col("v").alias("w"), col("v").alias("x")]).unwrap();
    let shown = |frame: &Frame| frame.describe_expression(true);
    let all = large.merge(&other, "k").unwrap();
    assert!(shown(&all).contains("hash shuffle to 8 partitions"), "{}", shown(&all));
    assert!(!all.describe_expression(false).contains("shuffle"), "{}", all.describe_expression(false));
    let one =
        large.merge(&other, "k").unwrap().filter(col("x").lt(lit(5)).and(col("w").lt(lit(9))).and(col("w").gt(lit(2))));
    let one = one.unwrap();
    assert_eq!(one.partitions(), all.partitions());
    assert_eq!(everywhere(&one).height(), 400);
}

#[test]
fn a_frame_meets_itself() {
    let data = df!("k" => [1, 2, 2, 3], "v" => [1, 2, 3, 4]).unwrap();
    let frame = Frame::from_polars(data, 3).filter(col("v").lt(lit(9))).unwrap();
    let merged = frame.merge(&frame, MergeOn::from("k").broadcast(false)).unwrap();
    let few = merged.filter(col("v_x").gt(lit(1)).and(col("v_y").lt(lit(4)))).unwrap();
    let got = everywhere(&few.select([col("v_y"), col("v_x")]).unwrap());
    assert!(got.equals(&df!("v_y" => [2, 3, 2, 3], "v_x" => [2, 2, 3, 3]).unwrap()), "{got}");
    assert_eq!(crate::common::all_equal(&merged.len()), 6);
}

#[test]
fn indices_join() {
    let left = df!("day" => [1_i64, 2, 4], "x" => [10, 20, 40]).unwrap();
    let right = df!("when" => [2_i64, 4, 5], "y" => ["b", "d", "e"]).unwrap();
    let left = Frame::from_polars(left, 2).set_index("day", SetIndex::new()).unwrap();
    let right = Frame::from_polars(right, 3).set_index("when", SetIndex::new().sorted(true)).unwrap();
    let got = everywhere(&left.join(&right, How::Left).unwrap());
    let expect = df!("day" => [1_i64, 2, 4], "x" => [10, 20, 40], "y" => [None, Some("b"), Some("d")]).unwrap();
    assert!(got.equals_missing(&expect), "{got}");
}

#[test]
fn frames_side_by_side() {
    let base = Frame::from_polars(df!("x" => [1, 2, 3, 4, 5]).unwrap(), 3);
    let kept = base.filter(col("x").gt(lit(1))).unwrap();
    let twice = kept.select([(col("x") * lit(2)).alias("twice")]).unwrap();
    let both = concat_columns([&kept, &twice]).unwrap();
    assert!(everywhere(&both).equals(&df!("x" => [2, 3, 4, 5], "twice" => [4, 6, 8, 10]).unwrap()));
    assert_eq!(everywhere(&both.select([col("twice")]).unwrap()).height(), 4);
    assert_eq!(crate::common::all_equal(&both.len()), 4);
    // Lengths that are not known before differ when it runs.
    let others = base.filter(col("x").lt(lit(5))).unwrap().select([col("x").alias("y")]).unwrap();
    let in_order = &crate::common::sessions()[0].1;
    let error = concat_columns([&kept, &others]).unwrap().compute_on(in_order).unwrap_err().to_string();
    assert!(error.contains("partition 0 has 0 rows in the first frame and 1 in frame 2"), "{error}");
}

#[test]
fn nearest_rows_need_an_order() {
    let (left, right) =
        (df!("t" => [1, 2, 3], "x" => [1, 2, 3]).unwrap(), df!("t" => [3, 1, 2], "y" => [1, 2, 3]).unwrap());
    let (left, right) = (Frame::from_polars(left, 2), Frame::from_polars(right, 2));
    let error = left.merge_asof(&right, MergeAsof::on("t")).unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("the key `t` of the right frame is not in order; use `sort_values`"), "{error}");
    let sorted = right.sort_values(["t"], true).unwrap();
    let joined = left.merge_asof(&sorted, MergeAsof::on("t").allow_exact_matches(false)).unwrap();
    let joined = joined.filter(col("x").gt(lit(1))).unwrap();
    let expect = df!("t" => [2, 3], "x" => [2, 3], "y" => [2, 3]).unwrap();
    assert!(everywhere(&joined).equals(&expect));
    assert_eq!(everywhere(&joined.select([col("y")]).unwrap()).width(), 1);
    let days = [df!("t" => [Some(1), None], "y" => [1, 2]).unwrap()];
    let error = left.merge_asof(&Frame::from_partitions(days).unwrap(), MergeAsof::on("t")).unwrap().compute();
    assert!(error.unwrap_err().to_string().contains("has missing values"));
    says(left.merge_asof(&right, MergeAsof::on("t").within(std::time::Duration::from_secs(1))), &["tolerance", "`t`"]);
}

#[track_caller]
fn says(result: talatat::Result<Frame>, parts: &[&str]) {
    let error = result.map(|_| ()).unwrap_err().to_string();
    for part in parts.iter().chain(&["joins.rs:"]) {
        assert!(error.contains(part), "no {part:?} in: {error}");
    }
}

#[test]
fn what_cannot_be_joined() {
    let (trips, towns) = (trips(2), towns(2));
    says(trips.merge(&towns, "twon"), &["merge", "the left frame has no column `twon`", "town (str)"]);
    says(
        trips.merge(&towns, MergeOn::pairs([("fare", "land")])),
        &["`fare` is of type i32", "`land` of type str", "cast"],
    );
    says(trips.merge(&trips, MergeOn::from("town").suffixes("", "")), &["two columns `fare`", "suffixes"]);
    says(trips.merge(&towns, MergeOn::cross().how(How::Left)), &["a cross join has no keys"]);
    says(trips.merge(&towns, MergeOn::keys(Vec::<String>::new())), &["there is no key"]);
    says(trips.merge(&towns, MergeOn::from("town").how(How::Semi).indicator(true)), &["indicator"]);
    says(trips.join(&towns, How::Left), &["the left frame has no index", "set_index"]);
    says(concat([], ConcatColumns::Outer), &["there is no frame"]);
    says(concat([&trips.select([col("tip")]).unwrap(), &towns], ConcatColumns::Inner), &["no column in common"]);
    let renamed = towns.select([col("land").alias("fare")]).unwrap();
    says(concat([&trips, &renamed], ConcatColumns::Outer), &["`fare` is of the types i32, str"]);
    says(concat_columns([&trips, &towns]), &["the column `town` is there twice"]);
    says(
        concat_columns([&trips, &renamed.repartition(1).unwrap().select([col("fare").alias("z")]).unwrap()]),
        &["1 partitions and the first one 2"],
    );
    let twice = trips.merge(&trips, MergeOn::from("town").validate(Validate::OneToOne)).unwrap();
    let error = twice.compute().unwrap_err().to_string();
    assert!(error.contains("the keys town of the left frame are not unique"), "{error}");
}
