//! Tables of SQLite files, in key ranges.

use std::path::PathBuf;

use proptest::prelude::*;
use rusqlite::{Connection, params};
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, Loc, SqlOptions, read_sql_query, read_sql_table};
use talatat::{Compute, Session};
use tempfile::TempDir;

use crate::common::{all_equal, everywhere, says};

struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(script: &str) -> File {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stones.db");
        let open = Connection::open(&path).unwrap();
        open.execute_batch(script).unwrap();
        File { _folder: folder, path }
    }

    fn open(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn table(&self, name: &str, options: SqlOptions) -> talatat::Result<Frame> {
        read_sql_table(name, self.path(), options)
    }
}

/// 1,000 rows with gaps between keys.
fn stones() -> File {
    let file = File::new(
        "CREATE TABLE \"odd \"\" name\" (id INTEGER PRIMARY KEY, \"the kind\" TEXT COLLATE NOCASE, weight REAL, cut BOOLEAN, day DATE, at DATETIME, raw BLOB)",
    );
    let mut open = file.open();
    let all = open.transaction().unwrap();
    for n in 0..1000_i64 {
        let kind = (n % 7 > 0).then(|| format!("{}{}", if n % 2 == 0 { 'a' } else { 'A' }, n % 5));
        let weight = (n % 11 > 0).then_some(n as f64 / 4.0);
        let (day, at) = (format!("2024-02-{:02}", n % 29 + 1), format!("2024-02-29 12:00:{:02}.5", n % 60));
        all.execute(
            "INSERT INTO \"odd \"\" name\" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![n * n - 500, kind, weight, n % 3 == 0, day, at, n.to_le_bytes()],
        )
        .unwrap();
    }
    all.commit().unwrap();
    file
}

const STONES: &str = "odd \" name";

/// The same rows, without a database.
fn expected() -> DataFrame {
    let n = 0..1000_i64;
    let day = |n: i64| 19_754 + (n % 29) as i32;
    let at = |n: i64| 1_709_208_000_500_000 + n % 60 * 1_000_000;
    let kind = |n: i64| (n % 7 > 0).then(|| format!("{}{}", if n % 2 == 0 { 'a' } else { 'A' }, n % 5));
    let made = df!(
        "id" => n.clone().map(|n| n * n - 500).collect::<Vec<_>>(),
        "the kind" => n.clone().map(kind).collect::<Vec<_>>(),
        "weight" => n.clone().map(|n| (n % 11 > 0).then_some(n as f64 / 4.0)).collect::<Vec<_>>(),
        "cut" => n.clone().map(|n| n % 3 == 0).collect::<Vec<_>>(),
        "day" => n.clone().map(day).collect::<Vec<_>>(),
        "at" => n.clone().map(at).collect::<Vec<_>>(),
    )
    .unwrap();
    let raw: BinaryChunked = n.map(|n| Some(n.to_le_bytes())).collect();
    let datetime = DataType::Datetime(TimeUnit::Microseconds, None);
    let made = made.lazy().with_columns([col("day").cast(DataType::Date), col("at").cast(datetime)]);
    let mut made = made.collect().unwrap();
    made.with_column(raw.into_series().with_name("raw".into()).into_column()).unwrap();
    made
}

#[test]
fn a_table_in_ranges() {
    let file = stones();
    for partitions in [1, 2, 7, 1000, 5000] {
        let frame = file.table(STONES, SqlOptions::new().partitions(partitions)).unwrap();
        assert_eq!(frame.partitions(), partitions.min(1000));
        assert_eq!(frame.schema(), expected().schema());
        if partitions < 1000 {
            assert!(everywhere(&frame).equals_missing(&expected()), "{partitions} partitions");
        } else {
            assert!(frame.compute().unwrap().equals_missing(&expected()));
        }
        assert_eq!(frame.len().compute().unwrap(), 1000);
    }
    let bytes = file.table(STONES, SqlOptions::new().partition_bytes(10_000)).unwrap();
    assert!(bytes.partitions() > 5, "{}", bytes.partitions());
    let url = format!("sqlite:///{}", file.path());
    let some = read_sql_table(STONES, &url, SqlOptions::new().columns(["weight", "id"]).index_col("id")).unwrap();
    assert!(everywhere(&some).equals_missing(&expected().select(["weight", "id"]).unwrap()));
}

