//! What tasks on frames run: parameters that serialize, and no state.

mod arrange;
mod bins;
mod carry;
mod each;
mod group;
mod head;
pub(crate) mod join;
pub(crate) mod moves;
pub(crate) mod order;
mod partition;
mod quantile;
mod read;
mod rows;
pub(crate) mod split;
mod window;

pub(crate) use bins::BinsKernel;
pub(crate) use carry::{CarryKernel, Running};
mod within;

pub(crate) use arrange::{ArrangeKernel, Cell};
pub(crate) use each::{EachKernel, RowsFunction};
pub(crate) use group::{GroupKernel, Pass};
pub(crate) use head::{HeadKernel, TakeKernel};
pub(crate) use partition::{MapKernel, PartitionKernel, Source};
pub(crate) use quantile::{QuantileKernel, Quantiles};
pub(crate) use read::{LenKernel, RawKernel, StateKernel, SumKernel, TAIL};
pub(crate) use rows::RowIndexKernel;
pub(crate) use window::{Around, EdgeKernel, OverlapKernel, Reach, WindowKernel, made_of};
pub(crate) use within::{ROW, WithinKernel};

use polars::prelude::PolarsError;
use talatat_graph::{KernelError, Registry};

/// An error of polars, as a kernel's: its first line, the rest is a plan.
pub(crate) fn failed(error: PolarsError) -> KernelError {
    let text = error.to_string();
    KernelError::new(text.lines().next().unwrap_or_default().to_string())
}

/// Adds the kernels that move rows between partitions.
pub(crate) fn register_moves(registry: Registry) -> Registry {
    registry
        .kernel::<split::SplitKernel>(split::SplitKernel::NAME)
        .kernel::<split::GatherKernel>(split::GatherKernel::NAME)
        .kernel::<order::SampleKernel>(order::SampleKernel::NAME)
        .kernel::<order::SplittersKernel>(order::SplittersKernel::NAME)
        .kernel::<order::SortKernel>(order::SortKernel::NAME)
        .kernel::<moves::TailKernel>(moves::TailKernel::NAME)
        .kernel::<moves::OrderedKernel>(moves::OrderedKernel::NAME)
        .kernel::<moves::BesideKernel>(moves::BesideKernel::NAME)
        .kernel::<join::JoinKernel>(join::JoinKernel::NAME)
}
