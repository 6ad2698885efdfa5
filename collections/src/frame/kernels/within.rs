//! Rows with what their groups say of them, in the order they had.
//!
//! Rows are numbered in their partition and brought together by their keys; there expressions are computed for each group. Then rows go
//! back to the partitions they came from, and are put in order by their numbers.

use polars::prelude::{DataFrame, Expr, IdxSize, IntoLazy, PolarsError, SortMultipleOptions, col};
use serde::{Deserialize, Serialize};
use talatat_graph::{Kernel, KernelResult, Result, TaskContext, Value};

use super::failed;
use super::group::encode;
use super::mask::Mask;
use super::split::{HashKey, cut, hash_parts};
use crate::frame::csv::join;
use crate::frame::partition::Partition;
use crate::frame::threads::alone;
use crate::frame::wire::Wire;

/// The number of a row in its partition. Inputs and keys have other names.
pub(crate) const ROW: &str = "row in partition";

type Frames = std::result::Result<Vec<DataFrame>, PolarsError>;

/// One stage.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum WithinKernel {
    /// Numbers the rows of a partition and cuts them by their keys; rows for which `before` is not true are left out.
    Scatter { keys: Vec<String>, before: Option<Mask>, parts: u32 },
    /// Computes columns of the rows of some groups, keeps those for which `mask` is true, and gives the rows of each partition.
    Compute { outputs: Wire<Vec<Expr>>, mask: Option<Mask> },
    /// Puts the rows of a partition in order.
    Restore,
}

impl WithinKernel {
    pub(crate) const NAMES: [&'static str; 3] =
        ["frame.groupby.scatter", "frame.groupby.within", "frame.groupby.restore"];

    pub(crate) fn apply(&self, mut frames: Vec<DataFrame>) -> Frames {
        match self {
            WithinKernel::Scatter { keys, before, parts } => {
                let mut frame = join(frames)?.with_row_index(ROW.into(), None)?;
                if let Some(before) = before {
                    frame = frame.filter(&before.of(&frame)?)?;
                }
                let keys: Vec<HashKey> = keys.iter().map(HashKey::plain).collect();
                let numbers = hash_parts(&frame, &keys, *parts)?;
                cut(frame, &numbers, *parts)
            }
            WithinKernel::Compute { outputs, mask } => {
                let mut heights: Vec<usize> = frames.iter().map(DataFrame::height).collect();
                let frame = join(frames)?;
                let mut exprs = outputs.0.clone();
                exprs.push(col(ROW));
                let frame = match mask {
                    None => frame.lazy().select(exprs).collect()?,
                    Some(mask) => {
                        let kept = mask.of(&frame)?;
                        let mut start = 0;
                        for height in &mut heights {
                            let rows = *height;
                            *height = kept.slice(start, rows).sum().unwrap_or(0) as usize;
                            start += rows as i64;
                        }
                        // The columns of what is left; a group's own columns would not be those of the whole group.
                        frame.lazy().select(exprs).collect()?.filter(&kept)?
                    }
                };
                let mut start = 0;
                let slices = heights.into_iter().map(|height| {
                    let slice = frame.slice(start, height);
                    start += height as i64;
                    slice
                });
                Ok(slices.collect())
            }
            WithinKernel::Restore => {
                // Parts are slices of what was computed together: their memory is free when they are copied.
                let empty = frames.first().map(DataFrame::clear);
                frames.retain(|frame| frame.height() > 0);
                if frames.is_empty() {
                    frames.extend(empty);
                }
                let options = SortMultipleOptions::default().with_multithreaded(false);
                let frame = join(frames)?;
                let sorted = if is_ascending(&frame)? { frame } else { frame.sort([ROW], options)? };
                Ok(vec![sorted.drop(ROW)?])
            }
        }
    }
}

fn is_ascending(frame: &DataFrame) -> std::result::Result<bool, PolarsError> {
    let rows: Vec<IdxSize> = frame.column(ROW)?.idx()?.into_no_null_iter().collect();
    Ok(rows.windows(2).all(|pair| pair[0] <= pair[1]))
}

impl Kernel for WithinKernel {
    fn name(&self) -> &str {
        let [scatter, within, restore] = Self::NAMES;
        match self {
            WithinKernel::Scatter { .. } => scatter,
            WithinKernel::Compute { .. } => within,
            WithinKernel::Restore => restore,
        }
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let frames: Vec<DataFrame> = inputs.iter_mut().map(Partition::take).collect::<KernelResult<_>>()?;
        let results = alone(|| self.apply(frames)).map_err(failed)?;
        let mut values = results.into_iter().map(|frame| Value::block(Partition(frame)));
        match (self, values.len()) {
            (WithinKernel::Restore, 1) => values.next().ok_or_else(|| super::group::missing("the partition")),
            _ => Ok(Value::Parts(values.collect())),
        }
    }

    fn encode(&self, _: u64) -> Result<Vec<u8>> {
        encode(self.name(), self)
    }
}
