//! What the graphs of arrays look like, and what files and other stores give back.

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use talatat::array::{self, AxisChunks, Chunks, Element, NpyWrite, arange, concatenate, from_ndarray, open_npy, zeros};
use talatat::prelude::*;
use talatat::{ExecutorChoice, Session};

use crate::common::builder;
use crate::oracle::{check, run};

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

fn lengths(shape: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=shape, 0..6).prop_map(move |mut cuts| {
        cuts.extend([0, shape]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    })
}

fn cut(axes: &[Vec<usize>]) -> Chunks {
    Chunks::PerAxis(axes.iter().cloned().map(AxisChunks::Lengths).collect())
}

proptest! {
    #[test]
    fn a_rechunk_is_at_most_p_plus_q_tasks(from in [lengths(9), lengths(7)], to in [lengths(9), lengths(7)]) {
        let data = ArrayD::from_shape_fn(IxDyn(&[9, 7]), |at| (at[0] * 7 + at[1]) as i64);
        // Persisted blocks stay cut as they are.
        let x = from_ndarray(data.clone(), cut(&from)).unwrap().persist_on(&session()).unwrap();
        let y = x.rechunk(cut(&to)).unwrap();
        let (p, q) = (x.npartitions(), y.npartitions());
        let sources = session().graph(&x).unwrap().len();
        let tasks = session().graph(&y).unwrap().len();
        prop_assert!(tasks - sources <= p + q, "{p} to {q} blocks took {} tasks", tasks - sources);
        prop_assert_eq!(run(&y, &session()).unwrap(), data);
    }
}

#[test]
fn many_to_many() {
    // Rows to columns, where each block meets each: 100 x 100 edges, 200 tasks.
    let x = zeros::<f32>([100, 60_000]).rechunk([1, -1]).unwrap().persist_on(&session()).unwrap();
    let made = x.map_blocks::<f32, _>(|_, block| block.to_owned()).unwrap();
    assert_eq!(session().graph(&made.rechunk([-1, 600]).unwrap()).unwrap().len(), 100 + 100 + 200);
    // What is kept is read by each of the 100 that make the result.
    assert_eq!(session().graph(&x.rechunk([-1, 600]).unwrap()).unwrap().len(), 100 + 100);
    // Parts of one element go over a grid in between: more tasks, a quarter of the edges.
    let x = arange::<f64>(0.0, 10_000.0, 1.0).unwrap().reshape([100, 100]).unwrap().rechunk([1, -1]).unwrap();
    let x = x.persist_on(&session()).unwrap();
    let y = x.rechunk([-1, 1]).unwrap();
    let graph = session().graph(&y).unwrap();
    assert_eq!((graph.len(), graph.edge_count()), (100 + 400, 2200));
    check(&y, ArrayD::from_shape_fn(IxDyn(&[100, 100]), |at| (at[0] * 100 + at[1]) as f64));
}

#[test]
fn a_concatenation_makes_no_tasks() {
    let part =
        |start: i64| arange::<i64>(start, start + 4, 1).unwrap().rechunk(2).unwrap().persist_on(&session()).unwrap();
    let parts = [part(0), part(4), part(8)];
    let joined = concatenate(&parts, 0).unwrap();
    assert_eq!(session().graph(&joined).unwrap().len(), 6);
    check(&joined, ArrayD::from_shape_fn(IxDyn(&[12]), |at| at[0] as i64));
}

