//! Rows by their groups: what gives a row for each row, or keeps some rows. Rows keep their order and their partitions.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, Expr, FillNullStrategy, RankMethod, RankOptions, RoundMode, Schema, col, len, lit};
use polars::series::ops::NullBehavior;

use super::within::{AskedRows, Kept, Within, place_in_group};
use super::{GroupBy, parts_of};
use crate::error::{Error, Result};
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::ROW_NUMBER;
use crate::frame::step::{self, Step};
use crate::frame::{Frame, columns_named};
use crate::lower::frame::RowIndex;

impl GroupBy {
    /// Computes columns for each group and gives a row for each row of the frame, in the same order and partitions: a group's one value
    /// stands in all its rows. Only these columns; for the others beside them see [`with_columns`](GroupBy::with_columns).
    ///
    /// Rows with a missing key are in no group and get missing values, unless [`dropna`](GroupBy::dropna) is off. Rows are brought together
    /// by their keys and sent back: `P + Q + P` tasks for `P` partitions and `Q` parts. Memory: the rows of one part.
    ///
    /// # Errors
    /// If a column does not exist, types do not fit, or two columns have the same name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// let far = frame.groupby(["k"])?.transform([(col("x") - col("x").mean()).alias("far")])?;
    /// assert_eq!((far.column_names(), far.partitions()), (vec!["far"], 2));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn transform<E: Into<Expr>>(&self, exprs: impl IntoIterator<Item = E>) -> Result<Frame> {
        self.columns_within("transform", exprs.into_iter().map(Into::into).collect(), false, Location::caller())
    }

    /// The frame with columns added or replaced that are computed for each group; otherwise [`transform`](GroupBy::transform).
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let running = frame.groupby(["k"])?.with_columns([col("x").cum_sum(false).alias("sum")])?;
    /// assert_eq!(running.column_names(), ["k", "x", "sum"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn with_columns<E: Into<Expr>>(&self, exprs: impl IntoIterator<Item = E>) -> Result<Frame> {
        self.columns_within("with_columns", exprs.into_iter().map(Into::into).collect(), true, Location::caller())
    }

    /// The rows of the groups for which the condition is true, in their order and partitions. A condition that is not one value for a
    /// group keeps the rows for which it is true. Missing is not true.
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform), and if the condition is not boolean.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let large = frame.groupby(["k"])?.filter(col("x").sum().gt(lit(3)))?;
    /// assert_eq!(large.column_names(), ["k", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, condition: impl Into<Expr>) -> Result<Frame> {
        let (condition, location) = (condition.into(), Location::caller());
        columns_named("filter", &self.frame.node.schema, &condition, location)?;
        let field = condition.to_field(&self.frame.node.schema);
        let field = field.map_err(|error| step::refused("filter", &self.frame.node.schema, &error, location))?;
        if *field.dtype() != DataType::Boolean {
            let reason = format!("the condition `{condition}` is {}, not boolean", field.dtype());
            return Err(Error::invalid_at("filter", reason, location));
        }
        self.rows_within("filter", Kept::Where(condition), location)
    }

    /// The first `n` rows of each group, in the order and the partitions of the frame.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn first(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.head(2)
    /// }
    /// ```
    #[track_caller]
    pub fn head(&self, n: usize) -> Result<Frame> {
        self.rows_within("head", Kept::First(n), Location::caller())
    }

    /// The last `n` rows of each group, in the order and the partitions of the frame.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn last(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.tail(2)
    /// }
    /// ```
    #[track_caller]
    pub fn tail(&self, n: usize) -> Result<Frame> {
        self.rows_within("tail", Kept::Last(n), Location::caller())
    }

    /// The row of each group with this number, from 0; -1 is the last one. In the order and the partitions of the frame.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn second(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.nth(1)
    /// }
    /// ```
    #[track_caller]
    pub fn nth(&self, n: i64) -> Result<Frame> {
        self.rows_within("nth", Kept::Nth(n), Location::caller())
    }

    /// The rows of each group with these numbers, from 0; a negative one counts from the end, and a number that a group has no row of is
    /// passed over. In the order and the partitions of the frame (pandas: group by group, in the order of the list).
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let last = frame.groupby(["k"])?.take([-1])?;
    /// assert!(last.compute()?.equals(&df!("k" => ["b", "a"], "x" => [2, 4]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, rows: impl IntoIterator<Item = i64>) -> Result<Frame> {
        let one = |n: i64| match n {
            0.. => place_in_group(false).eq(lit(n)),
            _ => place_in_group(true).eq(lit(-(n + 1))),
        };
        let any = rows.into_iter().map(one).reduce(Expr::or).unwrap_or_else(|| lit(false));
        self.rows_within("take", Kept::Where(any), Location::caller())
    }

    /// `n` rows of each group at random, all of those with fewer, by a hash of `seed` and their numbers: which ones depends neither on partitions nor
    /// on threads. In the order and the partitions of the frame.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.sample(1, 7)?.len().compute()?, 2);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn sample(&self, n: u64, seed: u64) -> Result<Frame> {
        self.sampled(lit(n), seed, Location::caller())
    }

    /// A part of the rows of each group at random, rounded to whole rows, halves to the even number; otherwise [`sample`](GroupBy::sample).
    ///
    /// # Errors
    /// If `frac` is not between 0 and 1, or a key reads a column that does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.sample_frac(0.5, 7)?.len().compute()?, 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn sample_frac(&self, frac: f64, seed: u64) -> Result<Frame> {
        let location = Location::caller();
        if !(0.0..=1.0).contains(&frac) {
            let reason = format!("`frac` is {frac}, but a part of the rows is between 0 and 1");
            return Err(Error::invalid_at("sample", reason, location));
        }
        let rows = len().cast(DataType::Float64) * lit(frac);
        self.sampled(rows.round(0, RoundMode::HalfToEven).cast(DataType::UInt64), seed, location)
    }

    fn sampled(&self, rows: Expr, seed: u64, location: &'static Location<'static>) -> Result<Frame> {
        let index = RowIndex { column: ROW_NUMBER.into(), offset: 0 };
        let node = FrameExpr::custom(Arc::new(index), vec![self.frame.node.clone()], location)?;
        let numbered = GroupBy { frame: Frame { node }, ..self.clone() };
        let options = RankOptions { method: RankMethod::Ordinal, descending: false };
        let place = col(ROW_NUMBER).hash(seed, 1, 2, 3).rank(options, None).cast(DataType::UInt64);
        let drawn = numbered.rows_within("sample", Kept::Where(place.lt_eq(rows)), location)?;
        drawn.step(Step::Select(self.frame.node.schema.iter_names().cloned().map(col).collect()), location)
    }

    /// The change of each value relative to the one `n` rows before in its group: `x / x_before - 1`, float64. Missing values are not filled first.
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform).
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn changes(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.pct_change(["fare"], 1)
    /// }
    /// ```
    #[track_caller]
    pub fn pct_change<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, n: i64) -> Result<Frame> {
        let change = |column: Expr, _: &DataType| {
            let column = column.cast(DataType::Float64);
            column.clone() / column.shift(lit(n)) - lit(1.0)
        };
        self.each_within("pct_change", columns, change, Location::caller())
    }

    /// The number of each row in its group, from 0: a column `cumcount` of int64.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn numbers(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.cumcount()
    /// }
    /// ```
    #[track_caller]
    pub fn cumcount(&self) -> Result<Frame> {
        let expr = place_in_group(false).alias("cumcount");
        self.columns_within("cumcount", vec![expr], false, Location::caller())
    }

    /// The columns moved down by `n` rows of their group; up, if `n` is negative. What comes in is missing.
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform).
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn before(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.shift(["fare"], 1)
    /// }
    /// ```
    #[track_caller]
    pub fn shift<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, n: i64) -> Result<Frame> {
        self.each_within("shift", columns, |column, _| column.shift(lit(n)), Location::caller())
    }

    /// The differences to the value `n` rows before in the group. Integers stay integers (pandas: float64).
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform).
    ///
    /// ```
    /// # use talatat_collections::frame::Frame;
    /// fn steps(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.diff(["fare"], 1)
    /// }
    /// ```
    #[track_caller]
    pub fn diff<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>, n: i64) -> Result<Frame> {
        self.each_within(
            "diff",
            columns,
            |column, dtype| match dtype {
                number if number.is_unsigned_integer() || *number == DataType::Boolean => {
                    column.cast(DataType::Int64).diff(lit(n), NullBehavior::Ignore)
                }
                _ => column.diff(lit(n), NullBehavior::Ignore),
            },
            Location::caller(),
        )
    }

    /// The rank of each value in its group, from 1, as float64. Missing values have none. `method` says what equal values get.
    ///
    /// # Errors
    /// As [`transform`](GroupBy::transform).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, polars::prelude::RankMethod};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 4]).unwrap(), 2);
    /// let ranks = frame.groupby(["k"])?.rank(["x"], RankMethod::Average, true)?;
    /// assert_eq!(ranks.column_names(), ["x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn rank<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        method: RankMethod,
        ascending: bool,
    ) -> Result<Frame> {
        let options = RankOptions { method, descending: !ascending };
        let rank = |column: Expr, _: &DataType| column.rank(options, None).cast(DataType::Float64);
        self.each_within("rank", columns, rank, Location::caller())
    }

    fn each_within<S: AsRef<str>>(
        &self,
        operation: &'static str,
        columns: impl IntoIterator<Item = S>,
        make: impl Fn(Expr, &DataType) -> Expr,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let schema: &Schema = &self.frame.node.schema;
        let exprs = columns.into_iter().map(|name| {
            let name = name.as_ref();
            let dtype = schema
                .get(name)
                .ok_or_else(|| Error::invalid_at(operation, step::no_column(name, schema), location))?;
            Ok(make(col(name), dtype).alias(name))
        });
        self.columns_within(operation, exprs.collect::<Result<_>>()?, false, location)
    }

    pub(crate) fn columns_within(
        &self,
        operation: &'static str,
        exprs: Vec<Expr>,
        keep: bool,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        if exprs.is_empty() {
            return Err(Error::invalid_at(operation, "no column is asked for; name at least one", location));
        }
        self.within(AskedRows { operation, exprs, keep, kept: Kept::All }, location)
    }

    pub(crate) fn rows_within(
        &self,
        operation: &'static str,
        kept: Kept,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        self.within(AskedRows { operation, exprs: Vec::new(), keep: true, kept }, location)
    }

    fn within(&self, asked: AskedRows, location: &'static Location<'static>) -> Result<Frame> {
        let input = &self.frame.node;
        let (mut within, inputs) = Within::new(&self.keys, self.dropna, asked, &input.schema, location)?;
        let (step, schema) = step::check(Step::Select(inputs), &input.schema, location)?;
        let node = FrameExpr::step_with(input.clone(), step, schema, location);
        within.parts = self.parts.unwrap_or_else(|| parts_of(&node));
        Ok(Frame { node: FrameExpr::custom(Arc::new(within), vec![node], self.location)? })
    }
}

