//! Matrices as text: NumPy's answers, round trips on every executor, what cannot be read.

use std::io::Write;

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::array::kernels::{Scalar, dtype::with_dtype};
use talatat::array::{Array, DType, Element, LoadText, SaveText, TextWrite, from_ndarray, genfromtxt, loadtxt};
use talatat::prelude::*;
use talatat::storage::{Location, ObjectRef, write_atomic};

use crate::answer::{Answer, Lazy, expected, matches, scalar};
use crate::common::{builder, faulty_sessions, reaches};
use crate::{SESSIONS, names, numbered, session};

fn put(url: &str, text: &str) {
    write_atomic(&Location::parse(url).unwrap(), |writer| writer.write_all(text.as_bytes())).unwrap();
}

fn text_at(url: &str) -> String {
    String::from_utf8(ObjectRef::open_url(url).unwrap().read_all().unwrap().to_vec()).unwrap()
}

/// The cases of a function in `text.json`.
fn cases(function: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/text.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let cases: Vec<Json> = cases.into_iter().filter(|case| case["op"] == function).collect();
    assert!(cases.len() > 15, "{function}");
    cases
}

fn dtype(json: &Json) -> DType {
    DType::ALL.iter().copied().find(|dtype| dtype.name() == json.as_str().unwrap()).unwrap()
}

/// The options of a case that is read.
fn reading(case: &Json) -> LoadText {
    let mut options = LoadText::new();
    if let Some(delimiter) = case["delimiter"].as_str() {
        options = options.delimiter(delimiter.chars().next().unwrap());
    }
    if let Some(comments) = case["comments"].as_str() {
        options = options.comments(comments);
    }
    if let Some(rows) = case["skiprows"].as_u64().or(case["skip_header"].as_u64()) {
        options = options.skiprows(rows as usize);
    }
    if let Some(rows) = case["max_rows"].as_u64() {
        options = options.max_rows(rows as usize);
    }
    if let Some(columns) = case["usecols"].as_array() {
        options = options.usecols(columns.iter().map(|column| column.as_i64().unwrap() as isize).collect::<Vec<_>>());
    }
    options
}

fn read<T: Element>(url: &str, case: &Json, options: &LoadText) -> talatat::Result<Array<T>> {
    if case["op"] == "loadtxt" {
        return loadtxt(url, options);
    }
    let filling = case.get("filling_values").map(|value| scalar(value).get::<T>());
    genfromtxt(url, options, filling)
}

#[test]
fn what_numpy_reads() {
    for (at, case) in cases("loadtxt").iter().chain(&cases("genfromtxt")).enumerate() {
        let url = format!("memory://text-cases/{at}");
        put(&url, case["text"].as_str().unwrap());
        for block in [1, 7, 1000] {
            let options = reading(case).block_bytes(block);
            let found: talatat::Result<Answer> = with_dtype!(dtype(&case["dtype"]), T => {
                read::<T>(&url, case, &options).and_then(|x| x.answer(&SESSIONS[at % 3]))
            });
            match case["expect"].get("error") {
                Some(_) => assert!(found.is_err(), "{case}: {found:?}"),
                None => {
                    let found = found.unwrap_or_else(|error| panic!("{case}: {error}"));
                    matches(&found, &expected(case), case).unwrap_or_else(|error| panic!("{case}: {error}"));
                }
            }
        }
    }
}

/// Sets an option.
type Set = fn(SaveText, &str) -> SaveText;

fn writing(case: &Json) -> SaveText {
    let mut options = SaveText::new();
    let sets: [(&str, Set); 6] = [
        ("fmt", |options, text| options.fmt(text)),
        ("delimiter", |options, text| options.delimiter(text)),
        ("newline", |options, text| options.newline(text)),
        ("header", |options, text| options.header(text)),
        ("footer", |options, text| options.footer(text)),
        ("comments", |options, text| options.comments(text)),
    ];
    for (name, set) in sets {
        if let Some(text) = case[name].as_str() {
            options = set(options, text);
        }
    }
    options
}

fn array<T: Element>(json: &Json) -> ArrayD<T> {
    let shape: Vec<usize> = serde_json::from_value(json["shape"].clone()).unwrap();
    let data: Vec<Scalar> = json["data"].as_array().unwrap().iter().map(scalar).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), data.into_iter().map(|value| value.get::<T>()).collect()).unwrap()
}

