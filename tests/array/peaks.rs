//! The shapes that eat memory: the peak is projected before the run and holds during it. Each line printed is one of them.

use std::sync::Arc;

use ndarray::s;
use talatat::array::{Array, Item, arange};
use talatat::graph::{Executor, Synchronous, Threads, format_bytes};
use talatat::{Compute, ExecutorChoice, Session};

use crate::common::builder;

/// Something that no rewrite sees through, so that its blocks are made as they are.
fn opaque(x: Array<f64>) -> Array<f64> {
    x.map_blocks::<f64, _>(|_, block| block.mapv(|x| (x * 0.618).fract())).unwrap()
}

/// Numbers in chunks of some length each, for no block is larger than those that are wanted.
fn numbers(length: usize, chunk: usize) -> Array<f64> {
    arange::<f64>(0.0, length as f64, 1.0).unwrap().rechunk(chunk).unwrap()
}

/// A cube of so many times of 48 x 40 doubles, one block for each 4 times.
fn cube(times: usize) -> Array<f64> {
    let flat = numbers(times * 48 * 40, 4 * 48 * 40);
    opaque(flat.reshape([times as isize, 48, 40]).unwrap().rechunk([4, 48, 40]).unwrap())
}

/// Medians along time need all times at once.
fn time_to_space() -> Item<f64> {
    let space = cube(64).rechunk([64, 12, 10]).unwrap();
    space.median(0).unwrap().sum(..).unwrap().item().unwrap()
}

/// A matrix of 400 x 300 (960 kB) times its transpose (1.28 MB).
fn gram() -> Item<f64> {
    let x = opaque(numbers(120_000, 15_000).reshape([400, 300]).unwrap().rechunk([50, 300]).unwrap());
    x.matmul(&x.t()).unwrap().sum(..).unwrap().item().unwrap()
}

/// The variance of the deviations from the mean of each of 16 seasons.
fn anomaly() -> Item<f64> {
    let x = cube(64);
    let season: Vec<usize> = (0..64).map(|time| time % 16).collect();
    let groups = x.groupby(&season, 0).unwrap();
    let means = groups.mean().unwrap();
    let anomalies = &x - groups.spread(&means).unwrap();
    (&anomalies * &anomalies).mean(..).unwrap().item().unwrap()
}

/// A tree of sums over a view of the whole and over a part of it: the blocks that both read must not wait for each other.
fn mean_beside_difference() -> Item<f64> {
    let x = cube(64);
    let difference = &x - x.mean(0).unwrap();
    difference.slice(s![..;2, .., ..]).unwrap().std(..).unwrap().item().unwrap()
}

type Shape = fn() -> Item<f64>;

const SHAPES: [(&str, Shape); 4] = [
    ("median of a cube, time to space", time_to_space),
    ("x @ x.T", gram),
    ("anomaly of a climatology", anomaly),
    ("x - mean(x, 0)", mean_beside_difference),
];

fn session(executor: Arc<dyn Executor>, limit: Option<u64>) -> Session {
    let builder = builder().custom_executor(executor);
    let builder = if let Some(limit) = limit { builder.memory_limit(limit) } else { builder };
    builder.build().unwrap()
}

#[test]
fn measured_peaks_are_below_the_projected_ones() {
    for (name, shape) in SHAPES {
        let plain = session(Arc::new(Synchronous), None);
        let projected = plain.plan(&shape()).unwrap().peak().bytes;
        let (expected, report) = plain.scope(|| shape().compute_reported()).unwrap();
        let measured = report.peak_measured.unwrap();
        println!("{name}: {} projected, {} measured", format_bytes(projected), format_bytes(measured));
        assert!(measured <= projected, "{name}: {measured} bytes were held, {projected} projected");
        assert!(measured * 2 > projected, "{name}: the projection of {projected} bytes for {measured} is of no use");
        // Under that limit threads do not run ahead.
        let (found, report) =
            session(Arc::new(Threads::new(3)), Some(projected)).scope(|| shape().compute_reported()).unwrap();
        assert_eq!(found.to_bits(), expected.to_bits(), "{name}");
        let measured = report.peak_measured.unwrap();
        assert!(measured <= projected, "{name}: 3 threads held {measured} bytes under a limit of {projected}");
    }
}

/// What is made and read block by block does not need more memory when there is more of it.
#[test]
fn peaks_do_not_grow_with_the_length() {
    let session = builder().executor(ExecutorChoice::Synchronous).build().unwrap();
    let peak = |times: usize| {
        let parts = cube(times).rechunk([4, 12, 10]).unwrap();
        let total = parts.map_blocks::<f64, _>(|_, block| block.to_owned()).unwrap().sum(..).unwrap().item().unwrap();
        let plan = session.plan(&total).unwrap();
        plan.peak().bytes
    };
    let (short, long) = (peak(64), peak(640));
    // The sums of blocks wait for each other on the levels of a tree.
    assert!(long < short * 2, "{long} bytes for ten times what needs {short}");
}

#[test]
fn a_persisted_array_larger_than_the_limit_is_used_twice() {
    let session = builder().threads(2).memory_limit(400_000).build().unwrap();
    let x = opaque(numbers(200_000, 10_000)).persist_on(&session).unwrap();
    assert!(session.spill_used() >= 1_400_000, "{}", session.spill_used());
    let made = opaque(numbers(200_000, 10_000));
    for value in [|x: &Array<f64>| x.sum(..)?.item(), |x: &Array<f64>| x.mean(..)?.item()] {
        let (found, expected) = (value(&x).unwrap(), value(&made).unwrap());
        assert_eq!(found.compute_on(&session).unwrap(), expected.compute_on(&session).unwrap());
    }
}
