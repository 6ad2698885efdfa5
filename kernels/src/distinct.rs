//! The different elements of an array, as a state that merges.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::scalar::Scalar;
use super::sorted::{order, wrong_shape};

/// Where a block lies in an array.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The index of its first element.
    pub origin: &'a [usize],
    /// The shape of the whole array.
    pub shape: &'a [usize],
}

/// The different elements of a block, ascending, how often each comes, and, if `place` is given, the flat index in the whole array of the
/// first of each (else 0): three blocks of one axis. NaN is one element, and so are both zeros.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::distinct::{Place, unique};
/// let place = Place { origin: &[0], shape: &[3] };
/// let [values, counts, first] = unique(&Block::from_vec(&[3], vec![7, 2, 7])?, Some(place))?;
/// assert_eq!(values, Block::from_vec(&[2], vec![2, 7])?);
/// assert_eq!(counts, Block::from_vec(&[2], vec![1_i64, 2])?);
/// assert_eq!(first, Block::from_vec(&[2], vec![1_i64, 0])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If the place has other axes than the block.
pub fn unique(block: &Block, place: Option<Place<'_>>) -> Result<[Block; 3]> {
    with_dtype!(block.dtype(), T => {
        let view = block.view::<T>()?;
        let mut all: Vec<Entry<T>> = match place {
            None => sorted_runs(view.iter().copied().collect()),
            Some(place) => {
                let indices = flat_indices(block.shape(), place)?;
                let mut all: Vec<(T, i64)> = view.iter().copied().zip(indices).collect();
                all.sort_unstable_by(|a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)));
                all.into_iter().map(|(value, first)| Entry { value, count: 1, first }).collect()
            }
        };
        collapse(&mut all);
        blocks(&all)
    })
}

/// The different elements of several blocks, from those of each.
///
/// # Errors
/// If shapes or element types do not fit together.
pub fn merge_unique(states: &[[&Block; 3]]) -> Result<[Block; 3]> {
    let Some([first, ..]) = states.first() else {
        return Err(KernelError::Arguments { operation: "unique", expected: 1, found: 0 });
    };
    with_dtype!(first.dtype(), T => {
        let mut all: Vec<Entry<T>> = Vec::new();
        for [values, counts, indices] in states {
            if values.len() != indices.len() || values.len() != counts.len() {
                return Err(wrong_shape("unique", values.shape(), indices.shape()));
            }
            let (values, counts, indices) = (values.view::<T>()?, counts.view::<i64>()?, indices.view::<i64>()?);
            let rows = values.iter().zip(counts.iter()).zip(indices.iter());
            all.extend(rows.map(|((&value, &count), &first)| Entry { value, count, first }));
        }
        // The stable sort finds the sorted runs and merges them.
        all.sort_by(|a, b| order(&a.value, &b.value).then(a.first.cmp(&b.first)));
        collapse(&mut all);
        blocks(&all)
    })
}

#[derive(Clone, Copy)]
struct Entry<T> {
    value: T,
    count: i64,
    first: i64,
}

/// Sorted elements, equal ones counted.
fn sorted_runs<T: Element>(mut values: Vec<T>) -> Vec<Entry<T>> {
    values.sort_unstable_by(order);
    let runs = values.chunk_by(|a, b| order(a, b) == Ordering::Equal);
    runs.map(|run| {
        // Which of the zeros stands for both must not depend on the sort.
        let zero = run.iter().copied().find(|&x| Into::<Scalar>::into(x).get::<f64>().is_sign_negative());
        Entry { value: zero.unwrap_or(run[0]), count: run.len() as i64, first: 0 }
    })
    .collect()
}

/// Makes one entry of equal neighbours.
fn collapse<T: Element>(all: &mut Vec<Entry<T>>) {
    all.dedup_by(|later, first| {
        let same = order(&later.value, &first.value) == Ordering::Equal;
        if same {
            first.count += later.count;
            let negative = |entry: &Entry<T>| Into::<Scalar>::into(entry.value).get::<f64>().is_sign_negative();
            if later.first == first.first && negative(later) {
                first.value = later.value;
            }
        }
        same
    });
}

