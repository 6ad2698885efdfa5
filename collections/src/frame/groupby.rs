//! Groups and their aggregation as a tree.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, DataType, Expr, PlSmallStr, Schema, SchemaRef, col};
use talatat_graph::KeyBuilder;

use super::agg::{self, Agg, State};
use super::expr::{FrameExpr, output_name};
use super::kernels::GroupKernel;
use super::step::{self, Step};
use super::wire::{Wire, add_to_key};
use super::{Frame, columns_named};
use crate::error::{Error, Result};

/// A frame with the keys of its groups, waiting for aggregations: what [`Frame::groupby`] gives.
#[derive(Clone)]
pub struct GroupBy {
    frame: Frame,
    keys: Vec<Expr>,
    sort: bool,
    dropna: bool,
    location: &'static Location<'static>,
}

/// An aggregation that has been checked: the expressions of its stages. Its input has the columns `key 0` ... and `in 0` ...
#[derive(Clone)]
pub(crate) struct Grouping {
    keys: Vec<String>,
    names: Vec<String>,
    partial: Vec<Expr>,
    combine: Vec<Expr>,
    finish: Vec<Expr>,
    sort: bool,
    shown: String,
    pub(crate) schema: SchemaRef,
}

impl GroupBy {
    pub(crate) fn new(frame: Frame, keys: Vec<Expr>, location: &'static Location<'static>) -> GroupBy {
        GroupBy { frame, keys, sort: true, dropna: true, location }
    }

    /// Whether the result is sorted by the keys, missing ones last; by default true. Else groups come in the order in which they
    /// appear first.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, GroupBy, agg};
    /// fn fares(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.sort(false).agg([agg::mean("fare")])
    /// }
    /// ```
    pub fn sort(mut self, sort: bool) -> GroupBy {
        self.sort = sort;
        self
    }

    /// Whether rows with a missing key are left out; by default true. Else missing is a key like others.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, GroupBy};
    /// fn towns(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.dropna(false).size()
    /// }
    /// ```
    pub fn dropna(mut self, dropna: bool) -> GroupBy {
        self.dropna = dropna;
        self
    }

    /// Aggregates: one row for each group, the keys first, then one column for each aggregation. One partition.
    ///
    /// Each partition is aggregated by itself, then results are merged in a tree of arity 8 whose shape depends on the number of partitions
    /// alone: the answer has the same bits on every executor. Memory: the groups of 8 partitions at once.
    ///
    /// # Errors
    /// If a column does not exist, an aggregation makes no sense for its type, or two columns of the result have the same name.
    ///
    /// ```
    /// # use talatat_collections::frame::{Frame, agg};
    /// fn fares(trips: &Frame) -> talatat_collections::Result<Frame> {
    ///     trips.groupby(["town"])?.agg([agg::mean("fare").alias("mean"), agg::count("fare").alias("n")])
    /// }
    /// ```
    #[track_caller]
    pub fn agg(&self, aggs: impl IntoIterator<Item = Agg>) -> Result<Frame> {
        self.agg_at(aggs.into_iter().collect(), Location::caller())
    }

    /// How many rows each group has: a column `size`.
    ///
    /// # Errors
    /// If two keys have the same name.
    #[track_caller]
    pub fn size(&self) -> Result<Frame> {
        self.agg_at(vec![agg::size().alias("size")], Location::caller())
    }

    fn agg_at(&self, aggs: Vec<Agg>, location: &'static Location<'static>) -> Result<Frame> {
        let input = &self.frame.node;
        let (grouping, exprs) = Grouping::new(&self.keys, &aggs, self.sort, &input.schema, location)?;
        let mut node = input.clone();
        if !exprs.is_empty() {
            // Rows of a constant key would not be counted: `select` says so.
            let (step, schema) = step::check(Step::Select(exprs), &input.schema, location)?;
            node = FrameExpr::step_with(node, step, schema, location);
        }
        if self.dropna && !grouping.keys.is_empty() {
            let keys = grouping.keys.iter().map(|key| col(key.as_str()).is_not_null());
            if let Some(all) = keys.reduce(Expr::and) {
                node = FrameExpr::step(node, Step::Filter(all), location)?;
            }
        }
        Ok(Frame { node: FrameExpr::custom(Arc::new(grouping), vec![node], self.location)? })
    }
}

