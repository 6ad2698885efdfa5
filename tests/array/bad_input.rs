//! What cannot work says so: when it is called if that can be known, with the operation and the user's line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{ArrayD, ArrayViewD, IxDyn, s};
use talatat::array::{
    self, Array, BlockInfo, Boundary, ConvolveMode, Norm, PadMode, arange, axis, concatenate, from_ndarray, map_blocks,
    ones, open_npy, stack, where_, zeros,
};
use talatat::graph::Error as GraphError;
use talatat::prelude::*;
use talatat::{Error, ExecutorChoice, Result};

use crate::common::builder;

/// The error of a call, which must name the operation, say these words and point to this file.
#[track_caller]
fn refused<T>(result: Result<T>, operation: &str, words: &str) {
    let Err(error) = result else { panic!("{operation} was not refused") };
    let text = error.to_string();
    assert!(matches!(error, Error::Invalid(_)), "{text}");
    assert!(text.starts_with(&format!("{operation}: ")), "{operation} is not named: {text}");
    assert!(text.contains(words), "{words} is not said: {text}");
    assert!(text.contains("bad_input.rs"), "the user's line is not named: {text}");
}

fn floats(shape: &[usize]) -> Array<f64> {
    ones(shape)
}

#[test]
fn shapes_that_do_not_match() {
    refused((floats(&[3]) + floats(&[4])).check(), "add", "(3,) and (4,)");
    refused((floats(&[2, 3]) * floats(&[2])).compute(), "multiply", "(2, 3) and (2,)");
    refused(floats(&[3]).minimum(floats(&[2])).sum(..), "minimum", "(3,) and (2,)");
    refused(where_(&ones::<bool>([3]), floats(&[2]), 0.0).check(), "where", "(3,) and (2,)");
    refused(floats(&[3]).clip(floats(&[2]), 1.0).check(), "maximum", "do not match");
    refused(floats(&[2, 3]).broadcast_to([2, 2]), "broadcast_to", "[2, 3]");
    refused(floats(&[2, 3]).matmul(&floats(&[2, 3])), "matmul", "(2, 3) and (2, 3)");
    refused(floats(&[2, 2, 3]).matmul(&floats(&[3, 3, 2])), "matmul", "do not match");
    refused(floats(&[3]).matmul(&floats(&[])), "matmul", "scalar");
    refused(floats(&[2, 3]).dot(&floats(&[2])), "dot", "do not match");
}

#[test]
fn elements_that_cannot_be_put_elsewhere() {
    let x = floats(&[2, 3]);
    refused(x.flip([0, 0]), "flip", "twice");
    refused(floats(&[3]).fliplr(), "fliplr", "axis 1");
    refused(x.rot90(1, [1, -1]), "rot90", "the same");
    refused(x.roll([1, 2, 3], [0, 1]), "roll", "3 shifts for 2 axes");
    refused(x.moveaxis([0, 1], 0), "moveaxis", "2 axes to 1 places");
    refused(x.squeeze(1), "squeeze", "length of 3");
    refused(x.expand_dims(..), "expand_dims", "name each new axis");
    refused(x.repeat([1, 2], 1), "repeat", "2 numbers for axis 1 of length 3");
    refused(x.repeat(usize::MAX, 1), "repeat", "counted");
    refused(floats(&[3]).tile([usize::MAX / 2]), "tile", "counted");
    refused(x.pad([(1, 1), (1, 1), (1, 1)], PadMode::Edge), "pad", "3 pairs of widths");
    refused(floats(&[0]).pad(1, PadMode::Wrap), "pad", "axis 0 is empty");
    refused(x.pad(1, PadMode::Median(Some(0.into()))), "pad", "0 values");
    refused(x.pad(usize::MAX / 2, PadMode::Edge), "pad", "counted");
    refused(x.split(2, 1), "split", "array_split");
    refused(x.array_split(0, 1), "array_split", "at least 1");
    refused(floats(&[4]).vsplit(2), "vsplit", "1 dimensions");
    refused(x.delete(3, 1), "delete", "index 3");
    refused(x.delete([true], 1), "delete", "mask of 1");
    refused(x.insert([0, 9], 1.0, 1), "insert", "index 9");
    refused(x.insert(0, floats(&[4]), 0), "insert", "[1, 4]");
    refused(x.append(&floats(&[2, 2]), 0), "append", "differ");
    refused(x.append(&floats(&[2, 2]), [0, 1]), "append", "`..` for the flat array");
    refused(array::hstack::<f64>(&[]), "hstack", "at least one");
    refused(array::vstack(&[floats(&[2]), floats(&[3])]), "vstack", "differ");
    refused(array::block([vec![floats(&[2])], vec![]]), "block", "empty list");
    refused(array::broadcast_arrays(&[floats(&[2]), floats(&[3])]), "broadcast_arrays", "(2,) and (3,)");
    refused(x.sliding_window_view([4], 1), "sliding_window_view", "longer");
    refused(x.sliding_window_view([1], ..), "sliding_window_view", "1 windows for 2 axes");
    refused(x.coarsen(|x, axes| x.sum(axes), &[(1, 2)], false), "coarsen", "does not divide");
    refused(x.coarsen(|x, axes| x.sum(axes), &[(1, 0)], false), "coarsen", "factor of 0");
    refused(x.diagonal(0, 1, 1), "diagonal", "the same");
    refused(array::diag(&floats(&[2, 2, 2]), 0), "diag", "3 dimensions");
    refused(array::diag(&floats(&[2]), isize::MAX), "diag", "counted");
    refused(floats(&[]).tril(0), "tril", "one axis");
    refused(array::vander(&x, 2, false), "vander", "2 dimensions");
    refused(array::geomspace(-1.0, 1.0, 3), "geomspace", "one sign");
    refused(array::logspace(0.0, f64::NAN, 3, 10.0), "logspace", "finite");
    refused(array::zeros_like(&(floats(&[2]) + floats(&[3]))), "add", "do not match");
    refused(array::fromfunction([2], |i: &[Array<f64>]| &i[0] + floats(&[3])), "add", "do not match");
}

