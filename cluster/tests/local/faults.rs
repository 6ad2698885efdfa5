//! What goes wrong is told, and nothing hangs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use talatat_cluster::Cluster;
use talatat_cluster::testing::Act;
use talatat_cluster::testing::engine::{Engine, signal};
use talatat_graph::testing::Rng;
use talatat_graph::{Cancel, Edge, Error, Executor, GraphBuilder, Key, Layer, RunContext, Value, closure_kernel};

use crate::support::{Acts, Gate, LARGE, builder, context, kill, plan, python};

fn fails(act: Act) -> Option<(Cluster, Error)> {
    let cluster = builder()?.local(2).unwrap();
    let mut acts = Acts::default();
    let before = acts.add(Act::Blob(8), LARGE, &[]);
    let other = acts.add(Act::Blob(8), LARGE, &[]);
    let failing = acts.add(act, LARGE, &[before, other]);
    acts.add(Act::First, LARGE, &[failing]);
    let error = cluster.execute(acts.plan(), &context()).unwrap_err();
    // The cluster lives on.
    let mut acts = Acts::default();
    acts.add(Act::First, 0, &[]);
    assert!(matches!(cluster.execute(acts.plan(), &context()).unwrap()[..], [Value::I64(0)]));
    Some((cluster, error))
}

#[test]
fn an_error_says_what_and_where() {
    let Some((cluster, error)) = fails(Act::Fail) else { return };
    let Error::Kernel { site, source } = &error else { panic!("{error}") };
    assert_eq!((site.operation.as_str(), site.block, site.inputs.len()), ("fail", 2, 2));
    assert_eq!(source.to_string(), "failed as it was told to");
    assert!(site.location.unwrap().file().ends_with("faults.rs"), "{error}");
    let worker = site.worker.as_deref().unwrap();
    assert!(cluster.workers().iter().any(|other| other.address == worker), "{error}");
}

#[test]
fn a_panic_is_an_error() {
    let Some((_, error)) = fails(Act::Panic) else { return };
    let Error::Panic { site, message } = &error else { panic!("{error}") };
    assert_eq!((site.operation.as_str(), message.as_str()), ("panic", "panicked as it was told to"));
}

#[test]
fn a_block_that_cannot_travel_is_named() {
    let Some(builder) = builder() else { return };
    let mut acts = Acts::default();
    acts.add(Act::Stay, LARGE, &[]);
    let error = builder.local(1).unwrap().execute(acts.plan(), &context()).unwrap_err();
    assert!(matches!(error, Error::NotPortable { .. }), "{error}");
    assert!(
        error.to_string().starts_with("rooted[] cannot be serialized") && error.to_string().contains("codec"),
        "{error}"
    );
}

#[test]
fn an_operation_that_workers_lack_is_named() {
    let Some((_, error)) = fails(Act::Unknown) else { return };
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("lacks an operation that this program sends to it: testing.unknown"), "{error}");
}

#[test]
fn a_closure_is_named_and_its_registration_shown() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(1).unwrap();
    let mut graph = GraphBuilder::new();
    let kernel = Arc::new(closure_kernel("my_closure", |_, _| Ok(Value::Unit)));
    let layer = graph.layer(Layer::new(Key::of("my_closure", &[]), kernel));
    let task = graph.task(layer, 0, 1, &[]).unwrap();
    graph.output(task.into());
    let error = cluster.execute(plan(graph.build()), &context()).unwrap_err();
    assert!(matches!(error, Error::NotPortable { .. }), "{error}");
    assert!(error.to_string().contains("my_closure") && error.to_string().contains("Registry::new()"), "{error}");
}

#[test]
fn a_cancelled_run_ends() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let gate = Gate::new();
    let mut acts = Acts::default();
    let waits = acts.add(gate.act(), LARGE, &[]);
    acts.add(Act::Fail, LARGE, &[waits]);
    let (plan, cancel) = (acts.plan(), Cancel::new());
    let error = std::thread::scope(|scope| {
        let context = RunContext { cancel: cancel.clone(), ..context() };
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan, &{ context })).unwrap_err());
        let _waiting = gate.arrival();
        cancel.cancel();
        run.join().unwrap()
    });
    assert!(
        matches!(error, Error::Cancelled { done: 0, total: 2 } | Error::Cancelled { done: 0, total: 1 }),
        "{error}"
    );
}

/// A frozen worker hears of no cancel; the driver does not wait for it.
#[test]
fn a_frozen_worker_does_not_hold_a_cancel() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(1).unwrap();
    let worker = cluster.workers()[0].pid;
    let gate = Gate::new();
    let mut acts = Acts::default();
    acts.add(gate.act(), LARGE, &[]);
    let (plan, cancel) = (acts.plan(), Cancel::new());
    let error = std::thread::scope(|scope| {
        let context = RunContext { cancel: cancel.clone(), ..context() };
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan, &{ context })).unwrap_err());
        let _waiting = gate.arrival();
        signal(worker, "STOP");
        cancel.cancel();
        run.join().unwrap()
    });
    kill(worker);
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
}

