//! Random arrays against eager `ndarray`.

use ndarray::{ArrayD, Axis, Dimension, IxDyn, SliceInfoElem};
use proptest::prelude::*;
use talatat::array::{Array, from_ndarray};

use crate::oracle::{check, everywhere};
use crate::shapes::properties::array;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn takes((data, x) in array(), picks in prop::collection::vec(0_usize..64, 0..40), axis in 0_usize..3, sorted: bool) {
        let axis = axis % data.ndim();
        let n = data.shape()[axis];
        let mut picks: Vec<usize> = if n == 0 { Vec::new() } else { picks.into_iter().map(|pick| pick % n).collect() };
        if sorted {
            picks.sort_unstable();
        }
        let expected = data.select(Axis(axis), &picks);
        let signed: Vec<isize> = picks.iter().map(|&pick| if pick % 3 == 0 { pick as isize - n as isize } else { pick as isize }).collect();
        check(&x.take(signed.clone(), axis).unwrap(), expected.clone());
        let indices = from_ndarray(signed.iter().map(|&pick| pick as i64).collect::<ndarray::Array1<i64>>(), 3_i64).unwrap();
        check(&x.take(&indices, axis).unwrap(), expected.clone());
        check(&x.take(&(&indices + 0), axis).unwrap(), expected);
    }

    #[test]
    fn masks_of_leading_axes((data, x) in array(), depth in 1_usize..4, modulus in 1_i64..4) {
        let depth = depth.min(data.ndim());
        let shape = data.shape()[..depth].to_vec();
        let flags = ArrayD::from_shape_fn(IxDyn(&shape), |at| (0..depth).map(|axis| at[axis] as i64 * (axis as i64 + 1)).sum::<i64>() % modulus == 0);
        let mask = from_ndarray(flags.clone(), 2_i64).unwrap();
        let rows: usize = shape.iter().product();
        let flat = data.to_shape([&[rows], &data.shape()[depth..]].concat()).unwrap().to_owned();
        let kept: Vec<usize> = flags.iter().enumerate().filter(|(_, flag)| **flag).map(|(at, _)| at).collect();
        let found = everywhere(&x.filter(&mask).unwrap());
        prop_assert_eq!(found, flat.select(Axis(0), &kept));
    }

    #[test]
    fn what_is_assigned_is_there((data, x) in array(), starts in prop::collection::vec(0_usize..8, 3), steps in prop::collection::vec(prop::sample::select(vec![-2_isize, -1, 1, 2, 3]), 3)) {
        let info: Vec<SliceInfoElem> = (0..data.ndim())
            .map(|axis| SliceInfoElem::Slice { start: (starts[axis] % (data.shape()[axis] + 1)) as isize, end: None, step: steps[axis] })
            .collect();
        let mut expected = data.clone();
        let mut part = expected.slice_mut(info.as_slice());
        let values = ArrayD::from_shape_fn(part.raw_dim(), |at| -1 - (0..at.ndim()).map(|axis| at[axis] as i64 * 10_i64.pow(axis as u32)).sum::<i64>());
        part.assign(&values);
        let lazy: Array<i64> = from_ndarray(values, 2_i64).unwrap();
        let assigned = x.assign(info.as_slice(), &lazy).unwrap();
        check(&assigned, expected);
        check(&assigned.slice(info.as_slice()).unwrap(), lazy.compute_here());
    }
}

/// The elements, for an expectation.
trait Here {
    fn compute_here(&self) -> ArrayD<i64>;
}

impl Here for Array<i64> {
    fn compute_here(&self) -> ArrayD<i64> {
        use talatat::prelude::*;
        self.compute().unwrap()
    }
}
