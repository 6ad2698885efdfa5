//! What executors do when results leave memory and come back, or stay for later.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Result;
use crate::graph::TaskGraph;
use crate::memory::cache::Given;
use crate::memory::{Cache, SpillSpace, Spilled};
use crate::store::Leaving;
use crate::task::TaskId;
use crate::value::Value;

/// Writes what is not on disk yet, neither in the file of what was spilled nor where its task has read it, and gives the bytes written.
pub(super) fn write_out(
    graph: &TaskGraph,
    result: TaskId,
    leaving: &mut [Leaving],
    space: Option<&SpillSpace>,
) -> Result<u64> {
    let again = reads_again(graph, result);
    let mut bytes = 0;
    for value in leaving {
        let Some(Value::Block(block)) = value.unwritten() else { continue };
        if again {
            let source = (graph.layer(result).clone(), graph.block(result));
            let spilled = Spilled::at_source(source, block);
            value.written(Value::Spilled(Arc::new(spilled)));
        } else if let Some(space) = space
            && let Some(spilled) = space.write(block)?
        {
            bytes += block.nbytes() as u64;
            value.written(spilled);
        }
    }
    Ok(bytes)
}

/// Whether a result can be read once more from where it came. One that is wanted must outlive its source.
pub(crate) fn reads_again(graph: &TaskGraph, result: TaskId) -> bool {
    let wanted = || graph.outputs().iter().any(|edge| edge.task == result);
    graph.layer(result).again && graph.inputs(result).is_empty() && !wanted()
}

/// Reads back the inputs that are on disk, each once, and tells of each that came; gives their bytes.
pub(super) fn read_back(inputs: &mut [Value], mut came: impl FnMut(usize, &Value)) -> Result<u64> {
    let mut bytes = 0;
    let mut read: SmallVec<[(Arc<Spilled>, usize); 4]> = SmallVec::new();
    for at in 0..inputs.len() {
        let Value::Spilled(spilled) = &inputs[at] else { continue };
        let spilled = spilled.clone();
        if let Some(&(_, first)) = read.iter().find(|(other, _)| Arc::ptr_eq(other, &spilled)) {
            inputs[at] = inputs[first].clone();
            continue;
        }
        inputs[at] = Value::Block(spilled.read()?);
        bytes += inputs[at].nbytes() as u64;
        came(at, &inputs[at]);
        read.push((spilled, at));
    }
    Ok(bytes)
}

/// Gives a cache what a run has left for it.
#[inline]
pub(super) fn keep(kept: Option<(Arc<Cache>, Vec<Given>)>) {
    if let Some((cache, given)) = kept {
        cache.put_all(given);
    }
}
