//! Task graphs on a cluster of machines.
//!
//! ```text
//! Plan -> units/ (tasks that run together) -> wire/ (bytes) -> driver/ (hands them to an engine) -> worker/ (runs one unit)
//!                                          -> simulator/ (how long that takes on any number of machines)
//! ```
//!
//! An engine that people already run places units on machines, moves their results and makes lost ones again. What a unit
//! does inside, on which threads and in how much memory, is the business of this project's own executor.

#[cfg(unix)]
mod driver;
pub mod simulator;
pub mod testing;
pub mod units;
pub mod wire;
pub mod worker;

#[cfg(unix)]
pub use driver::{Cluster, ClusterBuilder};
