//! Slices, takes and masks through operations of all kinds: what they become.

use insta::assert_snapshot;
use ndarray::s;

use super::{both, opaque};
use crate::array::{Array, arange, concatenate, from_ndarray, open_npy};

/// What all rules make of an array.
fn after(array: &Array<f64>) -> String {
    let text = both(array, "");
    text[text.find("=>").expect("two") + 3..].into()
}

#[test]
fn slices_along_other_axes() {
    let x = opaque([8, 6], [4, 3]);
    let sums = x.cumsum(1).unwrap();
    assert_snapshot!(after(&sums.slice(s![1..3, ..]).unwrap()), @r"
    cumsum along 1: float64 (2, 6) in chunks 2 x (3, 3)
      slice [1..3, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
        map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
          memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
    // Nothing depends on what comes behind.
    assert_snapshot!(after(&sums.slice(s![1..3, 1..3]).unwrap()), @r"
    slice [0..2, 1..3]: float64 (2, 2) in chunks 2 x 2
      cumsum along 1: float64 (2, 3) in chunks 2 x 3
        slice [1..3, 0..3]: float64 (2, 3) in chunks 2 x 3
          map_blocks source: float64 (4, 3) in chunks 4 x 3
            memory: float64 (4, 3) in chunks 4 x 3
    ");
    assert_snapshot!(after(&x.sort(1).unwrap().slice(s![..;2, 2..]).unwrap()), @r"
    slice [0..4, 2..6]: float64 (4, 4) in chunks (1, 1, 1, 1) x 4
      sort: float64 (4, 6) in chunks (1, 1, 1, 1) x 6
        rechunk: float64 (4, 6) in chunks (1, 1, 1, 1) x 6
          slice [4 from 0 by 2, 0..6]: float64 (4, 6) in chunks (2, 2) x (3, 3)
            map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
              memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    assert_snapshot!(after(&x.median(0).unwrap().slice(s![4..]).unwrap()), @r"
    blockwise x0: float64 (2,) in chunks (1, 1)
      median: float64 (1, 2) in chunks 1 x (1, 1)
        rechunk: float64 (8, 2) in chunks 8 x (1, 1)
          slice [0..8, 1..3]: float64 (8, 2) in chunks (4, 4) x 2
            map_blocks source: float64 (8, 3) in chunks (4, 4) x 3
              memory: float64 (8, 3) in chunks (4, 4) x 3
    ");
    assert_snapshot!(after(&x.groupby([0, 1, 0, 1, 0, 1, 0, 1], 0).unwrap().sum().unwrap().slice(s![.., ..2]).unwrap()), @r"
    sum of 2 groups along 0, map and reduce: float64 (2, 2) in chunks 2 x 2
      slice [0..8, 0..2]: float64 (8, 2) in chunks (4, 4) x 2
        map_blocks source: float64 (8, 3) in chunks (4, 4) x 3
          memory: float64 (8, 3) in chunks (4, 4) x 3
    ");
}

#[test]
fn slices_of_products() {
    let x = from_ndarray(ndarray::Array2::<i64>::zeros([8, 6]), [4, 3]).unwrap();
    let rows = x.matmul(&x.t()).unwrap().slice(s![1..3, 5]).unwrap();
    let text = both(&rows, "");
    assert_snapshot!(text[text.find("=>").unwrap() + 3..], @r"
    blockwise x0: int64 (2,) in chunks 2
      matmul int64: int64 (2, 1) in chunks 2 x 1
        memory: int64 (2, 6) in chunks 2 x (3, 3)
        memory: int64 (1, 6) in chunks 1 x (3, 3)
    ");
}

#[test]
fn slices_of_other_places() {
    let x = opaque([8, 6], [4, 3]);
    assert_snapshot!(after(&x.reshape([8, 2, 3]).unwrap().slice(s![1..3, .., 1..]).unwrap()), @r"
    slice [0..2, 0..2, 1..3]: float64 (2, 2, 2) in chunks (1, 1) x 2 x 2
      reshape: float64 (2, 2, 3) in chunks (1, 1) x 2 x 3
        rechunk: float64 (2, 6) in chunks (1, 1) x 6
          slice [1..3, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
            map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
              memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
    assert_snapshot!(after(&x.ravel().unwrap().slice(s![13..17]).unwrap()), @r"
    slice [1..5]: float64 (4,) in chunks 4
      reshape: float64 (6,) in chunks 6
        rechunk: float64 (1, 6) in chunks 1 x 6
          slice [2..3, 0..6]: float64 (1, 6) in chunks 1 x (3, 3)
            map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
              memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
    assert_snapshot!(after(&x.ravel().unwrap().reshape([4, 12]).unwrap().slice(s![1..2, ..]).unwrap()), @r"
    reshape: float64 (1, 12) in chunks 1 x 12
      reshape: float64 (12,) in chunks 12
        rechunk: float64 (2, 6) in chunks 2 x 6
          slice [2..4, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
            map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
              memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
    assert_snapshot!(after(&x.sliding_window_view([3], 0).unwrap().slice(s![..2, 3.., ..;2]).unwrap()), @r"
    strided: float64 (2, 3, 2) in chunks 2 x 3 x 2
      map_blocks source: float64 (4, 3) in chunks 4 x 3
        memory: float64 (4, 3) in chunks 4 x 3
    ");
    assert_snapshot!(after(&x.diagonal(1, 0, 1).unwrap().slice(s![1..3]).unwrap()), @r"
    strided: float64 (2,) in chunks (1, 1)
      slice [1..3, 2..4]: float64 (2, 2) in chunks 2 x (1, 1)
        map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
          memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
    assert_snapshot!(after(&x.take([6, 4, 2], 0).unwrap()), @r"
    gather 1 runs along 0: float64 (3, 6) in chunks 3 x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    assert_snapshot!(after(&x.assign(s![..2, ..], 1.0).unwrap().slice(s![2.., 1..]).unwrap()), @r"
    slice [2..8, 1..6]: float64 (6, 5) in chunks (2, 4) x (2, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
}

#[test]
fn takes_along_other_axes() {
    let x = opaque([8, 6], [4, 3]);
    assert_snapshot!(after(&x.cumsum(1).unwrap().take([5, 2, 2], 0).unwrap()), @r"
    cumsum along 1: float64 (3, 6) in chunks 3 x (3, 3)
      gather 2 runs along 0: float64 (3, 6) in chunks 3 x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    assert_snapshot!(after(&concatenate(&[x.exp(), x.sqrt()], 0).unwrap().take([1, 2, 11], 0).unwrap()), @r"
    rechunk: float64 (3, 6) in chunks 3 x (3, 3)
      concatenate along 0: float64 (3, 6) in chunks (2, 1) x (3, 3)
        blockwise exp(x0): float64 (2, 6) in chunks 2 x (3, 3)
          gather 1 runs along 0: float64 (2, 6) in chunks 2 x (3, 3)
            map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
              memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
        blockwise sqrt(x0): float64 (1, 6) in chunks 1 x (3, 3)
          gather 1 runs along 0: float64 (1, 6) in chunks 1 x (3, 3)
            map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
    ");
    assert_snapshot!(after(&concatenate(&[x.exp(), x.sqrt()], 0).unwrap().take([0, 4], 1).unwrap()), @r"
    concatenate along 0: float64 (16, 2) in chunks (4, 4, 4, 4) x 2
      blockwise exp(x0): float64 (8, 2) in chunks (4, 4) x 2
        gather 2 runs along 1: float64 (8, 2) in chunks (4, 4) x 2
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise sqrt(x0): float64 (8, 2) in chunks (4, 4) x 2
        gather 2 runs along 1: float64 (8, 2) in chunks (4, 4) x 2 (as above)
    ");
}

#[test]
fn takes_are_read_around() {
    let x = arange::<f64>(0.0, 1e6, 1.0).unwrap().reshape([1000, -1]).unwrap();
    assert_snapshot!(after(&x.take([3, 5, 999], 0).unwrap()), @r"
    gather 3 runs along 0: float64 (3, 1000) in chunks 3 x 1000
      reshape: float64 (1000, 1000) in chunks 1000 x 1000
        create add(multiply(float64(index), 1), 0): float64 (1000000,) in chunks 1000000
    ");
    let lines = arange::<f64>(0.0, 1e7, 1.0).unwrap();
    assert_snapshot!(after(&lines.take([3, 5, 9_000_000], 0).unwrap()), @r"
    gather 3 runs along 0: float64 (3,) in chunks 3
      create add(multiply(float64(index), 1), 0): float64 (10000000,) in chunks 5 of at most 8999994
    ");
}

#[test]
fn masks() {
    let x = opaque([8, 6], [4, 3]);
    let lazy = arange::<f64>(0.0, 8.0, 1.0).unwrap().less(3.0);
    // One array behind the elementwise operations: it is masked instead.
    assert_snapshot!(after(&(&x * 2.0).exp().compress(&lazy, 0).unwrap()), @r"
    blockwise exp(multiply(x0, 2)): float64 (?, 6) in chunks 2 unknown x (3, 3)
      compress: float64 (?, 6) in chunks 2 unknown x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
        create less(add(multiply(float64(index), 1), 0), 3): bool (8,) in chunks (4, 4)
    ");
    // What the mask is made of is computed anyway.
    let y = x.exp();
    assert_snapshot!(after(&y.compress(&y.sum(1).unwrap().less(3.0), 0).unwrap()), @r"
    compress: float64 (?, 6) in chunks 2 unknown x (3, 3)
      blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise less(x0, 3): bool (8,) in chunks (4, 4)
        sum over [1]: float64 (8,) in chunks (4, 4)
          blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
    ");
    // It is known that few are kept: a sum of rows is one of those only.
    let known = from_ndarray(ndarray::array![true, false, false, false, false, false, false, true], 4).unwrap();
    assert_snapshot!(after(&x.exp().sum(1).unwrap().compress(&known, 0).unwrap()), @r"
    sum over [1]: float64 (?,) in chunks 2 unknown
      blockwise exp(x0): float64 (?, 6) in chunks 2 unknown x (3, 3)
        compress: float64 (?, 6) in chunks 2 unknown x (3, 3)
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: bool (8,) in chunks (4, 4)
    ");
}

#[test]
fn rechunks_go_to_the_sources() {
    let a = from_ndarray(ndarray::Array2::<f64>::zeros([8, 6]), [4, 3]).unwrap();
    let joined = concatenate(&[&a + 1.0, a.exp()], 0).unwrap().rechunk([4, 6]).unwrap();
    assert_snapshot!(after(&joined), @r"
    concatenate along 0: float64 (16, 6) in chunks (4, 4, 4, 4) x 6
      blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x 6
        memory: float64 (8, 6) in chunks (4, 4) x 6
      blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x 6
        memory: float64 (8, 6) in chunks (4, 4) x 6
    ");
}

#[test]
fn slices_with_steps_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    crate::array::NpyTarget::new(path.to_str().unwrap())
        .unwrap()
        .write(&ndarray::ArrayD::<f64>::zeros(ndarray::IxDyn(&[8, 6])).view())
        .unwrap();
    let x = open_npy::<f64>(path.to_str().unwrap(), (4, -1)).unwrap();
    let text = after(&(x.cumsum(1).unwrap() + 1.0).take([0, 3, 6], 0).unwrap());
    let start = text.find("npy ").unwrap();
    let url = text[start..start + text[start..].find("x.npy").unwrap()].to_owned();
    assert_snapshot!(text.replace(&url, "npy "), @r"
    blockwise add(x0, 1): float64 (3, 6) in chunks 3 x 6
      cumsum along 1: float64 (3, 6) in chunks 3 x 6
        npy x.npy [3 from 0 by 3, 0..6]: float64 (3, 6) in chunks 3 x 6
    ");
}

#[test]
fn a_source_is_read_once() {
    // Random numbers are dear.
    let x = crate::array::uniform(0.0, 1.0, [600, 400], 1).unwrap().rechunk([100, 200]).unwrap();
    let spread = (&x - x.median(0).unwrap()).std(..).unwrap();
    assert_snapshot!(after(&spread), @r"
    std over [0, 1]: float64 () in chunks ()
      blockwise subtract(x0, x1): float64 (600, 400) in chunks 600 x 13 of 33
        create random(index): float64 (600, 400) in chunks 600 x 13 of 33
        median: float64 (1, 400) in chunks 1 x 13 of 33
          create random(index): float64 (600, 400) in chunks 600 x 13 of 33
    ");
    // Of a part of the axes the result is cut as it was promised.
    let spread = (&x - x.median(0).unwrap()).std(0).unwrap();
    assert_snapshot!(after(&spread), @r"
    rechunk: float64 (400,) in chunks (200, 200)
      std over [0]: float64 (400,) in chunks 13 of 33
        blockwise subtract(x0, x1): float64 (600, 400) in chunks 600 x 13 of 33
          create random(index): float64 (600, 400) in chunks 600 x 13 of 33
          median: float64 (1, 400) in chunks 1 x 13 of 33
            create random(index): float64 (600, 400) in chunks 600 x 13 of 33
    ");
    // What is asked for in its own chunks is made in them, and so is what can be.
    let centred = &x - x.median(0).unwrap();
    assert_snapshot!(after(&(&centred / centred.std(..).unwrap())), @r"
    blockwise divide(subtract(x0, x1), x2): float64 (600, 400) in chunks 6 of 100 x (200, 200)
      create random(index): float64 (600, 400) in chunks 6 of 100 x (200, 200)
      rechunk: float64 (400,) in chunks (200, 200)
        blockwise x0: float64 (400,) in chunks 13 of 33
          median: float64 (1, 400) in chunks 1 x 13 of 33
            create random(index): float64 (600, 400) in chunks 600 x 13 of 33
      std over [0, 1]: float64 () in chunks ()
        blockwise subtract(x0, x1): float64 (600, 400) in chunks 6 of 100 x (200, 200)
          create random(index): float64 (600, 400) in chunks 6 of 100 x (200, 200)
          rechunk: float64 (400,) in chunks (200, 200) (as above)
    ");
}

#[test]
fn reductions_do_not_wait_for_other_chunks() {
    let x = crate::array::eye::<f64>(40, 30, 0).rechunk(10).unwrap();
    let x = x.map_blocks::<f64, _>(|_, block| block.to_owned()).unwrap();
    assert_snapshot!(after(&x.rechunk([40, 5]).unwrap().mean(0).unwrap()), @r"
    rechunk: float64 (30,) in chunks 6 of 5
      mean over [0]: float64 (30,) in chunks (10, 10, 10)
        map_blocks reductions_do_not_wait_for_other_chunks: float64 (40, 30) in chunks (10, 10, 10, 10) x (10, 10, 10)
          create float64(equal(index, 0)): float64 (40, 30) in chunks (10, 10, 10, 10) x (10, 10, 10)
    ");
}
