//! Users' functions on groups.

use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, Schema, SchemaRef, col};
use talatat_graph::{KernelError, KernelResult, KeyBuilder};

use super::{GroupBy, parts_of};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::{FrameExpr, Node, output_name};
use crate::frame::kernels::{EachKernel, RowsFunction};
use crate::frame::step::{self, Step};
use crate::frame::wire::unique;
use crate::lower::frame::EachGroup;

/// An aggregation of three functions of a user, Dask's `Aggregation`: what is kept of a partition's group, how that merges, and the result.
///
/// ```
/// use talatat_collections::frame::{Aggregation, DataFrame, Frame, PolarsError, col, df, polars::prelude::IntoLazy};
/// fn total(rows: DataFrame) -> Result<DataFrame, PolarsError> {
///     rows.lazy().select([col("x").sum()]).collect()
/// }
/// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3]).unwrap(), 2);
/// let sums = frame.groupby(["k"])?.aggregate(&Aggregation::new(total, total, Ok::<_, PolarsError>))?;
/// assert_eq!(sums.column_names(), ["k", "x"]);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[derive(Clone)]
pub struct Aggregation {
    name: String,
    chunk: RowsFunction,
    combine: RowsFunction,
    finish: RowsFunction,
}

fn boxed<F, E>(function: F) -> RowsFunction
where
    F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
    E: Display,
{
    Arc::new(move |rows| function(rows).map_err(|error| KernelError::new(error.to_string())))
}

fn name_of<F>() -> String {
    std::any::type_name::<F>().trim_end_matches("::{{closure}}").to_string()
}

impl Aggregation {
    /// `chunk` makes one row of states of the rows of a group; `combine` one row of states of several ones; `finish` gets the states of
    /// all groups, a row each, and gives their results, a row each.
    pub fn new<C, M, F, E1, E2, E3>(chunk: C, combine: M, finish: F) -> Aggregation
    where
        C: Fn(DataFrame) -> std::result::Result<DataFrame, E1> + Send + Sync + 'static,
        M: Fn(DataFrame) -> std::result::Result<DataFrame, E2> + Send + Sync + 'static,
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E3> + Send + Sync + 'static,
        E1: Display,
        E2: Display,
        E3: Display,
    {
        Aggregation { name: name_of::<C>(), chunk: boxed(chunk), combine: boxed(combine), finish: boxed(finish) }
    }
}

impl GroupBy {
    /// An aggregation of a user: the keys, then the columns that it gives, a row for each group. One partition, sorted by the keys unless
    /// [`sort`](GroupBy::sort) is off; with [`split_out`](GroupBy::split_out) as many, each sorted.
    ///
    /// The functions get the frame's columns. They are called once for each group of a partition, so this is for few large groups; closures
    /// cannot leave this process.
    ///
    /// # Errors
    /// If a function fails on a frame without rows, by which the columns are found, or gives another number of rows than it should.
    #[track_caller]
    pub fn aggregate(&self, aggregation: &Aggregation) -> Result<Frame> {
        let location = Location::caller();
        let (node, keys, names) = self.keyed("aggregate", location)?;
        let kernel = |stage, function: &RowsFunction| EachKernel {
            stage,
            name: aggregation.name.clone(),
            keys: keys.clone(),
            function: function.clone(),
            one_row: true,
            finish: None,
            sort: false,
            parts: None,
            schema: None,
        };
        let chunk = kernel("frame.groupby.chunk", &aggregation.chunk);
        let combine = kernel("frame.groupby.combine_with", &aggregation.combine);
        let last = EachKernel {
            stage: "frame.groupby.aggregate",
            finish: Some((aggregation.finish.clone(), names)),
            sort: self.sort,
            ..combine.clone()
        };
        let empty = DataFrame::empty_with_schema(&node.schema);
        let found = chunk.apply(vec![empty]).and_then(|states| last.apply(vec![states]));
        let schema = self.promised("aggregate", found, location)?;
        let last = EachKernel { schema: Some(schema.clone()), ..last };
        let parts = self.parts.unwrap_or(1);
        self.each_group(EachGroup { before: Some((chunk, combine)), last, parts, schema, identity: identity() }, node)
    }

