//! The memory limit holds, and the answers do not depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;
use talatat_graph::memory::{Compression, Headroom, SpillSpace, forecast};
use talatat_graph::testing::{Weight, random_weights, shuffle_weights, weights};
use talatat_graph::{
    Block, Edge, Error, Event, Executor, GraphBuilder, Key, Layer, Observer, Outputs, Plan, PlanOptions, RunContext,
    Synchronous, TaskContext, TaskGraph, Threads, Value, closure_kernel,
};

fn plan(graph: &TaskGraph, limit: Option<u64>) -> Result<Plan, Error> {
    let options = PlanOptions {
        memory_limit: limit,
        spill: limit.is_some(),
        outputs: Outputs::Anywhere,
        skip_passes: vec!["fuse".into()],
        ..PlanOptions::default()
    };
    Plan::new(graph.clone(), &options)
}

#[derive(Default)]
struct Peaks(Mutex<Option<u64>>);

impl Observer for Peaks {
    fn on(&self, event: &Event<'_>) {
        if let Event::Finished { peak, .. } = event {
            *self.0.lock() = *peak;
        }
    }
}

fn fills(values: Vec<Value>) -> Vec<(usize, u8)> {
    let loaded = values.into_iter().map(|value| value.loaded().unwrap());
    loaded.map(|value| (value.nbytes(), value.get::<Weight>().unwrap().fill().unwrap())).collect()
}

/// Runs a graph under a limit; gives what came out, the measured peak and the bytes that were written.
fn run(executor: &dyn Executor, plan: impl Into<Arc<Plan>>, compression: Compression) -> (Vec<(usize, u8)>, u64, u64) {
    let registry = Arc::new(weights());
    let space = SpillSpace::new(std::env::temp_dir(), registry.clone()).compression(compression);
    let peaks = Arc::new(Peaks::default());
    let context =
        RunContext { registry, spill: Some(space.clone()), observers: vec![peaks.clone()], ..RunContext::default() };
    let values = executor.execute(plan.into(), &context).unwrap();
    let fills = fills(values);
    assert_eq!(space.used(), 0, "nothing stays on disk");
    let peak = peaks.0.lock().unwrap();
    (fills, peak, space.traffic().0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Any limit from what the largest task needs up to what the whole needs: the same answers, and no more bytes than allowed.
    #[test]
    fn any_limit_that_a_plan_accepts(seed: u64, tasks in 1_usize..60, share in 0_u64..=100, threads in 1_usize..5, lz4: bool) {
        let graph = random_weights(seed, tasks, 3000);
        let free = plan(&graph, None).unwrap();
        let expected = run(&Synchronous, plan(&graph, None).unwrap(), Compression::None).0;
        let peak = free.peak().bytes;
        // The least limit that is accepted: found by asking.
        let least = match plan(&graph, Some(1)) {
            Ok(plan) => plan.base(),
            Err(Error::Memory { needed, .. }) => needed,
            Err(error) => panic!("{error}"),
        };
        let least = least.min(peak);
        let limit = (least + (peak - least) * share / 100).max(1);
        let compression = if lz4 { Compression::Lz4 } else { Compression::None };
        let executors: [&dyn Executor; 2] = [&Synchronous, &Threads::new(threads)];
        for executor in executors {
            let plan = plan(&graph, Some(limit)).unwrap();
            let must = plan.must_spill();
            let plan = Arc::new(plan);
            let forecast = forecast(&plan, executor.threads()).unwrap();
            prop_assert!(forecast.peak <= limit, "{}: {:?} of {}", executor.name(), forecast, limit);
            prop_assert!(must || forecast.written == 0);
            let (fills, measured, written) = run(executor, plan, compression);
            // Parts that nobody reads count in the forecast, as it does not know how many there are.
            prop_assert!(must || executor.threads() > 1 || measured <= forecast.peak);
            prop_assert_eq!(&fills, &expected, "{}", executor.name());
            prop_assert!(measured <= limit, "{}: {} of {}", executor.name(), measured, limit);
            prop_assert!(must || written == 0, "{}: wrote {} though all fits", executor.name(), written);
        }
    }
}

/// A shuffle forty times the limit: what is written is what does not fit, once.
#[test]
fn a_shuffle_through_the_disk() {
    let graph = shuffle_weights(40, 40, 1000);
    let free = plan(&graph, None).unwrap();
    assert!(free.peak().bytes >= 1_600_000);
    let expected = run(&Synchronous, free, Compression::None).0;
    let executors: [&dyn Executor; 3] = [&Synchronous, &Threads::new(2), &Threads::new(4)];
    for executor in executors {
        let (fills, peak, written) = run(executor, plan(&graph, Some(200_000)).unwrap(), Compression::None);
        assert_eq!(fills, expected);
        assert!(peak <= 200_000, "{peak}");
        assert!((1_400_000..=1_600_000).contains(&written), "{}: {written}", executor.name());
    }
}

#[test]
fn what_cannot_fit_is_refused() {
    let graph = shuffle_weights(10, 10, 1000);
    let error = plan(&graph, Some(9_000)).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"testing.weigh needs 9.8 KiB for one task: its inputs, its result and its scratch memory, but the memory limit is 8.8 KiB: use smaller chunks or partitions, or raise memory_limit");
    let options = PlanOptions { memory_limit: Some(50_000), ..PlanOptions::default() };
    let error = Plan::new(graph, &options).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"testing.weigh needs 97.7 KiB at once, but the memory limit is 48.8 KiB: use smaller chunks, let results go to the disk, raise memory_limit, or compute less at a time");
}

