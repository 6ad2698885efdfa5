//! The workloads that the peers run too: the same inputs, the same answers.
//!
//! `cargo bench --bench workloads -- NAME [--scale F] [--threads N] [--memory BYTES] [--skip REWRITE] [--report]` runs one and prints as its last line a JSON object
//! `{"digest": {...}, "inner_s": seconds, "parts": {...}, "metrics": {...}}`.

#[cfg(feature = "array")]
mod array;
#[cfg(feature = "frame")]
mod frames;
#[cfg(feature = "array")]
mod groups;
#[cfg(feature = "array")]
mod linear;
mod machine;
#[cfg(feature = "array")]
mod memory;
#[cfg(feature = "zarr")]
mod out_of_core;
#[cfg(feature = "array")]
mod peaks;
mod report;
mod sched;
mod watched;

use std::time::{Duration, Instant};

use report::{Options, Report};

#[global_allocator]
static ALLOCATOR: talatat_allocator::Allocator = talatat_allocator::Allocator;

/// Blocks that are freed are soon wanted again.
const KEPT: Duration = Duration::from_secs(5);

type Workload = fn(&Options, &mut Report) -> talatat::Result<()>;

/// On arrays.
#[cfg(feature = "array")]
const ARRAYS: &[(&str, Workload)] = &[
    ("a1", array::fused_chain),
    ("a2", array::transpose_std),
    ("a2small", array::small),
    ("a3", array::reductions),
    ("a4", linear::matmul),
    ("a5", peaks::rows_to_columns),
    ("a6", linear::stencil),
    ("a6overlap", linear::overlap),
    ("a7", linear::tall),
    ("window", linear::window),
    ("a8", array::orders),
    ("a9", groups::climatology),
    ("a10", groups::sums),
    ("a10b", groups::sum_of_both),
    ("stream", memory::stream),
    ("cube", peaks::cube),
    ("gram", peaks::gram),
    ("anomaly", peaks::anomaly),
];
#[cfg(not(feature = "array"))]
const ARRAYS: &[(&str, Workload)] = &[];

/// On arrays in Zarr stores, larger than memory: `m0` makes what the others read.
#[cfg(feature = "zarr")]
const STORES: &[(&str, Workload)] = &[
    ("m0", out_of_core::make),
    ("m1", out_of_core::anomaly),
    ("m2", out_of_core::rechunk),
    ("m3", out_of_core::persisted),
];
#[cfg(not(feature = "zarr"))]
const STORES: &[(&str, Workload)] = &[];

/// On frames: they read the files that the peers' `data.py` makes, in the folder that `PEER_DATA` names.
#[cfg(feature = "frame")]
const FRAMES: &[(&str, Workload)] = &[
    ("f1", frames::taxi::csv),
    ("f2", frames::taxi::parquet),
    ("f3", frames::groups::questions),
    ("f4", frames::joins::sums),
    ("f4m", frames::joins::tables),
    ("f5", frames::order::sort),
    ("f6", frames::brc::stations),
    ("f7", frames::rows::function),
    ("f8", frames::time::windows),
    ("f9s", frames::order::sort),
    ("f9g", frames::groups::distinct),
    ("files", frames::files::small),
];
#[cfg(not(feature = "frame"))]
const FRAMES: &[(&str, Workload)] = &[];

/// On the scheduler.
const TASKS: &[(&str, Workload)] = &[
    ("s1map", sched::map),
    ("s1chain", sched::chain),
    ("s1grid", sched::grid),
    ("s2fib", sched::fib),
    ("s2tree", sched::tree),
    ("watched", watched::overhead),
];

fn main() {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    let mut all = [ARRAYS, STORES, FRAMES, TASKS].into_iter().flatten();
    let Some((_, workload)) = all.find(|(name, _)| *name == options.name) else {
        let names: Vec<&str> = [ARRAYS, STORES, FRAMES, TASKS].into_iter().flatten().map(|(name, _)| *name).collect();
        eprintln!("no workload {:?}; there are {}", options.name, names.join(" "));
        // `cargo bench` without a name is not a mistake: it says what there is.
        std::process::exit(if options.name.is_empty() { 0 } else { 2 });
    };
    let mut report = Report::default();
    machine::print();
    // Under a limit what is kept counts: there it is as the allocator has it.
    if options.memory.is_none() {
        talatat_allocator::keep_freed(KEPT);
    }
    let start = Instant::now();
    let result = workload(&options, &mut report);
    report.inner_s.get_or_insert(start.elapsed().as_secs_f64());
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
    println!("{}", report.json());
}
