//! Matrices as text: NumPy's answers, round trips on every executor, what cannot be read.

use std::io::Write;

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::array::{Array, Element, TextOptions, TextWrite, from_ndarray, loadtxt};
use talatat::prelude::*;
use talatat::storage::{Location, ObjectRef, write_atomic};

use crate::common::builder;
use crate::{SESSIONS, names, numbered, session};

fn put(url: &str, text: &str) {
    write_atomic(&Location::parse(url).unwrap(), |writer| writer.write_all(text.as_bytes())).unwrap();
}

/// The options of a case in `text.json`.
fn options(case: &Json) -> TextOptions {
    let mut options = TextOptions::new();
    if let Some(delimiter) = case["delimiter"].as_str() {
        options = options.delimiter(delimiter.as_bytes()[0]);
    }
    if let Some(rows) = case["skiprows"].as_u64() {
        options = options.skip_rows(rows as usize);
    }
    if let Some(columns) = case["usecols"].as_array() {
        options =
            options.use_columns(columns.iter().map(|column| column.as_u64().unwrap() as usize).collect::<Vec<_>>());
    }
    options
}

fn number(json: &Json) -> f64 {
    json.as_str().map_or_else(|| json.as_f64().unwrap(), |text| text.parse().unwrap())
}

#[test]
fn numpys_answers() {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/text.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 10);
    for (at, case) in cases.iter().enumerate() {
        let url = format!("memory://text-cases/{at}");
        put(&url, case["text"].as_str().unwrap());
        let read = |block: u64| -> talatat::Result<ArrayD<f64>> {
            let options = options(case).block_bytes(block);
            let session = &SESSIONS[at % SESSIONS.len()];
            match case["dtype"].as_str().unwrap() {
                "int64" => Ok(loadtxt::<i64>(&url, &options)?.compute_on(session)?.mapv(|value| value as f64)),
                _ => loadtxt::<f64>(&url, &options)?.compute_on(session),
            }
        };
        for block in [1, 7, 1000] {
            match case["expect"].get("error") {
                Some(_) => assert!(read(block).is_err(), "{case}"),
                None => {
                    let found = read(block).unwrap_or_else(|error| panic!("{case}: {error}"));
                    let shape: Vec<usize> = serde_json::from_value(case["expect"]["shape"].clone()).unwrap();
                    assert_eq!(found.shape(), shape, "{case}");
                    let expected = case["expect"]["data"].as_array().unwrap().iter().map(number);
                    assert!(
                        found.iter().zip(expected).all(|(&a, b)| a == b || (a.is_nan() && b.is_nan())),
                        "{case}: {found}"
                    );
                }
            }
        }
    }
}

