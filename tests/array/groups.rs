//! Groups along an axis: against each group taken by itself, and how they are computed.

use ndarray::{ArrayD, Axis, IxDyn};
use proptest::prelude::*;
use talatat::array::{Array, from_ndarray, zeros};
use talatat::prelude::*;

use crate::oracle::{check, everywhere};
use crate::shapes::graphs::{line, session, tasks};
use crate::shapes::properties::array;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn groups_are_as_each_by_itself((data, x) in array(), labels in prop::collection::vec(prop::option::weighted(0.8, 0_i32..4), 8), axis in 0_usize..3) {
        let axis = axis % data.ndim();
        let labels: Vec<Option<i32>> = (0..data.shape()[axis]).map(|at| labels[at % 8]).collect();
        let groups = x.groupby_some(&labels, axis as isize).unwrap();
        let members: Vec<Vec<usize>> =
            groups.labels().iter().map(|label| (0..labels.len()).filter(|&at| labels[at] == Some(*label)).collect()).collect();
        prop_assert_eq!(groups.counts(), members.iter().map(Vec::len).collect::<Vec<_>>());
        prop_assume!(!members.is_empty());
        let of_each = |reduce: &dyn Fn(ArrayD<i64>) -> ArrayD<i64>| {
            let parts: Vec<ArrayD<i64>> = members.iter().map(|members| reduce(data.select(Axis(axis), members)).insert_axis(Axis(axis))).collect();
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            ndarray::concatenate(Axis(axis), &views).unwrap()
        };
        check(&groups.sum().unwrap(), of_each(&|part| part.sum_axis(Axis(axis))));
        check(&groups.max().unwrap(), of_each(&|part| part.fold_axis(Axis(axis), i64::MIN, |a, b| *a.max(b))));
        check(&groups.first().unwrap(), of_each(&|part| part.index_axis(Axis(axis), 0).to_owned()));
        check(&groups.last().unwrap(), of_each(&|part| part.index_axis(Axis(axis), part.shape()[axis] - 1).to_owned()));
        let by_function = groups.map(|part| part.sum(axis)).unwrap();
        prop_assert_eq!(everywhere(&by_function), everywhere(&groups.sum().unwrap()));
        // The bits of floats do not depend on the chunks.
        let floats = &x.astype::<f64>() / 7.0;
        let whole = from_ndarray(everywhere(&floats), -1_i64).unwrap();
        prop_assert_eq!(everywhere(&floats.groupby_some(&labels, axis as isize).unwrap().mean().unwrap()),
            everywhere(&whole.groupby_some(&labels, axis as isize).unwrap().mean().unwrap()));
        if labels.iter().all(Option::is_some) {
            let sums = groups.spread(&groups.sum().unwrap()).unwrap();
            let code = |at: usize| groups.labels().binary_search(&labels[at].unwrap()).unwrap();
            let sum = of_each(&|part| part.sum_axis(Axis(axis)));
            let order: Vec<usize> = (0..labels.len()).map(code).collect();
            check(&sums, sum.select(Axis(axis), &order));
        } else {
            prop_assert!(groups.anomaly().is_err());
        }
    }
}

#[test]
fn the_way_is_chosen_by_where_the_groups_are() {
    let strategy = |labels: Vec<usize>| {
        let x = line();
        let sums = x.groupby(labels, 0).unwrap().sum().unwrap();
        let text = session().explain(&sums).unwrap().to_string();
        (["within blocks", "cohorts", "map and reduce"].into_iter().find(|way| text.contains(way)), tasks(&sums, 100))
    };
    // 1000 indices in 100 chunks of 10.
    assert_eq!(strategy((0..1000).map(|at| at / 10).collect()), (Some("within blocks"), 100));
    assert_eq!(strategy((0..1000).map(|at| at / 5).collect()), (Some("within blocks"), 100));
    assert_eq!(strategy((0..1000).map(|at| at / 50).collect()).0, Some("cohorts"));
    assert_eq!(strategy((0..1000).map(|at| at % 4).collect()), (Some("map and reduce"), 1));
    // Ten years of 100 days in chunks of 20: each cohort reads one chunk of each year.
    let years = zeros::<f32>([1000, 3]).rechunk([20, -1]).unwrap().persist_on(&session()).unwrap();
    let means = years.groupby((0..1000).map(|day| day % 100).collect::<Vec<_>>(), 0).unwrap().mean().unwrap();
    assert_eq!(means.numblocks(), [5, 1]);
    let text = session().explain(&means).unwrap().to_string();
    assert!(text.contains("5 cohorts of at most 10 of 50 chunks"), "{text}");
    // The groups of a cohort in their order are a chunk of the days: no task copies them.
    let anomaly = years.groupby((0..1000).map(|day| day % 100).collect::<Vec<_>>(), 0).unwrap().anomaly().unwrap();
    assert_eq!(tasks(&anomaly, 50), 5 + 50);
}

#[test]
fn many_bytes_are_reduced_block_by_block() {
    let session = crate::common::builder().executor(talatat::ExecutorChoice::Synchronous).build().unwrap();
    let x = zeros::<f64>([2000, 200_000]).rechunk([10, -1]).unwrap();
    let sums = x.groupby((0..2000).map(|at| at % 2).collect::<Vec<_>>(), 0).unwrap().sum().unwrap();
    let graph = session.graph(&sums).unwrap();
    // A state for each block, merged by eights, and a finish.
    assert!(graph.len() > 400, "{} tasks", graph.len());
    assert!(session.plan(&sums).unwrap().peak().bytes < 400 << 20);
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = zeros::<f64>([4, 3]);
    assert!(x.groupby([1, 2], 0).is_err());
    assert!(x.groupby([1, 2, 3], 2).is_err());
    assert!(x.segments([3, 2], 0).is_err() && x.segments([4, 0], 0).is_err());
    let groups = x.groupby([1, 1, 2, 2], 0).unwrap();
    assert!(groups.spread(&zeros::<f64>([3, 3])).is_err());
    let none: [Option<u8>; 4] = [None; 4];
    assert_eq!(x.groupby_some(none, 0).unwrap().sum().unwrap().shape().unwrap(), [0, 3]);
    let empty: Array<f64> = zeros([0, 2]);
    assert_eq!(
        everywhere(&empty.groupby(Vec::<i32>::new(), 0).unwrap().mean().unwrap()),
        ArrayD::<f64>::zeros(IxDyn(&[0, 2]))
    );
}