#[test]
fn neighbours() {
    let x = floats(&[2, 3]);
    let same = |_: &BlockInfo, block: ArrayViewD<'_, f64>| block.to_owned();
    refused(x.map_overlap([1, 1, 1], Boundary::Nearest, same), "map_overlap", "3 depths for an array of 2 dimensions");
    refused(x.map_overlap(1, [Boundary::None], same), "map_overlap", "1 boundaries");
    refused(x.map_overlap(usize::MAX, Boundary::Nearest, same), "map_overlap", "counted");
    refused((&x + floats(&[4])).map_overlap(1, Boundary::Nearest, same), "add", "do not match");
    refused(array::map_overlap(&[&x, &x.t()], 1, Boundary::None, |_, b| b[0].to_owned()), "map_overlap", "(3, 2)");
    refused(
        array::map_overlap::<f64, f64, _>(&[], 1, Boundary::None, |_, b| b[0].to_owned()),
        "map_overlap",
        "no arrays",
    );
    refused(x.correlate_nd(&ndarray::array![1.0].into_dyn(), Boundary::Reflect), "correlate_nd", "1 dimensions");
    refused(x.convolve_nd(&ArrayD::zeros(vec![0, 1]), Boundary::Reflect), "convolve_nd", "[0, 1]");
    refused(x.convolve(&[1.0], ConvolveMode::Same), "convolve", "2 dimensions");
    refused(floats(&[3]).correlate(&[], ConvolveMode::Same), "correlate", "empty");
    let wrong = x.map_overlap(1, Boundary::Nearest, |_, _| ArrayD::<f64>::zeros(vec![1, 1])).unwrap();
    let text = wrong.compute().unwrap_err().to_string();
    assert!(text.contains("[1, 1]") && text.contains("[4, 5]") && text.contains("[2, 3]"), "{text}");
}

