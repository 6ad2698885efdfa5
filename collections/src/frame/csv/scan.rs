//! CSV files cut into blocks, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{Expr, Field, PlSmallStr, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Key, KeyBuilder};

use super::parse::Parser;
use super::{CsvOptions, sample};
use crate::error::Result;
use crate::frame::expr::{Columns, FrameExpr, names};
use crate::frame::kernels::Source;
use crate::frame::scan::Scan;
use crate::frame::wire::{Wire, add_to_key};
use crate::lower::Lowering;
use crate::lower::frame::quotes;
use crate::storage::ObjectRef;

/// A byte range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileBlock {
    /// The file's number.
    pub(crate) file: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Cuts files into ranges of bytes. An empty file is a block, too.
pub(crate) fn blocks_of(files: &[ObjectRef], blocksize: u64) -> Arc<[FileBlock]> {
    let cut = |(file, object): (usize, &ObjectRef)| {
        let (size, file) = (object.size(), file as u32);
        let starts = (0..size.max(1)).step_by(usize::try_from(blocksize).unwrap_or(usize::MAX));
        starts.map(move |start| FileBlock { file, start, end: size.min(start.saturating_add(blocksize)) })
    };
    files.iter().enumerate().flat_map(cut).collect()
}

/// Files as blocks.
#[derive(Clone)]
pub(crate) struct CsvScan {
    pub(crate) files: Arc<[ObjectRef]>,
    pub(crate) blocks: Arc<[FileBlock]>,
    pub(crate) options: Arc<CsvOptions>,
    /// All columns of the files, in order.
    pub(crate) file_schema: SchemaRef,
    /// The names in the first file's header, if it has one.
    pub(crate) header: Arc<[String]>,
    /// The columns that are wanted, in the files' order; `None` for all.
    pub(crate) projection: Option<Arc<[PlSmallStr]>>,
    /// Rows that are not wanted never leave the reader.
    pub(crate) predicate: Option<Expr>,
    /// Bytes of a record in the files, on average of the sample.
    record: f64,
}

impl CsvScan {
    /// Looks at the first file and cuts all of them into blocks. One read of storage.
    ///
    /// # Errors
    /// If the sample is not CSV, or an option does not fit it.
    pub(crate) fn new(files: Vec<ObjectRef>, options: CsvOptions) -> Result<CsvScan> {
        let first = files.iter().find(|file| file.size() > 0).or(files.first());
        let sample = match first {
            Some(file) => sample::sample(file, &options)?,
            None => sample::Sample { schema: Schema::default(), header: Vec::new(), record: 1.0 },
        };
        Ok(CsvScan {
            blocks: blocks_of(&files, options.blocksize),
            files: files.into(),
            options: Arc::new(options),
            file_schema: Arc::new(sample.schema),
            header: sample.header.into(),
            projection: None,
            predicate: None,
            record: sample.record,
        })
    }

    /// The same with nothing pushed down.
    pub(crate) fn plain(&self) -> CsvScan {
        CsvScan { projection: None, predicate: None, ..self.clone() }
    }

    fn largest_block(&self) -> u64 {
        self.blocks.iter().map(|block| block.end - block.start).max().unwrap_or(0)
    }

    /// Whether block `number` needs to know what quotes stand before it.
    pub(crate) fn is_chained(&self, number: usize) -> bool {
        let file = self.blocks.get(number).map(|block| block.file);
        let mut others = [number.checked_sub(1), number.checked_add(1)].into_iter().flatten();
        self.options.quote.is_some() && others.any(|other| self.blocks.get(other).map(|block| block.file) == file)
    }

    /// What the kernels need.
    pub(crate) fn parser(&self) -> Parser {
        Parser {
            first: 0,
            files: self.files.clone(),
            blocks: self.blocks.clone(),
            options: self.options.clone(),
            file_schema: Arc::new(Wire((*self.file_schema).clone())),
            header: self.header.clone(),
            projection: self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::to_string).collect()),
            predicate: self.predicate.clone().map(Wire),
        }
    }
}

impl Scan for CsvScan {
    fn schema(&self) -> SchemaRef {
        let Some(columns) = &self.projection else { return self.file_schema.clone() };
        let field = |name: &PlSmallStr| Some(Field::new(name.clone(), self.file_schema.get(name)?.clone()));
        Arc::new(columns.iter().filter_map(field).collect())
    }

    fn key(&self) -> Key {
        let key = self.files.iter().fold(KeyBuilder::new("frame.read_csv"), |key, file| {
            let location = file.location().to_string();
            key.bytes(location.as_bytes()).number(file.size()).bytes(file.version().as_bytes())
        });
        let key = add_to_key(key.value(&*self.options), &*self.file_schema);
        let projection =
            self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::as_str).collect::<Vec<_>>());
        add_to_key(key.value(&projection), &self.predicate).finish()
    }

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn rows(&self) -> u64 {
        let largest = self.largest_block();
        let rows = (largest as f64 / self.record).ceil() as u64;
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
            Some(_) => format!("columns [{}] of {}", names(&schema), self.file_schema.len()),
        };
        let filter = self.predicate.as_ref().map_or_else(String::new, |predicate| format!(" where {predicate}"));
        format!("read_csv {first}{more}: {} blocks, {columns}{filter}", self.blocks.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let names = self.schema();
        let kept: Arc<[PlSmallStr]> = names.iter_names().filter(|name| columns.contains(*name)).cloned().collect();
        let fewer = kept.len() < self.file_schema.len();
        fewer.then(|| Arc::new(CsvScan { projection: Some(kept), ..self.clone() }) as Arc<dyn Scan>)
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        let predicate = match self.predicate.clone() {
            Some(known) => known.and(condition.clone()),
            None => condition.clone(),
        };
        Some(Arc::new(CsvScan { predicate: Some(predicate), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Csv(Box::new(self.parser()))
    }

    /// The text of the block; columns that are read but not handed on come on top.
    fn scratch(&self) -> u64 {
        self.largest_block()
    }

    fn needs(&self, lowering: &mut Lowering, expr: &FrameExpr) -> Result<Vec<Vec<Edge>>> {
        quotes(lowering, expr, self)
    }
}
