//! JSON lines, and readers of one's own.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{
    Compression, Frame, JsonOptions, WriteOptions, from_map, read_csv, read_fwf, read_ipc, read_json,
};
use talatat::prelude::CsvOptions;
use talatat::storage::{Location, write_atomic};

use crate::common::{all_equal, everywhere, local_sessions, place, says, sessions};
use crate::parquet::{as_expected, fixture};

fn json(texts: &[&str], options: JsonOptions) -> talatat::Result<Frame> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = format!("{}/{}", place("json-tests"), COUNT.fetch_add(1, Ordering::Relaxed));
    for (number, text) in texts.iter().enumerate() {
        let url = format!("{folder}/{number:03}.json");
        write_atomic(&Location::parse(&url).unwrap(), |w| w.write_all(text.as_bytes())).unwrap();
    }
    read_json([folder], options)
}

/// pandas' answer to `read_fwf` with `colspecs=[(0, 6), (6, 12), (12, 17)]` and the same text.
#[test]
fn fields_at_fixed_places() {
    let text = "name  count price\nOslo      7  1.5\n\nSão P    12\n  Rom       0.25\n          \nLyon     -3 12.5";
    let columns =
        || [("name", 0..6, DataType::String), ("count", 6..12, DataType::Int64), ("price", 12..17, DataType::Float64)];
    let expect = df!(
        "name" => ["Oslo", "São P", "Rom", "Lyon"],
        "count" => [Some(7_i64), Some(12), None, Some(-3)],
        "price" => [Some(1.5), None, Some(0.25), Some(12.5)],
    );
    let expect = expect.unwrap();
    for bytes in [20, 1 << 20] {
        for text in [text.to_string(), text.replace('\n', "\r\n")] {
            let url = crate::common::memory(&text);
            let frame = read_fwf([url], columns(), CsvOptions::new().blocksize(bytes)).unwrap();
            let got = everywhere(&frame);
            assert!(got.equals_missing(&expect), "{got}");
            let some = everywhere(&frame.select([col("price")]).unwrap());
            assert!(some.equals_missing(&expect.select(["price"]).unwrap()), "{some}");
        }
    }
    let url = crate::common::memory(text);
    let none: [(&str, std::ops::Range<u32>, DataType); 0] = [];
    says(read_fwf([&url], none, CsvOptions::new()), &["there is no column", "readers.rs"]);
    says(read_fwf([&url], [("x", 3..3, DataType::Int64)], CsvOptions::new()), &["no place"]);
    let wrong = read_fwf([&url], [("x", 0..6, DataType::Int64)], CsvOptions::new()).unwrap();
    assert!(wrong.compute_on(&sessions()[0].1).is_err());
}

#[test]
fn lines_of_pandas() {
    for bytes in [150, 1000, 1 << 20] {
        let frame = read_json([fixture("lines.json")], JsonOptions::new().blocksize(bytes)).unwrap();
        as_expected(&everywhere(&frame), "json");
        let some = frame.filter(col("id").gt(lit(90)).and(col("flag"))).unwrap().select([col("text")]).unwrap();
        assert_eq!(
            everywhere(&some).height(),
            frame.compute().unwrap().lazy().filter(col("id").gt(lit(90)).and(col("flag"))).collect().unwrap().height()
        );
        assert_eq!(all_equal(&frame.len()), 100);
        assert_eq!(everywhere(&frame.head(3)), frame.compute().unwrap().head(Some(3)));
    }
}

#[test]
fn types_widen() {
    let texts = ["{\"a\": 1, \"b\": true, \"c\": null}\n\n", "{\"a\": 2.5, \"d\": [1, 2]}\n{\"b\": \"x\"}", ""];
    let frame = json(&texts, JsonOptions::new()).unwrap();
    let expect = df!(
        "a" => [Some(1.0), Some(2.5), None],
        "b" => [Some("true"), None, Some("x")],
        "c" => [None::<&str>, None, None],
    );
    let got = everywhere(&frame);
    assert!(got.drop("d").unwrap().equals_missing(&expect.unwrap()), "{got}");
    assert_eq!(frame.schema().get("d"), Some(&DataType::List(Box::new(DataType::Int64))));
    let path = json(&texts, JsonOptions::new().include_path("file")).unwrap();
    let path = path.filter(col("file").str().ends_with(lit("000.json"))).unwrap();
    assert_eq!(everywhere(&path.select([col("a")]).unwrap()), df!("a" => [1.0]).unwrap());
    assert_eq!(all_equal(&path.len()), 1);
    let dates = JsonOptions::new().with_dtype("d", DataType::Date).with_dtype("n", DataType::Int8);
    let frame = json(&["{\"d\": \"2024-02-29\", \"n\": 7}\n"], dates).unwrap();
    let got = everywhere(&frame.select([col("d").dt().day(), col("n")]).unwrap());
    assert_eq!(got, df!("d" => [29_i8], "n" => [7_i8]).unwrap());
}

