//! Tables as partitions, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{AnyValue, Column, DataFrame, DataType, Expr, IdxSize, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::SqlReader;
use super::database::Database;
use super::options::SqlOptions;
use super::statement::{Bound, Dialect, Range, Statement, bound, quoted};
use super::table::{Asked, SqlColumn, Table};
use crate::error::Result;
use crate::frame::divisions::Divisions;
use crate::frame::expr::{Columns, Facts};
use crate::frame::kernels::Source;
use crate::frame::kernels::order::Order;
use crate::frame::scan::{Pushed, Scan};
use crate::frame::step::row_bytes;
use crate::frame::wire::unique;
use crate::storage::error::{Result as Stored, StorageError};

/// A table as ranges of its key.
#[derive(Clone)]
pub(crate) struct SqlScan {
    table: Arc<Table>,
    /// What rows are cut by.
    key: Option<Arc<SqlColumn>>,
    ranges: Arc<[Range]>,
    divisions: Option<Divisions>,
    /// Rows of a partition, about.
    rows: u64,
    all: SchemaRef,
    pushed: Pushed,
    /// No other call's: the table may have changed in between.
    identity: u64,
}

/// Where partitions are cut.
struct Cuts {
    ranges: Vec<Range>,
    /// The values at which they begin, and the end of the last, if the database was asked for them.
    values: Option<Column>,
    rows: u64,
}

impl SqlScan {
    /// Asks the database for columns, rows, and where to cut.
    ///
    /// # Errors
    /// If it cannot be reached, or what is asked for is not there.
    pub(super) fn new(database: Database, asked: Asked, options: &SqlOptions) -> Result<SqlScan> {
        let (table, primary) = Table::open(database, &asked, options)?;
        let all = Arc::new(table.schema());
        let key = match &options.index_col {
            Some(name) => {
                let column = table.column(name).filter(|column| column.has_order());
                Some(column.ok_or_else(|| without_order(&table, name))?.clone())
            }
            None => primary.and_then(|name| table.column(&name).cloned()).filter(SqlColumn::has_order),
        };
        let (rows, keyed) = count(&table, key.as_ref())?;
        let Some(key) = key else {
            if options.divisions.is_some() || options.partitions.is_some_and(|count| count > 1) {
                let reason = "there is no column to cut partitions by: the table has no primary key of one column; name one with `.index_col(...)`";
                return Err(table.failed(reason).into());
            }
            let (table, ranges) = (Arc::new(table), [Range::all()].into());
            let pushed = Pushed::default();
            return Ok(SqlScan { table, key: None, ranges, divisions: None, rows, all, pushed, identity: unique() });
        };
        let cuts = match &options.divisions {
            Some(values) => given(&table, &key, values, rows)?,
            None => {
                let bytes = rows.saturating_mul(row_bytes(&all).max(1));
                let count = options.partitions.map_or(bytes.div_ceil(options.partition_bytes), |count| count as u64);
                found(&table, &key, rows, keyed, count.max(1))?
            }
        };
        // The order of texts is that of times only as long as all are written alike.
        let ordered = table.dialect == Dialect::Postgres || !key.native.0.is_temporal();
        let known = cuts.values.map(|values| Divisions::between(&key.name, &values));
        let divisions = known.or_else(|| Some(Divisions::unknown(&key.name))).filter(|_| ordered);
        Ok(SqlScan {
            table: Arc::new(table),
            key: Some(Arc::new(key)),
            ranges: cuts.ranges.into(),
            divisions,
            rows: cuts.rows,
            all,
            pushed: Pushed::default(),
            identity: unique(),
        })
    }
}

fn without_order(table: &Table, name: &str) -> StorageError {
    let column = table.column(name);
    let kind = column.map_or("", |column| column.kind.as_str());
    let asked = column.is_some_and(|column| column.dtype.0 != column.native.0 || column.converts);
    let why = match asked {
        true => "is read as another type than it has, so that the database's order is not its own".into(),
        false => format!("has the type {kind}, whose values have no order that the database and frames share"),
    };
    let mend = "take a number, a time or a text, whose type is not changed, as `.index_col(...)`";
    table.failed(format!("`{name}` cannot be what partitions are cut by: it {why}; {mend}"))
}

