//! Indices, masks and assignment: NumPy's answers (`tests/fixtures/indices.json`), random arrays, and what the graphs look like.

mod graphs;
mod properties;

use serde_json::Value as Json;
use talatat::array::{Array, Element, Index, Promote, from_ndarray};

use crate::fixtures::operations::{input, slices, with_type};
use crate::fixtures::suite::{self, Call};
use crate::shapes::operations::{axes, integers, list, one, places};

#[test]
fn all_cases_are_numpys() {
    suite::check("indices.json", call, |_| None);
}

/// The same with indices in lazy arrays, which are refused only when they are computed: cases that are right.
#[test]
fn lazy_indices_are_as_known_ones() {
    let call = |case: &Json, chunking| match case["op"].as_str() {
        Some("take" | "vindex") if case["expect"].get("error").is_none() => call_lazily(case, chunking),
        _ => call(case, chunking),
    };
    suite::check("indices.json", call, |_| None);
}

fn call(case: &Json, chunking: usize) -> Call {
    let inputs = case["inputs"].as_array().expect("inputs");
    with_type!(inputs[0]["dtype"].as_str().expect("a type"), T => {
        let x = input::<T>(&inputs[0], chunking);
        of_type(case, &x, inputs, chunking + 1)
    })
}

fn of_type<T: Element + Promote<T, Output = T>>(case: &Json, x: &Array<T>, inputs: &[Json], chunking: usize) -> Call {
    let args = &case["args"];
    let mask = || input::<bool>(&inputs[1], chunking);
    let values = |number: usize| input::<T>(&inputs[number], chunking + number);
    let lists = || args["at"].as_array().expect("lists");
    let nested = args["at"].as_array().is_some_and(|at| at.first().is_some_and(Json::is_array));
    match case["op"].as_str().expect("an operation") {
        "take" if nested => one(x.take(index(&args["at"], chunking), axes(&args["axis"]))?),
        "take" => one(x.take(places(&args["at"]), axes(&args["axis"]))?),
        "oindex" => one(x.oindex(lists().iter().map(integers))?),
        "vindex" if lists()[0][0].is_array() => one(x.vindex(lists().iter().map(|list| index(list, chunking)))?),
        "vindex" => one(x.vindex(lists().iter().map(integers))?),
        "compress" => one(x.compress(&mask(), axes(&args["axis"]))?),
        "filter" => one(x.filter(&mask())?),
        "extract" => one(x.extract(&mask())?),
        "nonzero" => list(x.nonzero()?),
        "flatnonzero" => one(x.flatnonzero()?),
        "argwhere" => one(x.argwhere()?),
        "assign" => {
            let shape = x.shape()?;
            one(x.assign(slices(&shape, &args["slices"])?, values(1))?)
        }
        "assign_at" => {
            let axis = args["axis"].as_i64().expect("an axis") as isize;
            one(x.assign_at(places(&args["at"]), axis, values(1))?)
        }
        "assign_where" => one(x.assign_where(&mask(), values(2))?),
        other => panic!("{other} is no operation"),
    }
}

fn call_lazily(case: &Json, chunking: usize) -> Call {
    let inputs = case["inputs"].as_array().expect("inputs");
    let at = &case["args"]["at"];
    with_type!(inputs[0]["dtype"].as_str().expect("a type"), T => {
        let x = input::<T>(&inputs[0], chunking);
        match case["op"].as_str() {
            Some("take") => one(x.take(index(at, chunking + 1), axes(&case["args"]["axis"]))?),
            _ => one(x.vindex(at.as_array().expect("lists").iter().map(|list| index(list, chunking + 1)))?),
        }
    })
}

/// Indices in a lazy array that is no array in memory, so that nothing is known of them before they are computed.
fn index(at: &Json, chunking: usize) -> Index {
    fn flat(at: &Json, depth: usize, shape: &mut Vec<usize>, data: &mut Vec<i64>) {
        match at {
            Json::Array(list) => {
                if shape.len() == depth {
                    shape.push(list.len());
                }
                list.iter().for_each(|entry| flat(entry, depth + 1, shape, data));
            }
            one => data.push(one.as_i64().expect("an index")),
        }
    }
    let (mut shape, mut data) = (Vec::new(), Vec::new());
    flat(at, 0, &mut shape, &mut data);
    let array = ndarray::ArrayD::from_shape_vec(ndarray::IxDyn(&shape), data).expect("a rectangle");
    let array = from_ndarray(array, (chunking % 3 + 1) as i64).expect("chunks that fit");
    (&array + 0).into()
}
