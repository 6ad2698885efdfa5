//! CSV in dialects, as pandas reads them; and text of any kind, which blocks must not make a difference to.

use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::frame::polars::prelude::*;
use talatat::prelude::CsvOptions;
use talatat::storage::{Location, write_atomic};
use talatat::{Compute, Session};

use crate::common::{all_equal, csv, differs, everywhere, place, says, sessions};

const CASES: &str = include_str!("../fixtures/csv_dialects.json");

/// pandas' options as ours.
fn options(asked: &Json) -> CsvOptions {
    let byte = |value: &Json| value.as_str().unwrap().as_bytes()[0];
    let words = |value: &Json| -> Vec<String> {
        let word = |word: &Json| word.as_str().map_or_else(|| word.to_string(), str::to_string);
        value.as_array().unwrap().iter().map(word).collect()
    };
    asked.as_object().unwrap().iter().fold(CsvOptions::new(), |options, (name, value)| match name.as_str() {
        "comment" => options.comment(byte(value)),
        "sep" => options.separator(byte(value)),
        "skiprows" if value.is_array() => options.skip_rows_after_header(value.as_array().unwrap().len()),
        "skiprows" => options.skip_rows(value.as_u64().unwrap() as usize),
        "skipfooter" => options.skip_footer(value.as_u64().unwrap() as usize),
        "header" => options.has_header(false),
        "names" => options.column_names(words(value)),
        "thousands" => options.thousands(byte(value)),
        "decimal" => options.decimal_comma(true),
        "escapechar" => options.escape_char(byte(value)),
        "quoting" => options.quote_char(None),
        "na_values" => {
            value.as_object().unwrap().iter().fold(options, |all, (name, list)| all.null_values_of(name, words(list)))
        }
        "engine" | "keep_default_na" => options,
        other => panic!("{other}"),
    })
}

#[test]
fn as_pandas_reads_them() {
    let cases: Vec<Json> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let (name, text) = (case["name"].as_str().unwrap(), case["text"].as_str().unwrap());
        let read = |blocksize| csv(text, options(&case["options"]).blocksize(blocksize));
        let frame = read(1 << 20).unwrap_or_else(|error| panic!("{name}: {error}"));
        let got = everywhere(&frame);
        assert_eq!(differs(&got, &case["expect"], 0.0), None, "{name}:\n{got}");
        assert_eq!(all_equal(&frame.len()), got.height(), "{name}");
        // What is passed over must lie in the first or the last block.
        if !name.contains("skip") {
            for blocksize in [20, 31] {
                let cut = read(blocksize).unwrap();
                assert!(everywhere(&cut).equals_missing(&got), "{name}, blocks of {blocksize}");
                assert_eq!(everywhere(&cut.head(1)), got.head(Some(1)), "{name}");
            }
        }
    }
    assert!(cases.len() > 15);
}

#[test]
fn lines_left_out_of_each_file_and_of_blocks() {
    let rows: String = (0..500).map(|n| format!("{n},{}\n", n * 3)).collect();
    let text = format!("made by hand\nid,x\n#,kg\n{rows}sum,0\nend\n");
    let options = || CsvOptions::new().skip_rows(1).skip_rows_after_header(1).skip_footer(2);
    let expect = df!("id" => (0..500_i64).collect::<Vec<_>>(), "x" => (0..500_i64).map(|n| n * 3).collect::<Vec<_>>());
    let expect = expect.unwrap();
    for blocksize in [40, 100, 999, 1 << 20] {
        let frame = csv(&text, options().blocksize(blocksize)).unwrap();
        assert!(everywhere(&frame).equals_missing(&expect), "{blocksize}");
        assert_eq!(all_equal(&frame.len()), 500);
    }
    let two = [crate::common::memory(&text), crate::common::memory(&text)];
    let both = talatat::frame::read_csv(&two, options().blocksize(1000)).unwrap();
    assert!(everywhere(&both).equals_missing(&expect.vstack(&expect).unwrap()));
}

