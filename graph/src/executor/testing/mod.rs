//! Executors and graphs for tests.

mod conformance;
mod count;
mod fault;
mod graphs;
mod refuse;
mod serialize;
mod weights;

pub use conformance::conformance;
pub use count::{Count, Counter};
pub use fault::{Fault, Faulty};
pub use graphs::{Rng, SumKernel, draw, graph_of, random_graph, registry, sum_kernel, tree_graph};
pub use refuse::Refuse;
pub use serialize::Serialize;
pub use weights::{Weight, random_weights, shuffle_weights, weights};
