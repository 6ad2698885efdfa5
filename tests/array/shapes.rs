//! NumPy's answers (`tests/fixtures/shapes.json`) for creations by index and for what moves elements, every case through the API, in
//! several chunkings and on every executor.

pub mod graphs;
pub mod operations;
pub mod properties;

use crate::fixtures::suite;

#[test]
fn all_cases_are_numpys() {
    suite::check("shapes.json", operations::call, |_| None);
}
