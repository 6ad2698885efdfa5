//! A checked computation on rows by their groups.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataFrame, Expr, IntoLazy, PlSmallStr, Schema, SchemaRef, col, lit};
use talatat_graph::KeyBuilder;

use crate::error::{Error, Result};
use crate::frame::columns_named;
use crate::frame::expr::{Columns, output_name};
use crate::frame::kernels::{Ends, Mask, ROW, WithinKernel};
use crate::frame::step;
use crate::frame::wire::{Wire, add_to_key};

/// Columns of rows that depend on their groups, and which rows are kept. Its input has the columns `key 0` ... and `in 0` ...
#[derive(Clone)]
pub(crate) struct Within {
    keys: Vec<String>,
    outputs: Vec<Expr>,
    /// Which rows of the result are kept.
    pub(crate) mask: Option<Mask>,
    /// Which rows of a partition may be kept in the end: the others need not travel.
    pub(crate) before: Option<Mask>,
    pub(crate) parts: u32,
    shown: String,
    pub(crate) schema: SchemaRef,
}

/// What is asked for, in terms of the frame's columns.
pub(crate) struct AskedRows {
    pub(crate) operation: &'static str,
    /// Computed for each group. Their names are the result's.
    pub(crate) exprs: Vec<Expr>,
    /// Whether the frame's columns come first; those of the same name are replaced.
    pub(crate) keep: bool,
    pub(crate) kept: Kept,
}

/// Which rows of each group are kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kept {
    All,
    /// Those for which this is true; of one value for the group, all or none.
    Where(Expr),
    /// The first rows.
    First(usize),
    /// The last rows.
    Last(usize),
    /// The row of this number; a negative one counts from the end.
    Nth(i64),
}

fn key_name(number: usize) -> String {
    format!("key {number}")
}

/// The number of a row in its group, from 0; or from its end.
pub(crate) fn place_in_group(reverse: bool) -> Expr {
    col(ROW).cum_count(reverse).cast(polars::prelude::DataType::Int64) - lit(1_i64)
}

