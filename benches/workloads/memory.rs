//! Elementwise work and reductions on arrays in memory, beside what memory can do.

use std::time::Instant;

use talatat::array::arange;
use talatat::prelude::*;

use crate::machine::triad;
use crate::report::{Options, Report};

/// Gigabytes a second of one operation on arrays of 240 MB each, and of a plain triad loop in this process.
pub fn stream(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(3e7, 1_000_000);
    options.session()?;
    let start = Instant::now();
    let i = arange::<f64>(0.0, n as f64, 1.0)?.rechunk(1_000_000)?;
    let (x, y) = ((&i * 1e-8).persist()?, (&i * 2e-8).persist()?);
    let limit = triad(options.threads);
    report.metric("triad_gb_s", limit);
    let mut best = |name: &str, arrays: usize, run: &dyn Fn() -> talatat::Result<()>| -> talatat::Result<()> {
        let mut best = f64::INFINITY;
        for _ in 0..7 {
            let start = Instant::now();
            run()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        let speed = (8 * arrays * n) as f64 / best / 1e9;
        report.metric(&format!("{name}_gb_s"), speed);
        report.metric(&format!("{name}_of_triad"), speed / limit);
        Ok(())
    };
    // The result of a round is the buffer of the next one.
    best("add", 3, &|| (&x + &y * 3.0).persist().map(drop))?;
    best("sqrt", 2, &|| x.sqrt().persist().map(drop))?;
    best("sum", 1, &|| x.sum(..)?.compute().map(drop))?;
    best("min", 1, &|| x.min(..)?.compute().map(drop))?;
    best("std", 1, &|| x.std(..)?.compute().map(drop))?;
    best("sum_of_product", 2, &|| (&x * &y).sum(..)?.compute().map(drop))?;
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.digest("sum", x.sum(..)?.item()?.compute()?);
    Ok(())
}
