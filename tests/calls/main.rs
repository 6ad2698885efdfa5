//! Functions called lazily and at once.

#[path = "../common/mod.rs"]
mod common;
mod delayed;
mod futures;
