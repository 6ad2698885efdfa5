//! Functions called lazily and at once, and bags.

mod bag;
#[path = "../common/mod.rs"]
mod common;
mod delayed;
mod futures;