/// Units in a shuffle, one of which waits; then a worker is killed, chosen by a seed.
#[test]
fn a_killed_worker_costs_time_only() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(3).unwrap();
    for seed in 0..3 {
        let gate = Gate::new();
        let mut acts = Acts::default();
        let sources: Vec<_> = (0..6).map(|_| acts.add(Act::Parts(6, 1 << 16), LARGE, &[])).collect();
        let waits = acts.add(gate.act(), LARGE, &[sources[0]].map(|source| Edge::part_of(source.task, 1)));
        let mut ends = vec![waits];
        for part in 0..6 {
            let parts: Vec<_> = sources.iter().map(|source| Edge::part_of(source.task, part)).collect();
            ends.push(acts.add(Act::Blob(1 << 16), LARGE, &parts));
        }
        acts.add(Act::First, 0, &ends);
        let plan = acts.plan();
        let workers = cluster.refresh().unwrap();
        let victim = workers[Rng::new(seed).below(workers.len())].pid;
        let values = std::thread::scope(|scope| {
            let run = scope.spawn(|| gate.during(|| cluster.execute(plan, &context())));
            // Whether the task that waits is lost, too, is a matter of chance: then it comes again.
            let first = gate.arrival();
            kill(victim);
            drop(first);
            let open = scope.spawn(|| while !gate.is_over() {});
            let values = run.join().unwrap();
            gate.end();
            open.join().unwrap();
            values.unwrap()
        });
        // The k-th blob is full of its block's number, 7 + k, and six times k; one is for the wait.
        let expected: i64 = 1 + 1 + (0..6).map(|k| 7 + k + 6 * k).sum::<i64>();
        assert!(matches!(values[..], [Value::I64(sum)] if sum == expected), "{values:?}, not {expected}");
    }
}

/// The run is handed in again by another helper.
#[test]
fn a_killed_helper_costs_time_only() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(2).unwrap();
    let gate = Gate::new();
    let mut acts = Acts::default();
    let waits = acts.add(gate.act(), LARGE, &[]);
    acts.add(Act::First, LARGE, &[waits]);
    let plan = acts.plan();
    let before = cluster.helper_pid();
    let values = std::thread::scope(|scope| {
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan.clone(), &context())));
        let first = gate.arrival();
        kill(before);
        // The engine does not know that the unit of the first helper still takes up a worker.
        drop(first);
        drop(gate.arrival());
        run.join().unwrap().unwrap()
    });
    assert!(matches!(values[..], [Value::I64(1)]), "{values:?}");
    assert_ne!(cluster.helper_pid(), before);
}

#[test]
fn what_takes_the_helper_down_each_time_is_given_up() {
    let Some(builder) = builder() else { return };
    let cluster = builder.local(1).unwrap();
    let gate = Gate::new();
    let mut acts = Acts::default();
    acts.add(gate.act(), LARGE, &[]);
    let plan = acts.plan();
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan.clone(), &context())).unwrap_err());
        for _ in 0..4 {
            let waiting = gate.arrival();
            kill(cluster.helper_pid());
            drop(waiting);
        }
        run.join().unwrap()
    });
    assert!(
        error.to_string().contains("given up after 3 new tries") && error.to_string().contains("the helper is gone"),
        "{error}"
    );
}

/// Whoever cancels does not wait until a scheduler has come back.
#[test]
fn a_cancel_ends_the_wait_for_a_scheduler() {
    let (Some(builder), Some(python)) = (builder(), python()) else { return };
    let mut engine = Engine::start(python, 1).unwrap();
    let cluster = builder.timeout(Duration::from_secs(600)).connect(&engine.address()).unwrap();
    let gate = Gate::new();
    let mut acts = Acts::default();
    acts.add(gate.act(), LARGE, &[]);
    let (plan, cancel) = (acts.plan(), Cancel::new());
    let error = std::thread::scope(|scope| {
        let context = RunContext { cancel: cancel.clone(), ..context() };
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan, &{ context })).unwrap_err());
        let _waiting = gate.arrival();
        engine.kill();
        cancel.cancel();
        run.join().unwrap()
    });
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
}

