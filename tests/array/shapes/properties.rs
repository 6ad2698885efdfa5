//! Random arrays against eager `ndarray`.

use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice};
use proptest::prelude::*;
use talatat::array::{Array, AxisChunks, Chunks, PadMode, Reflection, from_ndarray};

use crate::oracle::check;

fn lengths(length: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=length, 0..4).prop_map(move |mut cuts| {
        cuts.extend([0, length]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

/// An array of up to three axes, whose elements are all different, and how it is cut.
pub fn array() -> impl Strategy<Value = (ArrayD<i64>, Array<i64>)> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 1 => Just(1_usize), 6 => 2_usize..8], 1..4).prop_flat_map(
        |shape| {
            let cuts: Vec<_> = shape.iter().map(|&length| lengths(length)).collect();
            cuts.prop_map(move |cuts| {
                let count: usize = shape.iter().product();
                let data = ArrayD::from_shape_vec(IxDyn(&shape), (0..count as i64).collect()).unwrap();
                let chunks = Chunks::PerAxis(cuts.into_iter().map(AxisChunks::Lengths).collect());
                let lazy = from_ndarray(data.clone(), chunks).unwrap();
                (data, lazy)
            })
        },
    )
}

/// The indices along an axis, one after the other; -1 for a fill.
fn pick(data: &ArrayD<i64>, axis: usize, indices: &[isize]) -> ArrayD<i64> {
    let mut shape = data.shape().to_vec();
    shape[axis] = indices.len();
    ArrayD::from_shape_fn(IxDyn(&shape), |at| {
        let mut from: Vec<usize> = at.as_array_view().to_vec();
        match usize::try_from(indices[from[axis]]) {
            Ok(index) => {
                from[axis] = index;
                data[IxDyn(&from)]
            }
            Err(_) => -1,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rolls((data, x) in array(), shift in -20_isize..20, axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis] as isize;
        let indices: Vec<isize> = (0..n).map(|at| (at - shift).rem_euclid(n)).collect();
        check(&x.roll(shift, axis).unwrap(), pick(&data, axis, &indices));
    }

    #[test]
    fn rolls_of_slices_of_rolls((data, x) in array(), shift in -20_isize..20) {
        let n = data.shape()[0] as isize;
        let indices: Vec<isize> = (0..n).map(|at| (at - shift).rem_euclid(n)).collect();
        let half = n / 2;
        let ranges: Vec<std::ops::Range<usize>> =
            data.shape().iter().enumerate().map(|(axis, &length)| if axis == 0 { half as usize..length } else { 0..length }).collect();
        let mine = x.roll(shift, 0).unwrap().region(&ranges).unwrap().flip(0).unwrap();
        let mut expected = pick(&data, 0, &indices);
        expected.slice_axis_inplace(Axis(0), Slice::new(half, None, -1));
        check(&mine, expected);
    }

    #[test]
    fn pads((data, x) in array(), before in 0_usize..9, after in 0_usize..9, axis in 0_usize..3, mode in 0_usize..5) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis] as isize;
        prop_assume!(n > 0 || mode == 0);
        let reflected = |at: isize, period: isize| if at.rem_euclid(period) < n { at.rem_euclid(period) } else { 2 * (n - 1) - at.rem_euclid(period) };
        let mirrored = |at: isize| if at.rem_euclid(2 * n) < n { at.rem_euclid(2 * n) } else { 2 * n - 1 - at.rem_euclid(2 * n) };
        let index = |at: isize| match mode {
            0 => if (0..n).contains(&at) { at } else { -1 },
            1 => at.clamp(0, n - 1),
            2 => at.rem_euclid(n),
            3 if n == 1 => 0,
            3 => reflected(at, 2 * (n - 1)),
            _ => mirrored(at),
        };
        let indices: Vec<isize> = (-(before as isize)..n + after as isize).map(index).collect();
        let mode = [PadMode::constant(-1), PadMode::Edge, PadMode::Wrap, PadMode::Reflect(Reflection::Even), PadMode::Symmetric(Reflection::Even)][mode].clone();
        let mut widths = vec![(0, 0); data.ndim()];
        widths[axis] = (before, after);
        check(&x.pad(widths, mode).unwrap(), pick(&data, axis, &indices));
    }

    #[test]
    fn repeats_and_tiles((data, x) in array(), times in 0_usize..4, axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis];
        let each: Vec<isize> = (0..n * times).map(|at| (at / times) as isize).collect();
        check(&x.repeat(times, axis).unwrap(), pick(&data, axis, &each));
        let all: Vec<isize> = (0..n * times).map(|at| (at % n) as isize).collect();
        let mut reps = vec![1; data.ndim()];
        reps[axis] = times;
        check(&x.tile(reps).unwrap(), pick(&data, axis, &all));
    }

    #[test]
    fn deletes_and_inserts((data, x) in array(), places in prop::collection::vec(0_usize..8, 0..5), axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis];
        let places: Vec<usize> = places.into_iter().map(|place| place % n.max(1)).collect();
        if n > 0 {
            let kept: Vec<isize> = (0..n).filter(|index| !places.contains(index)).map(|index| index as isize).collect();
            let lost: Vec<isize> = places.iter().map(|&place| place as isize).collect();
            check(&x.delete(lost, axis).unwrap(), pick(&data, axis, &kept));
        }
        let mut order: Vec<isize> = Vec::new();
        for index in 0..=n {
            order.extend(places.iter().filter(|&&place| place == index).map(|_| -1));
            order.extend((index < n).then_some(index as isize));
        }
        let places: Vec<isize> = places.iter().map(|&place| place as isize).collect();
        check(&x.insert(places, -1, axis).unwrap(), pick(&data, axis, &order));
    }

    #[test]
    fn windows((data, x) in array(), window in 1_usize..5, axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis];
        prop_assume!(window <= n);
        let mut shape = data.shape().to_vec();
        shape[axis] = n + 1 - window;
        shape.push(window);
        let expected = ArrayD::from_shape_fn(IxDyn(&shape), |at| {
            let mut from = at.as_array_view().to_vec();
            let within = from.pop().unwrap();
            from[axis] += within;
            data[IxDyn(&from)]
        });
        check(&x.sliding_window_view([window], axis).unwrap(), expected);
        let mut sums = data.clone();
        sums.slice_axis_inplace(Axis(axis), Slice::from(0..(n / window * window) as isize));
        let parts: Vec<ArrayD<i64>> = (0..n / window)
            .map(|part| sums.slice_axis(Axis(axis), Slice::from((part * window) as isize..((part + 1) * window) as isize)).sum_axis(Axis(axis)))
            .collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let expected = ndarray::stack(Axis(axis), &views).unwrap();
        check(&x.coarsen(|x, axes| x.sum(axes), &[(axis as isize, window)], true).unwrap(), expected);
    }

    #[test]
    fn diagonals((data, x) in array(), k in -6_isize..6) {
        prop_assume!(data.ndim() == 3);
        let [a, _, c] = [data.shape()[0], data.shape()[1], data.shape()[2]];
        let (i, j) = ((-k).max(0) as usize, k.max(0) as usize);
        let length = a.saturating_sub(i).min(c.saturating_sub(j));
        let expected = ArrayD::from_shape_fn(IxDyn(&[data.shape()[1], length]), |at| data[[i + at[1], at[0], j + at[1]]]);
        check(&x.diagonal(k, 0, 2).unwrap(), expected);
    }
}
