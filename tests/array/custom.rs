//! Users' functions on blocks that belong together, in random chunks, against eager `ndarray`.

use ndarray::{Array1, Array2, ArrayD, Axis, Ix2, IxDyn, Slice, s};
use proptest::prelude::*;
use talatat::array::{Array, apply_gufunc, apply_gufunc_all, blockwise, from_ndarray};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::builder;
use crate::oracle::check_local;

fn numbers(shape: &[usize], start: i64) -> ArrayD<i64> {
    let count: usize = shape.iter().product();
    let data = (0..count as i64).map(|k| (k * 7 + start) % 23 - 11).collect();
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
}

fn matrix(array: &ArrayD<i64>) -> Array2<i64> {
    array.clone().into_dimensionality::<Ix2>().unwrap()
}

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn contractions(n in 1_usize..7, k in 0_usize..7, m in 1_usize..7, cuts in prop::collection::vec(1_usize..5, 4), from in 0_usize..3) {
        let (a, b) = (numbers(&[n, k], 1), numbers(&[m, k], 5));
        let x = from_ndarray(a.clone(), [cuts[0], cuts[1]]).unwrap();
        let y = from_ndarray(b.clone(), [cuts[2], cuts[3]]).unwrap();
        let product = blockwise("ji", &[(&x, "ik"), (&y, "jk")]).call(|_, blocks| {
            let [a, b] = [0, 1].map(|at| blocks[at].view().into_dimensionality::<Ix2>().unwrap());
            b.dot(&a.t()).into_dyn()
        }).unwrap();
        let expected = matrix(&b).dot(&matrix(&a).t());
        check_local(&product, &expected.clone().into_dyn());
        let (rows, columns) = (from.min(m)..m, from.min(n)..n);
        let part = product.region(&[rows.clone(), columns.clone()]).unwrap();
        check_local(&part, &expected.slice(s![rows, columns]).to_owned().into_dyn());
    }

    #[test]
    fn axes_that_are_repeated_new_and_adjusted(n in 1_usize..7, m in 2_usize..6, cut in 1_usize..4) {
        let (a, b) = (numbers(&[n, m], 3), numbers(&[1, m], 4));
        let (x, y) = (from_ndarray(a.clone(), cut).unwrap(), from_ndarray(b.clone(), cut + 1).unwrap());
        let sums = blockwise("ijz", &[(&x, "ij"), (&y, "ij")])
            .new_axis('z', [1, 2])
            .adjust_chunks('j', |length| 2 * length)
            .call(|info, blocks| {
                let sum = &blocks[0] + &blocks[1];
                ArrayD::from_shape_fn(IxDyn(&info.shape), |at| sum[[at[0], at[1] / 2]] * (info.origin[2] + at[2]) as i64)
            })
            .unwrap();
        let expected = ArrayD::from_shape_fn(IxDyn(&[n, 2 * m, 3]), |at| (a[[at[0], at[1] / 2]] + b[[0, at[1] / 2]]) * at[2] as i64);
        check_local(&sums, &expected);
        let part = sums.slice(s![n - 1.., 1..;2, 2]).unwrap();
        check_local(&part, &expected.slice(s![n - 1.., 1..;2, 2]).to_owned().into_dyn());
    }

    #[test]
    fn signatures(shape in prop::collection::vec(1_usize..4, 2), k in 1_usize..5, m in 1_usize..4, cut in 1_usize..3, ones in any::<bool>()) {
        let (n0, n1) = (shape[0], if ones { 1 } else { shape[1] });
        let (a, b) = (numbers(&[shape[0], shape[1], m, k], 2), numbers(&[n1, k], 9));
        let (x, y) = (from_ndarray(a.clone(), cut).unwrap(), from_ndarray(b.clone(), cut).unwrap());
        let products = apply_gufunc("(m,k),(k)->(m)", &[&x, &y], &[], |cores| {
            let a = cores[0].view().into_dimensionality::<Ix2>().unwrap();
            let b = cores[1].view().into_shape_with_order(cores[1].len()).unwrap();
            Array1::from_shape_fn(a.nrows(), |row| a.row(row).iter().zip(b).map(|(a, b)| a * b).sum::<i64>()).into_dyn()
        }).unwrap();
        let expected = ArrayD::from_shape_fn(IxDyn(&[n0, shape[1], m]), |at| {
            (0..k).map(|k| a[[at[0], at[1], at[2], k]] * b[[at[1] % n1, k]]).sum()
        });
        check_local(&products, &expected);
        let both = apply_gufunc_all("(m,k)->(),(2,m)", &[&x], &[], |cores| {
            let sums = cores[0].sum_axis(Axis(1));
            vec![ndarray::arr0(cores[0].sum()).into_dyn(), ndarray::stack(Axis(0), &[sums.view(), sums.view()]).unwrap()]
        }).unwrap();
        let sums = a.sum_axis(Axis(3));
        check_local(&both[0], &sums.sum_axis(Axis(2)));
        check_local(&both[1], &ndarray::stack(Axis(2), &[sums.view(), sums.view()]).unwrap());
        check_local(&(&both[0] + both[1].sum([2, 3]).unwrap()), &(sums.sum_axis(Axis(2)) * 3));
        check_local(&both[1].slice(s![.., 0]).unwrap(), &ndarray::stack(Axis(1), &[sums.view(), sums.view()].map(|sums| sums.slice_move(s![.., 0, ..]).into_dyn())).unwrap());
    }

    #[test]
    fn lines(shape in prop::collection::vec(1_usize..5, 1..4), axis in 0_usize..3, cut in 1_usize..4) {
        let axis = axis % shape.len();
        let a = numbers(&shape, 1);
        let x = from_ndarray(a.clone(), cut).unwrap();
        let ends = x.apply_along_axis(axis as isize, [2, 1], |line| ndarray::array![[line[0]], [line[line.len() - 1]]].into_dyn()).unwrap();
        let (first, last) = (a.index_axis(Axis(axis), 0), a.index_axis(Axis(axis), shape[axis] - 1));
        check_local(&ends, &ndarray::stack(Axis(axis), &[first, last]).unwrap().insert_axis(Axis(axis + 1)));
        let sums = x.apply_along_axis(axis as isize, [], |line| ndarray::arr0(line.sum()).into_dyn()).unwrap();
        check_local(&sums, &a.sum_axis(Axis(axis)));
        let dropped = x.map_blocks_axes(&[axis as isize], &[(0, 1)], move |_, block| block.sum_axis(Axis(axis)).insert_axis(Axis(0))).unwrap();
        check_local(&dropped, &a.sum_axis(Axis(axis)).insert_axis(Axis(0)));
        let blocks = x.map_blocks(|_, block| block.to_owned()).unwrap();
        let ranges: Vec<_> = shape.iter().map(|&length| length / 2..length).collect();
        let expected = a.slice_each_axis(|axis| Slice::from(ranges[axis.axis.index()].clone())).to_owned();
        check_local(&blocks.region(&ranges).unwrap(), &expected);
    }
}

