//! Random chains of operations with random indices: rewritten or not, with each rule left out, the elements are the same.

use ndarray::{ArrayD, IxDyn, SliceInfoElem};
use proptest::prelude::*;
use talatat::array::{Array, Boundary, PadMode, axis, concatenate, from_ndarray, open_npy};
use talatat::prelude::*;

use crate::oracle::{all_bits, everywhere};
use crate::shapes::graphs::session;

/// One operation with some numbers, of which it makes what it needs.
type Step = (u8, usize, Vec<usize>);

/// Chunks of about `length` for arrays of any shape.
fn apply(x: &Array<i64>, (kind, number, numbers): &Step) -> talatat::Result<Array<i64>> {
    let shape = x.shape()?;
    let number = number % shape.len();
    let length = shape[number];
    let pick = |at: usize, below: usize| numbers.get(at).copied().unwrap_or(1) % below.max(1);
    match kind {
        0 => Ok(x * 3 - 1),
        1 => Ok(x + x.max(axis(number).keepdims())?),
        2 => x.cumsum(number),
        3 => x.sort(number),
        4 => x.flip(number),
        5 => x.roll(pick(0, length) as isize, number),
        6 => concatenate(&[x * 2, x.clone(), x - 1], number as isize),
        7 => x.rechunk(1 + pick(0, 4) as i64),
        8 => Ok(x.t()),
        9 => x.reshape([shape[0] as isize, -1]),
        10 => x.ravel(),
        11 => x.pad(vec![(pick(0, 3), pick(1, 3)); shape.len()], PadMode::Edge),
        12 => x.sum(axis(number).keepdims()),
        13 => x.sliding_window_view([1 + pick(0, length)], number),
        14 => {
            let weights =
                ArrayD::from_shape_vec(IxDyn(&vec![3; shape.len()]), (0..3_i64.pow(shape.len() as u32)).collect());
            x.correlate_nd(&weights.expect("as many"), Boundary::Reflect)
        }
        15 => {
            let elems: Vec<SliceInfoElem> = (shape.iter().enumerate())
                .map(|(axis, &n)| SliceInfoElem::Slice {
                    start: pick(axis, n) as isize,
                    end: None,
                    step: 1 + (axis % 2) as isize,
                })
                .collect();
            x.assign(elems, 7)
        }
        16 if shape.len() == 2 => x.matmul(&x.t()),
        17 => {
            let codes: Vec<i64> = (0..length as i64).map(|at| at * 7 % 3).collect();
            x.groupby(&codes, number as isize)?.sum()
        }
        18 => x.repeat(1 + pick(0, 3), number),
        19 if shape.len() >= 2 => x.diagonal(pick(0, 2) as isize, 0, 1),
        20..=24 => {
            let elems: Vec<SliceInfoElem> = (shape.iter().enumerate())
                .map(|(axis, &n)| {
                    let (start, step) = (pick(axis, n) as isize, [1, 1, 2, -1, 3, -2][pick(axis + 1, 6)]);
                    let end = (axis % 2 == 1).then_some((start + 1 + pick(axis + 2, n) as isize).min(n as isize));
                    SliceInfoElem::Slice { start, end, step }
                })
                .collect();
            x.slice(elems)
        }
        25..=28 => {
            let mut places: Vec<isize> = numbers.iter().map(|at| (at % length.max(1)) as isize).collect();
            if *kind < 27 {
                places.sort_unstable();
            }
            places.truncate(length);
            x.take(places, number)
        }
        _ => Ok(x.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rewritten_or_not(
        shape in prop::collection::vec(1_usize..9, 1..4),
        chunk in 1_i64..5,
        steps in prop::collection::vec((0_u8..29, 0_usize..3, prop::collection::vec(0_usize..16, 0..5)), 1..6),
        masked in 0_u8..4,
    ) {
        let count: usize = shape.iter().product();
        let data = ArrayD::from_shape_vec(IxDyn(&shape), (0..count as i64).map(|at| at * 37 % 101 - 50).collect()).unwrap();
        let mut x = from_ndarray(data, chunk).unwrap();
        for step in &steps {
            let next = apply(&x, step);
            let Ok(next) = next else { continue };
            let size: usize = next.shape().unwrap().iter().product();
            if next.shape().unwrap().is_empty() || size == 0 || size > 4000 {
                continue;
            }
            x = next;
        }
        let length = x.shape().unwrap()[0];
        let flags: ndarray::Array1<bool> = (0..length).map(|at| at % 3 == 1).collect();
        let x = match masked {
            0 => x.compress(&from_ndarray(flags, 3).unwrap(), 0).unwrap(),
            1 => (x * 2).compress(&from_ndarray(ndarray::Array1::from_iter(0..length as i64), 2).unwrap().greater(2), 0).unwrap(),
            _ => x,
        };
        let found = everywhere(&x);
        // Every part of it is that part.
        let half: Vec<std::ops::Range<usize>> = found.shape().iter().map(|&n| n / 3..n - n / 4).collect();
        if x.shape().is_ok() {
            let part = everywhere(&x.region(&half).unwrap());
            let expected = found.slice_each_axis(|axis| ndarray::Slice::from(half[axis.axis.index()].clone()));
            prop_assert_eq!(all_bits(&part), all_bits(&expected.to_owned()));
        }
        prop_assert_eq!(x.compute_on(&session()).unwrap(), found);
    }
}

#[test]
fn a_file_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let path = path.to_str().unwrap();
    let data = ArrayD::from_shape_fn(IxDyn(&[12, 8]), |at| ((at[0] * 31 + at[1] * 17) % 23) as f64);
    from_ndarray(data, -1).unwrap().to_npy(path).unwrap();
    let x = open_npy::<f64>(path, 4).unwrap();
    let spread = (&x - x.median(0).unwrap()).std(..).unwrap();
    let plan = session().plan(&spread).unwrap().to_string();
    // Whole columns for the median, a few at a time: each of them is read by one task.
    let reads: Vec<&str> = plan.lines().filter(|line| line.contains("npy ")).collect();
    assert_eq!(reads.len(), 1, "{plan}");
    everywhere(&spread);
    everywhere(&(&x - x.median(1).unwrap().expand_dims(1).unwrap()).max(0).unwrap());
}
