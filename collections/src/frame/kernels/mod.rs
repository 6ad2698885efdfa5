//! What tasks on frames run: parameters that serialize, and no state.

mod carry;
mod group;
mod head;
mod partition;
mod read;
mod rows;

pub(crate) use carry::{CarryKernel, Running};
pub(crate) use group::GroupKernel;
pub(crate) use head::{HeadKernel, TakeKernel};
pub(crate) use partition::{MapKernel, PartitionKernel, Source};
pub(crate) use read::{LenKernel, RawKernel, StateKernel, SumKernel, TAIL};
pub(crate) use rows::RowIndexKernel;

use polars::prelude::PolarsError;
use talatat_graph::KernelError;

/// An error of polars, as a kernel's: its first line, the rest is a plan.
pub(crate) fn failed(error: PolarsError) -> KernelError {
    let text = error.to_string();
    KernelError::new(text.lines().next().unwrap_or_default().to_string())
}
