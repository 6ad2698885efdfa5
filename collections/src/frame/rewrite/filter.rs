//! Moves filters towards the reader, so that rows that nobody wants are dropped where they are parsed.
//!
//! A condition passes a step that does not make the columns it reads; through a `select` that only renames them it goes with
//! the names changed. All steps look at one row at a time, so dropping rows earlier changes nothing else. Operations say by themselves
//! whether it passes them. It does not pass what others read, too.

use std::collections::HashSet;

use polars::prelude::{Expr, Operator, PlSmallStr};
use talatat_graph::Key;

use super::Root;
use super::walk::{readers, rebuilt};
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Op, output_name};
use crate::frame::step::{Step, columns_of};

/// Rewrites the whole expressions, inputs first.
pub(super) fn push(roots: &[Root]) -> Result<Vec<Node>> {
    let nodes: Vec<&Node> = roots.iter().map(|root| &root.node).collect();
    let counted = readers(nodes.iter().copied());
    let several: HashSet<Key> = counted.iter().filter(|(_, count)| *count > 1).map(|(node, _)| node.key).collect();
    let mut pass = Pass::default();
    rebuilt(&nodes, |node, inputs| {
        let new = match (&node.op, inputs.as_slice()) {
            (Op::Step(Step::Filter(predicate)), [below]) => {
                let mut conditions = Vec::new();
                split(predicate, &mut conditions);
                conditions.into_iter().try_fold(below.clone(), |below, condition| pass.sink(&below, condition, node))?
            }
            _ => node.on(inputs)?,
        };
        if several.contains(&node.key) {
            pass.shared.insert(new.key);
        }
        Ok(new)
    })
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

/// One run of the rule.
#[derive(Default)]
struct Pass {
    /// What has other readers, too, who want all rows.
    shared: HashSet<Key>,
}

impl Pass {
    /// Puts a condition as far below as it goes.
    fn sink(&self, below: &Node, condition: Expr, filter: &FrameExpr) -> Result<Node> {
        let reads = columns_of(&condition);
        let stays = |condition| FrameExpr::step(below.clone(), Step::Filter(condition), filter.location);
        // A condition on no column at all stays where its author put it.
        if reads.is_empty() || self.shared.contains(&below.key) {
            return stays(condition);
        }
        let through = |input: &Node, condition| below.on(vec![self.sink(input, condition, filter)?]);
        match (&below.op, below.inputs.as_slice()) {
            (Op::Scan(scan), _) => match scan.filtered(&condition) {
                Some(scan) => Ok(FrameExpr::scan_of(scan, below.location)),
                None => stays(condition),
            },
            (Op::Step(step), [input]) => match condition_below(step, input, &condition, &reads) {
                Some(condition) => through(input, condition),
                None => stays(condition),
            },
            (Op::Custom(operation), inputs) => {
                let places = operation.sinks(inputs, &condition);
                if places.is_empty() {
                    return stays(condition);
                }
                let mut inputs = inputs.to_vec();
                for (at, condition) in places {
                    if let Some(input) = inputs.get_mut(at) {
                        *input = self.sink(input, condition, filter)?;
                    }
                }
                below.on(inputs)
            }
            _ => stays(condition),
        }
    }
}

/// The condition in the names of the step's input, if it passes the step.
fn condition_below(step: &Step, input: &Node, condition: &Expr, reads: &[PlSmallStr]) -> Option<Expr> {
    let made = |exprs: &[Expr], name| exprs.iter().any(|expr| output_name(expr, &input.schema).as_ref() == Some(name));
    match step {
        // A filter that stayed: whether this one gets further does not depend on it.
        Step::Filter(_) => Some(condition.clone()),
        Step::WithColumns(exprs) => (!reads.iter().any(|name| made(exprs, name))).then(|| condition.clone()),
        Step::Select(exprs) => renamed(condition, exprs),
        Step::Explode(columns) => (!reads.iter().any(|name| columns.contains(name))).then(|| condition.clone()),
        Step::Unpivot { index, .. } => reads.iter().all(|name| index.contains(name)).then(|| condition.clone()),
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
