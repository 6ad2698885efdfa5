//! Where scaling ends: common computations on 1 to 10,000 workers, played through with what the engine and a network take.
//!
//! ```text
//! cargo run --release -p talatat-cluster --bin talatat-simulate -- [--bandwidth 600000000] [--unit 0.0016] [--threads 1] [--parts]
//! TALATAT_PYTHON=FOLDER/venv/bin/python cargo run --release -p talatat-cluster --bin talatat-simulate -- --check
//! ```
//!
//! `--parts` shows what would be if parts of results travelled one by one, which they do not yet. With `--check` the engine's rates are measured on this machine first, and what is then predicted for one, two and three workers stands beside
//! what a cluster here takes for the same graphs. Its tasks rest as long as they are said to take, so that three workers do not need three cores.

use std::process::ExitCode;

use talatat_cluster::simulator::{Machines, Rates, Simulated, simulate, workloads};
use talatat_cluster::units::{Costs, CutOptions, Units};
use talatat_graph::Plan;

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("talatat-simulate: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failed> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--check") {
        return check();
    }
    let measured = Rates::MEASURED;
    let rates = Rates {
        unit: flag(&words, "--unit", measured.unit)?,
        edge: flag(&words, "--edge", measured.edge)?,
        bandwidth: flag(&words, "--bandwidth", measured.bandwidth)?,
        parts: words.iter().any(|word| word == "--parts"),
        ..measured
    };
    let threads = flag(&words, "--threads", 1.0)? as usize;
    println!(
        "The engine takes {:.2} ms for a unit and {:.0} us for each unit that it reads; a worker has {threads} threads and sends {:.2} GB/s.",
        rates.unit * 1e3,
        rates.edge * 1e6,
        rates.bandwidth / 1e9
    );
    let named = &workloads::named;
    let all = [
        ("tree sum of 100,000 tasks", workloads::tree_sum(named, 87_500)?),
        ("sum of x + x.T, 80 GB in 40 x 40 blocks", workloads::transposed(named, 40, 50_000_000)?),
        ("rechunk of 80 GB, 400 to 400 blocks", workloads::rechunk(named, 400, 200_000_000)?),
        ("shuffle join of 2 x 40 GB, 400 partitions", workloads::join(named, 400, 100_000_000)?),
    ];
    for (name, plan) in &all {
        scale(name, plan, &workloads::costs(), threads, &rates)?;
    }
    Ok(())
}

/// How a workload scales, and where that ends.
fn scale(name: &str, plan: &Plan, costs: &Costs, threads: usize, rates: &Rates) -> Result<(), Failed> {
    println!("\n{name}: {} tasks", plan.graph().len());
    println!("| workers | units | predicted | faster than one | bounded by | between workers |");
    println!("|---|---|---|---|---|---|");
    let mut one = 0.0;
    let mut times: Vec<(usize, f64)> = Vec::new();
    for workers in [1, 2, 3, 10, 30, 100, 300, 1000, 3000, 10_000] {
        let machines = Machines { workers, threads: threads.max(1) };
        let (units, found) = predict(plan, costs, machines, rates)?;
        one = if workers == 1 { found.elapsed } else { one };
        times.push((workers, found.elapsed));
        let (faster, sent) = (one / found.elapsed, found.sent as f64 / 1e9);
        println!("| {workers} | {units} | {:.3} s | {faster:.2} x | {} | {sent:.1} GB |", found.elapsed, found.bound());
    }
    let best = times.iter().map(|&(_, time)| time).fold(f64::INFINITY, f64::min);
    if let Some((workers, time)) = times.iter().find(|&&(_, time)| time <= 1.1 * best) {
        println!("scaling ends at {workers} workers: {time:.3} s, and no number of them is a tenth faster");
    }
    Ok(())
}

fn predict(plan: &Plan, costs: &Costs, machines: Machines, rates: &Rates) -> Result<(usize, Simulated), Failed> {
    let units = Units::cut(plan, costs, &CutOptions::slots(machines.slots()));
    Ok((units.units.len(), simulate(plan, &units, &units.seconds(), machines, rates)?))
}

/// The number after a flag.
fn flag(words: &[String], name: &str, otherwise: f64) -> Result<f64, Failed> {
    let Some(at) = words.iter().position(|word| word == name) else { return Ok(otherwise) };
    let found = words.get(at + 1).and_then(|text| text.parse::<f64>().ok()).filter(|number| *number > 0.0);
    found.ok_or_else(|| format!("{name} needs a number above 0").into())
}

#[cfg(not(unix))]
fn check() -> Result<(), Failed> {
    Err("there are no clusters on this system".into())
}

#[cfg(unix)]
fn check() -> Result<(), Failed> {
    real::check()
}

#[cfg(unix)]
mod real {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use talatat_cluster::Cluster;
    use talatat_cluster::simulator::workloads::Step;
    use talatat_cluster::simulator::{Machines, Rates, workloads};
    use talatat_cluster::testing::{Act, registry};
    use talatat_cluster::units::{Costs, Rate};
    use talatat_graph::{Executor, Kernel, Plan, RunContext};

    use super::{Failed, predict};

    /// Microseconds that each task rests.
    const REST: u64 = 10_000;
    /// The most often that a run is repeated; the best counts.
    const RUNS: usize = 3;

