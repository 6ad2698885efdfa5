//! Servers on 127.0.0.1 for tests, on ports that the system chooses, gone with their handle.

pub mod postgres;
pub mod s3;
pub mod web;
