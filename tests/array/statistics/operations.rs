//! From a case's name, inputs and arguments to a call of the API.

use serde_json::Value as Json;
use talatat::array::{Array, Axes, Element, Promote, Spacing, axis};

use crate::fixtures::answer::Lazy;
use crate::fixtures::operations::{element, input, integer, with_type};
use crate::fixtures::suite::Call;

/// Why a case may differ from NumPy.
pub fn difference(case: &Json) -> Option<&'static str> {
    let op = case["op"].as_str().unwrap_or_default();
    let dtype = case["inputs"][0]["dtype"].as_str().unwrap_or_default();
    match op {
        "trapezoid" if dtype == "bool" && case["args"]["axis"] == 0 => {
            Some("NumPy adds neighbours in the array's type, where `true + true` is `true`; here in floats")
        }
        "trapezoid" if dtype == "float32" && case["args"]["spacing"].is_array() => {
            Some("coordinates of float64 make NumPy's areas float64; here float32 stays")
        }
        _ => None,
    }
}

pub fn call(case: &Json, chunking: usize) -> Call {
    let op = case["op"].as_str().expect("an operation");
    let args = &case["args"];
    let inputs = case["inputs"].as_array().expect("inputs");
    let dtype = |number: usize| inputs[number]["dtype"].as_str().expect("a type");
    match inputs.len() {
        1 => with_type!(dtype(0), T => one(op, &input::<T>(&inputs[0], chunking), args)),
        2 => with_type!(dtype(0), T => with_type!(dtype(1), U => {
            two(op, &input::<T>(&inputs[0], chunking), &input::<U>(&inputs[1], chunking + 1), args)
        })),
        count => panic!("{op} of {count} inputs"),
    }
}

fn lazy<T: Element>(array: Array<T>) -> Call {
    Ok(vec![Box::new(array)])
}

fn list<T: Element>(arrays: impl IntoIterator<Item = Array<T>>) -> Call {
    Ok(arrays.into_iter().map(|array| Box::new(array) as Box<dyn Lazy>).collect())
}

fn size(json: &Json) -> usize {
    json.as_u64().expect("a size") as usize
}

fn axes(args: &Json) -> Axes {
    let which = match &args["axis"] {
        Json::Null => axis(..),
        Json::Array(axes) => axis(axes.iter().map(integer).collect::<Vec<_>>()),
        one => axis(integer(one)),
    };
    if args["keepdims"] == true { which.keepdims() } else { which }
}

fn spacing(args: &Json) -> Spacing {
    match &args["spacing"] {
        Json::Array(places) => places.iter().map(element::<f64>).collect::<Vec<_>>().into(),
        one => element::<f64>(one).into(),
    }
}

fn one<T: Promote<T, Output = T>>(op: &str, x: &Array<T>, args: &Json) -> Call {
    let along = || integer(&args["axis"]);
    match op {
        "cumsum" => lazy(x.cumsum(axes(args))?),
        "cumprod" => lazy(x.cumprod(axes(args))?),
        "nancumsum" => lazy(x.nancumsum(axes(args))?),
        "nancumprod" => lazy(x.nancumprod(axes(args))?),
        "diff" => lazy(x.diff(size(&args["n"]), along())?),
        "gradient" => list(x.gradient(spacing(args), axes(args), size(&args["edge_order"]))?),
        "trapezoid" => lazy(x.trapezoid(spacing(args), along())?),
        "ptp" => lazy(x.ptp(axes(args))?),
        "count_nonzero" => lazy(x.count_nonzero(axes(args))?),
        "moment" => lazy(x.moment(size(&args["order"]) as u32, axes(args))?),
        other => panic!("no operation {other}"),
    }
}

fn two<T: Element<Float: Promote<U>>, U: Element>(op: &str, x: &Array<T>, y: &Array<U>, args: &Json) -> Call {
    match op {
        "trapezoid" => lazy(x.trapezoid(y.astype::<f64>(), integer(&args["axis"]))?),
        "average" => list(x.average_and_weights(y, axes(args))?),
        other => panic!("no operation {other}"),
    }
}