#[test]
fn a_scheduler_that_is_restarted_costs_time_only() {
    let (Some(builder), Some(python)) = (builder(), python()) else { return };
    let mut engine = Engine::start(python, 2).unwrap();
    let cluster = builder.connect(&engine.address()).unwrap();
    let gate = Gate::new();
    let mut acts = Acts::default();
    let before = acts.add(Act::Blob(8), LARGE, &[]);
    let waits = acts.add(gate.act(), LARGE, &[before]);
    acts.add(Act::First, LARGE, &[waits]);
    let plan = acts.plan();
    let values = std::thread::scope(|scope| {
        let run = scope.spawn(|| gate.during(|| cluster.execute(plan.clone(), &context())));
        let first = gate.arrival();
        engine.restart().unwrap();
        drop((first, gate.arrival()));
        run.join().unwrap().unwrap()
    });
    assert!(matches!(values[..], [Value::I64(1)]), "{values:?}");
}

#[test]
fn a_scheduler_that_is_not_there_is_an_error() {
    let Some(builder) = builder() else { return };
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    let error = builder.timeout(Duration::from_secs(5)).connect(&address).unwrap_err();
    assert!(error.to_string().contains(&format!("cannot connect to {address}")), "{error}");
}

/// A scheduler alone.
#[test]
fn no_workers_is_an_error() {
    let (Some(builder), Some(python)) = (builder(), python()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut local = Command::new(python);
    local.args(["-m", "talatat_worker.local", "--workers", "0", "--folder"]).arg(folder.path());
    let mut local = local.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(local.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split('"').nth(3).unwrap();
    let cluster = builder.timeout(Duration::from_secs(10)).connect(address).unwrap();
    let mut acts = Acts::default();
    acts.add(Act::First, 0, &[]);
    let error = cluster.execute(acts.plan(), &context()).unwrap_err();
    assert!(error.to_string().contains(&format!("no worker is connected to the scheduler at {address}")), "{error}");
    // It ends with its standard input.
    drop(local.stdin.take());
    assert!(local.wait().unwrap().success());
}

#[test]
fn a_python_without_the_package_is_an_error() {
    if python().is_none() {
        return;
    }
    let error = Cluster::builder().python("/usr/bin/env").local(1).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let error = Cluster::builder().python("/no/such/python").connect("tcp://127.0.0.1:1").unwrap_err();
    assert!(error.to_string().contains("TALATAT_PYTHON"), "{error}");
}

/// Of a local cluster, whose scheduler nobody starts again, and of another one, which is waited for.
#[test]
fn a_killed_scheduler_is_an_error() {
    let (Some(builder), Some(other)) = (builder(), builder()) else { return };
    let local = builder.local(2).unwrap();
    let connected = other.timeout(Duration::from_secs(10)).connect(local.address()).unwrap();
    let gate = &Gate::new();
    let plans = [(); 2].map(|()| {
        let mut acts = Acts::default();
        acts.add(gate.act(), LARGE, &[]);
        acts.plan()
    });
    let errors = std::thread::scope(|scope| {
        let runs = [(&local, &plans[0]), (&connected, &plans[1])]
            .map(|(cluster, plan)| scope.spawn(move || gate.during(|| error_of(cluster, plan))));
        let _waiting = [gate.arrival(), gate.arrival()];
        kill(local.local_pid().unwrap());
        runs.map(|run| run.join().unwrap())
    });
    let address = local.address();
    assert!(errors[0].contains(&format!("scheduler at {address} is")), "{}", errors[0]);
    let (lost, back) = (format!("the connection to the scheduler at {address} is lost"), "it does not come back");
    for error in [&errors[1], &error_of(&connected, &plans[1])] {
        assert!(error.contains(&lost) && error.contains(back), "{error}");
    }
}

fn error_of(cluster: &Cluster, plan: &Arc<talatat_graph::Plan>) -> String {
    cluster.execute(plan.clone(), &context()).unwrap_err().to_string()
}

/// The environment variable that makes of this test's process the driver that is killed: the address that its task waits at.
const DRIVER: &str = "TALATAT_TEST_GATE";

#[test]
fn workers_end_with_a_driver_that_is_killed() {
    let Some(builder) = builder() else { return };
    if let Ok(address) = std::env::var(DRIVER) {
        let mut acts = Acts::default();
        acts.add(Act::Wait(address), LARGE, &[]);
        let _ = builder.local(2).unwrap().execute(acts.plan(), &context());
        return;
    }
    let gate = Gate::new();
    let Act::Wait(address) = gate.act() else { unreachable!("a gate is there to wait at") };
    let name = "faults::workers_end_with_a_driver_that_is_killed";
    let mut driver = Command::new(std::env::current_exe().unwrap());
    let mut driver = driver.args(["--exact", name]).env(DRIVER, address).stdout(Stdio::null()).spawn().unwrap();
    let mut worker = gate.arrival();
    driver.kill().unwrap();
    driver.wait().unwrap();
    // The connection ends when the worker's process does.
    assert!(matches!(worker.read(&mut [0]), Ok(0) | Err(_)));
}
