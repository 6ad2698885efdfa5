//! Bytes: what a plan will need, and what a run may still take.

pub mod budget;
pub mod projection;
