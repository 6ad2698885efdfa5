//! The state of one reduction over many lanes: take rows, merge, finish.

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::exact::{Bins, Total};
use super::folds::{NOWHERE, with_kind};
use super::lanes::{FloatSlab, LaneValues, Reducible};
use super::moments::Moments;
use super::op::{Family, ReduceOp};
use super::plain::{extreme_lanes, take_plain};
use super::positions::{merge_positions, take_positions};
use super::quick::Pair;
use super::simd::{self, Float, Grain};
use super::slab::{BLOCK, Slab, Target};
use super::{ReduceError, Result};
use crate::dtype::{Complex, DType, f16, with_dtype};
use crate::number::CastFrom;

/// More lanes than any memory holds; keeps sizes from overflowing.
const MOST_LANES: usize = 1 << 44;

/// Counts below it are floats without rounding.
const MOST_COUNTED: u64 = 1 << 53;

/// A reduction under way: one partial result for each lane, a lane being one element of the result.
///
/// Rows come in any order, from any cut of the array and over any tree of [`merge`](Accumulator::merge)s:
/// the bits of [`finish`](Accumulator::finish) are the same. (Except where
/// [`ReduceOp::is_ordered`]: there the rows of a lane must come in the order of the index.)
///
/// Taking a slab costs time in proportion to its elements, merging and finishing to the number of lanes.
///
/// ```
/// use talatat_kernels::dtype::DType;
/// use talatat_kernels::reduce::{Accumulator, LaneValues, ReduceOp, Slab};
///
/// // The columns' means of [[1, 2], [3, 7]].
/// let mut state = Accumulator::new(ReduceOp::Mean, DType::I32, 2)?;
/// state.columns(0, Slab::row(&[1, 2]), 0, 1)?;
/// state.columns(0, Slab::row(&[3, 7]), 1, 1)?;
/// assert_eq!(state.finish()?, LaneValues::F64(vec![2.0, 4.5]));
/// # Ok::<(), talatat_kernels::reduce::ReduceError>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accumulator {
    op: ReduceOp,
    input: DType,
    lanes: usize,
    /// Values taken per lane (without NaN where that is skipped); empty where nobody asks.
    counts: Counts,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    /// One value per lane: whole sums and products (modulo 2^64), counts, minima, maxima, truth.
    Plain(LaneValues),
    Sum(Box<Bins>),
    Moments(Box<Moments>),
    Position {
        values: LaneValues,
        indices: Vec<u64>,
    },
}

impl Accumulator {
    /// A state that has taken nothing, for arrays of element type `input`.
    ///
    /// # Errors
    /// [`ReduceError::TooManyLanes`] for a number of lanes that no memory could hold.
    pub fn new(op: ReduceOp, input: DType, lanes: usize) -> Result<Accumulator> {
        if lanes > MOST_LANES {
            return Err(ReduceError::TooManyLanes { op, lanes });
        }
        let sums = lanes * op.parts(input);
        let start = |max| with_dtype!(input, T => extreme_lanes::<T>(max, op.skips_nan(), lanes));
        let state = match op.family() {
            Family::Sum if input.is_inexact() => State::Sum(Box::new(Bins::new(sums))),
            Family::Mean => State::Sum(Box::new(Bins::new(sums))),
            Family::Spread { .. } => State::Moments(Box::new(Moments::new(sums))),
            Family::Product if input.is_inexact() => {
                State::Plain(with_dtype!(input, T => <T as Reducible>::tag(vec![<T as Reducible>::ONE; lanes])))
            }
            Family::Product => State::Plain(LaneValues::U64(vec![1; lanes])),
            Family::Sum | Family::Count => State::Plain(LaneValues::U64(vec![0; lanes])),
            Family::Any | Family::All => State::Plain(LaneValues::Bool(vec![op == ReduceOp::All; lanes])),
            Family::Extreme { max } => State::Plain(start(max)),
            Family::Position { max } => State::Position { values: start(max), indices: vec![NOWHERE; lanes] },
        };
        let counted = matches!(op.family(), Family::Mean | Family::Spread { .. } | Family::Extreme { .. });
        Ok(Accumulator { op, input, lanes, counts: Counts::new(if counted { sums } else { 0 }), state })
    }

    /// The reduction.
    pub fn op(&self) -> ReduceOp {
        self.op
    }