#[test]
fn dialects_that_cannot_be() {
    // On several threads a later block may be the first to fail.
    let (_, one) = &sessions()[0];
    says(csv("a,b\n", CsvOptions::new().comment(b',')), &["`separator` and `comment` are the same byte"]);
    says(csv("a;b\n", CsvOptions::new().thousands(b',').decimal_comma(true)), &["`thousands` and `decimal_comma`"]);
    says(csv("a,b\n1,2\n", CsvOptions::new().null_values_of("c", ["-"])), &["a column `c`; there are a, b"]);
    let odd = format!("a,b\n{}# 5\" pipe\n{}", "1,2\n".repeat(50), "3,4\n".repeat(50));
    says(csv(&odd, CsvOptions::new().comment(b'#').blocksize(100)).unwrap().compute_on(one), &["quote"]);
    assert_eq!(csv(&odd, CsvOptions::new().comment(b'#')).unwrap().compute_on(one).unwrap().height(), 100);
    let far = format!("{}a,b\n1,2\n", "line\n".repeat(50));
    says(
        csv(&far, CsvOptions::new().skip_rows(50).blocksize(100)).unwrap().compute_on(one),
        &["fewer than 50 lines", ".blocksize"],
    );
    says(csv(&far, CsvOptions::new().skip_rows(50).sample(100)), &["fewer than 50 lines", ".sample"]);
    let long = format!("a,b\n1,2\n{}", "line\n".repeat(50));
    says(
        csv(&long, CsvOptions::new().skip_footer(50).sample(8).blocksize(60)).unwrap().compute_on(one),
        &["not 50 lines", ".blocksize"],
    );
    let late = format!("a,b\n{}\"1.5.5\",2\n", "\"1,000\",2\n".repeat(50));
    says(csv(&late, CsvOptions::new().thousands(b',').sample(100)).unwrap().compute_on(one), &["1.5.5"]);
}

/// A file of any bytes.
fn file(bytes: &[u8]) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let url = format!("{}/{}.csv", place("dialect-tests"), COUNT.fetch_add(1, Ordering::Relaxed));
    write_atomic(&Location::parse(&url).unwrap(), |w| std::io::Write::write_all(w, bytes)).unwrap();
    url
}

/// Bytes that mean something, and some that do not.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"ab1.,,\"\"\n\n\n\r#\\ \xc3\xa9\x00\xff".to_vec());
    let wild = prop::collection::vec(byte, 0..60);
    let tame = "(([a1]{0,2}|\"([a,\n]|\"\"){0,4}\")(,([a1]{0,2}|\"([a,\n]|\"\"){0,4}\")){0,2}\r?\n){0,8}";
    let header = prop::sample::select(vec![&b""[..], b"a,b,c\n"]);
    (header, prop_oneof![wild, tame.prop_map(String::into_bytes)]).prop_map(|(header, rest)| [header, &rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever is in a file: blocks of any size give the rows of the whole, or an error where the whole is one.
    #[test]
    fn blocks_make_no_difference(bytes in bytes(), blocksize in 1_u64..40, dialect in 0..4) {
        let options = match dialect {
            0 => CsvOptions::new(),
            1 => CsvOptions::new().quote_char(None).has_header(false),
            2 => CsvOptions::new().escape_char(b'\\'),
            _ => CsvOptions::new().quote_char(None).comment(b'#'),
        };
        let session = Session::builder().threads(1).build().unwrap();
        let read = |blocksize| {
            let frame = talatat::frame::read_csv([file(&bytes)], options.clone().blocksize(blocksize))?;
            frame.compute_on(&session)
        };
        match (read(1 << 20), read(blocksize)) {
            (Ok(whole), Ok(cut)) => prop_assert!(whole.equals_missing(&cut), "{whole}\n{cut}"),
            (Err(_), Err(_)) => {}
            // A header with a quote that is never closed, and no row: a block without rows is not looked into.
            _ if bytes.iter().filter(|&&byte| byte == b'"').count() % 2 == 1 => {}
            (whole, cut) => prop_assert!(false, "{whole:?}\n{cut:?}"),
        }
    }
}
