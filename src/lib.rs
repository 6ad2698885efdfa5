//! NumPy- and pandas-style collections in Rust, cut into blocks, larger than memory, on one task graph.
//!
//! ```text
//! call -> lazy expression -> rewrites -> layers of tasks -> passes -> plan -> executor -> result
//!         (collections)                                    (graph: optimize, order, scheduler)
//! ```
//!
//! Nothing runs until it is asked for:
//!
//! ```
//! use talatat::prelude::*;
//!
//! let increment = delayed(|x: i64| x + 1);
//! let sum = delayed(|values: Vec<i64>| values.iter().sum::<i64>());
//! let total = sum.call((0..10).map(|i: i64| increment.call(i)).collect::<Vec<_>>());
//!
//! println!("{}", total.explain()?); // what would run, with how many bytes
//! assert_eq!(total.compute()?, 55);
//! # Ok::<(), talatat::Error>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | call any function lazily | [`delayed`] |
//! | call it now, and go on | [`Session::submit`], [`Future`] |
//! | work through texts, records, anything | [`bag`] |
//! | compute, persist, explain, draw | [`Compute`], [`compute_all`] |
//! | choose who computes, with how much memory | [`Session`], [`config`] |
//! | compute on several machines | `cluster` (Cargo feature of the same name) |
//! | see what happens | [`diagnostics`] |
//! | plug in an executor, look at graphs | [`graph`] |

#[cfg(all(feature = "cluster", unix))]
pub mod cluster;
mod compute;
pub mod diagnostics;
mod futures;
mod kept;
#[cfg(feature = "array")]
mod npy;
mod session;
#[cfg(feature = "array")]
mod store;
#[cfg(feature = "zarr")]
mod zarr;

#[cfg(all(feature = "cluster", unix))]
pub use cluster::{Cluster, ClusterBuilder};
pub use compute::{Compute, compute_all, compute_all_on};
#[cfg(feature = "array")]
pub use npy::ToNpy;
pub use session::{Session, SessionBuilder};
#[cfg(feature = "array")]
pub use store::{ToStore, ToText};
#[cfg(feature = "array")]
pub use talatat_collections::array;
pub use talatat_collections::bag;
pub use talatat_collections::config::ExecutorChoice;
#[cfg(feature = "frame")]
pub use talatat_collections::frame;
pub use talatat_collections::storage;
pub use talatat_collections::{Collection, Error, Result, argument, config, delayed, durable, graph_manipulation};
pub use talatat_graph as graph;
pub use talatat_graph::{Cancel, Future, Need, as_completed, gather, is_cancelled, join, spawn, wait_all, wait_any};
#[cfg(feature = "zarr")]
pub use zarr::ToZarr;

/// What most programs import: `use talatat::prelude::*;`
pub mod prelude {
    #[cfg(all(feature = "cluster", unix))]
    pub use crate::Cluster;
    #[cfg(feature = "zarr")]
    pub use crate::ToZarr;
    pub use crate::{Cancel, Collection, Compute, Future, Need, Session, as_completed, compute_all, gather, join};
    #[cfg(feature = "array")]
    pub use crate::{ToNpy, ToStore, ToText};
    #[cfg(feature = "array")]
    pub use talatat_collections::array::{Array, axis};
    pub use talatat_collections::bag::Bag;
    pub use talatat_collections::delayed::{CustomGraph, Delayed, Lit, Outputs, delayed, try_delayed};
    #[cfg(feature = "frame")]
    pub use talatat_collections::frame::{CsvOptions, DataFrame, DataType, Frame, agg, col, lit, read_csv};
}

/// The README's program is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
