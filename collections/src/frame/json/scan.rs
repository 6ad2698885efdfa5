//! Files cut into blocks, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, Field, PlSmallStr, Schema, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::JsonOptions;
use super::parse::{JsonReader, bad};
use super::sample::sample;
use crate::error::Result;
use crate::frame::csv::{FileBlock, blocks_of};
use crate::frame::expr::{Columns, names};
use crate::frame::kernels::Source;
use crate::frame::scan::Scan;
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
    /// The columns that are wanted; `None` for all.
    projection: Option<Arc<[PlSmallStr]>>,
    /// Rows that are not wanted never leave the reader.
    predicate: Option<Expr>,
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
            projection: None,
            predicate: None,
            line: sampled.line,
        })
    }

    fn largest_block(&self) -> u64 {
        self.blocks.iter().map(|block| block.end - block.start).max().unwrap_or(0)
    }
}

impl Scan for JsonScan {
    fn schema(&self) -> SchemaRef {
        let Some(columns) = &self.projection else { return self.all.clone() };
        let field = |name: &PlSmallStr| Some(Field::new(name.clone(), self.all.get(name)?.clone()));
        Arc::new(columns.iter().filter_map(field).collect())
    }

    fn key(&self) -> Key {
        let key = self.files.iter().fold(KeyBuilder::new("frame.read_json"), |key, file| {
            let location = file.location().to_string();
            key.bytes(location.as_bytes()).number(file.size()).bytes(file.version().as_bytes())
        });
        let projection =
            self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::as_str).collect::<Vec<_>>());
        let key = add_to_key(key.value(&*self.options), &*self.all);
        add_to_key(key.value(&projection), &self.predicate).finish()
    }

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn rows(&self) -> u64 {
        let rows = (self.largest_block() as f64 / self.line).ceil() as u64;
        if self.predicate.is_some() { rows / 2 } else { rows }
    }

    fn describe(&self) -> String {
        let first = self.files.first().map_or_else(String::new, |file| file.location().to_string());
        let first = first.rsplit('/').next().unwrap_or_default();
        let more = match self.files.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let schema = self.schema();
        let columns = match &self.projection {
            None => format!("all {} columns", schema.len()),
            Some(_) => format!("columns [{}] of {}", names(&schema), self.all.len()),
        };
        let filter = self.predicate.as_ref().map_or_else(String::new, |predicate| format!(" where {predicate}"));
        format!("read_json {first}{more}: {} blocks, {columns}{filter}", self.blocks.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let names = self.schema();
        let kept: Arc<[PlSmallStr]> = names.iter_names().filter(|name| columns.contains(*name)).cloned().collect();
        let fewer = kept.len() < names.len();
        fewer.then(|| Arc::new(JsonScan { projection: Some(kept), ..self.clone() }) as Arc<dyn Scan>)
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        let predicate = match self.predicate.clone() {
            Some(known) => known.and(condition.clone()),
            None => condition.clone(),
        };
        Some(Arc::new(JsonScan { predicate: Some(predicate), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Json(Box::new(JsonReader {
            first: 0,
            files: self.files.clone(),
            blocks: self.blocks.clone(),
            schema: Arc::new(Wire((*self.all).clone())),
            path: self.options.path.clone(),
            projection: self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::to_string).collect()),
            predicate: self.predicate.clone().map(Wire),
        }))
    }

    /// The text of the block, and a line of it as the parser has it.
    fn scratch(&self) -> u64 {
        self.largest_block()
    }
}
