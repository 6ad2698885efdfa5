//! Blocks of CSV files with quotes are read by tasks of their own, and a chain of tiny tasks carries the state of the quotes along each
//! file.

use std::sync::Arc;

use talatat_graph::{Edge, KeyBuilder, Layer};

use super::add;
use crate::error::Result;
use crate::frame::csv::CsvScan;
use crate::frame::expr::FrameExpr;
use crate::frame::kernels::{RawKernel, StateKernel, TAIL};
use crate::frame::scan::Scan;
use crate::lower::Lowering;

/// For each block of the files what its parser reads: nothing, if it can read the file by itself; else the block's bytes and, but for a
/// file's first block, whether it begins inside of quotes.
pub(crate) fn quotes(lowering: &mut Lowering, node: &FrameExpr, scan: &CsvScan) -> Result<Vec<Vec<Edge>>> {
    if !(0..scan.blocks.len()).any(|number| scan.is_chained(number)) {
        return Ok(vec![Vec::new(); scan.blocks.len()]);
    }
    // Reading does not depend on columns and filters: two scans of the same files share it.
    let plain = scan.plain();
    let key = KeyBuilder::new("frame.csv_read").key(plain.key()).finish();
    let read = add(lowering, key, Arc::new(RawKernel { base: 0, parser: plain.parser() }), node);
    let key = KeyBuilder::new("frame.csv_state").key(key).finish();
    let state = lowering.graph.layer(Layer::new(key, Arc::new(StateKernel)).at(node.location).tiny(true));
    let mut inputs = Vec::with_capacity(scan.blocks.len());
    // The block before: its count of quotes, and the state at its start.
    let mut before: Option<(Edge, Option<Edge>)> = None;
    for (number, block) in scan.blocks.iter().enumerate() {
        if !scan.is_chained(number) {
            inputs.push(Vec::new());
            before = None;
            continue;
        }
        let bytes = block.end - block.start + TAIL;
        let task = lowering.graph.task(read, number as u32, bytes, &[])?;
        let mut needs = vec![Edge::part_of(task, 0)];
        let known = match before.filter(|_| block.start > 0) {
            None => None,
            Some((count, known)) => {
                let edges: Vec<Edge> = known.into_iter().chain([count]).collect();
                Some(Edge::whole(lowering.graph.task(state, number as u32, 0, &edges)?))
            }
        };
        needs.extend(known);
        before = Some((Edge::part_of(task, 1), known));
        inputs.push(needs);
    }
    Ok(inputs)
}
