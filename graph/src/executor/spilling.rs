//! What executors do when results leave memory and come back.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Result;
use crate::memory::{SpillSpace, Spilled};
use crate::store::Leaving;
use crate::value::Value;

/// Writes what is not on disk yet, and gives its bytes.
pub(super) fn write_out(leaving: &mut [Leaving], space: Option<&SpillSpace>) -> Result<u64> {
    let mut bytes = 0;
    for value in leaving {
        if let (Some(Value::Block(block)), Some(space)) = (value.unwritten(), space)
            && let Some(spilled) = space.write(block)?
        {
            bytes += block.nbytes() as u64;
            value.written(spilled);
        }
    }
    Ok(bytes)
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
