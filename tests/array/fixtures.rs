//! NumPy's answers (`arrays.json`, `ufuncs.json`, `dtypes.json` in `tests/fixtures`), every case through the API, in several chunkings.

pub(crate) mod answer;
mod differences;
pub(crate) mod dtypes;
pub(crate) mod operations;
pub(crate) mod suite;
mod ufuncs;

use serde_json::Value as Json;
use talatat::Session;

use self::answer::{Answer, expected, matches};
use crate::oracle::SESSIONS;

/// How the inputs of a case are cut; the second input is cut in the way after that of the first.
const CHUNKINGS: usize = 4;

#[test]
fn all_cases_are_numpys() {
    check("arrays.json", operations::run);
}

#[test]
fn elementwise_functions_are_numpys() {
    check("ufuncs.json", ufuncs::run);
}

#[test]
fn half_and_complex_numbers_are_numpys() {
    check("dtypes.json", dtypes::run);
}

/// How a case is run: its inputs are cut in one of several ways.
type Run = fn(&Json, usize, &Session) -> Result<Answer, String>;

fn check(file: &str, run: Run) {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR")));
    let cases: Vec<Json> = serde_json::from_str(&text.expect("the file is there")).expect("JSON");
    let (mut same, mut different, mut failures) = (0, 0, Vec::new());
    let mut of_reason = std::collections::BTreeMap::<&str, usize>::new();
    for (number, case) in cases.iter().enumerate() {
        let difference = differences::of(case);
        let mut wrong = None;
        for chunking in 0..CHUNKINGS {
            // The plain session, and by turns each of the others.
            for session in [0, 1 + (number * CHUNKINGS + chunking) % (SESSIONS.len() - 1)] {
                let found = run(case, chunking, &SESSIONS[session].session);
                if let Err(reason) = judge(case, &found) {
                    wrong.get_or_insert(format!("chunking {chunking}, {}: {reason}", SESSIONS[session].name));
                }
            }
        }
        match (wrong, difference) {
            (None, None) => same += 1,
            (Some(_), Some(difference)) => {
                different += 1;
                *of_reason.entry(difference).or_default() += 1;
            }
            (Some(wrong), None) => failures.push(format!("case {number}: {}\n  {wrong}", short(case))),
            (None, Some(difference)) => {
                failures.push(format!(
                    "case {number}: {}\n  is NumPy's answer, though listed as: {difference}",
                    short(case)
                ));
            }
        }
    }
    println!("{} cases: {same} as NumPy, {different} different for a documented reason:", cases.len());
    of_reason.iter().for_each(|(reason, count)| println!("{count:5} {reason}"));
    let shown = failures.iter().take(400).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} cases differ:\n{shown}", failures.len());
}

fn short(case: &Json) -> String {
    case.to_string().chars().take(230).collect()
}

/// Whether an outcome is the expected one.
fn judge(case: &Json, found: &Result<Answer, String>) -> Result<(), String> {
    match (case["expect"].get("error"), found) {
        (Some(_), Err(_)) => Ok(()),
        (Some(error), Ok(answer)) => Err(format!("{error} is right, got {answer:?}")),
        (None, Err(error)) => Err(error.clone()),
        (None, Ok(answer)) => matches(answer, &expected(case), case),
    }
}
