//! Parquet files: what others have written, what is pushed down, and files that cannot be read.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, ParquetOptions, SchemaDrift, read_parquet};
use talatat::storage::{Location, write_atomic};

use crate::common::{all_equal, everywhere, place, says, sessions};

pub(crate) fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/frames/files/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A cell as `make_frame_files.py` writes it.
fn cell(value: &AnyValue<'_>) -> Json {
    match value {
        AnyValue::Null => Json::Null,
        AnyValue::Boolean(value) => Json::from(*value),
        AnyValue::Float32(value) => Json::from(f64::from(*value).to_string()),
        AnyValue::Float64(value) => Json::from(value.to_string()),
        AnyValue::UInt64(value) => Json::from(*value),
        AnyValue::Datetime(value, ..) | AnyValue::Duration(value, _) | AnyValue::Time(value) => Json::from(*value),
        AnyValue::DatetimeOwned(value, ..) => Json::from(*value),
        AnyValue::Date(days) => Json::from(*days),
        AnyValue::Decimal(..) => Json::from(value.to_string()),
        AnyValue::Categorical(..) | AnyValue::CategoricalOwned(..) | AnyValue::Enum(..) => {
            Json::from(value.get_str().unwrap().to_string())
        }
        other => match other.get_str() {
            Some(text) => Json::from(text),
            None => Json::from(other.try_extract::<i64>().unwrap()),
        },
    }
}

fn same(have: &Json, want: &Json) -> bool {
    match (have, want) {
        (Json::String(have), Json::String(want)) if have != want => match (have.parse::<f64>(), want.parse::<f64>()) {
            (Ok(have), Ok(want)) => have == want || have.is_nan() && want.is_nan(),
            _ => false,
        },
        _ => have == want,
    }
}

/// Compares with what pyarrow reads.
pub(crate) fn as_expected(got: &DataFrame, name: &str) {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: Json = serde_json::from_str(&text).unwrap();
    let columns = expected[name].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(got.get_column_names().iter().map(|name| name.as_str()).collect::<Vec<_>>(), names);
    for column in columns {
        let have = got.column(column["name"].as_str().unwrap()).unwrap();
        let want = column["data"].as_array().unwrap();
        assert_eq!(have.len(), want.len());
        for (row, want) in want.iter().enumerate() {
            let have = cell(&have.get(row).unwrap());
            assert!(same(&have, want), "{}, row {row}: {have}, not {want}", column["name"]);
        }
    }
}

fn read(name: &str) -> Frame {
    read_parquet([fixture(name)], ParquetOptions::new()).unwrap()
}

#[test]
fn files_of_others() {
    for (file, name) in [
        ("types.parquet", "types"),
        ("types_v2.parquet", "types"),
        ("empty.parquet", "empty"),
        ("pandas.parquet", "pandas"),
        ("duckdb.parquet", "duckdb"),
    ] {
        let frame = read(file);
        as_expected(&everywhere(&frame), name);
        // Row groups alone, and cut.
        for bytes in [1, 400, 4000] {
            let cut = read_parquet([fixture(file)], ParquetOptions::new().partition_bytes(bytes)).unwrap();
            as_expected(&everywhere(&cut), name);
        }
    }
    let types = read("types.parquet");
    let dtype = |name: &str| types.schema().get(name).unwrap().to_string();
    assert_eq!(dtype("zoned"), "datetime[μs, Europe/Paris]");
    assert_eq!(dtype("money"), "decimal[12,2]");
    assert!(matches!(types.schema().get("dictionary"), Some(DataType::Categorical(..))), "{}", dtype("dictionary"));
}