#[test]
fn a_chain_that_ends_in_a_sum_is_one_task_a_block() {
    let x = zeros::<f64>([1000, 1000]).rechunk([250, -1]).unwrap().persist_on(&session()).unwrap();
    let total = ((&x + 1.0).sqrt()).sum(..).unwrap();
    insta::assert_snapshot!(session().plan(&total).unwrap().to_string(), @r"
    cull     10 -> 10 tasks
    dedupe   10 -> 10 tasks
    fuse     10 -> 5 tasks
    check    5 -> 5 tasks
    order    5 -> 5 tasks
    operation                               tasks       reads       makes     largest
    persisted > sum of sqrt(add(x0, 1))         4         0 B     4.1 KiB   129.0 KiB
    sum combine > sum finish                    1     4.1 KiB         8 B     1.0 KiB
    projected peak 132.1 KiB in persisted > sum of sqrt(add(x0, 1)), no limit
    ");
}

#[test]
fn an_explanation_tells_rules_cuts_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy").display().to_string();
    let data = ArrayD::from_shape_fn(IxDyn(&[40, 30]), |at| (at[0] * 30 + at[1]) as f64);
    session().scope(|| from_ndarray(data, 20).unwrap().to_npy(&path)).unwrap();
    let x = open_npy::<f64>(&path, [10, -1]).unwrap();
    let y = (&x + 1.0).slice(ndarray::s![..20, ..]).unwrap().sqrt();
    let explained = session().explain(&y).unwrap();
    let rules: Vec<&str> = explained.rewrites().map(|(rule, _)| rule).collect();
    assert_eq!(rules, ["slice", "blockwise"]);
    let after_slice = explained.rewrites().next().unwrap().1.to_string();
    assert!(after_slice.lines().last().is_some_and(|line| line.contains("[0..20")), "{after_slice}");
    // A half of the file.
    assert_eq!(
        (explained.storage().read, explained.storage().written, explained.storage().estimated),
        (4800, 0, false)
    );
    let text = explained.to_string();
    assert!(text.contains("rewritten by slice, blockwise\n"), "{text}");
    assert!(text.contains("axis 0 in 2, axis 1 whole, 2 blocks: npy "), "{text}");
    assert!(format!("{explained:#}").contains("after slice\n"), "{explained:#}");
    let write = NpyWrite::new(&y, folder.path().join("y.npy").to_str().unwrap()).unwrap();
    assert_eq!(session().explain(&write).unwrap().storage().written, 4800);
}

#[test]
fn omitted_arrays_are_shared_whatever_reads_them() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let x = zeros::<f64>([8, 4]).rechunk([2, 4]).unwrap();
    let x = x
        .map_blocks::<f64, _>(|_, block| {
            MADE.fetch_add(1, SeqCst);
            block.mapv(|x| x + 1.0)
        })
        .unwrap();
    let y = (x.slice(ndarray::s![1..7, ..]).unwrap() * 2.0).sum(..).unwrap();
    let copied = talatat::graph_manipulation::clone(y.clone()).omit(x.clone());
    let (_, one, other) = (x, y, copied).compute_on(&session()).unwrap();
    assert_eq!((one.first(), other.first()), (Some(&48.0), Some(&48.0)));
    assert_eq!(MADE.load(SeqCst), 4);
}

#[test]
fn equal_calls_are_computed_once() {
    let make = || array::normal(0.0, 1.0, [40, 40], 7).unwrap().rechunk(10).unwrap().exp();
    let one = session().graph(&make()).unwrap().len();
    assert_eq!(session().plan(&(make() + make())).unwrap().graph().len(), one);
    let (mean, spread) = (make().mean(..).unwrap(), make().std(..).unwrap());
    let (mean, spread) = compute_all((mean, spread)).unwrap();
    assert_eq!(mean, make().mean(..).unwrap().compute().unwrap());
    assert_eq!(spread, make().std(..).unwrap().compute().unwrap());
}

#[test]
fn only_what_is_needed_is_made() {
    let x = array::uniform(0.0, 1.0, [1000, 1000], 3).unwrap().rechunk(100).unwrap().exp();
    let corner = x.slice(ndarray::s![..5, ..5]).unwrap().sum(..).unwrap();
    assert!(session().plan(&corner).unwrap().graph().len() <= 3, "{}", session().plan(&corner).unwrap());
}

