//! What must be true of simulated runs, whatever the graph.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use talatat_cluster::simulator::{Bound, Machines, Rates, Simulated, simulate, workloads};
use talatat_cluster::units::{Costs, CutOptions, Rate, Units};
use talatat_graph::testing::{random_graph, tree_graph};
use talatat_graph::{Plan, PlanOptions};

/// A plan cut into units of a few tasks of a millisecond each.
fn cut(seed: u64, tasks: usize) -> (Arc<Plan>, Units) {
    let plan = Arc::new(Plan::new(random_graph(seed, tasks), &PlanOptions::default()).unwrap());
    let rate = Rate { task: Duration::from_millis(1), bytes_per_second: 1e12 };
    let options = CutOptions { shortest: Duration::from_millis(2), ..CutOptions::slots(4) };
    let units = Units::cut(&plan, &Costs::default().otherwise(rate), &options);
    (plan, units)
}

fn run(plan: &Plan, units: &Units, machines: Machines, rates: &Rates) -> Simulated {
    simulate(plan, units, &units.seconds(), machines, rates).unwrap()
}

/// Sums of times are rounded.
const EPSILON: f64 = 1e-9;

fn rates() -> impl Strategy<Value = Rates> {
    (0.0..5e-3, 0.0..1e-3, 0.0..0.1, 0.0..5e-3, 1.0..1e4_f64, any::<bool>()).prop_map(
        |(unit, edge, round_trip, latency, bandwidth, parts)| Rates {
            unit,
            edge,
            round_trip,
            latency,
            bandwidth,
            parts,
        },
    )
}

proptest! {
    /// On one slot: what the units take, and at most all that the engine and the driver take on top.
    #[test]
    fn one_worker_takes_the_sum(seed in 0_u64..100_000, tasks in 1_usize..150, rates in rates()) {
        let (plan, units) = cut(seed, tasks);
        let found = run(&plan, &units, Machines::new(1), &rates);
        let sum: f64 = units.seconds().iter().sum();
        let outputs: std::collections::BTreeSet<_> = plan.graph().outputs().iter().collect();
        let gathered: u64 = outputs.into_iter().map(|&edge| plan.bytes_of(edge)).sum();
        let rest = found.engine + rates.round_trip + gathered as f64 / rates.bandwidth;
        prop_assert!(found.elapsed >= sum - EPSILON && found.elapsed <= sum + rest + EPSILON, "{found:?}, {sum}");
        prop_assert_eq!(found.sent, 0, "there is nobody to send anything to");
    }

    /// Whatever the machines, nothing is faster than the engine, the longest chain, the work shared out, the busiest link.
    #[test]
    fn nothing_beats_its_bounds(seed in 0_u64..100_000, tasks in 1_usize..150, workers in 1_usize..40, threads in 1_usize..4, rates in rates()) {
        let (plan, units) = cut(seed, tasks);
        let found = run(&plan, &units, Machines { workers, threads }, &rates);
        for bound in [found.engine, found.chain, found.work, found.link] {
            prop_assert!(found.elapsed >= bound - EPSILON, "{found:?}");
        }
        prop_assert!((found.engine - (units.units.len() as f64 * rates.unit + edges(&units) as f64 * rates.edge)).abs() < EPSILON);
        prop_assert_eq!(found, run(&plan, &units, Machines { workers, threads }, &rates), "the same again");
    }

    /// Where nothing has to be sent, more machines cost nothing beyond what the engine takes: a unit waits for the engine, for units that it
    /// reads, or while all slots are busy (Graham's bound).
    #[test]
    fn machines_are_not_idle_without_reason(seed in 0_u64..100_000, tasks in 1_usize..150, workers in 1_usize..60, unit in 0.0..5e-3) {
        let (plan, units) = cut(seed, tasks);
        let found = run(&plan, &units, Machines::new(workers), &Rates { unit, ..Rates::FREE });
        prop_assert!(found.elapsed <= found.engine + found.work + found.chain + EPSILON, "{found:?}");
    }
}

fn edges(units: &Units) -> usize {
    let sources = |unit: &talatat_cluster::units::Unit| {
        let read = unit.inputs.iter().map(|input| match input.source {
            talatat_cluster::units::Source::Unit { unit, .. } => unit,
            other => panic!("{other:?}"),
        });
        read.collect::<std::collections::BTreeSet<u32>>().len()
    };
    units.units.iter().map(sources).sum()
}

#[test]
fn independent_units_scale_until_the_engine_is_busy() {
    let plan = Plan::new(tree_graph(4096, 4096), &PlanOptions::default()).unwrap();
    let costs = Costs::default().otherwise(Rate { task: Duration::from_millis(100), bytes_per_second: 1e12 });
    let units = Units::cut(&plan, &costs, &CutOptions::slots(512));
    let time = |workers| run(&plan, &units, Machines::new(workers), &Rates { edge: 0.0, ..Rates::MEASURED });
    let one = time(1);
    for workers in [2, 4, 8, 16] {
        let faster = one.elapsed / time(workers).elapsed;
        assert!((0.9 * workers as f64..=workers as f64).contains(&faster), "{workers}: {faster}");
    }
    // 4097 units of 1.6 ms each are 6.6 s for the engine, however many machines there are.
    let many = time(10_000);
    assert_eq!((one.bound(), many.bound()), (Bound::Work, Bound::Engine));
    assert!(many.elapsed < many.engine + 0.5, "{many:?}");
}

/// A shuffle sends each result to each worker that reads a part of it; that is what more workers do not help against.
#[test]
fn shuffles_are_bound_by_the_network() {
    let plan = workloads::rechunk(&workloads::named, 40, 1 << 28).unwrap();
    let time = |workers: usize| {
        let units = Units::cut(&plan, &workloads::costs(), &CutOptions::slots(workers));
        run(&plan, &units, Machines::new(workers), &Rates::MEASURED)
    };
    assert_eq!(time(1).sent, 0);
    let (few, many) = (time(4), time(40));
    assert!(few.sent > 2 * 40 * (1 << 28) && many.sent > few.sent, "{few:?} {many:?}");
    assert_eq!(many.bound(), Bound::Network);
    let units = Units::cut(&plan, &workloads::costs(), &CutOptions::slots(40));
    let parts = run(&plan, &units, Machines::new(40), &Rates { parts: true, ..Rates::MEASURED });
    // Of each result 39 of 40 parts leave their worker at most.
    assert!(parts.sent <= 40 * (1 << 28) && parts.elapsed < many.elapsed / 4.0, "{parts:?}");
}

#[test]
fn workloads_have_the_shapes_that_they_say() {
    let plans = [
        workloads::tree_sum(&workloads::named, 64),
        workloads::transposed(&workloads::named, 4, 100),
        workloads::rechunk(&workloads::named, 8, 100),
        workloads::join(&workloads::named, 8, 100),
    ];
    let rows = plans.map(|plan| {
        let rows = plan.unwrap().operations().into_iter().map(|row| format!("{} {}", row.tasks, row.operation));
        rows.collect::<Vec<_>>().join(", ")
    });
    insta::assert_snapshot!(rows.join("\n"), @r"
    64 load, 9 sum
    16 load, 16 add > sum, 3 sum
    8 load > split, 8 merge > sum, 1 sum
    16 load > split, 8 join > sum, 1 sum
    ");
}
