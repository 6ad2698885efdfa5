//! What a block sees of its neighbours: which chunks it reaches along each axis, and the block with a border put together.

use std::ops::Range;

use ndarray::{ArrayViewD, ArrayViewMutD, Slice as NdSlice};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::{Edge, KernelError, KernelResult, Value};

use crate::array::build::{slice, touched};
use crate::array::dtype::Element;
use crate::array::expr::{Expr, ExprRef};
use crate::array::gather::{Run, Runs, Stretch, repeated_runs};
use crate::array::grid::{Axis, Dims, Grid};
use crate::array::kernels::Scalar;
use crate::array::range::StepRange;
use crate::array::shape::reshape::concatenate_exprs;
use crate::error::Result;
use crate::lower::array::{array, source_error};

/// What stands beyond the ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Border {
    /// Nothing: blocks at an end have a border on one side only.
    None,
    /// The array mirrored beyond its last element, which is repeated.
    Reflect,
    /// The array mirrored at its last element, which is not repeated.
    Mirror,
    /// The last element, again and again.
    Nearest,
    /// The array from its other end.
    Periodic,
    /// One value.
    Constant(Scalar),
}

/// The axes of arrays cut alike, how far each block sees along them, and which blocks are wanted.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Halo {
    sides: Vec<Side>,
}

/// One axis.
#[derive(Clone, Serialize, Deserialize)]
struct Side {
    /// How the whole array is cut.
    axis: Axis,
    before: usize,
    after: usize,
    border: Border,
    /// The indices of the axis with its border; nothing where no block sees another one.
    runs: Option<Runs>,
    /// The chunks of the result.
    window: Range<usize>,
    /// The chunks that the inputs have, ascending.
    present: Vec<usize>,
}

/// What a chunk is made of along one axis.
pub(in crate::lower::array) struct Reach {
    /// The chunks it reads, ascending.
    chunks: Vec<usize>,
    /// The positions in the axis with its border.
    positions: Range<usize>,
    /// How many of them lie before the chunk itself.
    pub(in crate::lower::array) before: usize,
}

impl Reach {
    /// The length with the border.
    pub(in crate::lower::array) fn length(&self) -> usize {
        self.positions.len()
    }
}

impl Side {
    fn new(axis: &Axis, (before, after): (usize, usize), border: Border) -> Side {
        let window = 0..axis.chunks();
        let present = window.clone().collect();
        let mut side = Side { axis: axis.clone(), before, after, border, runs: None, window, present };
        let Some(length) = axis.length() else { return side };
        if length == 0 || (before, after) == (0, 0) {
            (side.before, side.after) = (0, 0);
            return side;
        }
        let whole = Run::forward(0..length);
        let both = -(before as isize)..(length + after) as isize;
        let runs = match border {
            Border::None => vec![whole],
            Border::Constant(value) => {
                vec![Run::Fill { value, length: before }, whole, Run::Fill { value, length: after }]
            }
            // An only element is repeated, whatever the border.
            Border::Mirror if length > 1 => repeated_runs(&[whole, Run::backward(1..length - 1)], both),
            Border::Nearest | Border::Mirror => vec![Run::same(0, before), whole, Run::same(length - 1, after)],
            Border::Reflect => repeated_runs(&[whole, Run::backward(0..length)], both),
            Border::Periodic => repeated_runs(&[whole], both),
        };
        side.runs = Some(runs.into_iter().filter(|run| run.length() > 0).collect::<Vec<_>>().into());
        side
    }

    fn reach(&self, chunk: usize) -> Reach {
        let (Some(runs), Some(bounds)) = (&self.runs, self.axis.bounds()) else {
            let length = self.axis.bounds().map_or(0, |bounds| bounds[chunk + 1] - bounds[chunk]);
            return Reach { chunks: vec![chunk], positions: 0..length, before: 0 };
        };
        let (start, end) = (bounds[chunk], bounds[chunk + 1]);
        let (positions, before) = match self.border {
            Border::None => {
                let first = start.saturating_sub(self.before);
                (first..(end + self.after).min(runs.length()), start - first)
            }
            _ => (start..end + self.before + self.after, self.before),
        };
        let mut chunks = runs.chunks(bounds, positions.clone());
        if chunks.is_empty() {
            // Only a block knows the lengths of other axes.
            chunks.push(chunk);
        }
        Reach { chunks, positions, before }
    }

