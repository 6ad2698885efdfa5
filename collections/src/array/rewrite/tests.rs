//! Snapshots of the rules: an expression before and after.

use insta::assert_snapshot;
use ndarray::s;

use super::{RULES, rewrite, rewrite_all};
use crate::array::{Array, Element, arange, concatenate, from_ndarray, map_blocks, open_npy};

mod passing;

/// The expression, and what one rule (or all, for `""`) makes of it.
fn both<T: Element>(array: &Array<T>, rule: &str) -> String {
    let expr = array.expr().expect("an array");
    let skip: Vec<String> =
        RULES.iter().map(|other| other.name.to_owned()).filter(|name| !rule.is_empty() && name != rule).collect();
    format!("{}=>\n{}", expr.describe(), rewrite(expr, &skip).describe())
}

/// An array that no rule can look into.
fn opaque(shape: [usize; 2], chunks: [usize; 2]) -> Array<f64> {
    fn source(_: &crate::array::BlockInfo, blocks: &[ndarray::ArrayViewD<'_, f64>]) -> ndarray::ArrayD<f64> {
        blocks[0].to_owned()
    }
    let memory = from_ndarray(ndarray::Array2::<f64>::zeros(shape), chunks).expect("chunks that fit");
    let lengths = memory.chunks().into_iter().flatten().collect();
    map_blocks(&[&memory], lengths, source).expect("as many blocks")
}

#[test]
fn slice_through_elementwise() {
    let x = opaque([8, 6], [4, 3]);
    let y = ((&x + 1.0) * x.t().slice(s![..1, ..]).unwrap().t()).slice(s![2..5, ..;2]).unwrap();
    assert_snapshot!(both(&y, "slice"), @r"
    slice [2..5, 3 from 0 by 2]: float64 (3, 3) in chunks (2, 1) x (2, 1)
      blockwise multiply(x0, x1): float64 (8, 6) in chunks (4, 4) x (3, 3)
        blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x (3, 3)
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
        blockwise x0: float64 (8, 1) in chunks (4, 4) x 1
          slice [0..1, 0..8]: float64 (1, 8) in chunks 1 x (4, 4)
            blockwise x0: float64 (6, 8) in chunks (3, 3) x (4, 4)
              map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
    =>
    blockwise multiply(x0, x1): float64 (3, 3) in chunks (2, 1) x (2, 1)
      blockwise add(x0, 1): float64 (3, 3) in chunks (2, 1) x (2, 1)
        slice [2..5, 3 from 0 by 2]: float64 (3, 3) in chunks (2, 1) x (2, 1)
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise x0: float64 (3, 1) in chunks (2, 1) x 1
        blockwise x0: float64 (1, 3) in chunks 1 x (2, 1)
          slice [2..5, 0..1]: float64 (3, 1) in chunks (2, 1) x 1
            map_blocks source: float64 (8, 3) in chunks (4, 4) x 3
              memory: float64 (8, 3) in chunks (4, 4) x 3
    ");
}

#[test]
fn slice_through_reductions() {
    let x = opaque([8, 6], [4, 3]);
    assert_snapshot!(both(&x.sum(0).unwrap().slice(s![1..3]).unwrap(), "slice"), @r"
    slice [1..3]: float64 (2,) in chunks 2
      sum over [0]: float64 (6,) in chunks (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    sum over [0]: float64 (2,) in chunks 2
      slice [0..8, 1..3]: float64 (8, 2) in chunks (4, 4) x 2
        map_blocks source: float64 (8, 3) in chunks (4, 4) x 3
          memory: float64 (8, 3) in chunks (4, 4) x 3
    ");
    assert_snapshot!(both(&x.mean(crate::array::axis(1).keepdims()).unwrap().slice(s![..2, ..]).unwrap(), "slice"), @r"
    slice [0..2, 0..1]: float64 (2, 1) in chunks 2 x 1
      mean over [1], keepdims: float64 (8, 1) in chunks (4, 4) x 1
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    mean over [1], keepdims: float64 (2, 1) in chunks 2 x 1
      slice [0..2, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
        map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
          memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
}

#[test]
fn slice_through_rechunk() {
    let x = opaque([8, 6], [4, 3]).rechunk([2, 6]).unwrap().slice(s![..3, 1]).unwrap();
    assert_snapshot!(both(&x, "slice"), @r"
    blockwise x0: float64 (3,) in chunks (2, 1)
      slice [0..3, 1..2]: float64 (3, 1) in chunks (2, 1) x 1
        rechunk: float64 (8, 6) in chunks (2, 2, 2, 2) x 6
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    blockwise x0: float64 (3,) in chunks (2, 1)
      rechunk: float64 (3, 1) in chunks (2, 1) x 1
        slice [0..3, 1..2]: float64 (3, 1) in chunks 3 x 1
          map_blocks source: float64 (4, 3) in chunks 4 x 3
            memory: float64 (4, 3) in chunks 4 x 3
    ");
}

#[test]
fn slice_through_concatenate() {
    let x = concatenate(&[opaque([4, 2], [2, 2]), opaque([3, 2], [2, 2]), opaque([5, 2], [2, 2])], 0).unwrap();
    assert_snapshot!(both(&x.slice(s![3..6, ..]).unwrap(), "slice"), @r"
    slice [3..6, 0..2]: float64 (3, 2) in chunks (1, 2) x 2
      concatenate along 0: float64 (12, 2) in chunks 7 of at most 2 x 2
        map_blocks source: float64 (4, 2) in chunks (2, 2) x 2
          memory: float64 (4, 2) in chunks (2, 2) x 2
        map_blocks source: float64 (3, 2) in chunks (2, 1) x 2
          memory: float64 (3, 2) in chunks (2, 1) x 2
        map_blocks source: float64 (5, 2) in chunks (2, 2, 1) x 2
          memory: float64 (5, 2) in chunks (2, 2, 1) x 2
    =>
    concatenate along 0: float64 (3, 2) in chunks (1, 2) x 2
      slice [1..2, 0..2]: float64 (1, 2) in chunks 1 x 2
        map_blocks source: float64 (2, 2) in chunks 2 x 2
          memory: float64 (2, 2) in chunks 2 x 2
      map_blocks source: float64 (2, 2) in chunks 2 x 2
        memory: float64 (2, 2) in chunks 2 x 2
    ");
    assert_snapshot!(both(&x.slice(s![4..7;2, 1..]).unwrap(), "slice"), @r"
    slice [2 from 4 by 2, 1..2]: float64 (2, 1) in chunks (1, 1) x 1
      concatenate along 0: float64 (12, 2) in chunks 7 of at most 2 x 2
        map_blocks source: float64 (4, 2) in chunks (2, 2) x 2
          memory: float64 (4, 2) in chunks (2, 2) x 2
        map_blocks source: float64 (3, 2) in chunks (2, 1) x 2
          memory: float64 (3, 2) in chunks (2, 1) x 2
        map_blocks source: float64 (5, 2) in chunks (2, 2, 1) x 2
          memory: float64 (5, 2) in chunks (2, 2, 1) x 2
    =>
    slice [2 from 0 by 2, 1..2]: float64 (2, 1) in chunks (1, 1) x 1
      map_blocks source: float64 (3, 2) in chunks (2, 1) x 2
        memory: float64 (3, 2) in chunks (2, 1) x 2
    ");
}

#[test]
fn slice_of_slice() {
    let x = opaque([8, 6], [4, 3]).slice(s![1..7, ..;-1]).unwrap().slice(s![..;2, 2..]).unwrap();
    assert_snapshot!(both(&x, "slice"), @r"
    slice [3 from 0 by 2, 2..6]: float64 (3, 4) in chunks (2, 1) x (1, 3)
      slice [1..7, 6 from 5 by -1]: float64 (6, 6) in chunks (3, 3) x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    slice [3 from 1 by 2, 4 from 3 by -1]: float64 (3, 4) in chunks (2, 1) x (1, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
}

#[test]
fn slice_into_memory() {
    let x = from_ndarray(ndarray::Array2::<f64>::zeros([8, 6]), [4, 3]).unwrap();
    assert_snapshot!(both(&x.slice(s![2..5, ..;-1]).unwrap(), "slice"), @r"
    slice [2..5, 6 from 5 by -1]: float64 (3, 6) in chunks (2, 1) x (3, 3)
      memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    memory: float64 (3, 6) in chunks (2, 1) x (3, 3)
    ");
    assert_snapshot!(both(&x.rechunk([8, 2]).unwrap().slice(s![2..5, 1..]).unwrap(), "slice"), @r"
    slice [2..5, 1..6]: float64 (3, 5) in chunks 3 x (1, 2, 2)
      rechunk: float64 (8, 6) in chunks 8 x (2, 2, 2)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    memory: float64 (3, 5) in chunks 3 x (1, 2, 2)
    ");
}

#[test]
fn slice_into_arange() {
    let x = arange::<i64>(0, 100, 1).unwrap().rechunk(10).unwrap();
    assert_snapshot!(both(&x.slice(s![5..30;2]).unwrap(), "slice"), @r"
    slice [13 from 5 by 2]: int64 (13,) in chunks (3, 5, 5)
      rechunk: int64 (100,) in chunks 10 of 10
        create add(multiply(index, 1), 0): int64 (100,) in chunks 100
    =>
    create add(multiply(index, 1), 0): int64 (13,) in chunks (3, 5, 5)
    ");
    // However many chunks are asked for on the way, and where a view lies between.
    let y = x.rechunk(7).unwrap().expand_dims(0).unwrap().rechunk([1, 4]).unwrap();
    assert_snapshot!(both(&y.slice(s![0, ..10]).unwrap(), ""), @r"
    blockwise x0: int64 (10,) in chunks (4, 4, 2)
      slice [0..1, 0..10]: int64 (1, 10) in chunks 1 x (4, 4, 2)
        rechunk: int64 (1, 100) in chunks 1 x 25 of 4
          blockwise x0: int64 (1, 100) in chunks 1 x 15 of 7
            rechunk: int64 (100,) in chunks 15 of 7
              rechunk: int64 (100,) in chunks 10 of 10
                create add(multiply(index, 1), 0): int64 (100,) in chunks 100
    =>
    create add(multiply(index, 1), 0): int64 (10,) in chunks (4, 4, 2)
    ");
}

#[test]
fn slice_into_npy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    // `NUMPY`, version 1.0, 118 bytes of header.
    let header = format!("{:<117}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 6), }");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + 4 * 6 * 8, 0);
    std::fs::write(&path, bytes).unwrap();
    let x = open_npy::<f64>(path.to_str().unwrap(), (2, -1)).unwrap();
    let text = both(&x.slice(s![1..3, 2..]).unwrap(), "slice")
        + &both(&x.slice(s![1.., ..;-2]).unwrap().slice(s![..;-2, 1]).unwrap(), "slice");
    let start = text.find("npy ").unwrap();
    let url = &text[start..start + text[start..].find("x.npy").unwrap()];
    assert_snapshot!(text.replace(url, "npy "), @r"
    slice [1..3, 2..6]: float64 (2, 4) in chunks (1, 1) x 4
      npy x.npy: float64 (4, 6) in chunks (2, 2) x 6
    =>
    npy x.npy [1..3, 2..6]: float64 (2, 4) in chunks (1, 1) x 4
    blockwise x0: float64 (2,) in chunks (1, 1)
      slice [2 from 2 by -2, 1..2]: float64 (2, 1) in chunks (1, 1) x 1
        slice [1..4, 3 from 5 by -2]: float64 (3, 3) in chunks (1, 2) x 3
          npy x.npy: float64 (4, 6) in chunks (2, 2) x 6
    =>
    blockwise x0: float64 (2,) in chunks (1, 1)
      npy x.npy [2 from 3 by -2, 3..4]: float64 (2, 1) in chunks (1, 1) x 1
    ");
}

#[test]
fn rechunks_merge() {
    let x = opaque([8, 6], [4, 3]);
    let y = x.rechunk([2, 6]).unwrap().rechunk([8, 1]).unwrap();
    assert_snapshot!(both(&y, "rechunk"), @r"
    rechunk: float64 (8, 6) in chunks 8 x 6 of 1
      rechunk: float64 (8, 6) in chunks (2, 2, 2, 2) x 6
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    rechunk: float64 (8, 6) in chunks 8 x 6 of 1
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    assert_snapshot!(both(&y.rechunk([4, 3]).unwrap(), "rechunk"), @r"
    rechunk: float64 (8, 6) in chunks (4, 4) x (3, 3)
      rechunk: float64 (8, 6) in chunks 8 x 6 of 1
        rechunk: float64 (8, 6) in chunks (2, 2, 2, 2) x 6
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
      memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    let memory = from_ndarray(ndarray::Array2::<f64>::zeros([8, 6]), [4, 3]).unwrap();
    assert_snapshot!(both(&(&memory + 1.0).rechunk([8, 1]).unwrap(), "rechunk"), @r"
    rechunk: float64 (8, 6) in chunks 8 x 6 of 1
      blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    blockwise add(x0, 1): float64 (8, 6) in chunks 8 x 6 of 1
      memory: float64 (8, 6) in chunks 8 x 6 of 1
    ");
}

#[test]
fn fusion_with_a_transpose_and_a_mean() {
    let x = opaque([6, 6], [3, 3]);
    let y = &x + x.t() - x.mean(0).unwrap();
    assert_snapshot!(both(&y, "blockwise"), @r"
    blockwise subtract(x0, x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
      blockwise add(x0, x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
          memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
        blockwise x0: float64 (6, 6) in chunks (3, 3) x (3, 3)
          map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
      mean over [0]: float64 (6,) in chunks (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    =>
    blockwise subtract(add(x0, x1), x2): float64 (6, 6) in chunks (3, 3) x (3, 3)
      map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
        memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
      map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
      mean over [0]: float64 (6,) in chunks (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    ");
}

#[test]
fn fusion_of_the_wind() {
    let (u, v) = (opaque([8, 6], [4, 3]), opaque([8, 6], [4, 3]) + 1.0);
    assert_snapshot!(both(&(&u * &u + &v * &v).sqrt(), "blockwise"), @r"
    blockwise sqrt(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise add(x0, x1): float64 (8, 6) in chunks (4, 4) x (3, 3)
        blockwise multiply(x0, x1): float64 (8, 6) in chunks (4, 4) x (3, 3)
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
            memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
          map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
        blockwise multiply(x0, x1): float64 (8, 6) in chunks (4, 4) x (3, 3)
          blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x (3, 3)
            map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
          blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x (3, 3) (as above)
    =>
    blockwise 6 operations of 1 inputs: float64 (8, 6) in chunks (4, 4) x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
}

#[test]
fn what_is_read_twice_and_dear_stays() {
    let x = opaque([6, 6], [3, 3]).exp();
    let y = &x - x.mean(0).unwrap();
    assert_snapshot!(both(&y, "blockwise"), @r"
    blockwise subtract(x0, x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
      blockwise exp(x0): float64 (6, 6) in chunks (3, 3) x (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
          memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
      mean over [0]: float64 (6,) in chunks (3, 3)
        blockwise exp(x0): float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    =>
    blockwise subtract(x0, x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
      blockwise exp(x0): float64 (6, 6) in chunks (3, 3) x (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
          memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
      mean over [0]: float64 (6,) in chunks (3, 3)
        blockwise exp(x0): float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    ");
    // What is read twice and cheap is computed twice.
    let x = opaque([6, 6], [3, 3]) + 1.0;
    let y = &x - x.mean(0).unwrap();
    assert_snapshot!(both(&y, "blockwise"), @r"
    blockwise subtract(x0, x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
      blockwise add(x0, 1): float64 (6, 6) in chunks (3, 3) x (3, 3)
        map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
          memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
      mean over [0]: float64 (6,) in chunks (3, 3)
        blockwise add(x0, 1): float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    =>
    blockwise subtract(add(x0, 1), x1): float64 (6, 6) in chunks (3, 3) x (3, 3)
      map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3)
        memory: float64 (6, 6) in chunks (3, 3) x (3, 3)
      mean over [0]: float64 (6,) in chunks (3, 3)
        blockwise add(x0, 1): float64 (6, 6) in chunks (3, 3) x (3, 3)
          map_blocks source: float64 (6, 6) in chunks (3, 3) x (3, 3) (as above)
    ");
}

#[test]
fn all_rules() {
    let x = opaque([8, 6], [4, 3]);
    let y = (&x.rechunk([2, 3]).unwrap() * 2.0 + 1.0).slice(s![..2, ..]).unwrap();
    assert_snapshot!(both(&y, ""), @r"
    slice [0..2, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
      blockwise add(x0, 1): float64 (8, 6) in chunks (2, 2, 2, 2) x (3, 3)
        blockwise multiply(x0, 2): float64 (8, 6) in chunks (2, 2, 2, 2) x (3, 3)
          rechunk: float64 (8, 6) in chunks (2, 2, 2, 2) x (3, 3)
            map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
              memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    =>
    blockwise add(multiply(x0, 2), 1): float64 (2, 6) in chunks 2 x (3, 3)
      slice [0..2, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
        map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
          memory: float64 (4, 6) in chunks 4 x (3, 3)
    ");
}

#[test]
fn several_results_are_rewritten_together() {
    fn all(arrays: &[&Array<f64>]) -> String {
        let roots: Vec<_> = arrays.iter().map(|array| array.expr().expect("an array").clone()).collect();
        rewrite_all(&roots, &[]).iter().map(|root| root.describe()).collect()
    }
    let x = opaque([8, 6], [4, 3]);
    // What is dear is made once for both.
    let dear = x.exp();
    assert_snapshot!(all(&[&(&dear + 1.0), &(&dear * 2.0)]), @r"
    blockwise add(x0, 1): float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    blockwise multiply(x0, 2): float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    // What is cheap goes into each of them.
    let cheap = &x + 1.0;
    assert_snapshot!(all(&[&(&cheap + 1.0), &cheap.sqrt()]), @r"
    blockwise add(add(x0, 1), 1): float64 (8, 6) in chunks (4, 4) x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    blockwise sqrt(add(x0, 1)): float64 (8, 6) in chunks (4, 4) x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    // A result that another one reads stays a result.
    assert_snapshot!(all(&[&dear, &(&dear * 2.0), &dear]), @r"
    blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    blockwise multiply(x0, 2): float64 (8, 6) in chunks (4, 4) x (3, 3)
      blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
        map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
          memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    blockwise exp(x0): float64 (8, 6) in chunks (4, 4) x (3, 3)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
    // A slice goes to the source, whatever the others read.
    assert_snapshot!(all(&[&dear.slice(s![..2, ..]).unwrap(), &dear.t()]), @r"
    blockwise exp(x0): float64 (2, 6) in chunks 2 x (3, 3)
      slice [0..2, 0..6]: float64 (2, 6) in chunks 2 x (3, 3)
        map_blocks source: float64 (4, 6) in chunks 4 x (3, 3)
          memory: float64 (4, 6) in chunks 4 x (3, 3)
    blockwise exp(x0): float64 (6, 8) in chunks (3, 3) x (4, 4)
      map_blocks source: float64 (8, 6) in chunks (4, 4) x (3, 3)
        memory: float64 (8, 6) in chunks (4, 4) x (3, 3)
    ");
}
