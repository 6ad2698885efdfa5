//! NumPy's answers (`tests/fixtures/statistics.json`) for scans, statistics, histograms, quantiles, sorting and sets, every case through the
//! API, in several chunkings and on every executor.

mod operations;
mod properties;

use crate::fixtures::suite;

#[test]
fn all_cases_are_numpys() {
    suite::check("statistics.json", operations::call, operations::difference);
}
