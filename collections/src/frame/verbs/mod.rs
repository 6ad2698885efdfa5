//! pandas' verbs on rows and columns: each is a partition-wise step made of polars' expressions.
//!
//! | file | verbs |
//! |---|---|
//! | `columns` | `drop` `rename` `add_prefix` `add_suffix` `astype` |
//! | `combine` | `combine_first` `update` `corrwith` `equals` |
//! | `missing` | `isna` `notna` `fillna` `dropna` |
//! | `values` | `where_` `mask` `isin` `clip` `round` `abs` `replace` |
//! | `reshape` | `explode` `melt` `wide_to_long` `get_dummies` `str_get_dummies` `pivot_table` |
//! | `rows` | `with_row_index` `sample` `random_split` `iloc` `take` |
//!
//! What pandas does to one `Series` is an expression: `col("x").is_between(..)`, `col("x").str().to_uppercase()`, `col("t").dt().hour()`.
//! A verb on the whole frame takes the columns whose types it makes sense for and leaves the others as they are.

mod columns;
mod combine;
mod missing;
mod reshape;
mod rows;
mod values;

pub use missing::DropNa;

use std::panic::Location;

use polars::prelude::{DataType, Expr, Field, LiteralValue, PlSmallStr, SchemaExt, col};

use super::Frame;
use super::step::Step;
use crate::error::{Error, Result};

/// Kinds of types: a value of one kind fits a column of the same kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Number,
    Text,
    Truth,
    Time,
    Other,
}

impl Kind {
    fn of(dtype: &DataType) -> Kind {
        match dtype {
            dtype if dtype.is_primitive_numeric() || dtype.is_decimal() => Kind::Number,
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) => Kind::Text,
            DataType::Boolean => Kind::Truth,
            dtype if dtype.is_temporal() => Kind::Time,
            _ => Kind::Other,
        }
    }

    /// The kind of a constant; `None` for a null, which fits everywhere.
    fn of_value(value: &Expr) -> Option<Kind> {
        match value {
            Expr::Literal(LiteralValue::Scalar(scalar)) if scalar.is_null() => None,
            Expr::Literal(value) => Some(match value {
                LiteralValue::Dyn(_) => Kind::Number,
                other => Kind::of(&other.get_datatype()),
            }),
            _ => None,
        }
    }
}

impl Frame {
    /// One expression in the place of each column that fits.
    fn each(
        &self,
        location: &'static Location<'static>,
        fits: impl Fn(&DataType) -> bool,
        change: impl Fn(Expr, &DataType) -> Expr,
    ) -> Result<Frame> {
        let fitting = self.node.schema.iter().filter(|(_, dtype)| fits(dtype));
        let exprs: Vec<Expr> =
            fitting.map(|(name, dtype)| change(col(name.clone()), dtype).alias(name.clone())).collect();
        if exprs.is_empty() {
            return Ok(self.clone());
        }
        self.step(Step::WithColumns(exprs), location)
    }

    /// The column with this name.
    pub(super) fn field(&self, operation: &str, name: &str, location: &'static Location<'static>) -> Result<Field> {
        let found = self.node.schema.get_field(name);
        found.ok_or_else(|| {
            let reason = super::step::no_column(name, &self.node.schema);
            Error::invalid_at(operation, reason, location)
        })
    }

    /// The names given, each of which must be a column.
    fn named<S: AsRef<str>>(
        &self,
        operation: &str,
        names: impl IntoIterator<Item = S>,
        location: &'static Location<'static>,
    ) -> Result<Vec<PlSmallStr>> {
        names.into_iter().map(|name| Ok(self.field(operation, name.as_ref(), location)?.name)).collect()
    }
}
