//! NumPy's answers (`tests/fixtures/shapes.json`) for creations by index and for what moves elements, every case through the API, in
//! several chunkings and on every executor.

pub mod graphs;
pub mod operations;
pub mod properties;

use serde_json::Value as Json;
use talatat::Error;

use crate::fixtures::answer::{Answer, expected, matches};
use crate::oracle::SESSIONS;

/// How the inputs of a case are cut; each further input is cut in the next way.
const CHUNKINGS: usize = 4;

#[test]
fn all_cases_are_numpys() {
    check_cases("shapes.json", operations::call);
}

/// Runs the cases of a file; `call` makes the arrays of a case, whose inputs are cut in one of several ways.
pub fn check_cases(file: &str, call: fn(&Json, usize) -> operations::Call) {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR")));
    let cases: Vec<Json> = serde_json::from_str(&text.expect("the file is there")).expect("JSON");
    let (mut same, mut failures) = (0, Vec::new());
    for (number, case) in cases.iter().enumerate() {
        let mut wrong = None;
        for chunking in 0..CHUNKINGS {
            // The plain session, and by turns each of the others.
            for session in [0, 1 + (number * CHUNKINGS + chunking) % (SESSIONS.len() - 1)] {
                if let Err(reason) = judge(case, call(case, chunking), session) {
                    wrong.get_or_insert(format!("chunking {chunking}, {}: {reason}", SESSIONS[session].name));
                }
            }
        }
        match wrong {
            None => same += 1,
            Some(wrong) => {
                let short: String = case.to_string().chars().take(400).collect();
                failures.push(format!("case {number}: {short}\n  {wrong}"));
            }
        }
    }
    println!("{} cases: {same} as NumPy", cases.len());
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} cases differ:\n{shown}", failures.len());
}

/// Whether the outcome is the expected one. What cannot work must be refused by the call, not when it is computed.
fn judge(case: &Json, made: operations::Call, session: usize) -> Result<(), String> {
    let lazy = match (case["expect"].get("error"), made) {
        (Some(_), Err(Error::Invalid(_))) => return Ok(()),
        (Some(error), Err(other)) => return Err(format!("{error} is right, got another kind: {other}")),
        (Some(error), Ok(_)) => return Err(format!("{error} is right, but it was not refused")),
        (None, Err(error)) => return Err(error.to_string()),
        (None, Ok(lazy)) => lazy,
    };
    let session = &SESSIONS[session].session;
    let found: Vec<Answer> =
        lazy.iter().map(|lazy| lazy.answer(session).map_err(|error| error.to_string())).collect::<Result<_, _>>()?;
    let expects: Vec<Json> = match case["expect"].get("arrays") {
        Some(arrays) => arrays.as_array().expect("a list").clone(),
        None => vec![case["expect"].clone()],
    };
    if found.len() != expects.len() {
        return Err(format!("got {} arrays for {}", found.len(), expects.len()));
    }
    found.iter().zip(expects).try_for_each(|(found, expect)| {
        let case = serde_json::json!({"expect": expect, "rtol": case["rtol"], "atol": case["atol"]});
        matches(found, &expected(&case), &case)
    })
}