    /// The element type of the rows.
    pub fn input_dtype(&self) -> DType {
        self.input
    }

    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Takes row `i` of a slab into lane `first_lane + i`: the last axis is reduced.
    ///
    /// `index` is that of every row's first element along the reduced axis (or in the flattened array);
    /// only the `arg` reductions use it.
    ///
    /// # Errors
    /// [`ReduceError::Dtype`] if the elements are of another type than the accumulator,
    /// [`ReduceError::Lane`] if it has no such lane. Nothing is taken then.
    pub fn runs<T: Reducible>(&mut self, first_lane: usize, slab: Slab<'_, T>, index: u64) -> Result<()> {
        self.take(Target::Runs(first_lane), slab, index, 1)
    }

    /// Takes element `j` of every row of a slab into lane `first_lane + j`: the last axis is kept.
    ///
    /// `index` is that of the first row along the reduced axis, and the next rows' are `step` further each; only the
    /// `arg` reductions use it.
    ///
    /// # Errors
    /// As [`Accumulator::runs`].
    pub fn columns<T: Reducible>(&mut self, first_lane: usize, slab: Slab<'_, T>, index: u64, step: u64) -> Result<()> {
        self.take(Target::Columns(first_lane), slab, index, step)
    }

    fn take<T: Reducible>(&mut self, target: Target, slab: Slab<'_, T>, index: u64, step: u64) -> Result<()> {
        if T::KIND != self.input {
            return Err(ReduceError::Dtype { op: self.op, expected: self.input, found: T::KIND });
        }
        let lanes = target.lanes(&slab);
        if lanes.end > self.lanes {
            return Err(ReduceError::Lane { op: self.op, lane: lanes.start, count: lanes.len(), lanes: self.lanes });
        }
        let (family, skip, parts) = (self.op.family(), self.op.skips_nan(), self.op.parts(self.input));
        let counts = &mut self.counts;
        match &mut self.state {
            State::Plain(lanes) => {
                counts.add_slab(target, &slab);
                take_plain(family, skip, lanes, target, slab);
            }
            State::Position { values, indices } => {
                let max = family == Family::Position { max: true };
                if let Some(bests) = T::lanes_mut(values) {
                    with_kind!(max, skip, take_positions::<T>(bests, indices, target, slab, [index, step]));
                }
            }
            state => T::as_floats(slab, matches!(target, Target::Runs(_)), skip, &mut |[row, column], piece| {
                let target = target.times(parts).after(row, column);
                match piece {
                    FloatSlab::F64(slab) => take_floats(state, counts, skip, target, slab, Grain::F64),
                    FloatSlab::F32(slab) => take_floats(state, counts, skip, target, slab, Grain::F32),
                    FloatSlab::Whole(slab) => take_floats(state, counts, false, target, slab, Grain::INTEGER),
                }
            }),
        }
        Ok(())
    }

    /// Takes all that another accumulator of the same reduction has taken.
    ///
    /// # Errors
    /// [`ReduceError::Merge`] if the two are not of the same reduction, element type and lanes,
    /// [`ReduceError::Ordered`] if the order of elements matters: such blocks go into one accumulator
    /// one after the other.
    pub fn merge(&mut self, other: &Accumulator) -> Result<()> {
        if (self.op, self.input, self.lanes) != (other.op, other.input, other.lanes) {
            let describe = |a: &Accumulator| format!("{} of {} over {} lanes", a.op, a.input, a.lanes);
            return Err(ReduceError::Merge { left: describe(self), right: describe(other) });
        }
        if self.op.is_ordered(self.input) {
            return Err(ReduceError::Ordered { op: self.op, input: self.input });
        }
        let (family, skip) = (self.op.family(), self.op.skips_nan());
        self.counts.merge(&other.counts);
        match (&mut self.state, &other.state) {
            (State::Sum(a), State::Sum(b)) => a.merge(b),
            (State::Moments(a), State::Moments(b)) => a.merge(b),
            (State::Plain(a), State::Plain(b)) => {
                // The states are rows of values themselves; counts add up.
                let family = if family == Family::Count { Family::Sum } else { family };
                with_dtype!(b.dtype(), T => if let Some(values) = <T as Reducible>::lanes(b) {
                    take_plain(family, skip, a, Target::Columns(0), Slab::row(values));
                });
            }
            (State::Position { values, indices }, State::Position { values: theirs, indices: at }) => {
                let max = family == Family::Position { max: true };
                with_dtype!(self.input, T => {
                    if let (Some(a), Some(b)) = (<T as Reducible>::lanes_mut(values), <T as Reducible>::lanes(theirs)) {
                        with_kind!(max, skip, merge_positions::<T>(a, indices, b, at));
                    }
                });
            }
            // Excluded by the comparison above: the state's kind follows from operation and type.
            _ => {}
        }
        Ok(())
    }