#[test]
fn folders_are_columns() {
    let frame = read("hive");
    assert_eq!(frame.column_names(), ["x", "year", "town"]);
    assert_eq!(frame.schema().get("year"), Some(&DataType::Int64));
    let got = everywhere(&frame);
    let expect = df!(
        "x" => [1.0, 2.0, 3.0, 5.0, 4.0],
        "year" => [2023_i64, 2023, 2024, 2024, 2024],
        "town" => [Some("Lyon"), Some("Oslo"), Some("Lyon"), Some("São/Paulo"), None],
    );
    assert_eq!(got, expect.unwrap());
    let late = frame.filter(col("year").gt(lit(2023)).and(col("town").str().starts_with(lit("L")))).unwrap();
    assert_eq!(everywhere(&late).column("x").unwrap().f64().unwrap().to_vec(), [Some(3.0)]);
    let text = late.explain().unwrap().to_string();
    let scan = text.lines().find(|line| line.contains("row groups")).unwrap();
    insta::assert_snapshot!(scan.trim(), @r#"read_parquet part-0.parquet and 4 more: 1 partitions, all 3 columns where [([(col("year")) > (dyn int: 2023)]) & (col("town").str.starts_with(["L"]))], 1 of 5 row groups"#);
    let plain = read_parquet([fixture("hive")], ParquetOptions::new().hive(false).include_path("file")).unwrap();
    let got = everywhere(&plain.filter(col("file").str().contains_literal(lit("Oslo"))).unwrap());
    assert_eq!(got.column("x").unwrap().f64().unwrap().to_vec(), [Some(2.0)]);
    let text = ParquetOptions::new().with_dtype("year", DataType::String);
    let years = read_parquet([fixture("hive")], text).unwrap().select([col("year")]).unwrap();
    assert_eq!(everywhere(&years).column("year").unwrap().str().unwrap().get(0), Some("2023"));
    let bad = ParquetOptions::new().with_dtype("town", DataType::Int64);
    says(read_parquet([fixture("hive")], bad), &["town=Lyon", "gives no value of type i64", ".hive(false)"]);
}

#[test]
fn counts_read_nothing() {
    let frame = read("types.parquet");
    assert_eq!(all_equal(&frame.len()), 100);
    assert_eq!(frame.len().plan().unwrap().graph().len(), 1);
    let some = frame.filter(col("id").gt_eq(lit(30))).unwrap();
    assert_eq!(all_equal(&some.len()), 70);
    for rows in [0, 5, 45, 100, 200] {
        let head = everywhere(&frame.head(rows));
        assert_eq!(head, frame.compute().unwrap().head(Some(rows)));
        let head = everywhere(&some.head(rows));
        assert_eq!(head, some.compute().unwrap().head(Some(rows)));
    }
}

#[test]
fn statistics_leave_out_row_groups() {
    let pruned = |condition: Expr| {
        let frame = read("types.parquet").filter(condition).unwrap();
        everywhere(&frame);
        let text = frame.explain().unwrap().to_string();
        let line = text.lines().rfind(|line| line.contains("row groups")).unwrap().to_string();
        line.rsplit(", ").next().unwrap().to_string()
    };
    assert_eq!(pruned(col("id").lt(lit(10))), "1 of 3 row groups");
    assert_eq!(pruned(col("id").gt_eq(lit(40)).and(col("id").lt(lit(45)))), "1 of 3 row groups");
    assert_eq!(pruned(col("id").gt(lit(1000))), "0 of 3 row groups");
    assert_eq!(pruned(col("repeated").eq(lit("Quito"))), "1 of 3 row groups");
    assert_eq!(pruned(col("i32").lt(lit(-6_000_000))), "1 of 3 row groups");
    assert_eq!(pruned(col("nothing").is_not_null()), "0 of 3 row groups");
    assert_eq!(pruned((col("id") + lit(1)).gt(lit(1000))), "3 of 3 row groups");
    let day = lit(Scalar::new(DataType::Date, AnyValue::Date(19_905)));
    assert_eq!(pruned(col("day").gt(day)), "1 of 3 row groups");
    let time = Scalar::new(
        DataType::Datetime(TimeUnit::Microseconds, None),
        AnyValue::Datetime(1_711_843_200_000_000, TimeUnit::Microseconds, None),
    );
    assert_eq!(pruned(col("us").lt(lit(time))), "1 of 3 row groups");
}

/// A folder for one file.
fn memory_folder() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}/{}", place("parquet-tests"), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn put(url: &str, bytes: &[u8]) {
    write_atomic(&Location::parse(url).unwrap(), |w| w.write_all(bytes)).unwrap();
}

fn encoded(frame: &DataFrame, group: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_row_group_size(Some(group)).finish(&mut frame.clone()).unwrap();
    bytes
}

fn in_files(parts: &[DataFrame], options: ParquetOptions) -> talatat::Result<Frame> {
    let folder = memory_folder();
    for (number, part) in parts.iter().enumerate() {
        put(&format!("{folder}/{number:03}.parquet"), &encoded(part, 7));
    }
    read_parquet([format!("{folder}/*.parquet")], options)
}

