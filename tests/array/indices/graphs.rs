//! What the graphs look like, and what is refused while it runs.

use ndarray::s;
use talatat::array::{arange, zeros};
use talatat::prelude::*;

use crate::shapes::graphs::{line, plane, session, tasks};

#[test]
fn indices_in_order_reach_for_the_blocks_they_name() {
    let sorted = line().take(vec![3, 5, 14, 995], 0).unwrap();
    assert_eq!(sorted.numblocks(), [1]);
    assert_eq!(tasks(&sorted, 100), 1);
    // Every block of the result has indices in every block of the source: it goes through them one after the other.
    let scattered: Vec<isize> = (0..1000).map(|at| at % 100 * 10 + at / 100).collect();
    let scattered = line().take(scattered, 0).unwrap();
    assert_eq!(scattered.numblocks(), [100]);
    assert_eq!(tasks(&scattered, 100), 100 * 10 + 100);
    let points = plane().vindex([vec![0, 1, 59], vec![0, 1, 59]]).unwrap();
    // The two lists are the same block; the points lie in two.
    assert_eq!(tasks(&points, 100), 1 + 2);
}

#[test]
fn what_is_not_taken_is_not_computed() {
    let x = line();
    assert_eq!(tasks(&(&x * 2 + 1).take([3, 5], 0).unwrap(), 100), 2);
    // Slices of gathers are shorter gathers.
    let part = (&x * 2).take((0..100).map(|at| at * 3).collect::<Vec<isize>>(), 0).unwrap().slice(s![..7]).unwrap();
    assert_eq!(tasks(&part, 100), 2);
    assert_eq!(part.compute_on(&session()).unwrap(), ndarray::Array1::from_iter((0..7).map(|at| at * 6)).into_dyn());
    // Ten blocks of two rows each, their sums, merged by eights, finished.
    let rows = plane().sum(1).unwrap().take([0, 59], 0).unwrap();
    assert_eq!(tasks(&rows, 100), 10 + 10 + 3 + 1);
    // A long gather stays where it is.
    let rolled = (&x * 2).roll(5, 0).unwrap();
    assert_eq!(tasks(&rolled, 100), 200);
}

#[test]
fn an_assignment_leaves_the_other_blocks_alone() {
    let x = plane();
    assert_eq!(tasks(&x.assign(s![0..3, 0..3], 1.0).unwrap(), 100), 2);
    assert_eq!(tasks(&x.assign(s![3..9, 3..9], 1.0).unwrap(), 100), 8);
    assert_eq!(tasks(&x.assign(s![5..5, ..], 1.0).unwrap(), 100), 0);
    assert_eq!(line().assign_at([5], 0, -1).unwrap().chunks(), line().chunks());
}

#[test]
fn a_lazy_index_out_of_range_is_an_error_when_it_is_computed() {
    let index = &arange::<i64>(0, 4, 1).unwrap().rechunk(2).unwrap() * 3;
    let error = zeros::<f64>([9]).take(&index, 0).unwrap().compute_on(&session()).unwrap_err();
    assert!(error.to_string().contains("index 9 is out of range for axis 0 of length 9"), "{error}");
}

#[test]
fn what_is_filtered_goes_on() {
    let x = line();
    let kept = x.filter(&x.greater(500)).unwrap();
    assert_eq!(kept.shape().ok(), None);
    let total = (&kept * 2).sum(..).unwrap().item().unwrap().compute_on(&session()).unwrap();
    assert_eq!(total, (501..1000).map(|x| 2 * x).sum::<i64>());
    // Two arrays that one mask leaves are equally long.
    let both = (&kept + &(&x * 10).filter(&x.greater(500)).unwrap()).compute_on(&session()).unwrap();
    assert_eq!((both[[0]], both.len()), (501 * 11, 499));
    let persisted = kept.persist_on(&session()).unwrap();
    assert_eq!(persisted.shape().unwrap(), [499]);
    let of_rows = plane().filter(&plane().sum(1).unwrap().equal(0.0)).unwrap();
    assert_eq!(of_rows.persist_on(&session()).unwrap().shape().unwrap(), [60, 60]);
}
