//! Examples that are real programs, with the crates that such programs use. Each is a module with what it does, and a binary that calls it:
//!
//! ```text
//! cargo run --release -p programs --bin search
//! cargo run --release -p programs --bin thumbnails
//! cargo run --release -p programs --bin page
//! ```
//!
//! They are a package of their own so that the library's tests do not wait for those crates.

pub mod page;
pub mod search;
pub mod thumbnails;
