//! Moves filters towards the reader, so that rows that nobody wants are dropped where they are parsed.
//!
//! A condition passes a step that does not make the columns it reads; through a `select` that only renames them it goes with
//! the names changed. All steps look at one row at a time, so dropping rows earlier changes nothing else. It does not pass
//! `head`, `groupby` and `map_partitions`, which look at other rows.

use polars::prelude::{Expr, Operator};

use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Op, output_name};
use crate::frame::step::{Step, columns_of};

/// Rewrites the whole expression, inputs first.
pub(super) fn push(node: &Node) -> Result<Node> {
    let Some(input) = node.input() else { return Ok(node.clone()) };
    let below = push(input)?;
    match &node.op {
        Op::Step { step: Step::Filter(predicate), .. } => {
            let mut conditions = Vec::new();
            split(predicate, &mut conditions);
            conditions.into_iter().try_fold(below, |below, condition| sink(below, condition, node))
        }
        _ if std::sync::Arc::ptr_eq(&below, input) => Ok(node.clone()),
        _ => node.on(below),
    }
}

/// The conditions that a filter joins by "and".
fn split(predicate: &Expr, conditions: &mut Vec<Expr>) {
    match predicate {
        Expr::BinaryExpr { left, op: Operator::And | Operator::LogicalAnd, right } => {
            split(left, conditions);
            split(right, conditions);
        }
        other => conditions.push(other.clone()),
    }
}

/// Puts a condition as far below as it goes.
fn sink(below: Node, condition: Expr, filter: &FrameExpr) -> Result<Node> {
    let reads = columns_of(&condition);
    match &below.op {
        // A condition on no column at all stays where its author put it.
        Op::Csv(scan) if !reads.is_empty() => {
            let mut scan = scan.clone();
            scan.predicate = Some(match scan.predicate.take() {
                Some(known) => known.and(condition),
                None => condition,
            });
            Ok(FrameExpr::csv(scan, below.location))
        }
        Op::Step { input, step: step @ Step::WithColumns(exprs) } => {
            let made = |name| exprs.iter().any(|expr| output_name(expr, &input.schema).as_ref() == Some(name));
            if reads.is_empty() || reads.iter().any(made) {
                return FrameExpr::step(below, Step::Filter(condition), filter.location);
            }
            let input = sink(input.clone(), condition, filter)?;
            FrameExpr::step(input, step.clone(), below.location)
        }
        Op::Step { input, step: step @ Step::Select(exprs) } => match renamed(&condition, exprs) {
            Some(condition) if !reads.is_empty() => {
                let input = sink(input.clone(), condition, filter)?;
                FrameExpr::step(input, step.clone(), below.location)
            }
            _ => FrameExpr::step(below, Step::Filter(condition), filter.location),
        },
        Op::Step { input, step: step @ Step::Filter(_) } => {
            // A filter that stayed: whether this one gets further does not depend on it.
            let input = sink(input.clone(), condition, filter)?;
            FrameExpr::step(input, step.clone(), below.location)
        }
        _ => FrameExpr::step(below, Step::Filter(condition), filter.location),
    }
}

/// The condition in the names of a `select`'s input, if each column it reads is there under some name.
fn renamed(condition: &Expr, exprs: &[Expr]) -> Option<Expr> {
    let source = |name: &str| {
        exprs.iter().find_map(|expr| match expr {
            Expr::Column(column) if column == name => Some(Expr::Column(column.clone())),
            Expr::Alias(inner, alias) if alias == name => match &**inner {
                column @ Expr::Column(_) => Some(column.clone()),
                _ => None,
            },
            _ => None,
        })
    };
    if !columns_of(condition).iter().all(|name| source(name).is_some()) {
        return None;
    }
    Some(condition.clone().map_expr(|part| match &part {
        Expr::Column(name) => source(name).unwrap_or(part),
        _ => part,
    }))
}
