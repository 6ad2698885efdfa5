//! What can be done with frames.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, Schema, SchemaRef};
use talatat_graph::{Kernel, KernelError, KernelResult, Key, KeyBuilder};

use super::expr::FrameExpr;
use super::groupby::agg::Agg;
use super::kernels::MapKernel;
use super::step::{self, Step};
use super::wire::unique;
use super::{Frame, FrameLen, GroupBy, columns_named};
use crate::error::{Error, Result};
use crate::lower::frame::{Head, Map};

impl Frame {
    /// Columns and expressions, in this order; `Frame[["a", "b"]]` of pandas.
    ///
    /// Expressions look at one row at a time: an aggregation in them is an error.
    ///
    /// # Errors
    /// If a column does not exist, types do not fit, an expression looks at other rows, or no column is read.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2], "y" => [3, 4]).unwrap(), 1);
    /// assert_eq!(frame.select([col("y"), (col("x") * col("y")).alias("xy")])?.column_names(), ["y", "xy"]);
    /// assert!(frame.select([col("z")]).is_err());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn select<E: Into<Expr>>(&self, exprs: impl IntoIterator<Item = E>) -> Result<Frame> {
        self.step(Step::Select(exprs.into_iter().map(Into::into).collect()), Location::caller())
    }

    /// The rows for which the condition is true. Where it is missing, the row is dropped.
    ///
    /// # Errors
    /// As [`select`](Frame::select), and if the condition is not boolean.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.filter(col("x").gt(lit(1)))?.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn filter(&self, condition: impl Into<Expr>) -> Result<Frame> {
        self.step(Step::Filter(condition.into()), Location::caller())
    }

    /// The frame with columns added or replaced; all expressions see the columns as they were. `assign` of pandas.
    ///
    /// # Errors
    /// As [`select`](Frame::select).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.with_columns([(col("x") + lit(1)).alias("y")])?.column_names(), ["x", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn with_columns<E: Into<Expr>>(&self, exprs: impl IntoIterator<Item = E>) -> Result<Frame> {
        self.step(Step::WithColumns(exprs.into_iter().map(Into::into).collect()), Location::caller())
    }

    /// [`with_columns`](Frame::with_columns) with one column, under pandas' name.
    ///
    /// # Errors
    /// As [`select`](Frame::select).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [1, 2]).unwrap(), 1);
    /// assert_eq!(frame.assign("y", col("x") * lit(2))?.column_names(), ["x", "y"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn assign(&self, name: &str, expr: impl Into<Expr>) -> Result<Frame> {
        self.step(Step::WithColumns(vec![expr.into().alias(name)]), Location::caller())
    }

    pub(super) fn step(&self, step: Step, location: &'static Location<'static>) -> Result<Frame> {
        for expr in step.exprs() {
            let spelled = expr.into_iter().all(|part| !matches!(part, Expr::Selector(_)));
            if spelled && !step::columns_of(expr).iter().any(|name| name.starts_with('^')) {
                columns_named(step.name(), &self.node.schema, expr, location)?;
            }
        }
        let (step, schema) = step::check(step, &self.node.schema, location)?;
        Ok(Frame { node: FrameExpr::step_with(self.node.clone(), step, schema, location) })
    }

    /// The rows in groups of equal keys: columns or expressions. Aggregate them with [`GroupBy::agg`].
    ///
    /// # Errors
    /// If a key reads a column that does not exist, or there is no key.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, agg, col, df, lit};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 1);
    /// let halves = frame.groupby([(col("x") / lit(2)).alias("half")])?.agg([agg::size()])?;
    /// assert_eq!(halves.column_names(), ["half", "size"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn groupby<E: Into<Expr>>(&self, keys: impl IntoIterator<Item = E>) -> Result<GroupBy> {
        let keys: Vec<Expr> = keys.into_iter().map(Into::into).collect();
        let location = Location::caller();
        if keys.is_empty() {
            return Err(Error::invalid_at("groupby", "there is no key; to aggregate all rows use `agg`", location));
        }
        keys.iter().try_for_each(|key| columns_named("groupby", &self.node.schema, key, location))?;
        Ok(GroupBy::new(self.clone(), keys, location))
    }

    /// Aggregates all rows to one.
    ///
    /// # Errors
    /// As [`GroupBy::agg`].
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, agg, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 1);
    /// assert_eq!(frame.agg([agg::sum("x"), agg::std("x")])?.column_names(), ["x_sum", "x_std"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn agg<A: Into<Agg>>(&self, aggs: impl IntoIterator<Item = A>) -> Result<Frame> {
        GroupBy::new(self.clone(), Vec::new(), Location::caller()).agg(aggs)
    }

    /// The first `n` rows, as one partition.
    ///
    /// On files and data in memory, with partition-wise steps in between, partitions are made one after the other and only until
    /// there are enough rows; on anything else all partitions are computed.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 3);
    /// assert_eq!(frame.head(2).partitions(), 1);
    /// ```
    #[track_caller]
    pub fn head(&self, n: usize) -> Frame {
        let head = Head { rows: n };
        let shape = head.shape(&self.node);
        Frame { node: FrameExpr::shaped(Arc::new(head), vec![self.node.clone()], shape, Location::caller()) }
    }

    /// How many rows there are. Of files no column is parsed, unless a filter reads it.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let rows = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 3).len();
    /// assert_eq!(format!("{rows:?}"), "FrameLen of [x]");
    /// ```
    // A lazy count has no cheap `is_empty` beside it.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> FrameLen {
        FrameLen::new(self.node.clone())
    }

    /// A function on each partition. Its columns are found by calling it once on a frame without rows; if it cannot stand that,
    /// promise them with [`map_partitions_as`](Frame::map_partitions_as).
    ///
    /// A closure cannot leave this process; for other processes use [`map_partitions_with`](Frame::map_partitions_with).
    ///
    /// # Errors
    /// If the function fails on a frame without rows.
    ///
    /// ```
    /// use talatat_collections::frame::{DataFrame, Frame, PolarsError, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// let twice = frame.map_partitions(|part: DataFrame| part.vstack(&part))?;
    /// assert_eq!(twice.schema(), frame.schema());
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<F, E>(&self, function: F) -> Result<Frame>
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: std::fmt::Display,
    {
        let location = Location::caller();
        match function(DataFrame::empty_with_schema(&self.node.schema)) {
            Ok(empty) => Ok(self.map(function, empty.schema().clone(), location)),
            Err(error) => {
                let reason = format!(
                    "the function failed on a frame without rows: {error}; promise its columns with `map_partitions_as`"
                );
                Err(Error::invalid_at("map_partitions", reason, location))
            }
        }
    }

    /// [`map_partitions`](Frame::map_partitions) with promised columns; a partition that has others is an error.
    ///
    /// ```
    /// use talatat_collections::frame::{DataFrame, Frame, PolarsError, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// let same = frame.map_partitions_as(|part| Ok::<_, PolarsError>(part), frame.schema());
    /// assert_eq!(same.schema(), frame.schema());
    /// ```
    #[track_caller]
    pub fn map_partitions_as<F, E>(&self, function: F, schema: &Schema) -> Frame
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: std::fmt::Display,
    {
        self.map(function, Arc::new(schema.clone()), Location::caller())
    }

    fn map<F, E>(&self, function: F, schema: SchemaRef, location: &'static Location<'static>) -> Frame
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: std::fmt::Display,
    {
        let function = move |part| -> KernelResult<DataFrame> {
            function(part).map_err(|error| KernelError::new(error.to_string()))
        };
        let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string();
        let kernel = MapKernel { name, function, schema: Some((*schema).clone()) };
        // A closure equals only itself.
        let identity = KeyBuilder::new("closure").number(unique()).finish();
        self.mapped(Map { kernel: Arc::new(kernel), schema, identity, adds: None }, location)
    }

    /// A kernel on each partition: it reads and gives a [`Partition`](super::Partition) with the promised columns. A kernel that is
    /// registered and encodes its parameters runs in other processes, too. `identity` names what it does: equal ones compute equal blocks.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use talatat_collections::frame::{Frame, Partition, df};
    /// use talatat_graph::{Key, Value, closure_kernel};
    /// let frame = Frame::from_polars(df!("x" => [1, 2, 3]).unwrap(), 2);
    /// let kernel = closure_kernel("reverse", |_, inputs| Ok(Value::block(Partition(Partition::take(&mut inputs[0])?.reverse()))));
    /// let turned = frame.map_partitions_with(Arc::new(kernel), frame.schema(), Key::of("reverse", &[]));
    /// assert_eq!(turned.partitions(), 2);
    /// ```
    #[track_caller]
    pub fn map_partitions_with(&self, kernel: Arc<dyn Kernel>, schema: &Schema, identity: Key) -> Frame {
        let schema = Arc::new(schema.clone());
        self.mapped(Map { kernel, schema, identity, adds: None }, Location::caller())
    }

    pub(super) fn mapped(&self, map: Map, location: &'static Location<'static>) -> Frame {
        let shape = map.shape(&self.node);
        Frame { node: FrameExpr::shaped(Arc::new(map), vec![self.node.clone()], shape, location) }
    }
}
