//! Workloads on frames: the same files and answers as the peers' `w_frame.py`.

pub mod brc;
pub mod files;
pub mod groups;
pub mod joins;
pub mod order;
pub mod rows;
pub mod taxi;
pub mod time;

use talatat::frame::DataFrame;
use talatat::frame::polars::prelude::DataType;

/// A file or glob of the peers' data.
fn data(pattern: &str) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let folder = std::env::var("PEER_DATA").unwrap_or_else(|_| format!("{home}/.cache/talatat-peers"));
    format!("{folder}/{pattern}")
}

/// A column as floats; missing values are left out.
fn floats(table: &DataFrame, column: &str) -> Vec<f64> {
    let column = table.column(column).and_then(|column| column.cast(&DataType::Float64));
    column.ok().and_then(|column| Some(column.f64().ok()?.iter().flatten().collect())).unwrap_or_default()
}

/// A digest of a column that also sees the order.
fn weighted(values: &[f64]) -> f64 {
    values.iter().enumerate().map(|(position, value)| value * (position % 97 + 1) as f64).sum()
}
