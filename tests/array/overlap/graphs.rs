//! What the graphs look like: a task a block, and a small part of a large array is a small graph.

use ndarray::s;
use talatat::array::{Array, Boundary, eye, ones, zeros};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::builder;

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

fn tasks<T: talatat::array::Element>(array: &Array<T>) -> usize {
    session().graph(array).unwrap().len()
}

#[test]
fn a_block_is_one_task() {
    let x = zeros::<f64>([60, 60]).rechunk(6).unwrap().persist_on(&session()).unwrap();
    for boundary in [Boundary::None, Boundary::Reflect, Boundary::Periodic, Boundary::Constant(1.0)] {
        assert_eq!(tasks(&x.map_overlap(1, boundary, |_, block| block.to_owned()).unwrap()), 200, "{boundary:?}");
        assert_eq!(tasks(&x.correlate_nd(&ndarray::Array2::ones((3, 3)).into_dyn(), boundary).unwrap()), 200);
    }
    // Borders wider than a chunk read the chunks beyond.
    assert_eq!(tasks(&x.map_overlap(20, Boundary::Nearest, |_, block| block.to_owned()).unwrap()), 200);
}

#[test]
fn sweeps_are_one_pass() {
    let x = zeros::<f64>([600, 600]).rechunk(60).unwrap().persist_on(&session()).unwrap();
    let ones = ndarray::Array2::ones((3, 3)).into_dyn();
    let sweep = |x: &Array<f64>, boundary| x.correlate_nd(&ones, boundary).unwrap();
    let three = sweep(&sweep(&sweep(&x, Boundary::Nearest), Boundary::Reflect), Boundary::Constant(1.0));
    assert_eq!(tasks(&three), 200);
    // Not if something else reads what lies between, a border is at the other end, or blocks would compute too much twice.
    let first = sweep(&x, Boundary::Nearest);
    assert_eq!(tasks(&(sweep(&first, Boundary::Nearest) + first)), 400);
    assert_eq!(tasks(&sweep(&sweep(&x, Boundary::Nearest), Boundary::Periodic)), 300);
    let wide = ndarray::Array2::ones((7, 7)).into_dyn();
    assert_eq!(tasks(&sweep(&x.correlate_nd(&wide, Boundary::Nearest).unwrap(), Boundary::Nearest)), 300);
}

#[test]
fn a_part_computes_the_blocks_it_touches() {
    let x = ones::<f64>([10_000, 10_000]).rechunk(50).unwrap();
    let y = x.map_overlap(1, Boundary::Periodic, |_, block| block.to_owned()).unwrap();
    // One block, which reads nine; at a corner four of those are at the other ends.
    assert_eq!(tasks(&y.slice(s![110..120, 110..120]).unwrap()), 9 + 1 + 1);
    assert_eq!(tasks(&y.slice(s![..10, ..10]).unwrap()), 9 + 1 + 1);
    let twice = y.map_overlap(1, Boundary::None, |_, block| block.to_owned()).unwrap();
    assert_eq!(tasks(&(twice + 1.0).slice(s![110..120, 110..120]).unwrap()), 25 + 9 + 1 + 2);
}

#[test]
fn a_window_of_a_large_array() {
    let x = eye::<f64>(10_000, 10_000, 0).rechunk(50).unwrap();
    let sums = x.map_overlap(1, Boundary::Reflect, |info, block| {
        ndarray::Array::from_shape_fn(info.shape.as_slice(), |at| {
            block.slice(s![at[0]..at[0] + 3, at[1]..at[1] + 3]).sum()
        })
    });
    let window = sums.unwrap().slice(s![4995..5005, 4995..5005]).unwrap();
    let expected =
        ndarray::Array2::from_shape_fn((10, 10), |(i, j)| 3_f64 - (i as f64 - j as f64).abs()).mapv(|x| x.max(0.0));
    assert_eq!(window.compute_on(&session()).unwrap(), expected.into_dyn());
}
