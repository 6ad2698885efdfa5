//! Sorting along a cut axis, one line of blocks at a time: each block becomes a sorted run; samples of all runs say between which places
//! each run is cut for each block of the result; the elements there say exactly where; each block of the result is merged of a part of
//! each run. For P blocks that are 4 P tasks and two more.

use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, LayerId, TaskContext, Value};

use super::operation::all_but;
use super::{Lowering, Operation, Reads, array, blocks, encode, largest_bytes, only_input, source_error, step};
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::kernels::error::Result as KernelsResult;
use crate::array::kernels::{Block, sort};
use crate::error::Result;

pub(super) const NAME: &str = "array.sort";

/// Which step a task is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    /// Block -> run, samples of it, and places.
    Run,
    /// All samples of a line -> brackets.
    Brackets,
    /// Brackets, run -> the elements within.
    Windows,
    /// Brackets, all windows of a line -> cuts.
    Cuts,
    /// Cuts, run (and places) -> parts.
    Split,
    /// The parts of all runs (then of their places) -> block.
    Merge,
}

/// `array.sort`: a step of sorting.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Sorting {
    step: Step,
    /// One index along all axes but the sorted one.
    grid: Grid,
    axis: usize,
    places: bool,
    /// How far apart samples are.
    spacing: usize,
}

impl Sorting {
    /// Where the result is cut.
    fn ranks(&self) -> Vec<usize> {
        let bounds = self.grid.axes().get(self.axis).and_then(|axis| axis.bounds());
        bounds.map_or_else(Vec::new, |bounds| bounds[1..bounds.len() - 1].to_vec())
    }

    fn lengths(&self) -> Vec<usize> {
        self.grid.axes().get(self.axis).and_then(|axis| axis.lengths()).unwrap_or_default()
    }

    fn run_block(&self, task: TaskContext, inputs: &[Value]) -> KernelResult<Vec<Block>> {
        let missing = || KernelError::new("a block is missing");
        let all = inputs.iter().map(array).collect::<KernelResult<Vec<&Block>>>()?;
        let (first, rest) = all.split_first().ok_or_else(missing)?;
        let place = self.grid.place(task.block as usize);
        let run = place.get(self.axis).copied().unwrap_or(0);
        let one = |made: KernelsResult<Block>| made.map(|block| vec![block]).map_err(source_error);
        match self.step {
            Step::Run => {
                let origin = self.grid.block_origin(&place)[self.axis];
                let flat = flattened(first)?;
                let mut made = match self.places {
                    true => sort::sorted(&flat, 0, origin).map(Vec::from),
                    false => sort::sorted_values(&flat, 0).map(|values| vec![values]),
                }
                .map_err(source_error)?;
                made = made.into_iter().map(Block::into_shared).collect();
                let samples = sort::sample(made.first().ok_or_else(missing)?, self.spacing).map_err(source_error)?;
                made.push(samples);
                Ok(made)
            }
            Step::Brackets => one(sort::brackets(&all, self.spacing, &self.lengths(), &self.ranks())),
            Step::Windows => one(sort::windows(rest.first().ok_or_else(missing)?, first, run)),
            Step::Cuts => one(sort::cuts(first, rest, &self.ranks())),
            Step::Split => {
                let mut parts = Vec::new();
                for block in rest {
                    parts.extend(sort::split(block, first, run).map_err(source_error)?);
                }
                Ok(parts)
            }
            Step::Merge => {
                let made = match self.places {
                    false => sort::merge(&all),
                    true => {
                        let (values, places) = all.split_at(all.len() / 2);
                        sort::merge_places(values, places)
                    }
                };
                one(made.and_then(|block| block.reshaped(&self.grid.block_shape(&place))))
            }
        }
    }
}

/// A block of one lane as one axis.
fn flattened(block: &Block) -> KernelResult<Block> {
    block.clone().reshaped(&[block.len()]).map_err(source_error)
}

impl Kernel for Sorting {
    fn name(&self) -> &str {
        NAME
    }

