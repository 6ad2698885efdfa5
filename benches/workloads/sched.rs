//! Scheduler workloads: what a task costs, from the first call to the result.

use std::time::Instant;

use talatat::delayed::Delayed;
use talatat::prelude::*;

use crate::machine::status_bytes;
use crate::report::{Options, Report};

const MODULUS: i64 = 1_000_003;

fn inc(x: i64) -> i64 {
    x + 1
}

fn add(values: Vec<i64>) -> i64 {
    values.iter().sum()
}

fn stencil(a: i64, b: i64, c: i64, i: i64) -> i64 {
    (a + b + c + i) % MODULUS
}

/// Computes `build()` and reports microseconds and bytes a task.
fn measure(
    options: &Options,
    report: &mut Report,
    tasks: usize,
    build: impl FnOnce() -> Delayed<i64>,
) -> talatat::Result<()> {
    let session = options.session()?;
    let before = status_bytes("VmRSS");
    let start = Instant::now();
    let result = build();
    let built = start.elapsed();
    let held = |report: &mut Report, name: &str| {
        report.metric(name, status_bytes("VmHWM").saturating_sub(before) as f64 / tasks as f64);
    };
    held(report, "calls_bytes");
    let graph = session.graph(&result)?;
    let lowered = start.elapsed();
    held(report, "lower_bytes");
    let plan = session.plan_graph(graph)?;
    let planned = start.elapsed();
    held(report, "plan_bytes");
    let values = session.run(plan)?;
    let value = result.gather(values)?;
    let total = start.elapsed();
    let micros = |duration: std::time::Duration| duration.as_secs_f64() * 1e6 / tasks as f64;
    report.inner_s = Some(total.as_secs_f64());
    report.digest("r", value as f64);
    report.metric("tasks", tasks as f64);
    report.metric("build_us", micros(planned));
    report.metric("calls_us", micros(built));
    report.metric("lower_us", micros(lowered - built));
    report.metric("plan_us", micros(planned - lowered));
    report.metric("run_us", micros(total - planned));
    report.metric("total_us", micros(total));
    report.metric("bytes_per_task", status_bytes("VmHWM").saturating_sub(before) as f64 / tasks as f64);
    let start = Instant::now();
    drop(result);
    report.metric("drop_us", micros(start.elapsed()));
    Ok(())
}

/// Sums calls `arity` by `arity` until one is left.
fn tree_sum(mut level: Vec<Delayed<i64>>, arity: usize) -> Delayed<i64> {
    let add = delayed(add);
    while level.len() > 1 {
        level = level.chunks(arity).map(|inputs| add.call(inputs.to_vec())).collect();
    }
    level.pop().unwrap_or_else(|| Delayed::ready(0))
}

fn tree_tasks(leaves: usize, arity: usize) -> usize {
    let (mut tasks, mut level) = (leaves, leaves);
    while level > 1 {
        level = level.div_ceil(arity);
        tasks += level;
    }
    tasks
}

pub fn map(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(1e5, 1);
    measure(options, report, tree_tasks(n, 8), || {
        let inc = delayed(inc);
        tree_sum((0..n as i64).map(|i| inc.call(i)).collect(), 8)
    })
}

pub fn chain(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(1e5, 1);
    measure(options, report, n, || {
        let inc = delayed(inc);
        (1..n).fold(inc.call(0_i64), |x, _| inc.call(x))
    })
}

pub fn grid(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = (options.scaled(1e5, 1) as f64).sqrt() as usize;
    measure(options, report, n * n + 1, || {
        let (inc, stencil) = (delayed(inc), delayed(stencil));
        let mut row: Vec<Delayed<i64>> = (0..n as i64).map(|i| inc.call(i)).collect();
        for _ in 1..n {
            let at = |i: usize| row[i.min(n - 1)].clone();
            let next = |i: usize| stencil.call((at(i.saturating_sub(1)), at(i), at(i + 1), i as i64));
            row = (0..n).map(next).collect();
        }
        delayed(add).call(row)
    })
}

/// fib(20) without memo: equal calls are made distinct, so that nothing is shared.
pub fn fib(options: &Options, report: &mut Report) -> talatat::Result<()> {
    measure(options, report, 21_891, || {
        let one = delayed(|k: i64| k).impure();
        let add2 = delayed(|a: i64, b: i64| a + b).impure();
        fn fib(
            k: i64,
            one: &impl Fn(i64) -> Delayed<i64>,
            add2: &impl Fn(Delayed<i64>, Delayed<i64>) -> Delayed<i64>,
        ) -> Delayed<i64> {
            if k < 2 { one(k) } else { add2(fib(k - 1, one, add2), fib(k - 2, one, add2)) }
        }
        fib(20, &|k| one.call(k), &|a, b| add2.call((a, b)))
    })
}

pub fn tree(options: &Options, report: &mut Report) -> talatat::Result<()> {
    measure(options, report, (1 << 15) - 1, || {
        let inc = delayed(inc);
        tree_sum((0..1 << 14).map(|i: i64| inc.call(i)).collect(), 2)
    })
}
