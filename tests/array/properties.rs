//! Random arrays against eager `ndarray`.

use ndarray::{ArrayD, Axis, IxDyn, SliceInfoElem, concatenate as nd_concatenate};
use proptest::prelude::*;
use talatat::array::{self, Array, AxisChunks, Chunks, Element, axis, concatenate, from_ndarray, stack};
use talatat::{Compute, ExecutorChoice, Session};

use crate::oracle::{all_bits, check, everywhere};

/// Floats with all that is special about them.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-40_i32..40).prop_map(|x| f64::from(x) / 4.0),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 5e-324]),
        2 => -1e3..1e3_f64,
    ]
}

fn shape(most_axes: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1 => Just(0_usize), 2 => Just(1_usize), 8 => 2_usize..7], 0..=most_axes)
}

/// Chunks of each axis: lengths that add up, empty ones among them.
fn cut(shape: &[usize]) -> impl Strategy<Value = Vec<Vec<usize>>> + use<> {
    let axes: Vec<_> = shape
        .iter()
        .map(|&length| {
            prop::collection::vec(0..=length, 0..4).prop_map(move |mut cuts| {
                cuts.extend([0, length]);
                cuts.sort_unstable();
                cuts.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<usize>>()
            })
        })
        .collect();
    axes
}

fn chunked<T: Element>(array: &ArrayD<T>, cut: &[Vec<usize>]) -> Array<T> {
    let chunks = Chunks::PerAxis(cut.iter().cloned().map(AxisChunks::Lengths).collect());
    from_ndarray(array.clone(), chunks).expect("chunks that fit")
}

/// An array and two ways to cut it.
fn floats(most_axes: usize) -> impl Strategy<Value = (ArrayD<f64>, Vec<Vec<usize>>, Vec<Vec<usize>>)> {
    shape(most_axes).prop_flat_map(|shape| {
        let count = shape.iter().product::<usize>();
        let (a, b) = (cut(&shape), cut(&shape));
        let array = prop::collection::vec(float(), count)
            .prop_map(move |data| ArrayD::from_shape_vec(IxDyn(&shape), data).expect("as many as the shape says"));
        (array, a, b)
    })
}

/// An array and the chunks of two ways to cut it.
type Cut = (ArrayD<f64>, Vec<Vec<usize>>, Vec<Vec<usize>>);

/// Two shapes that match by broadcasting, and the arrays.
fn broadcastable() -> impl Strategy<Value = [Cut; 2]> {
    let repeated = |shape: Vec<usize>, mask: u8, drop: usize| -> Vec<usize> {
        let shape = shape.into_iter().enumerate();
        shape.map(|(axis, length)| if mask >> axis & 1 == 1 { 1 } else { length }).skip(drop).collect()
    };
    (shape(3), any::<u8>(), any::<u8>(), 0..3_usize).prop_flat_map(move |(shape, a, b, drop)| {
        let make = |shape: Vec<usize>| {
            let count = shape.iter().product::<usize>();
            let (first, second) = (cut(&shape), cut(&shape));
            let array = prop::collection::vec(float(), count)
                .prop_map(move |data| ArrayD::from_shape_vec(IxDyn(&shape), data).expect("as many as the shape says"));
            (array, first, second)
        };
        // Never both 1 where the other is longer by chance: any mix is allowed.
        [make(repeated(shape.clone(), a, 0)), make(repeated(shape, b, drop))]
    })
}

fn eager(a: &ArrayD<f64>, b: &ArrayD<f64>, operation: fn(f64, f64) -> f64) -> ArrayD<f64> {
    let ndim = a.ndim().max(b.ndim());
    let at = |x: &ArrayD<f64>, axis: usize| (axis + x.ndim()).checked_sub(ndim).map_or(1, |axis| x.shape()[axis]);
    let shape: Vec<usize> = (0..ndim).map(|axis| if at(a, axis) == 1 { at(b, axis) } else { at(a, axis) }).collect();
    let (a, b) = (a.broadcast(IxDyn(&shape)).expect("fits"), b.broadcast(IxDyn(&shape)).expect("fits"));
    ndarray::Zip::from(a).and(b).map_collect(|&x, &y| operation(x, y))
}

