//! Two frames whose rows belong together.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{Expr, PlSmallStr, col, df, lit};

use crate::error::{Error, Result};
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::ROW_NUMBER;
use crate::frame::step::Step;
use crate::frame::{Frame, GroupBy, How, MergeOn, agg, concat_columns};
use crate::lower::frame::RowIndex;

/// What the columns of the other frame are called while both are side by side.
const OTHER: &str = "\u{1}other";

impl Frame {
    /// The rows of both frames by their keys, with the values of this frame, and those of the other one where it has none: pandas'
    /// `combine_first`, with keys in the place of its index. Sorted by the keys, missing ones last; this frame's columns come first, then what the other one
    /// has beside them (pandas sorts columns by name).
    ///
    /// It is an outer [`merge`](Frame::merge). A key that is there several times gives all pairs, where pandas refuses.
    ///
    /// # Errors
    /// If there is no key, it does not exist, or columns of the same name have types with nothing in common.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let known = Frame::from_polars(df!("k" => [1, 2], "x" => [Some(1.0), None]).unwrap(), 2);
    /// let guess = Frame::from_polars(df!("k" => [2, 3], "x" => [8.0, 9.0]).unwrap(), 1);
    /// let all = known.combine_first(&guess, ["k"])?;
    /// assert!(all.compute()?.equals(&df!("k" => [1, 2, 3], "x" => [1.0, 8.0, 9.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn combine_first<S: AsRef<str>>(&self, other: &Frame, on: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.combined("combine_first", other, on, How::Outer, Location::caller())
    }

    /// This frame with the values of the other one where it has some, by their keys: pandas' `update`, which gives a new frame here. Rows, columns
    /// and their order are those of this frame; other rows and columns are passed over.
    ///
    /// It is a left [`merge`](Frame::merge). A key that is there several times in the other frame gives a row for each of them, where pandas refuses.
    ///
    /// # Errors
    /// As [`combine_first`](Frame::combine_first).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let old = Frame::from_polars(df!("k" => [2, 1], "x" => [1.0, 2.0]).unwrap(), 2);
    /// let new = Frame::from_polars(df!("k" => [1, 3], "x" => [8.0, 9.0]).unwrap(), 1);
    /// let all = old.update(&new, ["k"])?;
    /// assert!(all.compute()?.equals(&df!("k" => [2, 1], "x" => [1.0, 8.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn update<S: AsRef<str>>(&self, other: &Frame, on: impl IntoIterator<Item = S>) -> Result<Frame> {
        self.combined("update", other, on, How::Left, Location::caller())
    }

    fn combined<S: AsRef<str>>(
        &self,
        operation: &str,
        other: &Frame,
        on: impl IntoIterator<Item = S>,
        how: How,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let keys: Vec<String> = on.into_iter().map(|key| key.as_ref().to_string()).collect();
        self.keys_are(operation, &keys, location)?;
        other.keys_are(operation, &keys, location)?;
        let is_key = |name: &PlSmallStr| keys.iter().any(|key| *key == name.as_str());
        let outer = how == How::Outer;
        let (left, right) = (&self.node.schema, &other.node.schema);
        let mut exprs: Vec<Expr> = Vec::new();
        for (name, dtype) in left.iter() {
            let column = col(name.clone());
            if is_key(name) || !right.contains(name) {
                exprs.push(column);
                continue;
            }
            let found = right.get(name).and_then(|found| crate::frame::merge::common_type(dtype, found));
            let Some(common) = found else {
                let reason = format!(
                    "the column `{name}` is of type {dtype} on one side and {} on the other; cast one of them",
                    right.get(name).map(ToString::to_string).unwrap_or_default()
                );
                return Err(Error::invalid_at(operation, reason, location));
            };
            // An update keeps the type.
            let dtype = if outer { common } else { dtype.clone() };
            let (own, new) = (column.cast(dtype.clone()), col(format!("{name}{OTHER}")).cast(dtype));
            let chosen = if outer { own.fill_null(new) } else { new.fill_null(own) };
            exprs.push(chosen.alias(name.clone()));
        }
        let others = right.iter_names().filter(|name| outer && !left.contains(name));
        exprs.extend(others.cloned().map(col));
        let both = self.merge(other, MergeOn::keys(keys.iter()).how(how).suffixes("", OTHER))?;
        both.step(Step::Select(exprs), location)
    }

    /// The correlation of each column of numbers with the column of the same name of another frame, of the rows with the same keys: one row. pandas' `corrwith`,
    /// with keys in the place of its index.
    ///
    /// # Errors
    /// If there is no key, it does not exist, or the frames have no other column of numbers in common.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let a = Frame::from_polars(df!("k" => [1, 2, 3], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// let b = Frame::from_polars(df!("k" => [3, 1, 2], "x" => [3.0, 1.0, 2.0]).unwrap(), 1);
    /// assert_eq!(a.corrwith(&b, ["k"])?.column_names(), ["x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn corrwith<S: AsRef<str>>(&self, other: &Frame, on: impl IntoIterator<Item = S>) -> Result<Frame> {
        let location = Location::caller();
        let keys: Vec<String> = on.into_iter().map(|key| key.as_ref().to_string()).collect();
        self.keys_are("corrwith", &keys, location)?;
        other.keys_are("corrwith", &keys, location)?;
        let number = |frame: &Frame, name: &PlSmallStr| {
            frame.node.schema.get(name).is_some_and(|dtype| dtype.is_primitive_numeric())
        };
        let is_key = |name: &PlSmallStr| keys.iter().any(|key| *key == name.as_str());
        let names = self.node.schema.iter_names().filter(|name| !is_key(name));
        let shared: Vec<PlSmallStr> = names.filter(|name| number(self, name) && number(other, name)).cloned().collect();
        if shared.is_empty() {
            let reason = "the frames have no column of numbers in common beside the keys; rename or cast one";
            return Err(Error::invalid_at("corrwith", reason, location));
        }
        let both = self.merge(other, MergeOn::keys(keys.iter()).suffixes("", OTHER))?;
        let aggs =
            shared.iter().map(|name| agg::corr(col(name.clone()), col(format!("{name}{OTHER}"))).alias(name.as_str()));
        GroupBy::new(both, Vec::new(), location).agg_at(aggs.collect(), location)
    }

    /// Whether the frames have the same columns of the same types and the same rows in the same order: one row with a column `equals`. Missing values are
    /// equal to each other, and so are NaNs. Partitions do not matter.
    ///
    /// Frames that are known to have partitions of the same lengths are compared one partition with the other; else rows meet by their numbers in an outer
    /// [`merge`](Frame::merge).
    ///
    /// # Errors
    /// None that frames with columns can have.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let data = df!("x" => [1, 2, 3]).unwrap();
    /// let (a, b) = (Frame::from_polars(data.clone(), 2), Frame::from_polars(data, 3));
    /// assert!(a.equals(&b)?.compute()?.equals(&df!("equals" => [true]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn equals(&self, other: &Frame) -> Result<Frame> {
        let location = Location::caller();
        let no = || {
            let table =
                df!("equals" => [false]).map_err(|error| Error::invalid_at("equals", error.to_string(), location));
            Ok(Frame::from_polars(table?, 1))
        };
        if self.node.schema != other.node.schema {
            return no();
        }
        let (mine, others) = (&self.node.facts, &other.node.facts);
        match (mine.rows(), others.rows()) {
            (Some(mine), Some(others)) if mine != others => return no(),
            _ => {}
        }
        let names = || self.node.schema.iter_names();
        let named = |frame: &Frame, side: &str, numbered: bool| {
            let mut exprs: Vec<Expr> =
                names().enumerate().map(|(at, name)| col(name.clone()).alias(format!("{side} {at}"))).collect();
            if !numbered {
                return frame.step(Step::Select(exprs), location);
            }
            let index = RowIndex { column: ROW_NUMBER.into(), offset: 0 };
            let node = FrameExpr::custom(Arc::new(index), vec![frame.node.clone()], location)?;
            let there = (col(ROW_NUMBER) * lit(0_i64)).eq(lit(0_i64));
            exprs.extend([col(ROW_NUMBER), there.alias(format!("{side} is there"))]);
            Frame { node }.step(Step::Select(exprs), location)
        };
        let aligned = mine.lengths.is_some() && mine.lengths == others.lengths;
        let (left, right) = (named(self, "left", !aligned)?, named(other, "right", !aligned)?);
        let both = match aligned {
            true => concat_columns([&left, &right])?,
            false => left.merge(&right, MergeOn::keys([ROW_NUMBER]).how(How::Outer))?,
        };
        let sides = (0..names().count()).map(|at| at.to_string()).chain((!aligned).then(|| "is there".to_string()));
        let same = sides.map(|at| col(format!("left {at}")).eq_missing(col(format!("right {at}"))));
        let same = same.reduce(Expr::and).unwrap_or_else(|| lit(true));
        let compared = both.step(Step::Select(vec![same.alias("equals")]), location)?;
        compared.all(["equals"])
    }
}