/// Blocks of a layer that guesses wrong, and a sum of `wide` of them each.
fn wrong_guesses(wide: usize) -> TaskGraph {
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("guess", |task, _| Ok(Value::block(Weight::new(10_000, task.block as u8))));
    graph.estimating(true);
    let guess = graph.layer(Layer::new(Key::of("guess", &[]), Arc::new(kernel)));
    graph.estimating(false);
    let kernel = closure_kernel("sum", |_, inputs| {
        let fills = inputs.iter().map(|input| input.get::<Weight>().and_then(Weight::fill));
        Ok(Value::I64(fills.map(|fill| fill.map(i64::from)).sum::<Result<i64, _>>()?))
    });
    let sum = graph.layer(Layer::new(Key::of("sum", &[]), Arc::new(kernel)).scratch_of_inputs(0.5));
    let blocks: Vec<Edge> = (0..20).map(|block| graph.task(guess, block, 100, &[]).unwrap().into()).collect();
    for (inputs, block) in blocks.chunks(wide).zip(0..) {
        let sum = graph.task(sum, block, 8, inputs).unwrap();
        graph.output(sum.into());
    }
    graph.build()
}

#[test]
fn a_task_that_turns_out_too_large_is_refused() {
    let executors: [&dyn Executor; 3] = [&Synchronous, &Threads::new(1), &Threads::new(3)];
    for executor in executors {
        let registry = Arc::new(weights());
        let space = SpillSpace::new(std::env::temp_dir(), registry.clone());
        let context = RunContext { registry, spill: Some(space.clone()), ..RunContext::default() };
        let run = |wide: usize| {
            let plan = plan(&wrong_guesses(wide), Some(45_000)).unwrap();
            assert!(!plan.must_spill(), "guesses fit");
            executor.execute(Arc::new(plan), &context)
        };
        // Four inputs of 10 kB and half as much beside them.
        insta::allow_duplicates! {
            insta::assert_snapshot!(run(4).unwrap_err().to_string(), @"sum needs 58.6 KiB for one task: its inputs, its result and its scratch memory, but the memory limit is 43.9 KiB: use smaller chunks or partitions, or raise memory_limit");
        }
        assert_eq!(space.used(), 0, "nothing stays on disk");
        assert_eq!(run(2).unwrap().len(), 10, "{}", executor.name());
    }
}

