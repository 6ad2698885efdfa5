//! Axes whose lengths are known only when computed: what works, and what says that it cannot.

use std::sync::Arc;

use ndarray::{ArrayD, Axis as NdAxis, IxDyn, Slice, s};
use talatat_graph::{Executor, Key, Plan, PlanOptions, RunContext, Synchronous};

use crate::array::functions::map_blocks::{BlockFunction, each_block};
use crate::array::grid::{Axis, Grid};
use crate::array::{Array, Element, RULES, axis, concatenate, from_ndarray, ones, stack, where_};
use crate::collection::Collection;
use crate::error::Result;
use crate::lower::{Lowering, LoweringOptions};

/// An array of two axes whose first one has an unknown length; arrays of one origin have the same lengths.
fn ragged(origin: &str, rows: &[usize], columns: &[usize]) -> (Array<f64>, ArrayD<f64>) {
    let shape = [rows.iter().sum(), columns.iter().sum()];
    let data = ArrayD::from_shape_fn(IxDyn(&shape), |at| ((at[0] * 7 + at[1] * 3) % 11) as f64 - 4.0);
    let memory = from_ndarray(data.clone(), vec![rows.to_vec(), columns.to_vec()]).unwrap();
    let identity = |_: &crate::array::BlockInfo, blocks: &[&crate::array::kernels::Block]| {
        Ok(smallvec::smallvec![blocks[0].clone()])
    };
    let unknown = Axis::Unknown { origin: Key::of(origin, &[]), chunks: rows.len() };
    let grid = Grid::new([unknown, Axis::from_lengths(columns.iter().copied())]);
    let function = BlockFunction::new(&identity, identity);
    let inputs = vec![memory.expr().unwrap().clone()];
    let at = std::panic::Location::caller();
    (Array::from_expr(each_block(function, f64::DTYPE, grid, inputs, at)), data)
}

fn values<T: Element>(array: &Array<T>, skip: Option<&str>) -> Result<Vec<talatat_graph::Value>> {
    let mut lowering = Lowering::new(LoweringOptions {
        skip_rewrites: skip.map(String::from).into_iter().collect(),
        ..LoweringOptions::default()
    });
    let edges = array.lower(&mut lowering)?;
    let plan = Plan::new(lowering.finish(edges), &PlanOptions::default())?;
    Ok(Synchronous.execute(Arc::new(plan), &RunContext::default())?)
}

/// Computes with all rules, and with each one left out.
#[track_caller]
fn check<T: Element>(array: &Array<T>, expected: &ArrayD<T>) {
    for skip in [None].into_iter().chain(RULES.iter().map(|rule| Some(rule.name))) {
        let found = values(array, skip).and_then(|values| array.gather(values));
        let found = found.unwrap_or_else(|error| panic!("without {skip:?}: {error}\n{array}"));
        assert_eq!(found, *expected, "without {skip:?}: {array}");
    }
}

/// The error that says what the length is and what to do.
#[track_caller]
fn refused<T>(result: Result<T>) {
    let error = result.err().expect("an error").to_string();
    assert!(error.contains("known only when computed") && error.contains("persist"), "{error}");
    assert!(error.contains("unknown.rs:"), "the caller's line: {error}");
}

const ROWS: &[usize] = &[3, 0, 4, 1];

#[test]
fn elementwise() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    let (other, _) = ragged("a", ROWS, &[4, 1]);
    check(&(&x + 1.0), &(&data + 1.0));
    check(&(&x + &other), &(&data + &data));
    check(&(&x * ones::<f64>([5])), &data);
    check(&(&x * ones::<f64>([1, 1])), &data);
    check(&x.t(), &data.t().to_owned());
    check(&(x.t() + other.t()).t(), &(&data + &data));
    check(&x.astype::<i32>(), &data.mapv(|value| value as i32));
    check(&where_(&x.greater(0.0), &x, 0.0), &data.mapv(|value| value.max(0.0)));
    check(&x.expand_dims(1).unwrap(), &data.clone().insert_axis(NdAxis(1)));
    check(&x.map_blocks(|_, block| block.mapv(|value| value * 2.0)).unwrap(), &(&data * 2.0));
    check(&(&x - x.mean(axis(0).keepdims()).unwrap()), &(&data - &data.mean_axis(NdAxis(0)).unwrap()));
}

