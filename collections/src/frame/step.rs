//! Partition-wise steps: what polars does inside of a partition, and the check that it may.

use std::panic::Location;

use polars::prelude::{
    DataFrame, DataType, ExplodeOptions, Expr, IntoLazy, LazyFrame, Operator, PlSmallStr, PolarsError, PolarsResult,
    Schema, SchemaRef, Selector, UnpivotArgsDSL,
};
use polars_plan::dsl::{BooleanFunction, FunctionExpr};
use polars_plan::plans::{IR, is_elementwise_rec};
use polars_plan::utils::expr_to_leaf_column_names;
use serde::{Deserialize, Serialize};

use super::wire::Arrives;
use crate::error::{Error, Result};

/// A step that looks at one row at a time, so that it may run on each partition alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Keeps the rows for which the expression is true.
    Filter(Expr),
    /// Makes a frame of the expressions.
    Select(Vec<Expr>),
    /// Adds or replaces columns.
    WithColumns(Vec<Expr>),
    /// A row for each element of lists.
    Explode(Vec<PlSmallStr>),
    /// Columns as rows.
    Unpivot {
        /// The columns that are repeated.
        index: Vec<PlSmallStr>,
        /// The columns that become rows.
        on: Vec<PlSmallStr>,
    },
}

impl Step {
    /// The step's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Step::Filter(_) => "filter",
            Step::Select(_) => "select",
            Step::WithColumns(_) => "with_columns",
            Step::Explode(_) => "explode",
            Step::Unpivot { .. } => "melt",
        }
    }

    /// Whether the rows are those of the input, in its order.
    pub(crate) fn keeps_rows(&self) -> bool {
        matches!(self, Step::Select(_) | Step::WithColumns(_))
    }

    /// A guess at the rows after the step.
    pub(crate) fn rows(&self, rows: u64) -> u64 {
        match self {
            // Missing values are few.
            Step::Filter(predicate) if only_drops_missing(predicate) => rows,
            Step::Filter(_) => rows / 2,
            Step::Select(_) | Step::WithColumns(_) => rows,
            // How long lists are is not known.
            Step::Explode(_) => rows.saturating_mul(4),
            Step::Unpivot { on, .. } => rows.saturating_mul(on.len() as u64),
        }
    }

    /// The step at the end of a query.
    pub(crate) fn apply(&self, query: LazyFrame) -> LazyFrame {
        match self {
            Step::Filter(predicate) => query.filter(predicate.clone()),
            Step::Select(exprs) => query.select(exprs.as_slice()),
            Step::WithColumns(exprs) => query.with_columns(exprs.as_slice()),
            Step::Explode(columns) => query.explode(by_name(columns), EXPLODE),
            Step::Unpivot { index, on } => query.unpivot(UnpivotArgsDSL {
                on: Some(by_name(on)),
                index: by_name(index),
                variable_name: None,
                value_name: None,
            }),
        }
    }

    /// The step's expressions.
    pub(crate) fn exprs(&self) -> &[Expr] {
        match self {
            Step::Filter(predicate) => std::slice::from_ref(predicate),
            Step::Select(exprs) | Step::WithColumns(exprs) => exprs,
            Step::Explode(_) | Step::Unpivot { .. } => &[],
        }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let told: Vec<String> = match self {
            Step::Filter(_) | Step::Select(_) | Step::WithColumns(_) => {
                self.exprs().iter().map(|expr| format!("{expr}")).collect()
            }
            Step::Explode(columns) | Step::Unpivot { on: columns, .. } => {
                columns.iter().map(PlSmallStr::to_string).collect()
            }
        };
        format!("{} {}", self.name(), told.join(", "))
    }
}

impl Arrives for Step {
    fn arrived(self) -> PolarsResult<Step> {
        Ok(match self {
            Step::Filter(predicate) => Step::Filter(predicate.arrived()?),
            Step::Select(exprs) => Step::Select(exprs.arrived()?),
            Step::WithColumns(exprs) => Step::WithColumns(exprs.arrived()?),
            step @ (Step::Explode(_) | Step::Unpivot { .. }) => step,
        })
    }
}

/// As in pandas, a row with an empty or a missing list stays.
const EXPLODE: ExplodeOptions = ExplodeOptions { empty_as_null: true, keep_nulls: true };

/// Whether a condition keeps all rows but those with missing values.
fn only_drops_missing(condition: &Expr) -> bool {
    match condition {
        Expr::Function { function: FunctionExpr::Boolean(BooleanFunction::IsNotNull), .. } => true,
        Expr::BinaryExpr { left, op: Operator::And, right } => only_drops_missing(left) && only_drops_missing(right),
        _ => false,
    }
}

fn by_name(columns: &[PlSmallStr]) -> Selector {
    Selector::ByName { names: columns.iter().cloned().collect(), strict: true }
}

/// Runs steps on a frame, as one query.
pub(crate) fn run_steps(frame: DataFrame, steps: &[Step]) -> std::result::Result<DataFrame, PolarsError> {
    if steps.is_empty() {
        return Ok(frame);
    }
    steps.iter().fold(frame.lazy(), |query, step| step.apply(query)).collect()
}

/// The columns that an expression reads.
pub(crate) fn columns_of(expr: &Expr) -> Vec<PlSmallStr> {
    expr_to_leaf_column_names(expr)
}