#[test]
fn results_that_turn_out_too_large_are_refused() {
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("guess", |task, _| Ok(Value::block(Weight::new(10_000, task.block as u8))));
    graph.estimating(true);
    let guess = graph.layer(Layer::new(Key::of("guess", &[]), Arc::new(kernel)));
    for block in 0..20 {
        let task = graph.task(guess, block, 100, &[]).unwrap();
        graph.output(task.into());
    }
    let options = PlanOptions { memory_limit: Some(45_000), spill: true, ..PlanOptions::default() };
    let plan = Arc::new(Plan::new(graph.build(), &options).unwrap());
    let registry = Arc::new(weights());
    let spill = Some(SpillSpace::new(std::env::temp_dir(), registry.clone()));
    let context = RunContext { registry, spill, ..RunContext::default() };
    let values = Threads::new(2).execute(plan.clone(), &context).unwrap();
    insta::assert_snapshot!(plan.admit_results(&values).unwrap_err().to_string(), @"guess needs 195.3 KiB for the results, which are wanted in memory, but the memory limit is 43.9 KiB: write them to files, persist them, compute less at a time, or raise memory_limit");
}

#[test]
fn a_kernel_that_makes_more_than_it_says_does_not_break_the_limit() {
    struct Excesses(Mutex<Vec<(u64, u64)>>);
    impl Observer for Excesses {
        fn on(&self, event: &Event<'_>) {
            if let Event::Excess { excess, .. } = event {
                self.0.lock().push((excess.declared, excess.made));
            }
        }
    }
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("liar", |task, _| Ok(Value::block(Weight::new(10_000, task.block as u8))));
    let liar = graph.layer(Layer::new(Key::of("liar", &[]), Arc::new(kernel)));
    let kernel = closure_kernel("last", |_, inputs| {
        let fills = inputs.iter().map(|input| input.get::<Weight>().and_then(Weight::fill));
        Ok(Value::I64(fills.sum::<Result<u8, _>>()?.into()))
    });
    // Its scratch memory follows what it really reads.
    let sum = graph.layer(Layer::new(Key::of("sum", &[]), Arc::new(kernel)).scratch_of_inputs(0.5));
    let blocks: Vec<_> = (0..20).map(|block| graph.task(liar, block, 100, &[]).unwrap().into()).collect();
    let pairs: Vec<_> =
        blocks.chunks(2).zip(0..).map(|(pair, block)| graph.task(sum, block, 0, pair).unwrap()).collect();
    // All blocks first: the sums of the first ones wait for the last ones.
    pairs.iter().for_each(|&pair| graph.output(pair.into()));
    let graph = graph.build();
    for threads in [1, 2] {
        let excesses = Arc::new(Excesses(Mutex::default()));
        let peaks = Arc::new(Peaks::default());
        let registry = Arc::new(weights());
        let context = RunContext {
            spill: Some(SpillSpace::new(std::env::temp_dir(), registry.clone())),
            registry,
            observers: vec![excesses.clone(), peaks.clone()],
            ..RunContext::default()
        };
        let values = Threads::new(threads).execute(Arc::new(plan(&graph, Some(45_000)).unwrap()), &context).unwrap();
        assert_eq!(values.len(), 10);
        assert_eq!(excesses.0.lock().len(), 20);
        assert_eq!(excesses.0.lock()[0], (100, 10_000));
        let peak = peaks.0.lock().unwrap();
        assert!((30_000..=45_000).contains(&peak), "{peak}");
    }
}