#[test]
fn reductions() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    check(&x.sum(..).unwrap(), &ndarray::arr0(data.sum()).into_dyn());
    check(&x.sum(0).unwrap(), &data.sum_axis(NdAxis(0)));
    check(&x.sum(1).unwrap(), &data.sum_axis(NdAxis(1)));
    check(&x.mean(0).unwrap(), &data.mean_axis(NdAxis(0)).unwrap());
    check(&x.max(0).unwrap(), &data.fold_axis(NdAxis(0), f64::MIN, |a, b| a.max(*b)));
    check(&x.prod(1).unwrap(), &data.map_axis(NdAxis(1), |row| row.product()));
    let first =
        |row: ndarray::ArrayView1<'_, f64>| (0..5).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64;
    check(&x.argmax(1).unwrap(), &data.map_axis(NdAxis(1), first));
    check(&x.sum(axis(1).keepdims()).unwrap(), &data.sum_axis(NdAxis(1)).insert_axis(NdAxis(1)));
    check(
        &x.greater(0.0).count_nonzero(..).unwrap(),
        &ndarray::arr0(data.iter().filter(|v| **v > 0.0).count() as i64).into_dyn(),
    );
    refused(x.argmax(0));
    refused(x.argmin(..));
    let (none, _) = ragged("none", &[0, 0], &[2]);
    check(&none.sum(0).unwrap(), &ArrayD::zeros(IxDyn(&[2])));
    assert!(values(&none.max(0).unwrap(), None).is_err(), "there is no largest element");
}

#[test]
fn scans_statistics_and_orders() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    let mut sums = data.clone();
    sums.accumulate_axis_inplace(NdAxis(1), |&before, x| *x += before);
    check(&x.cumsum(1).unwrap(), &sums);
    refused(x.cumsum(0));
    let part = |from: usize, to: usize| data.slice_axis(NdAxis(1), Slice::from(from..to)).to_owned();
    check(&x.diff(1, 1).unwrap(), &(part(1, 5) - part(0, 4)));
    refused(x.diff(1, 0));
    let sorted = |row: ndarray::ArrayView1<'_, f64>| {
        let mut row = row.to_vec();
        row.sort_by(f64::total_cmp);
        row
    };
    check(&x.median(1).unwrap(), &data.map_axis(NdAxis(1), |row| sorted(row)[2]));
    refused(x.median(0));
    check(&x.topk(-1, 1).unwrap(), &data.map_axis(NdAxis(1), |row| sorted(row)[0]).insert_axis(NdAxis(1)));
    refused(x.topk(1, 0));
    let ascending = x.sort(1).unwrap();
    check(&ascending.slice(s![.., 4]).unwrap(), &data.map_axis(NdAxis(1), |row| sorted(row)[4]));
    refused(x.sort(0));
    let count = data.iter().filter(|x| (0.0..=2.0).contains(*x)).count() as i64;
    let (counts, _) = x.histogram([0.0, 2.0]).unwrap();
    check(&counts, &ndarray::arr1(&[count]).into_dyn());
    check(&x.histogram(1).unwrap().0, &ndarray::arr1(&[data.len() as i64]).into_dyn());
    let mut different = sorted(ndarray::aview1(data.as_slice().unwrap()));
    different.dedup();
    check(&x.unique().unwrap(), &ndarray::arr1(&different).into_dyn());
    refused(x.unique_all());
    check(&x.union1d(&x).unwrap(), &ndarray::arr1(&different).into_dyn());
    let largest = data.iter().copied().fold(f64::MIN, f64::max);
    check(&x.quantile_sketch(1.0, .., 0.01, false).unwrap(), &ndarray::arr0(largest).into_dyn());
    let most = x.quantile_sketch(1.0, 0, 0.01, false).unwrap();
    check(&most, &data.fold_axis(NdAxis(0), f64::MIN, |a, b| a.max(*b)));
    refused(x.argsort(..));
}

