//! NumPy's and SciPy's answers (`tests/fixtures/linear.json`) about neighbours and matrices.

use serde_json::Value as Json;
use talatat::Compute;
use talatat::array::{Array, Boundary, ConvolveMode, Promote};

use crate::fixtures::operations::{element, input, with_type};
use crate::fixtures::suite::{self, Call};
use crate::shapes::operations::one;

#[test]
fn all_cases_are_numpys() {
    suite::check("linear.json", call, |_| None);
}

fn call(case: &Json, chunking: usize) -> Call {
    let op = case["op"].as_str().expect("an operation");
    let inputs = case["inputs"].as_array().expect("inputs");
    with_type!(inputs[0]["dtype"].as_str().expect("a type"), T => {
        let arrays: Vec<Array<T>> =
            inputs.iter().enumerate().map(|(number, json)| input::<T>(json, chunking + number)).collect();
        any(op, &arrays, &case["args"])
    })
}

/// Operations on all types.
fn any<T: Promote<T, Output = T>>(op: &str, arrays: &[Array<T>], args: &Json) -> Call {
    let weights = || arrays[1].compute();
    match op {
        "convolve" => one(arrays[0].convolve(&weights()?.into_raw_vec_and_offset().0, mode(args))?),
        "correlate" => one(arrays[0].correlate(&weights()?.into_raw_vec_and_offset().0, mode(args))?),
        "convolve_nd" => one(arrays[0].convolve_nd(&weights()?, boundary::<T>(args))?),
        "correlate_nd" => one(arrays[0].correlate_nd(&weights()?, boundary::<T>(args))?),
        other => panic!("no operation {other}"),
    }
}

fn mode(args: &Json) -> ConvolveMode {
    match args["mode"].as_str() {
        Some("full") => ConvolveMode::Full,
        Some("same") => ConvolveMode::Same,
        Some("valid") => ConvolveMode::Valid,
        other => panic!("no mode {other:?}"),
    }
}

fn boundary<T: Promote<T>>(args: &Json) -> Boundary<T> {
    match args["mode"].as_str() {
        Some("reflect") => Boundary::Reflect,
        Some("mirror") => Boundary::Mirror,
        Some("nearest") => Boundary::Nearest,
        Some("wrap") => Boundary::Periodic,
        Some("constant") => Boundary::Constant(element(&args["cval"])),
        other => panic!("no mode {other:?}"),
    }
}
