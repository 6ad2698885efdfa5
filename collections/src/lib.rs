//! What users hold: lazy arrays, frames, bags and delayed calls, and how they become task graphs.
//!
//! ```text
//! handle -> expression -> rewrite -> lower -> layers of tasks -> (talatat-graph)
//!                                      |
//!                                      +-> kernels, storage
//! ```
//!
//! Nothing here computes: the `talatat` crate plans and runs what [`Collection::lower`] makes.

#[cfg(feature = "array")]
pub mod array;
pub mod bag;
#[cfg(all(feature = "array", feature = "frame"))]
mod bridge;
mod collection;
pub mod config;
pub mod delayed;
pub mod durable;
mod error;
#[cfg(feature = "frame")]
pub mod frame;
pub mod graph_manipulation;
mod html;
mod lower;
mod reclaim;
mod registry;
pub mod storage;
mod together;

pub use collection::Collection;
pub use error::{Error, Invalid, Result};
#[doc(hidden)]
pub use html::escaped;
pub use lower::{Lowering, LoweringOptions, Rewritten, Split, Trace};
#[cfg(feature = "frame")]
pub use lower::{Measured, SAMPLING, Stage};
pub use reclaim::Pools;
pub use registry::registry;
/// For macros.
#[doc(hidden)]
pub use talatat_graph as graph;