fn count(table: &Table, key: Option<&SqlColumn>) -> Stored<(u64, u64)> {
    let of_key = key.map_or("*".into(), |key| quoted(&key.name));
    let statement = Statement::new(format!("SELECT count(*), count({of_key}) FROM {}", table.relation));
    let columns = ["rows", "keys"].map(|name| SqlColumn::new(name, DataType::Int64, "int8"));
    let counts = table.query(&statement, &columns)?;
    let value = |name| counts.column(name).ok().and_then(|column| column.i64().ok()?.get(0)).unwrap_or(0);
    Ok((value("rows").max(0) as u64, value("keys").max(0) as u64))
}

/// Cuts at the values that the user gives: the first and the last range are open, so that no row is lost.
fn given(table: &Table, key: &SqlColumn, values: &Column, rows: u64) -> Stored<Cuts> {
    let failed = |reason: String| table.failed(format!("divisions: {reason}"));
    let values = values
        .strict_cast(&key.native.0)
        .map_err(|_| failed(format!("they are {}, but `{}` is {}", values.dtype(), key.name, key.native.0)))?;
    let sorted = DataFrame::new(values.len(), vec![values.clone()])
        .and_then(|frame| Order::ascending(values.name()).holds(&frame))
        .map_err(|error| failed(error.to_string()))?;
    let unique = values.n_unique().map_err(|error| failed(error.to_string()))?;
    if values.len() < 2 || values.null_count() > 0 || !sorted || unique < values.len() {
        return Err(failed("at least two values are needed, each larger than the one before, none missing".into()));
    }
    let text = values.cast(&DataType::String).map_err(|error| failed(error.to_string()))?;
    let bounds = bounds(table, key, &values, &text)?;
    let parts = bounds.len() - 1;
    let inner = |at: usize| bounds.get(at).filter(|_| at > 0 && at < parts).cloned();
    let range = |at| Range { low: inner(at), high: inner(at + 1), closed: false, missing: at + 1 == parts };
    Ok(Cuts { ranges: (0..parts).map(range).collect(), values: None, rows: rows.div_ceil(parts as u64) * 2 })
}

/// Cuts into ranges of about equal numbers of rows: goes along the key once.
fn found(table: &Table, key: &SqlColumn, rows: u64, keyed: u64, count: u64) -> Stored<Cuts> {
    let all = |rows| Cuts { ranges: vec![Range::all()], values: None, rows };
    let Some(compare) = key.compare.as_deref().filter(|_| keyed > 0 && count > 1) else { return Ok(all(rows)) };
    let step = keyed.div_ceil(count);
    let as_text = match table.dialect {
        Dialect::Sqlite => quoted(&key.name),
        Dialect::Postgres => format!("{}::text", quoted(&key.name)),
    };
    let name = quoted(&key.name);
    let text = format!(
        "SELECT {} AS value, {as_text} AS shown FROM (SELECT {name}, row_number() OVER (ORDER BY {compare}) - 1 AS place \
         FROM {} WHERE {name} IS NOT NULL) AS numbered WHERE place % {step} = 0 OR place = {} ORDER BY place",
        key.read,
        table.relation,
        keyed - 1
    );
    let columns = [
        SqlColumn { name: "value".into(), ..key.clone() },
        SqlColumn { name: "shown".into(), converts: true, ..SqlColumn::new("shown", DataType::String, "text") },
    ];
    let cuts = table.query(&Statement::new(text), &columns)?;
    let failed = |error: polars::prelude::PolarsError| table.failed(error);
    let value = cuts.column("value").map_err(failed)?;
    // Equal keys are in one partition: each value is a cut once, and the last one is the end.
    let (last, mut kept) = (cuts.height().saturating_sub(1), Vec::<IdxSize>::new());
    for at in 0..cuts.height() {
        let new = match kept.last() {
            Some(before) => value.get(*before as usize).map_err(failed)? != value.get(at).map_err(failed)?,
            None => true,
        };
        if new {
            kept.push(at as IdxSize);
        }
    }
    // A last value that begins a range of its own ends it, too.
    let ends_alone = (keyed - 1).is_multiple_of(step) || kept.len() < 2;
    if ends_alone || kept.last().is_some_and(|at| (*at as usize) < last) {
        kept.push(last as IdxSize);
    }
    let rows_kept = polars::prelude::IdxCa::from_vec("".into(), kept);
    let cuts: DataFrame = cuts.take(&rows_kept).map_err(failed)?;
    let (value, shown) = (cuts.column("value").map_err(failed)?, cuts.column("shown").map_err(failed)?);
    let bounds = bounds(table, key, value, shown)?;
    let parts = bounds.len() - 1;
    let range = |at: usize| {
        let end = at + 1 == parts;
        Range {
            low: bounds.get(at).cloned(),
            high: bounds.get(at + 1).cloned(),
            closed: end,
            missing: end && keyed < rows,
        }
    };
    let missing = rows - keyed.min(rows);
    Ok(Cuts { ranges: (0..parts).map(range).collect(), values: Some(value.clone()), rows: step.max(missing) })
}