/// A slice of each axis: ranges and steps in both directions, single indices, new axes.
fn slices(shape: &[usize]) -> impl Strategy<Value = Vec<SliceInfoElem>> + use<> {
    let one = |&length: &usize| {
        let n = length as isize;
        let range = (-n..=n, prop::option::of(-n..=n), prop_oneof![-3_isize..0, 1_isize..4])
            .prop_map(|(start, end, step)| SliceInfoElem::Slice { start, end, step });
        let elem = if n == 0 {
            range.boxed()
        } else {
            prop_oneof![4 => range, 1 => (-n..n).prop_map(SliceInfoElem::Index)].boxed()
        };
        (prop::bool::weighted(0.15), elem)
    };
    let axes: Vec<_> = shape.iter().map(one).collect();
    axes.prop_map(|axes| {
        axes.into_iter()
            .flat_map(|(new, elem)| new.then_some(SliceInfoElem::NewAxis).into_iter().chain([elem]))
            .collect()
    })
}

/// What `ndarray` takes; where a range begins behind its end, it refuses and NumPy's answer is nothing.
fn eager_slice(array: &ArrayD<f64>, elems: &[SliceInfoElem]) -> ArrayD<f64> {
    let mut number = 0;
    let elems: Vec<SliceInfoElem> = elems
        .iter()
        .map(|elem| match *elem {
            SliceInfoElem::NewAxis => SliceInfoElem::NewAxis,
            SliceInfoElem::Index(index) => {
                number += 1;
                SliceInfoElem::Index(index)
            }
            SliceInfoElem::Slice { start, end, step } => {
                let length = array.shape()[number] as isize;
                number += 1;
                let bound = |bound: isize| if bound < 0 { bound + length } else { bound };
                let start = bound(start).min(length);
                SliceInfoElem::Slice { start, end: Some(end.map_or(length, bound).max(start)), step }
            }
        })
        .collect();
    array.slice(elems.as_slice()).to_owned()
}

