//! Rechunks, and shapes that eat memory: what was projected, what was held, and what the process took.

use std::time::Instant;

use talatat::Session;
use talatat::array::{Array, Item};
use talatat::prelude::*;

use crate::array::{bandwidth, source, weighted};
use crate::machine::status_bytes;
use crate::report::{Options, Report};

/// Rows to columns, then the mean of each column: from blocks made on the way, as Dask does it, and from blocks in memory.
pub fn rows_to_columns(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(16_000.0, 1000);
    options.session()?;
    let start = Instant::now();
    let means = |x: &Array<f64>| x.rechunk([n, 250])?.mean(0);
    let made = source(n, n, [250, n])?;
    let result = report.part("rechunk+mean", || means(&made)?.compute())?;
    report.digest("w", weighted(&result));
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.metric("tasks", Session::current()?.plan(&means(&made)?)?.graph().len() as f64);
    let held = made.persist()?;
    report.part("held: mean", || means(&held)?.compute())?;
    // Columns that stay: every element moves.
    let seconds = Instant::now();
    let columns = report.part("held: rechunk", || held.rechunk([n, 250])?.persist())?;
    let seconds = seconds.elapsed().as_secs_f64();
    report.part("columns: mean", || columns.mean(0)?.compute())?;
    bandwidth(report, options, 16.0 * (n * n) as f64, seconds);
    Ok(())
}

/// A function of the user's, which no rewrite sees through.
pub fn opaque(x: &Array<f64>) -> talatat::Result<Array<f64>> {
    x.map_blocks::<f64, _>(|_, block| block.mapv(|x| x + 1.0))
}

fn peak(options: &Options, report: &mut Report, build: impl Fn() -> talatat::Result<Item<f64>>) -> talatat::Result<()> {
    let session = options.session()?;
    let item = build()?;
    let projected = session.plan(&item)?.peak().bytes;
    let before = status_bytes("VmHWM");
    let start = Instant::now();
    let (value, run) = item.compute_reported()?;
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.digest("value", value);
    report.metric("projected_mb", projected as f64 / 1e6);
    report.metric("held_mb", run.peak_measured.unwrap_or(0) as f64 / 1e6);
    report.metric("process_mb", (status_bytes("VmHWM") - before) as f64 / 1e6);
    Ok(())
}

/// Medians along time of a cube of 2 GB that is made time by time.
pub fn cube(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let times = options.scaled(4000.0, 40);
    peak(options, report, || {
        let x = source(times, 250 * 250, [40, 250 * 250])?.reshape([times as isize, 250, 250])?;
        opaque(&x)?.rechunk([times, 25, 25])?.median(0)?.sum(..)?.item()
    })
}

/// A matrix of 0.8 GB times its transpose, which has 0.8 GB.
pub fn gram(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(10_000.0, 1000);
    peak(options, report, || {
        let x = opaque(&source(n, n / 10, [1000, n / 10])?)?;
        x.matmul(&x.t())?.sum(..)?.item()
    })
}

/// The variance of the deviations from the mean by day of the year, of ten years of days.
pub fn anomaly(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let days = 365 * options.scaled(10.0, 1);
    peak(options, report, || {
        let x = opaque(&source(days, 181 * 360, [73, 181 * 360])?)?;
        let day_of_year: Vec<usize> = (0..days).map(|day| day % 365).collect();
        let groups = x.groupby(&day_of_year, 0)?;
        let anomalies = &x - groups.spread(&groups.mean()?)?;
        (&anomalies * &anomalies).mean(..)?.item()
    })
}
