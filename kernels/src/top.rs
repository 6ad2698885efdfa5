//! The largest or smallest elements along an axis, as a state that merges.

use std::cmp::Ordering;

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::pool;
use super::sorted::{order, wrong_shape};

/// The `count` largest (or smallest) elements along an axis, the largest (smallest) first, and their indices; of equal ones
/// those with the smallest indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Top {
    /// The axis.
    pub axis: usize,
    /// How many.
    pub count: usize,
    /// The largest, not the smallest.
    pub largest: bool,
}

impl Top {
    /// Those of a block whose first element has the index `origin` along the axis: values and indices.
    ///
    /// ```
    /// use talatat_kernels::Block;
    /// use talatat_kernels::top::Top;
    /// let x = Block::from_vec(&[4], vec![3, 9, 7, 9])?;
    /// let [values, indices] = Top { axis: 0, count: 3, largest: true }.of(&x, 100)?;
    /// assert_eq!(values, Block::from_vec(&[3], vec![9, 9, 7])?);
    /// assert_eq!(indices, Block::from_vec(&[3], vec![101_i64, 103, 102])?);
    /// # Ok::<(), talatat_kernels::KernelError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn of(&self, block: &Block, origin: usize) -> Result<[Block; 2]> {
        let length = self.length(block)?;
        with_dtype!(block.dtype(), T => {
            let view = block.view::<T>()?;
            let lines = view.lanes(ndarray::Axis(self.axis));
            let mut kept = Kept::<T>::new(*self);
            self.lines(block.shape(), length, lines.into_iter().map(|line| {
                kept.pairs.clear();
                kept.limit = None;
                match line.to_slice() {
                    Some(line) => line.iter().enumerate().for_each(|(at, &x)| kept.take(x, (origin + at) as i64)),
                    None => line.iter().enumerate().for_each(|(at, &x)| kept.take(x, (origin + at) as i64)),
                }
                kept.finish().to_vec()
            }))
        })
    }

    /// Those of several blocks, from those of each.
    ///
    /// # Errors
    /// If shapes or element types do not fit together.
    pub fn merge(&self, states: &[[&Block; 2]]) -> Result<[Block; 2]> {
        let Some([first, _]) = states.first() else {
            return Err(KernelError::Arguments { operation: "topk", expected: 1, found: 0 });
        };
        let mut length = 0;
        for [values, indices] in states {
            length += self.length(values)?;
            if values.shape() != indices.shape() {
                return Err(wrong_shape("topk", values.shape(), indices.shape()));
            }
        }
        with_dtype!(first.dtype(), T => {
            let mut lines: Vec<Vec<(T, i64)>> = Vec::new();
            for [values, indices] in states {
                let (values, indices) = (values.view::<T>()?, indices.view::<i64>()?);
                let axis = ndarray::Axis(self.axis);
                let count = values.lanes(axis).into_iter().len();
                lines.resize_with(count.max(lines.len()), Vec::new);
                for (line, (x, at)) in lines.iter_mut().zip(values.lanes(axis).into_iter().zip(indices.lanes(axis))) {
                    line.extend(x.iter().copied().zip(at.iter().copied()));
                }
            }
            let mut kept = Kept::<T>::new(*self);
            self.lines(first.shape(), length, lines.into_iter().map(|line| {
                kept.pairs = line;
                kept.finish().to_vec()
            }))
        })
    }

    fn length(&self, block: &Block) -> Result<usize> {
        block.shape().get(self.axis).copied().ok_or(KernelError::Axis { axis: self.axis, ndim: block.ndim() })
    }

    /// Two blocks of lines: one for each index of the other axes.
    fn lines<T: Element>(
        &self,
        shape: &[usize],
        length: usize,
        lines: impl Iterator<Item = Vec<(T, i64)>>,
    ) -> Result<[Block; 2]> {
        let mut shape = shape.to_vec();
        shape[self.axis] = length.min(self.count);
        let outer: usize = shape[..self.axis].iter().product();
        let inner: usize = shape[self.axis + 1..].iter().product();
        let size = outer * shape[self.axis] * inner;
        let (mut values, mut indices) = (pool::take::<T>(size), pool::take::<i64>(size));
        for (number, line) in lines.enumerate() {
            let start = number / inner * shape[self.axis] * inner + number % inner;
            for (place, (value, index)) in line.into_iter().enumerate() {
                let at = start + place * inner;
                if let (Some(slot), Some(at)) = (values.get_mut(at), indices.get_mut(at)) {
                    (*slot, *at) = (value, index);
                }
            }
        }
        Ok([Block::from_vec(&shape, values)?, Block::from_vec(&shape, indices)?])
    }
}

/// The best pairs so far, and some that may have to go.
struct Kept<T> {
    top: Top,
    pairs: Vec<(T, i64)>,
    /// What a later element has to be better than.
    limit: Option<T>,
}

impl<T: Element> Kept<T> {
    fn new(top: Top) -> Kept<T> {
        Kept { top, pairs: Vec::new(), limit: None }
    }

    /// Takes an element, whose index is larger than those before.
    #[inline(always)]
    fn take(&mut self, x: T, index: i64) {
        if let Some(limit) = self.limit
            && (if self.top.largest { x.less_equal(limit) } else { x.greater_equal(limit) })
        {
            return;
        }
        self.pairs.push((x, index));
        if self.pairs.len() >= self.top.count.saturating_mul(2).max(256) {
            self.cut();
            self.limit = self.pairs.get(self.top.count.wrapping_sub(1)).map(|pair| pair.0);
        }
    }

    /// Drops all but the best, the worst of which comes last.
    fn cut(&mut self) {
        let count = self.top.count;
        if count == 0 {
            self.pairs.clear();
        } else if self.pairs.len() > count {
            let largest = self.top.largest;
            self.pairs.select_nth_unstable_by(count - 1, |a, b| better(largest, a, b));
            self.pairs.truncate(count);
        }
    }

    fn finish(&mut self) -> &[(T, i64)] {
        self.cut();
        let largest = self.top.largest;
        self.pairs.sort_unstable_by(|a, b| better(largest, a, b));
        &self.pairs
    }
}

/// Which pair comes first.
fn better<T: Element>(largest: bool, a: &(T, i64), b: &(T, i64)) -> Ordering {
    let by_value = if largest { order(&b.0, &a.0) } else { order(&a.0, &b.0) };
    by_value.then(a.1.cmp(&b.1))
}
