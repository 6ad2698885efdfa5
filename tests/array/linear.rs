//! NumPy's and SciPy's answers (`tests/fixtures/linear.json`) about neighbours and matrices.

use serde_json::Value as Json;
use talatat::Result;
use talatat::array::{
    Array, Axes, Boundary, ConvolveMode, Element, Norm, Promote, arange, axis, einsum, eye, multi_dot,
};
use talatat::prelude::*;

use crate::fixtures::operations::{element, input, integer, with_type};
use crate::fixtures::suite::{self, Call};
use crate::oracle::everywhere;
use crate::shapes::operations::{list, one};

#[test]
fn all_cases_are_numpys() {
    suite::check("linear.json", call, |_| None);
}

/// The largest magnitude of an array.
fn largest(array: &Array<f64>) -> f64 {
    array.abs().max(..).unwrap().item().unwrap().compute().unwrap()
}

fn noise(shape: [usize; 2], chunks: [usize; 2]) -> Array<f64> {
    let i = arange::<f64>(0.0, shape[0] as f64, 1.0).unwrap().reshape([shape[0] as isize, 1]).unwrap();
    let j = arange::<f64>(0.0, shape[1] as f64, 1.0).unwrap();
    let x = (i * 12.9898 + j * 78.233).sin() * 43758.5453;
    (&x - x.floor()).rechunk(chunks).unwrap()
}

#[test]
fn trees_of_several_levels() {
    // 100 leaves, 13 nodes, 2 nodes, 1 root; chunks shorter and longer than the matrix is wide.
    for (rows, columns, chunk) in [(500, 7, 5), (500, 3, 5), (90, 12, 40), (5, 9, 2)] {
        let x = noise([rows, columns], [chunk, 2]);
        let (q, r) = x.qr().unwrap();
        assert!(largest(&(q.matmul(&r).unwrap() - &x)) < 1e-13);
        let k = rows.min(columns);
        assert!(largest(&(q.t().matmul(&q).unwrap() - eye::<f64>(k, k, 0))) < 1e-13);
        let (_, whole) = x.rechunk(-1).unwrap().qr().unwrap();
        assert!(largest(&(&whole - &r)) < 1e-12, "the chunks make no difference but of rounding");
        let (u, s, vt) = x.svd().unwrap();
        assert!(largest(&((&u * &s).matmul(&vt).unwrap() - &x)) < 1e-13);
        let (other, ..) = x.rechunk(-1).unwrap().svd().unwrap();
        assert!(largest(&(u - other)) < 1e-10, "signs do not depend on the chunks");
        assert_eq!(everywhere(&r).shape(), [k, columns]);
    }
}

#[test]
fn several_panels() {
    let n = 400;
    let x = noise([n, n], [150, 130]);
    let b = noise([n, 5], [100, 2]);
    let (p, l, u) = x.lu().unwrap();
    assert!(largest(&(p.matmul(&l).unwrap().matmul(&u).unwrap() - &x)) < 1e-12);
    assert!(largest(&l) <= 1.0, "pivots are the largest of whole columns");
    let solution = x.solve(&b).unwrap();
    assert!(largest(&(x.matmul(&solution).unwrap() - &b)) < 1e-9);
    assert_eq!(everywhere(&solution).shape(), [n, 5]);
    let gram = x.t().matmul(&x).unwrap() + eye::<f64>(n, n, 0);
    let factor = gram.cholesky().unwrap();
    assert!(largest(&(factor.matmul(&factor.t()).unwrap() - &gram)) < 1e-9);
    let back = factor.t().solve_triangular(&factor.solve_triangular(&b, true).unwrap(), false).unwrap();
    assert!(largest(&(gram.matmul(&back).unwrap() - &b)) < 1e-9);
    let log = gram.slogdet().unwrap().1 - factor.diagonal(0, 0, 1).unwrap().log().sum(..).unwrap() * 2.0;
    assert!(largest(&log) < 1e-9);
    let error = (&gram - eye::<f64>(n, n, 0) * 1e6).cholesky().unwrap().compute().unwrap_err().to_string();
    assert!(error.contains("not positive definite"), "{error}");
}

