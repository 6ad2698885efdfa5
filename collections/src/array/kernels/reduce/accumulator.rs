//! The state of one reduction over many lanes: take rows, merge, finish.

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::exact::{Bins, Total};
use super::folds::{NOWHERE, locate, locate_each, locate_merge, with_kind};
use super::lanes::{FloatRow, LaneValues, Reducible};
use super::moments::Moments;
use super::op::{Family, ReduceOp};
use super::plain::{extreme_lanes, take_plain};
use super::planes::{SEGMENT, Target};
use super::simd::{self, Float, Grain};
use super::{ReduceError, Result};
use crate::array::dtype::{DType, with_dtype};

/// More lanes than any memory holds; keeps sizes from overflowing.
const MOST_LANES: usize = 1 << 44;

/// A reduction under way: one partial result for each lane, a lane being one element of the result.
///
/// Rows come in any order, from any cut of the array and over any tree of [`merge`](Accumulator::merge)s:
/// the bits of [`finish`](Accumulator::finish) are the same. (Except where
/// [`ReduceOp::is_ordered`]: there the rows of a lane must come in the order of the index.)
///
/// Taking a row costs time in proportion to its length, merging and finishing to the number of lanes.
///
/// ```
/// use talatat_collections::array::dtype::DType;
/// use talatat_collections::array::kernels::reduce::{Accumulator, LaneValues, ReduceOp};
///
/// // The columns' means of [[1, 2], [3, 7]].
/// let mut state = Accumulator::new(ReduceOp::Mean, DType::I32, 2)?;
/// state.row_to_lanes(0, &[1, 2], 0)?;
/// state.row_to_lanes(0, &[3, 7], 1)?;
/// assert_eq!(state.finish()?, LaneValues::F64(vec![2.0, 4.5]));
/// # Ok::<(), talatat_collections::array::kernels::reduce::ReduceError>(())
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
        let start = |max| with_dtype!(input, T => extreme_lanes::<T>(max, op.skips_nan(), lanes));
        let state = match op.family() {
            Family::Sum if input.is_float() => State::Sum(Box::new(Bins::new(lanes))),
            Family::Mean => State::Sum(Box::new(Bins::new(lanes))),
            Family::Spread { .. } => State::Moments(Box::new(Moments::new(lanes))),
            Family::Product if input == DType::F32 => State::Plain(LaneValues::F32(vec![1.0; lanes])),
            Family::Product if input == DType::F64 => State::Plain(LaneValues::F64(vec![1.0; lanes])),
            Family::Product => State::Plain(LaneValues::U64(vec![1; lanes])),
            Family::Sum | Family::Count => State::Plain(LaneValues::U64(vec![0; lanes])),
            Family::Any | Family::All => State::Plain(LaneValues::Bool(vec![op == ReduceOp::All; lanes])),
            Family::Extreme { max } => State::Plain(start(max)),
            Family::Position { max } => State::Position { values: start(max), indices: vec![NOWHERE; lanes] },
        };
        let counted = matches!(op.family(), Family::Mean | Family::Spread { .. } | Family::Extreme { .. });
        Ok(Accumulator { op, input, lanes, counts: Counts::new(if counted { lanes } else { 0 }), state })
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

    /// Takes a row into one lane: the last axis is reduced.
    ///
    /// `first_index` is the index of `values[0]` along the reduced axis (or in the flattened array);
    /// only the `arg` reductions use it.
    ///
    /// # Errors
    /// [`ReduceError::Dtype`] if the rows are of another type than the accumulator,
    /// [`ReduceError::Lane`] if it has no such lane. Nothing is taken then.
    pub fn row_to_lane<T: Reducible>(&mut self, lane: usize, values: &[T], first_index: u64) -> Result<()> {
        self.check::<T>(lane, 1)?;
        if !values.is_empty() {
            self.take(Target::Lane(lane), values, first_index);
        }
        Ok(())
    }

    /// Takes element `j` of a row into lane `first_lane + j`: the last axis is kept.
    ///
    /// `index` is that of the row along the reduced axis; only the `arg` reductions use it.
    ///
    /// # Errors
    /// As [`Accumulator::row_to_lane`].
    pub fn row_to_lanes<T: Reducible>(&mut self, first_lane: usize, values: &[T], index: u64) -> Result<()> {
        self.check::<T>(first_lane, values.len())?;
        if !values.is_empty() {
            self.take(Target::From(first_lane), values, index);
        }
        Ok(())
    }

    fn check<T: Reducible>(&self, first: usize, count: usize) -> Result<()> {
        if T::KIND != self.input {
            return Err(ReduceError::Dtype { op: self.op, expected: self.input, found: T::KIND });
        }
        match first.checked_add(count) {
            Some(end) if end <= self.lanes => Ok(()),
            _ => Err(ReduceError::Lane { op: self.op, lane: first, count, lanes: self.lanes }),
        }
    }

    fn take<T: Reducible>(&mut self, target: Target, values: &[T], index: u64) {
        let (family, skip) = (self.op.family(), self.op.skips_nan());
        match &mut self.state {
            State::Plain(lanes) => {
                if self.counts.len() > 0 {
                    count(&mut self.counts, target, values.len());
                }
                take_plain(family, skip, lanes, target, values);
            }
            State::Position { values: bests, indices } => {
                let max = family == Family::Position { max: true };
                let Some(bests) = T::lanes_mut(bests) else {
                    return;
                };
                match target {
                    Target::Lane(lane) => {
                        if let (Some(best), Some(at)) = (bests.get_mut(lane), indices.get_mut(lane)) {
                            with_kind!(max, skip, locate::<T>(best, at, values, index));
                        }
                    }
                    Target::From(first) => {
                        let range = first..first + values.len();
                        if let (Some(bests), Some(ats)) = (bests.get_mut(range.clone()), indices.get_mut(range)) {
                            with_kind!(max, skip, locate_each::<T>(bests, ats, values, index));
                        }
                    }
                }
            }
            state => {
                let counts = &mut self.counts;
                T::as_floats(values, &mut |offset, row| {
                    let target = target.after(offset);
                    match row {
                        FloatRow::F64(row) => take_floats(state, counts, skip, target, row, Grain::F64),
                        FloatRow::F32(row) => take_floats(state, counts, skip, target, row, Grain::F32),
                        FloatRow::Whole(row) => take_floats(state, counts, false, target, row, Grain::INTEGER),
                    }
                });
            }
        }
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
                    take_plain(family, skip, a, Target::From(0), values);
                });
            }
            (State::Position { values, indices }, State::Position { values: theirs, indices: at }) => {
                let max = family == Family::Position { max: true };
                with_dtype!(self.input, T => {
                    if let (Some(a), Some(b)) = (<T as Reducible>::lanes_mut(values), <T as Reducible>::lanes(theirs)) {
                        with_kind!(max, skip, locate_merge::<T>(a, indices, b, at));
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
        let single = op.output_dtype(self.input) == DType::F32;
        match (self.state, op.family()) {
            (State::Sum(bins), family) => {
                let rounded = |lane| match (bins.total(lane), family) {
                    (Total::Special(special), _) => Rounded::Done(special),
                    (Total::Exact(sum), Family::Mean) => match self.counts.get(lane) {
                        0 => Rounded::Done(f64::NAN),
                        count => Rounded::Due(sum.divided(&[count])),
                    },
                    (Total::Exact(sum), _) => Rounded::Due(sum.leading()),
                };
                Ok(floats(single, self.lanes, rounded))
            }
            (State::Moments(moments), Family::Spread { ddof, root }) => Ok(floats(single, self.lanes, |lane| {
                let variance = moments.variance(lane, self.counts.get(lane), ddof);
                Rounded::Done(if root { variance.sqrt() } else { variance })
            })),
            (State::Position { indices, .. }, _) => match indices.iter().position(|&at| at == NOWHERE) {
                None => Ok(LaneValues::I64(indices.into_iter().map(|at| at as i64).collect())),
                Some(lane) if op.skips_nan() && self.input.is_float() => Err(ReduceError::AllNan { op, lane }),
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
        let fits = |values: &LaneValues, model: &LaneValues| values.len() == lanes && values.dtype() == model.dtype();
        lanes <= MOST_LANES
            && self.counts.len() == if counted { lanes } else { 0 }
            && match (&self.state, &fresh.state) {
                (State::Plain(values), State::Plain(model)) => fits(values, model),
                (State::Sum(bins), State::Sum(_)) => bins.is_sound(lanes),
                (State::Moments(moments), State::Moments(_)) => moments.is_sound(lanes),
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

fn floats(single: bool, lanes: usize, value: impl Fn(usize) -> Rounded) -> LaneValues {
    let lanes = 0..lanes;
    if single {
        let round = |value| match value {
            Rounded::Due(value) => value.to_f32(),
            Rounded::Done(value) => value as f32,
        };
        LaneValues::F32(lanes.map(|lane| round(value(lane))).collect())
    } else {
        let round = |value| match value {
            Rounded::Due(value) => value.to_f64(),
            Rounded::Done(value) => value,
        };
        LaneValues::F64(lanes.map(|lane| round(value(lane))).collect())
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

fn count(counts: &mut Counts, target: Target, values: usize) {
    match target {
        Target::Lane(lane) => counts.add(lane, 1, values as u64),
        Target::From(first) => counts.add(first, values, 1),
    }
}

/// Takes a row of floats into a sum or into moments.
fn take_floats<F: Float + Default>(
    state: &mut State,
    counts: &mut Counts,
    skip: bool,
    target: Target,
    values: &[F],
    grain: Grain,
) {
    let mut add = |target, values: &[F]| match state {
        State::Sum(bins) => bins.add(target, values, grain),
        State::Moments(moments) => moments.add(target, values, grain),
        State::Plain(_) | State::Position { .. } => {}
    };
    if !(skip && simd::extent(values).largest.is_nan()) {
        if counts.len() > 0 {
            count(counts, target, values.len());
        }
        return add(target, values);
    }
    let mut kept = [F::default(); SEGMENT];
    for (row, offset) in values.chunks(SEGMENT).zip((0..).step_by(SEGMENT)) {
        let present = || row.iter().map(|x| !x.wide().is_nan());
        match target.after(offset) {
            _ if counts.len() == 0 => {}
            Target::Lane(lane) => counts.add(lane, 1, present().filter(|&x| x).count() as u64),
            Target::From(first) => counts.add_where(first, present()),
        }
        for ((slot, &x), present) in kept.iter_mut().zip(row).zip(present()) {
            *slot = if present { x } else { F::default() };
        }
        add(target.after(offset), &kept[..row.len()]);
    }
}