/// Few cases unless `PROPTEST_CASES` asks for more: each runs in all sessions.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn operators_broadcast([(a, cut_a, _), (b, cut_b, _)] in broadcastable()) {
        let (x, y) = (chunked(&a, &cut_a), chunked(&b, &cut_b));
        check(&(&x + &y), eager(&a, &b, |x, y| x + y));
        check(&((&x - &y) * &x), eager(&eager(&a, &b, |x, y| x - y), &a, |x, y| x * y));
        check(&(&x / &y + 1.0), eager(&a, &b, |x, y| x / y + 1.0));
        check(&x.less(&y), eager(&a, &b, |x, y| f64::from(u8::from(x < y))).mapv(|x| x == 1.0));
        check(&(&x * 2.0).sqrt(), a.mapv(|x| (x * 2.0).sqrt()));
    }

    #[test]
    fn slices_are_ndarrays(((a, cut, _), elems) in floats(3).prop_flat_map(|case| {
        let elems = slices(case.0.shape());
        (Just(case), elems)
    })) {
        let x = chunked(&a, &cut);
        let expected = eager_slice(&a, &elems);
        check(&x.slice(&elems).unwrap(), expected.clone());
        // Through elementwise operations, transposes, rechunks.
        check(&(&x * 2.0 + 1.0).slice(&elems).unwrap(), expected.mapv(|x| x * 2.0 + 1.0));
        check(&x.rechunk(2).unwrap().slice(&elems).unwrap(), expected);
        let turned = eager_slice(&a.t().to_owned(), &elems_reversed(&elems));
        check(&x.t().slice(elems_reversed(&elems)).unwrap(), turned);
    }

    #[test]
    fn slices_of_slices(((a, cut, _), first, then) in floats(2).prop_flat_map(|case| {
        let elems = slices(case.0.shape());
        (Just(case), elems)
    }).prop_flat_map(|(case, first)| {
        let shape = eager_slice(&case.0, &first).shape().to_vec();
        (Just(case), Just(first), slices(&shape))
    })) {
        let x = chunked(&a, &cut).slice(&first).unwrap();
        check(&x.slice(&then).unwrap(), eager_slice(&eager_slice(&a, &first), &then));
    }

    #[test]
    fn other_shapes((a, cut, other) in floats(3), turn in any::<prop::sample::Index>()) {
        let x = chunked(&a, &cut);
        let chunks = Chunks::PerAxis(other.iter().cloned().map(AxisChunks::Lengths).collect());
        check(&x.rechunk(chunks.clone()).unwrap(), a.clone());
        check(&(&x.rechunk(chunks).unwrap() + &x), a.mapv(|x| x + x));
        check(&x.t(), a.t().to_owned());
        check(&(&x.t() + x.t()), a.t().mapv(|x| x + x));
        check(&x.ravel().unwrap(), ArrayD::from_shape_vec(IxDyn(&[a.len()]), a.iter().copied().collect()).unwrap());
        let mut shape: Vec<usize> = a.shape().to_vec();
        shape.push(1);
        shape.reverse();
        let wanted: Vec<isize> = shape.iter().map(|&length| length as isize).collect();
        check(&x.reshape(&wanted).unwrap(), ArrayD::from_shape_vec(IxDyn(&shape), a.iter().copied().collect()).unwrap());
        if a.ndim() > 0 {
            let by = turn.index(a.ndim());
            let mut order: Vec<usize> = (0..a.ndim()).collect();
            order.rotate_left(by);
            let signed: Vec<isize> = order.iter().map(|&axis| axis as isize).collect();
            check(&x.transpose(&signed).unwrap(), a.clone().permuted_axes(order));
        }
    }

    #[test]
    fn joined((a, cut, other) in floats(3), along in any::<prop::sample::Index>()) {
        let (x, y) = (chunked(&a, &cut), chunked(&a, &other) + 1.0);
        let b = a.mapv(|x| x + 1.0);
        let number = along.index(a.ndim() + 1);
        let stacked = ndarray::stack(Axis(number), &[a.view(), b.view()]).unwrap();
        check(&stack(&[x.clone(), y.clone()], number as isize).unwrap(), stacked);
        if a.ndim() > 0 {
            let number = along.index(a.ndim());
            let joined = nd_concatenate(Axis(number), &[a.view(), b.view(), a.view()]).unwrap();
            let lazy = concatenate(&[x.clone(), y, x], number as isize).unwrap();
            check(&lazy, joined.clone());
            check(&(&lazy + &lazy.rechunk(2).unwrap()), joined.mapv(|x| x + x));
            let part = SliceInfoElem::Slice { start: 1, end: None, step: 2 };
            let elems = vec![part; a.ndim()];
            check(&lazy.slice(&elems).unwrap(), eager_slice(&joined, &elems));
        }
    }

    #[test]
    fn reductions((a, cut, _) in floats(3), number in any::<prop::sample::Index>()) {
        let x = chunked(&a, &cut);
        let fold = |start: f64, f: fn(f64, f64) -> f64| (start, f);
        if a.ndim() > 0 {
            let number = number.index(a.ndim());
            let along = axis(number);
            if a.shape()[number] > 0 {
                let (start, f) = fold(f64::INFINITY, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) });
                check(&x.min(along.clone()).unwrap(), a.fold_axis(Axis(number), start, |a, b| f(*a, *b)));
                let first = a.map_axis(Axis(number), |lane| {
                    let nan = lane.iter().position(|x| x.is_nan());
                    let most = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    nan.or_else(|| lane.iter().position(|x| *x == most)).unwrap_or(0) as i64
                });
                check(&x.argmax(along.clone()).unwrap(), first.clone());
                check(&x.argmax(along.clone().keepdims()).unwrap(), first.insert_axis(Axis(number)));
            }
            let any = a.map_axis(Axis(number), |lane| lane.iter().any(|x| *x != 0.0));
            check(&x.any(along.clone()).unwrap(), any);
            // Quarters: sums of them are exact in any order.
            let quarters = a.mapv(|x| if x.is_finite() { (x % 64.0 * 4.0).round() / 4.0 } else { 0.0 });
            let y = chunked(&quarters, &cut);
            check(&y.sum(along.clone()).unwrap(), quarters.sum_axis(Axis(number)));
            check(&(&y * 2.0).sum(along).unwrap(), quarters.sum_axis(Axis(number)) * 2.0);
        }
        let count = a.iter().filter(|x| x.is_nan()).count() as i64;
        check(&x.isnan().sum(..).unwrap(), ndarray::arr0(count).into_dyn());
    }

    #[test]
    fn chunks_do_not_matter((a, cut, other) in floats(3), number in any::<prop::sample::Index>()) {
        let finite = a.mapv(|x| if x.is_nan() { 0.1 } else { x });
        for a in [&a, &finite] {
            let (x, y) = (chunked(a, &cut), chunked(a, &other));
            let mut which = vec![axis(..)];
            if a.ndim() > 0 {
                which.push(axis(number.index(a.ndim())));
            }
            for axes in which {
                let same = |one: &Array<f64>, two: &Array<f64>| {
                    assert_eq!(all_bits(&everywhere(one)), all_bits(&two.compute().unwrap()), "{one} {two}");
                };
                same(&x.sum(axes.clone()).unwrap(), &y.sum(axes.clone()).unwrap());
                same(&x.mean(axes.clone()).unwrap(), &y.mean(axes.clone()).unwrap());
                same(&x.var(axes.clone()).unwrap(), &y.var(axes.clone()).unwrap());
                same(&x.prod(axes.clone()).unwrap(), &y.prod(axes.clone()).unwrap());
                same(&x.nanstd(axes.clone()).unwrap(), &y.nanstd(axes.clone()).unwrap());
                if let Ok(index) = x.argmin(axes.clone()) {
                    prop_assert_eq!(everywhere(&index), y.argmin(axes).unwrap().compute().unwrap());
                }
            }
        }
    }

    #[test]
    fn random_numbers_do_not_see_chunks(shape in shape(3), seed in any::<u64>(), length in 1_i64..5) {
        let check_one = |x: Array<f64>| assert_eq!(everywhere(&x), x.rechunk(length).unwrap().compute().unwrap());
        check_one(array::uniform(-1.0, 3.0, &shape, seed).unwrap());
        check_one(array::normal(0.0, 1.0, &shape, seed).unwrap());
        let dice = array::integers(1, 7, &shape, seed).unwrap();
        prop_assert_eq!(everywhere(&dice), dice.rechunk(length).unwrap().compute().unwrap());
    }

    #[test]
    fn products(rows in 0_usize..5, inner in 0_usize..5, columns in 0_usize..5, cuts in any::<u64>()) {
        let integer = |rows: usize, columns: usize| {
            ArrayD::from_shape_fn(IxDyn(&[rows, columns]), |at| ((at[0] * 7 + at[1] * 3) % 11) as i64 - 5)
        };
        let (a, b) = (integer(rows, inner), integer(inner, columns));
        let size = |shift: u32| ((cuts >> shift) % 3 + 1) as i64;
        let x = from_ndarray(a.clone(), [size(0), size(8)]).unwrap();
        let y = from_ndarray(b.clone(), [size(16), size(24)]).unwrap();
        let two = |x: &ArrayD<i64>| x.clone().into_dimensionality::<ndarray::Ix2>().unwrap();
        check(&x.matmul(&y).unwrap(), two(&a).dot(&two(&b)).into_dyn());
        check(&x.dot(&y).unwrap().t(), two(&a).dot(&two(&b)).reversed_axes().into_dyn());
    }
}