#[test]
fn filters_become_sql() {
    let file = stones();
    let frame = file.table(STONES, SqlOptions::new().partitions(3)).unwrap();
    let day = lit(Scalar::new_date(19_760));
    let conditions: Vec<(Expr, &str)> = vec![
        (col("id").gt(lit(100)), "in SQL: \"id\" > ?1"),
        (lit(100).gt_eq(col("id")).and(col("weight").lt(lit(30))), "in SQL: \"id\" <= ?1 AND \"weight\" < ?2"),
        (col("the kind").eq(lit("a1")), "in SQL: \"the kind\" COLLATE BINARY = ?1"),
        (col("the kind").is_null().or(col("cut").not()), "(\"the kind\" COLLATE BINARY IS NULL OR NOT (\"cut\" = ?1))"),
        (col("weight").neq(lit(1.5)).and(col("cut")), "in SQL: "),
        (col("id").is_between(lit(0), lit(5000), ClosedInterval::Left), "(\"id\" >= ?1 AND \"id\" < ?2)"),
        (col("raw").is_not_null(), "in SQL: \"raw\" IS NOT NULL"),
        // What stays polars' work.
        (col("day").gt(day), "where"),
        (col("id").gt(lit(2.5)), "where"),
        (col("weight").gt(col("id")), "where"),
        ((col("id") % lit(2)).eq(lit(0)).and(col("cut")), "in SQL: \"cut\" = ?1"),
        (col("weight").gt(lit(f64::NAN)), "where"),
    ];
    for (condition, sql) in conditions {
        let some = frame.filter(condition.clone()).unwrap();
        let plan = some.explain().unwrap().to_string();
        assert!(plan.contains(sql), "{condition}: no {sql} in\n{plan}");
        assert_eq!(plan.contains("in SQL"), sql != "where", "{plan}");
        let expect = expected().lazy().filter(condition.clone()).collect().unwrap();
        assert!(everywhere(&some).equals_missing(&expect), "{condition}");
        assert_eq!(all_equal(&some.len()), expect.height(), "{condition}");
        // Columns that only the filter needs do not come out.
        let one = some.select([col("at")]).unwrap();
        assert!(everywhere(&one).equals_missing(&expect.select(["at"]).unwrap()), "{condition}");
    }
    assert_eq!(everywhere(&frame.head(5)).height(), 5);
    let first = frame.filter((col("id") % lit(2)).eq(lit(0))).unwrap().head(5);
    assert!(
        everywhere(&first)
            .equals_missing(&expected().lazy().filter((col("id") % lit(2)).eq(lit(0))).limit(5).collect().unwrap())
    );
}

#[test]
fn the_key_is_the_index() {
    let file = stones();
    let frame = file.table(STONES, SqlOptions::new().partitions(10)).unwrap();
    let index = frame.divisions().unwrap();
    assert_eq!((index.column(), index.are_known()), ("id", true));
    let some = frame.loc(Loc::from(0..=400)).unwrap();
    assert_eq!(some.partitions(), 1);
    assert_eq!(everywhere(&some).height(), 8);
    // Texts of times have the order of times only if all are alike.
    let days = file.table(STONES, SqlOptions::new().index_col("day").partitions(4)).unwrap();
    assert!(days.divisions().is_none());
    let expect = expected().sort(["day"], SortMultipleOptions::default().with_maintain_order(true)).unwrap();
    assert!(everywhere(&days).equals_missing(&expect));
}

#[test]
fn rows_without_a_key_come_last() {
    let file = File::new(
        "CREATE TABLE t (k INTEGER, v INTEGER); INSERT INTO t VALUES (3, 0), (NULL, 1), (1, 2), (3, 3), (2, 4), (NULL, 5), (3, 6), (9, 7)",
    );
    let expect = df!("k" => [Some(1_i64), Some(2), Some(3), Some(3), Some(3), Some(9), None, None], "v" => [2_i64, 4, 0, 3, 6, 7, 1, 5]);
    let expect = expect.unwrap();
    for partitions in 1..9 {
        let frame = file.table("t", SqlOptions::new().index_col("k").partitions(partitions)).unwrap();
        assert!(frame.partitions() <= partitions.min(4), "{partitions}");
        assert!(everywhere(&frame).equals_missing(&expect), "{partitions}");
    }
    // What lies outside of divisions is not lost.
    for divisions in [vec![2_i64, 3], vec![3, 4, 5], vec![-5, 0, 100], vec![100, 200]] {
        let values = Series::new("k".into(), &divisions);
        let frame = file.table("t", SqlOptions::new().index_col("k").divisions(values)).unwrap();
        assert_eq!(frame.partitions(), divisions.len() - 1);
        assert!(everywhere(&frame).equals_missing(&expect), "{divisions:?}");
        assert!(!frame.divisions().unwrap().are_known());
    }
    let one = file.table("t", SqlOptions::new()).unwrap();
    assert_eq!((one.partitions(), one.divisions()), (1, None));
    assert_eq!(everywhere(&one).column("v").unwrap().sum_reduce().unwrap().value().extract::<i64>(), Some(28));
    let none = File::new("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)");
    let none = none.table("t", SqlOptions::new().partitions(4)).unwrap();
    assert_eq!((none.partitions(), all_equal(&none.len()), everywhere(&none).height()), (1, 0, 0));
}