/// Values of the key as parameters.
fn bounds(table: &Table, key: &SqlColumn, values: &Column, texts: &Column) -> Stored<Vec<Bound>> {
    let failed = || table.failed(format!("`{}` has values that cannot be compared with", key.name));
    let texts = texts.str().map_err(|_| failed())?;
    let own = |at: usize| -> Option<Bound> {
        let text = || texts.get(at).map(str::to_string);
        match (table.dialect, &key.native.0) {
            (Dialect::Postgres, DataType::String) => text().map(Bound::Text),
            // Every value has a text that gives the same value again.
            (Dialect::Postgres, _) => text().map(|text| Bound::Typed(text, key.kind.clone())),
            (Dialect::Sqlite, dtype) if dtype.is_temporal() => text().map(Bound::Text),
            (Dialect::Sqlite, dtype) => bound(Dialect::Sqlite, dtype, &values.get(at).unwrap_or(AnyValue::Null)),
        }
    };
    (0..values.len()).map(|at| own(at).ok_or_else(failed)).collect()
}

impl Scan for SqlScan {
    fn schema(&self) -> SchemaRef {
        self.pushed.schema(&self.all)
    }

    fn key(&self) -> Key {
        self.pushed.add_to_key(KeyBuilder::new("frame.read_sql").number(self.identity)).finish()
    }

    fn partitions(&self) -> usize {
        self.ranges.len()
    }

    fn rows(&self) -> u64 {
        self.pushed.rows(self.rows)
    }

    /// How many rows there are is counted when they are read: the table may change before.
    fn facts(&self) -> Facts {
        let index = self.divisions.clone().filter(|index| self.pushed.wants(index.column()));
        Facts { lengths: None, divisions: index }
    }

    fn describe(&self) -> String {
        let by = self.key.as_ref().map_or_else(String::new, |key| format!(" by `{}`", key.name));
        let condition = self.source_reader().condition();
        let condition = condition.map_or_else(String::new, |text| format!(", in SQL: {text}"));
        let (table, pushed) = (&self.table.shown, self.pushed.describe(&self.all));
        format!("read_sql {table}: {} partitions{by}, {pushed}{condition}", self.ranges.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let pushed = self.pushed.projected(&self.all, columns)?;
        Some(Arc::new(SqlScan { pushed, ..self.clone() }))
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        Some(Arc::new(SqlScan { pushed: self.pushed.filtered(condition), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Sql(Box::new(self.source_reader()))
    }

    /// Columns grow by doubling.
    fn scratch(&self) -> u64 {
        self.rows.saturating_mul(row_bytes(&self.pushed.read(&self.all)))
    }
}

impl SqlScan {
    fn source_reader(&self) -> SqlReader {
        SqlReader {
            first: 0,
            table: self.table.clone(),
            key: self.key.clone(),
            ranges: self.ranges.clone(),
            pushed: self.pushed.clone(),
        }
    }
}
