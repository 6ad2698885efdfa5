//! Reads off which columns are needed, so that the reader parses no others.
//!
//! From the results towards the readers: what a step needs is what its expressions read and what is needed after it; what several read
//! needs the columns of all of them. Columns that a `with_columns` or `select` makes for nobody are not made. When only the number of
//! rows is wanted, no column is needed but those of filters.

use std::collections::HashMap;
use std::sync::Arc;

use polars::prelude::{Expr, PlSmallStr, Schema, col};
use talatat_graph::Key;

use super::walk::{inputs_first, rebuilt};
use super::{Root, Wanted};
use crate::error::Result;
use crate::frame::expr::{Columns, FrameExpr, Node, Op, output_name};
use crate::frame::step::{Step, columns_of};
use crate::lower::frame::Narrowed;

/// Columns that are needed; `None` for all, as they are.
type Need = Option<Columns>;

/// Rewrites the whole expressions.
pub(super) fn push(roots: &[Root]) -> Result<Vec<Node>> {
    let nodes: Vec<&Node> = roots.iter().map(|root| &root.node).collect();
    let mut needs = Needs::default();
    for root in roots {
        needs.add(
            &root.node,
            match root.wanted {
                Wanted::All => None,
                Wanted::Rows => Some(Columns::new()),
            },
        );
    }
    // Readers come before what they read, so a need is complete when its turn comes.
    let mut changes: HashMap<Key, Change> = HashMap::new();
    for node in inputs_first(nodes.iter().copied()).into_iter().rev() {
        let change = Change::of(node, needs.of(node));
        node.inputs.iter().zip(&change.reads).for_each(|(input, read)| needs.add(input, read.clone()));
        changes.insert(node.key, change);
    }
    rebuilt(&nodes, |node, inputs| match changes.remove(&node.key) {
        Some(change) => change.apply(node, inputs),
        None => node.on(inputs),
    })
}

/// What the readers of each expression need.
#[derive(Default)]
struct Needs(HashMap<Key, Need>);

impl Needs {
    fn add(&mut self, node: &Node, need: Need) {
        self.0
            .entry(node.key)
            .and_modify(|known| match (known.as_mut(), &need) {
                (Some(known), Some(more)) => known.extend(more.iter().cloned()),
                _ => *known = None,
            })
            .or_insert(need);
    }

    fn of(&self, node: &Node) -> Need {
        self.0.get(&node.key).cloned().flatten()
    }
}

/// What becomes of an expression of whose columns some are needed.
struct Change {
    to: Become,
    reads: Vec<Need>,
}

enum Become {
    /// The same, on what its inputs become.
    Same,
    /// A scan, a step or an operation that makes fewer columns.
    Scan(Arc<dyn crate::frame::scan::Scan>),
    Step(Step),
    Custom(Arc<dyn crate::lower::FrameOperation>),
    /// A step that makes nothing that is needed.
    Gone,
}

impl Change {
    fn of(node: &Node, need: Need) -> Change {
        match (&node.op, node.inputs.as_slice()) {
            (Op::Scan(scan), _) => {
                let fewer = need.and_then(|need| scan.projected(&need));
                Change { to: fewer.map_or(Become::Same, Become::Scan), reads: Vec::new() }
            }
            (Op::Foreign(_), _) => Change { to: Become::Same, reads: Vec::new() },
            (Op::Step(step), [input]) => {
                let (to, read) = step_change(step, &input.schema, need);
                Change { to, reads: vec![read] }
            }
            (Op::Step(_), inputs) => Change { to: Become::Same, reads: vec![None; inputs.len()] },
            (Op::Custom(operation), inputs) => {
                let all = || node.schema.iter_names().cloned().collect();
                match operation.narrowed(inputs, &need.unwrap_or_else(all)) {
                    Some(Narrowed { operation, reads }) => Change { to: Become::Custom(operation), reads },
                    None => Change { to: Become::Same, reads: vec![None; inputs.len()] },
                }
            }
        }
    }

