//! NumPy- and pandas-style collections in Rust, cut into blocks, larger than memory, on one task graph.
//!
//! ```text
//! call -> lazy expression -> rewrites -> layers of tasks -> passes -> plan -> executor -> result
//!         (collections)                                    (graph: optimize, order, scheduler)
//! ```

mod compute;
#[cfg(feature = "array")]
mod npy;
mod session;

#[cfg(feature = "array")]
pub use talatat_collections::array;
pub use compute::{Compute, ComputeAll, compute_all, compute_all_on};
#[cfg(feature = "array")]
pub use npy::ToNpy;
pub use session::{ExecutorChoice, Session, SessionBuilder};
pub use talatat_collections::{Collection, Error, Result, delayed};
pub use talatat_graph as graph;
pub use talatat_graph::Cancel;

/// What most programs import: `use talatat::prelude::*;`
pub mod prelude {
    pub use crate::{Cancel, Collection, Compute, Session, compute_all};
    #[cfg(feature = "array")]
    pub use crate::ToNpy;
    #[cfg(feature = "array")]
    pub use talatat_collections::array::{Array, axis};
    pub use talatat_collections::delayed::{Delayed, Lit, delayed, try_delayed};
}
