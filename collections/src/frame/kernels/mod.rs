//! What tasks on frames run: parameters that serialize, and no state.

mod arrange;
pub(crate) mod asof;
mod bins;
mod carry;
mod dense;
mod each;
mod ends;
mod from_map;
mod group;
mod head;
mod interpolate;
pub(crate) mod join;
mod mask;
pub(crate) mod moves;
pub(crate) mod order;
mod pairs;
mod partition;
pub(crate) mod partners;
mod positions;
mod quantile;
pub(crate) mod rank;
mod read;
mod rows;
pub(crate) mod skew;
pub(crate) mod sort;
pub(crate) mod split;
mod window;
mod within;
mod write;

pub(crate) use arrange::{ArrangeKernel, Cell};
pub(crate) use bins::BinsKernel;
pub(crate) use carry::{CarryKernel, Run, Running};
pub(crate) use dense::{Fold, How};
pub(crate) use each::{EachKernel, RowsFunction};
pub(crate) use ends::EndsKernel;
pub(crate) use from_map::FromMapKernel;
pub(crate) use group::{GroupKernel, Pass};
pub(crate) use head::{HeadKernel, TakeKernel};
pub(crate) use interpolate::{InterpolateKernel, Interpolated, interpolates, is_place};
pub(crate) use mask::{Ends, Mask};
pub(crate) use partition::{MapKernel, PartitionKernel, Source};
pub(crate) use positions::{PositionKernel, RowRange};
pub(crate) use quantile::{QuantileKernel, Quantiles};
pub(crate) use read::{LenKernel, RawKernel, StateKernel, SumKernel, TAIL};
pub(crate) use rows::{ROW_NUMBER, RowIndexKernel};
pub(crate) use window::{Around, EdgeKernel, OverlapKernel, Reach, WindowKernel, made_of};
pub(crate) use within::{ROW, WithinKernel};
pub(crate) use write::{FinishKernel, WriteKernel, Written};

use polars::prelude::PolarsError;
use talatat_graph::{KernelError, Registry};

/// An error of polars, as a kernel's: its first line, the rest is a plan.
pub(crate) fn failed(error: PolarsError) -> KernelError {
    let text = error.to_string();
    KernelError::new(text.lines().next().unwrap_or_default().to_string())
}

/// Adds the kernels of frames, a line each.
pub(crate) fn register(registry: Registry) -> Registry {
    let registry = GroupKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<GroupKernel>(name));
    let registry = WithinKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<WithinKernel>(name));
    let registry = QuantileKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<QuantileKernel>(name));
    let registry = PositionKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<PositionKernel>(name));
    let registry = rank::RankKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<rank::RankKernel>(name));
    let registry =
        InterpolateKernel::NAMES.into_iter().fold(registry, |all, name| all.kernel::<InterpolateKernel>(name));
    registry
        .kernel::<ArrangeKernel>(ArrangeKernel::NAME)
        .kernel::<BinsKernel>(BinsKernel::NAME)
        .kernel::<CarryKernel>(CarryKernel::NAME)
        .kernel::<EdgeKernel>(EdgeKernel::NAME)
        .kernel::<EndsKernel>(EndsKernel::NAME)
        .kernel::<FinishKernel>(FinishKernel::NAME)
        .kernel::<HeadKernel>(HeadKernel::NAME)
        .kernel::<LenKernel>(LenKernel::NAME)
        .kernel::<PartitionKernel>(PartitionKernel::NAME)
        .kernel::<RawKernel>(RawKernel::NAME)
        .kernel::<RowIndexKernel>(RowIndexKernel::NAME)
        .kernel::<StateKernel>(StateKernel::NAME)
        .kernel::<SumKernel>(SumKernel::NAME)
        .kernel::<TakeKernel>(TakeKernel::NAME)
        .kernel::<WindowKernel>(WindowKernel::NAME)
        .kernel::<WriteKernel>(WriteKernel::NAME)
        .kernel::<asof::AsofKernel>(asof::AsofKernel::NAME)
        .kernel::<join::JoinKernel>(join::JoinKernel::NAME)
        .kernel::<moves::BesideKernel>(moves::BesideKernel::NAME)
        .kernel::<moves::OrderedKernel>(moves::OrderedKernel::NAME)
        .kernel::<moves::TailKernel>(moves::TailKernel::NAME)
        .kernel::<order::SampleKernel>(order::SampleKernel::NAME)
        .kernel::<sort::SortKernel>(sort::SortKernel::NAME)
        .kernel::<order::SplittersKernel>(order::SplittersKernel::NAME)
        .kernel::<partners::PartnersKernel>(partners::PartnersKernel::NAME)
        .kernel::<skew::FrequentKernel>(skew::FrequentKernel::NAME)
        .kernel::<skew::SampleKeysKernel>(skew::SampleKeysKernel::NAME)
        .kernel::<split::GatherKernel>(split::GatherKernel::NAME)
        .kernel::<split::SplitKernel>(split::SplitKernel::NAME)
        .block(Written::CODEC, Written::decode_block)
}
