//! Array workloads: the inputs are functions of the index, the same in every language.

use std::time::Instant;

use talatat::Session;
use talatat::array::{Array, Method, arange, bins, from_ndarray};
use talatat::graph::Plan;
use talatat::prelude::*;

use crate::machine::{status_bytes, triad};
use crate::report::{Options, Report};

const PHI: f64 = 0.618_033_988_749_894_9;
const PSI: f64 = 0.754_877_666_246_692_7;

/// `frac(i * PHI + j * PSI)` for each index (i, j).
pub fn source(rows: usize, columns: usize, chunks: [usize; 2]) -> talatat::Result<Array<f64>> {
    let i = arange::<f64>(0.0, rows as f64, 1.0)?.reshape([rows as isize, 1])?.rechunk([chunks[0], 1])?;
    let j = arange::<f64>(0.0, columns as f64, 1.0)?.rechunk(chunks[1])?;
    let x = i * PHI + j * PSI;
    Ok(&x - x.floor())
}

/// Sum of the elements, each times its place modulo 97: sees the order.
pub fn weighted(values: &ndarray::ArrayD<f64>) -> f64 {
    values.iter().enumerate().map(|(place, value)| value * (place % 97 + 1) as f64).sum()
}

/// Reports bytes that a pass over memory would have to move, per second, beside what a triad reaches in this process.
pub fn bandwidth(report: &mut Report, options: &Options, bytes: f64, seconds: f64) {
    report.metric("peak_mb", status_bytes("VmHWM") as f64 / 1e6);
    let limit = triad(options.threads);
    report.metric("gb_s", bytes / seconds / 1e9);
    report.metric("triad_gb_s", limit);
}

fn tasks(plan: &Plan, report: &mut Report) {
    report.metric("tasks", plan.graph().len() as f64);
}

pub fn fused_chain(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(1e8, 1_000_000);
    options.session()?;
    let start = Instant::now();
    let i = arange::<f64>(0.0, n as f64, 1.0)?.rechunk(1_000_000)?;
    let (x, y) = (&i * 1e-8, &i * 2e-8);
    let chain = (x.power(2.0) + y.power(2.0)).sqrt() * (-&x).exp() + y.sin();
    let mean = chain.mean(..)?.item()?;
    let result = options.compute(&mean)?;
    let seconds = start.elapsed().as_secs_f64();
    report.inner_s = Some(seconds);
    report.digest("mean", result);
    report.metric("ns_per_element", seconds * 1e9 / n as f64);
    tasks(&Session::current()?.plan(&mean)?, report);
    // Were the two inputs and the result arrays in memory, one pass would move 24 bytes an element.
    bandwidth(report, options, 24.0 * n as f64, seconds);
    Ok(())
}

pub fn transpose_std(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(1e4, 1000);
    options.session()?;
    let start = Instant::now();
    let x = source(n, n, [1000, 1000])?;
    let result = (&x + x.t() - x.mean(0)?).std(..)?.item()?;
    report.digest("std", options.compute(&result)?);
    let seconds = start.elapsed().as_secs_f64();
    report.inner_s = Some(seconds);
    tasks(&Session::current()?.plan(&result)?, report);
    // Read once for the mean and twice for the sum.
    bandwidth(report, options, 24.0 * (n * n) as f64, seconds);
    Ok(())
}