    /// The results, one per lane, of type [`ReduceOp::output_dtype`].
    ///
    /// # Errors
    /// [`ReduceError::Empty`] if a minimum, maximum or index of a lane without elements is asked for,
    /// [`ReduceError::AllNan`] if an index without NaN has nothing but NaN to choose from.
    pub fn finish(self) -> Result<LaneValues> {
        let op = self.op;
        let output = op.output_dtype(self.input);
        let (part, sums) = (output.real(), self.lanes * op.parts(self.input));
        match (self.state, op.family()) {
            (State::Sum(bins), family) => {
                let quick = |lane| match family {
                    Family::Mean => match self.counts.get(lane) {
                        count @ 1..MOST_COUNTED => bins.pair(lane)?.divided(count as f64),
                        _ => None,
                    },
                    _ => bins.pair(lane)?.rounded(),
                };
                let exact = |lane| match (bins.total(lane), family) {
                    (Total::Special(special), _) => Rounded::Done(special),
                    (Total::Exact(sum), Family::Mean) => match self.counts.get(lane) {
                        0 => Rounded::Done(f64::NAN),
                        count => Rounded::Due(sum.divided(&[count])),
                    },
                    (Total::Exact(sum), _) => Rounded::Due(sum.leading()),
                };
                let rounded = |lane| match quick(lane) {
                    Some(value) if part == DType::F64 => Rounded::Done(value),
                    Some(value) if part == DType::F32 && Pair::single(value).is_some() => Rounded::Done(value),
                    _ => exact(lane),
                };
                Ok(paired(output, floats(part, sums, rounded)))
            }
            (State::Moments(moments), Family::Spread { ddof, root }) => Ok(floats(part, self.lanes, |lane| {
                let variance = |sum| moments.variance(sum, self.counts.get(sum), ddof);
                let variance =
                    if sums > self.lanes { variance(2 * lane) + variance(2 * lane + 1) } else { variance(lane) };
                Rounded::Done(if root { variance.sqrt() } else { variance })
            })),
            (State::Position { indices, .. }, _) => match indices.iter().position(|&at| at == NOWHERE) {
                None => Ok(LaneValues::I64(indices.into_iter().map(|at| at as i64).collect())),
                Some(lane) if op.skips_nan() && self.input.is_inexact() => Err(ReduceError::AllNan { op, lane }),
                Some(lane) => Err(ReduceError::Empty { op, lane }),
            },
            (State::Plain(values), family) => {
                if let Some(lane) = self.counts.first_empty() {
                    return Err(ReduceError::Empty { op, lane });
                }
                Ok(match values {
                    LaneValues::U64(sums) if op.output_dtype(self.input) == DType::I64 => {
                        LaneValues::I64(sums.into_iter().map(|sum| sum as i64).collect())
                    }
                    LaneValues::F64(values) => canonical(values, family),
                    LaneValues::F32(values) => canonical(values, family),
                    LaneValues::F16(values) => canonical(values, family),
                    LaneValues::C64(values) => canonical(values, family),
                    LaneValues::C128(values) => canonical(values, family),
                    values => values,
                })
            }
            (State::Moments(_), _) => Err(ReduceError::Decode { reason: "a state of another operation" }),
        }
    }

    /// Bytes held, the fixed part included.
    pub fn nbytes(&self) -> usize {
        let state = match &self.state {
            State::Plain(values) => values.len() * values.dtype().size(),
            State::Sum(bins) => bins.nbytes(),
            State::Moments(moments) => moments.nbytes(),
            State::Position { values, indices } => values.len() * values.dtype().size() + indices.len() * 8,
        };
        size_of::<Accumulator>() + state + self.counts.len() * 8
    }