/// The schema after a step; the step was checked before.
pub(crate) fn schema_after(schema: &Schema, step: &Step, location: &'static Location<'static>) -> Result<SchemaRef> {
    let mut query = step.apply(DataFrame::empty_with_schema(schema).lazy());
    query.collect_schema().map_err(|error| refused(step.name(), schema, &error, location))
}

/// Checks a step against the columns it stands on: names exist, types fit, each row by itself. Gives the step with wildcards
/// and selectors spelled out, and the schema after it.
pub(crate) fn check(step: Step, schema: &Schema, location: &'static Location<'static>) -> Result<(Step, SchemaRef)> {
    let name = step.name();
    // Polars panics where one of its features is off.
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_unguarded(step, schema, location)));
    checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default();
        let reason = format!(
            "polars cannot do this: {text}; if a feature of it is missing, depend on `polars` with that feature"
        );
        Err(Error::invalid_at(name, reason, location))
    })
}

fn check_unguarded(step: Step, schema: &Schema, location: &'static Location<'static>) -> Result<(Step, SchemaRef)> {
    let name = step.name();
    let failed = |error: PolarsError| refused(name, schema, &error, location);
    let query = step.apply(DataFrame::empty_with_schema(schema).lazy());
    if matches!(step, Step::Explode(_) | Step::Unpivot { .. }) {
        return Ok((step, query.collect().map_err(failed)?.schema().clone()));
    }
    let plan = query.clone().to_alp().map_err(failed)?;
    let exprs = match plan.lp_arena.get(plan.lp_top) {
        IR::Select { expr, .. } => expr.as_slice(),
        IR::HStack { exprs, .. } => exprs.as_slice(),
        IR::Filter { predicate, .. } => std::slice::from_ref(predicate),
        IR::DataFrameScan { .. } | IR::SimpleProjection { .. } => &[],
        _ => {
            let reason = "this cannot be done partition by partition; use map_partitions if it is meant for each partition alone";
            return Err(Error::invalid_at(name, reason, location));
        }
    };
    for expr in exprs {
        if !is_elementwise_rec(expr.node(), &plan.expr_arena) {
            let shown = format!("{}", expr.to_expr(&plan.expr_arena));
            let reason = format!(
                "`{shown}` looks at more than one row, and a partition does not hold them all; use groupby or agg for \
                 aggregations, or map_partitions for what is meant for each partition alone"
            );
            return Err(Error::invalid_at(name, reason, location));
        }
    }
    // Only a run finds types that do not fit; no rows, no work.
    let after = query.collect().map_err(failed)?.schema().clone();
    let spelled = exprs.iter().map(|expr| expr.to_expr(&plan.expr_arena)).collect::<Vec<_>>();
    let step = spell_out(step, spelled, schema);
    match &step {
        Step::Filter(_) => {}
        Step::Select(exprs) if exprs.iter().all(|expr| columns_of(expr).is_empty()) => {
            let reason = "no expression reads a column, so the number of rows is not known; select at least one column";
            return Err(Error::invalid_at(name, reason, location));
        }
        _ => {}
    }
    Ok((step, after))
}

/// Replaces expressions that name columns by a pattern.
fn spell_out(step: Step, spelled: Vec<Expr>, schema: &Schema) -> Step {
    let plain = |expr: &Expr| {
        let fixed = !expr
            .into_iter()
            .any(|part| matches!(part, Expr::Selector(_) | Expr::KeepName(_) | Expr::RenameAlias { .. }));
        fixed && columns_of(expr).iter().all(|name| schema.contains(name))
    };
    if spelled.is_empty() || step.exprs().iter().all(plain) {
        return step;
    }
    match step {
        Step::Filter(predicate) => Step::Filter(spelled.into_iter().next().unwrap_or(predicate)),
        Step::Select(_) => Step::Select(spelled),
        Step::WithColumns(_) => Step::WithColumns(spelled),
        step @ (Step::Explode(_) | Step::Unpivot { .. }) => step,
    }
}

/// An error of polars, told in terms of the call.
pub(crate) fn refused(
    operation: &str,
    schema: &Schema,
    error: &PolarsError,
    location: &'static Location<'static>,
) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim().to_string();
    let reason = match error {
        PolarsError::ColumnNotFound(name) => {
            let name = name.to_string();
            let name = name.lines().next().unwrap_or_default();
            no_column(name.trim_matches(|c| c == '"' || c == '\''), schema)
        }
        _ => format!("{first}; the columns are {}", columns(schema)),
    };
    Error::invalid_at(operation, reason, location)
}

/// What to say of a column that is not there.
pub(crate) fn no_column(name: &str, schema: &Schema) -> String {
    format!("there is no column `{name}`; there are {}", columns(schema))
}

/// Names and types, as errors list them.
pub(crate) fn columns(schema: &Schema) -> String {
    let named: Vec<String> = schema.iter().map(|(name, dtype)| format!("{name} ({dtype})")).collect();
    if named.is_empty() { "none".into() } else { named.join(", ") }
}

/// A guess at the bytes of a row in memory.
pub(crate) fn row_bytes(schema: &Schema) -> u64 {
    let width = |dtype: &DataType| match dtype {
        DataType::Boolean => 1,
        DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date => 4,
        DataType::String | DataType::Binary => 32,
        _ => 8,
    };
    schema.iter_values().map(width).sum()
}