#[test]
fn parts_compute_what_they_touch() {
    let x: Array<f64> = talatat::array::ones([100, 100]).rechunk(10).unwrap();
    let tasks = |array: &Array<f64>| session().graph(array).unwrap().len();
    let mapped = x.map_blocks(|_, block| block.to_owned()).unwrap();
    assert_eq!(tasks(&mapped), 200);
    assert_eq!(tasks(&mapped.slice(s![15..25, 5]).unwrap()), 2 + 2 + 2 + 2);
    let rows = blockwise("i", &[(&x, "ij")]).call(|_, blocks| blocks[0].sum_axis(Axis(1))).unwrap();
    assert_eq!(tasks(&rows.slice(s![..3]).unwrap()), 10 + 1 + 1);
    // Results of one function are computed together.
    let both = apply_gufunc_all("(i)->(),()", &[&x], &[], |cores| {
        vec![cores[0].sum_axis(Axis(0)), cores[0].sum_axis(Axis(0))]
    });
    let both = both.unwrap();
    assert_eq!(session().graph(&(both[0].clone(), both[1].clone())).unwrap().len(), 10 + 10);
    assert_eq!(both[1].compute_on(&session()).unwrap().sum(), 10_000.0);
}

#[test]
fn arrays_of_delayed_calls() {
    let rows = delayed(|row: i64| ArrayD::from_shape_fn(IxDyn(&[2, 3]), |at| row * 10 + (at[0] * 3 + at[1]) as i64));
    let parts: Vec<Array<i64>> =
        (0..3_i64).map(|row| talatat::array::from_delayed(&rows.call(row), [2, 3]).unwrap()).collect();
    let all = talatat::array::concatenate(&parts, 0).unwrap();
    let expected = ArrayD::from_shape_fn(IxDyn(&[6, 3]), |at| (at[0] / 2 * 10 + at[0] % 2 * 3 + at[1]) as i64);
    check_local(&all, &expected);
    check_local(&all.t(), &expected.t().to_owned());
    // Only calls that are wanted are made.
    assert_eq!(session().graph(&all.slice(s![2..4, ..]).unwrap()).unwrap().len(), 2);
    let wrong = talatat::array::from_delayed(&rows.call(0_i64), [3, 2]).unwrap();
    let error = wrong.compute_on(&session()).unwrap_err().to_string();
    assert!(error.contains("shape [2, 3] where [3, 2] was promised"), "{error}");
}
