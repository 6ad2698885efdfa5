//! What a run says of itself while it goes on, and what it tells its observers.

use std::sync::{Arc, Barrier, Mutex};

use talatat_graph::testing::{graph_of, shuffle_weights, weights};
use talatat_graph::*;

/// A graph of two sources, of which the first waits twice for the barrier, and a sum of both.
fn blocked(barrier: &Arc<Barrier>, bytes: u64, limit: Option<u64>) -> Arc<Plan> {
    let mut graph = GraphBuilder::new();
    let gate = barrier.clone();
    let wait = closure_kernel("wait", move |_, _| {
        gate.wait();
        gate.wait();
        Ok(Value::I64(1))
    });
    let layer = |graph: &mut GraphBuilder, name: &str, kernel| graph.layer(Layer::new(Key::of(name, &[]), kernel));
    let wait = layer(&mut graph, "wait", Arc::new(wait) as Arc<dyn Kernel>);
    let free = layer(&mut graph, "free", Arc::new(closure_kernel("free", |_, _| Ok(Value::I64(2)))));
    let sum = layer(&mut graph, "sum", Arc::new(closure_kernel("sum", |_, _| Ok(Value::I64(3)))));
    let first = graph.task(wait, 0, bytes, &[]).unwrap();
    let second = graph.task(free, 0, bytes, &[]).unwrap();
    // The second source is wanted for itself, and after the sum: it cannot start first.
    let third = graph.task(sum, 0, 0, &[first.into()]).unwrap();
    let last = graph.task(sum, 1, 0, &[third.into(), second.into()]).unwrap();
    graph.output(last.into());
    let options = PlanOptions { memory_limit: limit, skip_passes: vec!["fuse".into()], ..PlanOptions::default() };
    Arc::new(Plan::new(graph.build(), &options).unwrap())
}

fn name(status: &RunStatus, task: TaskId) -> String {
    format!("{}/{}", status.plan.graph().layer(task).kernel.describe(), status.plan.graph().block(task))
}

/// Runs the plan and looks at it while the first task waits.
fn looked_at(executor: impl Executor, plan: Arc<Plan>, barrier: &Barrier) -> RunStatus {
    let context = RunContext::default();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| executor.execute(plan, &context));
        barrier.wait();
        let mut status = context.board.statuses();
        barrier.wait();
        run.join().unwrap().unwrap();
        assert!(context.board.statuses().is_empty(), "the run is over");
        assert_eq!(status.len(), 1);
        status.remove(0)
    })
}

#[test]
fn a_run_says_what_runs_and_what_waits_for_it() {
    let barrier = Arc::new(Barrier::new(2));
    for status in [
        looked_at(Synchronous, blocked(&barrier, 0, None), &barrier),
        looked_at(Threads::new(1), blocked(&barrier, 0, None), &barrier),
    ] {
        assert_eq!((status.finished, status.ready, status.waiting()), (0, 1, 2));
        let [running] = status.running[..] else { panic!("{status:?}") };
        assert_eq!((name(&status, running.task).as_str(), running.writes, status.cancelled), ("wait/0", false, false));
        let wanted = status.wanted.clone().unwrap();
        assert_eq!((name(&status, wanted.result), name(&status, wanted.at)), ("sum/1".into(), "sum/0".into()));
        assert_eq!((wanted.inputs, wanted.lacking), (vec![running.task], 1));
        assert_eq!(status.held_up, None);
    }
}

