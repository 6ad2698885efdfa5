//! Tables of a PostgreSQL server, in key ranges.

use postgres::{Client, NoTls};
use talatat::config::ExecutorChoice;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, SqlOptions, read_sql_query, read_sql_table};
use talatat::{Compute, Session};
use talatat_servers::postgres::{PASSWORD, PostgresServer};

fn run(url: &str, script: &str) {
    Client::connect(url, NoTls).unwrap().batch_execute(script).unwrap();
}

fn everywhere(frame: &Frame) -> DataFrame {
    let on = |choice| Session::builder().executor(choice).threads(2);
    let plain = on(ExecutorChoice::Synchronous).skip("filter_pushdown").skip("projection_pushdown").build().unwrap();
    let expect = frame.compute_on(&plain).unwrap();
    for choice in [ExecutorChoice::Synchronous, ExecutorChoice::Threads, ExecutorChoice::Serialize] {
        let got = frame.compute_on(&on(choice).build().unwrap()).unwrap();
        assert_eq!(**got.schema(), **frame.schema());
        assert!(got.equals_missing(&expect), "{got}\n{expect}");
    }
    expect
}

fn says<T>(result: talatat::Result<T>, parts: &[&str]) {
    let text = result.err().expect("this worked").to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert!(!text.contains(PASSWORD) && !text.contains("cut%20"), "{text}");
}

#[test]
fn tables_in_ranges() {
    let Some(server) = PostgresServer::start().unwrap() else { return };
    let url = &server.url("postgres");
    run(
        url,
        "CREATE SCHEMA quarry;
         CREATE TABLE quarry.\"odd \"\" name\" (id int PRIMARY KEY, kind text, weight float8, day date);
         INSERT INTO quarry.\"odd \"\" name\" SELECT n * n - 500, CASE WHEN n % 7 > 0 THEN 'k' || n % 5 END,
             CASE WHEN n % 11 > 0 THEN n / 4.0 END, DATE '2024-02-01' + n % 29 FROM generate_series(0, 999) AS n",
    );
    let n = 0..1000_i32;
    let expect = df!(
        "id" => n.clone().map(|n| n * n - 500).collect::<Vec<_>>(),
        "kind" => n.clone().map(|n| (n % 7 > 0).then(|| format!("k{}", n % 5))).collect::<Vec<_>>(),
        "weight" => n.clone().map(|n| (n % 11 > 0).then_some(f64::from(n) / 4.0)).collect::<Vec<_>>(),
        "day" => n.map(|n| 19_754 + n % 29).collect::<Vec<_>>(),
    );
    let expect = expect.unwrap().lazy().with_column(col("day").cast(DataType::Date)).collect().unwrap();
    let table = |options: SqlOptions| read_sql_table("odd \" name", url, options.schema("quarry")).unwrap();
    for partitions in [1, 2, 7] {
        let frame = table(SqlOptions::new().partitions(partitions));
        assert_eq!((frame.partitions(), frame.divisions().unwrap().column()), (partitions, "id"));
        assert!(everywhere(&frame).equals_missing(&expect));
        assert_eq!(frame.len().compute().unwrap(), 1000);
    }
    let frame = table(SqlOptions::new().partitions(3));
    let date = lit(Scalar::new_date(19_760));
    for (condition, sql) in [
        (col("id").gt(lit(5_000_000_000_i64)), "\"id\" > $1::int8"),
        (col("id").gt(lit(100)).and(col("kind").lt_eq(lit("k2"))), "\"kind\" COLLATE \"C\" <= $2::text"),
        (col("day").gt_eq(date), "\"day\" >= $1::text::date"),
        (col("weight").is_null().or(col("weight").gt(lit(200))), "\"weight\" > $1::float8"),
        (col("weight").lt(lit(f64::NAN)), "\"weight\" < $1::float8"),
    ] {
        let some = frame.filter(condition.clone()).unwrap();
        let plan = some.explain().unwrap().to_string();
        assert!(plan.contains(sql), "{plan}");
        let left = expect.clone().lazy().filter(condition).collect().unwrap();
        assert!(everywhere(&some).equals_missing(&left), "{plan}");
        assert_eq!(some.len().compute().unwrap(), left.height());
    }
    // Keys of other types than integers.
    for key in ["kind", "weight", "day"] {
        let frame = table(SqlOptions::new().partitions(4).index_col(key));
        let order = SortMultipleOptions::default().with_nulls_last(true);
        let sorted = expect.sort([key, "id"], order.with_maintain_order(true)).unwrap();
        assert!(everywhere(&frame).equals_missing(&sorted), "{key}");
        assert_eq!(frame.partitions(), 4, "{key}");
    }
    let days = Series::new("day".into(), [19_760, 19_770, 19_775]).cast(&DataType::Date).unwrap();
    let frame = table(SqlOptions::new().index_col("day").divisions(days));
    assert_eq!((frame.partitions(), everywhere(&frame).height()), (2, 1000));
}