#[test]
fn queries_and_views() {
    let file = stones();
    file.open()
        .execute_batch(
            "CREATE VIEW light AS SELECT id, weight * 2 AS double, 'x' || id AS text FROM \"odd \"\" name\" WHERE weight < 5;
             CREATE TABLE pairs (a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pairs VALUES (1, 'y'), (1, 'x'), (0, 'z')",
        )
        .unwrap();
    let expect = expected().lazy().filter(col("weight").lt(lit(5.0)));
    let expect = expect.select([
        col("id"),
        (col("weight") * lit(2.0)).alias("double"),
        concat_str([lit("x"), col("id").cast(DataType::String)], "", false).alias("text"),
    ]);
    let expect = expect.collect().unwrap();
    let view = file.table("LIGHT", SqlOptions::new().index_col("id").partitions(3)).unwrap();
    assert_eq!(view.partitions(), 3);
    assert!(everywhere(&view).equals_missing(&expect));
    let query =
        "SELECT id, weight * 2 AS double, 'x' || id AS text -- a comment\nFROM \"odd \"\" name\" WHERE weight < 5;";
    let query = read_sql_query(query, file.path(), SqlOptions::new().index_col("id").partitions(3)).unwrap();
    assert!(everywhere(&query).equals_missing(&expect));
    let some = query.filter(col("double").gt(lit(3.0)).and(col("text").neq(lit("x0")))).unwrap();
    assert!(everywhere(&some).equals_missing(&expect.lazy().filter(col("double").gt(lit(3.0))).collect().unwrap()));
    let pairs = file.table("pairs", SqlOptions::new().index_col("a").partitions(2)).unwrap();
    assert_eq!(everywhere(&pairs), df!("a" => [0_i64, 1, 1], "b" => ["z", "x", "y"]).unwrap());
}

#[test]
fn types() {
    let file = File::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, price DECIMAL(8,2), small SMALLINT, name VARCHAR(10), free, mixed, at TIME, none);
         INSERT INTO t VALUES (1, 2.5, 3, 'é', 1, 1, '12:30', NULL), (2, 4, NULL, NULL, 2.5, 'x', NULL, NULL), (3, NULL, 7, '', NULL, 2.5, '23:59:59.5', NULL)",
    );
    let error = says(
        file.table("t", SqlOptions::new()),
        &["table `t`", "column `mixed` holds floats and integers and texts", ".with_dtype"],
    );
    assert!(error.contains(file.path()), "{error}");
    let frame =
        file.table("t", SqlOptions::new().with_dtype("mixed", DataType::String).with_dtype("small", DataType::Int16));
    let got = everywhere(&frame.unwrap());
    let nanos = [Some(45_000_000_000_000_i64), None, Some(86_399_500_000_000)];
    let expect = df!(
        "id" => [1_i64, 2, 3],
        "price" => [Some(2.5), Some(4.0), None],
        "small" => [Some(3_i16), None, Some(7)],
        "name" => [Some("é"), None, Some("")],
        "free" => [Some(1.0), Some(2.5), None],
        "mixed" => ["1", "x", "2.5"],
        "at" => nanos,
        "none" => [None::<&str>, None, None],
    );
    let expect = expect.unwrap().lazy().with_columns([col("at").cast(DataType::Time)]).collect().unwrap();
    assert!(got.equals_missing(&expect), "{got}");
    let unsigned = file.table("t", SqlOptions::new().columns(["id"]).with_dtype("id", DataType::UInt8)).unwrap();
    assert_eq!(everywhere(&unsigned), df!("id" => [1_u8, 2, 3]).unwrap());
}