#[test]
fn other_axes_can_be_cut() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    let part = |from: usize, to: usize| data.slice_axis(NdAxis(1), Slice::from(from..to)).to_owned();
    check(&x.slice(s![.., 1..4]).unwrap(), &part(1, 4));
    check(&x.slice(s![.., ..;-2]).unwrap(), &data.slice(s![.., ..;-2]).into_dyn().to_owned());
    check(&(&x + 1.0).slice(s![.., 1..4]).unwrap().slice(s![.., 1..]).unwrap(), &(part(2, 4) + 1.0));
    check(&x.slice(s![.., 3]).unwrap(), &data.index_axis(NdAxis(1), 3).to_owned());
    check(&x.slice(s![.., 2..2]).unwrap(), &part(2, 2));
    check(&x.sum(0).unwrap().slice(s![1..3]).unwrap(), &part(1, 3).sum_axis(NdAxis(0)));
    check(
        &x.sum(axis(0).keepdims()).unwrap().slice(s![.., 1..3]).unwrap(),
        &part(1, 3).sum_axis(NdAxis(0)).insert_axis(NdAxis(0)),
    );
    refused(x.slice(s![1.., ..]));
    refused(x.slice(s![0, ..]));
    refused(x.region(&[0..1, 0..1]));
}

#[test]
fn products_of_matrices() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    let two = |data: &ArrayD<f64>| data.clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    let right = ArrayD::from_shape_fn(IxDyn(&[5, 2]), |at| (at[0] + 2 * at[1]) as f64);
    check(&x.matmul(&from_ndarray(right.clone(), 2).unwrap()).unwrap(), &two(&data).dot(&two(&right)).into_dyn());
    check(&x.t().matmul(&x).unwrap(), &two(&data).t().dot(&two(&data)).into_dyn());
    check(&x.matmul(&x.t()).unwrap(), &two(&data).dot(&two(&data).t()).into_dyn());
    let (other, _) = ragged("b", ROWS, &[2, 3]);
    refused(x.t().matmul(&other));
}

#[test]
fn joined_along_other_axes() {
    let (x, data) = ragged("a", ROWS, &[2, 3]);
    let y = &x * 2.0;
    let both = ndarray::concatenate(NdAxis(1), &[data.view(), (&data * 2.0).view()]).unwrap();
    check(&concatenate(&[x.clone(), y.clone()], 1).unwrap(), &both);
    check(
        &concatenate(&[x.clone(), y.clone()], 1).unwrap().slice(s![.., 3..7]).unwrap(),
        &both.slice(s![.., 3..7]).into_dyn().to_owned(),
    );
    check(
        &stack(&[x.clone(), y.clone()], 0).unwrap(),
        &ndarray::stack(NdAxis(0), &[data.view(), (&data * 2.0).view()]).unwrap(),
    );
    refused(concatenate(&[x.clone(), y.clone()], 0));
    let (other, _) = ragged("b", ROWS, &[2, 3]);
    refused(concatenate(&[x.clone(), other.clone()], 1));
    refused(stack(&[x.clone(), other], 0));
    refused(stack(&[x.clone(), ones([8, 5])], 0));
    refused(stack(&[ones([8, 5]), x], 0));
}

#[test]
fn what_needs_the_length_says_so() {
    let (x, _) = ragged("a", ROWS, &[2, 3]);
    refused(x.shape());
    refused(x.reshape([-1]));
    refused(x.ravel());
    refused(x.rechunk(2));
    refused(x.broadcast_to([2, 8, 5]));
    refused(x.item());
    assert_eq!((x.nbytes(), x.chunks()[0].clone(), x.numblocks()), (None, None, vec![4, 2]));
    assert!(x.to_string().contains("(?, 5)"), "{x}");
}

#[test]
fn lengths_are_equal_by_origin() {
    let ((x, _), (other, _)) = (ragged("a", ROWS, &[2, 3]), ragged("b", ROWS, &[2, 3]));
    refused((&x + &other).check());
    refused((&x + ones::<f64>([8, 5])).check());
    refused((ones::<f64>([8, 1]) + &x).check());
    // Computed blocks say how long they are.
    let persisted = |x: &Array<f64>| x.persisted(values(x, None).unwrap()).unwrap();
    let (a, b) = (persisted(&x), persisted(&other));
    assert_eq!(a.chunks()[0], Some(ROWS.to_vec()));
    let (_, data) = ragged("a", ROWS, &[2, 3]);
    check(&(&a + &b), &(&data * 2.0));
    check(&a.slice(s![2..5, ..]).unwrap(), &data.slice(s![2..5, ..]).into_dyn().to_owned());
    refused((&a + &x).check());
}