    /// The same axis for fewer chunks of the result, if fewer do.
    fn narrowed(&self, range: &StepRange) -> Option<Side> {
        let bounds = self.axis.bounds()?;
        // Slices leave empty chunks out; what is found by its number must stay.
        if bounds.windows(2).any(|pair| pair[0] == pair[1]) || range.length == 0 {
            return None;
        }
        let offset = bounds[self.window.start];
        let shifted = StepRange { start: range.start + offset, ..*range };
        let (low, high) = touched(bounds, &shifted)
            .fold((usize::MAX, 0), |(low, high), piece| (low.min(piece.chunk), high.max(piece.chunk)));
        let window = low..high + 1;
        if window == self.window || window.is_empty() {
            return None;
        }
        let mut present: Vec<usize> = window.clone().flat_map(|chunk| self.reach(chunk).chunks).collect();
        present.sort_unstable();
        present.dedup();
        Some(Side { window, present, ..self.clone() })
    }
}

impl Halo {
    /// All blocks of arrays that are cut as `grid` says.
    pub(crate) fn new(grid: &Grid, depth: &[(usize, usize)], borders: &[Border]) -> Halo {
        let sides = grid.axes().iter().zip(depth).zip(borders);
        Halo { sides: sides.map(|((axis, depth), border)| Side::new(axis, *depth, *border)).collect() }
    }

    /// How far blocks see along each axis, and what stands beyond its ends.
    pub(in crate::lower::array) fn sides(&self) -> (Vec<(usize, usize)>, Vec<Border>) {
        self.sides.iter().map(|side| ((side.before, side.after), side.border)).unzip()
    }

    /// Whether the result has all blocks.
    pub(in crate::lower::array) fn is_whole(&self) -> bool {
        self.sides.iter().all(|side| side.window == (0..side.axis.chunks()))
    }

    /// What the result depends on beside the grid of the whole array.
    pub(in crate::lower::array) fn parameters(&self) -> Vec<((usize, usize), Border, Range<usize>)> {
        self.sides.iter().map(|side| ((side.before, side.after), side.border, side.window.clone())).collect()
    }

    /// The chunk along each axis of a block of the result, counted in the whole array.
    pub(in crate::lower::array) fn place(&self, mut block: usize) -> Dims {
        let mut place = Dims::from_elem(0, self.sides.len());
        for (at, side) in place.iter_mut().zip(&self.sides).rev() {
            *at = side.window.start + block % side.window.len().max(1);
            block /= side.window.len().max(1);
        }
        place
    }

    /// How the whole array is cut.
    pub(in crate::lower::array) fn grid(&self) -> Grid {
        Grid::new(self.sides.iter().map(|side| side.axis.clone()))
    }

    pub(in crate::lower::array) fn reaches(&self, place: &[usize]) -> SmallVec<[Reach; 4]> {
        self.sides.iter().zip(place).map(|(side, &chunk)| side.reach(chunk)).collect()
    }

    /// How many blocks of one input a task reads.
    pub(in crate::lower::array) fn sources(reaches: &[Reach]) -> usize {
        reaches.iter().map(|reach| reach.chunks.len()).product()
    }

    /// The most elements of a block with its border; an unknown length counts as `unknown`.
    pub(in crate::lower::array) fn largest(&self, unknown: usize) -> u64 {
        let longest = |side: &Side| (side.axis.longest().unwrap_or(unknown) + side.before + side.after) as u64;
        self.sides.iter().map(longest).fold(1, u64::saturating_mul)
    }

    /// What gives some ranges of `expr`, which is this halo's operation, with fewer blocks: a halo, and the inputs cut to
    /// the chunks that are needed. Nothing if all are.
    pub(in crate::lower::array) fn sliced(
        &self,
        expr: &Expr,
        ranges: &[StepRange],
        make: impl FnOnce(Halo, Grid, Vec<ExprRef>) -> ExprRef,
    ) -> Option<ExprRef> {
        let narrowed: Vec<Option<Side>> =
            self.sides.iter().zip(ranges).map(|(side, range)| side.narrowed(range)).collect();
        if narrowed.iter().all(Option::is_none) {
            return None;
        }
        let inputs = expr.inputs.iter().map(|input| {
            let axes = narrowed.iter().enumerate().filter_map(|(axis, side)| Some((axis, side.as_ref()?)));
            axes.into_iter().try_fold(input.clone(), |input, (axis, side)| {
                chunks_of(&input, axis, &self.sides[axis].present, &side.present, expr).ok()
            })
        });
        let inputs: Vec<ExprRef> = inputs.collect::<Option<_>>()?;
        let mut own = ranges.to_vec();
        for ((old, new), range) in self.sides.iter().zip(&narrowed).zip(&mut own) {
            if let (Some(new), Some(bounds)) = (new, old.axis.bounds()) {
                range.start -= bounds[new.window.start] - bounds[old.window.start];
            }
        }
        let sides: Vec<Side> =
            self.sides.iter().zip(narrowed).map(|(old, new)| new.unwrap_or_else(|| old.clone())).collect();
        let cut = sides.iter().zip(expr.grid.axes()).map(|(side, axis)| match side.axis.bounds() {
            Some(bounds) => Axis::from_lengths(side.window.clone().map(|chunk| bounds[chunk + 1] - bounds[chunk])),
            None => axis.clone(),
        });
        let grid = Grid::new(cut);
        Some(slice(&make(Halo { sides }, grid, inputs), own, expr.location))
    }

