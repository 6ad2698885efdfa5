//! The number of rows of a frame.

use polars::prelude::PlSmallStr;
use talatat_graph::{Edge, Error as GraphError, Key, KeyBuilder, Value};

use super::expr::Node;
use super::rewrite::{Wanted, described};
use crate::collection::Collection;
use crate::error::Result;
use crate::lower::{Lowering, frame as lower};

/// The number of rows of a frame, not counted yet: what [`Frame::len`](super::Frame::len) gives.
#[derive(Clone)]
pub struct FrameLen {
    node: Node,
    known: Option<u64>,
}

impl FrameLen {
    pub(crate) fn new(node: Node) -> FrameLen {
        FrameLen { node, known: None }
    }

    /// The name of the count.
    pub fn key(&self) -> Key {
        KeyBuilder::new("frame.len").key(self.node.key).finish()
    }
}

impl Collection for FrameLen {
    type Output = usize;
    type Persisted = Self;

    fn blocks(&self) -> Result<usize> {
        Ok(1)
    }

    fn announce(&self, lowering: &mut Lowering) -> Result<()> {
        lowering.frames.announce(&self.node, Wanted::Rows);
        Ok(())
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        if let Some(rows) = self.known {
            return lower::known_len(lowering, self.key(), rows);
        }
        let node = lower::Roots::resolve(lowering, &self.node, Wanted::Rows)?;
        lower::len(lowering, &node)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<usize> {
        match blocks.first() {
            Some(Value::U64(rows)) => Ok(usize::try_from(*rows).unwrap_or(usize::MAX)),
            other => Err(GraphError::InvalidGraph(format!("a count of rows was promised, {other:?} came")).into()),
        }
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Self> {
        // One number, wherever it was counted.
        let blocks = blocks.into_iter().map(Value::loaded).collect::<std::result::Result<_, _>>()?;
        let rows = self.gather(blocks)? as u64;
        Ok(FrameLen { node: self.node.clone(), known: Some(rows) })
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        Self::under_len(&described(&self.node, Wanted::Rows, rewritten))
    }

    fn describe_lowered(&self, lowering: &Lowering) -> String {
        Self::under_len(&lowering.frames.described(&self.node, Wanted::Rows))
    }
}

impl FrameLen {
    fn under_len(tree: &str) -> String {
        let indented: String = tree.lines().map(|line| format!("  {line}\n")).collect();
        format!("len\n{indented}")
    }
}

impl std::fmt::Debug for FrameLen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns: Vec<&str> = self.node.schema.iter_names().map(PlSmallStr::as_str).collect();
        write!(f, "FrameLen of [{}]", columns.join(", "))
    }
}
