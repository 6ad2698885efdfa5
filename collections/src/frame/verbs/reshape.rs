//! Rows and columns turned into each other.

use std::panic::Location;

use polars::prelude::{DataType, Expr, Literal, NULL, PlSmallStr, col, lit, when};

use crate::error::{Error, Result};
use crate::frame::agg::Agg;
use crate::frame::step::{Step, columns as columns_of};
use crate::frame::{ConcatColumns, Frame, concat};

impl Frame {
    /// A row for each element of the lists in these columns; the other columns are repeated. An empty list gives one row with a missing value, and
    /// so does a missing one, as in pandas. Lists in several columns must have equal lengths in each row.
    ///
    /// # Errors
    /// If a column does not exist or holds no lists.
    ///
    /// ```
    /// use talatat_collections::frame::polars::prelude::{IntoLazy, col};
    /// use talatat_collections::frame::{DataType, Frame, df};
    /// let lists = df!("k" => [1, 1, 2], "x" => [1, 2, 3]).unwrap().lazy().group_by([col("k")]).agg([col("x")]).collect().unwrap();
    /// let frame = Frame::from_polars(lists, 1).explode(["x"])?;
    /// assert_eq!(frame.schema().get("x"), Some(&DataType::Int32));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn explode<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        let location = Location::caller();
        let named = self.named("explode", columns, location)?;
        for name in &named {
            let dtype = self.field("explode", name, location)?.dtype;
            if !dtype.is_nested() || dtype.is_struct() {
                let reason = format!("column `{name}` is of type {dtype} and holds no lists");
                return Err(Error::invalid_at("explode", reason, location));
            }
        }
        if named.is_empty() {
            return Ok(self.clone());
        }
        self.step(Step::Explode(named), location)
    }

    /// Columns as rows: each row of the frame becomes one row for each of `value_vars`, with the column's name under `variable` and its
    /// value under `value`; `id_vars` are repeated. pandas' `melt`, but for the order of rows: they stand together by partition, and
    /// within it by variable.
    ///
    /// # Errors
    /// If a column does not exist, none is to be melted, or their types have nothing in common.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["Oslo"], "jan" => [-4.3], "jul" => [17.7]).unwrap(), 1);
    /// assert_eq!(frame.melt(["town"], ["jan", "jul"])?.column_names(), ["town", "variable", "value"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn melt<A: AsRef<str>, B: AsRef<str>>(
        &self,
        id_vars: impl IntoIterator<Item = A>,
        value_vars: impl IntoIterator<Item = B>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let index = self.named("melt", id_vars, location)?;
        let on = self.named("melt", value_vars, location)?;
        if on.is_empty() {
            return Err(Error::invalid_at("melt", "there is no column to melt; say which in `value_vars`", location));
        }
        self.step(Step::Unpivot { index, on }, location)
    }

    /// Columns whose names end in a number as rows: each `stub` is one column, which has the values of `stub1`, `stub2` and so on one below the other, and
    /// the number stands under `j`, int64. `i` and all other columns are repeated: they come first, then `j`, then the stubs. pandas' `wide_to_long` with its
    /// default separator and suffix; rows come number by number, and where a stub has no column of a number they are missing.
    ///
    /// Partitions are read once for each number.
    ///
    /// # Errors
    /// If a column does not exist, no column of a stub does, or a stub's types have nothing in common.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("town" => ["Oslo"], "rain2023" => [763], "rain2024" => [812]).unwrap(), 1);
    /// assert_eq!(frame.wide_to_long(["rain"], ["town"], "year")?.column_names(), ["town", "year", "rain"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn wide_to_long<A: AsRef<str>, B: AsRef<str>>(
        &self,
        stubs: impl IntoIterator<Item = A>,
        i: impl IntoIterator<Item = B>,
        j: &str,
    ) -> Result<Frame> {
        let location = Location::caller();
        let index = self.named("wide_to_long", i, location)?;
        let mut numbers: Vec<i64> = Vec::new();
        let mut found: Vec<(String, Vec<(i64, PlSmallStr)>)> = Vec::new();
        for stub in stubs {
            let stub = stub.as_ref();
            let number = |name: &PlSmallStr| {
                let digits = name.strip_prefix(stub).filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?;
                Some((digits.parse().ok()?, name.clone()))
            };
            let columns: Vec<(i64, PlSmallStr)> = self.node.schema.iter_names().filter_map(number).collect();
            if columns.is_empty() {
                let reason =
                    format!("no column is named `{stub}` and a number; there are {}", columns_of(&self.node.schema));
                return Err(Error::invalid_at("wide_to_long", reason, location));
            }
            for (number, _) in &columns {
                if !numbers.contains(number) {
                    numbers.push(*number);
                }
            }
            found.push((stub.to_string(), columns));
        }
        if found.is_empty() {
            return Err(Error::invalid_at("wide_to_long", "there is no stub; name at least one", location));
        }
        let is_stub =
            |name: &PlSmallStr| found.iter().any(|(_, columns)| columns.iter().any(|(_, other)| other == name));
        let others = self.node.schema.iter_names().filter(|name| !is_stub(name) && !index.contains(name));
        let others: Vec<PlSmallStr> = others.cloned().collect();
        let mut parts = Vec::with_capacity(numbers.len());
        for number in numbers {
            let mut exprs: Vec<Expr> = index.iter().cloned().map(col).collect();
            exprs.push(lit(number).alias(j));
            exprs.extend(others.iter().cloned().map(col));
            for (stub, columns) in &found {
                let column = columns.iter().find(|(other, _)| *other == number);
                exprs.push(column.map_or_else(|| NULL.lit(), |(_, name)| col(name.clone())).alias(stub.as_str()));
            }
            parts.push(self.step(Step::Select(exprs), location)?);
        }
        concat(&parts, ConcatColumns::Outer)
    }

    /// A column of int64 for each of `words`: 1 if the text of a column, cut at `separator`, has that word, else 0; 0 where it is missing. They are
    /// called as the words; the column itself goes. pandas' `str.get_dummies`, with the words said and not found.
    ///
    /// # Errors
    /// If the column does not exist or is not of texts, or two columns have the same name.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("tags" => ["red|big", "big"]).unwrap(), 2);
    /// let made = frame.str_get_dummies("tags", "|", ["red", "big"])?;
    /// assert!(made.compute()?.equals(&df!("red" => [1_i64, 0], "big" => [1_i64, 1]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn str_get_dummies<S: AsRef<str>>(
        &self,
        column: &str,
        separator: &str,
        words: impl IntoIterator<Item = S>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let field = self.field("str_get_dummies", column, location)?;
        let others = self.node.schema.iter_names().filter(|name| **name != field.name).cloned().map(col);
        let text = lit(separator) + col(field.name.clone()) + lit(separator);
        let has = words.into_iter().map(|word| {
            let word = word.as_ref();
            let found = text.clone().str().contains_literal(lit(format!("{separator}{word}{separator}")));
            found.fill_null(lit(false)).cast(DataType::Int64).alias(word)
        });
        self.step(Step::Select(others.chain(has).collect()), location)
    }

    /// A column of truth values for each of `values`: whether the column has that value. They are called `column_value` and stand at the end;
    /// the column itself goes. The values are said and not found, since names of columns are known before anything runs.
    ///
    /// # Errors
    /// If the column does not exist, or a value is of another type.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1, 2], "town" => ["Oslo", "Lyon"]).unwrap(), 1);
    /// assert_eq!(frame.get_dummies("town", ["Oslo", "Lyon"])?.column_names(), ["x", "town_Oslo", "town_Lyon"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn get_dummies<V: Literal + ToString + Clone>(
        &self,
        column: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let field = self.field("get_dummies", column, location)?;
        let others = self.node.schema.iter_names().filter(|name| **name != field.name).cloned().map(col);
        let dummies = values.into_iter().map(|value| {
            let name = format!("{column}_{}", value.to_string());
            col(field.name.clone()).eq_missing(value.lit()).alias(name)
        });
        self.step(Step::Select(others.chain(dummies).collect()), location)
    }

    /// A table of aggregations: a row for each value of `index`, a column for each of `categories`, and in it the aggregation of `values` over the rows
    /// that have both. Where there are none it is missing (0 for sums and counts). The categories are said and not found: names of columns are known
    /// before anything runs.
    ///
    /// # Errors
    /// As [`groupby`](Frame::groupby) and `agg`.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, agg, df};
    /// let sales = df!("day" => [1, 1, 2], "town" => ["Oslo", "Lyon", "Oslo"], "sum" => [10, 20, 30]).unwrap();
    /// let table = Frame::from_polars(sales, 2).pivot_table("day", "town", "sum", ["Oslo", "Lyon"], agg::mean)?;
    /// assert_eq!(table.column_names(), ["day", "Oslo", "Lyon"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn pivot_table<V: Literal + ToString + Clone>(
        &self,
        index: &str,
        columns: &str,
        values: &str,
        categories: impl IntoIterator<Item = V>,
        agg: impl Fn(Expr) -> Agg,
    ) -> Result<Frame> {
        let location = Location::caller();
        let named: Vec<PlSmallStr> = self.named("pivot_table", [index, columns, values], location)?;
        let [index, columns, values] = named.as_slice() else { return Ok(self.clone()) };
        let aggs = categories.into_iter().map(|category| {
            let name = category.to_string();
            agg(when(col(columns.clone()).eq(category.lit())).then(col(values.clone())).otherwise(NULL.lit()))
                .alias(name)
        });
        self.groupby([col(index.clone())])?.agg(aggs)
    }
}
