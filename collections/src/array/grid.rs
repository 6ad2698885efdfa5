//! How an array is cut into blocks.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use talatat_graph::Key;

/// A short list of one number an axis.
pub type Dims = SmallVec<[usize; 4]>;

/// The most blocks of an array: more tasks no graph should hold.
pub const MOST_BLOCKS: usize = 1 << 26;

/// One axis, cut into chunks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Axis {
    /// Where the chunks begin, and at last the axis' length: chunk `i` is `bounds[i]..bounds[i + 1]`.
    /// There is at least one chunk; it may be empty.
    Known(Arc<[usize]>),
    /// Chunks whose lengths are known only when they are computed. Two axes are cut alike if they have the same origin.
    Unknown {
        /// What made the lengths.
        origin: Key,
        /// How many chunks there are.
        chunks: usize,
    },
}

impl Axis {
    /// An axis of chunks with the given lengths; without any, one empty chunk.
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Axis {
        let mut bounds = vec![0_usize];
        for length in lengths {
            bounds.push(bounds[bounds.len() - 1].saturating_add(length));
        }
        if bounds.len() == 1 {
            bounds.push(0);
        }
        Axis::Known(bounds.into())
    }

    /// An axis in one chunk.
    pub fn whole(length: usize) -> Axis {
        Axis::Known([0, length].into())
    }

    /// An axis in chunks of one length, the last one shorter.
    pub fn regular(length: usize, chunk: usize) -> Axis {
        let chunk = chunk.max(1);
        if length <= chunk {
            return Axis::whole(length);
        }
        Axis::Known((0..length).step_by(chunk).chain([length]).collect())
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        match self {
            Axis::Known(bounds) => bounds.len() - 1,
            Axis::Unknown { chunks, .. } => *chunks,
        }
    }

    /// The length, if it is known.
    pub fn length(&self) -> Option<usize> {
        match self {
            Axis::Known(bounds) => bounds.last().copied(),
            Axis::Unknown { .. } => None,
        }
    }

    /// Whether another axis is as long: of the same length, or of lengths that are not known yet but have the same origin.
    pub(crate) fn as_long_as(&self, other: &Axis) -> bool {
        match (self, other) {
            (Axis::Known(_), Axis::Known(_)) => self.length() == other.length(),
            _ => self == other,
        }
    }

    /// Where the chunks begin and the last one ends, if it is known.
    pub fn bounds(&self) -> Option<&Arc<[usize]>> {
        match self {
            Axis::Known(bounds) => Some(bounds),
            Axis::Unknown { .. } => None,
        }
    }

    /// The lengths of the chunks, if they are known.
    pub fn lengths(&self) -> Option<Vec<usize>> {
        self.bounds().map(|bounds| bounds.windows(2).map(|pair| pair[1] - pair[0]).collect())
    }

    /// The longest chunk, if it is known.
    pub fn longest(&self) -> Option<usize> {
        self.bounds().map(|bounds| bounds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0))
    }
}

/// An array cut into blocks: the product of its cut axes. Blocks are numbered in row-major order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grid {
    axes: SmallVec<[Axis; 4]>,
}

impl Grid {
    /// A grid of the given axes.
    pub fn new(axes: impl IntoIterator<Item = Axis>) -> Grid {
        Grid { axes: axes.into_iter().collect() }
    }

