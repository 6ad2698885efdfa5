//! Random arrays: the bits of answers do not depend on chunks, and what defines an answer holds.

use ndarray::{ArrayD, Axis, IxDyn};
use proptest::prelude::*;
use talatat::array::{Array, AxisChunks, Chunks, Element, Method, Side, axis, from_ndarray};
use talatat::{Compute, Session};

use crate::oracle::{all_bits, check, everywhere};

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-40_i32..40).prop_map(|x| f64::from(x) / 4.0),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 5e-324]),
        2 => -1e3..1e3_f64,
    ]
}

fn cut(length: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=length, 0..4).prop_map(move |mut cuts| {
        cuts.extend([0, length]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

fn chunked<T: Element>(array: &ArrayD<T>, cuts: &[Vec<usize>]) -> Array<T> {
    let chunks = Chunks::PerAxis(cuts.iter().cloned().map(AxisChunks::Lengths).collect());
    from_ndarray(array.clone(), chunks).expect("chunks that fit")
}

/// An array of `axes` axes, and two ways to cut it; long enough along the first axis for a few segments of a running sum.
fn arrays(axes: usize, longest: usize) -> impl Strategy<Value = (ArrayD<f64>, Array<f64>, Array<f64>)> {
    (0..longest, prop::collection::vec(1_usize..4, axes - 1)).prop_flat_map(|(first, others)| {
        let shape: Vec<usize> = [first].into_iter().chain(others).collect();
        let count = shape.iter().product::<usize>();
        let cuts = || shape.iter().map(|&length| cut(length)).collect::<Vec<_>>();
        let (a, b) = (cuts(), cuts());
        (prop::collection::vec(float(), count), a, b).prop_map(move |(data, a, b)| {
            let array = ArrayD::from_shape_vec(IxDyn(&shape), data).expect("as many as the shape says");
            let (x, y) = (chunked(&array, &a), chunked(&array, &b));
            (array, x, y)
        })
    })
}

fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 24 };
    ProptestConfig { cases, failure_persistence: None, ..given }
}

/// Both have the same bits, on every executor.
#[track_caller]
fn same<T: Element>(one: &Array<T>, two: &Array<T>) {
    let (one, two) = (everywhere(one), two.compute().unwrap());
    assert_eq!(one.shape(), two.shape());
    assert_eq!(all_bits(&one), all_bits(&two));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn running_sums((array, x, y) in arrays(2, 400), along in 0_usize..2) {
        same(&x.cumsum(along).unwrap(), &y.cumsum(along).unwrap());
        same(&x.nancumprod(along).unwrap(), &y.nancumprod(along).unwrap());
        same(&x.nancumsum(..).unwrap(), &y.nancumsum(..).unwrap());
        // Integers are exact in any order.
        let whole = array.mapv(|x| if x.is_finite() { x as i64 } else { 7 });
        let mut expected = whole.clone();
        expected.accumulate_axis_inplace(Axis(along), |&before, x| *x = x.wrapping_add(before));
        let lazy = x.isfinite();
        check(&talatat::array::where_(&lazy, x.astype::<i64>(), 7_i64).cumsum(along).unwrap(), expected);
    }

    #[test]
    fn differences((array, x, _) in arrays(2, 9), along in 0_usize..2) {
        let n = array.shape()[along];
        let part = |from: usize, to: usize| array.slice_axis(Axis(along), ndarray::Slice::from(from..to)).to_owned();
        let expected = part(n.min(1), n) - part(0, n.saturating_sub(1));
        check(&x.diff(1, along as isize).unwrap(), expected);
        check(&x.diff(0, along as isize).unwrap(), array);
    }

    #[test]
    fn histograms_and_sets((array, x, y) in arrays(2, 40), k in -5_isize..6, along in 0_isize..2) {
        let bins = || talatat::array::bins(7).range(-3.0, 4.5);
        let (counts, edges) = x.histogram(bins()).unwrap();
        let edges = edges.compute().unwrap();
        let inside = |bin: usize| {
            let (low, high) = (edges[[bin]], edges[[bin + 1]]);
            array.iter().filter(|x| **x >= low && (**x < high || (bin == 6 && **x == high))).count() as i64
        };
        check(&counts, ArrayD::from_shape_fn(IxDyn(&[7]), |at| inside(at[0])));
        same(&x.histogram_weighted(bins(), &x).unwrap().0, &y.histogram_weighted(bins(), &y).unwrap().0);
        same(&x.topk(k, along).unwrap(), &y.topk(k, along).unwrap());
        same(&x.argtopk(k, along).unwrap(), &y.argtopk(k, along).unwrap());
        let (one, two) = (x.unique_all().unwrap(), y.unique_all().unwrap());
        same(&one.values, &two.values);
        same(&one.indices, &two.indices);
        same(&one.counts, &two.counts);
        same(&one.inverse, &two.inverse);
        same(&x.unique().unwrap(), &y.unique().unwrap());
        let sorted = one.values.persist().unwrap();
        let cut = sorted.rechunk(3).unwrap();
        same(&sorted.searchsorted(&x, Side::Right).unwrap(), &cut.searchsorted(&y, Side::Right).unwrap());
    }

    #[test]
    fn quantiles((array, x, y) in arrays(2, 60), q in 0.0..=1.0_f64, along in 0_usize..2) {
        let all = [0.0, q, 1.0];
        same(&x.quantile(all, along, Method::Linear).unwrap(), &y.quantile(all, along, Method::Linear).unwrap());
        same(&x.nanmedian(..).unwrap(), &y.nanmedian(..).unwrap());
        // Each order statistic is known to a part of itself.
        let error = 0.01;
        let exact = x.nanquantile(q, along, Method::Lower).unwrap().compute().unwrap();
        let length = array.shape()[along];
        let one = x.quantile_sketch(q, along, error, true).unwrap();
        same(&one, &y.quantile_sketch(q, along, error, true).unwrap());
        same(&x.quantile_sketch(all, .., error, false).unwrap(), &y.quantile_sketch(all, .., error, false).unwrap());
        let lanes = array.lanes(Axis(along));
        for ((near, exact), lane) in one.compute().unwrap().iter().zip(&exact).zip(lanes) {
            let mut sorted: Vec<f64> = lane.iter().copied().filter(|x| !x.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            let Some(last) = sorted.len().checked_sub(1) else {
                prop_assert!(near.is_nan() && exact.is_nan(), "{} {} {}", near, exact, length);
                continue;
            };
            let rank = last as f64 * q;
            let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
            if low.is_finite() && high.is_finite() {
                let room = error * low.abs().max(high.abs()) + 1e-300;
                prop_assert!(*near >= low - room && *near <= high + room, "{} is not between {} and {}", near, low, high);
            }
        }
    }

    #[test]
    fn reductions_of_ones_own((array, x, y) in arrays(2, 30), along in 0_usize..2) {
        let last = |x: &Array<f64>| {
            x.reduction(
                axis(along).keepdims(),
                move |_, block| block.map_axis(Axis(along), |lane| lane.iter().copied().collect::<Vec<f64>>()),
                |a: ArrayD<Vec<f64>>, b| {
                    let mut joined = a;
                    joined.zip_mut_with(&b, |a, b| a.extend(b));
                    joined
                },
                move |lines| lines.mapv(|line| line.iter().rev().fold(0.5, |sum, x| sum * 0.25 + x)).insert_axis(Axis(along)),
            )
        };
        let (one, two) = (last(&x).unwrap(), last(&y).unwrap());
        let expected = array.map_axis(Axis(along), |line| line.iter().rev().fold(0.5, |sum, x| sum * 0.25 + x));
        let local = |session: &Session| session.scope(|| one.compute()).unwrap();
        for session in crate::common::sessions() {
            prop_assert_eq!(all_bits(&local(&session)), all_bits(&expected.clone().insert_axis(Axis(along))));
        }
        prop_assert_eq!(all_bits(&two.compute().unwrap()), all_bits(&one.compute().unwrap()));
    }

    #[test]
    fn sorts((array, x, y) in arrays(2, 120), along in 0_usize..2) {
        // Flat, the runs are cut and merged; along an axis that fits in a chunk they need not be.
        let flat: Vec<f64> = array.iter().copied().collect();
        let mut order: Vec<i64> = (0..flat.len() as i64).collect();
        let rank = |at: i64| (flat[at as usize].is_nan(), flat[at as usize]);
        order.sort_by(|&a, &b| rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal));
        let expected = ArrayD::from_shape_vec(IxDyn(&[flat.len()]), order).unwrap();
        check(&x.argsort(..).unwrap(), expected.clone());
        check(&y.ravel().unwrap().argsort(0).unwrap(), expected.clone());
        check(&x.sort(..).unwrap(), expected.mapv(|at| flat[at as usize]));
        let tiny = || talatat::config::with_chunk_target(64, || x.argsort(along).unwrap());
        same(&tiny(), &y.argsort(along).unwrap());
        let taken = x.take_along_axis(&y.argsort(along).unwrap(), along as isize).unwrap();
        same(&taken, &y.sort(along).unwrap());
    }
}