macro_rules! running {
    ($($name:ident: $doc:literal, $make:expr;)*) => {
        impl GroupBy {$(
            #[doc = $doc]
            /// One column for each of `columns`, under its name; a row for each row of the frame, in the same order and partitions.
            /// Where the value is missing, the result is missing, and it is passed over.
            ///
            /// # Errors
            /// As [`transform`](GroupBy::transform).
            ///
            /// ```
            /// # use talatat_collections::frame::Frame;
            /// fn by_town(trips: &Frame) -> talatat_collections::Result<Frame> {
            #[doc = concat!("    trips.groupby([\"town\"])?.", stringify!($name), "([\"fare\"])")]
            /// }
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                self.each_within(stringify!($name), columns, $make, Location::caller())
            }
        )*}
    };
}

/// A column in the type that sums are kept in.
fn summed(column: Expr, dtype: &DataType) -> Expr {
    match dtype {
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => column.cast(DataType::UInt64),
        DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::Int32 => column.cast(DataType::Int64),
        _ => column,
    }
}

running! {
    cumsum: "The sums of the values so far in the group; int64 (uint64) for integers.", |column, dtype| summed(column, dtype).cum_sum(false);
    cumprod: "The products of the values so far in the group; int64 (uint64) for integers.", |column, dtype| summed(column, dtype).cum_prod(false);
    cummin: "The smallest values so far in the group.", |column, _| column.cum_min(false);
    cummax: "The largest values so far in the group.", |column, _| column.cum_max(false);
}

macro_rules! filling {
    ($($name:ident: $doc:literal, $strategy:expr;)*) => {
        impl GroupBy {$(
            #[doc = $doc]
            /// One column for each of `columns`, under its name; a row for each row of the frame, in the same order and partitions.
            ///
            /// # Errors
            /// As [`transform`](GroupBy::transform).
            ///
            /// ```
            /// # use talatat_collections::frame::Frame;
            /// fn by_town(trips: &Frame) -> talatat_collections::Result<Frame> {
            #[doc = concat!("    trips.groupby([\"town\"])?.", stringify!($name), "([\"fare\"])")]
            /// }
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                let fill = |column: Expr, _: &DataType| column.fill_null_with_strategy($strategy);
                self.each_within(stringify!($name), columns, fill, Location::caller())
            }
        )*}
    };
}

filling! {
    ffill: "Missing values replaced by the last one before them in the group.", FillNullStrategy::Forward(None);
    bfill: "Missing values replaced by the next one after them in the group.", FillNullStrategy::Backward(None);
}
