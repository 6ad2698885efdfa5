//! Which chunks arrays get that are read together.
//!
//! Dask cuts all of them wherever one of them is cut, which makes many tiny chunks of arrays whose chunks do not meet (its issues 4763 and
//! 7711). Here one array's chunks are taken along each axis: each array in turn goes first, the others fill in the axes that it
//! has not, and the cheapest of these ways is chosen. What counts is the bytes that are moved (sources and elementwise operations on them
//! are made in the chunks that are asked for, and cost nothing) and the tasks. If that makes blocks that are larger than the
//! chunk target and than any block there was, as the sum of a column and a row may, they are cut in halves until they are not.
//! Where ways are equal the largest array stays as it is, or the first of several.

use smallvec::SmallVec;

use crate::array::expr::{Expr, ExprRef};
use crate::array::grid::{Axis, Grid};
use crate::array::rewrite::made_of_nothing;
use crate::config::chunk_target;

/// What a task costs, in bytes that could be moved instead.
const TASK: u64 = 16 << 10;

/// A length that is not known.
const GUESS: usize = 1_000_000;

/// An array that is read with others: for each axis of the result, which of its own goes along it.
pub(crate) struct Operand<'a> {
    pub(crate) expr: &'a ExprRef,
    pub(crate) reads: SmallVec<[Option<usize>; 4]>,
}

impl Operand<'_> {
    /// Its axis along one of the result.
    pub(crate) fn axis(&self, out: usize) -> Option<&Axis> {
        self.expr.grid.axes().get((*self.reads.get(out)?)?)
    }
}

