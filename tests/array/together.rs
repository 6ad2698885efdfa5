//! Several arrays in one graph: rewritten together, what they share is computed once.

use insta::assert_snapshot;
use ndarray::s;
use proptest::prelude::*;
use talatat::array::{self, Array, from_ndarray};
use talatat::delayed::delayed;
use talatat::{Compute, ExecutorChoice, Session, compute_all_on};

use crate::common::builder;
use crate::oracle::{SESSIONS, all_bits};

fn session() -> Session {
    builder().executor(ExecutorChoice::Synchronous).build().unwrap()
}

/// An array in memory, in four blocks of whole rows.
fn rows() -> Array<f64> {
    let data = ndarray::Array2::from_shape_fn((8, 3), |(i, j)| (i * 3 + j) as f64);
    from_ndarray(data, [2, 3]).unwrap()
}

#[test]
fn what_is_dear_is_computed_once_for_all() {
    let chain = (rows() + 1.0).exp();
    let both = (chain.mean(..).unwrap(), chain.std(..).unwrap());
    assert_snapshot!(session().plan(&both).unwrap().to_string(), @r"
    cull     20 -> 20 tasks
    dedupe   20 -> 20 tasks
    fuse     20 -> 14 tasks
    check    14 -> 14 tasks
    order    14 -> 14 tasks
    operation                              tasks       reads       makes     largest
    memory > blockwise exp(add(x0, 1))         4         0 B       192 B        48 B
    mean of blocks                             4       192 B     4.2 KiB   129.0 KiB
    mean combine > mean finish                 1     4.2 KiB         8 B     1.0 KiB
    std of blocks                              4       192 B     4.4 KiB   129.1 KiB
    std combine > std finish                   1     4.4 KiB         8 B     1.1 KiB
    projected peak 132.4 KiB in std of blocks, no limit
    ");
    // Alone, each computes the chain on the way to its sums.
    assert_snapshot!(session().plan(&both.0).unwrap().to_string(), @r"
    cull     10 -> 10 tasks
    dedupe   10 -> 10 tasks
    fuse     10 -> 5 tasks
    check    5 -> 5 tasks
    order    5 -> 5 tasks
    operation                            tasks       reads       makes     largest
    memory > mean of exp(add(x0, 1))         4         0 B     4.2 KiB   129.0 KiB
    mean combine > mean finish               1     4.2 KiB         8 B     1.0 KiB
    projected peak 132.2 KiB in memory > mean of exp(add(x0, 1)), no limit
    ");
}

#[test]
fn what_is_cheap_is_computed_by_each() {
    let chain = rows() * 2.0 + 1.0;
    let both = (chain.mean(..).unwrap(), chain.std(..).unwrap());
    assert_snapshot!(session().plan(&both).unwrap().to_string(), @r"
    cull     16 -> 16 tasks
    dedupe   16 -> 16 tasks
    fuse     16 -> 14 tasks
    check    14 -> 14 tasks
    order    14 -> 14 tasks
    operation                           tasks       reads       makes     largest
    memory                                  4         0 B         0 B         0 B
    mean of add(multiply(x0, 2), 1)         4         0 B     4.2 KiB   129.0 KiB
    mean combine > mean finish              1     4.2 KiB         8 B     1.0 KiB
    std of add(multiply(x0, 2), 1)          4         0 B     4.4 KiB   129.1 KiB
    std combine > std finish                1     4.4 KiB         8 B     1.1 KiB
    projected peak 132.4 KiB in std of add(multiply(x0, 2), 1), no limit
    ");
    // In one expression it is the same.
    let sum = chain.mean(..).unwrap() + chain.std(..).unwrap();
    assert_snapshot!(session().plan(&sum).unwrap().to_string(), @r"
    cull     17 -> 17 tasks
    dedupe   17 -> 17 tasks
    fuse     17 -> 15 tasks
    check    15 -> 15 tasks
    order    15 -> 15 tasks
    operation                           tasks       reads       makes     largest
    memory                                  4         0 B         0 B         0 B
    std of add(multiply(x0, 2), 1)          4         0 B     4.4 KiB   129.1 KiB
    std combine > std finish                1     4.4 KiB         8 B     1.1 KiB
    mean of add(multiply(x0, 2), 1)         4         0 B     4.2 KiB   129.0 KiB
    mean combine > mean finish              1     4.2 KiB         8 B     1.0 KiB
    blockwise add(x0, x1)                   1        16 B         8 B         8 B
    projected peak 132.4 KiB in std of add(multiply(x0, 2), 1), no limit
    ");
}

#[test]
fn an_explanation_of_two() {
    let chain = rows().exp();
    let both = (&chain + 1.0, &chain * 2.0);
    assert_snapshot!(session().explain(&both).unwrap(), @r"
    expression
      blockwise add(x0, 1): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
        blockwise exp(x0): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
          memory: float64 (8, 3) in chunks (2, 2, 2, 2) x 3
      blockwise multiply(x0, 2): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
        blockwise exp(x0): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
          memory: float64 (8, 3) in chunks (2, 2, 2, 2) x 3

    passes
      lowered: 16 tasks, 12 edges
             4  memory
             4  blockwise exp(x0)
             4  blockwise add(x0, 1)
             4  blockwise multiply(x0, 2)
      fuse: 16 -> 12 tasks, 12 -> 8 edges
        -      4  memory
        -      4  blockwise exp(x0)
        +      4  memory > blockwise exp(x0)
      order
        in another order

    plan
      cull     16 -> 16 tasks
      dedupe   16 -> 16 tasks
      fuse     16 -> 12 tasks
      check    12 -> 12 tasks
      order    12 -> 12 tasks
      operation                      tasks       reads       makes     largest
      memory > blockwise exp(x0)         4         0 B       192 B        48 B
      blockwise add(x0, 1)               4       192 B       192 B        48 B
      blockwise multiply(x0, 2)          4       192 B       192 B        48 B
      projected peak 432 B in blockwise multiply(x0, 2), no limit

    split
      axis 0 in 4, axis 1 whole, 4 blocks: memory; blockwise exp(x0); blockwise add(x0, 1); blockwise multiply(x0, 2)
    ");
    // What is shown is what was done: with the rules that were left on.
    let plain = builder().skip("blockwise").build().unwrap();
    assert_snapshot!(plain.explain(&both.0).unwrap().rewritten(), @r"
    blockwise add(x0, 1): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
      blockwise exp(x0): float64 (8, 3) in chunks (2, 2, 2, 2) x 3
        memory: float64 (8, 3) in chunks (2, 2, 2, 2) x 3
    ");
}

#[test]
fn pictures_reports_and_kept_blocks_of_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.dot");
    let total = rows().sum(..).unwrap().item().unwrap();
    session().scope(|| {
        let both = (rows(), total.clone(), delayed(|x: f64| x + 1.0).call(1.5));
        both.visualize(&path).unwrap();
        let ((data, sum, more), report) = both.compute_reported().unwrap();
        assert_eq!((data.sum(), sum, more), (276.0, 276.0, 2.5));
        let plan = both.plan().unwrap();
        let (kept, sum, more) = both.persist().unwrap();
        assert_eq!(report.operations.iter().map(|operation| operation.tasks).sum::<usize>(), plan.graph().len());
        assert_eq!(kept.plan().unwrap().graph().len(), 4, "blocks that are there");
        assert_eq!((kept.compute().unwrap(), sum.compute().unwrap(), more.compute().unwrap()), (data, 276.0, 2.5));
        let many = vec![rows(), rows() + 1.0].persist().unwrap();
        assert_eq!(many[1].compute().unwrap()[[7, 2]], 24.0);
    });
    assert!(std::fs::read_to_string(path).unwrap().contains("->"));
}

/// Arrays that have much in common, each read in its own way.
fn family(x: &Array<f64>, choice: &[usize]) -> Vec<Array<f64>> {
    let (cheap, dear) = (x * 2.0 + 1.0, (x * 2.0 + 1.0).exp());
    let centred = &dear - dear.mean(0).unwrap();
    let all = [
        cheap.clone(),
        dear.clone(),
        cheap.sum(0).unwrap(),
        dear.std(..).unwrap(),
        dear.mean(0).unwrap(),
        dear.slice(s![1.., ..;2]).unwrap(),
        cheap.t().slice(s![.., 0]).unwrap(),
        centred.clone(),
        centred.sum(1).unwrap() + cheap.mean(1).unwrap(),
        dear.t().rechunk(2).unwrap(),
        array::concatenate(&[cheap, dear], 0).unwrap(),
    ];
    choice.iter().map(|&at| all[at % all.len()].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Together or one by one, on every executor and with each rule and pass left out: the same bits.
    #[test]
    fn together_is_as_one_by_one(
        rows in 2_usize..7,
        columns in 1_usize..6,
        chunks in [1_usize..4, 1_usize..4],
        choice in prop::collection::vec(0_usize..11, 1..7),
    ) {
        let data = ndarray::Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 31 + j * 17) % 23) as f64 / 7.0 - 1.0);
        let arrays = family(&from_ndarray(data, chunks).unwrap(), &choice);
        let alone: Vec<_> = arrays.iter().map(|array| all_bits(&array.compute_on(&session()).unwrap())).collect();
        for named in SESSIONS.iter() {
            let together = compute_all_on(&named.session, &arrays[..]).unwrap();
            let together: Vec<_> = together.iter().map(all_bits).collect();
            prop_assert_eq!(&together, &alone, "{}", named.name);
        }
    }
}