#[test]
fn a_deep_chain() {
    // Neither building, rewriting, lowering nor dropping recurses.
    let mut x = from_ndarray(ndarray::Array1::<f64>::zeros(8), 4).unwrap();
    for _ in 0..20_000 {
        x = x + 1.0;
    }
    assert_eq!(x.compute_on(&session()).unwrap()[[7]], 20_000.0);
}

fn round_trip<T: Element>(values: Vec<T>) {
    let folder = tempfile::tempdir().unwrap();
    for (number, shape) in [vec![values.len()], vec![values.len(), 1], vec![0, 3], vec![]].into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.npy"));
        let path = path.to_str().unwrap();
        let count = shape.iter().product();
        let data = ArrayD::from_shape_vec(IxDyn(&shape), values.iter().copied().cycle().take(count).collect()).unwrap();
        from_ndarray(data.clone(), 2).unwrap().to_npy(path).unwrap();
        let chunks = shape.iter().map(|_| AxisChunks::Length(3)).collect::<Vec<_>>();
        check(&open_npy::<T>(path, chunks).unwrap(), data);
    }
}

#[test]
fn npy_round_trips() {
    round_trip(vec![true, false, true, true]);
    round_trip(vec![i8::MIN, 0, i8::MAX]);
    round_trip(vec![i16::MIN, 0, i16::MAX]);
    round_trip(vec![i32::MIN, 0, i32::MAX]);
    round_trip(vec![i64::MIN, 0, i64::MAX]);
    round_trip(vec![0, u8::MAX]);
    round_trip(vec![0, u16::MAX]);
    round_trip(vec![0, u32::MAX]);
    round_trip(vec![0, u64::MAX]);
    round_trip(vec![f32::MIN, -0.0, f32::NAN, f32::INFINITY]);
    round_trip(vec![f64::MIN, -0.0, f64::NAN, f64::INFINITY, 5e-324]);
}

#[test]
fn slices_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let path = path.to_str().unwrap();
    let data = ArrayD::from_shape_fn(IxDyn(&[6, 5]), |at| (at[0] * 5 + at[1]) as f32);
    from_ndarray(data.clone(), 2).unwrap().to_npy(path).unwrap();
    let x = open_npy::<f32>(path, (2, -1)).unwrap();
    let of = |part: ndarray::ArrayViewD<'_, f32>| part.to_owned();
    check(&x.slice(ndarray::s![1..5, 2..]).unwrap(), of(data.slice(ndarray::s![1..5, 2..]).into_dyn()));
    check(&x.slice(ndarray::s![4, ..;-1]).unwrap(), of(data.slice(ndarray::s![4, ..;-1]).into_dyn()));
    check(&x.slice(ndarray::s![..;2, ..]).unwrap(), of(data.slice(ndarray::s![..;2, ..]).into_dyn()));
    check(
        &x.slice(ndarray::s![1.., ..]).unwrap().slice(ndarray::s![1.., 1..]).unwrap(),
        of(data.slice(ndarray::s![2.., 1..]).into_dyn()),
    );
    check(&x.rechunk([4, 2]).unwrap().t(), data.t().to_owned());
    check(&x.slice(ndarray::s![..;-2, 1..;3]).unwrap(), of(data.slice(ndarray::s![..;-2, 1..;3]).into_dyn()));
    check(
        &x.slice(ndarray::s![..;-2, ..]).unwrap().rechunk([1, 4]).unwrap().slice(ndarray::s![1.., ..;-3]).unwrap().t(),
        of(data.slice(ndarray::s![..4;-2, ..]).slice(ndarray::s![.., ..;-3]).t().into_dyn()),
    );
    // The slice is read, not cut out of what was read: no other task, and no block larger than its result.
    let few = x.slice(ndarray::s![..;-3, ..;2]).unwrap();
    let plan = session().plan(&few).unwrap();
    assert_eq!((plan.graph().len(), few.npartitions()), (2, 2), "{plan}");
    assert_eq!(plan.peak().bytes, few.nbytes().unwrap(), "{plan}");
}