impl Within {
    /// Checks what is asked for. Gives the computation, and the expressions that make its input.
    pub(crate) fn new(
        keys: &[Expr],
        dropna: bool,
        asked: AskedRows,
        schema: &Schema,
        location: &'static Location<'static>,
    ) -> Result<(Within, Vec<Expr>)> {
        let AskedRows { operation, exprs, keep, kept } = asked;
        if schema.contains(ROW) {
            let reason = format!("a column is named `{ROW}`, as the one that keeps the order of rows; rename it");
            return Err(Error::invalid_at(operation, reason, location));
        }
        let mut inputs: Vec<Expr> = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            columns_named(operation, schema, key, location)?;
            inputs.push(key.clone().alias(key_name(number)));
        }
        let mut columns: Vec<PlSmallStr> = Vec::new();
        let mut renamed = |expr: &Expr| -> Result<Expr> {
            for name in step::columns_of(expr) {
                // The number of the row is made by the first stage.
                if name != ROW {
                    columns_named(operation, schema, &col(name.clone()), location)?;
                }
                if schema.contains(&name) && !columns.contains(&name) {
                    columns.push(name);
                }
            }
            Ok(expr.clone().map_expr(|part| match &part {
                Expr::Column(name) => match columns.iter().position(|known| known == name) {
                    Some(at) => col(format!("in {at}")),
                    None => part,
                },
                _ => part,
            }))
        };
        let names: Vec<String> = (0..keys.len()).map(key_name).collect();
        let by: Vec<Expr> = names.iter().map(|name| col(name.as_str())).collect();
        let grouped =
            |expr: Expr| expr.over(by.as_slice()).map_err(|error| step::refused(operation, schema, &error, location));
        let present = match dropna {
            true => by.iter().map(|key| key.clone().is_not_null()).reduce(Expr::and),
            false => None,
        };
        let mut outputs: Vec<(PlSmallStr, Expr)> = Vec::new();
        if keep {
            for name in schema.iter_names() {
                outputs.push((name.clone(), renamed(&col(name.clone()))?));
            }
        }
        let mut made: Vec<PlSmallStr> = Vec::new();
        for expr in &exprs {
            let name = output_name(expr, schema).unwrap_or_else(|| operation.into());
            if made.contains(&name) {
                let reason = format!("two columns of the result have the name `{name}`; use `.alias(..)`");
                return Err(Error::invalid_at(operation, reason, location));
            }
            made.push(name.clone());
            let computed = grouped(renamed(expr)?)?;
            // Rows with a missing key are in no group.
            let computed = match &present {
                Some(present) => {
                    polars::prelude::when(present.clone()).then(computed).otherwise(lit(polars::prelude::NULL))
                }
                None => computed,
            };
            match outputs.iter_mut().find(|(known, _)| *known == name) {
                Some((_, output)) => *output = computed,
                None => outputs.push((name, computed)),
            }
        }
        let wide = |n: usize| lit(i64::try_from(n).unwrap_or(i64::MAX));
        let (mask, before) = match &kept {
            Kept::All => (None, None),
            Kept::Where(expr) => (Some(renamed(expr)?), None),
            Kept::First(n) => (Some(place_in_group(false).lt(wide(*n))), Some(place_in_group(false).lt(wide(*n)))),
            Kept::Last(n) => (Some(place_in_group(true).lt(wide(*n))), Some(place_in_group(true).lt(wide(*n)))),
            Kept::Nth(n) => {
                let (place, n) = if *n < 0 { (place_in_group(true), -(n + 1)) } else { (place_in_group(false), *n) };
                (Some(place.clone().eq(lit(n))), Some(place.lt_eq(lit(n))))
            }
        };
        let ends = match &kept {
            Kept::First(n) | Kept::Last(n) => Some((matches!(kept, Kept::Last(_)), *n as u64)),
            _ => None,
        };
        let ends = ends.map(|(last, rows)| Ends { keys: names.clone(), dropna, last, rows });
        let masked = |mask: Option<Expr>| -> Result<Option<Mask>> {
            let Some(mask) = mask else { return Ok(None) };
            let mask = grouped(mask)?;
            let expr = match &present {
                Some(present) => present.clone().and(mask),
                None => mask,
            };
            Ok(Some(Mask { expr: Wire(expr), ends: ends.clone() }))
        };
        inputs.extend(columns.iter().enumerate().map(|(at, name)| col(name.clone()).alias(format!("in {at}"))));
        let shown: Vec<String> = exprs.iter().map(|expr| format!("{expr}")).collect();
        let shown_keys: Vec<String> = keys.iter().map(|key| format!("{key}")).collect();
        let of = match &kept {
            Kept::All => shown.join(", "),
            Kept::Where(expr) => format!("{expr}"),
            Kept::First(n) | Kept::Last(n) => n.to_string(),
            Kept::Nth(n) => n.to_string(),
        };
        let mut within = Within {
            keys: names,
            outputs: outputs.into_iter().map(|(name, expr)| expr.alias(name)).collect(),
            mask: masked(mask)?,
            before: masked(before)?,
            parts: 1,
            shown: format!("{operation} by [{}]: {of}", shown_keys.join(", ")),
            schema: Arc::new(Schema::default()),
        };
        within.schema = within
            .result_schema(&inputs, schema)
            .map_err(|error| step::refused(operation, schema, &error, location))?;
        Ok((within, inputs))
    }

    fn result_schema(
        &self,
        inputs: &[Expr],
        schema: &Schema,
    ) -> std::result::Result<SchemaRef, polars::prelude::PolarsError> {
        let frame = DataFrame::empty_with_schema(schema).lazy().select(inputs).collect()?;
        let (scatter, compute, restore) = self.kernels(self.parts);
        let computed = compute.apply(scatter.apply(vec![frame])?)?;
        let parts = restore.apply(computed)?;
        Ok(parts.first().map(|part| part.schema().clone()).unwrap_or_default())
    }

    /// The stages, with the rows in so many parts between them.
    pub(crate) fn kernels(&self, parts: u32) -> (WithinKernel, WithinKernel, WithinKernel) {
        let scatter = WithinKernel::Scatter { keys: self.keys.clone(), before: self.before.clone(), parts };
        let compute = WithinKernel::Compute { outputs: Wire(self.outputs.clone()), mask: self.mask.clone() };
        (scatter, compute, WithinKernel::Restore)
    }

    /// Whether each partition keeps its rows.
    pub(crate) fn keeps_rows(&self) -> bool {
        self.mask.is_none()
    }

    /// The same with some of its columns; at least one.
    pub(crate) fn only(&self, wanted: &Columns) -> Within {
        let is_wanted = |expr: &&Expr| match expr {
            Expr::Alias(_, name) => wanted.contains(name),
            _ => true,
        };
        let mut outputs: Vec<Expr> = self.outputs.iter().filter(is_wanted).cloned().collect();
        if outputs.is_empty() {
            outputs.extend(self.outputs.first().cloned());
        }
        let names: Vec<PlSmallStr> = outputs
            .iter()
            .filter_map(|expr| match expr {
                Expr::Alias(_, name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let schema = self.schema.iter().filter(|(name, _)| names.contains(name));
        let schema = schema.map(|(name, dtype)| polars::prelude::Field::new(name.clone(), dtype.clone())).collect();
        Within { outputs, schema: Arc::new(schema), ..self.clone() }
    }

    /// The columns that the stages read.
    pub(crate) fn reads(&self) -> Vec<PlSmallStr> {
        let keys = self.keys.iter().map(|key| PlSmallStr::from(key.as_str()));
        let exprs = self.outputs.iter().chain(self.mask.iter().chain(&self.before).map(|mask| &mask.expr.0));
        keys.chain(exprs.flat_map(step::columns_of).filter(|name| name != ROW)).collect()
    }

    /// Mixes in what the result depends on beside the input.
    pub(crate) fn key(&self, key: KeyBuilder) -> KeyBuilder {
        let key = add_to_key(key.value(&self.keys).number(u64::from(self.parts)), &self.outputs);
        add_to_key(key, &self.mask)
    }

    /// One line for people.
    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }
}