/// The deviations of blocks from what all of them have in common: each is read twice, the second time when all have been read.
fn deviations(runs: &Arc<AtomicUsize>, wanted: bool) -> TaskGraph {
    const BLOCKS: u8 = 20;
    let mut graph = GraphBuilder::new();
    let count = runs.clone();
    let kernel = closure_kernel("source", move |task, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Value::block(Weight::new(1000, task.block as u8)))
    });
    let source = graph.layer(Layer::new(Key::of("source", &[]), Arc::new(kernel)).scratch(500).again(true));
    let sources: Vec<Edge> =
        (0..BLOCKS).map(|block| graph.task(source, block.into(), 1000, &[]).unwrap().into()).collect();
    let sum = |_: TaskContext, inputs: &mut [Value]| {
        let fills = inputs.iter().map(|input| input.get::<Weight>().and_then(Weight::fill));
        Ok(Value::block(Weight::new(10, fills.sum::<Result<u8, _>>()?)))
    };
    let layer = graph.layer(Layer::new(Key::of("part", &[]), Arc::new(closure_kernel("part", sum))));
    let parts: Vec<Edge> =
        sources.iter().zip(0..).map(|(&edge, block)| graph.task(layer, block, 10, &[edge]).unwrap().into()).collect();
    let all = graph.layer(Layer::new(Key::of("all", &[]), Arc::new(closure_kernel("all", sum))));
    let all = graph.task(all, 0, 10, &parts).unwrap().into();
    let layer = graph.layer(Layer::new(Key::of("deviation", &[]), Arc::new(closure_kernel("deviation", sum))));
    for (&edge, block) in sources.iter().zip(0..) {
        let deviation = graph.task(layer, block, 10, &[edge, all]).unwrap();
        graph.output(deviation.into());
    }
    if wanted {
        sources.iter().for_each(|&edge| graph.output(edge));
    }
    graph.build()
}

#[test]
fn what_can_be_read_again_is_not_written() {
    for threads in [1, 3] {
        let executor = Threads::new(threads);
        let runs = Arc::new(AtomicUsize::new(0));
        let graph = deviations(&runs, false);
        let (expected, ..) = run(&executor, plan(&graph, None).unwrap(), Compression::None);
        assert_eq!(runs.swap(0, Ordering::Relaxed), 20);
        let plan = Arc::new(plan(&graph, Some(6000)).unwrap());
        assert!(forecast(&plan, threads).unwrap().written < 1000);
        let (found, peak, written) = run(&executor, plan, Compression::None);
        assert_eq!(found, expected);
        assert!(written < 1000, "sums may go to the disk, but no block that was read: {written}");
        assert!(peak <= 6000, "{peak}");
        let runs = runs.load(Ordering::Relaxed);
        assert!((30..=40).contains(&runs), "what fits stays, the rest is read twice: {runs}");
    }
}

/// Two who ask for a block at once read it once.
#[test]
fn a_block_comes_back_once() {
    let registry = Arc::new(weights());
    let space = SpillSpace::new(std::env::temp_dir(), registry);
    let block: Arc<dyn Block> = Arc::new(Weight::new(1000, 7));
    let Some(Value::Spilled(spilled)) = space.write(&block).unwrap() else { panic!("it can be written") };
    let first = spilled.read().unwrap();
    let second = spilled.read().unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(space.traffic(), (1000, 1000));
    drop((first, second));
    spilled.read().unwrap();
    assert_eq!(space.traffic(), (1000, 2000), "what nobody holds is read again");
}

/// What is kept on the disk is read by whoever follows, fused or not.
#[test]
fn a_step_that_gives_a_block_on_the_disk() {
    let registry = Arc::new(weights());
    let space = SpillSpace::new(std::env::temp_dir(), registry);
    let block: Arc<dyn Block> = Arc::new(Weight::new(1000, 7));
    let kept = space.write(&block).unwrap().unwrap();
    let mut graph = GraphBuilder::new();
    let kernel = closure_kernel("kept", move |_, _| Ok(kept.clone()));
    let layer = graph.layer(Layer::new(Key::of("kept", &[]), Arc::new(kernel)));
    let kept = graph.task(layer, 0, 1000, &[]).unwrap();
    let kernel = closure_kernel("fill", |_, inputs| Ok(Value::I64(inputs[0].get::<Weight>()?.fill()?.into())));
    let layer = graph.layer(Layer::new(Key::of("fill", &[]), Arc::new(kernel)));
    let fill = graph.task(layer, 0, 8, &[kept.into()]).unwrap();
    graph.output(fill.into());
    let graph = graph.build();
    for (skip, tasks) in [(vec![], 1), (vec!["fuse".to_owned()], 2)] {
        let plan = Plan::new(graph.clone(), &PlanOptions { skip_passes: skip, ..PlanOptions::default() }).unwrap();
        assert_eq!(plan.graph().len(), tasks);
        let plan = Arc::new(plan);
        let executors: [&dyn Executor; 2] = [&Synchronous, &Threads::new(2)];
        for executor in executors {
            let values = executor.execute(plan.clone(), &RunContext::default()).unwrap();
            assert!(matches!(values[..], [Value::I64(7)]), "{}", executor.name());
        }
    }
}

