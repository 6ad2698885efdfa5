//! The same bits as on one thread.

use ndarray::s;
use talatat::array::{Array, Axes, Boundary, Element, axis, from_ndarray, masked_where, normal, ones, where_};
use talatat::prelude::*;

use crate::common::cluster::cluster;
use crate::here;

/// Elements with all sorts of bits, in blocks of 7 by 5.
fn data(rows: usize, columns: usize) -> Array<f64> {
    let data = ndarray::Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17) % 101) as f64 / 7.0 - 5.0);
    from_ndarray(data, [7, 5]).unwrap()
}

/// Computes on the cluster and on one thread: the bits must be the same.
#[track_caller]
fn same<T: Element>(array: talatat::Result<Array<T>>) {
    let Some(cluster) = cluster() else { return };
    let array = array.unwrap();
    let bits = |found: ndarray::ArrayD<T>| {
        let mut bytes = Vec::new();
        talatat::array::kernels::Block::from_array(found).encode(&mut bytes);
        bytes
    };
    let there = array.compute_on(cluster).unwrap_or_else(|error| panic!("{error}\n{array}"));
    assert_eq!(bits(there), bits(array.compute_on(&here()).unwrap()), "{array}");
}

#[test]
fn elementwise_and_reductions() {
    let x = data(30, 23);
    same(Ok((&x * 2.0 + x.sin()).sqrt()));
    same(Ok(&x + x.slice(s![..23, ..]).unwrap().t().slice(s![..1, ..]).unwrap()));
    let axes: [Axes; 3] = [axis(0), axis(1), axis(..)];
    for axes in axes {
        same(x.sum(axes.clone()));
        same(x.mean(axes.clone()));
        same(x.std(axes.clone()));
        same(x.max(axes));
    }
    same(x.argmax(1));
    same(x.cumsum(0));
    same((&x - x.mean(0).unwrap()).std(..));
}

#[test]
fn other_blocks_other_places() {
    let x = data(30, 23);
    same(x.rechunk([23, 2]));
    same(x.t().rechunk([4, 30]));
    same(x.reshape([23, 30]));
    same(x.slice(s![2..28;3, ..;-1]));
    same(x.take([5, 0, 29, 5], 0));
    same(Ok(where_(&x.greater(0.0), &x, -1.0)));
    same(x.sort(0));
    same(x.roll(3, 0));
}

#[test]
fn matrices_transforms_and_statistics() {
    let x = data(30, 23);
    same(x.matmul(&x.t()));
    let (q, r) = x.rechunk([8, -1]).unwrap().qr().unwrap();
    same(Ok(q));
    same(Ok(r));
    same(x.rechunk([-1, 5]).unwrap().fft(0));
    same(x.median(0));
    same(masked_where(&x.less(0.0), &x).unwrap().mean(0).unwrap().filled(-1.0));
    let (counts, _) = x.histogram(7).unwrap();
    same(Ok(counts));
}

#[test]
fn random_numbers_and_neighbours() {
    let x = normal(0.0, 1.0, [40, 30], 7).unwrap().rechunk([9, 8]).unwrap();
    same(Ok(x.clone()));
    same(x.sum(0));
    let weights = ndarray::arr2(&[[0.1, 0.2, 0.1], [0.0, 0.5, 0.3]]).into_dyn();
    same(x.correlate_nd(&weights, Boundary::Reflect));
    same(x.diff(2, 0));
}

#[test]
fn several_at_once() {
    let Some(cluster) = cluster() else { return };
    let x = data(30, 23);
    let all = (x.sum(0).unwrap(), x.max(..).unwrap().item().unwrap(), vec![&x + 1.0, x.t()]);
    let there = talatat::compute_all_on(cluster, all.clone()).unwrap();
    assert_eq!(there, talatat::compute_all_on(&here(), all).unwrap());
    // In the background, while something else is computed.
    let future = cluster.submit_compute(&x.sum(..).unwrap()).unwrap();
    let now = ones::<f64>([10]).sum(..).unwrap().item().unwrap().compute_on(cluster).unwrap();
    assert_eq!((now, future.result().unwrap()), (10.0, x.sum(..).unwrap().compute_on(&here()).unwrap()));
}
