//! What travels between the driver, its helper and the workers: bytes that name no engine.

mod unit;

pub use unit::{Held, Packed, UnitData, pack};
