//! Filters as SQL, as far as databases see them as polars does.
//!
//! Both have the same logic of missing values. What has none but a look-alike in SQL (arithmetic, functions of texts, comparisons of columns of different types) stays polars' work.

use polars::prelude::{
    AnyValue, BooleanFunction, ClosedInterval, DataType, Expr, FunctionExpr, LiteralValue, Operator,
};
use polars_plan::plans::DynLiteralValue;

use super::statement::{Bound, Statement, bound};
use super::table::{SqlColumn, Table};

/// Values of one list.
const LIST: usize = 100;

/// The conditions joined by "and": those that were added to the statement, and the rest.
pub(super) fn split<'e>(table: &Table, predicate: &'e Expr, pushed: &mut Vec<&'e Expr>, rest: &mut Vec<&'e Expr>) {
    if let Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } = predicate {
        split(table, left, pushed, rest);
        split(table, right, pushed, rest);
        return;
    }
    let taken = condition(table, predicate, &mut Statement::default()).is_some();
    if taken { pushed.push(predicate) } else { rest.push(predicate) }
}

/// Adds a condition to a statement. What was added is of no use if there is no SQL for it.
pub(super) fn condition(table: &Table, predicate: &Expr, out: &mut Statement) -> Option<()> {
    match predicate {
        Expr::Column(_) => {
            let (_, name) = column(table, predicate).filter(|(of, _)| of.dtype.0 == DataType::Boolean)?;
            out.push(&format!("{name} = ")).bind(table.dialect, &Bound::Bool(true));
            Some(())
        }
        Expr::BinaryExpr { left, op, right } => {
            let word = match op {
                Operator::And | Operator::LogicalAnd => " AND ",
                Operator::Or | Operator::LogicalOr => " OR ",
                _ => return compared(table, left, *op, right, out),
            };
            out.push("(");
            condition(table, left, out)?;
            out.push(word);
            condition(table, right, out)?;
            out.push(")");
            Some(())
        }
        Expr::Function { input, function: FunctionExpr::Boolean(function) } => called(table, input, function, out),
        _ => None,
    }
}

fn called(table: &Table, input: &[Expr], function: &BooleanFunction, out: &mut Statement) -> Option<()> {
    match (function, input) {
        (BooleanFunction::Not, [inner]) => {
            out.push("NOT (");
            condition(table, inner, out)?;
            out.push(")");
        }
        (BooleanFunction::IsNull, [inner]) => {
            out.push(&format!("{} IS NULL", column(table, inner)?.1));
        }
        (BooleanFunction::IsNotNull, [inner]) => {
            out.push(&format!("{} IS NOT NULL", column(table, inner)?.1));
        }
        (BooleanFunction::IsBetween { closed }, [inner, low, high]) => {
            let (from, to) = match closed {
                ClosedInterval::Both => (Operator::GtEq, Operator::LtEq),
                ClosedInterval::Left => (Operator::GtEq, Operator::Lt),
                ClosedInterval::Right => (Operator::Gt, Operator::LtEq),
                ClosedInterval::None => (Operator::Gt, Operator::Lt),
            };
            out.push("(");
            compared(table, inner, from, low, out)?;
            out.push(" AND ");
            compared(table, inner, to, high, out)?;
            out.push(")");
        }
        (BooleanFunction::IsIn { nulls_equal: false }, [inner, Expr::Literal(LiteralValue::Series(list))]) => {
            let (of, name) = column(table, inner)?;
            let nested = matches!(list.dtype(), DataType::List(_));
            if nested || list.is_empty() || list.len() > LIST || list.null_count() > 0 {
                return None;
            }
            out.push(&format!("{name} IN ("));
            for (at, value) in list.iter().enumerate() {
                out.push(if at == 0 { "" } else { ", " }).bind(table.dialect, &same(table, of, &value)?);
            }
            out.push(")");
        }
        _ => return None,
    }
    Some(())
}

fn compared(table: &Table, left: &Expr, op: Operator, right: &Expr, out: &mut Statement) -> Option<()> {
    let turned = match op {
        Operator::Lt => Operator::Gt,
        Operator::LtEq => Operator::GtEq,
        Operator::Gt => Operator::Lt,
        Operator::GtEq => Operator::LtEq,
        other => other,
    };
    let (of, name, op, value) = match (column(table, left), column(table, right)) {
        (Some((of, name)), None) => (of, name, op, right),
        (None, Some((of, name))) => (of, name, turned, left),
        _ => return None,
    };
    let sign = match op {
        Operator::Eq => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    };
    let value = match value {
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Int(value))) => same(table, of, &AnyValue::Int128(*value)),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Float(value))) => same(table, of, &AnyValue::Float64(*value)),
        Expr::Literal(LiteralValue::Dyn(DynLiteralValue::Str(text))) => same(table, of, &AnyValue::String(text)),
        Expr::Literal(LiteralValue::Scalar(value)) => same(table, of, &value.as_any_value()),
        _ => None,
    }?;
    out.push(&format!("{name} {sign} ")).bind(table.dialect, &value);
    Some(())
}

/// A value as a parameter beside a column.
fn same(table: &Table, column: &SqlColumn, value: &AnyValue<'_>) -> Option<Bound> {
    // A decimal that is read as a float is compared as one, not as the decimal it is.
    if column.kind == "numeric" {
        return None;
    }
    bound(table.dialect, &column.dtype.0, value)
}

/// A column that can be compared, and how.
fn column<'t>(table: &'t Table, expr: &Expr) -> Option<(&'t SqlColumn, &'t str)> {
    let Expr::Column(name) = expr else { return None };
    let column = table.column(name)?;
    Some((column, column.compare.as_deref()?))
}