#[test]
fn bad_input() {
    let file = stones();
    let table = |options| file.table(STONES, options);
    says(file.table("pebbles", SqlOptions::new()), &["stones.db`, there is no table `pebbles`; there are odd \" name"]);
    says(
        table(SqlOptions::new().columns(["id", "wait"])),
        &["there is no column `wait`; there are id, the kind, weight"],
    );
    says(table(SqlOptions::new().index_col("no")), &["there is no column `no`"]);
    says(table(SqlOptions::new().with_dtype("no", DataType::Int8)), &["there is no column `no`"]);
    says(
        table(SqlOptions::new().index_col("raw")),
        &["`raw` cannot be what partitions are cut by", "BLOB", ".index_col"],
    );
    says(table(SqlOptions::new().index_col("cut")), &["`cut` cannot be", "BOOLEAN"]);
    let text = SqlOptions::new().index_col("id").with_dtype("id", DataType::String);
    says(table(text), &["`id` cannot be", "another type"]);
    says(table(SqlOptions::new().columns(["id", "id"])), &["two columns `id`"]);
    let wrong = |values: Series| table(SqlOptions::new().divisions(values));
    says(wrong(Series::new("".into(), [3_i64, 1])), &["divisions", "larger than the one before"]);
    says(wrong(Series::new("".into(), [1_i64, 1])), &["divisions"]);
    says(wrong(Series::new("".into(), [1_i64])), &["at least two"]);
    says(wrong(Series::new("".into(), ["a", "b"])), &["divisions", "`id` is i64"]);
    let query = |text: &str| read_sql_query(text, file.path(), SqlOptions::new());
    says(query("SELECT absent FROM \"odd \"\" name\""), &["no such column: absent"]);
    says(query("DELETE FROM \"odd \"\" name\""), &["syntax error"]);
    says(query("SELECT 1 AS a, 2 AS a"), &["two columns"]);
    says(read_sql_query("SELECT 1 AS a", file.path(), SqlOptions::new().partitions(2)), &[".index_col"]);
    let text = file.path.with_file_name("text.db");
    std::fs::write(&text, "x,y\n1,2\n".repeat(100)).unwrap();
    says(read_sql_table("t", text.to_str().unwrap(), SqlOptions::new()), &["no SQLite file"]);
    says(read_sql_table("t", "/no/such/file.db", SqlOptions::new()), &["does not exist"]);
    says(read_sql_table("t", "oracle://host/x", SqlOptions::new()), &["sqlite:///path"]);
}

/// What the first rows do not show is found when it is read.
#[test]
fn values_of_another_type() {
    let file = stones();
    let frame = file.table(STONES, SqlOptions::new().partitions(4)).unwrap();
    file.open().execute("UPDATE \"odd \"\" name\" SET weight = 'heavy' WHERE id = 999 * 999 - 500", []).unwrap();
    says(
        frame.compute(),
        &[
            "stones.db`",
            "partition 3 (`id` from 562000 to 997501)",
            "column `weight` holds the text `heavy`, where values of type f64 were expected",
            ".with_dtype(\"weight\", DataType::String)",
        ],
    );
    // Who does not read it does not trip over it.
    assert_eq!(frame.select([col("id")]).unwrap().compute().unwrap().height(), 1000);
    file.open().execute("UPDATE \"odd \"\" name\" SET weight = NULL, day = '3 March' WHERE id = -500", []).unwrap();
    says(frame.select([col("day")]).unwrap().compute(), &["partition 0", "column `day`", "the text `3 March`"]);
    file.open().execute("DROP TABLE \"odd \"\" name\"", []).unwrap();
    says(frame.compute(), &["no such table"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However keys are spread and rows are cut, all rows are there, once, in the order of keys.
    #[test]
    fn any_keys_any_partitions(keys in prop::collection::vec(prop::option::of(-20_i64..20), 0..60), partitions in 1_usize..12, floats: bool) {
        let file = File::new(if floats { "CREATE TABLE t (k REAL, v INTEGER)" } else { "CREATE TABLE t (k INTEGER, v INTEGER)" });
        let open = file.open();
        for (at, key) in keys.iter().enumerate() {
            open.execute("INSERT INTO t VALUES (?1, ?2)", params![key, at as i64]).unwrap();
        }
        let frame = file.table("t", SqlOptions::new().index_col("k").partitions(partitions)).unwrap();
        let values: Vec<i64> = (0..keys.len() as i64).collect();
        let dtype = if floats { DataType::Float64 } else { DataType::Int64 };
        let expect = df!("k" => &keys, "v" => values).unwrap().lazy().with_column(col("k").cast(dtype));
        let order = SortMultipleOptions::default().with_nulls_last(true).with_maintain_order(true);
        let expect = expect.sort(["k"], order).collect().unwrap();
        let session = Session::builder().threads(2).build().unwrap();
        prop_assert!(frame.compute_on(&session).unwrap().equals_missing(&expect));
        prop_assert_eq!(frame.len().compute_on(&session).unwrap(), keys.len());
        // The index keeps its promise.
        let index = frame.divisions().unwrap();
        if let Some(bounds) = index.bounds() {
            prop_assert_eq!(bounds.height(), frame.partitions());
        }
    }
}