#[test]
fn files_that_differ() {
    let first = df!("a" => [1_i64, 2], "b" => ["x", "y"]).unwrap();
    let more = df!("b" => ["z"], "a" => [3_i64], "c" => [0.5]).unwrap();
    let less = df!("a" => [4_i64]).unwrap();
    let parts = [first.clone(), more, less];
    says(in_files(&parts, ParquetOptions::new()), &["001.parquet`", "there is a column `c` (f64)", "SchemaDrift"]);
    says(
        in_files(&[parts[0].clone(), parts[2].clone()], ParquetOptions::new()),
        &["001.parquet", "no column `b`", "a (i64)"],
    );
    let fill = in_files(&parts, ParquetOptions::new().schema_drift(SchemaDrift::FillMissing)).unwrap();
    let expect = df!("a" => [1_i64, 2, 3, 4], "b" => [Some("x"), Some("y"), Some("z"), None]).unwrap();
    assert!(everywhere(&fill).equals_missing(&expect));
    assert!(everywhere(&fill.filter(col("b").is_null()).unwrap()).equals_missing(&expect.slice(3, 1)));
    let union = in_files(&parts, ParquetOptions::new().schema_drift(SchemaDrift::Union)).unwrap();
    let expect = expect.lazy().with_columns([Series::new("c".into(), [None, None, Some(0.5), None]).lit()]).collect();
    assert!(everywhere(&union).equals_missing(&expect.unwrap()));
}

#[test]
fn types_that_differ() {
    let parts = [df!("a" => [1_i32, 2]).unwrap(), df!("a" => [3_000_000_000_i64]).unwrap(), df!("a" => ["4"]).unwrap()];
    let two = &parts[..2];
    says(
        in_files(two, ParquetOptions::new()),
        &["001.parquet", "column `a` is i64 here, but i32 in", ".with_dtype(\"a\""],
    );
    let union = ParquetOptions::new().schema_drift(SchemaDrift::Union);
    let wide = in_files(two, union.clone()).unwrap();
    assert_eq!(everywhere(&wide), df!("a" => [1_i64, 2, 3_000_000_000]).unwrap());
    assert_eq!(everywhere(&wide.filter(col("a").gt(lit(1))).unwrap()).height(), 2);
    says(in_files(&parts, union), &["002.parquet", "column `a` is str"]);
    let text = in_files(&parts, ParquetOptions::new().with_dtype("a", DataType::String)).unwrap();
    assert_eq!(everywhere(&text), df!("a" => ["1", "2", "3000000000", "4"]).unwrap());
    let narrow = in_files(two, ParquetOptions::new().with_dtype("a", DataType::Int32)).unwrap();
    says(narrow.compute(), &["001.parquet", "partition 0, row group 0", "column `a`", "does not fit i32"]);
    says(in_files(two, ParquetOptions::new().with_dtype("z", DataType::Int32)), &["column `z`; there are a (i32)"]);
    // A column without any value fits every type.
    let nothing = DataFrame::new(2, vec![Column::full_null("a".into(), 2, &DataType::Null)]).unwrap();
    for parts in [[nothing.clone(), parts[1].clone()], [parts[1].clone(), nothing]] {
        let frame = in_files(&parts, ParquetOptions::new()).unwrap();
        assert_eq!(frame.schema().get("a"), Some(&DataType::Int64));
        assert_eq!(everywhere(&frame).column("a").unwrap().null_count(), 2);
    }
}

#[test]
fn files_that_are_damaged() {
    let good = encoded(&df!("a" => (0..1000_i64).collect::<Vec<_>>(), "b" => vec!["text"; 1000]).unwrap(), 400);
    let open = |bytes: &[u8]| {
        let url = format!("{}/x.parquet", memory_folder());
        put(&url, bytes);
        read_parquet([url], ParquetOptions::new())
    };
    says(open(b""), &["x.parquet`: 0 bytes are too few"]);
    says(open(&good[..good.len() - 1]), &["x.parquet", "truncated"]);
    says(open(&good[..good.len() / 2]), &["truncated"]);
    says(open(b"id,x\n1,2\n3,4\n5,6\n"), &["of another format"]);
    let mut long = good.clone();
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    says(open(&long), &["4294967295 bytes, more than the file"]);
    let footer = u32::from_le_bytes(good[at..at + 4].try_into().unwrap()) as usize;
    // No damage to the footer makes it panic; what gets through reads or says what is wrong.
    for place in (at - footer..at).step_by(3) {
        let mut broken = good.clone();
        broken[place] ^= 0x55;
        if let Ok(frame) = open(&broken) {
            let _ = frame.compute();
        }
    }
    let mut page = good.clone();
    page[4..40].fill(0xff);
    says(
        open(&page).unwrap().compute(),
        &["x.parquet", "partition 0, row group 0", "column `a` (from byte 4)", "damaged"],
    );
}

