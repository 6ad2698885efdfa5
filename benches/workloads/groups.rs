//! Groups, and arrays larger than memory.

use std::time::Instant;

use ndarray::s;
use talatat::Session;
use talatat::prelude::*;

use crate::array::{bandwidth, source, weighted};
use crate::report::{Options, Report};

/// Days of a year, and points of the grid.
const DAYS: usize = 365;
const POINTS: usize = 181 * 360;

/// Climatology by day of the year, and the deviation of the anomalies against it.
pub fn climatology(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let days = DAYS * options.scaled(10.0, 1);
    options.session()?;
    let start = Instant::now();
    let made = || source(days, POINTS, [73, POINTS])?.astype::<f32>().reshape([days as isize, 181, 360])?.persist();
    let x = report.part("source_persist", made)?;
    let day_of_year: Vec<usize> = (0..days).map(|day| day % DAYS).collect();
    let part = Instant::now();
    let groups = x.groupby(&day_of_year, 0)?;
    let means = groups.mean()?;
    let anomalies = &x - groups.spread(&means)?;
    let both = ((&anomalies * &anomalies).astype::<f64>().mean(..)?.item()?, means.slice(s![..;50, 90, 180])?);
    let (square, sample) = compute_all(both.clone())?;
    let seconds = part.elapsed().as_secs_f64();
    report.parts.insert("clim+anom".into(), seconds);
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.digest("std", square.sqrt());
    report.digest("clim", weighted(&sample.mapv(f64::from)));
    let plan = Session::current()?.plan(&both)?;
    report.metric("tasks", plan.graph().len() as f64);
    report.metric("planned_peak_mb", plan.peak().bytes as f64 / 1e6);
    // Read once for the means and once for the anomalies.
    bandwidth(report, options, 2.0 * 4.0 * (days * POINTS) as f64, seconds);
    Ok(())
}

/// The sums of an array of 29 GB and of its transpose, each by itself.
pub fn sums(options: &Options, report: &mut Report) -> talatat::Result<()> {
    larger_than_memory(options, report, false)
}

/// The sum of an array of 29 GB plus its transpose.
pub fn sum_of_both(options: &Options, report: &mut Report) -> talatat::Result<()> {
    larger_than_memory(options, report, true)
}

fn larger_than_memory(options: &Options, report: &mut Report, both: bool) -> talatat::Result<()> {
    let n = options.scaled(6e4, 2000);
    options.session()?;
    let start = Instant::now();
    let x = source(n, n, [2000, 2000])?;
    let total = if both {
        (&x + x.t()).sum(..)?.item()?.compute()?
    } else {
        let (sum, transposed) = compute_all((x.sum(..)?.item()?, x.t().sum(..)?.item()?))?;
        sum + transposed
    };
    let seconds = start.elapsed().as_secs_f64();
    report.inner_s = Some(seconds);
    report.digest("sum", total);
    report.metric("ns_per_element", seconds * 1e9 / (n * n) as f64);
    bandwidth(report, options, 16.0 * (n * n) as f64, seconds);
    Ok(())
}
