//! One computation under a limit, in this process.

use std::sync::Arc;

use talatat::Session;
use talatat::graph::Error as GraphError;
use talatat::prelude::*;

use crate::cap::cap;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::{arrays, flag, frames};

/// Memory that a process takes beside its blocks: the polars engine's own state, stacks, the allocator's slack.
const BESIDE: u64 = 48 << 20;

/// Runs `child --seed S --bytes B --threads T [--limit L] [--group FOLDER] [--data FOLDER]` and prints what came out as `name=value` words; with `--show` what
/// would run, with `--trace` what each task took.
pub(crate) fn main(words: &[&str]) -> Result<bool, String> {
    let (seed, bytes) = (flag(words, "--seed", 0)?, flag(words, "--bytes", 32_u64 << 20)?);
    let (threads, limit) = (flag(words, "--threads", 1)?, flag(words, "--limit", 0_u64)?);
    let mut session = Session::builder().threads(threads).memory_limit((limit > 0).then_some(limit));
    if words.contains(&"--trace") {
        session = session.observer(Arc::new(Trace::default()));
    }
    let session = session.build().map_err(|error| error.to_string())?;
    let folder: String = flag(words, "--data", String::new())?;
    let sources = frames::Sources { folder: &folder, bytes };
    let mut rng = Rng::new(seed);
    if words.contains(&"--show") {
        sources.prepare().map_err(|error| error.to_string())?;
        println!("{}", session.scope(|| show(seed, bytes, &sources)).map_err(|error| error.to_string())?);
        return Ok(true);
    }
    let group: String = flag(words, "--group", String::new())?;
    let before = status("RssAnon");
    if limit > 0 {
        cap(&group, limit + limit / 4 + BESIDE)?;
    }
    let mut fits = false;
    let outcome = session.scope(|| -> talatat::Result<(String, talatat::diagnostics::Report, u64, bool)> {
        if seed % 2 == 0 {
            let item = arrays::random_item(&mut rng, bytes)?;
            let explained = item.explain()?;
            fits = explained.fits();
            let (value, report) = item.compute_reported()?;
            let (peak, spills) = (explained.forecast().peak, explained.plan().must_spill());
            Ok((format!("{:016x}", value.to_bits()), report, peak, spills))
        } else {
            let frame = frames::random_frame(&mut rng, &sources)?;
            let explained = frame.explain_measured()?;
            fits = explained.fits();
            let (value, report) = frame.compute_reported()?;
            let cells = value.columns().iter().map(|column| format!("{:?}", column.get(0))).collect::<Vec<_>>();
            let answer = cells.join(",").replace(' ', "");
            Ok((answer, report, explained.forecast().peak, explained.plan().must_spill()))
        }
    });
    match outcome {
        Ok((answer, report, peak, spills)) => {
            let projected = if spills { limit } else { peak };
            println!(
                "answer={answer} projected={projected} held={} process={} seconds={} spills={}",
                report.peak_measured.unwrap_or(0),
                own_peak().saturating_sub(before),
                report.elapsed.as_secs_f64(),
                u8::from(spills)
            );
            Ok(true)
        }
        Err(talatat::Error::Graph(GraphError::Memory { needed, .. })) => {
            println!("refused={needed} late={}", u8::from(fits));
            Ok(true)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What a computation is, and what it would do.
fn show(seed: u64, bytes: u64, sources: &frames::Sources<'_>) -> talatat::Result<String> {
    let mut rng = Rng::new(seed);
    Ok(match seed % 2 {
        0 => arrays::random_item(&mut rng, bytes)?.explain()?.to_string(),
        _ => frames::random_frame(&mut rng, sources)?.explain_measured()?.to_string(),
    })
}

/// The most memory of its own that the process had; what it shares with files, such as its code, is taken as it is now.
pub(crate) fn own_peak() -> u64 {
    status("VmHWM").saturating_sub(status("RssFile"))
}

/// A field of this process's status, in bytes; 0 where the system does not tell.
pub(crate) fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