    /// One block.
    pub fn whole(shape: &[usize]) -> Grid {
        Grid::new(shape.iter().map(|&length| Axis::whole(length)))
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many dimensions there are.
    pub fn ndim(&self) -> usize {
        self.axes.len()
    }

    /// The array's shape, if it is known.
    pub fn shape(&self) -> Option<Dims> {
        self.axes.iter().map(Axis::length).collect()
    }

    /// How many chunks each axis has.
    pub fn chunk_counts(&self) -> Dims {
        self.axes.iter().map(Axis::chunks).collect()
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.axes.iter().map(Axis::chunks).fold(1, usize::saturating_mul)
    }

    /// What is too large to be an array, if anything is: too many elements to be counted, or too many blocks.
    pub fn excess(&self) -> Option<String> {
        // Axes of length 0 make no elements, but strides go over them.
        let lengths = self.axes.iter().filter_map(Axis::length).map(|length| length.max(1));
        let bits: f64 = lengths.map(|length| (length as f64).log2()).sum();
        // 8 bytes each.
        if bits >= f64::from(isize::BITS - 4) {
            return Some(format!("the shape {} has more elements than can be counted", ShapeOf(self)));
        }
        let blocks = self.blocks();
        (blocks > MOST_BLOCKS).then(|| {
            format!("{blocks} blocks are more than the {MOST_BLOCKS} that a graph may have: use larger chunks")
        })
    }

    /// The place of a block: which chunk along each axis.
    pub fn place(&self, mut block: usize) -> Dims {
        let mut place = Dims::from_elem(0, self.ndim());
        for (at, axis) in place.iter_mut().zip(&self.axes).rev() {
            *at = block % axis.chunks().max(1);
            block /= axis.chunks().max(1);
        }
        place
    }

    /// The number of the block at a place.
    pub fn block_at(&self, place: &[usize]) -> usize {
        self.axes.iter().zip(place).fold(0, |block, (axis, at)| block * axis.chunks() + at)
    }

    /// The shape of the block at a place; 0 along axes whose lengths are not known.
    pub fn block_shape(&self, place: &[usize]) -> Dims {
        let length = |(axis, &at): (&Axis, &usize)| axis.bounds().map_or(0, |bounds| bounds[at + 1] - bounds[at]);
        self.axes.iter().zip(place).map(length).collect()
    }

    /// Whether the block at a place may have a shape: the promised lengths, and any along axes whose lengths are not known.
    pub(crate) fn has_block(&self, place: &[usize], shape: &[usize]) -> bool {
        let promised = self.block_shape(place);
        let mut lengths = self.axes.iter().zip(&promised).zip(shape);
        shape.len() == self.ndim() && lengths.all(|((axis, a), b)| axis.length().is_none() || a == b)
    }

    /// The index of the first element of the block at a place; 0 along axes whose lengths are not known.
    pub fn block_origin(&self, place: &[usize]) -> Dims {
        let start = |(axis, &at): (&Axis, &usize)| axis.bounds().map_or(0, |bounds| bounds[at]);
        self.axes.iter().zip(place).map(start).collect()
    }

    /// How many elements the block at a place has. A chunk of unknown length is taken to be a million long: better a guess than nothing.
    pub fn block_elements(&self, place: &[usize]) -> usize {
        let lengths = self.axes.iter().zip(self.block_shape(place));
        lengths.map(|(axis, length)| if axis.length().is_some() { length } else { 1_000_000 }).product()
    }

    /// Whether all lengths are known.
    pub fn is_known(&self) -> bool {
        self.axes.iter().all(|axis| matches!(axis, Axis::Known(_)))
    }

    /// Which axes are cut: `axis 0 in 4, axis 1 whole`.
    pub(crate) fn split_text(&self) -> String {
        if self.blocks() == 1 {
            return "whole".into();
        }
        let text = |(number, axis): (usize, &Axis)| match axis.chunks() {
            1 => format!("axis {number} whole"),
            chunks => format!("axis {number} in {chunks}"),
        };
        self.axes.iter().enumerate().map(text).collect::<Vec<_>>().join(", ")
    }

    /// The most elements of a block; an unknown length counts as `unknown`.
    pub fn largest_block(&self, unknown: usize) -> usize {
        self.axes.iter().map(|axis| axis.longest().unwrap_or(unknown)).fold(1, usize::saturating_mul)
    }
}

impl fmt::Display for Grid {
    /// Shape and chunks: `(8, ?) in chunks (4, 4) x 3 unknown`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", ShapeOf(self))?;
        f.write_str(" in chunks ")?;
        for (position, axis) in self.axes.iter().enumerate() {
            if position > 0 {
                f.write_str(" x ")?;
            }
            match axis.lengths() {
                None => write!(f, "{} unknown", axis.chunks())?,
                Some(lengths) => {
                    let regular = lengths[..lengths.len() - 1].iter().all(|&length| length == lengths[0]);
                    match lengths.len() {
                        1 => write!(f, "{}", lengths[0])?,
                        2..=4 => {
                            let text: Vec<String> = lengths.iter().map(usize::to_string).collect();
                            write!(f, "({})", text.join(", "))?;
                        }
                        count if regular => write!(f, "{count} of {}", lengths[0])?,
                        count => write!(f, "{count} of at most {}", axis.longest().unwrap_or(0))?,
                    }
                }
            }
        }
        if self.axes.is_empty() {
            f.write_str("()")?;
        }
        Ok(())
    }
}

struct ShapeOf<'a>(&'a Grid);

impl fmt::Display for ShapeOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<String> =
            self.0.axes.iter().map(|axis| axis.length().map_or("?".into(), |length| length.to_string())).collect();
        write!(f, "({}{})", lengths.join(", "), if lengths.len() == 1 { "," } else { "" })
    }
}

/// The shape of a grid as text: `(8, ?)`.
pub(crate) fn shape_text(grid: &Grid) -> String {
    ShapeOf(grid).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_places() {
        let grid = Grid::new([Axis::regular(10, 4), Axis::whole(3), Axis::from_lengths([2, 0, 1])]);
        assert_eq!(grid.blocks(), 9);
        for block in 0..grid.blocks() {
            assert_eq!(grid.block_at(&grid.place(block)), block);
        }
        let last = grid.place(8);
        assert_eq!(grid.block_shape(&last).as_slice(), [2, 3, 1]);
        assert_eq!(grid.block_origin(&last).as_slice(), [8, 0, 2]);
        assert_eq!(grid.to_string(), "(10, 3, 3) in chunks (4, 4, 2) x 3 x (2, 0, 1)");
        assert_eq!(grid.split_text(), "axis 0 in 3, axis 1 whole, axis 2 in 3");
        assert_eq!(Grid::whole(&[2, 3]).split_text(), "whole");
        assert_eq!(Grid::default().blocks(), 1);
        assert_eq!(Grid::whole(&[0]).blocks(), 1);
    }
}