#[test]
fn eigenvectors_belong_to_eigenvalues() {
    let x = noise([30, 30], [7, 11]);
    let (values, vectors) = x.eig().unwrap();
    let rest = x.astype::<talatat::array::C128>().matmul(&vectors).unwrap() - &vectors * &values;
    assert!(largest(&rest.abs()) < 1e-12);
    let complex = &x.astype::<talatat::array::C128>() * talatat::array::Complex::new(0.0, 1.0);
    let (values, vectors) = complex.eig().unwrap();
    assert!(largest(&(complex.matmul(&vectors).unwrap() - &vectors * &values).abs()) < 1e-12);
    assert_eq!(everywhere(&values).shape(), [30]);
}

#[test]
fn products_by_blocks() {
    let (x, y) = (noise([40, 300], [15, 11]), noise([300, 30], [7, 30]));
    let product = x.matmul(&y).unwrap();
    let found = everywhere(&product);
    let whole = x.rechunk(-1).unwrap().matmul(&y.rechunk(-1).unwrap()).unwrap().compute().unwrap();
    assert!(found.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-11));
    // A part is the same, bit by bit, and is made of the blocks it needs.
    let part = product.slice(ndarray::s![16..20, 3..9]).unwrap();
    assert_eq!(everywhere(&part), found.slice(ndarray::s![16..20, 3..9]).into_dyn());
    let session = crate::common::builder().executor(talatat::ExecutorChoice::Synchronous).build().unwrap();
    let (x, y) = (x.persist_on(&session).unwrap(), y.persist_on(&session).unwrap());
    let tasks = |array: &Array<f64>| session.graph(array).unwrap().len();
    let all = x.matmul(&y).unwrap();
    // One row of blocks of three: 28 products and the 3 sums of their chains; its blocks of x are slices.
    assert_eq!(tasks(&all.slice(ndarray::s![16..20, 3..9]).unwrap()), tasks(&all) - 2 * (28 + 3) + 28 + 1);
    // A transpose is read as it stands: sources, products, and sums of chains of them.
    assert_eq!(session.graph(&x.t().matmul(&x).unwrap()).unwrap().layers().len(), 3);
}

fn call(case: &Json, chunking: usize) -> Call {
    let op = case["op"].as_str().expect("an operation");
    let inputs = case["inputs"].as_array().expect("inputs");
    with_type!(inputs[0]["dtype"].as_str().expect("a type"), T => {
        let arrays: Vec<Array<T>> =
            inputs.iter().enumerate().map(|(number, json)| input::<T>(json, chunking + number)).collect();
        match any(op, &arrays, &case["args"]) {
            Some(called) => called,
            None => matrices(op, &arrays, &case["args"]),
        }
    })
}

/// Products and neighbours.
fn any<T: Promote<T, Output = T>>(op: &str, arrays: &[Array<T>], args: &Json) -> Option<Call> {
    let weights = || arrays[1].compute();
    let flat = || -> Result<Vec<T>> { Ok(weights()?.into_raw_vec_and_offset().0) };
    let call = || -> Result<Array<T>> {
        match op {
            "convolve" => arrays[0].convolve(&flat()?, mode(args)),
            "correlate" => arrays[0].correlate(&flat()?, mode(args)),
            "convolve_nd" => arrays[0].convolve_nd(&weights()?, boundary::<T>(args)),
            "correlate_nd" => arrays[0].correlate_nd(&weights()?, boundary::<T>(args)),
            "einsum" => {
                let arrays: Vec<&Array<T>> = arrays.iter().collect();
                einsum(args["subscripts"].as_str().expect("subscripts"), &arrays)
            }
            "tensordot" => {
                let axes = args["axes"].as_array().expect("axes");
                let axes: Vec<_> = axes.iter().map(|pair| (integer(&pair[0]), integer(&pair[1]))).collect();
                arrays[0].tensordot(&arrays[1], &axes)
            }
            "outer" => arrays[0].outer(&arrays[1]),
            "kron" => arrays[0].kron(&arrays[1]),
            "vdot" => arrays[0].vdot(&arrays[1]),
            "vecdot" => arrays[0].vecdot(&arrays[1], integer(&args["axis"])),
            "cross" => arrays[0].cross(&arrays[1], integer(&args["axis"])),
            "matvec" => arrays[0].matvec(&arrays[1]),
            "vecmat" => arrays[0].vecmat(&arrays[1]),
            "multi_dot" => multi_dot(&arrays.iter().collect::<Vec<_>>()),
            "matrix_power" => arrays[0].matrix_power(integer(&args["n"]) as u32),
            _ => unreachable!("asked before"),
        }
    };
    let known = [
        "convolve",
        "correlate",
        "convolve_nd",
        "correlate_nd",
        "einsum",
        "tensordot",
        "outer",
        "kron",
        "vdot",
        "vecdot",
        "cross",
        "matvec",
        "vecmat",
        "multi_dot",
        "matrix_power",
    ];
    known.contains(&op).then(|| call().and_then(one))
}

