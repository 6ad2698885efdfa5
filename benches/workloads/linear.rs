//! Neighbours and matrices.

use std::time::Instant;

use talatat::Session;
use talatat::array::{Array, Boundary, ones};
use talatat::prelude::*;

use crate::array::source;
use crate::report::{Options, Report};

/// The 3 x 3 binomial stencil.
fn binomial() -> ndarray::ArrayD<f64> {
    ndarray::array![[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]].into_dyn() * 0.0625
}

fn sweeps(
    options: &Options,
    report: &mut Report,
    sweep: impl Fn(&Array<f64>) -> talatat::Result<Array<f64>>,
) -> talatat::Result<()> {
    let n = options.scaled(8192.0, 1024);
    options.session()?;
    let start = Instant::now();
    let x = report.part("source_persist", || source(n, n, [1024, 1024])?.persist())?;
    let part = Instant::now();
    let mut x = x;
    for _ in 0..4 {
        x = sweep(&x)?;
    }
    let both = (x.sum(..)?.item()?, (&x * &x).sum(..)?.item()?);
    let (sum, squares) = compute_all(both.clone())?;
    report.parts.insert("stencil".into(), part.elapsed().as_secs_f64());
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.digest("s", sum);
    report.digest("q", squares);
    let plan = Session::current()?.plan(&both)?;
    report.metric("tasks", plan.graph().len() as f64);
    report.metric("planned_peak_mb", plan.peak().bytes as f64 / 1e6);
    let pool = talatat::array::kernels::pool::statistics();
    report.metric("pool_misses", pool.misses as f64);
    report.metric("pool_hits", pool.hits as f64);
    Ok(())
}

/// Four sweeps with weights.
pub fn stencil(options: &Options, report: &mut Report) -> talatat::Result<()> {
    sweeps(options, report, |x| x.correlate_nd(&binomial(), Boundary::Nearest))
}

/// The same with a function of the user's on blocks with a border.
pub fn overlap(options: &Options, report: &mut Report) -> talatat::Result<()> {
    sweeps(options, report, |x| {
        x.map_overlap(1, Boundary::Nearest, |info, block| {
            let (rows, columns) = (info.shape[0], info.shape[1]);
            let block = block.into_dimensionality::<ndarray::Ix2>().expect("two axes");
            let mut out = ndarray::Array2::<f64>::zeros((rows, columns));
            for (row, mut out) in out.rows_mut().into_iter().enumerate() {
                let [a, b, c] = [0, 1, 2].map(|k| block.row(row + k).to_slice().unwrap_or_default());
                let out = out.as_slice_mut().unwrap_or_default();
                for (j, out) in out.iter_mut().enumerate() {
                    let along = |row: &[f64]| row[j] + 2.0 * row[j + 1] + row[j + 2];
                    *out = (along(a) + 2.0 * along(b) + along(c)) * 0.0625;
                }
            }
            out.into_dyn()
        })
    })
}

/// The product of two matrices of 4096 x 4096 in blocks of 1024 x 1024.
pub fn matmul(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(4096.0, 1024);
    options.session()?;
    let start = Instant::now();
    let x = source(2 * n, n, [1024, 1024])?;
    let (a, b) = (x.slice(ndarray::s![..n, ..])?, x.slice(ndarray::s![n.., ..])?);
    let (a, b) = (a.persist()?, b.persist()?);
    let c = report.part("matmul", || a.matmul(&b)?.persist())?;
    let (sum, trace) = (c.sum(..)?.item()?, c.diagonal(0, 0, 1)?.sum(..)?.item()?);
    let (sum, trace) = compute_all((sum, trace))?;
    report.inner_s = Some(start.elapsed().as_secs_f64());
    report.metric("gflop_s", 2.0 * (n as f64).powi(3) / report.parts["matmul"] / 1e9);
    report.digest("sum", sum);
    report.digest("tr", trace);
    Ok(())
}

/// Singular values and QR of 1,000,000 x 50 in blocks of 100,000 rows.
pub fn tall(options: &Options, report: &mut Report) -> talatat::Result<()> {
    let n = options.scaled(1e6, 100_000);
    options.session()?;
    let start = Instant::now();
    let x = source(n, 50, [100_000, 50])?.persist()?;
    let values = report.part("svd", || -> talatat::Result<_> {
        let (_u, s, _vt) = x.svd()?.persist()?;
        s.compute()
    })?;
    let r = report.part("qr", || -> talatat::Result<_> {
        let (_q, r) = x.qr()?.persist()?;
        r.compute()
    })?;
    report.inner_s = Some(start.elapsed().as_secs_f64());
    for (name, at) in [("s0", 0), ("s1", 1), ("s10", 10), ("slast", 49)] {
        report.digest(name, values[[at]]);
    }
    report.digest("diagr", (0..50).map(|at| r[[at, at]].abs()).sum());
    Ok(())
}

/// A 10 x 10 window of 10,000 x 10,000 elements in 40,000 blocks behind a `map_overlap`: from the call to the answer.
pub fn window(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let x = ones::<f64>([10_000, 10_000]).rechunk(50)?;
        let y = x.map_overlap(1, Boundary::Reflect, |_, block| block.mapv(|x| x + 1.0))?;
        let window = y.slice(ndarray::s![5123..5133, 777..787])?;
        report.digest("sum", window.compute()?.sum());
        times.push(start.elapsed().as_secs_f64());
        report.metric("tasks", Session::current()?.plan(&window)?.graph().len() as f64);
    }
    report.metric("first_ms", times[0] * 1e3);
    times.sort_by(f64::total_cmp);
    report.metric("median_ms", times[times.len() / 2] * 1e3);
    Ok(())
}
