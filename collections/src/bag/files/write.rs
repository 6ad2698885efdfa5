//! Bags into folders of files.

use std::fmt::{self, Display};
use std::io::Write;
use std::panic::Location as CallSite;
use std::sync::Arc;

use serde::Serialize;
use talatat_graph::{Block, Brief, Edge, KernelError, KeyBuilder, StorageBytes, Value, closure_kernel};

use super::super::expr::{Op, Size};
use super::super::facts::Facts;
use super::super::items::{Items, Taken};
use super::super::{Bag, Step};
use crate::collection::Collection;
use crate::delayed::{Payload, unique};
use crate::error::Result;
use crate::lower::Lowering;
use crate::storage::{Existing, Location, Part, PartsGuard, PartsOutput};

/// Buffers of an upload: the bytes that are being filled and those on their way.
const BUFFERS: u64 = 16 << 20;

/// A part that was written and has no name yet, and how many lines it has.
struct Written {
    part: Part,
    lines: u64,
}

impl Block for Written {
    fn nbytes(&self) -> usize {
        0
    }

    fn brief(&self) -> Brief {
        Brief::new("part", &[])
    }
}

/// A bag that is written into a folder when it is computed: what [`Bag::to_text_files`] and [`Bag::to_json_lines`] give.
///
/// Nobody sees the files before all are complete. If a task fails, panics or is cancelled, nothing is left: what was begun is removed with the
/// handle if it was not finished. So it is computed once.
#[derive(Clone)]
pub struct BagWrite {
    done: Bag<u64>,
    // The handle has it and no task: plans of what failed are kept for a while.
    _begun: Arc<PartsGuard>,
}

impl fmt::Debug for BagWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BagWrite({:?})", self.done)
    }
}

impl Collection for BagWrite {
    /// The number of lines.
    type Output = u64;
    type Persisted = Bag<u64>;

    fn blocks(&self) -> Result<usize> {
        self.done.blocks()
    }

    fn lower(&self, lowering: &mut Lowering) -> Result<Vec<Edge>> {
        self.done.lower(lowering)
    }

    fn gather(&self, blocks: Vec<Value>) -> Result<u64> {
        Ok(self.done.gather(blocks)?.into_iter().sum())
    }

    fn persisted(&self, blocks: Vec<Value>) -> Result<Bag<u64>> {
        self.done.persisted(blocks)
    }

    fn describe_expression(&self, rewritten: bool) -> String {
        self.done.describe_expression(rewritten)
    }
}

impl<T: Payload> Bag<T> {
    /// Writes text files into a folder, a line for each item and a file for each partition (`part-000000.txt` ...), when the result is computed:
    /// the number of lines. There must be nothing in the folder.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::bag::{TextOptions, read_text};
    /// let lines = Bag::from_sequence(1..=4, 2).to_text_files("memory://docs/bag-text")?.compute()?;
    /// assert_eq!(lines, 4);
    /// let back = read_text(["memory://docs/bag-text/*.txt"], TextOptions::new())?;
    /// assert_eq!(back.compute()?, ["1", "2", "3", "4"]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder cannot be written, or there is something in it. An item whose text has several lines is an error of the run.
    #[track_caller]
    pub fn to_text_files(&self, folder: &str) -> Result<BagWrite>
    where
        T: Display,
    {
        self.write(folder, "bag.to_text_files", "txt", |item, line| {
            write!(line, "{item}").map_err(|error| error.to_string())?;
            if memchr::memchr2(b'\n', b'\r', line).is_some() {
                return Err("the text has several lines; write JSON lines, or replace what ends them".into());
            }
            Ok(())
        })
    }

    /// [`to_text_files`](Bag::to_text_files) of JSON lines (`part-000000.jsonl` ...): an item a line.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::bag::{JsonLinesOptions, read_json_lines};
    /// let pairs = Bag::from_sequence([("a".to_string(), 1_u64), ("b".to_string(), 2)], 2);
    /// pairs.to_json_lines("memory://docs/bag-json")?.compute()?;
    /// let back = read_json_lines::<(String, u64), _>(["memory://docs/bag-json/*"], JsonLinesOptions::new())?;
    /// assert_eq!(back.compute()?, pairs.compute()?);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder cannot be written, or there is something in it. An item that cannot be JSON is an error of the run.
    #[track_caller]
    pub fn to_json_lines(&self, folder: &str) -> Result<BagWrite>
    where
        T: Serialize,
    {
        self.write(folder, "bag.to_json_lines", "jsonl", |item, line| {
            serde_json::to_writer(line, item).map_err(|error| error.to_string())
        })
    }

    #[track_caller]
    fn write(
        &self,
        folder: &str,
        name: &'static str,
        extension: &'static str,
        encode: impl Fn(&T, &mut Vec<u8>) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Result<BagWrite> {
        let location = CallSite::caller();
        let (output, guard) = PartsOutput::begin(&Location::parse(folder)?, Existing::Refuse)?;
        let scratch = if output.is_local() { 0 } else { BUFFERS };
        let output = Arc::new(output);
        let (writing, key) = (output.clone(), KeyBuilder::new(name).number(unique()).key(self.node.key).finish());
        let each = closure_kernel(name, move |task, inputs| {
            let items = Taken::<T>::take(inputs.first_mut())?;
            let part = writing.name("part", task.block, extension);
            let written = writing.write(&part, |file| -> std::io::Result<()> {
                let mut line = Vec::new();
                for (at, item) in items.as_slice().iter().enumerate() {
                    line.clear();
                    encode(item, &mut line).map_err(|what| std::io::Error::other(format!("item {at}: {what}")))?;
                    line.push(b'\n');
                    file.write_all(&line)?;
                }
                Ok(())
            });
            let part = written.map_err(KernelError::from_source)?;
            Ok(Value::block(Written { part, lines: items.as_slice().len() as u64 }))
        });
        let each = each.storage(|_, inputs, _| StorageBytes::writes(inputs).about());
        let finish = closure_kernel(format!("{name} finish"), move |_, inputs| {
            let (mut parts, mut lines) = (Vec::new(), 0);
            for input in inputs {
                let written = input.take::<Written>()?;
                lines += written.lines;
                parts.push(match Arc::try_unwrap(written) {
                    Ok(written) => written.part,
                    // A block that others hold, too, is passed on: there is one who finishes.
                    Err(shared) => Part::taken(shared.part.pass_on()),
                });
            }
            output.finish(parts).map_err(KernelError::from_source)?;
            Ok(Items::value(vec![lines], &Facts::known()))
        });
        let step =
            Step { name: name.into(), key, partitions: self.partitions(), size: Size::default(), scratch, location };
        let parts: Bag<u64> = Bag::of(step, Op::Each(Arc::new(each)), vec![self.node.clone()], Facts::known());
        let key = KeyBuilder::new("finish").key(key).finish();
        let step =
            Step { name: format!("{name} finish"), key, partitions: 1, size: Size::of(1, 8), scratch: 0, location };
        let done: Bag<u64> = Bag::of(step, Op::All(Arc::new(finish)), vec![parts.node.clone()], Facts::known());
        Ok(BagWrite { done, _begun: Arc::new(guard) })
    }
}