#[test]
fn what_numpy_writes() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("x.txt");
    for (at, case) in cases("savetxt").iter().enumerate() {
        for url in [local.to_str().unwrap(), "memory://text/written"] {
            let session = &SESSIONS[at % SESSIONS.len()];
            if !reaches(session, url) {
                continue;
            }
            let saved = with_dtype!(dtype(&case["array"]["dtype"]), T => {
                let x = from_ndarray(array::<T>(&case["array"]), 1).unwrap();
                session.scope(|| x.savetxt(url, &writing(case)))
            });
            match case["expect"].as_str() {
                Some(expected) => {
                    saved.unwrap_or_else(|error| panic!("{case}: {error}"));
                    assert_eq!(text_at(url), expected, "{case}");
                }
                None => assert!(saved.is_err(), "{case}"),
            }
        }
    }
}

fn round_trip<T: Element>(x: &Array<T>, url: &str) {
    let expected = x.compute_on(&session()).unwrap();
    let rows = expected.shape()[0];
    let expected = expected.into_shape_with_order(IxDyn(&[rows, x.shape().unwrap().iter().skip(1).product()])).unwrap();
    let options = SaveText::new().fmt(if T::DTYPE == DType::Bool { "%d" } else { "%s" }).header("a\nb");
    for session in SESSIONS.iter().filter(|session| reaches(session, url)) {
        session.scope(|| x.savetxt(url, &options)).unwrap();
        for block in [5, 64, 1 << 20] {
            let back = loadtxt::<T>(url, &LoadText::new().block_bytes(block)).unwrap();
            assert_eq!(back.compute_on(session).unwrap(), expected, "{}", T::DTYPE);
        }
    }
}

#[test]
fn every_type_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("x.txt");
    for url in [local.to_str().unwrap(), "memory://text/types"] {
        let x = from_ndarray(numbered(&[7, 3]), [2, 2]).unwrap();
        round_trip::<i32>(&x, url);
        round_trip::<bool>(&x.greater(5), url);
        round_trip::<i8>(&(&x - 10).astype(), url);
        round_trip::<i64>(&(x.astype::<i64>() * (1_i64 << 40)), url);
        round_trip::<u64>(&(x.astype::<u64>() * (1_u64 << 58)), url);
        round_trip::<talatat::array::f16>(&(x.astype::<f32>() / 7.0).astype(), url);
        round_trip::<f32>(&(x.astype::<f32>() / 7.0), url);
        round_trip::<f64>(&(x.astype::<f64>() / 7.0 * 1e300), url);
        round_trip::<f64>(&x.slice(ndarray::s![.., 0]).unwrap().astype(), url);
        let (re, im) = (x.astype::<f64>() / 7.0, (&x - 9).astype::<f64>() / 1e-9);
        let i = talatat::array::C128::new(0.0, 1.0);
        round_trip(&(re.astype::<talatat::array::C128>() + im.astype::<talatat::array::C128>() * i), url);
    }
    assert_eq!(names(folder.path()), ["x.txt"]);
}

#[test]
fn rows_are_known_when_they_are_computed_or_counted() {
    let url = "memory://text/rows";
    put(url, "1 2\n3 4\n\n# five\n5 6\n");
    let x = loadtxt::<i64>(url, &LoadText::new().block_bytes(4)).unwrap();
    assert!(x.shape().is_err() && x.numblocks()[0] > 3, "{x}");
    let y = x.persist_on(&session()).unwrap();
    assert_eq!(y.shape().unwrap(), [3, 2]);
    assert_eq!((&x + &x).sum(0).unwrap().compute_on(&session()).unwrap().into_raw_vec_and_offset().0, [18, 24]);
    let counted = loadtxt::<i64>(url, &LoadText::new().block_bytes(4).max_rows(2)).unwrap();
    assert_eq!(counted.shape().unwrap(), [2, 2]);
    let last = counted.slice(ndarray::s![-1, ..]).unwrap();
    assert_eq!(last.compute_on(&session()).unwrap().into_raw_vec_and_offset().0, [3, 4]);
}

/// 0, 1, 2, .. in rows.
fn counted(rows: i64, columns: i64) -> Array<i64> {
    let along = |length| talatat::array::arange::<i64>(0, length, 1).unwrap();
    along(rows).expand_dims(1).unwrap() * columns + along(columns)
}

#[test]
fn larger_than_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let url = path.to_str().unwrap();
    let x = counted(4000, 50).rechunk([100, -1]).unwrap();
    let limit = 900_000;
    assert!(x.nbytes().unwrap() > limit);
    let session = builder().threads(2).memory_limit(limit).build().unwrap();
    session.scope(|| x.savetxt(url, &SaveText::new().fmt("%d"))).unwrap();
    let back = loadtxt::<i64>(url, &LoadText::new().block_bytes(10_000)).unwrap();
    let (found, expected) = (back.sum(..).unwrap().item().unwrap(), x.sum(..).unwrap().item().unwrap());
    assert_eq!(found.compute_on(&session).unwrap(), expected.compute_on(&session).unwrap());
}