fn which(args: &Json) -> Norm {
    match &args["ord"] {
        Json::Null => Norm::Frobenius,
        Json::String(name) if name == "fro" => Norm::Frobenius,
        Json::String(name) if name == "nuc" => Norm::Nuclear,
        Json::String(name) if name == "-inf" => Norm::P(f64::NEG_INFINITY),
        Json::String(_) => Norm::P(f64::INFINITY),
        number => Norm::P(number.as_f64().expect("a number")),
    }
}

/// Norms, decompositions and systems.
fn matrices<T: Element>(op: &str, arrays: &[Array<T>], args: &Json) -> Call {
    let x = &arrays[0];
    match op {
        "norm" | "vector_norm" => {
            let which = which(args);
            let axes: Axes = match &args["axis"] {
                Json::Null => axis(..),
                Json::Array(list) => list.iter().map(integer).collect::<Vec<_>>().into(),
                number => integer(number).into(),
            };
            let axes = if args["keepdims"] == true { axes.keepdims() } else { axes };
            one(if op == "norm" { x.norm(which, axes)? } else { x.vector_norm(which, axes)? })
        }
        "solve" => one(x.solve(&arrays[1])?),
        "solve_triangular" => one(x.solve_triangular(&arrays[1], args["lower"] == true)?),
        "inv" => one(x.inv()?),
        "det" => one(x.det()?),
        "slogdet" => x.slogdet().and_then(|(sign, log)| list(vec![sign, log])),
        "cholesky" => one(x.cholesky()?),
        "lu" => x.lu().and_then(|(p, l, u)| list(vec![p, l, u])),
        "eigvalsh" => one(x.eigvalsh(args["upper"] == true)?),
        "matrix_norm" => one(x.matrix_norm(which(args), args["keepdims"] == true)?),
        "pinv" => one(x.pinv(None)?),
        "pinv_rtol" => one(x.pinv(args["rtol"].as_f64())?),
        "cond" => one(x.cond(which(args))?),
        "matrix_rank" => one(x.matrix_rank(None)?),
        "tensorinv" => one(x.tensorinv(integer(&args["ind"]) as usize)?),
        "tensorsolve" => {
            let moved: Vec<isize> =
                args["axes"].as_array().map_or_else(Vec::new, |axes| axes.iter().map(integer).collect());
            one(x.tensorsolve(&arrays[1], &moved)?)
        }
        "eigvals" => {
            let found = x.eigvals()?;
            let order = (found.imag().astype::<f64>() + found.real().astype::<f64>() * 1e-6).argsort(0)?;
            one(found.take_along_axis(&order, 0)?)
        }
        "qr" => x.qr().and_then(|(q, r)| list(vec![q, r])),
        "svdvals" => one(x.svdvals()?),
        "lstsq" => x.lstsq(&arrays[1], None).and_then(|found| list(vec![found.x])),
        "lstsq_rank" => one(x.lstsq(&arrays[1], None)?.rank),
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
