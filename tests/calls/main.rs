//! Functions called lazily and at once, by name, and kept; bags.

mod bag;
mod cache;
#[path = "../common/mod.rs"]
mod common;
mod custom;
mod delayed;
mod durable;
mod futures;
mod graph_manipulation;
