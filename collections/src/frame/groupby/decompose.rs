//! Aggregations taken apart: into inputs, states that merge, and what makes the result of them.

use std::panic::Location;

use polars::prelude::{AggExpr, DataType, Expr, Literal, NULL, Schema, col, lit, when};
use polars_plan::dsl::{BooleanFunction, CorrelationMethod, FunctionExpr};

use super::state::{State, StateOf};
use super::table::{Of, Parameter, Row, Way, row};
use crate::error::{Error, Result};
use crate::frame::step::{self, Step};

/// What the aggregations of one call read and keep.
pub(crate) struct Parts<'a> {
    schema: &'a Schema,
    location: &'static Location<'static>,
    /// Expressions over the frame's columns, with their types: the stages read them as `in 0`, `in 1` ...
    pub(crate) inputs: Vec<(Expr, DataType)>,
    pub(crate) states: Vec<StateOf>,
}

/// One aggregation, taken apart.
pub(crate) enum Taken {
    /// An expression over states.
    States(Expr),
    /// An expression over inputs that needs all rows of a group.
    Rows(Expr),
}

fn input_name(at: usize) -> String {
    format!("in {at}")
}

impl<'a> Parts<'a> {
    pub(crate) fn new(schema: &'a Schema, location: &'static Location<'static>) -> Parts<'a> {
        Parts { schema, location, inputs: Vec::new(), states: Vec::new() }
    }

    /// The number of an input; equal ones are one.
    fn input(&mut self, operation: &str, expr: Expr) -> Result<usize> {
        if let Some(at) = self.inputs.iter().position(|(known, _)| *known == expr) {
            return Ok(at);
        }
        let field =
            expr.to_field(self.schema).map_err(|error| step::refused(operation, self.schema, &error, self.location))?;
        self.inputs.push((expr, field.dtype().clone()));
        Ok(self.inputs.len() - 1)
    }

    fn dtype(&self, at: usize) -> DataType {
        self.inputs.get(at).map_or(DataType::Null, |(_, dtype)| dtype.clone())
    }

    fn state(&mut self, state: StateOf) -> Expr {
        let column = col(state.column());
        if !self.states.contains(&state) {
            self.states.push(state);
        }
        column
    }

    /// Takes a row of the table apart.
    pub(crate) fn row(&mut self, row: &Row, inputs: &[Expr], parameter: &Parameter) -> Result<Taken> {
        let dtypes = inputs.iter().map(|input| {
            let field = input.to_field(self.schema);
            let field = field.map_err(|error| step::refused(row.name, self.schema, &error, self.location))?;
            Ok(field.dtype().clone())
        });
        let dtypes = dtypes.collect::<Result<Vec<_>>>()?;
        if !(row.accepts)(&dtypes) {
            let inputs: Vec<String> = inputs.iter().map(Expr::to_string).collect();
            let types: Vec<String> = dtypes.iter().map(DataType::to_string).collect();
            let reason = format!(
                "{} of {} makes no sense for type {}; cast it first, or leave it out",
                row.name,
                inputs.join(", "),
                types.join(", ")
            );
            return Err(Error::invalid_at(row.name, reason, self.location));
        }
        if !(0.0..=1.0).contains(&parameter.quantile) {
            let reason = format!("the quantile is {}, but must be from 0 to 1", parameter.quantile);
            return Err(Error::invalid_at(row.name, reason, self.location));
        }
        match &row.way {
            Way::Rows(make) => {
                let inputs = inputs.iter().map(|input| Ok(col(input_name(self.input(row.name, input.clone())?))));
                Ok(Taken::Rows(make(&inputs.collect::<Result<Vec<_>>>()?, parameter)))
            }
            Way::States { prepare, states, finish } => {
                let numbers = prepare(inputs.to_vec()).into_iter().map(|input| self.input(row.name, input));
                let numbers = numbers.collect::<Result<Vec<_>>>()?;
                let of = |which: Of| match which {
                    Of::Nothing => Vec::new(),
                    Of::First => numbers.iter().take(1).copied().collect(),
                    Of::Second => numbers.iter().skip(1).take(1).copied().collect(),
                    Of::Both => numbers.clone(),
                };
                let states: Vec<Expr> = states
                    .iter()
                    .map(|&(state, which)| {
                        let of: Vec<usize> = of(which);
                        let dtype = of.first().map_or(DataType::Null, |&at| self.dtype(at));
                        let listed = matches!(state, State::Largest | State::Smallest);
                        let n = match state {
                            State::Sketch => super::state::SKETCH,
                            _ if listed => parameter.n,
                            _ => 0,
                        };
                        let inputs = of.into_iter().map(input_name).collect();
                        self.state(StateOf { state, inputs, n, dtype })
                    })
                    .collect();
                let dtype = dtypes.first().cloned().unwrap_or(DataType::Int64);
                Ok(Taken::States(finish(&states, &dtype, parameter)))
            }
        }
    }

    /// Takes an expression apart: into states if all that looks at more than one row is an aggregation of the table.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Taken> {
        let (inputs, states) = (self.inputs.len(), self.states.len());
        if let Some(finish) = self.merged(expr)? {
            return Ok(Taken::States(finish));
        }
        self.inputs.truncate(inputs);
        self.states.truncate(states);
        self.rows(expr)
    }

    /// The expression in terms of inputs, each a column of the frame.
    pub(crate) fn rows(&mut self, expr: &Expr) -> Result<Taken> {
        let mut known = Vec::new();
        for name in step::columns_of(expr) {
            let at = self.input("agg", col(name.clone()))?;
            known.push((name, input_name(at)));
        }
        let renamed = expr.clone().map_expr(|part| match &part {
            Expr::Column(name) => {
                known.iter().find(|(from, _)| from == name).map_or(part.clone(), |(_, to)| col(to.as_str()))
            }
            _ => part,
        });
        Ok(Taken::Rows(renamed))
    }