#[test]
fn functions_on_blocks() {
    let (x, y) = (floats(&[2, 3]), floats(&[4]));
    let none = |_: &BlockInfo, _: &[ArrayViewD<'_, f64>]| ArrayD::<f64>::zeros(vec![0]);
    refused(array::blockwise("ij", &[(&x, "i")]).call(none), "blockwise", "2 axes and 1 names");
    refused(array::blockwise("ij", &[(&x, "ii")]).call(none), "blockwise", "axis i twice");
    refused(array::blockwise("ii", &[(&x, "ij")]).call(none), "blockwise", "axis i twice");
    refused(array::blockwise("iz", &[(&x, "ij")]).call(none), "blockwise", "new_axis");
    refused(array::blockwise("ij", &[(&x, "ij")]).new_axis('i', [1]).call(none), "blockwise", "not new");
    refused(array::blockwise("ij", &[(&x, "ij"), (&y, "j")]).call(none), "blockwise", "(2, 3) and (4,)");
    let zero = |_: &[ArrayViewD<'_, f64>]| ndarray::arr0(0.0).into_dyn();
    refused(array::apply_gufunc("(i)", &[&x], &[], zero), "apply_gufunc", "no signature");
    refused(array::apply_gufunc("(i),->()", &[&x], &[], zero), "apply_gufunc", "no signature");
    refused(array::apply_gufunc("(i),(i)->()", &[&x], &[], zero), "apply_gufunc", "for 2 arrays, 1 were given");
    refused(array::apply_gufunc("(i),(i)->()", &[&x, &y], &[], zero), "apply_gufunc", "3 elsewhere");
    refused(array::apply_gufunc("(2)->()", &[&x], &[], zero), "apply_gufunc", "2 elsewhere");
    refused(array::apply_gufunc("(i,j)->()", &[&y], &[], zero), "apply_gufunc", "1 axes");
    refused(array::apply_gufunc("(i)->(k)", &[&x], &[], zero), "apply_gufunc", "how long is axis k");
    refused(array::apply_gufunc("(i)->(),()", &[&x], &[], zero), "apply_gufunc", "2 results");
    refused(x.apply_along_axis(2, [], |_| ndarray::arr0(0.0).into_dyn()), "apply_along_axis", "axis 2");
    refused(floats(&[0]).apply_along_axis(0, [], |_| ndarray::arr0(0.0).into_dyn()), "apply_along_axis", "empty");
    refused(x.map_blocks_axes(&[0, 0], &[], |_, b| b.to_owned()), "map_blocks", "twice");
    refused(x.map_blocks_axes(&[], &[(3, 1)], |_, b| b.to_owned()), "map_blocks", "new axis at 3");
    let wrong = x.apply_along_axis(1, [2], |_| ndarray::arr0(0.0).into_dyn()).unwrap();
    let text = wrong.compute().unwrap_err().to_string();
    assert!(text.contains("[]") && text.contains("[2]"), "{text}");
}

#[test]
fn matrices() {
    let (x, cube) = (floats(&[2, 3]), floats(&[2, 2, 2]));
    refused(cube.qr(), "qr", "3 dimensions");
    refused(floats(&[3]).svd(), "svd", "1 dimensions");
    refused(x.inv(), "inv", "2 x 3: it must be square");
    refused(x.eigh(false), "eigh", "square");
    refused(x.slogdet(), "slogdet", "square");
    refused(floats(&[2, 2]).solve(&floats(&[3])), "solve", "(3,)");
    refused(floats(&[2, 2]).solve_triangular(&cube, true), "solve_triangular", "(2, 2, 2)");
    refused(x.lstsq(&floats(&[3]), None), "lstsq", "2 rows");
    refused(cube.norm(Norm::Nuclear, [0, 1]), "norm", "3 dimensions");
    refused(x.norm(3.0, ..), "norm", "no norm of 3");
    refused(x.norm(1.0, [1, 1]), "norm", "twice");
    refused(x.tensordot(&x, &[(0, 1)]), "tensordot", "do not match");
    refused(array::einsum("ij,jk", &[&x]), "einsum", "for 2 arrays, 1 were given");
    refused(array::einsum("i", &[&x]), "einsum", "2 axes of array 0");
    refused(array::einsum("ij->ik", &[&x]), "einsum", "no array has the axis k");
    refused(array::einsum("i1", &[&x]), "einsum", "letters");
    refused(array::einsum("ij,ij", &[&x, &x.t()]), "einsum", "do not match");
    refused(x.vdot(&floats(&[5])), "multiply", "do not match");
    let nan = (floats(&[3, 3]) * f64::NAN).svd().unwrap().1.compute().unwrap_err().to_string();
    assert!(nan.contains("finite"), "{nan}");
}

#[test]
fn axes_and_indices_out_of_range() {
    let x = floats(&[2, 3]);
    refused(x.sum(2), "sum", "axis 2");
    refused(x.sum(-3), "sum", "axis -3");
    refused(x.mean([0, -2]), "mean", "twice");
    refused(x.argmax(axis(5).keepdims()), "argmax", "axis 5");
    refused(x.transpose([0, 0]), "transpose", "each of the 2 axes once");
    refused(x.transpose([0]), "transpose", "each of the 2 axes once");
    refused(x.expand_dims(4), "expand_dims", "axis 4");
    refused(x.slice(s![2, ..]), "slice", "index 2");
    refused(x.slice(s![.., -4]), "slice", "index -4");
    refused(x.slice(s![.., .., ..]), "slice", "more indices");
    refused(x.region(&[0..3, 0..3]), "region", "[0..3, 0..3]");
    refused(x.reshape([4, 2]), "reshape", "6 elements");
    refused(x.reshape([-1, -1]), "reshape", "6 elements");
    refused(x.reshape([4, -1]), "reshape", "6 elements");
    refused(concatenate(&[x.clone(), x.clone()], 2), "concatenate", "axis 2");
    refused(concatenate(&[x.clone(), floats(&[2, 2])], 0), "concatenate", "(2, 2)");
    refused(concatenate::<f64>(&[], 0), "concatenate", "no arrays");
    refused(stack(&[x.clone(), floats(&[2])], 0), "stack", "(2,)");
    refused(floats(&[0, 3]).min(0), "min", "zero-size");
    refused(x.item(), "item", "one element");
}

#[test]
fn chunks_that_do_not_fit() {
    let x = floats(&[4, 6]);
    refused(x.rechunk(vec![vec![2, 3], vec![6]]), "rechunk", "add up to 5");
    refused(x.rechunk([1, 1, 1]), "rechunk", "3 axes");
    refused(x.rechunk(0), "rechunk", "at least 1");
    refused(x.rechunk("a lot"), "rechunk", "a lot");
    refused(x.rechunk(("auto", "1 furlong")), "rechunk", "furlong");
    refused(from_ndarray(ArrayD::<f64>::zeros(IxDyn(&[3])), vec![vec![1]]), "from_ndarray", "add up to 1");
    refused(
        map_blocks(&[&x.rechunk(2).unwrap()], vec![vec![4], vec![6]], |_, blocks| blocks[0].to_owned()),
        "map_blocks",
        "rechunk",
    );
}

#[test]
fn creations() {
    refused(arange::<i64>(0, 5, 0), "arange", "step");
    refused(arange::<f64>(0.0, f64::INFINITY, 1.0), "arange", "inf");
    refused(array::linspace(0.0, f64::NAN, 3), "linspace", "NaN");
    refused(array::uniform(1.0, 0.0, [3], 0), "uniform", "");
    refused(array::normal(0.0, -1.0, [3], 0), "normal", "");
    refused(array::integers(3, 3, [3], 0), "integers", "");
}

#[test]
fn sizes_beyond_the_machine() {
    // More elements than an usize counts, more blocks than a graph can hold: an error, no panic and no attempt.
    let huge = zeros::<f64>([usize::MAX, 3]);
    assert!(huge.compute().is_err());
    assert!(zeros::<f64>([1 << 40]).rechunk(1).and_then(|x| x.compute()).is_err());
}

/// The error of a file, which must name the file.
#[track_caller]
fn unreadable(path: &std::path::Path, words: &str) {
    let error = open_npy::<f64>(path.to_str().unwrap(), "auto").and_then(|x| x.compute()).expect_err("a broken file");
    let text = error.to_string();
    assert!(text.contains(words), "{words} is not said: {text}");
    assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "the file is not named: {text}");
}

#[test]
fn broken_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    unreadable(&path("missing.npy"), "missing.npy");

    floats(&[10, 10]).to_npy(path("good.npy").to_str().unwrap()).unwrap();
    let bytes = std::fs::read(path("good.npy")).unwrap();
    for (name, length) in [("half.npy", 500), ("header.npy", 60), ("magic.npy", 4), ("empty.npy", 0)] {
        std::fs::write(path(name), &bytes[..length]).unwrap();
        unreadable(&path(name), "");
    }
    std::fs::write(path("text.npy"), "a,b\n1,2\n").unwrap();
    unreadable(&path("text.npy"), "");

    // Cut short between opening and reading.
    std::fs::write(path("shrinks.npy"), &bytes).unwrap();
    let x = open_npy::<f64>(path("shrinks.npy").to_str().unwrap(), 5).unwrap();
    std::fs::write(path("shrinks.npy"), &bytes[..300]).unwrap();
    let text = x.compute().unwrap_err().to_string();
    assert!(text.contains("shrinks.npy"), "{text}");

    ones::<f32>([3]).to_npy(path("small.npy").to_str().unwrap()).unwrap();
    refused(open_npy::<f64>(path("small.npy").to_str().unwrap(), "auto"), "open_npy", "float32");
}

