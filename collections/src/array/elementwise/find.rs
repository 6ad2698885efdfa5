//! Where elements stand among others: `digitize`, `isin`.

use std::panic::Location;

use crate::array::build::{elementwise, invalid};
use crate::array::dtype::{Element, Ordered, Promote};
use crate::array::elementwise::operators::Operand;
use crate::array::expr::{ExprRef, Op};
use crate::array::handle::Array;
use crate::array::kernels::program::{Find, Table};
use crate::array::kernels::{Block, Scalar};
use crate::error::{Error, Result};

type At = &'static Location<'static>;

impl<T: Element> Array<T> {
    /// The number of the bin of each element: `i` with `bins[i - 1] <= x < bins[i]`, or with `right`
    /// `bins[i - 1] < x <= bins[i]`; 0 before the first edge, the number of edges after the last and for NaN. Edges may also
    /// descend: then it is `bins[i - 1] > x >= bins[i]`, with `right` `bins[i - 1] >= x > bins[i]`. Elements and edges are
    /// promoted first. Takes the logarithm of the number of edges an element.
    ///
    /// The result carries an error if the edges neither ascend nor descend, or one is NaN (NumPy lets some of those pass).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 5, 1)?;
    /// assert_eq!(x.digitize([0.5, 2.0, 4.0], false).compute()?.into_raw_vec_and_offset().0, [0, 1, 2, 2, 3]);
    /// assert_eq!(x.digitize([0.5, 2.0, 4.0], true).compute()?.into_raw_vec_and_offset().0, [0, 1, 1, 2, 2]);
    /// assert!(x.digitize([1, 0, 2], false).check().is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn digitize<U: Element>(&self, bins: impl AsRef<[U]>, right: bool) -> Array<i64>
    where
        T: Promote<U>,
    {
        Array::from_result(digitize::<T, U>(self, bins.as_ref(), right, Location::caller()))
    }

    /// Whether each element is among others, in whichever shape; NaN is not, even among NaN.
    ///
    /// Elements that are known now (a list, an array in memory) are sorted once, and each look-up takes the logarithm of their
    /// number; with elements that are yet to be computed, each of the array is compared with each of them.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 5, 1)?;
    /// assert_eq!(x.isin([4, 1]).compute()?.into_raw_vec_and_offset().0, [false, true, false, false, true]);
    /// assert_eq!(x.isin(&(&x * 2)).compute()?.into_raw_vec_and_offset().0, [true, false, true, false, true]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn isin<U: Element>(&self, elements: impl Into<Operand<U>>) -> Array<bool>
    where
        T: Promote<U>,
    {
        Array::from_result(isin(self, &elements.into().array(), Location::caller()))
    }
}

fn digitize<T: Promote<U>, U: Element>(x: &Array<T>, bins: &[U], right: bool, at: At) -> Result<ExprRef> {
    let common: Vec<T::Output> = bins.iter().map(|&bin| Into::<Scalar>::into(bin).get()).collect();
    let ascends = common.is_sorted_by(|a, b| a.less_equal(*b));
    if !ascends && !common.is_sorted_by(|a, b| a.greater_equal(*b)) {
        let reason = "the edges of the bins must ascend or descend, and none may be NaN";
        return Err(Error::invalid_at("digitize", reason, at));
    }
    let count = common.len() as i64;
    let how = if right { Find::Left } else { Find::Right };
    let table = Table::new(common).map_err(|error| invalid("digitize", &error, at))?;
    elementwise("digitize", std::slice::from_ref(x.expr()?), at, |builder, registers| {
        let found = builder.find(how, table, registers[0])?;
        if ascends {
            return Ok(found);
        }
        let count = builder.constant(count)?;
        builder.binary(crate::array::kernels::program::BinaryOp::Sub, count, found)
    })
}

fn isin<T: Promote<U>, U: Element>(x: &Array<T>, elements: &Array<U>, at: At) -> Result<ExprRef> {
    let others = elements.expr()?;
    if let Op::Memory(block) = &others.op {
        let table = Table::new(alike::<T, U>(block)).map_err(|error| invalid("isin", &error, at))?;
        return elementwise("isin", std::slice::from_ref(x.expr()?), at, |builder, registers| {
            builder.find(Find::Member, table, registers[0])
        });
    }
    let list = if others.ndim() == 1 { elements.clone() } else { elements.ravel()? };
    x.expand_dims(-1)?.equal(list).any(-1)?.expr().cloned()
}

/// The elements of a block that an element of another type can be equal to, in that type.
fn alike<T: Element, U: Element>(block: &Block) -> Vec<T> {
    let Ok(view) = block.view::<U>() else { return Vec::new() };
    let same = |&value: &U| {
        let converted: T = value.into().get();
        let back: U = converted.into().get();
        (back == value).then_some(converted)
    };
    view.iter().filter_map(same).collect()
}
