//! The same arrays on a cluster: of an address, or of two workers on this machine.
//!
//! ```text
//! TALATAT_WORKER_FEATURES=array python/venv.sh target/cluster
//! TALATAT_PYTHON=target/cluster/venv/bin/python cargo run --no-default-features --features array,cluster --example cluster [tcp://ADDRESS:8786]
//! ```

use talatat::array::uniform;
use talatat::prelude::*;

fn main() -> talatat::Result<()> {
    let cluster = match std::env::args().nth(1) {
        Some(address) => Cluster::connect(&address)?,
        None => Cluster::local(2)?,
    };
    for worker in cluster.workers() {
        println!("{} with {} threads", worker.address, worker.threads);
    }
    let x = uniform(0.0, 1.0, [4000, 4000], 7)?.rechunk(500)?;
    // The blocks stay on the workers.
    let x = x.persist_on(&cluster)?;
    let spread = (&x + x.t() - x.mean(0)?).std(..)?;
    println!("{}", cluster.explain(&spread)?);
    let (spread, report) = cluster.scope(|| spread.item()?.compute_reported())?;
    println!("{report}\n{spread}");
    Ok(())
}