#[test]
fn lines_that_cannot_be_read() {
    let lines = "{\"a\": 1}\n".repeat(50);
    let small = || JsonOptions::new().sample(20).blocksize(100);
    says(
        json(&[&format!("{lines}{{\"a\": 2.5}}\n")], small()).unwrap().compute(),
        &["000.json`, byte 450: column `a` (i64)", ".with_dtype(\"a\""],
    );
    says(
        json(&[&format!("{lines}{{\"a\": \n")], small()).unwrap().compute(),
        &["000.json`, byte 450", "cannot be read"],
    );
    says(json(&[&format!("{lines}[1]\n{lines}")], small()).unwrap().compute(), &["000.json`, byte 450"]);
    says(json(&["id,x\n1,2\n"], JsonOptions::new()), &["000.json`, byte 0", "JSON object"]);
    says(json(&["\n"], JsonOptions::new()), &["no object to take names from"]);
    says(json(&["{\"a\": 1}"], JsonOptions::new().include_path("a")), &["include_path(\"a\")"]);
    says(read_json(["memory://json-tests/none/*.json"], JsonOptions::new()), &["matches no file"]);
}

#[test]
fn what_is_written_as_json_is_read() {
    let data = df!("n" => [Some(1_i64), None, Some(3)], "t" => ["a\"\n", "é", ""], "x" => [0.1, -1e300, 3.0]).unwrap();
    let frame = Frame::from_polars(data.clone(), 2);
    frame.to_json(&place("json-tests/written"), WriteOptions::new()).unwrap().compute().unwrap();
    let back = read_json([place("json-tests/written")], JsonOptions::new()).unwrap();
    assert!(everywhere(&back).equals_missing(&data));
}

#[test]
fn arrow_files() {
    let frame = read_ipc([fixture("some.arrow")]).unwrap();
    as_expected(&everywhere(&frame), "ipc");
    assert_eq!(all_equal(&frame.len()), 100);
    let late = frame.filter(col("id").gt_eq(lit(95))).unwrap().select([col("dictionary"), col("text")]).unwrap();
    assert_eq!(everywhere(&late).height(), 5);
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let options = WriteOptions::new().overwrite().compression(compression).row_group_rows(7);
        frame.to_ipc(&place("ipc-tests/written"), options).unwrap().compute().unwrap();
        let back = read_ipc([place("ipc-tests/written")]).unwrap();
        as_expected(&everywhere(&back), "ipc");
        assert_eq!(everywhere(&back.head(10)), frame.compute().unwrap().head(Some(10)));
    }
}

#[test]
fn arrow_files_that_cannot_be_read() {
    let put = |name: &str, bytes: &[u8]| {
        let url = format!("{}/{name}.arrow", place("ipc-tests/bad"));
        write_atomic(&Location::parse(&url).unwrap(), |w| w.write_all(bytes)).unwrap();
        url
    };
    let encoded = |mut frame: DataFrame| {
        let mut bytes = Vec::new();
        IpcWriter::new(&mut bytes).finish(&mut frame).unwrap();
        bytes
    };
    let good = encoded(df!("a" => (0..1000_i64).collect::<Vec<_>>()).unwrap());
    says(read_ipc([put("short", &good[..good.len() - 9])]), &["short.arrow", "there is no footer", "truncated"]);
    says(read_ipc([put("empty", b"")]), &["empty.arrow", "there is no footer"]);
    says(read_ipc([fixture("types.parquet")]), &["types.parquet", "another format"]);
    let other = put("other", &encoded(df!("b" => [1]).unwrap()));
    says(read_ipc([put("good", &good), other]), &["other.arrow", "the columns are b (i32)", "good.arrow are a (i64)"]);
    let changed = read_ipc([put("changed", &good)]).unwrap();
    put("changed", &encoded(df!("a" => [1_i64]).unwrap()));
    says(changed.compute(), &["changed.arrow", "has changed since it was opened"]);
    for place in (8..good.len()).step_by(101) {
        let mut broken = good.clone();
        broken[place] ^= 0x55;
        if let Ok(frame) = read_ipc([put(&format!("broken{place}"), &broken)]) {
            let _ = frame.compute();
        }
    }
}

fn csv_files(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| crate::common::memory(text)).collect()
}

