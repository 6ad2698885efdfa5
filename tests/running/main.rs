//! Who computes, under which settings, and what a run shows of itself.

#[path = "../common/mod.rs"]
mod common;
mod diagnostics;
mod failure;
mod live;
mod predict;
mod profile;
mod session;
mod watchdog;
