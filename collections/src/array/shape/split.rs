//! One array becomes several.

use std::panic::Location;

use crate::array::build::axis_number;
use crate::array::dtype::Element;
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::arrange::{length_of, part};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

/// Where [`Array::split`] and [`Array::array_split`] cut: into a number of pieces, or before indices.
///
/// ```
/// use talatat::array::Pieces;
/// assert_eq!((Pieces::from(3), Pieces::from([2, -1])), (Pieces::Count(3), Pieces::Before(vec![2, -1])));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// This many.
    Count(usize),
    /// One before the first index, one from it to the second, and so on. As in Python, negative ones count from the end and those
    /// out of range are cut.
    Before(Vec<isize>),
}

impl From<usize> for Pieces {
    fn from(count: usize) -> Self {
        Pieces::Count(count)
    }
}

impl From<Vec<isize>> for Pieces {
    fn from(indices: Vec<isize>) -> Self {
        Pieces::Before(indices)
    }
}

impl<const N: usize> From<[isize; N]> for Pieces {
    fn from(indices: [isize; N]) -> Self {
        Pieces::Before(indices.to_vec())
    }
}

impl<T: Element> Array<T> {
    /// Pieces of the array along an axis; a number of pieces must divide the axis.
    ///
    /// Each is a slice: its chunks are those of the array, cut to it.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 6, 1)?;
    /// let pieces = x.split(3, 0)?;
    /// assert_eq!(pieces[1].compute()?, ndarray::array![2, 3].into_dyn());
    /// assert_eq!(x.split([1, 5], 0)?.len(), 3);
    /// assert!(x.split(4, 0).is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the number is 0 or does not divide the axis, the axis is out of range, or of a length that is known only when computed.
    #[track_caller]
    pub fn split(&self, pieces: impl Into<Pieces>, axis: isize) -> Result<Vec<Array<T>>> {
        self.cut("split", &pieces.into(), axis, true, Location::caller())
    }

    /// [`Array::split`] for numbers that do not divide the axis: the first pieces are one longer than the last.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([8, 2]);
    /// let pieces = x.array_split(3, 0)?;
    /// assert_eq!((pieces[1].shape()?, pieces[2].shape()?), (vec![3, 2], vec![2, 2]));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the number is 0, the axis is out of range, or of a length that is known only when computed.
    #[track_caller]
    pub fn array_split(&self, pieces: impl Into<Pieces>, axis: isize) -> Result<Vec<Array<T>>> {
        self.cut("array_split", &pieces.into(), axis, false, Location::caller())
    }

    /// [`Array::split`] along the second axis, or along the only one.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([2, 4]).hsplit(2)?[0].shape()?, [2, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Array::split`], and if there are no axes.
    #[track_caller]
    pub fn hsplit(&self, pieces: impl Into<Pieces>) -> Result<Vec<Array<T>>> {
        let axis = isize::from(self.expr()?.ndim() > 1);
        self.cut("hsplit", &pieces.into(), axis, true, Location::caller())
    }

    /// [`Array::split`] along the first of at least two axes.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([2, 4]).vsplit(2)?[0].shape()?, [1, 4]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Array::split`], and if there are fewer than two axes.
    #[track_caller]
    pub fn vsplit(&self, pieces: impl Into<Pieces>) -> Result<Vec<Array<T>>> {
        let at = Location::caller();
        self.of_at_least("vsplit", 2, at)?;
        self.cut("vsplit", &pieces.into(), 0, true, at)
    }

    /// [`Array::split`] along the third axis.
    ///
    /// ```
    /// assert_eq!(talatat::array::ones::<f64>([2, 1, 4]).dsplit(2)?[0].shape()?, [2, 1, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Array::split`], and if there are fewer than three axes.
    #[track_caller]
    pub fn dsplit(&self, pieces: impl Into<Pieces>) -> Result<Vec<Array<T>>> {
        let at = Location::caller();
        self.of_at_least("dsplit", 3, at)?;
        self.cut("dsplit", &pieces.into(), 2, true, at)
    }

    fn of_at_least(&self, operation: &str, ndim: usize, at: At) -> Result<()> {
        let own = self.expr()?.ndim();
        if own >= ndim {
            return Ok(());
        }
        let reason = format!("an array of {own} dimensions, where at least {ndim} are needed");
        Err(Error::invalid_at(operation, reason, at))
    }

    fn cut(&self, operation: &str, pieces: &Pieces, axis: isize, equal: bool, at: At) -> Result<Vec<Array<T>>> {
        let expr = self.expr()?;
        let axis = axis_number(operation, axis, expr.ndim(), at)?;
        let length = length_of(operation, expr, axis, at)?;
        let mut bounds = vec![0];
        match pieces {
            Pieces::Count(0) => {
                return Err(Error::invalid_at(operation, "no pieces: give at least 1", at));
            }
            Pieces::Count(count) if equal && !length.is_multiple_of(*count) => {
                let reason = format!("axis {axis} of length {length} has no {count} equal pieces: see array_split");
                return Err(Error::invalid_at(operation, reason, at));
            }
            Pieces::Count(count) => {
                let (short, longer) = (length / count, length % count);
                bounds.extend((1..=*count).map(|piece| piece * short + piece.min(longer)));
            }
            Pieces::Before(indices) => {
                let cut = |&index: &isize| {
                    let index = if index < 0 { index.saturating_add_unsigned(length) } else { index };
                    index.clamp(0, length as isize) as usize
                };
                bounds.extend(indices.iter().map(cut).chain([length]));
            }
        }
        let piece = |pair: &[usize]| {
            let range = StepRange { start: pair[0], step: 1, length: pair[1].saturating_sub(pair[0]) };
            Array::from_expr(part(expr, axis, range, at))
        };
        Ok(bounds.windows(2).map(piece).collect())
    }
}