pub fn small(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let data = source(15, 15, [15, 15])?.compute()?.into_shared();
    let build = || -> talatat::Result<talatat::array::Item<f64>> {
        let x = from_ndarray(data.clone(), [5, 5])?;
        (&x + x.t() - x.mean(0)?).std(..)?.item()
    };
    let mut times = Vec::with_capacity(200);
    let mut result = 0.0;
    for round in 0..220 {
        let start = Instant::now();
        result = build()?.compute()?;
        if round >= 20 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let mut median = |times: &mut Vec<f64>, name: &str| {
        times.sort_by(f64::total_cmp);
        report.metric(name, times[times.len() / 2] * 1e3);
        times.clear();
    };
    median(&mut times, "build+compute_ms");
    let array = build()?;
    for _ in 0..200 {
        let start = Instant::now();
        array.compute()?;
        times.push(start.elapsed().as_secs_f64());
    }
    median(&mut times, "compute_ms");
    let session = Session::current()?;
    for _ in 0..200 {
        let start = Instant::now();
        let array = build()?;
        times.push(start.elapsed().as_secs_f64());
        drop(array);
    }
    median(&mut times, "build_ms");
    for _ in 0..200 {
        let start = Instant::now();
        session.plan(&array)?;
        times.push(start.elapsed().as_secs_f64());
    }
    median(&mut times, "plan_ms");
    tasks(&session.plan(&array)?, report);
    report.digest("std", result);
    Ok(())
}

pub fn reductions(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let rows = options.scaled(4000.0, 160);
    options.session()?;
    let start = Instant::now();
    // The same numbers as a matrix of rows x 25000 seen as rows x 250 x 100.
    let i = arange::<f64>(0.0, rows as f64, 1.0)?.reshape([rows as isize, 1, 1])?.rechunk([160, 1, 1])?;
    let j = arange::<f64>(0.0, 25_000.0, 1.0)?.reshape([250, 100])?.rechunk([125, 50])?;
    let x = i * PHI + j * PSI;
    let x = &x - x.floor();
    let x = report.part("source_persist", || x.persist())?;
    let elements = (rows * 25_000) as f64;
    let mut slowest = f64::INFINITY;
    let names = ["sum", "mean", "std", "min", "argmax"];
    for axis in 0..3 {
        for name in names {
            let run = || -> talatat::Result<ndarray::ArrayD<f64>> {
                match name {
                    "sum" => x.sum(axis)?.compute(),
                    "mean" => x.mean(axis)?.compute(),
                    "std" => x.std(axis)?.compute(),
                    "min" => x.min(axis)?.compute(),
                    _ => Ok(x.argmax(axis)?.compute()?.mapv(|index| index as f64)),
                }
            };
            let key = format!("{name}{axis}");
            let result = report.part(&key, run)?;
            report.digest(&key, weighted(&result));
            slowest = slowest.min(8.0 * elements / report.parts[&key] / 1e9);
        }
    }
    let all = || -> talatat::Result<()> {
        for axis in 0..3 {
            compute_all((x.sum(axis)?, x.mean(axis)?, x.std(axis)?, x.min(axis)?, x.argmax(axis)?))?;
        }
        Ok(())
    };
    report.part("all15_three_computes", all)?;
    let seconds = start.elapsed().as_secs_f64();
    report.inner_s = Some(seconds);
    report.metric("slowest_gb_s", slowest);
    bandwidth(report, options, 15.0 * 8.0 * elements, seconds);
    Ok(())
}

pub fn orders(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let (rows, columns) = (options.scaled(20_000.0, 1000), 5000);
    let half = options.scaled(1e7, 5_000_000) / 5000;
    options.session()?;
    let start = Instant::now();
    let x = source(rows, columns, [1000, 1000])?;
    let x = report.part("source_persist", || x.persist())?;
    let running = report.part("cumsum0", || x.cumsum(0)?.persist())?;
    let row =
        |at: usize| -> talatat::Result<f64> { Ok(weighted(&running.slice(ndarray::s![at as isize, ..])?.compute()?)) };
    report.digest("cum", row(rows - 1)?);
    report.digest("cummid", row(rows / 2)?);
    drop(running);
    // Once more, on memory that has been used: what remains is the work.
    drop(report.part("cumsum0_warm", || x.cumsum(0)?.persist())?);
    let quantiles =
        || x.slice(ndarray::s![..2 * half as isize, ..])?.quantile([0.1, 0.5, 0.99], 0, Method::Linear)?.compute();
    let quantiles: ndarray::ArrayD<f64> = report.part("quantile0", quantiles)?;
    report.digest("quant", weighted(&quantiles));
    let counts = report.part("histogram", || x.histogram(bins(100).range(0.0, 1.0))?.0.compute())?;
    report.digest("hist", weighted(&counts.mapv(|count| count as f64)));
    let masked = || x.filter(&x.greater(0.5))?.sum(..)?.item()?.compute();
    let masked = report.part("mask_sum", masked)?;
    report.digest("mask", masked);
    let largest = report.part("topk", || x.ravel()?.topk(10, -1)?.compute())?;
    report.digest("topk", largest.sum());
    let seconds = start.elapsed().as_secs_f64();
    report.inner_s = Some(seconds);
    tasks(&Session::current()?.plan(&x.cumsum(0)?)?, report);
    // The running sum reads and writes each element once.
    bandwidth(report, options, 16.0 * (rows * columns) as f64, report.parts["cumsum0_warm"]);
    Ok(())
}