    /// What each block of the result reads of inputs with these blocks: for each input the neighbours in row-major order.
    pub(in crate::lower::array) fn edges(
        &self,
        inputs: &[(&Grid, &[Edge])],
    ) -> impl Iterator<Item = SmallVec<[Edge; 9]>> {
        // The places among the inputs' chunks, once for each chunk of an axis and not for each block.
        let slots: Vec<Vec<Vec<usize>>> = self
            .sides
            .iter()
            .map(|side| {
                let slot = |chunk: &usize| side.present.binary_search(chunk).ok();
                side.window.clone().map(|chunk| side.reach(chunk).chunks.iter().filter_map(slot).collect()).collect()
            })
            .collect();
        let count = self.sides.iter().map(|side| side.window.len()).product();
        (0..count).map(move |block| {
            let mut edges = SmallVec::new();
            let place = self.place(block);
            let along: SmallVec<[&[usize]; 4]> = slots
                .iter()
                .zip(&self.sides)
                .zip(&place)
                .map(|((slots, side), at)| slots[at - side.window.start].as_slice())
                .collect();
            for (grid, blocks) in inputs {
                each_of(&along, |at| edges.extend(blocks.get(grid.block_at(at)).copied()));
            }
            edges
        })
    }

    /// The shape of the block with its border; lengths that the grid does not know are those of `shape`, a block's.
    pub(in crate::lower::array) fn padded_shape(&self, reaches: &[Reach], shape: &[usize]) -> Dims {
        let length = |((side, reach), found): ((&Side, &Reach), &usize)| match side.axis.length() {
            Some(_) => reach.length(),
            None => *found,
        };
        self.sides.iter().zip(reaches).zip(shape).map(length).collect()
    }

    /// Checks the shapes of the blocks that a task got.
    pub(in crate::lower::array) fn check(&self, reaches: &[Reach], inputs: &[Value]) -> KernelResult<()> {
        let (count, mut number) = (Halo::sources(reaches), 0);
        if inputs.len() != count {
            return Err(KernelError::new(format!("{} blocks where {count} were promised", inputs.len())));
        }
        let along: SmallVec<[&[usize]; 4]> = reaches.iter().map(|reach| reach.chunks.as_slice()).collect();
        let grid = self.grid();
        let mut wrong = None;
        each_of(&along, |place| {
            let fits = array(&inputs[number]).map(|block| {
                (!grid.has_block(place, block.shape())).then(|| {
                    let (found, expected) = (block.shape(), grid.block_shape(place));
                    KernelError::new(format!("a block of shape {found:?} where {expected:?} was promised"))
                })
            });
            wrong = wrong.take().or(match fits {
                Ok(wrong) => wrong,
                Err(error) => Some(error),
            });
            number += 1;
        });
        wrong.map_or(Ok(()), Err)
    }