#[test]
fn types() {
    let Some(server) = PostgresServer::start().unwrap() else { return };
    let url = &server.url("postgres");
    run(
        url,
        "CREATE TYPE mood AS ENUM ('well', 'ill');
         CREATE TABLE kinds (a bool, b int2, c int8, d float4, e numeric(10, 3), f numeric, g varchar(5), h char(4), i bytea, j date,
             k time, l timestamp, m timestamptz, n uuid, o jsonb, p mood, q int[]);
         INSERT INTO kinds VALUES
             (true, -7, 9000000000000000000, 1.5, -1234567.891, 0.1, 'é', 'ab', '\\x00ff', '1969-12-31', '23:59:59.5', '2024-02-29 12:00:00.25',
              '2024-02-29 12:00:00+02', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"x\": 1}', 'ill', '{1,2}'),
             (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
             (false, 0, 0, 0, 0, 'NaN', '', '', '', '0001-01-01', '00:00', '0001-01-01', '9999-12-31 23:59:59.999999+00', NULL, 'null', 'well', '{}')",
    );
    let frame = read_sql_table("kinds", url, SqlOptions::new()).unwrap();
    let got = everywhere(&frame);
    let column = |name: &str| got.column(name).unwrap().cast(&DataType::String).unwrap();
    let texts = |name: &str| -> Vec<Option<String>> {
        column(name).str().unwrap().iter().map(|text| text.map(Into::into)).collect()
    };
    let some = |a: &str, b: &str| vec![Some(a.to_string()), None, Some(b.to_string())];
    assert_eq!(texts("a"), some("true", "false"));
    assert_eq!(texts("b"), some("-7", "0"));
    assert_eq!(texts("c"), some("9000000000000000000", "0"));
    assert_eq!(texts("d"), some("1.5", "0.0"));
    assert_eq!(got.column("e").unwrap().dtype(), &DataType::Decimal(10, 3));
    assert_eq!(texts("e"), some("-1234567.891", "0.000"));
    assert_eq!(texts("f"), some("0.1", "NaN"));
    assert_eq!(texts("g"), some("é", ""));
    assert_eq!(texts("h"), some("ab  ", "    "));
    assert_eq!(got.column("i").unwrap().binary().unwrap().get(0), Some([0, 255].as_slice()));
    assert_eq!(texts("j"), some("1969-12-31", "0001-01-01"));
    let nanos = got.column("k").unwrap().cast(&DataType::Int64).unwrap();
    assert_eq!(nanos.i64().unwrap().iter().collect::<Vec<_>>(), [Some(86_399_500_000_000), None, Some(0)]);
    assert_eq!(texts("l"), some("2024-02-29 12:00:00.250000", "0001-01-01 00:00:00.000000"));
    assert_eq!(got.column("m").unwrap().dtype(), &DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)));
    assert!(texts("m")[0].as_ref().unwrap().starts_with("2024-02-29 10:00:00"), "{:?}", texts("m"));
    assert_eq!(texts("n")[0].as_deref(), Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
    assert_eq!(texts("o"), some("{\"x\": 1}", "null"));
    assert_eq!(texts("p"), some("ill", "well"));
    assert_eq!(texts("q"), some("{1,2}", "{}"));
    let exact = SqlOptions::new().columns(["f"]).with_dtype("f", DataType::String);
    assert_eq!(
        everywhere(&read_sql_table("kinds", url, exact).unwrap()),
        df!("f" => [Some("0.1"), None, Some("NaN")]).unwrap()
    );
    run(url, "UPDATE kinds SET j = 'infinity' WHERE b = 0");
    says(
        frame.select([col("j")]).unwrap().compute(),
        &["table `kinds`", "partition 0", "column `j`", "infinite", ".with_dtype"],
    );
}

#[test]
fn queries_and_errors() {
    let Some(server) = PostgresServer::start().unwrap() else { return };
    let url = &server.url("postgres");
    run(
        url,
        "CREATE TABLE stones (id int8, name text); INSERT INTO stones SELECT n, 'n' || n FROM generate_series(1, 100) AS n",
    );
    let query = "SELECT id * 2 AS twice, name FROM stones WHERE id % 2 = 0 -- even\n;";
    let frame = read_sql_query(query, url, SqlOptions::new().index_col("twice").partitions(3)).unwrap();
    assert_eq!((frame.partitions(), everywhere(&frame).height()), (3, 50));
    let one = frame.filter(col("twice").eq(lit(8))).unwrap().select([col("name")]).unwrap();
    assert_eq!(everywhere(&one), df!("name" => ["n4"]).unwrap());
    let whole = read_sql_table("stones", url, SqlOptions::new()).unwrap();
    assert_eq!((whole.partitions(), everywhere(&whole).height()), (1, 100));
    says(read_sql_table("pebbles", url, SqlOptions::new()), &["there is no table `pebbles`", "public.stones"]);
    says(read_sql_query("SELECT wait FROM stones", url, SqlOptions::new()), &["column \"wait\" does not exist"]);
    says(read_sql_table("stones", url, SqlOptions::new().columns(["wait"])), &["there are id, name"]);
    says(read_sql_table("stones", url, SqlOptions::new().partitions(2)), &["no primary key", ".index_col"]);
    let strange = "SELECT id, ARRAY[id] AS list FROM stones";
    says(read_sql_query(strange, url, SqlOptions::new().index_col("list")), &["`list` cannot be", "_int8"]);
    says(
        read_sql_table("stones", &url.replace("cut%20by", "cut%20off"), SqlOptions::new()),
        &["password authentication failed"],
    );
    says(
        read_sql_table("stones", &url.replace("/postgres", "/nowhere"), SqlOptions::new()),
        &["database \"nowhere\" does not exist"],
    );
    // Nobody listens where a listener has gone.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let gone = format!("postgresql://me:cut%20by@127.0.0.1:{port}/x");
    says(
        read_sql_table("stones", &gone, SqlOptions::new()),
        &[&format!("me@127.0.0.1:{port}"), "no connection", "check host"],
    );
    says(read_sql_table("stones", "postgresql://host:port/x", SqlOptions::new()), &["write postgresql://"]);
    // Inside of somebody's runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(async { whole.len().compute() }).unwrap(), 100);
    // The table changes after the frame was made: what is gone is told.
    run(url, "ALTER TABLE stones DROP COLUMN name");
    says(whole.compute(), &["table `stones`", "column \"name\" does not exist"]);
}
