//! A partition's rows: one query.

use std::sync::Arc;

use polars::prelude::{Column, DataFrame, DataType, Expr, Field, PolarsError, Schema, SchemaExt};
use serde::{Deserialize, Serialize};

use super::predicate::{condition, split};
use super::statement::{Dialect, Range, Statement};
use super::table::{SqlColumn, Table};
use crate::frame::scan::Pushed;
use crate::frame::step::{Step, run_steps};
use crate::frame::wire::Wire;
use crate::storage::error::{Result, StorageError};

/// What reading a partition needs to know; a part of a kernel's parameters.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SqlReader {
    /// The number of the first partition here, for messages.
    pub(super) first: u64,
    pub(super) table: Arc<Table>,
    /// What rows are cut by and ordered by.
    pub(super) key: Option<Arc<SqlColumn>>,
    pub(super) ranges: Arc<[Range]>,
    pub(crate) pushed: Pushed,
}

impl Table {
    pub(super) fn query(&self, statement: &Statement, columns: &[SqlColumn]) -> Result<DataFrame> {
        let failed = |reason: String| format!("{}: {reason}", self.shown);
        self.database.connected(|open| open.query(statement, columns).map_err(failed))
    }
}

impl SqlReader {
    /// The same for one partition alone: what travels with its task.
    pub(crate) fn only(&self, number: usize) -> SqlReader {
        let ranges = self.ranges.get(number).cloned().into_iter().collect();
        SqlReader { first: self.first + number as u64, ranges, ..self.clone() }
    }

    /// The rows of partition `number` that the filter keeps, after `steps`. At least `limit`, if there are as many.
    ///
    /// # Errors
    /// If the database cannot be reached, or a value does not fit its column.
    pub(crate) fn read(&self, number: usize, steps: &[Step], limit: usize) -> Result<DataFrame> {
        let range = self.ranges.get(number).cloned().unwrap_or_default();
        let (taken, rest) = self.conditions();
        let schema = self.table.schema();
        let mine = Pushed {
            predicate: rest.iter().map(|expr| (*expr).clone()).reduce(Expr::and).map(|expr| Arc::new(Wire(expr))),
            ..self.pushed.clone()
        };
        let read = mine.read(&schema);
        let columns: Vec<SqlColumn> = read.iter_names().filter_map(|name| self.table.column(name).cloned()).collect();
        let what = match columns.is_empty() {
            true => "count(*)".to_string(),
            false => columns.iter().map(|column| column.read.as_str()).collect::<Vec<_>>().join(", "),
        };
        let mut statement = Statement::new(format!("SELECT {what} FROM {}", self.table.relation));
        self.filter(&mut statement, &range, &taken);
        if !columns.is_empty() {
            self.order(&mut statement, &range);
            // Steps may drop rows, so that more of them are needed than the limit says.
            if limit < usize::MAX && rest.is_empty() && steps.iter().all(Step::keeps_rows) {
                statement.push(&format!(" LIMIT {limit}"));
            }
        }
        let place = || match &self.key {
            Some(key) => format!("partition {} ({})", self.first + number as u64, range.shown(&key.name)),
            None => format!("partition {}", self.first + number as u64),
        };
        let at_place = |error: StorageError| match error {
            StorageError::BadSql { url, reason } => {
                StorageError::BadSql { url, reason: format!("{}: {reason}", place()) }
            }
            other => other,
        };
        let wrong = |error: PolarsError| {
            let text = error.to_string();
            at_place(self.table.failed(text.lines().next().unwrap_or_default()))
        };
        let frame = match columns.is_empty() {
            true => {
                let count = [SqlColumn::new("count", DataType::Int64, "int8")];
                let counted = self.table.query(&statement, &count).map_err(at_place)?;
                let rows = counted.column("count").and_then(|column| Ok(column.i64()?.get(0))).map_err(wrong)?;
                DataFrame::empty_with_height(rows.unwrap_or(0).max(0) as usize)
            }
            false => {
                let frame = self.table.query(&statement, &columns).map_err(at_place)?;
                cast(frame, &read).map_err(|(name, error)| {
                    let text = error.to_string();
                    let text = text.lines().next().unwrap_or_default();
                    at_place(self.table.failed(format!("column `{name}`: {text}; choose another type for it")))
                })?
            }
        };
        let mut all = mine.steps(&schema);
        all.extend(steps.iter().cloned());
        run_steps(frame, &all).map_err(wrong)
    }

    /// The conditions that the database checks, and those that it does not.
    fn conditions(&self) -> (Vec<&Expr>, Vec<&Expr>) {
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        if let Some(predicate) = &self.pushed.predicate {
            split(&self.table, &predicate.0, &mut taken, &mut rest);
        }
        (taken, rest)
    }

    fn filter(&self, statement: &mut Statement, range: &Range, taken: &[&Expr]) {
        let mut clause = Statement { text: String::new(), values: std::mem::take(&mut statement.values) };
        let mut any = match self.key.as_ref().and_then(|key| key.compare.as_deref()) {
            Some(compare) => clause.range(self.table.dialect, compare, range),
            None => false,
        };
        for expr in taken {
            clause.push(if any { " AND " } else { "" });
            // It was found to be possible before.
            any |= condition(&self.table, expr, &mut clause).is_some();
        }
        statement.push(if any { " WHERE " } else { "" }).push(&clause.text);
        statement.values = clause.values;
    }

    fn order(&self, statement: &mut Statement, range: &Range) {
        let key = self.key.as_ref().and_then(|key| key.compare.as_deref());
        let last = match self.table.dialect {
            // Missing values would come first.
            Dialect::Sqlite if range.missing => " NULLS LAST",
            _ => "",
        };
        let key = key.map(|compare| format!("{compare}{last}"));
        let by: Vec<String> = key.into_iter().chain(self.table.ties.iter().cloned()).collect();
        if !by.is_empty() {
            statement.push(&format!(" ORDER BY {}", by.join(", ")));
        }
    }

    /// For plans: what the database filters by.
    pub(super) fn condition(&self) -> Option<String> {
        let (taken, _) = self.conditions();
        let mut statement = Statement::default();
        self.filter(&mut statement, &Range::all(), &taken);
        statement.text.strip_prefix(" WHERE ").map(str::to_string)
    }
}

/// The types that the user asked for.
fn cast(frame: DataFrame, schema: &Schema) -> std::result::Result<DataFrame, (String, PolarsError)> {
    let height = frame.height();
    let cast = |(column, Field { name, dtype }): (Column, Field)| match *column.dtype() == dtype {
        true => Ok(column),
        false => column.strict_cast(&dtype).map_err(|error| (name.to_string(), error)),
    };
    let columns =
        frame.into_columns().into_iter().zip(schema.iter_fields()).map(cast).collect::<Result<Vec<_>, _>>()?;
    DataFrame::new(height, columns).map_err(|error| (String::new(), error))
}