macro_rules! shortcuts {
    ($($name:ident: $doc:literal;)*) => {
        impl GroupBy {$(
            #[doc = $doc]
            /// One column for each of `columns`, under its name.
            ///
            /// # Errors
            /// As [`agg`](GroupBy::agg).
            ///
            /// ```
            /// # use talatat_collections::frame::Frame;
            /// fn by_town(trips: &Frame) -> talatat_collections::Result<Frame> {
            #[doc = concat!("    trips.groupby([\"town\"])?.", stringify!($name), "([\"fare\"])")]
            /// }
            /// ```
            #[track_caller]
            pub fn $name<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
                let aggs = columns.into_iter().map(|name| agg::$name(name.as_ref()).alias(name.as_ref()));
                self.agg_at(aggs.collect(), Location::caller())
            }
        )*}
    };
}

shortcuts! {
    sum: "The sum of each column.";
    mean: "The mean of each column.";
    count: "How many values of each column are not missing.";
    min: "The smallest value of each column.";
    max: "The largest value of each column.";
    var: "The variance of each column, `ddof = 1`.";
    std: "The standard deviation of each column, `ddof = 1`.";
    first: "The first value of each column that is not missing.";
    last: "The last value of each column that is not missing.";
}

impl Grouping {
    /// Checks keys and aggregations. Gives the stages, and the expressions that make their input.
    fn new(
        keys: &[Expr],
        aggs: &[Agg],
        sort: bool,
        schema: &Schema,
        location: &'static Location<'static>,
    ) -> Result<(Grouping, Vec<Expr>)> {
        let invalid = |reason: String| Error::invalid_at("groupby", reason, location);
        if aggs.is_empty() {
            return Err(invalid("no aggregation is asked for; say which, as in `.agg([agg::mean(\"x\")])`".into()));
        }
        let mut exprs = Vec::new();
        let mut names = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            columns_named("groupby", schema, key, location)?;
            names.push(output_name(key, schema).map_or_else(|| format!("key {number}"), |name| name.to_string()));
            exprs.push(key.clone().alias(format!("key {number}")));
        }
        let mut inputs: Vec<&Expr> = Vec::new();
        let mut states: Vec<(State, String, DataType)> = Vec::new();
        let mut finish: Vec<Expr> = keys
            .iter()
            .enumerate()
            .map(|(number, _)| col(format!("key {number}")).alias(names[number].as_str()))
            .collect();
        for agg in aggs {
            let (input, dtype, base) = match &agg.input {
                None => (String::new(), DataType::Int64, String::new()),
                Some(expr) => {
                    columns_named(agg.row.name, schema, expr, location)?;
                    let at = inputs.iter().position(|known| *known == expr).unwrap_or_else(|| {
                        inputs.push(expr);
                        inputs.len() - 1
                    });
                    let field =
                        expr.to_field(schema).map_err(|error| step::refused(agg.row.name, schema, &error, location))?;
                    (format!("in {at}"), field.dtype().clone(), field.name().to_string())
                }
            };
            if !(agg.row.accepts)(&dtype) {
                let name = agg.row.name;
                return Err(Error::invalid_at(
                    name,
                    format!("{agg} makes no sense for type {dtype}; cast it first, or leave it out"),
                    location,
                ));
            }
            let own = agg.row.states;
            for &state in own {
                if !states.iter().any(|(known, of, _)| *known == state && *of == input) {
                    states.push((state, input.clone(), dtype.clone()));
                }
            }
            let columns: Vec<Expr> = own.iter().map(|state| col(state.column(&input))).collect();
            let name = agg.name.clone().unwrap_or_else(|| {
                if base.is_empty() { agg.row.name.into() } else { format!("{base}_{}", agg.row.name) }
            });
            finish.push((agg.row.finish)(&columns, &dtype).alias(name.as_str()));
            names.push(name);
        }
        if let Some((at, name)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(invalid(format!(
                "column {at} of the result has the same name as another one, `{name}`; use `.alias(..)`"
            )));
        }
        exprs.extend(inputs.iter().enumerate().map(|(at, &expr)| expr.clone().alias(format!("in {at}"))));
        let shown: Vec<String> = aggs.iter().map(Agg::to_string).collect();
        let shown_keys: Vec<String> = keys.iter().map(|key| format!("{key}")).collect();
        let mut grouping = Grouping {
            keys: (0..keys.len()).map(|number| format!("key {number}")).collect(),
            names,
            partial: states.iter().map(|(state, input, dtype)| state.partial(input, dtype)).collect(),
            combine: states.iter().map(|(state, input, _)| state.combine(input)).collect(),
            finish,
            sort,
            shown: format!("groupby [{}]: {}", shown_keys.join(", "), shown.join(", ")),
            schema: Arc::new(Schema::default()),
        };
        grouping.schema = grouping
            .result_schema(&exprs, schema)
            .map_err(|error| step::refused("groupby", schema, &error, location))?;
        Ok((grouping, exprs))
    }

    /// The result's columns: those of an aggregation of no rows.
    fn result_schema(
        &self,
        exprs: &[Expr],
        schema: &Schema,
    ) -> std::result::Result<SchemaRef, polars::prelude::PolarsError> {
        let mut frame = DataFrame::empty_with_schema(schema);
        if !exprs.is_empty() {
            frame = step::run_steps(frame, &[Step::Select(exprs.to_vec())])?;
        }
        for kernel in [self.partial_kernel(), self.combine_kernel(), self.finish_kernel()] {
            frame = kernel.apply(vec![frame])?;
        }
        Ok(frame.schema().clone())
    }

    /// Aggregates one partition.
    pub(crate) fn partial_kernel(&self) -> GroupKernel {
        self.kernel("frame.groupby.partial", &self.partial, &[])
    }

    /// Merges aggregated partitions.
    pub(crate) fn combine_kernel(&self) -> GroupKernel {
        self.kernel("frame.groupby.combine", &self.combine, &[])
    }

    /// Makes results of states.
    pub(crate) fn finish_kernel(&self) -> GroupKernel {
        let sorted: &[String] = if self.sort { self.names.get(..self.keys.len()).unwrap_or_default() } else { &[] };
        GroupKernel { grouped: false, ..self.kernel("frame.groupby.finish", &self.finish, sorted) }
    }

    fn kernel(&self, name: &str, exprs: &[Expr], sorted: &[String]) -> GroupKernel {
        GroupKernel {
            stage: name.into(),
            keys: self.keys.clone(),
            exprs: Wire(exprs.to_vec()),
            grouped: true,
            sorted: sorted.to_vec(),
        }
    }

    /// Mixes in what the result depends on.
    pub(crate) fn key(&self, key: KeyBuilder) -> KeyBuilder {
        let key = key.value(&self.keys).value(&self.sort);
        add_to_key(add_to_key(key, &self.partial), &self.finish)
    }

    /// A guess at the number of groups of a partition.
    pub(crate) fn rows(&self, rows: u64) -> u64 {
        if self.keys.is_empty() { 1 } else { rows.min(1 << 16) }
    }

    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }

    /// The columns that the stages read.
    pub(crate) fn reads(&self) -> Vec<PlSmallStr> {
        let keys = self.keys.iter().map(|key| PlSmallStr::from(key.as_str()));
        keys.chain(self.partial.iter().flat_map(step::columns_of)).collect()
    }
}