    /// A function on the rows of each group, which has the frame's columns; its results one below the other. Groups come in the order of their
    /// keys, or, if [`sort`](GroupBy::sort) is off, in that of their first rows; if they are in several parts
    /// ([`split_out`](GroupBy::split_out)) these are partitions, and that is the order in each.
    ///
    /// The columns are found by calling the function once on a frame without rows; if it cannot stand that, promise them with
    /// [`apply_as`](GroupBy::apply_as). Rows are brought together by their keys. A closure cannot leave this process.
    ///
    /// # Errors
    /// If the function fails on a frame without rows.
    ///
    /// ```
    /// use talatat_collections::frame::{DataFrame, Frame, PolarsError, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3]).unwrap(), 2);
    /// let last = frame.groupby(["k"])?.apply(|rows| Ok::<_, PolarsError>(rows.tail(Some(1))))?;
    /// assert_eq!(last.column_names(), ["k", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn apply<F, E>(&self, function: F) -> Result<Frame>
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: Display,
    {
        let location = Location::caller();
        let empty = DataFrame::empty_with_schema(&self.frame.node.schema);
        let found = function(empty).map_err(|error| KernelError::new(error.to_string()));
        let schema = self.promised("apply", found, location)?;
        self.applied(boxed(function), name_of::<F>(), schema, location)
    }

    /// [`apply`](GroupBy::apply) with promised columns; a group that gives others is an error.
    ///
    /// # Errors
    /// If a key reads a column that does not exist.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, PolarsError, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1, 2, 3]).unwrap(), 2);
    /// let first = frame.groupby(["k"])?.apply_as(|rows| Ok::<_, PolarsError>(rows.head(Some(1))), frame.schema())?;
    /// assert_eq!(first.column_names(), ["k", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn apply_as<F, E>(&self, function: F, schema: &Schema) -> Result<Frame>
    where
        F: Fn(DataFrame) -> std::result::Result<DataFrame, E> + Send + Sync + 'static,
        E: Display,
    {
        self.applied(boxed(function), name_of::<F>(), Arc::new(schema.clone()), Location::caller())
    }

    fn applied(
        &self,
        function: RowsFunction,
        name: String,
        schema: SchemaRef,
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let (node, keys, _) = self.keyed("apply", location)?;
        let last = EachKernel {
            stage: "frame.groupby.apply",
            name,
            keys,
            function,
            one_row: false,
            finish: None,
            sort: self.sort,
            parts: None,
            schema: Some(schema.clone()),
        };
        let parts = self.parts.unwrap_or_else(|| parts_of(&node));
        self.each_group(EachGroup { before: None, last, parts, schema, identity: identity() }, node)
    }

    fn each_group(&self, operation: EachGroup, node: Node) -> Result<Frame> {
        Ok(Frame { node: FrameExpr::custom(Arc::new(operation), vec![node], self.location)? })
    }

    /// The frame with its keys beside its columns, their names there, and in the result.
    fn keyed(&self, operation: &str, location: &'static Location<'static>) -> Result<(Node, Vec<String>, Vec<String>)> {
        let input = &self.frame.node;
        let keys: Vec<String> = (0..self.keys.len()).map(|number| format!("key {number}")).collect();
        if let Some(name) = keys.iter().find(|name| input.schema.contains(name)) {
            let reason = format!("a column is named `{name}`, as a key is here; rename it");
            return Err(Error::invalid_at(operation, reason, location));
        }
        let named = |(number, key): (usize, &Expr)| {
            output_name(key, &input.schema).map_or_else(|| format!("key {number}"), |name| name.to_string())
        };
        let names = self.keys.iter().enumerate().map(named).collect();
        let all = input.schema.iter_names().map(|name| col(name.clone()));
        let added = self.keys.iter().zip(&keys).map(|(key, name)| key.clone().alias(name.as_str()));
        let (step, schema) = step::check(Step::Select(all.chain(added).collect()), &input.schema, location)?;
        let mut node = FrameExpr::step_with(input.clone(), step, schema, location);
        if self.dropna
            && let Some(present) = keys.iter().map(|key| col(key.as_str()).is_not_null()).reduce(Expr::and)
        {
            node = FrameExpr::step(node, Step::Filter(present), location)?;
        }
        Ok((node, keys, names))
    }

    fn promised(
        &self,
        operation: &str,
        found: KernelResult<DataFrame>,
        location: &'static Location<'static>,
    ) -> Result<SchemaRef> {
        match found {
            Ok(frame) => Ok(frame.schema().clone()),
            Err(error) => {
                let reason = format!("the function failed on a frame without rows: {error}");
                let mend = if operation == "apply" { "; promise its columns with `apply_as`" } else { "" };
                Err(Error::invalid_at(operation, reason + mend, location))
            }
        }
    }
}

fn identity() -> talatat_graph::Key {
    KeyBuilder::new("closure").number(unique()).finish()
}
