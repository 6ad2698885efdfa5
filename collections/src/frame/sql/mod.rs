//! Tables and queries of databases as partitions: ranges of a key column.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what the user may say |
//! | `database` | what a URL names, and how errors speak of it |
//! | `table` | columns of a table or query, with the SQL that reads and compares them |
//! | `statement` | SQL text with bound parameters; where partitions are cut |
//! | `predicate` | filters as SQL |
//! | `columns` | values of rows to columns |
//! | `sqlite`, `postgres`, `numeric` | the two databases, and PostgreSQL's decimal numbers |
//! | `scan` | partitions, with what was pushed down |
//! | `read` | a partition's rows |

mod columns;
mod database;
mod numeric;
mod options;
mod postgres;
mod predicate;
mod read;
mod scan;
mod sqlite;
mod statement;
mod table;

use std::panic::Location as CallSite;

pub use options::SqlOptions;
pub(crate) use read::SqlReader;

use self::database::Database;
use self::scan::SqlScan;
use self::table::Asked;
use super::Frame;
use super::expr::FrameExpr;
use crate::error::Result;

/// Reads a table of a database: an SQLite file (`sqlite:///relative.db`, `sqlite:////absolute.db` or a plain path) or a PostgreSQL server
/// (`postgresql://user:password@host/database`). Cargo feature `sql`. What pandas and Dask call `read_sql_table`.
///
/// Rows are cut into partitions by ranges of the index column ([`SqlOptions::index_col`], by default the primary key), each read by a query
/// of its own; rows without a key are in the last one. Rows come in the order of that column, which is the frame's index. Without such a column there is
/// one partition. When the frame is made, the database counts the rows and goes along the key once for the values at which to cut.
/// Columns that are not used are not asked for, comparisons with literals, null tests and their combinations become SQL, and [`Frame::len`] counts in the database.
///
/// **Types.** Integers, floats, bool, text, bytes, date, time and timestamps (microseconds; with a time zone: UTC) become polars' of the same size; `numeric(p, s)` of PostgreSQL becomes Decimal and
/// `numeric` without a precision float64; PostgreSQL's other types become their text. SQLite columns have their declared type (`INTEGER` int64, `REAL`, `NUMERIC` and
/// `DECIMAL` float64, `BOOLEAN` bool, `DATE`, `DATETIME` and `TIMESTAMP` from ISO text); without one, that of the first 1,000 values. Unlike in pandas,
/// integers stay integers when values are missing.
///
/// Partitions are read by transactions of their own: what is written to the table meanwhile may be seen by some and not by others. Two frames made by two calls
/// are never taken to be equal. Passwords of URLs travel with tasks; messages do not show them. Connections are not encrypted: a server that insists on TLS refuses them.
///
/// # Errors
/// If the database cannot be reached, there is no such table or column, or the index column has no order. A later value that does not fit its column's type is an error that names
/// the table, the partition and the column.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("trips.db");
/// # let made = rusqlite::Connection::open(&path).unwrap();
/// # made.execute_batch("CREATE TABLE trips (id INTEGER PRIMARY KEY, fare REAL); INSERT INTO trips VALUES (1, 2.5), (2, NULL), (7, 1.0)").unwrap();
/// # let path = path.to_str().unwrap();
/// use talatat_collections::frame::{SqlOptions, col, lit, read_sql_table};
/// # use talatat::Compute;
/// let trips = read_sql_table("trips", path, SqlOptions::new().partitions(2))?;
/// assert_eq!((trips.column_names(), trips.partitions()), (vec!["id", "fare"], 2));
/// assert_eq!(trips.filter(col("fare").gt(lit(2.0)))?.len().compute()?, 1);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_sql_table(table: &str, connection: &str, options: SqlOptions) -> Result<Frame> {
    let location = CallSite::caller();
    let asked = Asked::Table { schema: options.schema.clone(), name: table.into() };
    let scan = SqlScan::new(Database::parse(connection)?, asked, &options)?;
    Ok(Frame { node: FrameExpr::scan(scan, location) })
}

/// Reads what a query gives: one `SELECT`, without parameters. All else is as in [`read_sql_table`]; the index column is one of the query's, and without one there is
/// one partition. The query is run by each partition, with a condition around it. What pandas and Dask call `read_sql_query`.
///
/// Rows with equal keys come in the order that the database gives.
///
/// # Errors
/// As [`read_sql_table`], and what the database says of the query.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("trips.db");
/// # let made = rusqlite::Connection::open(&path).unwrap();
/// # made.execute_batch("CREATE TABLE trips (id INTEGER PRIMARY KEY, fare REAL); INSERT INTO trips VALUES (1, 2.5), (2, NULL), (7, 1.0)").unwrap();
/// # let path = path.to_str().unwrap();
/// use talatat_collections::frame::{SqlOptions, read_sql_query};
/// # use talatat::Compute;
/// let query = "SELECT id, fare * 100 AS cents FROM trips WHERE fare IS NOT NULL";
/// let trips = read_sql_query(query, path, SqlOptions::new().index_col("id").partitions(2))?;
/// assert_eq!(trips.compute()?.height(), 2);
/// # Ok::<(), talatat_collections::Error>(())
/// ```
#[track_caller]
pub fn read_sql_query(query: &str, connection: &str, options: SqlOptions) -> Result<Frame> {
    let location = CallSite::caller();
    let asked = Asked::Query(query.trim().trim_end_matches(';').into());
    let scan = SqlScan::new(Database::parse(connection)?, asked, &options)?;
    Ok(Frame { node: FrameExpr::scan(scan, location) })
}
