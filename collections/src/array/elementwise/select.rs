//! Choices among arrays by conditions.

use crate::array::dtype::Promote;
use crate::array::elementwise::operators::{Operand, where_};
use crate::array::handle::Array;

/// The elements of the first choice whose condition is true, else `default`; NumPy's `select`.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, select};
/// let x = arange::<i64>(0, 5, 1)?;
/// let y = select(&[(x.less(2), &x * 10), (x.less(4), &x * 100)], -1);
/// assert_eq!(y.compute()?.into_raw_vec_and_offset().0, [0, 10, 200, 300, -1]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn select<T: Promote<T>>(choices: &[(Array<bool>, Array<T>)], default: impl Into<Operand<T>>) -> Array<T> {
    choices.iter().rev().fold(default.into().array(), |rest, (condition, choice)| {
        let chosen = where_(condition, choice, rest);
        Array::from_result(chosen.expr().cloned())
    })
}

/// A function of an array, as [`piecewise`] takes it.
pub type Piece<'a, T> = (Array<bool>, &'a dyn Fn(&Array<T>) -> Array<T>);

/// Each function where its condition is true, else `otherwise`; where several are, the last one counts. NumPy's `piecewise`, but
/// that functions get the whole array, so that nothing has to be gathered.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{arange, piecewise};
/// let x = arange::<i64>(-2, 3, 1)?;
/// let y = piecewise(&x, &[(x.less(0), &|x| -x), (x.greater(1), &|x| x * 10)], &|_| talatat::array::zeros([1]));
/// assert_eq!(y.compute()?.into_raw_vec_and_offset().0, [2, 1, 0, 0, 20]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[track_caller]
pub fn piecewise<T: Promote<T>>(
    x: &Array<T>,
    pieces: &[Piece<'_, T>],
    otherwise: &dyn Fn(&Array<T>) -> Array<T>,
) -> Array<T> {
    let choices: Vec<_> = pieces.iter().rev().map(|(condition, f)| (condition.clone(), f(x))).collect();
    select(&choices, otherwise(x))
}
