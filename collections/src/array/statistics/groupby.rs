//! Groups along an axis: which index is in which group is known when the expression is built, so that only the blocks that hold a group
//! are read for it (the strategies of flox: map and reduce, cohorts, within blocks).

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Arc;

use crate::array::build::axis_number;
use crate::array::dtype::{Element, Promote};
use crate::array::expr::{Expr, ExprRef, Op};
use crate::array::gather::{Run, gather, indices_in_target, with_axis};
use crate::array::grid::Axis;
use crate::array::handle::Array;
use crate::array::kernels::reduce::ReduceOp;
use crate::array::shape::arrange::length_of;
use crate::array::shape::reshape::concatenate;
use crate::error::{Error, Result};
use crate::lower::array::{Codes, GroupBy as Operation};

type At = &'static Location<'static>;

/// The code of an index that is in no group.
const NONE: u32 = u32::MAX;

/// Up to this many pairs of a group and a chunk, groups that lie in the same chunks are looked for.
const MOST_PAIRS: usize = 20_000_000;

/// An array whose indices along an axis are in groups; made by [`Array::groupby`]. Reductions give an array with the groups, in the order of
/// their labels, in place of the indices.
#[derive(Clone)]
pub struct GroupBy<T, L> {
    expr: ExprRef,
    axis: usize,
    labels: Arc<[L]>,
    codes: Arc<[u32]>,
    /// The chunks of the groups.
    cut: Axis,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> Array<T> {
    /// Puts the indices of an axis into groups of equal labels, one label an index; `None` (of a list of options) is in no group.
    ///
    /// Groups that lie in the same chunks are kept together, so that each chunk is read once or few times, and those of one chunk are
    /// reduced there. `explain` says which way was chosen.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<f64>(0.0, 6.0, 1.0)?;
    /// let groups = x.groupby(["b", "a", "b", "a", "b", "b"], 0)?;
    /// assert_eq!(groups.labels(), ["a", "b"]);
    /// assert_eq!(groups.mean()?.compute()?, ndarray::array![2.0, 2.75].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range, there is not one label for each of its indices, or its length is known only when computed.
    #[track_caller]
    pub fn groupby<L: Ord + Clone>(&self, labels: impl AsRef<[L]>, axis: isize) -> Result<GroupBy<T, L>> {
        self.grouped(labels.as_ref().iter().map(Some), axis, Location::caller())
    }

    /// As [`Array::groupby`], with indices that are in no group: those without a label.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 4, 1)?;
    /// let groups = x.groupby_some([Some(7), None, Some(7), Some(3)], 0)?;
    /// assert_eq!(groups.labels(), [3, 7]);
    /// assert_eq!(groups.sum()?.compute()?, ndarray::array![3, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Array::groupby`].
    #[track_caller]
    pub fn groupby_some<L: Ord + Clone>(&self, labels: impl AsRef<[Option<L>]>, axis: isize) -> Result<GroupBy<T, L>> {
        self.grouped(labels.as_ref().iter().map(Option::as_ref), axis, Location::caller())
    }

    /// Groups of neighbouring indices of the given lengths: the days of each month, say. Indices behind the last are in no group.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 7, 1)?;
    /// assert_eq!(x.segments([3, 2], 0)?.max()?.compute()?, ndarray::array![2, 4].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or shorter than the segments, one of which is empty, or its length is known only when computed.
    #[track_caller]
    pub fn segments(&self, lengths: impl AsRef<[usize]>, axis: isize) -> Result<GroupBy<T, usize>> {
        let (at, lengths) = (Location::caller(), lengths.as_ref());
        let expr = self.expr()?;
        let length = length_of("segments", expr, axis_number("segments", axis, expr.ndim(), at)?, at)?;
        let total = lengths.iter().fold(0_usize, |total, &length| total.saturating_add(length));
        if total > length || lengths.contains(&0) {
            let reason =
                format!("segments of {total} indices for an axis of {length}: none may be empty, all must fit");
            return Err(Error::invalid_at("segments", reason, at));
        }
        let numbers =
            lengths.iter().enumerate().flat_map(|(number, &length)| std::iter::repeat_n(Some(number), length));
        let labels: Vec<Option<usize>> = numbers.chain(std::iter::repeat_n(None, length - total)).collect();
        self.grouped(labels.iter().map(Option::as_ref), axis, at)
    }

    fn grouped<'a, L: Ord + Clone + 'a>(
        &self,
        labels: impl ExactSizeIterator<Item = Option<&'a L>> + Clone,
        axis: isize,
        at: At,
    ) -> Result<GroupBy<T, L>> {
        let expr = self.expr()?;
        let axis = axis_number("groupby", axis, expr.ndim(), at)?;
        let length = length_of("groupby", expr, axis, at)?;
        if labels.len() != length {
            let reason = format!("{} labels for axis {axis} of length {length}: give one each", labels.len());
            return Err(Error::invalid_at("groupby", reason, at));
        }
        let mut unique: Vec<&L> = labels.clone().flatten().collect();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() >= NONE as usize {
            return Err(Error::invalid_at("groupby", "more groups than can be counted", at));
        }
        let code = |label: Option<&L>| {
            label.and_then(|label| unique.binary_search(&label).ok()).map_or(NONE, |code| code as u32)
        };
        let codes: Arc<[u32]> = labels.map(code).collect();
        let cut = cohorts(expr, axis, &codes, unique.len());
        let labels = unique.into_iter().cloned().collect();
        Ok(GroupBy { expr: expr.clone(), axis, labels, codes, cut, element: std::marker::PhantomData })
    }
}

/// How the groups are cut: neighbouring ones together while they lie in the same chunks, more or less, and fit a chunk.
fn cohorts(expr: &Expr, axis: usize, codes: &[u32], groups: usize) -> Axis {
    let most = indices_in_target(expr, axis).max(1);
    let chunks = expr.grid.axes()[axis].chunks();
    let Some(bounds) = expr.grid.axes()[axis].bounds() else { return Axis::regular(groups, most) };
    if groups.saturating_mul(chunks) > MOST_PAIRS || chunks == 1 {
        return Axis::regular(groups, most);
    }
    let mut reads: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); groups];
    for (chunk, pair) in bounds.windows(2).enumerate() {
        for &code in &codes[pair[0]..pair[1]] {
            if let Some(reads) = reads.get_mut(code as usize) {
                reads.insert(chunk);
            }
        }
    }
    let mut lengths: Vec<usize> = Vec::new();
    let mut union: BTreeSet<usize> = BTreeSet::new();
    for own in reads {
        let both = union.union(&own).count();
        match lengths.last_mut() {
            // Apart they would read their chunks once each: together, a quarter less at least.
            Some(length) if *length < most && 4 * both <= 3 * (union.len() + own.len()) => {
                *length += 1;
                union.extend(own);
            }
            _ => {
                lengths.push(1);
                union = own;
            }
        }
    }
    Axis::from_lengths(lengths)
}

