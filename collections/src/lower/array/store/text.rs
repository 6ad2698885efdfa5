//! Blocks out of files of numbers as text, and into them.

use std::io::Write;
use std::ops::Range;

use ndarray::{Array, Axis};
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Kernel, KernelError, KernelResult, KeyBuilder, Registry, StorageBytes, TaskContext, Value};

use super::each::{block_of, step_of};
use crate::array::dtype::{DType, with_dtype};
use crate::array::expr::Expr;
use crate::array::grid::Grid;
use crate::array::kernels::Block;
use crate::error::Result;
use crate::lower::array::{Lowering, Operation, array, blocks, encode, layer, only_input, source_error};
use crate::storage::text::{RowFormat, Start, TAIL, TextElement, TextFormat};
use crate::storage::{Location, ObjectRef, UnfinishedFile, write_atomic};

pub(in crate::lower::array) const READ: &str = "array.text";
pub(in crate::lower::array) const LINES: &str = "array.text.lines";
pub(in crate::lower::array) const APPEND: &str = "array.text.append";
pub(in crate::lower::array) const FINISH: &str = "array.text.finish";

pub(in crate::lower::array) fn register(registry: Registry) -> Registry {
    registry.kernel::<Text>(READ).kernel::<Lines>(LINES).kernel::<Append>(APPEND).kernel::<Finish>(FINISH)
}

/// The lines of a file that begin in a range of bytes are a block of rows, one range after the other.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Text {
    pub(crate) object: ObjectRef,
    pub(crate) format: TextFormat,
    pub(crate) dtype: DType,
    pub(crate) start: Start,
    /// Where the lines of data end.
    pub(crate) end: u64,
    /// Bytes of a range.
    pub(crate) length: u64,
}

impl Text {
    /// The bytes of the file in which the lines of a block begin.
    fn range(&self, block: u64) -> Range<u64> {
        let from = self.start.offset.saturating_add(block.saturating_mul(self.length));
        from..from.saturating_add(self.length).min(self.end)
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
        let range = self.range(task.block);
        let columns = self.format.width(self.start);
        with_dtype!(self.dtype, T => {
            let read = self.format.read::<T>(&self.object, self.start, range);
            let values: Vec<T> = read.map_err(source_error)?;
            let shape = [values.len() / columns.max(1), columns];
            Ok(Value::block(Block::from_vec(&shape, values).map_err(source_error)?))
        })
    }

    fn storage_bytes(&self, block: u64, _: u64, _: u64) -> StorageBytes {
        let range = self.range(block);
        StorageBytes::reads(range.end.saturating_sub(range.start))
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
        key.value(&(&self.format, self.start, self.end, self.length))
    }

