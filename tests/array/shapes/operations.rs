//! From a case's name, inputs and arguments to a call of the API.

use ndarray::Slice;
use serde_json::Value as Json;
use talatat::array::{
    self, Array, Axes, Element, Indexing, Nested, PadMode, Pieces, Places, Promote, Reflection, Repeats, Shifts, Sides,
    axis,
};

use crate::fixtures::answer::Lazy;
use crate::fixtures::operations::{element, input, integer, with_type};
use crate::fixtures::suite::Call;

pub fn call(case: &Json, chunking: usize) -> Call {
    let op = case["op"].as_str().expect("an operation");
    let args = &case["args"];
    let inputs = case["inputs"].as_array().expect("inputs");
    if let Some(made) = creation(op, args) {
        return made;
    }
    let dtype = inputs.first().map_or("float64", |input| input["dtype"].as_str().expect("a type"));
    with_type!(dtype, T => {
        let arrays: Vec<Array<T>> =
            inputs.iter().enumerate().map(|(number, json)| input::<T>(json, chunking + number)).collect();
        several(op, &arrays, args)
    })
}

pub fn one<T: Element>(array: Array<T>) -> Call {
    Ok(vec![Box::new(array)])
}

pub fn list<T: Element>(arrays: Vec<Array<T>>) -> Call {
    Ok(arrays.into_iter().map(|array| Box::new(array) as Box<dyn Lazy>).collect())
}

pub fn size(json: &Json) -> usize {
    json.as_u64().expect("a size") as usize
}

fn sizes(json: &Json) -> Vec<usize> {
    json.as_array().expect("sizes").iter().map(size).collect()
}

pub fn integers(json: &Json) -> Vec<isize> {
    json.as_array().expect("integers").iter().map(integer).collect()
}

pub fn axes(json: &Json) -> Axes {
    match json {
        Json::Null => axis(..),
        Json::Array(_) => integers(json).into(),
        one => integer(one).into(),
    }
}

fn creation(op: &str, args: &Json) -> Option<Call> {
    let dtype = || args["dtype"].as_str().expect("a type");
    let float = |name: &str| element::<f64>(&args[name]);
    let open = args["endpoint"] == Json::Bool(false);
    Some(match op {
        "indices" => with_type!(dtype(), T => array::indices::<T>(sizes(&args["shape"])).and_then(one)),
        "indices_sparse" => with_type!(dtype(), T => array::indices_sparse::<T>(sizes(&args["shape"])).and_then(list)),
        "fromfunction" => {
            let sum = |indices: &[Array<f64>]| {
                let parts = indices.iter().enumerate().map(|(k, index)| index * (k + 1) as f64);
                parts.reduce(|a, b| a + b).expect("an axis")
            };
            array::fromfunction(sizes(&args["shape"]), sum).and_then(one)
        }
        "tri" => {
            with_type!(dtype(), T => one(array::tri::<T>(size(&args["n"]), size(&args["m"]), integer(&args["k"]))))
        }
        "identity" => with_type!(dtype(), T => one(array::identity::<T>(size(&args["n"])))),
        "logspace" => {
            let make = if open { array::logspace_open } else { array::logspace };
            make(float("start"), float("stop"), size(&args["num"]), float("base")).and_then(one)
        }
        "geomspace" => {
            let make = if open { array::geomspace_open } else { array::geomspace };
            make(float("start"), float("stop"), size(&args["num"])).and_then(one)
        }
        _ => return None,
    })
}

fn several<T: Promote<T, Output = T> + Promote<i64>>(op: &str, arrays: &[Array<T>], args: &Json) -> Call {
    let indexing = || if args["indexing"] == "ij" { Indexing::Ij } else { Indexing::Xy };
    match op {
        "meshgrid" => list(array::meshgrid(arrays, indexing())?),
        "meshgrid_sparse" => list(array::meshgrid_sparse(arrays, indexing())?),
        "broadcast_arrays" => list(array::broadcast_arrays(arrays)?),
        "hstack" => one(array::hstack(arrays)?),
        "vstack" => one(array::vstack(arrays)?),
        "dstack" => one(array::dstack(arrays)?),
        "block" => one(array::block(nested(&args["structure"], arrays))?),
        "append" => one(arrays[0].append(&arrays[1], axes(&args["axis"]))?),
        "insert" => one(arrays[0].insert(places(&args["at"]), &arrays[1], axes(&args["axis"]))?),
        _ => single(op, &arrays[0], args),
    }
}

fn nested<T: Element>(structure: &Json, arrays: &[Array<T>]) -> Nested<T> {
    match structure {
        Json::Array(entries) => Nested::List(entries.iter().map(|entry| nested(entry, arrays)).collect()),
        number => (&arrays[size(number)]).into(),
    }
}

pub fn places(json: &Json) -> Places {
    if let Some(range) = json.get("slice") {
        let range = integers(range);
        return Slice::new(range[0], Some(range[1]), range[2]).into();
    }
    if let Some(mask) = json.get("mask") {
        return mask.as_array().expect("a mask").iter().map(|flag| flag == true).collect::<Vec<bool>>().into();
    }
    if json.is_array() { integers(json).into() } else { integer(json).into() }
}