#[test]
fn what_is_wanted_outlives_its_source() {
    let runs = Arc::new(AtomicUsize::new(0));
    let graph = deviations(&runs, true);
    let (found, _, written) = run(&Synchronous, plan(&graph, Some(6000)).unwrap(), Compression::None);
    assert_eq!(found.len(), 40);
    assert!(written >= 14_000, "{written}");
    assert_eq!(runs.load(Ordering::Relaxed), 20, "each is read once, and then kept");
}

#[test]
fn a_machine_with_less_than_the_limit_is_the_limit() {
    /// Has some bytes left at first, and then none: what is held is all there is.
    struct Shrinking(Mutex<u64>);
    impl Headroom for Shrinking {
        fn available(&self) -> Option<u64> {
            Some(std::mem::take(&mut *self.0.lock()))
        }
    }
    let graph = shuffle_weights(10, 10, 1000);
    let executors: [Box<dyn Executor>; 2] = [Box::new(Synchronous), Box::new(Threads::new(2))];
    for executor in &executors {
        let (free, peak, written) = run(&**executor, plan(&graph, Some(1 << 20)).unwrap(), Compression::None);
        assert!(peak >= 100_000 && written == 0, "{peak}");
        let registry = Arc::new(weights());
        let space = SpillSpace::new(std::env::temp_dir(), registry.clone());
        let peaks = Arc::new(Peaks::default());
        let context = RunContext {
            registry,
            spill: Some(space.clone()),
            headroom: Some(Arc::new(Shrinking(Mutex::new(40_000)))),
            observers: vec![peaks.clone()],
            ..RunContext::default()
        };
        let values = executor.execute(Arc::new(plan(&graph, Some(1 << 20)).unwrap()), &context).unwrap();
        assert_eq!(fills(values), free);
        let peak = peaks.0.lock().unwrap();
        assert!(peak <= 35_000 && space.traffic().0 > 0, "{peak}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let graph = shuffle_weights(40, 40, 1000);
    let registry = Arc::new(weights());
    let space = SpillSpace::new("/no/such/folder", registry.clone());
    let context = RunContext { registry, spill: Some(space), ..RunContext::default() };
    for executor in [&Synchronous as &dyn Executor, &Threads::new(2)] {
        let error = executor.execute(Arc::new(plan(&graph, Some(200_000)).unwrap()), &context).unwrap_err();
        assert!(error.to_string().starts_with("spilling to /no/such/folder: No such file"), "{error}");
    }
}

#[test]
fn a_full_disk_is_said() {
    let graph = shuffle_weights(40, 40, 1000);
    let registry = Arc::new(weights());
    let space = SpillSpace::new(std::env::temp_dir(), registry.clone()).quota(500_000);
    let context = RunContext { registry, spill: Some(space.clone()), ..RunContext::default() };
    for executor in [&Synchronous as &dyn Executor, &Threads::new(2)] {
        let error = executor.execute(Arc::new(plan(&graph, Some(200_000)).unwrap()), &context).unwrap_err();
        assert!(matches!(error, Error::Spill { .. }), "{error}");
        assert!(error.to_string().contains("raise it, raise memory_limit"), "{error}");
        assert_eq!(space.used(), 0, "nothing stays on disk");
    }
}
