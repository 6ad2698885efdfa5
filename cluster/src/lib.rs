//! Task graphs on a cluster of machines.
//!
//! ```text
//! Plan -> units/ (tasks that run together) -> wire/ (bytes) -> worker/ (runs one unit)
//! ```
//!
//! An engine that people already run places units on machines, moves their results and makes lost ones again. What a unit
//! does inside, on which threads and in how much memory, is the business of this project's own executor.

pub mod units;
pub mod wire;
pub mod worker;