#[test]
fn files_that_change() {
    let url = format!("{}/x.parquet", memory_folder());
    put(&url, &encoded(&df!("a" => [1_i64, 2]).unwrap(), 5));
    let frame = read_parquet([&url], ParquetOptions::new()).unwrap();
    put(&url, &encoded(&df!("a" => [1_i64, 3]).unwrap(), 5));
    says(frame.compute(), &["x.parquet", "has changed since it was opened"]);
    // What is opened anew is not taken from what is known of the old one.
    let again = read_parquet([&url], ParquetOptions::new()).unwrap();
    assert_eq!(everywhere(&again), df!("a" => [1_i64, 3]).unwrap());
}

#[test]
fn names_that_cannot_be() {
    says(read_parquet(["memory://parquet-tests/none/*.parquet"], ParquetOptions::new()), &["matches no file"]);
    says(read_parquet([fixture("types.parquet")], ParquetOptions::new().include_path("id")), &["include_path(\"id\")"]);
    says(read_parquet([format!("{}/src", env!("CARGO_MANIFEST_DIR"))], ParquetOptions::new()), &["matches no file"]);
}

fn frames() -> impl Strategy<Value = Vec<DataFrame>> {
    let row = (proptest::option::weighted(0.8, -20..20_i64), proptest::option::weighted(0.8, 0..6_usize), -3..3_i32);
    let part = prop::collection::vec(row, 0..40);
    let frame = |rows: Vec<(Option<i64>, Option<usize>, i32)>| {
        let floats = [f64::NAN, -0.0, 0.0, 1.5, f64::INFINITY, -2.0];
        let words = ["", "a", "ab", "b", "z", "é"];
        df!(
            "n" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "x" => rows.iter().map(|row| row.1.map(|at| floats[at])).collect::<Vec<_>>(),
            "s" => rows.iter().map(|row| row.1.map(|at| words[at])).collect::<Vec<_>>(),
            "k" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        )
        .unwrap()
    };
    // Sorted ones have row groups that can be left out.
    let sorted = |frame: DataFrame| frame.sort(["n"], SortMultipleOptions::default()).unwrap();
    prop::collection::vec((part.prop_map(frame), any::<bool>()), 1..4)
        .prop_map(move |parts| parts.into_iter().map(|(part, sort)| if sort { sorted(part) } else { part }).collect())
}

fn condition() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (-22..22_i64, 0..6_usize).prop_map(|(value, op)| compare(col("n"), lit(value), op)),
        (-4..4_i32, 0..6_usize).prop_map(|(value, op)| compare(col("k"), lit(value), op)),
        (prop::sample::select(vec![-2.0, 0.0, f64::NAN, 7.0]), 0..6_usize).prop_map(|(value, op)| compare(
            col("x"),
            lit(value),
            op
        )),
        (prop::sample::select(vec!["", "aa", "b", "zz"]), 0..6_usize).prop_map(|(value, op)| compare(
            col("s"),
            lit(value),
            op
        )),
        prop::sample::select(vec!["n", "x", "s"]).prop_map(|name| col(name).is_null()),
        prop::sample::select(vec!["n", "x", "s"]).prop_map(|name| col(name).is_not_null()),
        prop::sample::select(vec![
            col("x").is_nan(),
            (col("n") + col("k")).gt(lit(5)),
            col("n").is_between(lit(-3), lit(2), ClosedInterval::Both),
        ]),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        (inner.clone(), inner, 0..3).prop_map(|(a, b, op)| match op {
            0 => a.and(b),
            1 => a.or(b),
            _ => a.not(),
        })
    })
}

fn compare(a: Expr, b: Expr, op: usize) -> Expr {
    match op {
        0 => a.lt(b),
        1 => a.lt_eq(b),
        2 => a.gt(b),
        3 => a.gt_eq(b),
        4 => a.eq(b),
        _ => a.neq(b),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is pushed down and left out, the rows are those that polars keeps of all of them.
    #[test]
    fn the_rows_are_those_of_polars(parts in frames(), condition in condition(), bytes in 1..2000_u64, all in any::<bool>()) {
        let frame = in_files(&parts, ParquetOptions::new().partition_bytes(bytes)).unwrap();
        let whole = parts.iter().skip(1).fold(parts[0].clone(), |whole, part| whole.vstack(part).unwrap());
        let filtered = frame.filter(condition.clone()).unwrap();
        let (ours, theirs) = match all {
            true => (filtered, whole.lazy().filter(condition)),
            false => (filtered.select([col("s"), col("k")]).unwrap(), whole.lazy().filter(condition).select([col("s"), col("k")])),
        };
        let theirs = theirs.collect().unwrap();
        prop_assert!(everywhere(&ours).equals_missing(&theirs));
        prop_assert_eq!(ours.len().compute_on(&sessions()[0].1).unwrap(), theirs.height());
    }
}
