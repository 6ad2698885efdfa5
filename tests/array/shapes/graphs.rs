//! What the graphs look like: as many tasks as blocks, and chunks of about the array's.

use talatat::array::{Array, PadMode, Reflection, arange, diag, zeros};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::builder;

pub fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

/// 1000 elements in 100 blocks that are there.
pub fn line() -> Array<i64> {
    arange::<i64>(0, 1000, 1).unwrap().rechunk(10).unwrap().persist_on(&session()).unwrap()
}

/// 60 x 60 elements in 100 blocks that are there.
pub fn plane() -> Array<f64> {
    zeros::<f64>([60, 60]).rechunk(6).unwrap().persist_on(&session()).unwrap()
}

/// How many tasks an array takes beyond those of its source.
#[track_caller]
pub fn tasks<T: talatat::array::Element>(array: &Array<T>, sources: usize) -> usize {
    session().graph(array).unwrap().len() - sources
}

fn lengths<T: talatat::array::Element>(array: &Array<T>, axis: usize) -> Vec<usize> {
    array.chunks()[axis].clone().unwrap()
}

#[test]
fn a_roll_keeps_the_chunks_and_takes_a_task_a_block() {
    let rolled = line().roll(3, 0).unwrap();
    assert_eq!(lengths(&rolled, 0), vec![10; 100]);
    assert_eq!(tasks(&rolled, 100), 100);
    let by_whole_chunks = line().roll(20, 0).unwrap();
    assert_eq!(tasks(&by_whole_chunks, 100), 0);
    let both = plane().roll([1, 2], [0, 1]).unwrap();
    assert_eq!(tasks(&both, 100), 200);
}

#[test]
fn a_pad_takes_tasks_only_at_the_ends() {
    for mode in [
        PadMode::constant(1),
        PadMode::Edge,
        PadMode::Wrap,
        PadMode::Reflect(Reflection::Even),
        PadMode::Symmetric(Reflection::Even),
    ] {
        let padded = line().pad((2, 2), mode.clone()).unwrap();
        let chunks = lengths(&padded, 0);
        assert_eq!((chunks[0], chunks[1], chunks.len()), (12, 10, 100), "{mode:?}");
        assert_eq!(tasks(&padded, 100), 2, "{mode:?}");
    }
    for mode in [PadMode::Reflect(Reflection::Odd), PadMode::linear_ramp(0), PadMode::Maximum(Some(4.into()))] {
        let padded = line().pad((2, 2), mode.clone()).unwrap();
        assert_eq!(lengths(&padded, 0).len(), 100, "{mode:?}");
        assert!(tasks(&padded, 100) <= 12, "{mode:?}: {}", tasks(&padded, 100));
    }
    // What is longer than a sliver has chunks of its own.
    let padded = line().pad((25, 5), PadMode::Edge).unwrap();
    let chunks = lengths(&padded, 0);
    assert!(chunks.iter().all(|&length| length <= 12), "{chunks:?}");
    let around = plane().pad(1, PadMode::constant(0.0)).unwrap();
    assert_eq!(around.numblocks(), [10, 10]);
    assert!(tasks(&around, 100) <= 40);
}

#[test]
fn deleting_and_inserting_leaves_other_blocks_alone() {
    let shorter = line().delete([123, 500], 0).unwrap();
    assert_eq!(shorter.numblocks(), [100]);
    assert_eq!(tasks(&shorter, 100), 2);
    let longer = line().insert([123, 500], 7, 0).unwrap();
    assert_eq!(longer.numblocks(), [100]);
    assert!(tasks(&longer, 100) <= 4, "{}", tasks(&longer, 100));
}

#[test]
fn tiles_of_blocks_are_blocks_and_tiles_of_slivers_are_not() {
    let tiled = line().tile([3]).unwrap();
    assert_eq!(tiled.numblocks(), [300]);
    assert_eq!(tasks(&tiled, 100), 0);
    let small = arange::<i64>(0, 3, 1).unwrap().tile([100_000]).unwrap();
    assert_eq!(small.numblocks(), [1]);
    let repeated = line().repeat(3, 0).unwrap();
    assert_eq!(lengths(&repeated, 0), vec![10; 300]);
    assert_eq!(tasks(&repeated, 100), 300);
}

#[test]
fn windows_and_diagonals_read_what_they_need() {
    let windows = line().sliding_window_view([5], 0).unwrap();
    assert_eq!(windows.numblocks(), [100, 1]);
    assert_eq!(tasks(&windows, 100), 100);
    let diagonal = diag(&plane(), 0).unwrap();
    assert_eq!(diagonal.numblocks(), [10]);
    // The blocks beside the diagonal are culled.
    let session = session();
    assert!(session.plan(&diagonal).unwrap().graph().len() <= 20);
    assert_eq!(diag(&plane(), 3).unwrap().numblocks(), [19]);
    let coarse = line().coarsen(|x, axes| x.sum(axes), &[(0, 4)], false).unwrap();
    assert_eq!(coarse.numblocks(), [100]);
    let coarse = line().coarsen(|x, axes| x.sum(axes), &[(0, 40)], false).unwrap();
    assert_eq!(coarse.numblocks(), [25]);
}

#[test]
fn windows_that_would_be_too_large_are_cut() {
    // 8 MB in one block; all windows together have 8 GB.
    let x = zeros::<f64>([1_000_000]);
    let windows = x.sliding_window_view([1000], 0).unwrap();
    let longest = lengths(&windows, 0).into_iter().max().unwrap();
    assert!(longest * 1000 * 8 <= 128 << 20, "{longest}");
}