impl<T, L> std::fmt::Debug for GroupBy<T, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GroupBy({} groups along {} of {})", self.labels.len(), self.axis, self.expr.grid)
    }
}

macro_rules! reductions {
    ($($name:ident($($ddof:ident)?) = $op:expr => $output:ty, $doc:literal;)*) => {
        impl<T: Element, L> GroupBy<T, L> {$(
            #[doc = concat!($doc, " of each group: as [`Array::", stringify!($name), "`] of its indices.")]
            ///
            /// ```
            /// let x = talatat::array::ones::<f64>([4, 3]);
            #[doc = concat!("let y = x.groupby([1, 2, 2, 1], 0)?.", stringify!($name), "(", $("{ let ", stringify!($ddof), " = 1; ", stringify!($ddof), " }",)? ")?;")]
            /// assert_eq!(y.shape()?, [2, 3]);
            /// # Ok::<(), talatat::Error>(())
            /// ```
            ///
            /// # Errors
            /// If the result would be too large to be counted.
            #[track_caller]
            pub fn $name(&self, $($ddof: u32)?) -> Result<Array<$output>> {
                self.reduce($op, Location::caller())
            }
        )*}
    };
}

reductions! {
    sum() = ReduceOp::Sum => T::Sum, "The sum";
    prod() = ReduceOp::Prod => T::Sum, "The product";
    mean() = ReduceOp::Mean => T::Float, "The mean";
    var() = ReduceOp::Var { ddof: 0 } => T::Float, "The variance";
    std() = ReduceOp::Std { ddof: 0 } => T::Float, "The standard deviation";
    var_ddof(ddof) = ReduceOp::Var { ddof } => T::Float, "The variance with degrees of freedom taken off";
    std_ddof(ddof) = ReduceOp::Std { ddof } => T::Float, "The standard deviation with degrees of freedom taken off";
    min() = ReduceOp::Min => T, "The smallest element";
    max() = ReduceOp::Max => T, "The largest element";
    any() = ReduceOp::Any => bool, "Whether any element is not zero";
    all() = ReduceOp::All => bool, "Whether all elements are not zero";
    count_nonzero() = ReduceOp::CountNonzero => i64, "How many elements are not zero";
    nansum() = ReduceOp::NanSum => T::Sum, "The sum without NaN";
    nanprod() = ReduceOp::NanProd => T::Sum, "The product without NaN";
    nanmean() = ReduceOp::NanMean => T::Float, "The mean without NaN";
    nanvar() = ReduceOp::NanVar { ddof: 0 } => T::Float, "The variance without NaN";
    nanstd() = ReduceOp::NanStd { ddof: 0 } => T::Float, "The standard deviation without NaN";
    nanmin() = ReduceOp::NanMin => T, "The smallest element that is not NaN";
    nanmax() = ReduceOp::NanMax => T, "The largest element that is not NaN";
}