    pub(super) fn check() -> Result<(), Failed> {
        let python = std::env::var_os("TALATAT_PYTHON").map(PathBuf::from);
        let python = python.ok_or("TALATAT_PYTHON must name a Python with the worker package")?;
        let local = |workers: usize, costs: Costs| Cluster::builder().python(&python).costs(costs).local(workers);
        // Every task a unit: what differs between two sizes is the engine's.
        let each = costs(Duration::from_secs(1), 1e12);
        let rates = rates(&local(2, each.clone())?)?;
        println!(
            "measured here: {:.2} ms a unit, {:.0} us a unit that is read, {:.1} ms there and back, {:.2} GB/s between workers",
            rates.unit * 1e3,
            rates.edge * 1e6,
            rates.round_trip * 1e3,
            rates.bandwidth / 1e9
        );
        // What the tasks take besides resting is measured here, too: so much for each, so much for a byte.
        let tree = workloads::tree_sum(&quick, 8_750)?;
        let tasks = tree.graph().len() as f64;
        let each = Duration::from_secs_f64(local_seconds(tree)? / tasks);
        let blocks = workloads::rechunk(&quick, 24, 16 << 20)?;
        let per_second = moved(&blocks) / local_seconds(blocks)?;
        let slow = |step: Step| act(step, REST);
        let resting = costs(each + Duration::from_micros(REST), per_second);
        let all: [(&str, Plan, Costs); 4] = [
            ("tree sum of 10,000 tasks", workloads::tree_sum(&quick, 8_750)?, costs(each, per_second)),
            ("x + x.T, 12 x 12 blocks of 4 MB", workloads::transposed(&slow, 12, 4 << 20)?, resting.clone()),
            ("rechunk, 24 blocks of 16 MB", workloads::rechunk(&slow, 24, 16 << 20)?, resting.clone()),
            ("join, 2 x 16 blocks of 8 MB", workloads::join(&slow, 16, 8 << 20)?, resting),
        ];
        println!("| what | workers | units | predicted | measured | predicted / measured |");
        println!("|---|---|---|---|---|---|");
        for (name, plan, costs) in all {
            let plan = Arc::new(plan);
            for workers in 1..=3 {
                let (units, found) = predict(&plan, &costs, Machines::new(workers), &rates)?;
                let took = best(&local(workers, costs.clone())?, &plan)?;
                let ratio = found.elapsed / took;
                println!("| {name} | {workers} | {units} | {:.3} s | {took:.3} s | {ratio:.2} |", found.elapsed);
            }
        }
        Ok(())
    }

    /// What the acts take: they rest, and write and hash bytes.
    fn costs(task: Duration, bytes_per_second: f64) -> Costs {
        Costs::default().otherwise(Rate { task, bytes_per_second })
    }

    /// Bytes that the tasks of a plan read and make.
    fn moved(plan: &Plan) -> f64 {
        plan.graph().tasks().map(|task| (plan.bytes_in(task) + plan.graph().bytes(task)) as f64).sum()
    }

    fn act(step: Step, micros: u64) -> Arc<dyn Kernel> {
        let bytes = (step.bytes / u64::from(step.parts.max(1))) as usize;
        Arc::new(Act::Mix { parts: step.parts, bytes, micros })
    }

    /// The shortest of several times, in seconds.
    fn best(cluster: &Cluster, plan: &Arc<Plan>) -> Result<f64, Failed> {
        let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            let begin = Instant::now();
            cluster.execute(plan.clone(), &context)?;
            best = best.min(begin.elapsed().as_secs_f64());
        }
        Ok(best)
    }

    fn quick(step: Step) -> Arc<dyn Kernel> {
        act(step, 0)
    }

    /// Measures the engine with graphs of which each task is a unit.
    fn rates(cluster: &Cluster) -> Result<Rates, Failed> {
        let time = |plan: Plan| best(cluster, &Arc::new(plan));
        let (one, few, many) = (
            time(workloads::tree_sum(&quick, 1)?)?,
            time(workloads::tree_sum(&quick, 256)?)?,
            time(workloads::tree_sum(&quick, 2048)?)?,
        );
        // Eight leaves are read by each sum.
        let per_unit = (many - few) / ((2048.0 - 256.0) * 8.0 / 7.0);
        // So many units of each kind, where each of the second kind reads each of the first: load and split are one task.
        const BLOCKS: u32 = 48;
        let shuffle = time(workloads::rechunk(&quick, BLOCKS, 8 * u64::from(BLOCKS))?)?;
        let units = f64::from(BLOCKS) * 2.0 + 7.0;
        let edge = ((shuffle - one - units * per_unit) / f64::from(BLOCKS * BLOCKS)).max(0.0);
        // Of a tree there is an edge for each unit.
        let unit = (per_unit - edge).max(0.0);
        // Two large blocks on two workers, and whoever reads both gets one of them sent.
        let pair = |bytes| workloads::transposed(&quick, 2, bytes);
        let (small, large) = (time(pair(1 << 10)?)?, time(pair(48 << 20)?)?);
        let sent = predicted_bytes(pair(48 << 20)?)?;
        // Making and hashing the blocks is not sending them.
        let made = local_seconds(pair(48 << 20)?)? / 2.0;
        let bandwidth = sent / (large - small - made).max(1e-3);
        Ok(Rates { unit, edge, round_trip: one, bandwidth, ..Rates::MEASURED })
    }

    /// Bytes that are sent on two workers if each task is a unit.
    fn predicted_bytes(plan: Plan) -> Result<f64, Failed> {
        let each = costs(Duration::from_secs(1), 1e12);
        Ok(predict(&plan, &each, Machines::new(2), &Rates::MEASURED)?.1.sent as f64)
    }

    /// How long the tasks take one thread here.
    fn local_seconds(plan: Plan) -> Result<f64, Failed> {
        let plan = Arc::new(plan);
        let context = RunContext { registry: Arc::new(registry()), ..RunContext::default() };
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            let begin = Instant::now();
            talatat_graph::Synchronous.execute(plan.clone(), &context)?;
            best = best.min(begin.elapsed().as_secs_f64());
        }
        Ok(best)
    }
}
