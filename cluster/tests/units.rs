//! Plans cut into units, sent as bytes and run one by one, give what they give in one piece.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use talatat_cluster::testing::Act;
use talatat_cluster::units::{Costs, CutOptions, Rate, Source, Units};
use talatat_cluster::wire::{Held, UnitData, pack};
use talatat_cluster::worker::{FailureKind, Worker};
use talatat_graph::testing::{Rng, graph_of, random_graph, registry, tree_graph};
use talatat_graph::{
    Edge, Error, Executor, GraphBuilder, Key, Layer, Plan, PlanOptions, RunContext, Synchronous, TaskGraph, Value,
    closure_kernel,
};

fn plan(graph: TaskGraph) -> Arc<Plan> {
    Arc::new(Plan::new(graph, &PlanOptions::default()).unwrap())
}

/// Options under which even the smallest graphs are cut: a unit of about `tasks` tasks.
fn small(tasks: u32) -> (Costs, CutOptions) {
    let rate = Rate { task: Duration::from_millis(1), bytes_per_second: 1e15 };
    let longest = Duration::from_millis(1) * tasks;
    let options = CutOptions { slots: 2, per_slot: 1, shortest: Duration::ZERO, longest };
    (Costs::default().measured("testing.sum", rate).measured("graph.fused", rate), options)
}

/// Runs units one after the other, each from bytes.
fn run(plan: &Plan, units: &Units) -> Vec<Value> {
    let worker = Worker::new(Arc::new(registry()), Synchronous);
    let mut done: Vec<Vec<Value>> = Vec::new();
    for (number, unit) in (0..).zip(&units.units) {
        let held = |_| -> talatat_graph::Result<Held<u32>> { unreachable!("nothing is held") };
        let packed = pack(plan, unit, (7, number), &registry(), |unit| unit, held).unwrap();
        assert!(packed.dependencies.iter().all(|&other| other < number));
        let other = |dependency: u32, output: u32| {
            Ok(done[packed.dependencies[dependency as usize] as usize][output as usize].clone())
        };
        let (values, report) = worker.run(&packed.bytes, other, true).unwrap();
        assert_eq!((report.run, report.unit, report.tasks.len()), (7, number, unit.tasks.len()));
        done.push(values);
    }
    let read = |input: &talatat_cluster::units::Input| match input.source {
        Source::Unit { unit, output } => {
            let value = &done[unit as usize][output as usize];
            input.part.map_or(value, |part| value.part(part).unwrap()).clone()
        }
        Source::Held(_) | Source::Last(_) => unreachable!("all tasks are in units"),
    };
    units.outputs.iter().map(read).collect()
}

fn text(values: &[Value]) -> String {
    format!("{values:?}")
}