#[test]
fn what_cannot_be_read_or_written() {
    let url = "memory://text/bad";
    let failed = |text: &str, options: LoadText| {
        put(url, text);
        loadtxt::<i32>(url, &options).and_then(|x| x.compute_on(&session())).unwrap_err().to_string()
    };
    let plain = || LoadText::new().delimiter(',');
    let error = failed("1,2\n3,x\n", plain());
    assert!(error.contains("byte 4") && error.contains("`x` in column 1 is no int32"), "{error}");
    assert!(failed("1,2\n3,4.5\n", plain()).contains("`4.5`"));
    assert!(failed("1,2\n3\n", plain()).contains("a line of 1 fields where the first has 2"));
    assert!(failed("1,2\n", plain().usecols([2])).contains("no column 2"));
    assert!(failed("1,2\n3,\u{fffd}\n", plain()).contains("column 1"));
    // Lines that end with a carriage return alone are not cut into ranges; NumPy takes them.
    assert!(failed("1\r2\n", LoadText::new()).contains("carriage return"));
    assert!(failed("1,2\n", LoadText::new().delimiter('\u{b7}')).contains("ASCII"));
    assert!(loadtxt::<i32>("memory://text/none", &plain()).unwrap_err().to_string().contains("does not exist"));
    assert!(loadtxt::<i32>("memory://text/x.txt.gz", &plain()).unwrap_err().to_string().contains("unpack"));
    let cube = from_ndarray(numbered(&[2, 2, 2]), 2).unwrap();
    let refused = |x: &Array<i32>, options: SaveText| TextWrite::new(x, url, &options).unwrap_err().to_string();
    assert!(refused(&cube, SaveText::new()).contains("reshape"));
    let matrix = from_ndarray(numbered(&[2, 2]), 2).unwrap();
    assert!(refused(&matrix, SaveText::new().fmt("%d %d %d")).contains("give one, or 2 for a row"));
    assert!(refused(&matrix, SaveText::new().fmt("%9999d")).contains("4096"));
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    let local = path.to_str().unwrap();
    let x = from_ndarray(numbered(&[20]), 3).unwrap().persist_on(&session()).unwrap();
    let options = SaveText::new().fmt("%d").header("numbers");
    let new: String = std::iter::once("# numbers".into())
        .chain((1..=20).map(|value| value.to_string()))
        .map(|line: String| line + "\n")
        .collect();
    let mut kept = 0;
    for faulty in faulty_sessions(0..10) {
        for url in [local, "memory://text/faults"] {
            put(url, "old");
            faulty.scope(|| x.savetxt(url, &options)).unwrap_err();
            let found = text_at(url);
            assert!(found == "old" || found == new, "{found}");
            kept += usize::from(found == "old");
        }
        assert_eq!(names(folder.path()), ["x.txt"]);
    }
    assert!(kept > 60, "{kept}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_floats_in_any_blocks(
        values in prop::collection::vec(any::<f64>(), 1..40),
        columns in 1_usize..5,
        block in 1_u64..200,
        own in 1_usize..6,
        fmt in prop::sample::select(vec!["%s", "%.18e", "%24.17g"]),
    ) {
        let rows = values.len().div_ceil(columns);
        let mut values = values;
        values.resize(rows * columns, f64::NAN);
        let data = ArrayD::from_shape_vec(IxDyn(&[rows, columns]), values).unwrap();
        let url = "memory://text/any";
        session().scope(|| from_ndarray(data.clone(), own).unwrap().savetxt(url, &SaveText::new().fmt(fmt))).unwrap();
        let back = loadtxt::<f64>(url, &LoadText::new().block_bytes(block)).unwrap().compute_on(&SESSIONS[1]).unwrap();
        prop_assert_eq!(back.shape(), data.shape());
        prop_assert!(back.iter().zip(&data).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
    }

    #[test]
    fn single_and_half_floats_come_back(values in prop::collection::vec(any::<u32>(), 1..40)) {
        let url = "memory://text/short";
        let singles = ndarray::Array::from_iter(values.iter().map(|&bits| f32::from_bits(bits))).into_dyn();
        let halves = ndarray::Array::from_iter(values.iter().map(|&bits| talatat::array::f16::from_bits(bits as u16))).into_dyn();
        let options = SaveText::new().fmt("%s");
        session().scope(|| from_ndarray(singles.clone(), 7).unwrap().savetxt(url, &options)).unwrap();
        let back = loadtxt::<f32>(url, &LoadText::new()).unwrap().compute_on(&session()).unwrap();
        prop_assert!(back.iter().zip(&singles).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
        session().scope(|| from_ndarray(halves.clone(), 7).unwrap().savetxt(url, &options)).unwrap();
        let back = loadtxt::<talatat::array::f16>(url, &LoadText::new()).unwrap().compute_on(&session()).unwrap();
        prop_assert!(back.iter().zip(&halves).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
    }
}