#[test]
fn nothing_partial_is_written() {
    let folder = tempfile::tempdir().unwrap();
    // Folders that are missing are made, but not below a file.
    std::fs::write(folder.path().join("file"), "").unwrap();
    let missing = folder.path().join("file/x.npy");
    let counted = Arc::new(AtomicUsize::new(0));
    let counter = counted.clone();
    let x = floats(&[4])
        .map_blocks(move |_, block| {
            counter.fetch_add(1, Ordering::SeqCst);
            block.to_owned()
        })
        .unwrap();
    assert!(x.to_npy(missing.to_str().unwrap()).is_err());
    assert_eq!(counted.load(Ordering::SeqCst), 0, "the target is looked at before anything is computed");

    // A task that fails leaves neither the file nor a part of it.
    let fails = floats(&[4]).map_blocks(|_, _| -> ArrayD<f64> { panic!("in between") }).unwrap();
    assert!(fails.to_npy(folder.path().join("x.npy").to_str().unwrap()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the file from before");

    // An older file stays as it was.
    let old = folder.path().join("old.npy");
    floats(&[2]).to_npy(old.to_str().unwrap()).unwrap();
    assert!(fails.to_npy(old.to_str().unwrap()).is_err());
    assert_eq!(open_npy::<f64>(old.to_str().unwrap(), "auto").unwrap().compute().unwrap().len(), 2);
}

#[test]
fn a_limit_below_a_block() {
    let session = builder().memory_limit(1000).build().unwrap();
    let x = floats(&[100, 100]).rechunk(50).unwrap() + 1.0;
    match x.compute_on(&session) {
        Err(Error::Graph(GraphError::Memory { operation, needed, limit, .. })) => {
            assert_eq!(limit, 1000);
            assert!(needed >= 50 * 50 * 8, "{needed}");
            assert!(!operation.is_empty(), "{operation}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_function_that_panics() {
    let session = builder().executor(ExecutorChoice::Threads).threads(2).build().unwrap();
    let x = ones::<f32>([4, 6]).rechunk([2, 3]).unwrap();
    let line = line!() + 1;
    let y = x.map_blocks(|info, block| {
        assert!(info.place[..] != [1, 1], "block {:?} is not to my liking", info.place);
        block.to_owned()
    });
    let text = y.unwrap().compute_on(&session).unwrap_err().to_string();
    let place = format!("bad_input.rs:{line}");
    for words in ["map_blocks", "block 3", "float32[2, 3]", "not to my liking", &place] {
        assert!(text.contains(words), "{words} is not said: {text}");
    }
    // The pool lives on.
    assert_eq!((x + 1.0).sum(..).unwrap().item().unwrap().compute_on(&session).unwrap(), 48.0);
}

#[test]
fn a_function_that_gives_another_shape() {
    let x = floats(&[4]).rechunk(2).unwrap();
    let y = x.map_blocks(|_, block| block.slice(s![..1]).to_owned().into_dyn());
    let text = y.unwrap().compute().unwrap_err().to_string();
    assert!(text.contains("[1]") && text.contains("[2]") && text.contains("bad_input.rs"), "{text}");
}

#[test]
fn a_closure_cannot_travel() {
    let session = builder().executor(ExecutorChoice::Serialize).build().unwrap();
    let y = floats(&[4]).map_blocks(|_, block| block.to_owned()).unwrap();
    match y.compute_on(&session) {
        Err(Error::Graph(GraphError::NotPortable { operation, reason })) => {
            assert!(operation.contains("map_blocks"), "{operation}: {reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn cancelled() {
    for choice in [ExecutorChoice::Synchronous, ExecutorChoice::Threads] {
        let cancel = Cancel::new();
        let session = builder().executor(choice).threads(2).cancel(cancel.clone()).build().unwrap();
        let y = floats(&[100])
            .rechunk(1)
            .unwrap()
            .map_blocks(move |_, block| {
                cancel.cancel();
                block.to_owned()
            })
            .unwrap();
        let result = y.sum(..).unwrap().compute_on(&session);
        assert!(matches!(result, Err(Error::Graph(GraphError::Cancelled { .. }))), "{result:?}");
    }
}

#[test]
fn errors_at_run_time() {
    let x = from_ndarray(ndarray::array![f64::NAN, f64::NAN], 1).unwrap();
    let text = x.nanargmin(..).unwrap().compute().unwrap_err().to_string();
    assert!(text.contains("nanargmin") && text.contains("bad_input.rs"), "{text}");
}