    fn apply(self, node: &Node, inputs: Vec<Node>) -> Result<Node> {
        match (self.to, <[Node; 1]>::try_from(inputs)) {
            (Become::Scan(scan), _) => Ok(FrameExpr::scan_of(scan, node.location)),
            (Become::Gone, Ok([input])) => Ok(input),
            (Become::Step(step), Ok([input])) => FrameExpr::step(input, step, node.location),
            (Become::Custom(operation), inputs) => {
                let inputs = inputs.map_or_else(|inputs| inputs, Vec::from);
                let exact = inputs.into_iter().zip(&self.reads).map(|(input, read)| only(input, read, node));
                FrameExpr::custom(operation, exact.collect::<Result<_>>()?, node.location)
            }
            (Become::Same | Become::Gone | Become::Step(_), inputs) => {
                node.on(inputs.map_or_else(|inputs| inputs, Vec::from))
            }
        }
    }
}

/// Leaves the columns out that an operation does not read and others do, or that only a filter below needed.
fn only(input: Node, read: &Need, reader: &FrameExpr) -> Result<Node> {
    let Some(read) = read else { return Ok(input) };
    let kept: Vec<Expr> = input.schema.iter_names().filter(|name| read.contains(*name)).cloned().map(col).collect();
    // Without any column the number of rows would be lost.
    if kept.len() == input.schema.len() || kept.is_empty() {
        return Ok(input);
    }
    FrameExpr::step(input, Step::Select(kept), reader.location)
}

/// What becomes of a step, and what it reads.
fn step_change(step: &Step, schema: &Schema, need: Need) -> (Become, Need) {
    let name = |expr: &Expr| output_name(expr, schema);
    let is_needed = |expr: &Expr, needed: &Columns| name(expr).is_none_or(|name| needed.contains(&name));
    match step {
        Step::Filter(predicate) => {
            (Become::Same, need.map(|needed| needed.into_iter().chain(columns_of(predicate)).collect()))
        }
        Step::WithColumns(exprs) => {
            let Some(mut needed) = need else { return (Become::Same, None) };
            let kept: Vec<Expr> = exprs.iter().filter(|expr| is_needed(expr, &needed)).cloned().collect();
            if kept.is_empty() {
                return (Become::Gone, Some(needed));
            }
            kept.iter().filter_map(name).for_each(|name| {
                needed.remove(&name);
            });
            needed.extend(kept.iter().flat_map(columns_of));
            (Become::Step(Step::WithColumns(kept)), Some(needed))
        }
        // How many rows come out depends on the lists.
        Step::Explode(columns) => {
            (Become::Same, need.map(|needed| needed.into_iter().chain(columns.iter().cloned()).collect()))
        }
        Step::Unpivot { index, on } => {
            let index: Vec<PlSmallStr> = match &need {
                Some(needed) => index.iter().filter(|name| needed.contains(*name)).cloned().collect(),
                None => index.clone(),
            };
            let reads = index.iter().chain(on).cloned().collect();
            (Become::Step(Step::Unpivot { index, on: on.clone() }), Some(reads))
        }
        Step::Select(exprs) => {
            if need.as_ref().is_some_and(Columns::is_empty) {
                return (Become::Gone, Some(Columns::new()));
            }
            let wanted = |expr: &&Expr| need.as_ref().is_none_or(|needed| is_needed(expr, needed));
            let mut kept: Vec<Expr> = exprs.iter().filter(wanted).cloned().collect();
            // Constants alone would lose the number of rows.
            if kept.iter().all(|expr| columns_of(expr).is_empty()) {
                kept.extend(exprs.iter().find(|expr| !columns_of(expr).is_empty()).cloned());
            }
            let reads: Columns = kept.iter().flat_map(columns_of).collect::<Vec<PlSmallStr>>().into_iter().collect();
            (Become::Step(Step::Select(kept)), Some(reads))
        }
    }
}