fn elems_reversed(elems: &[SliceInfoElem]) -> Vec<SliceInfoElem> {
    elems.iter().rev().copied().collect()
}

#[test]
fn building_never_computes() {
    let lazy = Session::builder().executor(ExecutorChoice::Refuse).build().unwrap();
    let array = lazy.scope(|| -> talatat::Result<Array<f64>> {
        let x = array::normal(0.0, 1.0, [20, 30], 1)?.rechunk(7)?;
        let y = (&x + x.t().slice(ndarray::s![..20, ..])?.reshape([20, -1])?.slice(ndarray::s![.., ..1])?)
            / x.std(axis(1).keepdims())?;
        let z = concatenate(&[y.clone(), stack(&[y.mean(0)?, y.max(0)?], 0)?], 0)?.rechunk("1KiB")?;
        assert!(z.plan()?.graph().len() > 1 && format!("{z} {z:?}").contains("float64"));
        assert!(z.compute().is_err(), "the session refuses");
        Ok(z)
    });
    assert_eq!(array.unwrap().compute().unwrap().shape(), [22, 30]);
}

#[test]
fn an_empty_chunk_under_an_empty_slice() {
    let x = from_ndarray(ndarray::array![5.0], vec![vec![0, 1]]).unwrap();
    let part = x.slice(ndarray::s![ndarray::NewAxis, ..]).unwrap().slice(ndarray::s![..0, ..]).unwrap();
    check(&part, ArrayD::zeros(IxDyn(&[0, 1])));
}
