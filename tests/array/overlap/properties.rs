//! Random arrays, borders and chunks against eager `ndarray`.

use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice};
use proptest::prelude::*;
use talatat::array::{Array, AxisChunks, Boundary, Chunks, from_ndarray, map_overlap};

use crate::oracle::{check, check_local};

fn lengths(length: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=length, 0..4).prop_map(move |mut cuts| {
        cuts.extend([0, length]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

fn array() -> impl Strategy<Value = (ArrayD<i64>, Array<i64>)> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 1 => Just(1_usize), 6 => 2_usize..8], 1..4).prop_flat_map(
        |shape| {
            let cuts: Vec<_> = shape.iter().map(|&length| lengths(length)).collect();
            cuts.prop_map(move |cuts| {
                let count: usize = shape.iter().product();
                let data =
                    ArrayD::from_shape_vec(IxDyn(&shape), (0..count as i64).map(|k| k * k + 1).collect()).unwrap();
                let chunks = Chunks::PerAxis(cuts.into_iter().map(AxisChunks::Lengths).collect());
                let lazy = from_ndarray(data.clone(), chunks).unwrap();
                (data, lazy)
            })
        },
    )
}

fn boundary() -> impl Strategy<Value = Boundary<i64>> {
    prop::sample::select(vec![
        Boundary::None,
        Boundary::Reflect,
        Boundary::Mirror,
        Boundary::Nearest,
        Boundary::Periodic,
        Boundary::Constant(-7),
        Boundary::Constant(3),
    ])
}

/// Where a position of a line of `n` elements is found, or what is there instead; nothing if nothing is.
fn place(at: isize, n: isize, boundary: Boundary<i64>) -> Option<Result<usize, i64>> {
    let index = match boundary {
        _ if (0..n).contains(&at) => at,
        Boundary::None => return None,
        Boundary::Constant(value) => return Some(Err(value)),
        Boundary::Nearest => at.clamp(0, n - 1),
        Boundary::Periodic => at.rem_euclid(n),
        Boundary::Mirror if n == 1 => 0,
        Boundary::Mirror => (n - 1) - ((n - 1) - at.rem_euclid(2 * (n - 1))).abs(),
        Boundary::Reflect => {
            let at = at.rem_euclid(2 * n);
            if at < n { at } else { 2 * n - 1 - at }
        }
    };
    Some(Ok(index as usize))
}

/// The array with its border; where there is none, zeros.
fn bordered(data: &ArrayD<i64>, depth: &[(usize, usize)], boundaries: &[Boundary<i64>]) -> ArrayD<i64> {
    let mut array = data.clone();
    for (axis, (&(before, after), &boundary)) in depth.iter().zip(boundaries).enumerate() {
        let n = array.shape()[axis] as isize;
        if n == 0 {
            return array;
        }
        let mut shape = array.shape().to_vec();
        shape[axis] += before + after;
        array = ArrayD::from_shape_fn(IxDyn(&shape), |index| {
            let mut index = index.as_array_view().to_vec();
            match place(index[axis] as isize - before as isize, n, boundary) {
                None => 0,
                Some(Err(value)) => value,
                Some(Ok(at)) => {
                    index[axis] = at;
                    array[IxDyn(&index)]
                }
            }
        });
    }
    array
}

/// Sums of the elements around each one, times the weights.
fn weighed(bordered: &ArrayD<i64>, weights: &ArrayD<i64>, shape: &[usize]) -> ArrayD<i64> {
    let mut sum = ArrayD::zeros(IxDyn(shape));
    if sum.is_empty() {
        return sum;
    }
    for (offset, weight) in weights.indexed_iter() {
        let part = bordered.slice_each_axis(|axis| {
            let axis = axis.axis.index();
            Slice::from(offset[axis] as isize..(offset[axis] + shape[axis]) as isize)
        });
        sum.scaled_add(*weight, &part);
    }
    sum
}

