//! Text and JSON lines, in and out.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use talatat::Compute;
use talatat::bag::{Bag, JsonLinesOptions, Skipped, TextOptions, read_json_lines, read_text};
use talatat::storage::{Location, write_atomic};

use super::on_all;
use crate::common::faulty_sessions;

fn write(url: &str, bytes: &[u8]) {
    write_atomic(&Location::parse(url).unwrap(), |file| file.write_all(bytes)).unwrap();
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn lines_whatever_the_blocks(text in "([a-c\u{e9}]{0,6}(\n|\r\n)){0,8}[a-c]{0,4}", blocksize in 1_u64..30) {
        write("memory://bag-tests/lines/a.txt", text.as_bytes());
        write("memory://bag-tests/lines/b.txt", b"last");
        write("memory://bag-tests/packed/a.txt.gz", &gz(text.as_bytes()));
        let lines: Vec<String> = text.lines().map(String::from).collect();
        let options = TextOptions::new().blocksize(blocksize);
        let read = read_text(["memory://bag-tests/lines/a.txt"], options.clone()).unwrap();
        prop_assert_eq!(read.compute().unwrap(), lines.clone());
        let packed = read_text(["memory://bag-tests/packed/a.txt.gz"], options.clone()).unwrap();
        prop_assert_eq!((packed.partitions(), packed.compute().unwrap()), (1, lines.clone()));
        let both = read_text(["memory://bag-tests/lines/*.txt"], options).unwrap();
        prop_assert_eq!(on_all(&both), lines.into_iter().chain(["last".to_string()]).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), blocksize in 1_u64..20) {
        write("memory://bag-tests/any/a.jsonl", &bytes);
        write("memory://bag-tests/any/a.gz", &bytes);
        write("memory://bag-tests/any/a.zst", &bytes);
        let options = TextOptions::new().blocksize(blocksize);
        let strict = read_text(["memory://bag-tests/any/a.jsonl"], options.clone()).unwrap().compute();
        let lossy = read_text(["memory://bag-tests/any/a.jsonl"], options.clone().lossy()).unwrap().compute().unwrap();
        match std::str::from_utf8(&bytes) {
            Ok(_) => prop_assert_eq!(strict.unwrap(), lossy),
            Err(_) => prop_assert!(strict.unwrap_err().to_string().contains("not UTF-8")),
        }
        for packed in ["memory://bag-tests/any/a.gz", "memory://bag-tests/any/a.zst"] {
            let _ = read_text([packed], options.clone()).unwrap().compute();
        }
        let skipped = Skipped::default();
        let json = JsonLinesOptions::new().blocksize(blocksize).skip_bad_lines(&skipped);
        let good = read_json_lines::<u8, _>(["memory://bag-tests/any/a.jsonl"], json).unwrap().compute().unwrap();
        let filled = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        prop_assert_eq!(good.len() as u64 + skipped.count(), filled as u64);
    }
}

#[test]
fn packed_files() {
    let text = "one\ntwo\n".repeat(5000);
    let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    write("memory://bag-tests/pack/a.zst", &zstd);
    // Several packed texts one after the other are one, as `cat` makes them.
    write("memory://bag-tests/pack/b.zst", &[zstd.clone(), zstd.clone()].concat());
    write("memory://bag-tests/pack/c.gz", &[gz(text.as_bytes()), gz(b"three")].concat());
    let count = |name: &str| {
        let lines = read_text([format!("memory://bag-tests/pack/{name}")], TextOptions::new().blocksize(10)).unwrap();
        lines.count().compute().unwrap()
    };
    assert_eq!((count("a.zst"), count("b.zst"), count("c.gz")), (10_000, 20_000, 10_001));
    for (name, whole) in [("cut.gz", gz(text.as_bytes())), ("cut.zst", zstd)] {
        let url = format!("memory://bag-tests/pack/{name}");
        write(&url, &whole[..whole.len() / 2]);
        let error = read_text([&url], TextOptions::new()).unwrap().compute().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("truncated or damaged"), "{error}");
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trip {
    line: String,
    fare: f64,
    stops: Option<Vec<u32>>,
}

fn trips() -> Vec<Trip> {
    let trip = |n: u32| Trip {
        line: format!("U{n}"),
        fare: f64::from(n) * 0.25,
        stops: n.is_multiple_of(2).then(|| vec![n; 3]),
    };
    (0..50).map(trip).collect()
}

#[test]
fn records_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("trips");
    for target in [local.to_str().unwrap(), "memory://bag-tests/trips"] {
        let bag = Bag::from_sequence(trips(), 7);
        assert_eq!(bag.to_json_lines(target).unwrap().compute().unwrap(), 50);
        for blocksize in [1, 100, 1 << 20] {
            let options = JsonLinesOptions::new().blocksize(blocksize);
            let back = read_json_lines::<Trip, _>([format!("{target}/*.jsonl")], options).unwrap();
            assert_eq!(on_all(&back), trips());
        }
        let refused = bag.to_json_lines(target).unwrap_err().to_string();
        assert!(refused.contains("is there"), "{refused}");
    }
}

