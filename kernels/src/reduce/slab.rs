//! Rectangles of elements on their way into lanes, and how they are cut for the nearest cache.

use std::ops::Range;

use super::planes::{ROW, SEGMENT};

/// The most elements of a [`Slab`] worked on at once: two of them fit in a first-level cache of 48 KiB as `f64`,
/// with the lanes they go to.
pub(super) const BLOCK: usize = 2048;
/// The most rows worked on at once, far from where lanes would have to carry.
const TALLEST: usize = 512;

/// Rows of equal length, evenly spaced in memory.
///
/// ```
/// use talatat_kernels::reduce::Slab;
/// // The left two columns of [[1, 2, 3], [4, 5, 6]].
/// let slab = Slab::new(&[1, 2, 3, 4, 5, 6], 2, 2, 3).unwrap();
/// assert_eq!(slab.iter().collect::<Vec<_>>(), [[1, 2], [4, 5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Slab<'a, T> {
    values: &'a [T],
    rows: usize,
    width: usize,
    stride: usize,
}

impl<'a, T> Slab<'a, T> {
    /// `rows` rows of `width` elements, which begin `stride` elements apart. `None` if they overlap or reach beyond
    /// the values.
    pub fn new(values: &'a [T], rows: usize, width: usize, stride: usize) -> Option<Slab<'a, T>> {
        if rows == 0 || width == 0 {
            return Some(Slab { values: &[], rows: 0, width: 0, stride: 1 });
        }
        let end = (rows - 1).checked_mul(stride)?.checked_add(width)?;
        ((rows == 1 || stride >= width) && end <= values.len()).then(|| Slab {
            values: &values[..end],
            rows,
            width,
            stride: stride.max(width),
        })
    }

    /// One row.
    pub fn row(values: &'a [T]) -> Slab<'a, T> {
        Slab { values, rows: usize::from(!values.is_empty()), width: values.len(), stride: values.len().max(1) }
    }

    /// Number of rows; 0 if there are no elements.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let width = self.width;
        self.values.chunks(self.stride).map(move |row| &row[..width])
    }

    /// All elements, if they follow each other in memory.
    pub fn flat(&self) -> Option<&'a [T]> {
        (self.rows <= 1 || self.stride == self.width).then_some(self.values)
    }

    /// Some of the rows and columns.
    pub(super) fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Slab<'a, T> {
        let (count, width) = (rows.len(), columns.len());
        if count == 0 || width == 0 {
            return Slab::row(&[]);
        }
        let start = rows.start * self.stride + columns.start;
        let end = start + (count - 1) * self.stride + width;
        Slab { values: self.values.get(start..end).unwrap_or(&[]), rows: count, width, stride: self.stride }
    }

    /// Calls `f` for parts of at most `most` elements (but one row or column at least), each going to lanes of one
    /// [`SEGMENT`], with the first row and column of the part. Parts that share lanes follow each other, from the
    /// first row or column to the last.
    pub(super) fn for_blocks(&self, target: Target, most: usize, mut f: impl FnMut(Target, Slab<'a, T>, [usize; 2])) {
        match target {
            Target::Columns(first) => {
                for columns in segments(first, self.width, most) {
                    let step = (most / columns.len()).clamp(1, TALLEST);
                    for row in (0..self.rows).step_by(step) {
                        let rows = row..(row + step).min(self.rows);
                        f(
                            Target::Columns(first + columns.start),
                            self.part(rows, columns.clone()),
                            [row, columns.start],
                        );
                    }
                }
            }
            Target::Runs(first) => {
                let width = self.width.min(ROW.min(most)).max(1);
                for rows in segments(first, self.rows, (most / width).max(1)) {
                    for column in (0..self.width).step_by(width) {
                        let columns = column..(column + width).min(self.width);
                        f(Target::Runs(first + rows.start), self.part(rows.clone(), columns), [rows.start, column]);
                    }
                }
            }
        }
    }
}

/// Pieces of `0..len` of at most `most`, none across a border of segments when `first` is added.
fn segments(first: usize, len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let border = start + SEGMENT - (first + start) % SEGMENT;
        let piece = start..len.min(border).min(start + most);
        start = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Which lanes the elements of a slab go to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// All of row `i` to this lane plus `i`.
    Runs(usize),
    /// Element `j` of every row to this lane plus `j`.
    Columns(usize),
}

impl Target {
    /// The lane of the element in the given row and column.
    pub(super) fn lane(self, row: usize, column: usize) -> usize {
        match self {
            Target::Runs(first) => first + row,
            Target::Columns(first) => first + column,
        }
    }

    /// The lanes of a slab.
    pub(super) fn lanes<T>(self, slab: &Slab<'_, T>) -> Range<usize> {
        match self {
            Target::Runs(first) => first..first.saturating_add(slab.rows),
            Target::Columns(first) => first..first.saturating_add(slab.width),
        }
    }

    /// The values that each of these lanes takes from the slab.
    pub(super) fn depth<T>(self, slab: &Slab<'_, T>) -> usize {
        match self {
            Target::Runs(_) => slab.width,
            Target::Columns(_) => slab.rows,
        }
    }

    /// The target if each lane is `parts` lanes.
    pub(super) fn times(self, parts: usize) -> Target {
        match self {
            Target::Runs(first) => Target::Runs(first * parts),
            Target::Columns(first) => Target::Columns(first * parts),
        }
    }

    /// The target of a part that begins at the given row and column.
    pub(super) fn after(self, row: usize, column: usize) -> Target {
        match self {
            Target::Runs(first) => Target::Runs(first + row),
            Target::Columns(first) => Target::Columns(first + column),
        }
    }
}
