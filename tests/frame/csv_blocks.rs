//! CSV in blocks of any size is the same table: against the whole file in one block, and against another parser.

use proptest::prelude::*;
use talatat::Compute;
use talatat::frame::polars::prelude::*;
use talatat::frame::{Frame, read_csv};
use talatat::prelude::CsvOptions;

use crate::common::{all_equal, csv, everywhere, memory};

/// A field as text, and how it stands in the file.
fn field() -> impl Strategy<Value = (Option<String>, String)> {
    let text = prop::collection::vec(prop::sample::select(vec!["a", "é", ",", "\n", "\r\n", "\"", " "]), 0..5);
    text.prop_map(|parts| {
        let text = parts.concat();
        match text.as_str() {
            "" => (None, String::new()),
            plain if !plain.contains([',', '\n', '\r', '"']) => (Some(text.clone()), text),
            _ => (Some(text.clone()), format!("\"{}\"", text.replace('"', "\"\""))),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_block_size_gives_the_same_table(
        rows in prop::collection::vec((any::<i32>(), field()), 1..12),
        newline in prop::sample::select(vec!["\n", "\r\n"]),
        blocksize in 1_u64..40,
        n in 0_usize..14,
    ) {
        let text: String = rows.iter().map(|(number, (_, written))| format!("{number},{written}{newline}")).collect();
        let text = format!("id,note{newline}{text}");
        let options = CsvOptions::new().blocksize(blocksize).with_dtype("note", DataType::String);
        let frame = csv(&text, options).unwrap();
        let ids: Vec<i64> = rows.iter().map(|(number, _)| i64::from(*number)).collect();
        let notes: Vec<Option<String>> = rows.iter().map(|(_, (value, _))| value.clone()).collect();
        let expect = df!("id" => ids, "note" => notes).unwrap();
        let got = everywhere(&frame);
        prop_assert!(got.equals_missing(&expect), "{text:?}\n{got}\n{expect}");
        prop_assert_eq!(all_equal(&frame.len()), rows.len());
        let head = everywhere(&frame.head(n));
        prop_assert!(head.equals_missing(&expect.head(Some(n))), "{text:?} head {n}\n{head}");
    }
}

#[test]
fn the_last_record_needs_no_line_break() {
    for blocksize in 1..12 {
        let frame = csv("a,b\n1,x\n2,y", CsvOptions::new().blocksize(blocksize)).unwrap();
        assert!(everywhere(&frame).equals(&df!("a" => [1_i64, 2], "b" => ["x", "y"]).unwrap()), "{blocksize}");
    }
}

#[test]
fn blank_lines_and_a_byte_order_mark_are_passed_over() {
    for blocksize in [1, 4, 100] {
        let frame = csv("\u{feff}a\n\n1\n\r\n2\n\n", CsvOptions::new().blocksize(blocksize)).unwrap();
        assert!(everywhere(&frame).equals(&df!("a" => [1_i64, 2]).unwrap()), "{blocksize}");
    }
}

#[test]
fn several_files_are_one_table_and_may_differ_in_quotes() {
    let paths = [memory("a,b\n1,\"x\ny\"\n"), memory("a,b\n"), memory("a,b\n2,z\n3,\"\"\n")];
    for blocksize in [1, 3, 1000] {
        let frame = read_csv(&paths, CsvOptions::new().blocksize(blocksize)).unwrap();
        let expect = df!("a" => [1_i64, 2, 3], "b" => ["x\ny", "z", ""]).unwrap();
        assert!(everywhere(&frame).equals_missing(&expect), "{blocksize}");
    }
}

#[test]
fn options_mean_what_they_say() {
    let one = |text: &str, options: CsvOptions| everywhere(&csv(text, options.blocksize(7)).unwrap());
    let got = one("a;b\n1;2,5\n", CsvOptions::new().separator(b';'));
    assert!(got.equals(&df!("a" => [1_i64], "b" => ["2,5"]).unwrap()), "{got}");
    let got = one("1,x\n2,y\n", CsvOptions::new().has_header(false));
    assert!(got.equals(&df!("column_1" => [1_i64, 2], "column_2" => ["x", "y"]).unwrap()), "{got}");
    let got = one("a,b\n1,x\n", CsvOptions::new().column_names(["c", "d"]));
    assert!(got.equals(&df!("c" => [1_i64], "d" => ["x"]).unwrap()), "{got}");
    let got = one("a,b\n-,x\n2,\"\"\n", CsvOptions::new().null_values(["-"]));
    assert!(got.equals_missing(&df!("a" => [None, Some(2_i64)], "b" => [Some("x"), None]).unwrap()), "{got}");
    let got = one("a\n6\" pipe\n", CsvOptions::new().quote_char(None));
    assert!(got.equals(&df!("a" => ["6\" pipe"]).unwrap()), "{got}");
    let got = one("a\n1\n", CsvOptions::new().with_dtype("a", DataType::Float64));
    assert!(got.equals(&df!("a" => [1.0]).unwrap()), "{got}");
    let got = one("t\n01.02.2024 10:30\n", CsvOptions::new().parse_dates(["t"], Some("%d.%m.%Y %H:%M")));
    assert_eq!(
        got.column("t").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().get(0),
        Some(1_706_783_400_000_000)
    );
    let got = one("t\n2024-02-01 10:30:00\n", CsvOptions::new().try_parse_dates(true));
    assert_eq!(
        got.column("t").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().get(0),
        Some(1_706_783_400_000_000)
    );
    let got = one("x,x,\n1,2,3\n", CsvOptions::new());
    assert_eq!(got.get_column_names(), ["x", "x.1", "Unnamed: 2"]);
}

#[test]
fn short_records_are_filled_up() {
    let got = everywhere(&csv("a,b,c\n1,2\n3\n4,5,6\n", CsvOptions::new()).unwrap());
    assert!(
        got.equals_missing(
            &df!("a" => [1_i64, 3, 4], "b" => [Some(2_i64), None, Some(5)], "c" => [None, None, Some(6_i64)]).unwrap()
        ),
        "{got}"
    );
}

#[test]
fn large_texts_are_parsed_in_pieces() {
    // More than one piece in a block, quotes across their borders.
    let note = "\"line\nbreak, comma\"";
    let text: String = (0..150_000).map(|row| format!("{row},{note},{}\n", row % 7)).collect();
    let frame = csv(&format!("id,note,k\n{text}"), CsvOptions::new().blocksize(3 << 20)).unwrap();
    assert_eq!(all_equal(&frame.len()), 150_000);
    let ids = frame.select([col("id")]).unwrap().compute().unwrap();
    assert!(ids.column("id").unwrap().i64().unwrap().into_no_null_iter().eq(0..150_000));
    let kept: Frame = frame.filter(col("k").eq(lit(3)).and(col("note").eq(lit("line\nbreak, comma")))).unwrap();
    assert_eq!(all_equal(&kept.len()), (0..150_000).filter(|row| row % 7 == 3).count());
}