    /// Puts a part of the block with its border together: along each axis the positions `within` of it, into `target`, which
    /// has their shape. `sources` are one input's blocks, in the order of [`Halo::edges`].
    pub(in crate::lower::array) fn fill<T: Element>(
        &self,
        reaches: &[Reach],
        sources: &[ArrayViewD<'_, T>],
        within: &[Range<usize>],
        mut target: ArrayViewMutD<'_, T>,
    ) -> KernelResult<()> {
        let pieces: SmallVec<[Vec<Stretch>; 4]> = self
            .sides
            .iter()
            .zip(reaches)
            .zip(within)
            .map(|((side, reach), within)| {
                let mut pieces = Vec::new();
                match (&side.runs, side.axis.bounds()) {
                    (Some(runs), Some(bounds)) => {
                        let first = reach.positions.start;
                        runs.walk(bounds, first + within.start..first + within.end, |stretch| pieces.push(stretch));
                    }
                    _ => pieces.push(Stretch::Copy {
                        position: 0,
                        count: within.len(),
                        chunk: reach.chunks[0],
                        first: within.start,
                        step: 1,
                        each: 1,
                        skipped: 0,
                    }),
                }
                pieces
            })
            .collect();
        let numbers: SmallVec<[Vec<usize>; 4]> = pieces.iter().map(|pieces| (0..pieces.len()).collect()).collect();
        let along: SmallVec<[&[usize]; 4]> = numbers.iter().map(Vec::as_slice).collect();
        let mut result = Ok(());
        each_of(&along, |at| {
            let piece = |axis: usize| &pieces[axis][at[axis]];
            let mut part = target.slice_each_axis_mut(|axis| match *piece(axis.axis.index()) {
                Stretch::Copy { position, count, .. } | Stretch::Fill { position, count, .. } => {
                    NdSlice::from(position as isize..(position + count) as isize)
                }
            });
            // Axes are bordered one after the other: the last one decides a corner.
            let fill = (0..at.len()).rev().find_map(|axis| match piece(axis) {
                Stretch::Fill { value, .. } => Some(*value),
                Stretch::Copy { .. } => None,
            });
            if let Some(value) = fill {
                part.fill(value.get::<T>());
                return;
            }
            let source = (0..at.len()).try_fold(0, |number, axis| match piece(axis) {
                Stretch::Copy { chunk, .. } => {
                    let chunks = &reaches[axis].chunks;
                    Some(number * chunks.len() + chunks.binary_search(chunk).ok()?)
                }
                Stretch::Fill { .. } => None,
            });
            let Some(view) = source.and_then(|source| sources.get(source)) else {
                result = Err(KernelError::new("a border that reaches beyond its neighbours"));
                return;
            };
            let view = view.slice_each_axis(|axis| match *piece(axis.axis.index()) {
                Stretch::Copy { count, first, step, each, skipped, .. } => {
                    let at = |position: usize| {
                        first.wrapping_add_signed(step.wrapping_mul(((skipped + position) / each.max(1)) as isize))
                    };
                    let (one, other) = (at(0), at(count.saturating_sub(1)));
                    let (low, high) = (one.min(other), one.max(other) + usize::from(count > 0));
                    NdSlice::new(low as isize, Some(high as isize), if low + 1 >= high { 1 } else { step })
                }
                Stretch::Fill { .. } => NdSlice::from(0..0),
            });
            match view.broadcast(part.raw_dim()) {
                Some(view) => part.assign(&view),
                None => result = Err(KernelError::new("a border of another shape than was promised")),
            }
        });
        result
    }
}

/// The views of the blocks of one input.
pub(in crate::lower::array) fn views<T: Element>(inputs: &[Value]) -> KernelResult<SmallVec<[ArrayViewD<'_, T>; 9]>> {
    inputs.iter().map(|input| array(input)?.view::<T>().map_err(source_error)).collect()
}

/// Visits all combinations of one number from each list, in row-major order.
pub(in crate::lower::array) fn each_of(lists: &[&[usize]], mut visit: impl FnMut(&[usize])) {
    if lists.iter().any(|list| list.is_empty()) {
        return;
    }
    let mut at: SmallVec<[usize; 4]> = SmallVec::from_elem(0, lists.len());
    let mut now: SmallVec<[usize; 4]> = lists.iter().map(|list| list[0]).collect();
    loop {
        visit(&now);
        let mut axis = lists.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            at[axis] += 1;
            if let Some(&next) = lists[axis].get(at[axis]) {
                now[axis] = next;
                break;
            }
            (at[axis], now[axis]) = (0, lists[axis][0]);
        }
    }
}

/// The chunks `wanted` of an axis whose chunks are `present`.
fn chunks_of(input: &ExprRef, axis: usize, present: &[usize], wanted: &[usize], expr: &Expr) -> Result<ExprRef> {
    let Some(bounds) = input.grid.axes()[axis].bounds() else { return Ok(input.clone()) };
    let slots: Vec<usize> = wanted.iter().filter_map(|chunk| present.binary_search(chunk).ok()).collect();
    let mut parts = Vec::new();
    let mut rest = slots.as_slice();
    while let Some(&first) = rest.first() {
        let count = rest.iter().zip(first..).take_while(|(slot, expected)| **slot == *expected).count();
        let range =
            StepRange { start: bounds[first], step: 1, length: bounds[first + count].saturating_sub(bounds[first]) };
        parts.push(crate::array::shape::arrange::part(input, axis, range, expr.location));
        rest = &rest[count..];
    }
    match parts.len() {
        1 => Ok(parts.swap_remove(0)),
        _ => concatenate_exprs(expr.op.name(), parts, axis as isize, input.dtype, expr.location),
    }
}