fn depths(ndim: usize, depth: &[(usize, usize)]) -> Vec<(usize, usize)> {
    depth[..ndim].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn functions_see_their_neighbours(
        (data, x) in array(),
        depth in prop::collection::vec((0_usize..5, 0_usize..5), 3),
        boundaries in prop::collection::vec(boundary(), 3),
        trimmed in any::<bool>(),
    ) {
        let ndim = data.ndim();
        prop_assume!(data.shape().iter().all(|&length| length > 0));
        let (depth, boundaries) = (depths(ndim, &depth), boundaries[..ndim].to_vec());
        let whole = bordered(&data, &depth, &boundaries);
        // The function checks all that it sees, and gives the block as it was.
        let (seen, wide, ends, shape) = (whole.clone(), depth.clone(), boundaries.clone(), data.shape().to_vec());
        let y = x.map_overlap(depth.clone(), boundaries.clone(), move |info, block| {
            let part = seen.slice_each_axis(|axis| {
                let axis = axis.axis.index();
                let (before, after) = wide[axis];
                let (mut start, mut end) = (info.origin[axis], info.origin[axis] + info.shape[axis] + before + after);
                if ends[axis] == Boundary::None {
                    (start, end) = (start.max(before), end.min(shape[axis] + before));
                }
                Slice::from(start as isize..end as isize)
            });
            assert_eq!(part, block);
            let core = |axis: usize| {
                let before = match ends[axis] {
                    Boundary::None => wide[axis].0.min(info.origin[axis]),
                    _ => wide[axis].0,
                };
                Slice::from(before as isize..(before + info.shape[axis]) as isize)
            };
            if trimmed { block.slice_each_axis(|axis| core(axis.axis.index())).to_owned() } else { block.to_owned() }
        }).unwrap();
        check_local(&y, &data);
        // Parts of it see the same.
        let ranges: Vec<std::ops::Range<usize>> = data.shape().iter().map(|&length| length / 3..length - length / 4).collect();
        let part = y.region(&ranges).unwrap();
        let expected = data.slice_each_axis(|axis| Slice::from(ranges[axis.axis.index()].clone())).to_owned();
        check_local(&part, &expected);
        let back = y.flip(0).unwrap().region(&ranges).unwrap();
        let mut flipped = data.clone();
        flipped.invert_axis(Axis(0));
        check_local(&back, &flipped.slice_each_axis(|axis| Slice::from(ranges[axis.axis.index()].clone())).to_owned());
    }

    #[test]
    fn weighted_sums(
        (data, x) in array(),
        lengths in prop::collection::vec(1_usize..5, 3),
        boundaries in prop::collection::vec(boundary(), 3),
        values in prop::collection::vec(-3_i64..4, 64),
    ) {
        let ndim = data.ndim();
        let lengths = &lengths[..ndim];
        let weights = ArrayD::from_shape_vec(IxDyn(lengths), values[..lengths.iter().product()].to_vec()).unwrap();
        let depth: Vec<(usize, usize)> = lengths.iter().map(|&length| (length / 2, length - 1 - length / 2)).collect();
        let boundaries = boundaries[..ndim].to_vec();
        let expected = weighed(&bordered(&data, &depth, &boundaries), &weights, data.shape());
        let y = x.correlate_nd(&weights, boundaries.clone()).unwrap();
        check(&y, expected.clone());
        let ranges: Vec<std::ops::Range<usize>> = data.shape().iter().map(|&length| length / 3..length - length / 4).collect();
        check(&y.region(&ranges).unwrap(), expected.slice_each_axis(|axis| Slice::from(ranges[axis.axis.index()].clone())).to_owned());
        let mut turned = weights.clone();
        (0..ndim).for_each(|axis| turned.invert_axis(Axis(axis)));
        let depth: Vec<(usize, usize)> = lengths.iter().map(|&length| ((length - 1) / 2, length / 2)).collect();
        let expected = weighed(&bordered(&data, &depth, &boundaries), &turned, data.shape());
        check(&x.convolve_nd(&weights, boundaries).unwrap(), expected);
    }

    #[test]
    fn several_arrays((data, x) in array(), cut in 1_usize..4, depth in 0_usize..3) {
        let y = from_ndarray(&data * 5, cut).unwrap();
        let sum = map_overlap(&[&x, &y], depth, Boundary::Reflect, |_, blocks| &blocks[0] + &blocks[1]).unwrap();
        check_local(&sum, &(&data * 6));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn weighted_sums_of_weighted_sums(
        shape in prop_oneof![prop::sample::select(vec![vec![90_usize], vec![45, 60], vec![16, 20, 33]]), Just(vec![40, 2500])],
        pieces in 1_usize..4,
        sweeps in prop::collection::vec((prop::collection::vec(1_usize..4, 3), prop::collection::vec(boundary(), 3), prop::collection::vec(-2_i64..3, 27)), 2..4),
    ) {
        let count: usize = shape.iter().product();
        let data = ArrayD::from_shape_vec(IxDyn(&shape), (0..count as i64).map(|k| k * k % 1009).collect()).unwrap();
        let chunks = shape.iter().map(|&length| AxisChunks::Length(length.div_ceil(pieces))).collect();
        let (mut x, mut expected) = (from_ndarray(data.clone(), Chunks::PerAxis(chunks)).unwrap(), data);
        for (lengths, boundaries, values) in &sweeps {
            let (lengths, boundaries) = (&lengths[..shape.len()], &boundaries[..shape.len()]);
            let weights = ArrayD::from_shape_vec(IxDyn(lengths), values[..lengths.iter().product()].to_vec()).unwrap();
            let depth: Vec<(usize, usize)> = lengths.iter().map(|&length| (length / 2, length - 1 - length / 2)).collect();
            expected = weighed(&bordered(&expected, &depth, boundaries), &weights, &shape);
            x = x.correlate_nd(&weights, boundaries.to_vec()).unwrap();
        }
        check(&x, expected.clone());
        let ranges: Vec<std::ops::Range<usize>> = shape.iter().map(|&length| length / 2 - 3..length / 2 + 4).collect();
        let part = expected.slice_each_axis(|axis| Slice::from(ranges[axis.axis.index()].clone())).to_owned();
        check(&x.region(&ranges).unwrap(), part);
    }
}