fn blocks<T: Element>(all: &[Entry<T>]) -> Result<[Block; 3]> {
    let shape = [all.len()];
    Ok([
        Block::from_vec(&shape, all.iter().map(|entry| entry.value).collect())?,
        Block::from_vec(&shape, all.iter().map(|entry| entry.count).collect())?,
        Block::from_vec(&shape, all.iter().map(|entry| entry.first).collect())?,
    ])
}

/// What is made of the different elements of two arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SetOp {
    /// What both have. NaN is not equal to NaN.
    Intersect,
    /// What one of them has. NaN is one element.
    Union,
    /// What the first has and the second has not. NaN is not equal to NaN.
    Difference,
    /// What only one of them has. NaN is not equal to NaN.
    Xor,
}

impl SetOp {
    /// NumPy's name of the function.
    pub fn name(self) -> &'static str {
        match self {
            SetOp::Intersect => "intersect1d",
            SetOp::Union => "union1d",
            SetOp::Difference => "setdiff1d",
            SetOp::Xor => "setxor1d",
        }
    }

    /// The set made of two blocks of different elements, ascending.
    ///
    /// ```
    /// use talatat_kernels::Block;
    /// use talatat_kernels::distinct::SetOp;
    /// let (a, b) = (Block::from_vec(&[2], vec![1, 4])?, Block::from_vec(&[2], vec![4, 5])?);
    /// assert_eq!(SetOp::Xor.of(&a, &b)?, Block::from_vec(&[2], vec![1, 5])?);
    /// # Ok::<(), talatat_kernels::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// If the element types differ.
    pub fn of(self, a: &Block, b: &Block) -> Result<Block> {
        with_dtype!(a.dtype(), T => {
            let (a, b) = (a.view::<T>()?, b.view::<T>()?);
            let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
            let mut made: Vec<T> = Vec::new();
            loop {
                let next = match (a.peek(), b.peek()) {
                    (Some(x), Some(y)) if x == y => Ordering::Equal,
                    (Some(x), Some(y)) if order(x, y) == Ordering::Greater => Ordering::Greater,
                    // Two NaN are one in a union only.
                    (Some(x), Some(y)) if self == SetOp::Union && order(x, y) == Ordering::Equal => Ordering::Equal,
                    (Some(_), _) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => break,
                };
                let (x, y) = match next {
                    Ordering::Less => (a.next(), None),
                    Ordering::Equal => (a.next(), b.next()),
                    Ordering::Greater => (None, b.next()),
                };
                made.extend(match (self, x, y) {
                    (SetOp::Intersect | SetOp::Union, Some(x), Some(_)) => Some(x),
                    (SetOp::Union | SetOp::Difference | SetOp::Xor, Some(x), None) => Some(x),
                    (SetOp::Union | SetOp::Xor, None, Some(y)) => Some(y),
                    _ => None,
                });
            }
            Block::from_vec(&[made.len()], made)
        })
    }
}

/// The flat index in the whole array of each element of a block, in row-major order.
fn flat_indices(block: &[usize], place: Place<'_>) -> Result<impl Iterator<Item = i64>> {
    let Place { origin, shape } = place;
    if origin.len() != block.len() || shape.len() != block.len() {
        return Err(wrong_shape("unique", block, shape));
    }
    let flat = move |row: usize| {
        let (mut rest, mut step, mut flat) = (row, 1, 0);
        for axis in (0..block.len()).rev() {
            let length = block[axis].max(1);
            flat += (origin[axis] + rest % length) * step;
            step *= shape[axis];
            rest /= length;
        }
        flat as i64
    };
    let width = block.last().copied().unwrap_or(1);
    let rows = block.iter().product::<usize>() / width.max(1);
    Ok((0..rows).flat_map(move |row| {
        let start = flat(row * width);
        start..start + width as i64
    }))
}