#[test]
fn a_run_says_how_many_bytes_are_lacking() {
    let barrier = Arc::new(Barrier::new(2));
    // In order, the first source is dead before the second one runs: with a limit for one of them nothing may run ahead.
    let plan = blocked(&barrier, 100, Some(100));
    let status = looked_at(Threads::new(1), plan, &barrier);
    let held_up = status.held_up.expect("the second source waits");
    assert_eq!((held_up.needs, held_up.lacks, held_up.ahead), (100, 100, true));
    assert_eq!((status.held, status.reserved), (0, 100));
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn on(&self, event: &Event<'_>) {
        let line = match event {
            Event::Started { threads, .. } => format!("started on {threads}"),
            Event::TaskStarted { task, .. } => format!("{} starts", task.0),
            Event::Task { task, start, end, .. } => {
                assert!(start <= end);
                format!("{} ends", task.0)
            }
            Event::Failed { task, error, .. } => format!("{} fails: {error}", task.0),
            Event::Evicted { task, bytes, .. } => format!("{} leaves: {bytes}", task.0),
            Event::ReadBack { task, bytes, .. } => format!("{} reads back: {bytes}", task.0),
            Event::Finished { error, .. } => format!("finished: {}", error.is_none()),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

fn log_of(executor: &dyn Executor, plan: Plan, context: RunContext) -> Vec<String> {
    let log = Arc::new(Log::default());
    let context = RunContext { observers: vec![log.clone()], ..context };
    let _ = executor.execute(Arc::new(plan), &context);
    std::mem::take(&mut *log.0.lock().unwrap())
}

#[test]
fn starts_ends_and_failures_are_told() {
    let graph = || {
        let mut graph = GraphBuilder::new();
        let good =
            graph.layer(Layer::new(Key::of("good", &[]), Arc::new(closure_kernel("good", |_, _| Ok(Value::Unit)))));
        let fails = closure_kernel("bad", |_, _| Err(KernelError::new("no")));
        let bad = graph.layer(Layer::new(Key::of("bad", &[]), Arc::new(fails)));
        let first = graph.task(good, 0, 0, &[]).unwrap();
        let last = graph.task(bad, 0, 0, &[first.into(), first.into()]).unwrap();
        graph.output(last.into());
        Plan::new(graph.build(), &PlanOptions { skip_passes: vec!["fuse".into()], ..PlanOptions::default() }).unwrap()
    };
    for executor in [&Synchronous as &dyn Executor, &Threads::new(1)] {
        let log = log_of(executor, graph(), RunContext::default());
        let expected =
            ["started on 1", "0 starts", "0 ends", "1 starts", "1 fails: bad, block 0: no", "finished: false"];
        assert_eq!(log, expected);
    }
}

#[test]
fn what_leaves_memory_and_comes_back_is_told() {
    let registry = Arc::new(weights());
    let folder = std::env::temp_dir();
    for executor in [&Synchronous as &dyn Executor, &Threads::new(2)] {
        let options = PlanOptions {
            memory_limit: Some(20_000),
            spill: true,
            outputs: Outputs::Anywhere,
            ..PlanOptions::default()
        };
        let plan = Plan::new(shuffle_weights(10, 10, 1000), &options).unwrap();
        let space = memory::SpillSpace::new(&folder, registry.clone());
        let context = RunContext { registry: registry.clone(), spill: Some(space.clone()), ..RunContext::default() };
        let log = log_of(executor, plan, context);
        let sum =
            |word: &str| -> u64 { log.iter().filter_map(|line| line.split_once(word)?.1.parse::<u64>().ok()).sum() };
        assert_eq!((sum("leaves: "), sum("reads back: ")), space.traffic(), "{log:?}");
        assert!(sum("leaves: ") > 0, "{log:?}");
    }
}

#[test]
fn an_observer_can_have_one_of_its_own_for_each_run() {
    #[derive(Default)]
    struct Runs(Mutex<Vec<Arc<Log>>>);
    impl Observer for Runs {
        fn on(&self, event: &Event<'_>) {
            unreachable!("{event:?} is for the run's own observer");
        }

        fn of_run(&self, _: &Arc<Plan>) -> Option<Arc<dyn Observer>> {
            let log = Arc::new(Log::default());
            self.0.lock().unwrap().push(log.clone());
            Some(log)
        }
    }
    let runs = Arc::new(Runs::default());
    let context = RunContext { observers: vec![runs.clone()], ..RunContext::default() };
    let two: [(&str, &[u32]); 2] = [("read", &[]), ("add", &[])];
    for tasks in [1, 2] {
        let graph = graph_of(&two[..tasks], &[0, 1][..tasks]);
        let plan = Plan::new(graph, &PlanOptions::default()).unwrap();
        Synchronous.execute(Arc::new(plan), &context).unwrap();
    }
    let lines: Vec<usize> = runs.0.lock().unwrap().iter().map(|log| log.0.lock().unwrap().len()).collect();
    assert_eq!(lines, [4, 6]);
}