    /// Appends the state in a portable form.
    ///
    /// # Errors
    /// [`ReduceError::Encode`] does not happen for states that fit in memory.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let written = postcard::to_extend(self, std::mem::take(out)).map_err(|_| ReduceError::Encode)?;
        *out = written;
        Ok(())
    }

    /// Reads what [`Accumulator::encode`] wrote. Takes memory in proportion to the bytes given, and checks
    /// that the state is one which this code could have made.
    ///
    /// # Errors
    /// [`ReduceError::Decode`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Accumulator> {
        let (state, rest) = postcard::take_from_bytes::<Accumulator>(bytes)
            .map_err(|_| ReduceError::Decode { reason: "the bytes are cut short or damaged" })?;
        if !rest.is_empty() {
            return Err(ReduceError::Decode { reason: "bytes are left over" });
        }
        if !state.is_sound() {
            return Err(ReduceError::Decode { reason: "the state contradicts itself" });
        }
        Ok(state)
    }

    fn is_sound(&self) -> bool {
        let (op, input, lanes) = (self.op, self.input, self.lanes);
        let Ok(fresh) = Accumulator::new(op, input, 0) else {
            return false;
        };
        let counted = matches!(op.family(), Family::Mean | Family::Spread { .. } | Family::Extreme { .. });
        let sums = lanes.saturating_mul(op.parts(input));
        let fits = |values: &LaneValues, model: &LaneValues| values.len() == lanes && values.dtype() == model.dtype();
        lanes <= MOST_LANES
            && self.counts.len() == if counted { sums } else { 0 }
            && match (&self.state, &fresh.state) {
                (State::Plain(values), State::Plain(model)) => fits(values, model),
                (State::Sum(bins), State::Sum(_)) => bins.is_sound(sums),
                (State::Moments(moments), State::Moments(_)) => moments.is_sound(sums),
                (State::Position { values, indices }, State::Position { values: model, .. }) => {
                    fits(values, model) && indices.len() == lanes
                }
                _ => false,
            }
    }
}

/// A result before or after its rounding.
enum Rounded {
    Due(super::number::Leading),
    Done(f64),
}

/// Results as floats of a type.
fn floats(dtype: DType, lanes: usize, value: impl Fn(usize) -> Rounded) -> LaneValues {
    let lanes = 0..lanes;
    match dtype {
        DType::F16 => {
            let round = |value| match value {
                Rounded::Due(value) => value.to_f16(),
                Rounded::Done(value) => f16::cast_from(value),
            };
            LaneValues::F16(lanes.map(|lane| round(value(lane))).collect())
        }
        DType::F32 => {
            let round = |value| match value {
                Rounded::Due(value) => value.to_f32(),
                Rounded::Done(value) => value as f32,
            };
            LaneValues::F32(lanes.map(|lane| round(value(lane))).collect())
        }
        _ => {
            let round = |value| match value {
                Rounded::Due(value) => value.to_f64(),
                Rounded::Done(value) => value,
            };
            LaneValues::F64(lanes.map(|lane| round(value(lane))).collect())
        }
    }
}

/// Two floats after each other as one number, if the type is complex.
fn paired(dtype: DType, values: LaneValues) -> LaneValues {
    fn pairs<P: Copy>(values: &[P]) -> Vec<Complex<P>> {
        values.as_chunks().0.iter().map(|&[re, im]| Complex { re, im }).collect()
    }
    match values {
        LaneValues::F32(values) if dtype == DType::C64 => LaneValues::C64(pairs(&values)),
        LaneValues::F64(values) if dtype == DType::C128 => LaneValues::C128(pairs(&values)),
        values => values,
    }
}

/// NaN and zero in one pattern of bits where several are possible; a product's signs stay.
fn canonical<T: Reducible>(mut values: Vec<T>, family: Family) -> LaneValues {
    for x in &mut values {
        if family != Family::Product || x.is_nan() {
            *x = x.canonical();
        }
    }
    T::tag(values)
}

/// Takes a slab of floats into a sum or into moments.
fn take_floats<F: Float + Default>(
    state: &mut State,
    counts: &mut Counts,
    skip: bool,
    target: Target,
    slab: Slab<'_, F>,
    grain: Grain,
) {
    let mut add = |target: Target, slab: Slab<'_, F>| match state {
        State::Sum(bins) => bins.add(target, slab, grain),
        State::Moments(moments) => moments.add(target, slab, grain),
        State::Plain(_) | State::Position { .. } => {}
    };
    if !skip {
        counts.add_slab(target, &slab);
        return add(target, slab);
    }
    slab.for_blocks(target, BLOCK, |target, block, _| {
        if !simd::extent_of(block).largest.is_nan() {
            counts.add_slab(target, &block);
            return add(target, block);
        }
        let mut kept = [F::default(); BLOCK];
        let mut rest = &mut kept[..];
        for (i, row) in block.iter().enumerate() {
            counts.add_where(target.after(i, 0), row.iter().map(|x| !x.wide().is_nan()));
            let (slots, after) = rest.split_at_mut(row.len());
            for (slot, &x) in slots.iter_mut().zip(row) {
                *slot = if x.wide().is_nan() { F::default() } else { x };
            }
            rest = after;
        }
        if let Some(kept) = Slab::new(&kept, block.rows(), block.width(), block.width()) {
            add(target, kept);
        }
    });
}
