//! Files cut into blocks, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, Schema, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::JsonOptions;
use super::parse::{JsonReader, bad};
use super::sample::sample;
use crate::error::Result;
use crate::frame::csv::{FileBlock, blocks_of};
use crate::frame::expr::Columns;
use crate::frame::kernels::Source;
use crate::frame::scan::{Pushed, Scan, files_described, files_to_key};
use crate::frame::wire::{Wire, add_to_key};
use crate::storage::ObjectRef;

/// Files as blocks.
#[derive(Clone)]
pub(crate) struct JsonScan {
    files: Arc<[ObjectRef]>,
    blocks: Arc<[FileBlock]>,
    options: Arc<JsonOptions>,
    /// All columns, in order.
    all: SchemaRef,
    pushed: Pushed,
    /// Bytes of a line, on average of the samples.
    line: f64,
}

impl JsonScan {
    /// Looks at some files and cuts all of them into blocks.
    ///
    /// # Errors
    /// If the samples cannot be read, or an option does not fit them.
    pub(crate) fn new(files: Vec<ObjectRef>, options: JsonOptions) -> Result<JsonScan> {
        let sampled = sample(&files, &options)?;
        let mut all: Schema = sampled.schema;
        if let Some(name) = &options.path {
            if let (true, Some(file)) = (all.contains(name), files.first()) {
                let reason = format!("`include_path(\"{name}\")`: there is a column of that name; choose another one");
                return Err(bad(file, 0, reason).into());
            }
            all.insert(name.as_str().into(), DataType::String);
        }
        Ok(JsonScan {
            blocks: blocks_of(&files, options.blocksize),
            files: files.into(),
            options: Arc::new(options),
            all: Arc::new(all),
            pushed: Pushed::default(),
            line: sampled.line,
        })
    }

    fn largest_block(&self) -> u64 {
        self.blocks.iter().map(|block| block.end - block.start).max().unwrap_or(0)
    }
}

impl Scan for JsonScan {
    fn schema(&self) -> SchemaRef {
        self.pushed.schema(&self.all)
    }

    fn key(&self) -> Key {
        let key = files_to_key(KeyBuilder::new("frame.read_json"), self.files.iter()).value(&*self.options);
        self.pushed.add_to_key(add_to_key(key, &*self.all)).finish()
    }

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn rows(&self) -> u64 {
        self.pushed.rows((self.largest_block() as f64 / self.line).ceil() as u64)
    }

    fn describe(&self) -> String {
        let (files, pushed) = (files_described(self.files.iter()), self.pushed.describe(&self.all));
        format!("read_json {files}: {} blocks, {pushed}", self.blocks.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let pushed = self.pushed.projected(&self.all, columns)?;
        Some(Arc::new(JsonScan { pushed, ..self.clone() }))
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        Some(Arc::new(JsonScan { pushed: self.pushed.filtered(condition), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Json(Box::new(JsonReader {
            first: 0,
            files: self.files.clone(),
            blocks: self.blocks.clone(),
            schema: Arc::new(Wire((*self.all).clone())),
            path: self.options.path.clone(),
            pushed: self.pushed.clone(),
        }))
    }

    /// The text of the block, and a line of it as the parser has it.
    fn scratch(&self) -> u64 {
        self.largest_block()
    }
}
