//! NumPy's answers (`tests/fixtures/functions.json`) to functions of many kinds.

use serde_json::Value as Json;
use talatat::array::{
    Array, C64, C128, Casting, ChooseMode, DType, Element, Outside, Promote, Trim, broadcast_shapes, can_cast, f16,
    from_ndarray, lexsort, mask_indices,
};
use talatat::{Error, Result};

use crate::fixtures::operations::{element, input, integer, with_type};
use crate::fixtures::suite::{self, Call};
use crate::shapes::operations::{list, one};

#[test]
fn all_cases_are_numpys() {
    suite::check("functions.json", call, different);
}

fn different(case: &Json) -> Option<&'static str> {
    let nan = case["inputs"][0]["data"].as_array().is_some_and(|data| data.iter().any(|value| value == "nan"));
    (case["op"] == "interp" && case["inputs"][1]["shape"][0] == 1 && nan).then_some(
        "interp of NaN with a single point: NumPy gives the point's value; here it is NaN, as with several points",
    )
}

fn call(case: &Json, chunking: usize) -> Call {
    let (op, args) = (case["op"].as_str().expect("an operation"), &case["args"]);
    let inputs = case["inputs"].as_array().expect("inputs");
    match op {
        "can_cast" => return castable(args),
        "broadcast_shapes" => {
            let shapes: Vec<Vec<usize>> = serde_json::from_value(args["shapes"].clone()).expect("shapes");
            let common = broadcast_shapes(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            return one(known(common.into_iter().map(|length| length as i64).collect()));
        }
        "choose" => {
            let choices: Vec<Array<f64>> =
                inputs[1..].iter().enumerate().map(|(number, json)| input(json, chunking + number)).collect();
            let mode = match args["mode"].as_str() {
                Some("wrap") => ChooseMode::Wrap,
                Some("clip") => ChooseMode::Clip,
                _ => ChooseMode::Raise,
            };
            return one(input::<i64>(&inputs[0], chunking).choose(&choices, mode)?);
        }
        "interp" => {
            let [x, xp, fp] = [0, 1, 2].map(|number| input::<f64>(&inputs[number], chunking + number));
            let outside = match (&args["outside"], &args["period"]) {
                (Json::Array(ends), _) => Outside::Values(element(&ends[0]), element(&ends[1])),
                (_, Json::Null) => Outside::Ends,
                (_, period) => Outside::Period(element(period)),
            };
            return one(x.interp(&xp, &fp, outside)?);
        }
        _ => {}
    }
    with_type!(inputs[0]["dtype"].as_str().expect("a type"), T => {
        let arrays: Vec<Array<T>> =
            inputs.iter().enumerate().map(|(number, json)| input::<T>(json, chunking + number)).collect();
        functions(op, &arrays, args)
    })
}

fn functions<T: Promote<T, Output = T>>(op: &str, arrays: &[Array<T>], args: &Json) -> Call {
    let x = &arrays[0];
    let axis = || integer(&args["axis"]);
    let k = || integer(&args["k"]);
    match op {
        "partition" => one(x.partition(integer(&args["kth"]), axis())?),
        "argpartition" => one(x.argpartition(integer(&args["kth"]), axis())?),
        "lexsort" => one(lexsort(&arrays.iter().collect::<Vec<_>>(), axis())?),
        "sort_complex" => one(x.sort_complex()?),
        "put_along_axis" => one(x.put_along_axis(&arrays[1].astype::<i64>(), &arrays[2], axis())?),
        "fill_diagonal" => one(x.fill_diagonal(element(&args["value"]), args["wrap"] == true)?),
        "diag_indices_from" => list(x.diag_indices_from()?),
        "tril_indices_from" => list(x.tril_indices_from(k())?.into()),
        "triu_indices_from" => list(x.triu_indices_from(k())?.into()),
        "mask_indices" => list(mask_indices(integer(&args["n"]) as usize, |ones| ones.triu(k()))?),
        "resize" => one(x.resize(serde_json::from_value::<Vec<usize>>(args["shape"].clone()).expect("a shape"))?),
        "trim_zeros" => {
            let trim = match args["trim"].as_str() {
                Some("f") => Trim::Front,
                Some("b") => Trim::Back,
                _ => Trim::Both,
            };
            one(x.trim_zeros(trim, axis())?)
        }
        "ediff1d" => {
            let (begin, end) = (args["begin"] == true, args["end"] == true);
            one(x.ediff1d(begin.then(|| &arrays[1]), end.then(|| &arrays[1 + usize::from(begin)]))?)
        }
        "array_equiv" => x.array_equiv(&arrays[1]).and_then(equal),
        "apply_over_axes" => {
            let axes: Vec<isize> = args["axes"].as_array().expect("axes").iter().map(integer).collect();
            one(x.apply_over_axes(&axes, |x, axis| Ok(x.sum(axis)?.astype()))?)
        }
        "bitwise_count" => one(x.bitwise_count()?),
        "push" => one(x.push(args["n"].as_u64().map(|n| n as usize), axis())?),
        "isnull" => one(x.isnull()),
        "notnull" => one(x.notnull()),
        other => panic!("no operation {other}"),
    }
}

fn equal(item: talatat::array::Item<bool>) -> Call {
    use talatat::prelude::*;
    one(from_ndarray(ndarray::arr0(item.compute()?).into_dyn(), -1)?)
}

fn known<T: Element>(values: Vec<T>) -> Array<T> {
    from_ndarray(ndarray::Array1::from(values), -1).expect("an array")
}

fn castable(args: &Json) -> Call {
    let named = |name: &Json| DType::ALL.iter().copied().find(|dtype| name == dtype.name()).expect("a type");
    let casting = match args["casting"].as_str() {
        Some("no") => Casting::No,
        Some("same_kind") => Casting::SameKind,
        Some("unsafe") => Casting::Unsafe,
        _ => Casting::Safe,
    };
    let mut order: Vec<DType> = DType::ALL.iter().copied().filter(|dtype| *dtype != f16::DTYPE).collect();
    // In the order of the file.
    order.insert(order.len() - 2, f16::DTYPE);
    assert_eq!(order[order.len() - 2..], [C64::DTYPE, C128::DTYPE]);
    one(known(order.into_iter().map(|to| can_cast(named(&args["from"]), to, casting)).collect()))
}

#[test]
fn arrays_are_cut_alike() -> Result<()> {
    use talatat::array::{ones, unify_chunks};
    let (x, y) = (ones::<f64>([10, 6]).rechunk([5, 2])?, ones::<f64>([6, 1]).rechunk(1)?);
    let both = unify_chunks(&[(&x, "ij"), (&y, "jk")])?;
    assert_eq!(both[0].chunks(), x.chunks());
    assert_eq!(both[1].chunks(), [Some(vec![2, 2, 2]), Some(vec![1])]);
    assert!(matches!(unify_chunks(&[(&x, "ij"), (&y, "ij")]), Err(Error::Invalid(_))));
    Ok(())
}

#[test]
fn what_has_no_meaning_is_refused() {
    let x = known(vec![1.0, 2.0]);
    for (found, word) in [
        (x.bitwise_count().map(|_| ()), "integers"),
        (x.choose(std::slice::from_ref(&x), ChooseMode::Raise).map(|_| ()), "integers"),
        (x.astype::<i64>().choose::<f64>(&[], ChooseMode::Raise).map(|_| ()), "at least one"),
        (x.fill_diagonal(1.0, false).map(|_| ()), "matrix"),
        (lexsort::<f64>(&[], 0).map(|_| ()), "at least one"),
        (x.interp(&x, &x.astype::<C128>(), Outside::Ends).map(|_| ()), "real"),
    ] {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