#[test]
fn bad_lines_are_told_or_counted() {
    let good = |n: usize| format!("{{\"line\":\"U{n}\",\"fare\":1.5}}\n");
    let mut text: String = (0..20).map(good).collect();
    let offset = text.len();
    text.push_str("{\"line\": \"U20\", \"fare\": \"free of charge, and a long story why this is so\"}\n\n  \n");
    text.extend((21..30).map(good));
    write("memory://bag-tests/bad/x.jsonl", text.as_bytes());
    let read = |blocksize: u64, skipped: Option<&Skipped>| {
        let options = JsonLinesOptions::new().blocksize(blocksize);
        let options = skipped.iter().fold(options, |options, skipped| options.skip_bad_lines(skipped));
        read_json_lines::<Trip, _>(["memory://bag-tests/bad/x.jsonl"], options).unwrap()
    };
    let error = read(1 << 20, None).compute().unwrap_err().to_string();
    let place = format!("x.jsonl, line 21, byte {offset}, `{{\"line\": \"U20\", \"fare\": \"free of charge");
    assert!(error.contains(&place) && error.contains("...`: invalid type: string"), "{error}");
    // In a later block lines cannot be counted; bytes can.
    let error = read(40, None).compute().unwrap_err().to_string();
    assert!(error.contains(&format!("x.jsonl, byte {offset}, ")), "{error}");
    for blocksize in [1 << 20, 40] {
        let skipped = Skipped::default();
        assert_eq!(read(blocksize, Some(&skipped)).count().compute().unwrap(), 29);
        assert_eq!(skipped.count(), 1);
        assert!(skipped.first().unwrap().contains("free of charge"));
    }
}

#[test]
fn what_cannot_be_read() {
    let error = read_text(["memory://bag-tests/none-*.txt"], TextOptions::new()).unwrap_err().to_string();
    assert!(error.contains("matches no file"), "{error}");
    write("memory://bag-tests/latin.txt", b"fine\ncaf\xe9\n");
    let error = read_text(["memory://bag-tests/latin.txt"], TextOptions::new()).unwrap().compute().unwrap_err();
    let error = error.to_string();
    assert!(error.contains("latin.txt, line 2, byte 5, `caf\u{fffd}`: not UTF-8 at its byte 3"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.txt");
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let lines = read_text([path.to_str().unwrap()], TextOptions::new()).unwrap();
    std::fs::write(&path, "other\n").unwrap();
    assert!(lines.compute().unwrap_err().to_string().contains("has changed since it was opened"));
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out");
    let target = target.to_str().unwrap();
    let several = Bag::from_sequence(["fine", "two\nlines"], 2);
    let error = several.to_text_files(target).unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("out/part-000001.txt") && error.contains("item 0: the text has several lines"), "{error}");
    let mut without = 0;
    for session in faulty_sessions(0..8) {
        let writing = Bag::from_sequence(0..100, 5).to_text_files(target).unwrap();
        assert!(writing.compute_on(&session).is_err());
        drop(writing);
        // The injected fault comes after a task's work: that of the last task comes when all is there.
        if std::fs::exists(target).unwrap() {
            assert_eq!(read_text([format!("{target}/*")], TextOptions::new()).unwrap().count().compute().unwrap(), 100);
            std::fs::remove_dir_all(target).unwrap();
        } else {
            without += 1;
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    }
    assert!(without > 10, "{without}");
}
