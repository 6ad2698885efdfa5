//! Does the memory limit hold? Thousands of random computations of arrays and frames, each in a process of its own whose memory is
//! capped a little above the limit.
//!
//! ```text
//! cargo run --release -p talatat-promise --bin promise -- [--graphs 1000] [--seed 0] [--long]
//! cargo run --release -p talatat-promise --bin promise -- scratch [--graphs 60] [--bytes 67108864]
//! cargo run --release -p talatat-promise --bin promise -- slope [--svg slope.svg]
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `arrays`, `frames` | random computations by seed, with one number as answer |
//! | `child` | runs one of them under a limit, in this process |
//! | `cap` | a cap on a child's memory: a control group, or the size of its data |
//! | `campaign` | starts children, compares answers, makes the table |
//! | `scratch` | whether operations need the scratch memory that they declare |
//! | `trace` | what each task takes, for finding the one that takes too much |
//! | `slope` | time per byte from half of the limit to twenty times the limit |

mod arrays;
mod campaign;
mod cap;
mod child;
mod frames;
mod rng;
mod scratch;
mod slope;
mod trace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["child", rest @ ..] => child::main(rest),
        ["scratch", rest @ ..] => scratch::main(rest),
        ["slope", rest @ ..] => slope::main(rest),
        rest => campaign::main(rest),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("promise: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The value after a flag.
pub(crate) fn flag<T: std::str::FromStr>(words: &[&str], name: &str, default: T) -> Result<T, String> {
    match words.iter().position(|word| *word == name) {
        None => Ok(default),
        Some(at) => words.get(at + 1).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} needs a value")),
    }
}