/// The chunks of each axis of the result that some array has; elements of the result have `size` bytes (0: its blocks are not made).
pub(crate) fn unify(operands: &[Operand<'_>], ndim: usize, size: usize) -> SmallVec<[Option<Axis>; 4]> {
    let mut order: SmallVec<[&Operand<'_>; 4]> = operands.iter().collect();
    order.sort_by_key(|operand| std::cmp::Reverse(bytes(operand.expr)));
    let chosen = |order: &[&Operand<'_>]| -> SmallVec<[Option<Axis>; 4]> {
        (0..ndim).map(|out| order.iter().find_map(|operand| operand.axis(out)).cloned()).collect()
    };
    let first = chosen(&order);
    let agree = |out: usize| {
        operands.iter().filter_map(|operand| operand.axis(out)).all(|axis| Some(axis) == first[out].as_ref())
    };
    let largest = |axes: &[Option<Axis>]| block(axes.iter().flatten(), size);
    // A wider type alone is no reason to cut.
    let own = operands.iter().map(|operand| block(operand.expr.grid.axes().iter(), size));
    let most = own.max().unwrap_or(0).max(chunk_target());
    let alike = (0..ndim).all(agree);
    let mut best = first;
    if !alike {
        let free: SmallVec<[bool; 4]> = order.iter().map(|operand| made_of_nothing(operand.expr)).collect();
        let cost = |axes: &[Option<Axis>]| {
            let moved = order.iter().zip(&free).filter(|(_, free)| !**free).map(|(operand, _)| moved(operand, axes));
            let blocks = axes.iter().flatten().map(|axis| axis.chunks() as u64).fold(1, u64::saturating_mul);
            let excess = largest(axes).saturating_sub(most).saturating_mul(blocks);
            moved.fold(blocks.saturating_mul(TASK).saturating_add(excess), u64::saturating_add)
        };
        let mut least = cost(&best);
        for leader in 1..order.len() {
            let mut other = order.clone();
            other[..=leader].rotate_right(1);
            let axes = chosen(&other);
            let cost = cost(&axes);
            if cost < least {
                (best, least) = (axes, cost);
            }
        }
    }
    while largest(&best) > most {
        let longest = |axis: &Option<Axis>| axis.as_ref().and_then(Axis::longest).unwrap_or(0);
        let Some(axis) = best.iter_mut().max_by_key(|axis| longest(axis)).filter(|axis| longest(axis) > 1) else {
            break;
        };
        let half = longest(axis).div_ceil(2);
        *axis = axis.as_ref().map(|axis| cut(axis, half));
    }
    best
}

/// An axis whose chunks are at most so long: longer ones in equal pieces.
fn cut(axis: &Axis, most: usize) -> Axis {
    let Some(lengths) = axis.lengths() else { return axis.clone() };
    let pieces = |length: usize| {
        let count = length.div_ceil(most.max(1)).max(1);
        (0..count).map(move |piece| (piece + 1) * length / count - piece * length / count)
    };
    Axis::from_lengths(lengths.into_iter().flat_map(pieces))
}

/// The bytes that are copied to cut an array as the axes say: once where its blocks are only cut or only joined, else twice.
fn moved(operand: &Operand<'_>, axes: &[Option<Axis>]) -> u64 {
    let (mut cut, mut joined) = (false, false);
    for (out, axis) in axes.iter().enumerate() {
        let (Some(own), Some(new)) = (operand.axis(out), axis) else { continue };
        let (Some(own), Some(new)) = (own.bounds(), new.bounds()) else { continue };
        cut |= new.iter().any(|bound| own.binary_search(bound).is_err());
        joined |= own.iter().any(|bound| new.binary_search(bound).is_err());
    }
    bytes(operand.expr).saturating_mul(u64::from(cut) + u64::from(joined))
}

fn bytes(expr: &Expr) -> u64 {
    let lengths = expr.grid.axes().iter().map(|axis| axis.length().unwrap_or(GUESS) as u64);
    lengths.fold(expr.dtype.size() as u64, u64::saturating_mul)
}

/// The most bytes of a block.
fn block<'a>(axes: impl Iterator<Item = &'a Axis>, size: usize) -> u64 {
    axes.map(|axis| axis.longest().unwrap_or(GUESS) as u64).fold(size as u64, u64::saturating_mul)
}

/// A grid with the axes that were chosen in place of those along which an array is read.
pub(crate) fn cut_like(expr: &Expr, reads: &[Option<usize>], axes: &[Option<Axis>]) -> Grid {
    let mut wanted = expr.grid.axes().to_vec();
    for (own, axis) in reads.iter().zip(axes) {
        if let (Some(own), Some(axis)) = (own, axis)
            && let Some(wanted) = wanted.get_mut(*own)
        {
            *wanted = axis.clone();
        }
    }
    Grid::new(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Array, Element, concatenate, from_ndarray, map_blocks, ones, zeros};

    /// An array that costs something to move.
    fn dear<T: Element>(shape: [usize; 2], chunks: [usize; 2]) -> Array<T> {
        let memory = from_ndarray(ndarray::Array2::<T>::from_elem(shape, T::default()), chunks).unwrap();
        let lengths = memory.chunks().into_iter().flatten().collect();
        map_blocks(&[&memory], lengths, |_, blocks| blocks[0].to_owned()).unwrap()
    }

    #[test]
    fn the_small_one_moves() {
        let (large, small) = (dear::<f64>([6000, 400], [2000, 100]), dear::<f32>([6000, 400], [700, 400]));
        for sum in [&large + &small, &small + &large] {
            assert_eq!(sum.chunks(), large.chunks());
        }
        // Of equals the first stays; no finer chunks than either has.
        let other = dear::<f64>([6000, 400], [1500, 160]);
        assert_eq!((&large + &other).chunks(), large.chunks());
    }

    #[test]
    fn what_is_made_of_nothing_fits_in() {
        let small = dear::<f32>([6000, 400], [700, 400]);
        for source in [ones::<f64>([6000, 400]), ones::<f64>([6000, 400]) * 2.0] {
            assert_eq!((source + &small).chunks(), small.chunks());
        }
        let memory = from_ndarray(ndarray::Array2::<f64>::zeros((6000, 400)), [2000, 100]).unwrap();
        assert_eq!((&memory + &small).chunks(), small.chunks());
    }

    #[test]
    fn fewer_tasks_of_what_is_small() {
        // A thousand tasks cost more than to move some hundred bytes.
        let (row, large) = (dear::<f64>([1, 40], [1, 1]), dear::<f32>([60, 40], [60, 40]));
        assert_eq!((&row + &large).chunks(), large.chunks());
        let (long, joined) = (dear::<f64>([10, 4], [1, 4]), dear::<f64>([10, 4], [5, 4]));
        assert_eq!((&long + &joined).chunks(), joined.chunks());
    }

    #[test]
    fn what_would_be_too_large_is_cut() {
        let column = zeros::<f64>([1_000_000, 1]);
        let sum = &column + column.t();
        let longest: Vec<usize> =
            sum.chunks().into_iter().map(|axis| axis.unwrap().into_iter().max().unwrap()).collect();
        assert!((longest[0] * longest[1] * 8) as u64 <= chunk_target(), "{longest:?}");
        assert!((longest[0] * longest[1] * 32) as u64 >= chunk_target(), "{longest:?}");
    }

    #[test]
    fn joined_and_multiplied() {
        let (small, large) = (dear::<f64>([5, 40], [5, 7]), dear::<f64>([60, 40], [20, 10]));
        assert_eq!(concatenate(&[small.clone(), large.clone()], 0).unwrap().chunks()[1], large.chunks()[1]);
        let product = large.matmul(&small.t()).unwrap();
        assert!(product.plan_text().contains("(10, 10, 10, 10)"), "{}", product.plan_text());
        let product = small.matmul(&large.t()).unwrap();
        assert!(product.plan_text().contains("5 x (10, 10, 10, 10)"), "{}", product.plan_text());
    }

    trait PlanText {
        fn plan_text(&self) -> String;
    }

    impl<T: Element> PlanText for Array<T> {
        fn plan_text(&self) -> String {
            self.expr().unwrap().describe()
        }
    }
}
