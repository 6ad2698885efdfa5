//! Elements chosen by masks and by arrays of indices, and elements put in the place of others.

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::pool;

/// The indices of an axis at which a mask is true.
///
/// ```
/// use talatat_kernels::{Block, select};
/// let x = Block::from_vec(&[2, 3], vec![0, 1, 2, 3, 4, 5])?;
/// let mask = Block::from_vec(&[3], vec![true, false, true])?;
/// assert_eq!(select::compress(&x, &mask, 1)?, Block::from_vec(&[2, 2], vec![0, 2, 3, 5])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If the mask is not as long as the axis, or the block has no such axis.
pub fn compress(block: &Block, mask: &Block, axis: usize) -> Result<Block> {
    let mut shape = block.shape().to_vec();
    let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: block.ndim() })?;
    if mask.shape() != [length] {
        let operation = "the mask of a compress".to_owned();
        return Err(KernelError::ShapeMismatch { operation, expected: vec![length], found: mask.shape().to_vec() });
    }
    let mask = mask.view::<bool>()?;
    let kept: Vec<usize> = mask.iter().enumerate().filter(|(_, kept)| **kept).map(|(index, _)| index).collect();
    let inner: usize = shape[axis + 1..].iter().product();
    shape[axis] = kept.len();
    with_dtype!(block.dtype(), T => {
        let view = block.view::<T>()?;
        let source = view.as_standard_layout();
        let source = source.as_slice().unwrap_or_default();
        let mut flat: Vec<T> = pool::take(shape.iter().product());
        let (width, kept_width) = (length * inner, kept.len() * inner);
        if kept_width > 0 {
            for (target, source) in flat.chunks_exact_mut(kept_width).zip(source.chunks_exact(width)) {
                copy_rows(target, source, inner, kept.iter().copied().enumerate());
            }
        }
        Block::from_vec(&shape, flat)
    })
}

/// Copies rows of `inner` elements: pairs of where a row goes and where it comes from. Rows that are not there are left out.
fn copy_rows<T: Element>(target: &mut [T], source: &[T], inner: usize, rows: impl Iterator<Item = (usize, usize)>) {
    if inner == 1 {
        for (to, from) in rows {
            if let (Some(to), Some(from)) = (target.get_mut(to), source.get(from)) {
                *to = *from;
            }
        }
        return;
    }
    for (to, from) in rows {
        let from = source.get(from * inner..(from + 1) * inner);
        if let (Some(to), Some(from)) = (target.get_mut(to * inner..(to + 1) * inner), from) {
            to.copy_from_slice(from);
        }
    }
}

/// Where the elements are that are not zero: their positions in row-major order, counted from `first`.
///
/// ```
/// use talatat_kernels::{Block, select};
/// let x = Block::from_vec(&[4], vec![0.0, 2.5, f64::NAN, -0.0])?;
/// assert_eq!(select::nonzero(&x, 10)?, Block::from_vec(&[2], vec![11_i64, 12])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// None with blocks that are whole.
pub fn nonzero(block: &Block, first: u64) -> Result<Block> {
    with_dtype!(block.dtype(), T => {
        let zero = T::default();
        let positions = block.view::<T>()?;
        let found: Vec<i64> =
            (first as i64..).zip(positions.iter()).filter(|(_, x)| **x != zero).map(|(at, _)| at).collect();
        Block::from_vec(&[found.len()], found)
    })
}

/// A part of an array to be picked from, and where it lies along the axes that are picked from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The part.
    pub block: &'a Block,
    /// The first of the axes; there are as many as there are arrays of indices.
    pub axis: usize,
    /// The index of the part's first element along each of them.
    pub origin: &'a [usize],
    /// How long the whole array is along each of them.
    pub lengths: &'a [usize],
}

