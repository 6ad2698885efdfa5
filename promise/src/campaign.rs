//! Many children, their answers side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cap::Group;
use crate::{flag, frames};

/// What one child said, or how it ended.
enum End {
    Answered(Fields),
    Refused {
        /// Not before something had run.
        late: bool,
    },
    Killed(String),
}

type Fields = BTreeMap<String, String>;

/// Sums over one kind of computation at one limit.
#[derive(Default)]
struct Row {
    runs: usize,
    spilled: usize,
    refused: usize,
    refused_late: usize,
    wrong: Vec<u64>,
    killed: Vec<(u64, String)>,
    held: Vec<f64>,
    process: Vec<f64>,
}

/// The limits, as shares of the bytes of a computation's sources.
const LIMITS: [(&str, u64, u64); 4] = [("1/4", 1, 4), ("1/2", 1, 2), ("1", 1, 1), ("4", 4, 1)];

/// Runs the campaign; true if no process was killed and no answer was wrong.
pub(crate) fn main(words: &[&str]) -> Result<bool, String> {
    let graphs: u64 = flag(words, "--graphs", 40)?;
    let first: u64 = flag(words, "--seed", 0)?;
    let bytes: u64 = flag(words, "--bytes", 32 << 20)?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let data = folder.path().to_string_lossy().into_owned();
    frames::Sources { folder: &data, bytes }.prepare().map_err(|error| error.to_string())?;
    let group = Group::new();
    let place = group.as_ref().map(|group| group.path().to_string_lossy().into_owned()).unwrap_or_default();
    println!(
        "children are capped by {}\n",
        if place.is_empty() { "the size of their data" } else { "a control group" }
    );
    let child = |seed: u64, threads: u64, limit: u64| {
        let numbers = [("--seed", seed), ("--bytes", bytes), ("--threads", threads), ("--limit", limit)];
        run(&program, [("--data", &data), ("--group", &place)], numbers)
    };
    let mut table: BTreeMap<(&str, usize), Row> = BTreeMap::new();
    for seed in first..first + graphs {
        let kind = if seed % 2 == 0 { "arrays" } else { "frames" };
        let expected = match child(seed, 1, 0)? {
            End::Answered(fields) => fields.get("answer").cloned(),
            End::Refused { .. } => None,
            End::Killed(how) => return Err(format!("graph {seed} fails without a limit: {how}")),
        };
        for (number, &(_, share, of)) in LIMITS.iter().enumerate() {
            let row = table.entry((kind, number)).or_default();
            row.runs += 1;
            match child(seed, 1 + (seed / 2 + number as u64) % 3, bytes * share / of)? {
                End::Refused { late } => {
                    row.refused += usize::from(!late);
                    row.refused_late += usize::from(late);
                }
                End::Killed(how) => row.killed.push((seed, how)),
                End::Answered(fields) => {
                    if fields.get("answer") != expected.as_ref() {
                        row.wrong.push(seed);
                    }
                    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
                    row.spilled += usize::from(number("spills") > 0.0);
                    if number("projected") > 0.0 {
                        row.held.push(number("held") / number("projected"));
                        row.process.push(number("process") / number("projected"));
                    }
                }
            }
        }
    }
    println!(
        "| what | limit / bytes of the sources | runs | spilled | refused before, during the run | killed | wrong | held / projected, median | process / projected, median, largest |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut good = true;
    for ((kind, number), row) in &mut table {
        good &= row.killed.is_empty() && row.wrong.is_empty();
        println!(
            "| {kind} | {} | {} | {} | {}, {} | {} | {} | {:.2} | {:.2}, {:.2} |",
            LIMITS[*number].0,
            row.runs,
            row.spilled,
            row.refused,
            row.refused_late,
            row.killed.len(),
            row.wrong.len(),
            median(&mut row.held),
            median(&mut row.process),
            row.process.last().copied().unwrap_or(0.0)
        );
    }
    for ((kind, number), row) in &table {
        for (seed, how) in &row.killed {
            println!("killed: {kind} {seed} at {}: {how}", LIMITS[*number].0);
        }
        for seed in &row.wrong {
            println!("wrong: {kind} {seed} at {}", LIMITS[*number].0);
        }
    }
    Ok(good)
}

fn run(program: &Path, texts: [(&str, &String); 2], numbers: [(&str, u64); 4]) -> Result<End, String> {
    let output = Command::new(program)
        .arg("child")
        .args(texts.into_iter().filter(|(_, text)| !text.is_empty()).flat_map(|(name, text)| [name, text]))
        .args(numbers.into_iter().flat_map(|(name, number)| [name.to_string(), number.to_string()]))
        .env("POLARS_MAX_THREADS", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
    let fields: Fields = text.split_whitespace().filter_map(pair).collect();
    Ok(match output.status.success() {
        true if fields.contains_key("refused") => {
            End::Refused { late: fields.get("late").is_some_and(|late| late == "1") }
        }
        true => End::Answered(fields),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("").to_string();
            End::Killed(format!("{}: {line}", output.status))
        }
    })
}

/// The middle value; sorts.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
