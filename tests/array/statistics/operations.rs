//! From a case's name, inputs and arguments to a call of the API.

use serde_json::Value as Json;
use talatat::array::{self, Array, Axes, Bins, Element, Method, Points, Promote, Side, Spacing, axis};

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
        "percentile" if dtype == "int32" && case["expect"]["dtype"] == "int32" => {
            Some("NumPy gives integers where a method only picks; here quantiles are floats")
        }
        _ if op.starts_with("histogram") && dtype == "float32" && case["args"]["bins"].is_array() => {
            Some("NumPy gives edges back as they were given; here in the array's float type")
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
        _ => several(op, inputs.iter().enumerate().map(|(k, json)| input::<f64>(json, chunking + k)).collect(), args),
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

fn bins(args: &Json) -> Bins {
    let bins = bins_of(&args["bins"]);
    match args["range"].as_array() {
        Some(range) => bins.range(element(&range[0]), element(&range[1])),
        None => bins,
    }
}

fn bins_of(json: &Json) -> Bins {
    match json {
        Json::Array(edges) => edges.iter().map(element::<f64>).collect::<Vec<_>>().into(),
        count => size(count).into(),
    }
}

fn points(args: &Json) -> Points {
    match &args["q"] {
        Json::Array(points) => points.iter().map(element::<f64>).collect::<Vec<_>>().into(),
        one => element::<f64>(one).into(),
    }
}

fn method(args: &Json) -> Method {
    let name = args["method"].as_str().expect("a method");
    Method::ALL.into_iter().find(|method| method.name() == name).expect("one of NumPy's")
}

fn side(args: &Json) -> Side {
    if args["side"] == "right" { Side::Right } else { Side::Left }
}

/// An array and others of another type.
fn and<T: Element, U: Element>(first: Array<T>, others: impl IntoIterator<Item = Array<U>>) -> Call {
    let mut all: Vec<Box<dyn Lazy>> = vec![Box::new(first)];
    all.extend(others.into_iter().map(|array| Box::new(array) as Box<dyn Lazy>));
    Ok(all)
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
        "histogram" => x.histogram(bins(args)).and_then(|(counts, edges)| and(counts, [edges])),
        "histogram_density" => x.histogram_density(bins(args)).and_then(|(counts, edges)| and(counts, [edges])),
        "histogram_bin_edges" => lazy(x.histogram_bin_edges(bins(args))?),
        "bincount" => lazy(x.bincount(size(&args["minlength"]))?),
        "unique" => lazy(x.unique()?),
        "unique_counts" => x.unique_counts().and_then(|(values, counts)| and(values, [counts])),
        "unique_all" => {
            let all = x.unique_all()?;
            and(all.values, [all.indices, all.inverse, all.counts])
        }
        "quantile" => lazy(x.quantile(points(args), axes(args), method(args))?),
        "nanquantile" => lazy(x.nanquantile(points(args), axes(args), method(args))?),
        "percentile" => lazy(x.percentile(points(args), axes(args), method(args))?),
        "nanpercentile" => lazy(x.nanpercentile(points(args), axes(args), method(args))?),
        "median" => lazy(x.median(axes(args))?),
        "nanmedian" => lazy(x.nanmedian(axes(args))?),
        "cov" => lazy(x.cov(size(&args["ddof"]) as u32)?),
        "corrcoef" => lazy(x.corrcoef()?),
        "sort" => lazy(x.sort(axes(args))?),
        "argsort" => lazy(x.argsort(axes(args))?),
        "topk" => lazy(x.topk(integer(&args["k"]), along())?),
        "argtopk" => lazy(x.argtopk(integer(&args["k"]), along())?),
        other => panic!("no operation {other}"),
    }
}

fn several(op: &str, arrays: Vec<Array<f64>>, args: &Json) -> Call {
    match op {
        "histogramdd" => {
            let (points, weights) = arrays.split_at(2);
            let bins: Vec<Bins> = args["bins"].as_array().expect("bins").iter().map(bins_of).collect();
            let (counts, edges) = array::histogramdd(points, &bins, weights.first(), args["density"] == true)?;
            and(counts, edges)
        }
        other => panic!("no operation {other}"),
    }
}

fn two<T: Promote<U> + Element<Float: Promote<U>>, U: Element>(
    op: &str,
    x: &Array<T>,
    y: &Array<U>,
    args: &Json,
) -> Call {
    match op {
        "trapezoid" => lazy(x.trapezoid(y.astype::<f64>(), integer(&args["axis"]))?),
        "histogram_weighted" => x.histogram_weighted(bins(args), y).and_then(|(sums, edges)| and(sums, [edges])),
        "histogram2d" => {
            let (counts, edges) =
                x.histogram2d(&y.astype::<T>(), bins_of(&args["bins"][0]), bins_of(&args["bins"][1]))?;
            and(counts, edges)
        }
        "histogramdd" => several(op, vec![x.astype(), y.astype()], args),
        "bincount_weighted" => lazy(x.bincount_weighted(y, size(&args["minlength"]))?),
        "take_along_axis" => lazy(x.take_along_axis(y, integer(&args["axis"]))?),
        "intersect1d" => lazy(x.intersect1d(y)?),
        "union1d" => lazy(x.union1d(y)?),
        "setdiff1d" => lazy(x.setdiff1d(y)?),
        "setxor1d" => lazy(x.setxor1d(y)?),
        "in1d" => lazy(x.in1d(y)?),
        "searchsorted" => lazy(x.searchsorted(y, side(args))?),
        "average" => list(x.average_and_weights(y, axes(args))?),
        other => panic!("no operation {other}"),
    }
}