    /// The expression over states, if it is one.
    fn merged(&mut self, expr: &Expr) -> Result<Option<Expr>> {
        Ok(match expr {
            Expr::Literal(_) => Some(expr.clone()),
            Expr::Alias(inner, name) => self.merged(inner)?.map(|inner| inner.alias(name.clone())),
            Expr::Cast { expr, dtype, options } => self.merged(expr)?.map(|inner| Expr::Cast {
                expr: inner.into(),
                dtype: dtype.clone(),
                options: *options,
            }),
            Expr::BinaryExpr { left, op, right } => match (self.merged(left)?, self.merged(right)?) {
                (Some(left), Some(right)) => Some(Expr::BinaryExpr { left: left.into(), op: *op, right: right.into() }),
                _ => None,
            },
            Expr::Ternary { predicate, truthy, falsy } => {
                match (self.merged(predicate)?, self.merged(truthy)?, self.merged(falsy)?) {
                    (Some(predicate), Some(truthy), Some(falsy)) => {
                        Some(Expr::Ternary { predicate: predicate.into(), truthy: truthy.into(), falsy: falsy.into() })
                    }
                    _ => None,
                }
            }
            Expr::Len => self.leaf("size", Vec::new(), Parameter::default())?,
            Expr::Agg(aggregation) => self.aggregation(aggregation)?,
            Expr::Function { input, function } => {
                if let Some((name, parameter)) = function_row(function) {
                    return self.leaf(name, input.clone(), parameter);
                }
                // Whether the function looks at one row at a time is checked when the whole is known.
                let inputs = input.iter().map(|input| self.merged(input)).collect::<Result<Option<Vec<_>>>>()?;
                inputs.map(|input| Expr::Function { input, function: function.clone() })
            }
            _ => None,
        })
    }

    fn aggregation(&mut self, aggregation: &AggExpr) -> Result<Option<Expr>> {
        let (name, input, ddof) = match aggregation {
            AggExpr::Sum(input) => ("sum", input, 1),
            AggExpr::Mean(input) => ("mean", input, 1),
            AggExpr::Min { input, propagate_nans: false } => ("min", input, 1),
            AggExpr::Max { input, propagate_nans: false } => ("max", input, 1),
            AggExpr::Var(input, ddof) => ("var", input, *ddof),
            AggExpr::Std(input, ddof) => ("std", input, *ddof),
            AggExpr::First(input) => ("first_row", input, 1),
            AggExpr::Last(input) => ("last_row", input, 1),
            AggExpr::FirstNonNull(input) => ("first", input, 1),
            AggExpr::LastNonNull(input) => ("last", input, 1),
            AggExpr::NUnique(input) => ("n_unique", input, 1),
            AggExpr::Count { input, include_nulls: false } => ("count", input, 1),
            AggExpr::Count { input, include_nulls: true } => ("size", input, 1),
            _ => return Ok(None),
        };
        self.leaf(name, vec![(**input).clone()], Parameter { ddof, ..Parameter::default() })
    }

    /// An aggregation of rows: its states, if each row of what it aggregates is made by itself.
    fn leaf(&mut self, name: &str, inputs: Vec<Expr>, parameter: Parameter) -> Result<Option<Expr>> {
        let mut name = name;
        let mut plain = Vec::with_capacity(inputs.len());
        for input in inputs {
            let Some(input) = dense(&mut name, input) else { return Ok(None) };
            plain.push(input);
        }
        let checked =
            Step::Select(plain.iter().enumerate().map(|(at, input)| input.clone().alias(input_name(at))).collect());
        if !plain.is_empty() && step::check(checked, self.schema, self.location).is_err() {
            return Ok(None);
        }
        if name == "size" {
            plain.clear();
        }
        let Some(row) = row(name) else { return Ok(None) };
        match self.row(row, &plain, &parameter)? {
            Taken::States(finish) => Ok(Some(finish)),
            Taken::Rows(_) => Ok(None),
        }
    }
}

/// What is aggregated, without a filter around it: the rows that it drops are missing instead, which aggregations pass over.
fn dense(name: &mut &str, input: Expr) -> Option<Expr> {
    match input {
        Expr::Filter { input, by } => {
            let input = match *name {
                // How many rows the filter leaves.
                "size" => {
                    *name = "count";
                    lit(true)
                }
                "first_row" | "last_row" | "n_unique" => return None,
                _ => dense(name, (*input).clone())?,
            };
            Some(when((*by).clone()).then(input).otherwise(NULL.lit()))
        }
        Expr::Function { mut input, function: FunctionExpr::DropNulls } if input.len() == 1 => {
            *name = match *name {
                "size" => "count",
                "first_row" => "first",
                "last_row" => "last",
                "n_unique" => "nunique",
                other => other,
            };
            dense(name, input.pop()?)
        }
        other => Some(other),
    }
}

/// The functions of polars that are aggregations of the table.
fn function_row(function: &FunctionExpr) -> Option<(&'static str, Parameter)> {
    let plain = Parameter::default();
    Some(match function {
        FunctionExpr::Boolean(BooleanFunction::Any { ignore_nulls: true }) => ("any", plain),
        FunctionExpr::Boolean(BooleanFunction::All { ignore_nulls: true }) => ("all", plain),
        FunctionExpr::Product => ("prod", plain),
        FunctionExpr::Correlation { method: CorrelationMethod::Pearson } => ("corr", plain),
        FunctionExpr::Correlation { method: CorrelationMethod::Covariance(ddof) } => {
            ("cov", Parameter { ddof: *ddof, ..plain })
        }
        _ => return None,
    })
}