    fn describe(&self) -> String {
        format!("sort: {}", format!("{:?}", self.step).to_lowercase())
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let mut made = self.run_block(task, inputs)?;
        match self.step {
            Step::Run | Step::Split => Ok(Value::Parts(made.into_iter().map(Value::block).collect())),
            _ => made.pop().map(Value::block).ok_or_else(|| KernelError::new("nothing was made")),
        }
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input sorted along a cut axis, in the same chunks, or the places of its elements. All other axes have chunks of one index.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Sort {
    pub(crate) axis: usize,
    pub(crate) places: bool,
}

impl Operation for Sort {
    fn name(&self) -> &'static str {
        if self.places { "argsort" } else { "sort" }
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(self)
    }

    fn describe(&self) -> String {
        format!("{} along {}", self.name(), self.axis)
    }

    fn follows(&self, expr: &Expr) -> Vec<Reads> {
        vec![all_but(self.axis, expr.ndim())]
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let Sort { axis, places } = *self;
        let grid = &expr.grid;
        let runs = grid.axes()[axis].chunks();
        let spacing = sort::sample_step(grid.axes()[axis].longest().unwrap_or(1), runs, runs);
        let largest = largest_bytes(input).max(largest_bytes(expr));
        // A block's elements, with their places beside them.
        let size = |block: usize| {
            let place = grid.place(block);
            input.block_bytes(&place) + if places { expr.block_bytes(&place) } else { 0 }
        };
        let layers = [Step::Run, Step::Brackets, Step::Windows, Step::Cuts, Step::Split, Step::Merge].map(|kind| {
            let kernel = Sorting { step: kind, grid: grid.clone(), axis, places, spacing };
            // Sorting needs as much again, pairs with places twice.
            let scratch = match kind {
                Step::Run | Step::Merge => 4 * largest,
                Step::Brackets | Step::Cuts => 3 * largest,
                _ => 0,
            };
            lowering.graph.layer(step(expr, &format!("{kind:?}"), kernel, largest).scratch(scratch))
        });
        let [run, bracket, window, cut, split, merge] = layers;
        let mut lines: Vec<Vec<usize>> = vec![Vec::new(); grid.blocks()];
        for block in 0..grid.blocks() {
            let mut place = grid.place(block);
            place[axis] = 0;
            lines[grid.block_at(&place)].push(block);
        }
        let mut made = vec![None; grid.blocks()];
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let first = line[0] as u32;
            let table = (runs * runs * 16) as u64;
            let mut task = |layer: LayerId, block: usize, bytes: u64, inputs: &[Edge]| -> Result<Edge> {
                Ok(lowering.graph.task(layer, block as u32, bytes, inputs)?.into())
            };
            let part = |edge: Edge, part: usize| Edge::part_of(edge.task, part as u32);
            let sorted: Vec<Edge> =
                line.iter().map(|&block| task(run, block, size(block), &[sources[block]])).collect::<Result<_>>()?;
            let samples: Vec<Edge> = sorted.iter().map(|&run| part(run, 1 + usize::from(places))).collect();
            let brackets = task(bracket, first as usize, table, &samples)?;
            let windows = line.iter().zip(&sorted).map(|(&block, &run)| {
                // All windows together are about as long as a run; there may be more where many elements are equal.
                let bytes = (4 * size(block) / runs as u64).min(size(block));
                task(window, block, bytes, &[brackets, part(run, 0)])
            });
            let windows = windows.collect::<Result<Vec<Edge>>>()?;
            let all: Vec<Edge> = std::iter::once(brackets).chain(windows).collect();
            let cuts = task(cut, first as usize, table, &all)?;
            let splits = line.iter().zip(&sorted).map(|(&block, &run)| {
                let mut inputs = vec![cuts, part(run, 0)];
                inputs.extend(places.then(|| part(run, 1)));
                task(split, block, size(block), &inputs)
            });
            let splits = splits.collect::<Result<Vec<Edge>>>()?;
            for (number, &block) in line.iter().enumerate() {
                let mut inputs: Vec<Edge> = splits.iter().map(|&split| part(split, number)).collect();
                if places {
                    inputs.extend(splits.iter().map(|&split| part(split, runs + number)));
                }
                made[block] = Some(task(merge, block, expr.block_bytes(&grid.place(block)), &inputs)?);
            }
        }
        Ok(made.into_iter().flatten().collect())
    }
}
