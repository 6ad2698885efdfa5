//! Arrays larger than memory, from and to Zarr on a disk. `benches/out_of_core.py` does the same with Dask.
//!
//! The input is `frac(day * PHI + pixel * PSI)` as 32-bit floats, 3650 days of 600 x 700 pixels: 6.1 GB in uncompressed chunks of 25 days
//! (42 MB) of version 2, in the folder `out_of_core` of `PEER_DATA`. `m0` makes it, if it is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::s;
use talatat::Session;
use talatat::array::{Array, ZarrCompressor, ZarrInfo, ZarrOptions, ZarrVersion, open_zarr};
use talatat::prelude::*;

use crate::array::{source, weighted};
use crate::machine::{io_bytes, status_bytes};
use crate::peaks::opaque;
use crate::report::{Options, Report};

const ROWS: usize = 600;
const COLUMNS: usize = 700;
/// Days of a chunk of the input.
const DAYS: usize = 25;
/// Pixels of a chunk where time is whole, along both axes: 36.5 MB at full scale.
const PIXELS: usize = 50;

fn failed(what: &Path, error: &dyn std::fmt::Display) -> talatat::Error {
    talatat::Error::invalid("out_of_core", format!("{}: {error}", what.display()))
}

/// The folder of the data.
fn folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/talatat-peers");
    std::env::var_os("PEER_DATA").map_or_else(home, PathBuf::from).join("out_of_core")
}

fn days(options: &Options) -> usize {
    options.scaled(3650.0, DAYS)
}

fn input(options: &Options) -> PathBuf {
    folder().join(format!("{}-days.zarr", days(options)))
}

fn open(path: &Path) -> talatat::Result<Array<f32>> {
    open_zarr::<f32>(&path.display().to_string())
}

fn raw() -> ZarrOptions {
    ZarrOptions::new().version(ZarrVersion::V2).compressor(ZarrCompressor::None).overwrite(true)
}

/// Makes the input of the others.
pub fn make(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let (days, path) = (days(options), input(options));
    fs::create_dir_all(folder()).map_err(|error| failed(&path, &error))?;
    let url = path.display().to_string();
    let there = ZarrInfo::open(&url)
        .is_ok_and(|info| info.shape == [days, ROWS, COLUMNS] && info.chunks == [DAYS, ROWS, COLUMNS]);
    if !there {
        let x = source(days, ROWS * COLUMNS, [DAYS, ROWS * COLUMNS])?.astype::<f32>();
        x.reshape([days as isize, ROWS as isize, COLUMNS as isize])?.to_zarr_with(&url, &raw())?;
    }
    let last = open(&path)?.slice(s![-1, -1, ..])?.compute()?;
    report.digest("last", weighted(&last.mapv(f64::from)));
    Ok(())
}

/// What a part of a workload moves and holds, beside its result.
struct Watch {
    start: Instant,
    io: (u64, u64),
    spilled: (u64, u64),
}

impl Watch {
    fn start() -> talatat::Result<Watch> {
        Ok(Watch { start: Instant::now(), io: io_bytes(), spilled: Session::current()?.spill_traffic() })
    }

    fn stop(self, report: &mut Report) -> talatat::Result<()> {
        report.inner_s = Some(self.start.elapsed().as_secs_f64());
        let (io, spilled) = (io_bytes(), Session::current()?.spill_traffic());
        let mut metric = |name: &str, bytes: u64| report.metric(name, bytes as f64 / 1e6);
        metric("disk_read_mb", io.0 - self.io.0);
        metric("disk_written_mb", io.1 - self.io.1);
        metric("spilled_mb", spilled.0 - self.spilled.0);
        metric("unspilled_mb", spilled.1 - self.spilled.1);
        metric("process_mb", status_bytes("VmHWM"));
        Ok(())
    }
}

/// The deviations from the mean of each pixel: their standard deviation, and the largest.
pub fn anomaly(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let watch = Watch::start()?;
    let x = open(&input(options))?;
    let anomaly = &x - x.mean(0)?;
    let both = (anomaly.std(..)?.item()?, anomaly.abs().max(..)?.item()?);
    report.metric("projected_mb", Session::current()?.plan(&both)?.peak().bytes as f64 / 1e6);
    let ((std, largest), run) = both.compute_reported()?;
    watch.stop(report)?;
    report.metric("held_mb", run.peak_measured.unwrap_or(0) as f64 / 1e6);
    report.digest("std", f64::from(std));
    report.digest("max", f64::from(largest));
    Ok(())
}

/// Chunks of some days become chunks of some pixels, written to a new array; then some pixels are read back.
pub fn rechunk(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let days = days(options);
    let target = folder().join("rechunked-by-talatat");
    // A run that was killed left something.
    let _ = fs::remove_dir_all(&target);
    fs::create_dir_all(&target).map_err(|error| failed(&target, &error))?;
    let path = target.join("x.zarr");
    let work = |report: &mut Report| -> talatat::Result<()> {
        let watch = Watch::start()?;
        let x = open(&input(options))?.rechunk([days, PIXELS, PIXELS])?;
        report.part("rechunk", || x.to_zarr_with(&path.display().to_string(), &raw()))?;
        report.part("flush", || flush(&path)).map_err(|error| failed(&path, &error))?;
        watch.stop(report)?;
        let y = open(&path)?;
        for (name, row, column) in [("first", 0, 0), ("middle", 299, 301), ("last", ROWS - 1, COLUMNS - 1)] {
            let pixel = y.slice(s![.., row as isize, column as isize])?.compute()?;
            report.digest(name, weighted(&pixel.mapv(f64::from)));
        }
        Ok(())
    };
    let result = work(report);
    fs::remove_dir_all(&target).map_err(|error| failed(&target, &error))?;
    result
}

/// Waits until all files below a folder are on the disk.
fn flush(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => flush(&path)?,
            false => fs::File::open(&path)?.sync_data()?,
        }
    }
    Ok(())
}

/// An array of 2 GB that stays, used twice: under a limit of 512 MB most of it is on the disk.
pub fn persisted(options: &Options, report: &mut Report) -> talatat::Result<()> {
    options.session()?;
    let (rows, columns) = (options.scaled(16_384.0, 1024), 16_384);
    let watch = Watch::start()?;
    let x = opaque(&source(rows, columns, [1024, 2048])?)?;
    let x = report.part("persist", || x.persist())?;
    let sum = report.part("sum", || x.sum(..)?.item()?.compute())?;
    let means = report.part("mean", || x.mean(0)?.compute())?;
    watch.stop(report)?;
    report.digest("sum", sum);
    report.digest("means", weighted(&means));
    Ok(())
}