proptest! {
    #[test]
    fn units_are_a_partition_without_cycles(seed in 0_u64..100_000, tasks in 1_usize..120, size in 1_u32..40) {
        let plan = plan(random_graph(seed, tasks));
        let (costs, options) = small(size);
        let units = Units::cut(&plan, &costs, &options);
        let mut all: Vec<_> = units.units.iter().flat_map(|unit| unit.tasks.iter().copied()).collect();
        all.sort_unstable();
        prop_assert_eq!(all, plan.graph().tasks().collect::<Vec<_>>());
        for (number, unit) in (0_u32..).zip(&units.units) {
            prop_assert!(!unit.tasks.is_empty() && unit.tasks.is_sorted());
            for input in &unit.inputs {
                let Source::Unit { unit: other, output } = input.source else { panic!("nothing is held") };
                prop_assert!(other < number, "a unit reads only units before it");
                let made = units.units[other as usize].outputs[output as usize];
                prop_assert_eq!(made.task, input.edge.task);
                prop_assert_eq!(made.part().or(input.part), input.edge.part());
            }
        }
    }

    #[test]
    fn unit_by_unit_is_the_same(seed in 0_u64..100_000, tasks in 1_usize..120, size in 1_u32..40) {
        let plan = plan(random_graph(seed, tasks));
        let (costs, options) = small(size);
        let whole = Synchronous.execute(plan.clone(), &RunContext::default()).unwrap();
        prop_assert_eq!(text(&run(&plan, &Units::cut(&plan, &costs, &options))), text(&whole));
    }

    #[test]
    fn a_tree_of_any_size(leaves in 1_usize..3000, arity in 2_usize..20, size in 1_u32..200) {
        let plan = plan(tree_graph(leaves, arity));
        let (costs, options) = small(size);
        let whole = Synchronous.execute(plan.clone(), &RunContext::default()).unwrap();
        prop_assert_eq!(text(&run(&plan, &Units::cut(&plan, &costs, &options))), text(&whole));
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let worker = Worker::new(Arc::new(registry()), Synchronous);
        if let Err(failure) = worker.run(&bytes, |_, _| Ok(Value::I64(1)), false) {
            prop_assert!(!failure.message.is_empty());
        }
    }

    #[test]
    fn mutated_units_do_no_harm(seed in 0_u64..1000, at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..4)) {
        let plan = plan(random_graph(seed, 30));
        let (costs, options) = small(12);
        let units = Units::cut(&plan, &costs, &options);
        let number = Rng::new(seed).below(units.units.len());
        let held = |_| -> talatat_graph::Result<Held<u32>> { unreachable!("nothing is held") };
        let mut unit = pack(&plan, &units.units[number], (7, 0), &registry(), |unit| unit, held).unwrap().bytes;
        let at = at.index(unit.len());
        unit.splice(at..(at + 1).min(unit.len()), bytes);
        // It may still be a unit, and then a graph; kernels are not run, as their parameters may be anything now.
        let graph = UnitData::decode(&unit).and_then(|unit| unit.graph(&registry(), |_, _| Ok(Value::I64(1))));
        if let Err(error) = graph {
            prop_assert!(matches!(error, Error::NotPortable { .. } | Error::InvalidGraph(_)), "{error:?}");
        }
    }
}

/// P + Q units, whatever P x Q is; each of the second kind reads one part of each of the first.
#[test]
fn a_shuffle_is_as_many_units_as_blocks() {
    const BYTES: u64 = 200 << 20;
    let mut graph = GraphBuilder::new();
    let kernel = |name: &str| Arc::new(closure_kernel(name, |_, _| Ok(Value::Unit)));
    let split = graph.layer(Layer::new(Key::of("split", &[]), kernel("split")));
    let join = graph.layer(Layer::new(Key::of("join", &[]), kernel("join")));
    let (from, to) = (6, 9);
    let sources: Vec<_> = (0..from).map(|block| graph.task(split, block, BYTES, &[]).unwrap()).collect();
    for block in 0..to {
        let parts: Vec<Edge> = sources.iter().map(|&source| Edge::part_of(source, block)).collect();
        let joined = graph.task(join, block, BYTES, &parts).unwrap();
        graph.output(joined.into());
    }
    let plan = plan(graph.build());
    let units = Units::cut(&plan, &Costs::default(), &CutOptions::slots(4));
    assert_eq!(units.units.len(), (from + to) as usize);
    assert!(units.units[..6].iter().all(|unit| unit.inputs.is_empty() && unit.outputs.len() == 9));
    assert!(units.units[6..].iter().all(|unit| unit.inputs.len() == 6 && unit.outputs.len() == 1));
}

#[test]
fn a_closure_is_refused_with_its_name() {
    let mut graph = GraphBuilder::new();
    let kernel = Arc::new(closure_kernel("my_secret", |_, _| Ok(Value::Unit)));
    let layer = graph.layer(Layer::new(Key::of("my_secret", &[]), kernel));
    let task = graph.task(layer, 0, 1, &[]).unwrap();
    graph.output(task.into());
    let plan = plan(graph.build());
    let units = Units::cut(&plan, &Costs::default(), &CutOptions::default());
    let held = |_| -> talatat_graph::Result<Held<u32>> { unreachable!("nothing is held") };
    let error = pack(&plan, &units.units[0], (0, 0), &registry(), |unit| unit, held).unwrap_err();
    assert!(error.to_string().starts_with("my_secret cannot be serialized"), "{error}");
}