/// The shape of what [`pick`] gives: the axes that are picked from are replaced by those of the indices.
///
/// # Errors
/// If there are no indices, they are not of one shape, or there are not so many axes.
pub fn picked_shape(source: Source<'_>, indices: &[&Block]) -> Result<Vec<usize>> {
    let first = indices.first().ok_or(KernelError::Arguments { operation: "pick", expected: 1, found: 0 })?;
    if let Some(other) = indices.iter().find(|other| other.shape() != first.shape()) {
        let (expected, found) = (first.shape().to_vec(), other.shape().to_vec());
        return Err(KernelError::ShapeMismatch { operation: "indices of a pick".to_owned(), expected, found });
    }
    let (shape, end) = (source.block.shape(), source.axis + indices.len());
    if end > shape.len() || source.origin.len() != indices.len() || source.lengths.len() != indices.len() {
        return Err(KernelError::Axis { axis: end.saturating_sub(1), ndim: shape.len() });
    }
    Ok([&shape[..source.axis], first.shape(), &shape[end..]].concat())
}

/// Puts those elements into `into` whose indices lie in a part of an array. Negative indices count from the end.
///
/// ```
/// use talatat_kernels::{Block, select};
/// let part = Block::from_vec(&[2], vec![30, 40])?;
/// let indices = Block::from_vec(&[3], vec![4_i64, 0, -2])?;
/// let source = select::Source { block: &part, axis: 0, origin: &[3], lengths: &[5] };
/// let mut into = Block::full(&[3], 7)?;
/// select::pick(&mut into, source, &[&indices])?;
/// assert_eq!(into, Block::from_vec(&[3], vec![40, 7, 30])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If an index is out of range, or shapes or dtypes do not fit.
pub fn pick(into: &mut Block, source: Source<'_>, indices: &[&Block]) -> Result<()> {
    let expected = picked_shape(source, indices)?;
    if into.shape() != expected {
        let found = into.shape().to_vec();
        return Err(KernelError::ShapeMismatch { operation: "pick".to_owned(), expected, found });
    }
    let shape = source.block.shape();
    let (picked, inner) = shape[source.axis..].split_at(indices.len());
    let inner: usize = inner.iter().product();
    let hits = hits(source, picked, indices)?;
    let (points, width) = (indices[0].len() * inner, picked.iter().product::<usize>() * inner);
    if points == 0 || width == 0 {
        return Ok(());
    }
    with_dtype!(source.block.dtype(), T => {
        let view = source.block.view::<T>()?;
        let elements = view.as_standard_layout();
        let elements = elements.as_slice().unwrap_or_default();
        let mut target = into.view_mut::<T>()?;
        let Some(target) = target.as_slice_mut() else {
            let reason = "the block to be filled is not row-major".to_owned();
            return Err(KernelError::Parameter { operation: "pick", reason });
        };
        for (target, source) in target.chunks_exact_mut(points).zip(elements.chunks_exact(width)) {
            copy_rows(target, source, inner, hits.iter().copied());
        }
        Ok(())
    })
}

/// Which points lie in the part, and at which row-major position of the axes that are picked from.
fn hits(source: Source<'_>, picked: &[usize], indices: &[&Block]) -> Result<Vec<(usize, usize)>> {
    let mut hits: Vec<(usize, usize)> = (0..indices[0].len()).map(|point| (point, 0)).collect();
    for (number, index) in indices.iter().enumerate() {
        let (origin, length, own) = (source.origin[number], source.lengths[number], picked[number]);
        let view = index.view::<i64>()?;
        let index = view.as_standard_layout();
        let index = index.as_slice().unwrap_or_default();
        let whole = |at: i64| if at < 0 { at.saturating_add_unsigned(length as u64) } else { at };
        if let Some(bad) = index.iter().find(|&&at| usize::try_from(whole(at)).map_or(true, |at| at >= length)) {
            let reason = format!("index {bad} is out of range for axis {} of length {length}", source.axis + number);
            return Err(KernelError::Parameter { operation: "take", reason });
        }
        hits.retain_mut(|(point, position)| {
            let at = index.get(*point).and_then(|&at| usize::try_from(whole(at)).ok()?.checked_sub(origin));
            let Some(at) = at.filter(|&at| at < own) else { return false };
            *position = *position * own + at;
            true
        });
    }
    Ok(hits)
}

/// Where some elements of an axis are: from `start`, at steps of `step`, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first index.
    pub start: usize,
    /// From one to the next; not 0.
    pub step: isize,
    /// How many there are.
    pub count: usize,
}