fn round_trip<T: Element>(x: &Array<T>, url: &str) {
    let expected = x.compute_on(&session()).unwrap();
    let rows = expected.shape()[0];
    let expected = expected.into_shape_with_order(IxDyn(&[rows, x.shape().unwrap().iter().skip(1).product()])).unwrap();
    for session in SESSIONS.iter() {
        session.scope(|| x.savetxt(url, &TextOptions::new().delimiter(b' '))).unwrap();
        for block in [5, 64, 1 << 20] {
            let back = loadtxt::<T>(url, &TextOptions::new().delimiter(b' ').block_bytes(block)).unwrap();
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
        round_trip::<f32>(&(x.astype::<f32>() / 7.0), url);
        round_trip::<f64>(&(x.astype::<f64>() / 7.0 * 1e300), url);
        round_trip::<f64>(&x.slice(ndarray::s![.., 0]).unwrap().astype(), url);
    }
    assert_eq!(names(folder.path()), ["x.txt"]);
}

#[test]
fn what_it_looks_like() {
    let url = "memory://text/looks";
    let data = vec![0.1, -2.0, f64::NAN, f64::INFINITY, 1e300, -0.0];
    let x = from_ndarray(ArrayD::from_shape_vec(IxDyn(&[2, 3]), data).unwrap(), [1, 2]).unwrap();
    session().scope(|| x.savetxt(url, &TextOptions::new())).unwrap();
    let text = ObjectRef::open_url(url).unwrap().read_all().unwrap();
    assert_eq!(text, "0.1,-2.0,NaN\ninf,1e300,-0.0\n");
}

#[test]
fn rows_are_known_when_they_are_computed() {
    let url = "memory://text/rows";
    put(url, "1,2\n3,4\n\n# five\n5,6\n");
    let x = loadtxt::<i64>(url, &TextOptions::new().block_bytes(4)).unwrap();
    assert!(x.shape().is_err() && x.numblocks()[0] > 3, "{x}");
    let y = x.persist_on(&session()).unwrap();
    assert_eq!(y.shape().unwrap(), [3, 2]);
    assert_eq!((&x + &x).sum(0).unwrap().compute_on(&session()).unwrap().into_raw_vec_and_offset().0, [18, 24]);
}

#[test]
fn larger_than_the_memory_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let url = path.to_str().unwrap();
    let along = |length| talatat::array::arange::<i64>(0, length, 1).unwrap();
    let x = (along(4000).expand_dims(1).unwrap() * 100_i64 + along(50)).rechunk([100, -1]).unwrap();
    let limit = 600_000;
    assert!(x.nbytes().unwrap() > limit);
    let session = builder().threads(2).memory_limit(limit).build().unwrap();
    session.scope(|| x.savetxt(url, &TextOptions::new())).unwrap();
    let back = loadtxt::<i64>(url, &TextOptions::new().block_bytes(10_000)).unwrap();
    let (found, expected) = (back.sum(..).unwrap().item().unwrap(), x.sum(..).unwrap().item().unwrap());
    assert_eq!(found.compute_on(&session).unwrap(), expected.compute_on(&session).unwrap());
}

#[test]
fn what_cannot_be_read_or_written() {
    let url = "memory://text/bad";
    let failed = |text: &str, options: TextOptions| {
        put(url, text);
        loadtxt::<i32>(url, &options).and_then(|x| x.compute_on(&session())).unwrap_err().to_string()
    };
    let plain = TextOptions::new;
    let error = failed("1,2\n3,x\n", plain());
    assert!(error.contains("byte 4") && error.contains("`x` in column 1 is no int32"), "{error}");
    assert!(failed("1,2\n3,4.5\n", plain()).contains("`4.5`"));
    assert!(failed("1,2\n3\n", plain()).contains("a line of 1 fields where the first has 2"));
    assert!(failed("1,2\n", plain().use_columns([2])).contains("no column 2"));
    assert!(failed("", plain()).contains("no line with numbers"));
    assert!(failed("# 1\n\n", plain()).contains("no line with numbers"));
    assert!(failed("1,2\n", plain().skip_rows(3)).contains("no line with numbers"));
    assert!(failed("1,2\n3,\u{fffd}\n", plain()).contains("column 1"));
    assert!(loadtxt::<i32>("memory://text/none", &plain()).unwrap_err().to_string().contains("does not exist"));
    assert!(loadtxt::<talatat::array::C64>(url, &plain()).unwrap_err().to_string().contains("imaginary"));
    let cube = from_ndarray(numbered(&[2, 2, 2]), 2).unwrap();
    assert!(TextWrite::new(&cube, url, &plain()).unwrap_err().to_string().contains("reshape"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_floats_in_any_blocks(values in prop::collection::vec(any::<f64>(), 1..40), columns in 1_usize..5, block in 1_u64..200, own in 1_usize..6) {
        let rows = values.len().div_ceil(columns);
        let mut values = values;
        values.resize(rows * columns, f64::NAN);
        let data = ArrayD::from_shape_vec(IxDyn(&[rows, columns]), values).unwrap();
        let url = "memory://text/any";
        session().scope(|| from_ndarray(data.clone(), own).unwrap().savetxt(url, &TextOptions::new())).unwrap();
        let back = loadtxt::<f64>(url, &TextOptions::new().block_bytes(block)).unwrap().compute_on(&SESSIONS[1]).unwrap();
        prop_assert_eq!(back.shape(), data.shape());
        prop_assert!(back.iter().zip(&data).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())));
    }
}