#[test]
fn cancelled_runs_stay_cancelled() {
    let plan = plan(graph_of(&[("read", &[]), ("add", &[0])], &[1]));
    let units = Units::cut(&plan, &Costs::default(), &CutOptions::default());
    let held = |_| -> talatat_graph::Result<Held<u32>> { unreachable!("nothing is held") };
    let unit = pack(&plan, &units.units[0], (9, 0), &registry(), |unit| unit, held).unwrap();
    let worker = Worker::new(Arc::new(registry()), Synchronous);
    worker.cancel(9);
    let failure = worker.run(&unit.bytes, |_, _| Ok(Value::Unit), false).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert_eq!(UnitData::decode(&unit.bytes).unwrap().run, 9);
}

/// The packed units of a plan that is one unit.
fn single(plan: &Plan, registry: &talatat_graph::Registry) -> Vec<u8> {
    let units = Units::cut(
        plan,
        &Costs::default(),
        &CutOptions { shortest: Duration::from_secs(1000), ..CutOptions::default() },
    );
    assert_eq!(units.units.len(), 1);
    let held = |_| -> talatat_graph::Result<Held<u32>> { unreachable!("nothing is held") };
    pack(plan, &units.units[0], (9, 0), registry, |unit| unit, held).unwrap().bytes
}

#[test]
fn a_unit_larger_than_memory_goes_to_the_disk() {
    const BYTES: usize = 1 << 20;
    let mut graph = GraphBuilder::new();
    let blob = graph.layer(Layer::new(Key::of("blob", &[]), Arc::new(Act::Blob(BYTES))));
    let first = graph.layer(Layer::new(Key::of("first", &[]), Arc::new(Act::First)));
    let blobs: Vec<Edge> = (0..12).map(|block| graph.task(blob, block, BYTES as u64, &[]).unwrap().into()).collect();
    // Each is read early and late, so that all of them are wanted at once.
    let mut ends: Vec<Edge> = Vec::new();
    for pair in blobs.chunks(2).chain([&blobs[..2]]) {
        ends.push(graph.task(first, ends.len() as u32, 8, pair).unwrap().into());
    }
    for pair in blobs.chunks(2).rev() {
        let inputs = [&ends[..], pair].concat();
        ends.push(graph.task(first, ends.len() as u32, 8, &inputs).unwrap().into());
    }
    graph.output(ends[ends.len() - 1]);
    let plan = plan(graph.build());
    let registry = Arc::new(talatat_cluster::testing::registry());
    let unit = single(&plan, &registry);
    let expected = Synchronous.execute(plan.clone(), &RunContext::default()).unwrap();
    let limit = 4 * BYTES as u64;
    assert!(plan.peak().bytes > limit, "{}", plan.peak().bytes);
    let worker = Worker::new(registry, Synchronous).memory_limit(limit, std::env::temp_dir());
    let (values, _) = worker.run(&unit, |_, _| unreachable!("it has no inputs"), false).unwrap();
    assert_eq!(text(&values), text(&expected));
    assert!(worker.spill_traffic().0 > 0);
}

#[test]
fn a_cancel_is_seen_between_kernels() {
    let gate = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut graph = GraphBuilder::new();
    let wait = Arc::new(Act::Wait(gate.local_addr().unwrap().to_string()));
    let wait = graph.layer(Layer::new(Key::of("wait", &[]), wait));
    let fail = graph.layer(Layer::new(Key::of("fail", &[]), Arc::new(Act::Fail)));
    let waits = graph.task(wait, 0, 8, &[]).unwrap();
    let fails = graph.task(fail, 0, 8, &[waits.into()]).unwrap();
    graph.output(fails.into());
    let registry = Arc::new(talatat_cluster::testing::registry());
    let unit = single(&plan(graph.build()), &registry);
    let worker = Worker::new(registry, Synchronous);
    let failure = std::thread::scope(|scope| {
        let run = scope.spawn(|| worker.run(&unit, |_, _| unreachable!("it has no inputs"), false).unwrap_err());
        let waiting = gate.accept().unwrap();
        worker.cancel(9);
        drop(waiting);
        run.join().unwrap()
    });
    assert_eq!(failure.kind, FailureKind::Cancelled);
}