/// Puts values in the place of a part of a block.
///
/// ```
/// use talatat_kernels::{Block, select};
/// let mut x = Block::from_vec(&[4], vec![0, 1, 2, 3])?;
/// let values = Block::from_vec(&[2], vec![7, 8])?;
/// select::assign(&mut x, &values, &[select::Steps { start: 3, step: -2, count: 2 }])?;
/// assert_eq!(x, Block::from_vec(&[4], vec![0, 8, 2, 7])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If the part does not lie in the block, or the values have another shape or dtype.
pub fn assign(block: &mut Block, values: &Block, part: &[Steps]) -> Result<()> {
    let last = |steps: &Steps| steps.start.checked_add_signed(steps.step.checked_mul(steps.count as isize - 1)?);
    let inside = |(steps, &length): (&Steps, &usize)| {
        steps.count == 0 || (steps.start < length && last(steps).is_some_and(|last| last < length) && steps.step != 0)
    };
    let counts: Vec<usize> = part.iter().map(|steps| steps.count).collect();
    if part.len() != block.ndim() || !part.iter().zip(block.shape()).all(inside) || values.shape() != counts {
        let (expected, found) = (counts, values.shape().to_vec());
        return Err(KernelError::ShapeMismatch { operation: "values of an assignment".to_owned(), expected, found });
    }
    with_dtype!(block.dtype(), T => {
        let values = values.view::<T>()?;
        let mut target = block.view_mut::<T>()?;
        let mut target = target.slice_each_axis_mut(|axis| {
            let steps = &part[axis.axis.index()];
            let Some(last) = last(steps).filter(|_| steps.count > 0) else { return ndarray::Slice::from(0..0) };
            let (low, high) = (steps.start.min(last), steps.start.max(last) + 1);
            ndarray::Slice::new(low as isize, Some(high as isize), steps.step)
        });
        target.assign(&values);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_several_axes() {
        // Of the numbers from 0 as 2 x 3 x 4 the part [:, 1:3, 2:4].
        let part: Vec<i64> = vec![6, 7, 10, 11, 18, 19, 22, 23];
        let part = Block::from_vec(&[2, 2, 2], part).unwrap();
        let source = Source { block: &part, axis: 1, origin: &[1, 2], lengths: &[3, 4] };
        let rows = Block::from_vec(&[2, 2], vec![1_i64, 0, -1, 2]).unwrap();
        let columns = Block::from_vec(&[2, 2], vec![3_i64, 3, 2, -4]).unwrap();
        let mut into = Block::full(&[2, 2, 2], -1_i64).unwrap();
        pick(&mut into, source, &[&rows, &columns]).unwrap();
        assert_eq!(into, Block::from_vec(&[2, 2, 2], vec![7_i64, -1, 10, -1, 19, -1, 22, -1]).unwrap());
    }

    #[test]
    fn bad_indices_are_refused() {
        let part = Block::from_vec(&[2], vec![1.0, 2.0]).unwrap();
        let source = Source { block: &part, axis: 0, origin: &[0], lengths: &[2] };
        for bad in [2_i64, -3, i64::MIN, i64::MAX] {
            let mut into = Block::full(&[1], 0.0).unwrap();
            let index = Block::from_vec(&[1], vec![bad]).unwrap();
            let error = pick(&mut into, source, &[&index]).unwrap_err();
            assert!(error.to_string().contains("out of range"), "{error}");
        }
        assert!(picked_shape(source, &[]).is_err());
        let index = Block::from_vec(&[1], vec![0_i64]).unwrap();
        assert!(picked_shape(source, &[&index, &index]).is_err());
    }

    #[test]
    fn parts_outside_are_refused() {
        let mut x = Block::full(&[3], 0_i64).unwrap();
        let value = Block::full(&[2], 1_i64).unwrap();
        for steps in [(2, 1, 2), (0, -1, 2), (3, 1, 2), (0, 0, 2), (0, isize::MAX, 2)] {
            let steps = Steps { start: steps.0, step: steps.1, count: steps.2 };
            assert!(assign(&mut x, &value, &[steps]).is_err(), "{steps:?}");
        }
        assert_eq!(x, Block::full(&[3], 0_i64).unwrap());
        assert!(compress(&x, &Block::full(&[2], true).unwrap(), 0).is_err());
        assert!(compress(&x, &Block::full(&[3], true).unwrap(), 1).is_err());
    }
}
