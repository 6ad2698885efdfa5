//! Zarr arrays: what the zarr package of Python wrote is read; what is written is read back; what cannot work is refused.

mod broken;
mod faults;
mod read;
mod write;

use serde_json::Value as Json;
use std::io::Write;
use talatat::array::{DType, kernels, open_zarr};
use talatat::storage::{Location, write_atomic};
use talatat::{ExecutorChoice, Result, Session};

use crate::common::builder;
use crate::fixtures::answer::{Answer, Lazy};

/// The stores of `tests/fixtures/zarr.json`.
fn cases() -> Vec<Json> {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/zarr.json", env!("CARGO_MANIFEST_DIR")));
    serde_json::from_str(&text.expect("the file is there")).expect("JSON")
}

fn case(name: &str) -> Json {
    cases().into_iter().find(|case| case["name"] == name).expect("a case of that name")
}

/// Writes a file or object below a URL.
fn put(url: &str, name: &str, bytes: &[u8]) {
    let location = Location::parse(&format!("{url}/{name}")).unwrap();
    write_atomic(&location, |writer| writer.write_all(bytes)).unwrap();
}

/// The files of a case: metadata are text, chunks are hexadecimal digits.
fn files(case: &Json) -> Vec<(String, Vec<u8>)> {
    let digits = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let file = |(name, content): (&String, &Json)| {
        let content = content.as_str().unwrap();
        let metadata = [".zarray", ".zgroup", "zarr.json"].iter().any(|last| name.ends_with(last));
        (name.clone(), if metadata { content.as_bytes().to_vec() } else { digits(content) })
    };
    case["files"].as_object().unwrap().iter().map(file).collect()
}

/// Puts the store of a case below a URL.
fn unpack(case: &Json, url: &str) {
    files(case).iter().for_each(|(name, bytes)| put(url, name, bytes));
}

/// An array of whatever type, opened.
fn open_any(url: &str, dtype: DType) -> Result<Box<dyn Lazy>> {
    kernels::dtype::with_dtype!(dtype, T => Ok(Box::new(open_zarr::<T>(url)?)))
}

fn dtype_of(answer: &Answer) -> DType {
    DType::ALL.iter().copied().find(|dtype| dtype.name() == answer.dtype).unwrap()
}

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

/// A session in which arrays are opened in blocks of about so many bytes.
fn small_blocks(bytes: u64) -> Session {
    builder().executor(ExecutorChoice::Synchronous).chunk_target(bytes).build().unwrap()
}
