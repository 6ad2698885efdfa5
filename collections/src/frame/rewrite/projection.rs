//! Reads off which columns are needed, so that the reader parses no others.
//!
//! From the result towards the reader: what a step needs is what its expressions read and what is needed after it. Columns that a
//! `with_columns` or `select` makes for nobody are not made. When only the number of rows is wanted, no column is needed but those
//! of filters.

use std::collections::BTreeSet;
use std::sync::Arc;

use polars::prelude::{Expr, PlSmallStr};

use super::Wanted;
use crate::error::Result;
use crate::frame::expr::{FrameExpr, Node, Op, output_name};
use crate::frame::step::{Step, columns_of};

type Columns = BTreeSet<PlSmallStr>;

/// Rewrites the whole expression.
pub(super) fn push(node: &Node, wanted: Wanted) -> Result<Node> {
    match wanted {
        Wanted::All => need(node, None),
        Wanted::Rows => need(node, Some(Columns::new())),
    }
}

/// The expression with the columns that are needed, and perhaps others; `None` needs all, as they are.
fn need(node: &Node, needed: Option<Columns>) -> Result<Node> {
    let input = match &node.op {
        Op::Data(_) | Op::Foreign(_) => return Ok(node.clone()),
        Op::Csv(scan) => {
            let Some(needed) = needed else { return Ok(node.clone()) };
            let mut scan = scan.clone();
            let names = scan.schema();
            let kept: Arc<[PlSmallStr]> = names.iter_names().filter(|name| needed.contains(*name)).cloned().collect();
            if kept.len() == scan.file_schema.len() {
                return Ok(node.clone());
            }
            scan.projection = Some(kept);
            return Ok(FrameExpr::csv(scan, node.location));
        }
        Op::Map { input, .. } => need(input, None)?,
        Op::Head { input, .. } => need(input, needed)?,
        Op::GroupBy { input, grouping } => need(input, Some(grouping.reads().into_iter().collect()))?,
        Op::Step { input, step: Step::Filter(predicate) } => {
            let needed = needed.map(|needed| needed.into_iter().chain(columns_of(predicate)).collect());
            need(input, needed)?
        }
        Op::Step { input, step: Step::WithColumns(exprs) } => {
            let Some(mut needed) = needed else { return on(node, need(input, None)?) };
            let name = |expr: &Expr| output_name(expr, &input.schema);
            let kept: Vec<Expr> =
                exprs.iter().filter(|expr| name(expr).is_none_or(|name| needed.contains(&name))).cloned().collect();
            kept.iter().filter_map(name).for_each(|name| {
                needed.remove(&name);
            });
            needed.extend(kept.iter().flat_map(columns_of));
            let below = need(input, Some(needed))?;
            return if kept.is_empty() {
                Ok(below)
            } else {
                FrameExpr::step(below, Step::WithColumns(kept), node.location)
            };
        }
        Op::Step { input, step: Step::Select(exprs) } => {
            let name = |expr: &Expr| output_name(expr, &input.schema);
            let wanted = |expr: &&Expr| {
                needed.as_ref().is_none_or(|needed| name(expr).is_none_or(|name| needed.contains(&name)))
            };
            let mut kept: Vec<Expr> = exprs.iter().filter(wanted).cloned().collect();
            if needed.as_ref().is_some_and(Columns::is_empty) {
                return need(input, Some(Columns::new()));
            }
            // Constants alone would lose the number of rows.
            if kept.iter().all(|expr| columns_of(expr).is_empty()) {
                kept.extend(exprs.iter().find(|expr| !columns_of(expr).is_empty()).cloned());
            }
            let below = need(input, Some(kept.iter().flat_map(columns_of).collect()))?;
            return FrameExpr::step(below, Step::Select(kept), node.location);
        }
    };
    on(node, input)
}

fn on(node: &Node, input: Node) -> Result<Node> {
    match node.input() {
        Some(old) if Arc::ptr_eq(old, &input) => Ok(node.clone()),
        _ => node.on(input),
    }
}
