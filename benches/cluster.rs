//! Arrays on a local cluster of two workers, beside `dask.array` on the same scheduler and workers, and beside the threads of this process.
//!
//! ```text
//! TALATAT_WORKER_PROFILE=release TALATAT_WORKER_FEATURES=array python/venv.sh FOLDER
//! TALATAT_PYTHON=FOLDER/venv/bin/python cargo bench --no-default-features --features array,cluster --bench cluster
//! ```
//!
//! `SIDE` is the length of the matrices (10,000), `TINY` the number of elements that are a task each (10,000), `RUNS` how often each is timed
//! (3; the best counts).

use std::process::Command;
use std::time::{Duration, Instant};

use talatat::array::{Array, arange, uniform};
use talatat::prelude::*;

fn number(name: &str, otherwise: usize) -> Result<usize, std::num::ParseIntError> {
    std::env::var(name).map_or(Ok(otherwise), |value| value.parse())
}

/// The best of several times, and what came out.
fn best<R>(runs: usize, mut work: impl FnMut() -> talatat::Result<R>) -> talatat::Result<(Duration, Option<R>)> {
    let (mut best, mut last) = (Duration::MAX, None);
    for _ in 0..runs {
        let start = Instant::now();
        last = Some(work()?);
        best = best.min(start.elapsed());
    }
    Ok((best, last))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(python) = std::env::var("TALATAT_PYTHON") else {
        println!("TALATAT_PYTHON must name a Python with the worker package: see the head of this file");
        return Ok(());
    };
    let (side, tiny, runs) = (number("SIDE", 10_000)?, number("TINY", 10_000)?, number("RUNS", 3)?);
    let cluster = Cluster::local(2)?;
    let here = Session::builder().threads(2).build()?;
    let tell = |session: &Session, name: &str, x: &Array<f64>| -> talatat::Result<()> {
        let item = x.item()?;
        let (time, value) = best(runs, || item.compute_on(session))?;
        println!(
            "{}: {name}: {:.3} s ({:?})",
            session.executor().name(),
            time.as_secs_f64(),
            value.unwrap_or_default()
        );
        Ok(())
    };
    let square = |session: &Session| uniform(0.0, 1.0, [side, side], 7)?.rechunk(1000)?.persist_on(session);
    let rows = |session: &Session| uniform(0.0, 1.0, [side, side], 7)?.rechunk([side / 100, side])?.persist_on(session);
    for session in [cluster.session(), &here] {
        let x = square(session)?;
        tell(session, "sum of x + x.T, persisted", &(&x + x.t()).sum(..)?)?;
        tell(session, "std of x + x.T - x.mean(0), persisted", &(&x + x.t() - x.mean(0)?).std(..)?)?;
        drop(x);
        let x = rows(session)?;
        let columns = x.rechunk([side, side / 100])?;
        tell(session, "rows to columns, largest of the sums of each", &columns.sum(0)?.max(..)?)?;
        tell(session, "sum of one element a task", &arange(0.0, tiny as f64, 1.0)?.rechunk(1)?.sum(..)?)?;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cluster.py");
    let arguments = [side, tiny, runs].map(|number| number.to_string());
    let status = Command::new(&python).arg(script).arg(cluster.address()).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err("the comparison failed".into()) }
}
