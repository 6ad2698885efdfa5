//! What travels between the driver, its helper and the workers: bytes that name no engine.

mod frame;
mod messages;
mod unit;

pub use frame::{PROTOCOL, read_frame, read_header, read_message, write_message};
pub use messages::{Answer, Request, Tls, UnitHeader, Wanted, WorkerInfo};
pub use unit::{Held, Packed, UnitData, pack};
