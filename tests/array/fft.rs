//! Fourier transforms: NumPy's answers (`tests/fixtures/fft.json`), and what chunks and slices must not change.

use proptest::prelude::*;
use serde_json::Value as Json;
use talatat::array::{
    Array, Axes, Complex, Element, FftNorm, FftOptions, along, arange, axis, fftfreq, from_ndarray, rfftfreq,
};
use talatat::prelude::*;

use crate::fixtures::dtypes::with_all;
use crate::fixtures::operations::{input, integer};
use crate::fixtures::suite::{self, Call};
use crate::oracle::everywhere;
use crate::shapes::operations::one;

#[test]
fn all_cases_are_numpys() {
    suite::check("fft.json", call, |_| None);
}

fn call(case: &Json, chunking: usize) -> Call {
    let (op, args) = (case["op"].as_str().expect("an operation"), &case["args"]);
    let Some(own) = case["inputs"].get(0) else {
        let length = args["length"].as_u64().expect("a length") as usize;
        let spacing = args["spacing"].as_f64().expect("a distance");
        return one(if op == "fftfreq" { fftfreq(length, spacing)? } else { rfftfreq(length, spacing)? });
    };
    with_all!(own["dtype"].as_str().expect("a type"), T => transformed(op, &input::<T>(own, chunking), args))
}

fn transformed<T: Element>(op: &str, x: &Array<T>, args: &Json) -> Call {
    let axes: Axes = match &args["axes"] {
        Json::Array(axes) => axes.iter().map(integer).collect::<Vec<_>>().into(),
        _ => axis(..),
    };
    let shifts = match op {
        "fftshift" => Some(x.fftshift(axes.clone())),
        "ifftshift" => Some(x.ifftshift(axes.clone())),
        _ => None,
    };
    if let Some(shifted) = shifts {
        return one(shifted?);
    }
    let norm = match args["norm"].as_str() {
        Some("ortho") => FftNorm::Ortho,
        Some("forward") => FftNorm::Forward,
        _ => FftNorm::Backward,
    };
    let options = match &args["lengths"] {
        Json::Array(lengths) => {
            along(axes).lengths(lengths.iter().map(|length| integer(length) as usize).collect::<Vec<_>>())
        }
        _ => along(axes),
    };
    let options: FftOptions = options.norm(norm);
    match op {
        "fft" => one(x.fft(options)?),
        "ifft" => one(x.ifft(options)?),
        "rfft" => one(x.rfft(options)?),
        "irfft" => one(x.irfft(options)?),
        "hfft" => one(x.hfft(options)?),
        "ihfft" => one(x.ihfft(options)?),
        "fft2" => one(x.fft2(options)?),
        "ifft2" => one(x.ifft2(options)?),
        "rfft2" => one(x.rfft2(options)?),
        "irfft2" => one(x.irfft2(options)?),
        "fftn" => one(x.fftn(options)?),
        "ifftn" => one(x.ifftn(options)?),
        "rfftn" => one(x.rfftn(options)?),
        "irfftn" => one(x.irfftn(options)?),
        other => panic!("no operation {other}"),
    }
}

fn numbers(shape: [usize; 2], chunks: [usize; 2]) -> Array<f64> {
    let flat = arange::<f64>(0.0, (shape[0] * shape[1]) as f64, 1.0).unwrap();
    let flat = (flat * 12.9898).sin();
    flat.reshape([shape[0] as isize, shape[1] as isize]).unwrap().rechunk(chunks).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The same bits in any chunks, on every executor, and in any part.
    #[test]
    fn chunks_change_nothing(
        shape in [1_usize..20, 1_usize..20],
        chunks in [1_usize..9, 1_usize..9],
        which in 0_usize..4,
        lengths in [1_usize..20, 1_usize..20],
        part in [0_usize..20, 0_usize..20],
    ) {
        let (cut, whole) = (numbers(shape, chunks), numbers(shape, shape));
        let transformed = |x: &Array<f64>| match which {
            0 => x.fft(along(0).lengths([lengths[0]])),
            1 => x.rfft(1),
            2 => x.fftn(along(..).lengths(lengths)),
            _ => x.rfft2([1, 0]),
        };
        let (found, expected) = (transformed(&cut).unwrap(), transformed(&whole).unwrap().compute().unwrap());
        prop_assert_eq!(everywhere(&found), expected.clone());
        let from: Vec<usize> = part.iter().zip(expected.shape()).map(|(&at, &length)| at.min(length - 1)).collect();
        let own = ndarray::s![from[0].., ..;-1];
        prop_assert_eq!(everywhere(&found.slice(own).unwrap()), expected.slice(own).into_dyn());
    }
}

#[test]
fn long_lines_go_there_and_back() {
    // A product of small primes, a large prime.
    for length in [46_080_usize, 10_007] {
        let x = numbers([length, 3], [1000, 2]);
        let back = x.fft(0).unwrap().ifft(0).unwrap();
        assert!((back.real() - &x).abs().max(..).unwrap().item().unwrap().compute().unwrap() < 1e-13);
        let back = x.rfft(0).unwrap().irfft(along(0).lengths([length])).unwrap();
        assert!((back - &x).abs().max(..).unwrap().item().unwrap().compute().unwrap() < 1e-13);
        // Parseval's theorem.
        let powers = x.fft(along(0).norm(FftNorm::Ortho)).unwrap().abs().square().sum(..).unwrap();
        let error = powers - x.square().sum(..).unwrap();
        assert!(error.abs().item().unwrap().compute().unwrap() < 1e-9);
    }
}

#[test]
fn some_lines_are_transformed_alone() {
    let session = crate::common::builder().executor(talatat::ExecutorChoice::Synchronous).build().unwrap();
    let x = numbers([40, 30], [5, 30]).persist_on(&session).unwrap();
    let all = x.fft(1).unwrap();
    let tasks = |array: &Array<Complex<f64>>| session.graph(array).unwrap().len();
    assert_eq!(tasks(&all), 16);
    // Eight sources, and of one of them two lines, their transforms, and a part of each.
    assert_eq!(tasks(&all.slice(ndarray::s![6..8, 3..9]).unwrap()), 8 + 3);
}

#[test]
fn lengths_that_are_not_known() {
    let x = from_ndarray(ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], [2, 2]).unwrap();
    let some = x.compress(&x.slice(ndarray::s![.., 0]).unwrap().greater(2.0), 0).unwrap();
    let found = some.fft(1).unwrap().real();
    assert_eq!(everywhere(&found), ndarray::array![[7.0, -1.0], [12.0, -2.0]].into_dyn());
    let error = some.fft(0).unwrap_err().to_string();
    assert!(error.contains("persist"), "{error}");
}

#[test]
fn mistakes_are_explained() {
    let x = numbers([4, 3], [2, 2]);
    for (found, word) in [
        (x.fft(2), "out of range"),
        (x.fft([0, 1]), "fftn"),
        (x.fft(along(0).lengths([2, 3])), "lengths"),
        (x.fft(along(0).lengths([0])), "at least 1"),
        (x.fft2(0), "two"),
        (x.fft(0).unwrap().rfft(0), "real part"),
    ] {
        let error = found.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