fn pieces(json: &Json) -> Pieces {
    if json.is_array() { integers(json).into() } else { size(json).into() }
}

fn single<T: Promote<T, Output = T> + Promote<i64>>(op: &str, x: &Array<T>, args: &Json) -> Call {
    let k = || integer(&args["k"]);
    let pair = || {
        let axes = integers(&args["axes"]);
        [axes[0], axes[1]]
    };
    match op {
        "zeros_like" => one(array::zeros_like(x)?),
        "ones_like" => one(array::ones_like(x)?),
        "full_like" => one(array::full_like(x, element(&args["value"]))?),
        "diag" => one(array::diag(x, k())?),
        "diagflat" => one(array::diagflat(x, k())?),
        "diagonal" => one(x.diagonal(k(), pair()[0], pair()[1])?),
        "tril" => one(x.tril(k())?),
        "triu" => one(x.triu(k())?),
        "vander" => one(array::vander(x, size(&args["n"]), args["increasing"] == true)?),
        "flip" => one(x.flip(axes(&args["axis"]))?),
        "fliplr" => one(x.fliplr()?),
        "flipud" => one(x.flipud()?),
        "ravel" => one(x.ravel()?),
        "rot90" => one(x.rot90(k(), pair())?),
        "roll" => {
            let shift: Shifts =
                if args["shift"].is_array() { integers(&args["shift"]).into() } else { integer(&args["shift"]).into() };
            one(x.roll(shift, axes(&args["axis"]))?)
        }
        "swapaxes" => one(x.swapaxes(integer(&args["first"]), integer(&args["second"]))?),
        "moveaxis" => one(x.moveaxis(axes(&args["source"]), axes(&args["destination"]))?),
        "expand_dims" => one(x.expand_dims(axes(&args["axis"]))?),
        "squeeze" => one(x.squeeze(axes(&args["axis"]))?),
        "broadcast_to" => one(x.broadcast_to(sizes(&args["shape"]))?),
        "repeat" => {
            let repeats: Repeats =
                if args["repeats"].is_array() { sizes(&args["repeats"]).into() } else { size(&args["repeats"]).into() };
            one(x.repeat(repeats, axes(&args["axis"]))?)
        }
        "tile" => one(x.tile(sizes(&args["reps"]))?),
        "pad" => one(x.pad(sides(&args["width"], size), mode(args))?),
        "split" => list(x.split(pieces(&args["cut"]), integer(&args["axis"]))?),
        "array_split" => list(x.array_split(pieces(&args["cut"]), integer(&args["axis"]))?),
        "hsplit" => list(x.hsplit(pieces(&args["cut"]))?),
        "vsplit" => list(x.vsplit(pieces(&args["cut"]))?),
        "dsplit" => list(x.dsplit(pieces(&args["cut"]))?),
        "delete" => one(x.delete(places(&args["at"]), axes(&args["axis"]))?),
        "sliding_window_view" => one(x.sliding_window_view(sizes(&args["window"]), axes(&args["axis"]))?),
        "coarsen" => coarsen(x, args),
        other => panic!("no operation {other}"),
    }
}

fn coarsen<T: Element>(x: &Array<T>, args: &Json) -> Call {
    let factors: Vec<(isize, usize)> =
        args["factors"].as_array().expect("factors").iter().map(|pair| (integer(&pair[0]), size(&pair[1]))).collect();
    let trim = args["trim"] == true;
    match args["reduction"].as_str() {
        Some("sum") => one(x.coarsen(|x, axes| x.sum(axes), &factors, trim)?),
        Some("mean") => one(x.coarsen(|x, axes| x.mean(axes), &factors, trim)?),
        Some("max") => one(x.coarsen(|x, axes| x.max(axes), &factors, trim)?),
        Some("min") => one(x.coarsen(|x, axes| x.min(axes), &factors, trim)?),
        other => panic!("no reduction {other:?}"),
    }
}

fn sides<V: Copy>(json: &Json, of: impl Fn(&Json) -> V) -> Sides<V> {
    match json {
        Json::Array(pairs) => pairs.iter().map(|pair| (of(&pair[0]), of(&pair[1]))).collect::<Vec<_>>().into(),
        one => of(one).into(),
    }
}

fn mode<T: Element>(args: &Json) -> PadMode<T> {
    let values = |name: &str| sides(args.get(name).unwrap_or(&Json::from(0)), element::<T>);
    let counts = || args.get("stat_length").map(|counts| sides(counts, size));
    let reflection = if args["reflect_type"] == "odd" { Reflection::Odd } else { Reflection::Even };
    match args["mode"].as_str().expect("a mode") {
        "constant" => PadMode::constant(values("constant_values")),
        "edge" => PadMode::Edge,
        "linear_ramp" => PadMode::linear_ramp(values("end_values")),
        "maximum" => PadMode::Maximum(counts()),
        "median" => PadMode::Median(counts()),
        "minimum" => PadMode::Minimum(counts()),
        "empty" => PadMode::Empty,
        "mean" => PadMode::Mean(counts()),
        "reflect" => PadMode::Reflect(reflection),
        "symmetric" => PadMode::Symmetric(reflection),
        "wrap" => PadMode::Wrap,
        other => panic!("no mode {other}"),
    }
}