impl<T: Element, L> GroupBy<T, L> {
    /// The labels of the groups, ascending.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([3]);
    /// assert_eq!(x.groupby(["y", "x", "y"], 0)?.labels(), ["x", "y"]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// How many indices each group has.
    ///
    /// ```
    /// let x = talatat::array::ones::<f64>([3]);
    /// assert_eq!(x.groupby(["y", "x", "y"], 0)?.counts(), [1, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        for &code in self.codes.iter() {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// What each group has at its first index.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 3, 1)?;
    /// assert_eq!(x.groupby(["y", "x", "y"], 0)?.first()?.compute()?, ndarray::array![1, 0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the result would be too large to be counted.
    #[track_caller]
    pub fn first(&self) -> Result<Array<T>> {
        let mut places = vec![0; self.labels.len()];
        self.places().rev().for_each(|(index, code)| places[code] = index as isize);
        Array::<T>::from_expr(self.expr.clone()).take(places, self.axis)
    }

    /// What each group has at its last index.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<i64>(0, 3, 1)?;
    /// assert_eq!(x.groupby(["y", "x", "y"], 0)?.last()?.compute()?, ndarray::array![1, 2].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the result would be too large to be counted.
    #[track_caller]
    pub fn last(&self) -> Result<Array<T>> {
        let mut places = vec![0; self.labels.len()];
        self.places().for_each(|(index, code)| places[code] = index as isize);
        Array::<T>::from_expr(self.expr.clone()).take(places, self.axis)
    }

