//! Functions that polars' expressions have not, or only behind a feature: an expression holds them by name and parameters, so that they travel to
//! other processes as expressions do.
//!
//! | file | what |
//! |---|---|
//! | `along` | statistics of all rows so far: `expanding`, `ewm` |
//! | `text` | what pandas' `.str` has beside polars' |
//! | `windowed` | statistics of windows |
//! | `time` | what pandas' `.dt` has beside polars' |

pub(crate) mod along;
pub mod text;
pub mod time;
pub(crate) mod windowed;

use std::sync::Arc;

use polars::prelude::{Column, DataType, Expr, Field, PolarsError, PolarsResult, Schema};
use polars_plan::dsl::{AnonymousColumnsUdf, BaseColumnUdf, ColumnsUdf, LazySerde, SpecialEq};
use polars_plan::prelude::FunctionOptions;
use serde::{Deserialize, Serialize};

use self::along::Along;
use self::text::Text;
use self::windowed::Windowed;

/// A function of columns, by its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Function {
    /// Of texts, row by row.
    Text(Text),
    /// Of all rows so far.
    Along(Along),
    /// Of a window at each row.
    Windowed(Windowed),
}

/// What the bytes of a function begin with.
const MARK: &[u8] = b"talatat function ";

impl Function {
    fn name(&self) -> &'static str {
        match self {
            Function::Text(text) => text.name(),
            Function::Along(along) => along.statistic.name(),
            Function::Windowed(windowed) => windowed.name(),
        }
    }

    /// The function of these expressions.
    pub(crate) fn of(self, input: Vec<Expr>) -> Expr {
        let (name, options) = (self.name(), self.options());
        let function = LazySerde::Deserialized(SpecialEq::new(Arc::new(self) as Arc<dyn AnonymousColumnsUdf>));
        Expr::AnonymousFunction { input, function, options, fmt_str: Box::new(name.into()) }
    }

    /// Whether rows stand for themselves.
    fn options(&self) -> FunctionOptions {
        match self {
            Function::Text(_) => FunctionOptions::elementwise(),
            Function::Along(_) | Function::Windowed(_) => FunctionOptions::length_preserving(),
        }
    }
}

impl ColumnsUdf for Function {
    fn call_udf(&self, columns: &mut [Column]) -> PolarsResult<Column> {
        match self {
            Function::Text(text) => text.apply(only(columns)?),
            Function::Along(along) => along.apply(columns),
            Function::Windowed(windowed) => windowed.apply(columns),
        }
    }
}

impl AnonymousColumnsUdf for Function {
    fn as_column_udf(self: Arc<Self>) -> Arc<dyn ColumnsUdf> {
        self
    }

    fn deep_clone(self: Arc<Self>) -> Arc<dyn AnonymousColumnsUdf> {
        self
    }

    fn try_serialize(&self, bytes: &mut Vec<u8>) -> PolarsResult<()> {
        bytes.extend_from_slice(MARK);
        bytes.extend(postcard::to_stdvec(self).map_err(|error| PolarsError::ComputeError(error.to_string().into()))?);
        Ok(())
    }

    fn get_field(&self, _: &Schema, fields: &[Field]) -> PolarsResult<Field> {
        let first = fields.first().ok_or_else(|| PolarsError::ComputeError("a function without columns".into()))?;
        match self {
            Function::Text(text) => text.field(first),
            Function::Along(_) | Function::Windowed(_) => Ok(Field::new(first.name().clone(), DataType::Float64)),
        }
    }
}

fn only(columns: &[Column]) -> PolarsResult<&Column> {
    columns.first().ok_or_else(|| PolarsError::ComputeError("a function without columns".into()))
}

/// A closure of columns of numbers as an expression. It cannot leave this process.
pub(crate) fn closure(
    function: impl Fn(&mut [Column]) -> PolarsResult<Column> + Send + Sync + 'static,
    input: Vec<Expr>,
) -> Expr {
    let float = |_: &Schema, fields: &[Field]| {
        let first = fields.first().ok_or_else(|| PolarsError::ComputeError("a function without columns".into()))?;
        Ok(Field::new(first.name().clone(), DataType::Float64))
    };
    let function = LazySerde::Deserialized(SpecialEq::new(
        Arc::new(BaseColumnUdf::new(function, float)) as Arc<dyn AnonymousColumnsUdf>
    ));
    let options = FunctionOptions::length_preserving();
    Expr::AnonymousFunction { input, function, options, fmt_str: Box::new("apply".into()) }
}

/// An expression that came as bytes, with its functions found again: polars leaves them as bytes.
pub(crate) fn arrived(expr: Expr) -> PolarsResult<Expr> {
    expr.try_map_expr(|part| match part {
        Expr::AnonymousFunction { input, function: LazySerde::Bytes(bytes), .. } => {
            let unknown = || PolarsError::ComputeError("a function of an expression is not known here".into());
            let parameters = bytes.strip_prefix(MARK).ok_or_else(unknown)?;
            let function: Function = postcard::from_bytes(parameters).map_err(|_| unknown())?;
            Ok(function.of(input))
        }
        other => Ok(other),
    })
}
