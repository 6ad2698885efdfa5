//! NumPy- and pandas-style collections in Rust, cut into blocks, larger than memory, on one task graph.
//!
//! ```text
//! call -> lazy expression -> rewrites -> layers of tasks -> passes -> plan -> executor -> result
//!         (collections)                                    (graph: optimize, order, scheduler)
//! ```

mod compute;
mod session;

pub use compute::{Compute, ComputeAll, compute_all, compute_all_on};
pub use session::{ExecutorChoice, Session, SessionBuilder};
pub use talatat_collections::{Collection, Error, Result, delayed};
#[cfg(feature = "frame")]
pub use talatat_collections::frame;
pub use talatat_collections::storage;
pub use talatat_graph as graph;
pub use talatat_graph::Cancel;

/// What most programs import: `use talatat::prelude::*;`
pub mod prelude {
    pub use crate::{Cancel, Collection, Compute, Session, compute_all};
    pub use talatat_collections::delayed::{Delayed, Lit, delayed, try_delayed};
    #[cfg(feature = "frame")]
    pub use talatat_collections::frame::{CsvOptions, DataFrame, DataType, Frame, agg, col, lit, read_csv};
}
