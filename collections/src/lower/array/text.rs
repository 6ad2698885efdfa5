//! Blocks out of files of numbers as text, and into them.

use ndarray::Array;
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, Registry, TaskContext, Value};

use super::each::{block_of, step_of};
use super::{Lowering, Operation, array, blocks, encode, layer, only_input, source_error};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::kernels::Block;
use crate::error::Result;
use crate::storage::text::{TAIL, TextElement, TextFormat};
use crate::storage::{Location, ObjectRef, UnfinishedFile, write_atomic};

pub(super) const READ: &str = "array.text";
pub(super) const LINES: &str = "array.text.lines";
pub(super) const APPEND: &str = "array.text.append";
pub(super) const FINISH: &str = "array.text.finish";

pub(super) fn register(registry: Registry) -> Registry {
    registry.kernel::<Text>(READ).kernel::<Lines>(LINES).kernel::<Append>(APPEND).kernel::<Finish>(FINISH)
}

/// The lines of a file that begin in a range of bytes are a block of rows, one range after the other.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Text {
    pub(crate) object: ObjectRef,
    pub(crate) format: TextFormat,
    pub(crate) dtype: DType,
    /// Where the lines of data begin.
    pub(crate) start: u64,
    /// The fields of a line.
    pub(crate) fields: usize,
    /// Bytes of a range.
    pub(crate) length: u64,
}

impl Text {
    /// How many columns the array has.
    pub(crate) fn columns(&self) -> usize {
        if self.format.columns.is_empty() { self.fields } else { self.format.columns.len() }
    }
}

impl Kernel for Text {
    fn name(&self) -> &str {
        READ
    }

    fn describe(&self) -> String {
        format!("text {}", self.object.location())
    }

    fn run(&self, task: TaskContext, _: &mut [Value]) -> KernelResult<Value> {
        let from = self.start.saturating_add(task.block.saturating_mul(self.length));
        let range = from..from.saturating_add(self.length);
        let columns = self.columns();
        with_dtype!(self.dtype, T => {
            let read = self.format.read::<T>(&self.object, self.start, range, self.fields);
            let values: Vec<T> = read.map_err(source_error)?;
            let shape = [values.len() / columns.max(1), columns];
            Ok(Value::block(Block::from_vec(&shape, values).map_err(source_error)?))
        })
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

impl Operation for Text {
    fn name(&self) -> &'static str {
        "loadtxt"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        let key = key.bytes(self.object.location().to_string().as_bytes()).bytes(self.object.version().as_bytes());
        key.value(&(&self.format, self.start, self.length))
    }

    fn describe(&self) -> String {
        format!("text {}", self.object.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        // Each element has a character at least, and one after it; the buffer it is in may be twice as large while it grows.
        let most = self.length.saturating_add(TAIL).div_ceil(2).saturating_mul(self.dtype.size() as u64);
        let text = self.length.saturating_add(TAIL);
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(text.saturating_add(most)));
        let tasks =
            (0..expr.grid.blocks()).map(|block| Ok(lowering.graph.task(layer, block as u32, most, &[])?.into()));
        tasks.collect()
    }
}

/// Where lines go.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum TextOutput {
    /// A local file, appended to.
    File(UnfinishedFile),
    /// An object, sent when all lines are there.
    Object(Location),
}

impl TextOutput {
    fn location(&self) -> &Location {
        match self {
            TextOutput::File(file) => file.location(),
            TextOutput::Object(location) => location,
        }
    }
}

/// `array.text.lines`: a block as lines of text.
#[derive(Serialize, Deserialize)]
pub(super) struct Lines {
    format: TextFormat,
    grid: Grid,
}

impl Kernel for Lines {
    fn name(&self) -> &str {
        LINES
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (block, _) = block_of(inputs, &self.grid, task)?;
        let text = with_dtype!(block.dtype(), T => self.format.lines(&block.view::<T>().map_err(source_error)?));
        Ok(Value::block(Block::from_array(Array::from_vec(text).into_dyn())))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.text.append`: appends lines to a file, and says where it ends; of lines, and where it ended before.
#[derive(Serialize, Deserialize)]
pub(super) struct Append(TextOutput);

impl Kernel for Append {
    fn name(&self) -> &str {
        APPEND
    }

    fn describe(&self) -> String {
        format!("append to {}", self.0.location())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [text, before @ ..] = &*inputs else { return Err(KernelError::new("there are no lines to append")) };
        let before = before.first().map(|before| array(before)?.view::<u64>().map_err(source_error)).transpose()?;
        let offset = before.and_then(|before| before.first().copied()).unwrap_or(0);
        let text = array(text)?.view::<u8>().map_err(source_error)?;
        let bytes = text.as_slice().unwrap_or_default();
        if let TextOutput::File(file) = &self.0 {
            file.open().and_then(|mut file| file.write_at(offset, bytes)).map_err(source_error)?;
        }
        Ok(Value::block(Block::full::<u64>(&[], offset + bytes.len() as u64).map_err(source_error)?))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.text.finish`: gives the file its name, or sends all lines.
#[derive(Serialize, Deserialize)]
pub(super) struct Finish(TextOutput);

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn describe(&self) -> String {
        format!("finish {}", self.0.location())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        match &self.0 {
            TextOutput::File(file) => file.finish().map_err(source_error)?,
            TextOutput::Object(location) => {
                let texts = inputs.iter().map(|text| array(text)?.view::<u8>().map_err(source_error));
                let texts = texts.collect::<KernelResult<Vec<_>>>()?;
                let sent = write_atomic(location, |writer| {
                    texts
                        .iter()
                        .try_for_each(|text| std::io::Write::write_all(writer, text.as_slice().unwrap_or_default()))
                });
                sent.map_err(source_error)?;
            }
        }
        Ok(Value::Unit)
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input, of one axis or of two with uncut rows, is written as lines.
#[derive(Clone)]
pub(crate) struct TextWriting {
    pub(crate) output: TextOutput,
    pub(crate) format: TextFormat,
}

impl Operation for TextWriting {
    fn name(&self) -> &'static str {
        "savetxt"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(&self.output, &self.format))
    }

    fn describe(&self) -> String {
        format!("write to {}", self.output.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let lines = Lines { format: self.format.clone(), grid: input.grid.clone() };
        let lines = lowering.graph.layer(step_of(expr, lines));
        let longest = with_dtype!(input.dtype, T => <T as TextElement>::LONGEST) as u64 + 1;
        let mut ready: Vec<Edge> = Vec::with_capacity(sources.len());
        let append = match &self.output {
            TextOutput::File(_) => Some(lowering.graph.layer(step_of(expr, Append(self.output.clone())))),
            TextOutput::Object(_) => None,
        };
        for (block, source) in sources.iter().enumerate() {
            let elements = input.block_bytes(&input.grid.place(block)) / input.dtype.size() as u64;
            let bytes = elements.saturating_mul(longest);
            let text = Edge::from(lowering.graph.task(lines, block as u32, bytes, &[*source])?);
            ready.push(match append {
                None => text,
                Some(append) => {
                    let edges: Vec<Edge> = [Some(text), ready.last().copied()].into_iter().flatten().collect();
                    lowering.graph.task(append, block as u32, 8, &edges)?.into()
                }
            });
        }
        let finish = lowering.graph.layer(layer(expr, Finish(self.output.clone())));
        let before = match append {
            Some(_) => ready.split_off(ready.len().saturating_sub(1)),
            None => ready,
        };
        Ok(vec![lowering.graph.task(finish, 0, 0, &before)?.into()])
    }
}