    fn describe(&self) -> String {
        format!("text {}", self.object.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let text = self.length.saturating_add(TAIL);
        let row = self.format.width(self.start) as u64 * self.dtype.size() as u64;
        let most = self.format.most_lines(self.start, text).saturating_mul(row);
        let layer = lowering.graph.layer(layer(expr, self.clone()).scratch(text.saturating_mul(2)));
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
pub(in crate::lower::array) struct Lines {
    row: RowFormat,
    grid: Grid,
}

/// Bytes that are set aside for a number; most need fewer.
const USUAL: usize = 26;

impl Kernel for Lines {
    fn name(&self) -> &str {
        LINES
    }

    fn run(&self, task: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let (block, _) = block_of(inputs, &self.grid, task)?;
        let text = with_dtype!(block.dtype(), T => {
            let (mut numbers, most) = (Vec::new(), self.row.longest::<T>() as usize);
            let rows = block.view::<T>().map_err(source_error)?;
            let mut text = String::with_capacity(rows.len_of(Axis(0)) * most.min(self.row.numbers() * USUAL));
            for row in rows.outer_iter() {
                numbers.clear();
                row.iter().for_each(|value| value.numbers(&mut numbers));
                self.row.write(&numbers, &mut text).map_err(KernelError::new)?;
            }
            text.into_bytes()
        });
        Ok(Value::block(Block::from_array(Array::from_vec(text).into_dyn())))
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.text.append`: appends lines to a file, and says where it ends; of lines, and where it ended before.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Append {
    output: TextOutput,
    /// Where the first lines begin.
    start: u64,
}

/// Where a file ended, as a task before has said.
fn end_of(before: Option<&Value>) -> KernelResult<Option<u64>> {
    let Some(before) = before else { return Ok(None) };
    Ok(array(before)?.view::<u64>().map_err(source_error)?.first().copied())
}

impl Kernel for Append {
    fn name(&self) -> &str {
        APPEND
    }

    fn describe(&self) -> String {
        format!("append to {}", self.output.location())
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let [text, before @ ..] = &*inputs else { return Err(KernelError::new("there are no lines to append")) };
        let offset = end_of(before.first())?.unwrap_or(self.start);
        let text = array(text)?.view::<u8>().map_err(source_error)?;
        let bytes = text.as_slice().unwrap_or_default();
        if let TextOutput::File(file) = &self.output {
            file.open().and_then(|mut file| file.write_at(offset, bytes)).map_err(source_error)?;
        }
        Ok(Value::block(Block::full::<u64>(&[], offset + bytes.len() as u64).map_err(source_error)?))
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        StorageBytes::writes(inputs).about()
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// `array.text.finish`: gives the file its last lines and its name, or sends all lines.
#[derive(Serialize, Deserialize)]
pub(in crate::lower::array) struct Finish {
    output: TextOutput,
    header: String,
    footer: String,
}

impl Kernel for Finish {
    fn name(&self) -> &str {
        FINISH
    }

    fn describe(&self) -> String {
        format!("finish {}", self.output.location())
    }

    fn once(&self) -> bool {
        true
    }

    fn run(&self, _: TaskContext, inputs: &mut [Value]) -> KernelResult<Value> {
        let Finish { output, header, footer } = self;
        match output {
            TextOutput::File(file) => {
                let end = end_of(inputs.first())?.unwrap_or(header.len() as u64);
                let written = file.open().and_then(|mut file| file.write_at(end, footer.as_bytes()));
                written.and_then(|()| file.finish()).map_err(source_error)?;
            }
            TextOutput::Object(location) => {
                let texts = inputs.iter().map(|text| array(text)?.view::<u8>().map_err(source_error));
                let texts = texts.collect::<KernelResult<Vec<_>>>()?;
                let lines = texts.iter().map(|text| text.as_slice().unwrap_or_default());
                let mut all = [header.as_bytes()].into_iter().chain(lines).chain([footer.as_bytes()]);
                write_atomic(location, |writer| all.try_for_each(|text| writer.write_all(text)))
                    .map_err(source_error)?;
            }
        }
        Ok(Value::Unit)
    }

    fn storage_bytes(&self, _: u64, inputs: u64, _: u64) -> StorageBytes {
        match &self.output {
            TextOutput::File(_) => StorageBytes::writes(self.footer.len() as u64),
            TextOutput::Object(_) => StorageBytes::writes(inputs).about(),
        }
    }

    fn encode(&self, _: u64) -> talatat_graph::Result<Vec<u8>> {
        encode(self)
    }
}

/// The input, of one axis or of two with uncut rows, is written as lines.
#[derive(Clone)]
pub(crate) struct TextWriting {
    pub(crate) output: TextOutput,
    pub(crate) row: RowFormat,
    /// What is before the lines, and after them. A file has the first from the beginning.
    pub(crate) header: String,
    pub(crate) footer: String,
}

impl Operation for TextWriting {
    fn name(&self) -> &'static str {
        "savetxt"
    }

    fn parameters(&self, key: KeyBuilder) -> KeyBuilder {
        key.value(&(&self.output, &self.row, &self.header, &self.footer))
    }

    fn describe(&self) -> String {
        format!("write to {}", self.output.location())
    }

    fn lower(&self, lowering: &mut Lowering, expr: &Expr) -> Result<Vec<Edge>> {
        let input = only_input(expr)?;
        let sources = blocks(lowering, input)?;
        let lines = lowering.graph.layer(step_of(expr, Lines { row: self.row.clone(), grid: input.grid.clone() }));
        let longest = with_dtype!(input.dtype, T => self.row.longest::<T>());
        let mut ready: Vec<Edge> = Vec::with_capacity(sources.len());
        let append = match &self.output {
            TextOutput::File(_) => {
                let append = Append { output: self.output.clone(), start: self.header.len() as u64 };
                Some(lowering.graph.layer(step_of(expr, append)))
            }
            TextOutput::Object(_) => None,
        };
        for (block, source) in sources.iter().enumerate() {
            let rows = input.grid.block_shape(&input.grid.place(block)).first().copied().unwrap_or(0) as u64;
            let text = lowering.graph.task(lines, block as u32, rows.saturating_mul(longest), &[*source])?;
            ready.push(match append {
                None => text.into(),
                Some(append) => {
                    let edges: Vec<Edge> = [Some(text.into()), ready.last().copied()].into_iter().flatten().collect();
                    lowering.graph.task(append, block as u32, 8, &edges)?.into()
                }
            });
        }
        let TextWriting { output, header, footer, .. } = self.clone();
        let finish = lowering.graph.layer(layer(expr, Finish { output, header, footer }));
        let before = match append {
            Some(_) => ready.split_off(ready.len().saturating_sub(1)),
            None => ready,
        };
        Ok(vec![lowering.graph.task(finish, 0, 0, &before)?.into()])
    }
}
