//! Arrays with missing elements against what the elements that are there give.

use ndarray::{ArrayD, Axis};
use proptest::prelude::*;
use talatat::array::{from_ndarray, masked_where, zeros};

use crate::oracle::{check, everywhere};
use crate::shapes::properties::array;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn reductions_see_what_is_there((data, x) in array(), modulus in 1_i64..5, axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let masked = masked_where(&(&x % modulus).equal(0), &x).unwrap();
        let missing = data.mapv(|x| x % modulus == 0);
        check(&masked.filled(-7).unwrap(), ndarray::Zip::from(&data).and(&missing).map_collect(|&x, &gone| if gone { -7 } else { x }));
        let lanes = |reduce: &dyn Fn(&[i64]) -> f64| -> ArrayD<f64> {
            let mut shape = data.shape().to_vec();
            shape.remove(axis);
            let values = data.lanes(Axis(axis)).into_iter().zip(missing.lanes(Axis(axis))).map(|(lane, gone)| {
                let there: Vec<i64> = lane.iter().zip(gone).filter(|(_, gone)| !**gone).map(|(x, _)| *x).collect();
                reduce(&there)
            });
            ArrayD::from_shape_vec(shape, values.collect()).unwrap()
        };
        let count = lanes(&|there| there.len() as f64);
        check(&masked.count(axis).unwrap().astype::<f64>(), count.clone());
        check(&masked.sum(axis).unwrap().data().astype::<f64>(), lanes(&|there| there.iter().sum::<i64>() as f64));
        check(masked.mean(axis).unwrap().mask(), count.mapv(|count| count == 0.0));
        check(&masked.mean(axis).unwrap().filled(-1.0).unwrap(), lanes(&|there| match there.len() {
            0 => -1.0,
            count => there.iter().sum::<i64>() as f64 / count as f64,
        }));
        if data.shape()[axis] > 0 {
            check(&masked.max(axis).unwrap().filled(-9).unwrap().astype::<f64>(), lanes(&|there| there.iter().copied().max().unwrap_or(-9) as f64));
            check(&masked.min(axis).unwrap().filled(-9).unwrap().astype::<f64>(), lanes(&|there| there.iter().copied().min().unwrap_or(-9) as f64));
        }
        let variance = everywhere(&masked.var(axis, 1).unwrap().filled(-1.0).unwrap());
        let expected = lanes(&|there| {
            let mean = there.iter().sum::<i64>() as f64 / there.len() as f64;
            let squares: f64 = there.iter().map(|&x| (x as f64 - mean).powi(2)).sum();
            if there.len() < 2 { -1.0 } else { squares / (there.len() - 1) as f64 }
        });
        prop_assert!(variance.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1.0)), "{variance} {expected}");
        let there: Vec<i64> = data.iter().zip(&missing).filter(|(_, gone)| !**gone).map(|(x, _)| *x).collect();
        prop_assert_eq!(everywhere(&masked.compressed().unwrap()).into_raw_vec_and_offset().0, there);
    }
}

#[test]
fn a_condition_of_another_shape_is_refused() {
    let condition = from_ndarray(ndarray::array![true, false], -1_i64).unwrap();
    assert!(masked_where(&condition, &zeros::<f64>([3])).is_err());
    assert!(masked_where(&condition, &zeros::<f64>([2, 2])).is_err());
}
