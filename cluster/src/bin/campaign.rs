//! Random graphs on a cluster on this machine whose processes are killed and frozen at random moments: a table of what came of it.
//!
//! ```text
//! python/venv.sh FOLDER
//! TALATAT_PYTHON=FOLDER/venv/bin/python cargo run --release -p talatat-cluster --bin talatat-campaign -- \
//!     [--rounds 100] [--seed 0] [--workers 3] [--patience 120]
//! ```
//!
//! A run that has not ended after `--patience` seconds counts as hung; the campaign goes on with new processes. It fails if any run hung,
//! was wrong, or ended with an error that was not to be.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    match unix::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("talatat-campaign: {problem}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("talatat-campaign: signals are needed, which this system does not have");
    ExitCode::from(2)
}

#[cfg(unix)]
mod unix {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use talatat_cluster::testing::campaign::{Fault, Field, Table};

    pub fn run() -> Result<bool, String> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [rounds, seed, workers, patience] =
            [("--rounds", 100), ("--seed", 0), ("--workers", 3), ("--patience", 120)]
                .map(|(name, otherwise)| flag(&words, name, otherwise));
        let (rounds, first, workers, patience) = (rounds?, seed?, workers?, Duration::from_secs(patience?));
        let python = std::env::var_os("TALATAT_PYTHON").map(PathBuf::from);
        let python = python.ok_or("TALATAT_PYTHON must name a Python with the worker package")?;
        let start = || Field::start(&python, workers as usize).map(Arc::new).map_err(|error| error.to_string());
        let (mut field, mut table, mut good) = (start()?, Table::default(), true);
        for seed in first..first + rounds {
            // Each in its turn, then what the seed says.
            let fault = Fault::ALL.get(seed as usize % (Fault::ALL.len() + 2)).copied();
            let (sender, told) = channel();
            let there = field.clone();
            std::thread::spawn(move || drop(sender.send(there.round(seed, fault))));
            match told.recv_timeout(patience) {
                Ok(Ok(round)) => {
                    table.add(&round);
                    good &= round.is_good();
                    println!("seed {seed}: {:?} {:?} {:.1?}", round.faults, round.outcome, round.elapsed);
                }
                Ok(Err(error)) => {
                    field.kill();
                    return Err(format!("seed {seed}: {error}"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    field.kill();
                    return Err(format!("seed {seed}: the round panicked"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    println!("seed {seed}, {fault:?}: hung");
                    table.add_hung(fault.as_slice());
                    good = false;
                    field.kill();
                    field = start()?;
                }
            }
        }
        // The last round's thread may hold it a moment longer than this process lives.
        field.kill();
        println!("\n{table}");
        Ok(good)
    }

    /// The number after a flag.
    fn flag(words: &[String], name: &str, otherwise: u64) -> Result<u64, String> {
        match words.iter().position(|word| word == name) {
            None => Ok(otherwise),
            Some(at) => {
                words.get(at + 1).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} needs a number"))
            }
        }
    }
}