    /// Each index that is in a group, with the number of the group.
    fn places(&self) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        let groups = self.labels.len();
        self.codes.iter().map(|&code| code as usize).enumerate().filter(move |(_, code)| *code < groups)
    }

    /// A function of each group's part of the array, for what no reduction gives (a median, say): it gets the part and gives an array
    /// with one index (or any number) along the axis; these follow each other in the order of the labels. Each group takes tasks of
    /// its own: not for thousands of groups.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<f64>(0.0, 6.0, 1.0)?;
    /// let ranges = x.groupby([0, 1, 0, 1, 0, 0], 0)?.map(|part| Ok(part.max(0)? - part.min(0)?))?;
    /// assert_eq!(ranges.compute()?, ndarray::array![5.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the function; if its results do not fit together.
    #[track_caller]
    pub fn map<U: Element>(&self, function: impl Fn(&Array<T>) -> Result<Array<U>>) -> Result<Array<U>> {
        let x = Array::<T>::from_expr(self.expr.clone());
        let mut members: Vec<Vec<isize>> = vec![Vec::new(); self.labels.len()];
        self.places().for_each(|(index, code)| members[code].push(index as isize));
        let parts = members.into_iter().map(|members| {
            let part = function(&x.take(members, self.axis)?)?;
            // A reduction may have dropped the axis.
            if part.ndim() < self.expr.ndim() { part.expand_dims(self.axis) } else { Ok(part) }
        });
        concatenate(&parts.collect::<Result<Vec<_>>>()?, self.axis as isize)
    }

    /// What an array of one index for each group says of each index of the grouped array: the group's mean at every index of the group,
    /// say. Where a whole chunk has the groups of another in their order, no element is copied.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<f64>(0.0, 3.0, 1.0)?;
    /// let groups = x.groupby([1, 0, 1], 0)?;
    /// assert_eq!(groups.spread(&groups.max()?)?.compute()?, ndarray::array![2.0, 1.0, 2.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array has not one index for each group along the axis, or some index is in no group.
    #[track_caller]
    pub fn spread<U: Element>(&self, of_groups: &Array<U>) -> Result<Array<U>> {
        let at = Location::caller();
        let expr = of_groups.expr()?;
        let length = expr.grid.axes().get(self.axis).and_then(Axis::length);
        if length != Some(self.labels.len()) || expr.ndim() != self.expr.ndim() {
            let groups = self.labels.len();
            let reason = format!("{of_groups} has not the {groups} groups along axis {}", self.axis);
            return Err(Error::invalid_at("spread", reason, at));
        }
        if let Some(index) = self.codes.iter().position(|&code| code == NONE) {
            let reason = format!("index {index} is in no group: give it a label, or leave it out first");
            return Err(Error::invalid_at("spread", reason, at));
        }
        let runs = self.codes.chunk_by(|a, b| a + 1 == *b).map(|run| {
            let first = run.first().map_or(0, |&code| code as usize);
            Run::forward(first..first + run.len())
        });
        let cut = self.expr.grid.axes()[self.axis].clone();
        Ok(Array::from_expr(gather("spread", expr, self.axis, runs, cut, at)?))
    }

    /// The array less the mean of the group that each index is in.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let x = talatat::array::arange::<f64>(0.0, 3.0, 1.0)?;
    /// assert_eq!(x.groupby([1, 0, 1], 0)?.anomaly()?.compute()?, ndarray::array![-1.0, 0.0, 1.0].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If some index is in no group.
    #[track_caller]
    pub fn anomaly(&self) -> Result<Array<<T as Promote<<T as Element>::Float>>::Output>>
    where
        T: Promote<<T as Element>::Float>,
    {
        let means = self.spread(&self.mean()?)?;
        Ok(Array::<T>::from_expr(self.expr.clone()) - means)
    }

    fn reduce<U: Element>(&self, op: ReduceOp, at: At) -> Result<Array<U>> {
        let codes = Codes {
            codes: self.codes.clone(),
            from: self.expr.grid.axes()[self.axis].clone(),
            groups: self.cut.clone(),
        };
        let grid = with_axis(&self.expr.grid, self.axis, self.cut.clone());
        if let Some(reason) = grid.excess() {
            return Err(Error::invalid_at(op.name(), reason, at));
        }
        let operation = Op::Custom(Arc::new(Operation { op, axis: self.axis, codes }));
        let dtype = op.output_dtype(self.expr.dtype);
        Ok(Array::from_expr(Expr::new(dtype, grid, operation, [self.expr.clone()], at)))
    }
}