#[test]
fn compressed_csv() {
    let plain = read_ipc([fixture("some.arrow")]).unwrap();
    let expect = plain.select([col("id"), col("f64").fill_null(lit(0.5)).fill_nan(lit(0.5)), col("flag")]).unwrap();
    let expect = expect.compute().unwrap();
    for name in ["some.csv.gz", "some.csv.zst"] {
        let frame = read_csv([fixture(name)], CsvOptions::new().sample(100).blocksize(50)).unwrap();
        assert_eq!(frame.partitions(), 1);
        assert!(everywhere(&frame).equals_missing(&expect));
        assert_eq!(everywhere(&frame.head(7)), expect.head(Some(7)));
        let large = everywhere(&frame.filter(col("id").gt(lit(90))).unwrap().select([col("flag")]).unwrap());
        assert_eq!(large.height(), 9);
    }
    let bytes = std::fs::read(fixture("some.csv.gz")).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let url = format!("{}/{name}", place("csv-packed"));
        write_atomic(&Location::parse(&url).unwrap(), |w| w.write_all(bytes)).unwrap();
        url
    };
    let cut = read_csv([put("cut.csv.gz", &bytes[..bytes.len() / 2])], CsvOptions::new().sample(100)).unwrap();
    says(cut.compute(), &["cut.csv.gz", "cannot be unpacked", "truncated or damaged"]);
    says(
        read_csv([put("noise.csv.gz", b"\x1f\x8b\x08\x00junk")], CsvOptions::new()),
        &["noise.csv.gz", "cannot be unpacked"],
    );
    says(read_csv([put("hidden.csv", &bytes)], CsvOptions::new()), &["hidden.csv", "let it end in .gz"]);
    let both = [put("a.csv.gz", &bytes), crate::common::memory("id,f64,flag\n7,,true\n")];
    assert_eq!(all_equal(&read_csv(both, CsvOptions::new()).unwrap().len()), 101);
}

#[test]
fn types_of_several_csv_files() {
    let files = csv_files(&["a,b,c\n1,,x\n", "a,b,c\n2.5,3,y\n", "a,b,c\n,4,5\n"]);
    let frame = read_csv(&files, CsvOptions::new()).unwrap();
    let expect = df!("a" => [Some(1.0), Some(2.5), None], "b" => [None, Some(3_i64), Some(4)], "c" => ["x", "y", "5"]);
    assert!(everywhere(&frame).equals_missing(&expect.unwrap()));
    let some = read_csv(&files, CsvOptions::new().usecols(["c", "a"]).include_path("file")).unwrap();
    assert_eq!(some.column_names(), ["a", "c", "file"]);
    let last = some.filter(col("file").eq(lit(files[2].clone()))).unwrap();
    assert_eq!(everywhere(&last.select([col("c")]).unwrap()), df!("c" => ["5"]).unwrap());
    assert_eq!(
        everywhere(&some.select([col("file")]).unwrap()).column("file").unwrap().str().unwrap().get(1),
        Some(files[1].as_str())
    );
    assert_eq!(all_equal(&some.len()), 3);
    says(read_csv(&files, CsvOptions::new().usecols(["z"])), &["column `z`; there are a, b, c"]);
    says(read_csv(&files, CsvOptions::new().include_path("a")), &["include_path(\"a\")"]);
    let comma = csv_files(&["x;n\n1,5;1\n-2,25;2\n"]);
    let comma = read_csv(&comma, CsvOptions::new().separator(b';').decimal_comma(true)).unwrap();
    assert_eq!(everywhere(&comma), df!("x" => [1.5, -2.25], "n" => [1_i64, 2]).unwrap());
}

#[test]
fn a_reader_of_ones_own() {
    let schema = Schema::from_iter([("n".into(), DataType::Int64)]);
    let local = |frame: &Frame| {
        let mut results = local_sessions();
        let first = frame.compute_on(&results.next().unwrap().1).unwrap();
        results.for_each(|(_, session)| assert_eq!(frame.compute_on(session).unwrap(), first));
        first
    };
    let frame = from_map([3_i64, 0, 2], |count: &i64| df!("n" => (0..*count).collect::<Vec<_>>()), &schema).unwrap();
    assert_eq!(local(&frame), df!("n" => [0_i64, 1, 2, 0, 1]).unwrap());
    assert_eq!(local(&frame.filter(col("n").gt(lit(0))).unwrap()).height(), 3);
    let wrong = from_map([1], |_: &i32| df!("m" => [1]), &schema).unwrap();
    says(wrong.compute(), &["item 0: the function gave the columns m (i32), but n (i64) were promised"]);
    let broken = from_map([1], |_: &i32| Err::<DataFrame, _>("no network"), &schema).unwrap();
    says(broken.compute(), &["item 0: no network", "tests/frame/readers.rs:"]);
    says(from_map(Vec::<i32>::new(), |_| df!("n" => [1_i64]), &schema), &["there is no item"]);
    says(from_map([1], |_: &i32| df!("n" => [1_i64]), &Schema::default()), &["no column is promised"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_blocks(rows in prop::collection::vec((any::<Option<i32>>(), ".{0,6}"), 1..30), bytes in 1..300_u64) {
        let text: String = rows
            .iter()
            .map(|(n, t)| format!("{}\n", serde_json::json!({"n": n, "t": t})))
            .collect();
        let options = JsonOptions::new().blocksize(bytes).with_dtype("n", DataType::Int64);
        let frame = json(&[&text], options).unwrap();
        let expect = df!(
            "n" => rows.iter().map(|row| row.0.map(i64::from)).collect::<Vec<_>>(),
            "t" => rows.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(),
        );
        prop_assert!(everywhere(&frame).equals_missing(&expect.unwrap()));
    }
}
