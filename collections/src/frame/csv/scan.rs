//! CSV files cut into blocks, with what was pushed down into reading them.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, Expr, SchemaRef};
use serde::{Deserialize, Serialize};
use talatat_graph::{Edge, Key, KeyBuilder};

use super::parse::Parser;
use super::unpack::{RATIO, is_compressed};
use super::{CsvOptions, sample};
use crate::error::{Error, Result};
use crate::frame::expr::{Columns, FrameExpr};
use crate::frame::kernels::Source;
use crate::frame::scan::{Pushed, Scan, files_described, files_to_key};
use crate::frame::wire::{Wire, add_to_key};
use crate::lower::Lowering;
use crate::lower::frame::quotes;
use crate::storage::ObjectRef;
use crate::storage::error::StorageError;

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
        // What is compressed can only be read from its start.
        let blocksize = if is_compressed(object) { size.max(1) } else { blocksize };
        let starts = (0..size.max(1)).step_by(usize::try_from(blocksize).unwrap_or(usize::MAX));
        starts.map(move |start| FileBlock { file, start, end: size.min(start.saturating_add(blocksize)) })
    };
    files.iter().enumerate().flat_map(cut).collect()
}

/// The last block of a file has the lines at its end that are left out: it is joined to the one before, for it may be short.
fn whole_ends(blocks: Arc<[FileBlock]>, options: &CsvOptions) -> Arc<[FileBlock]> {
    if options.skip_footer == 0 {
        return blocks;
    }
    let mut joined: Vec<FileBlock> = Vec::with_capacity(blocks.len());
    for of_file in blocks.chunk_by(|a, b| a.file == b.file) {
        match of_file {
            [rest @ .., before, last] => {
                joined.extend(rest.iter().copied().chain([FileBlock { end: last.end, ..*before }]))
            }
            few => joined.extend(few),
        }
    }
    joined.into()
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
    /// The same, and that of the path.
    all: SchemaRef,
    /// The columns that the user wants, and nothing else pushed down.
    unfiltered: Pushed,
    pub(crate) pushed: Pushed,
    /// Bytes of a record in the files, on average of the sample.
    record: f64,
}

impl CsvScan {
    /// Looks at some files and cuts all of them into blocks.
    ///
    /// # Errors
    /// If the sample is not CSV, or an option does not fit it.
    pub(crate) fn new(
        files: Vec<ObjectRef>,
        options: CsvOptions,
        location: &'static Location<'static>,
    ) -> Result<CsvScan> {
        if let Some((one, two)) = options.clash() {
            let reason = format!("`{one}` and `{two}` are the same byte; choose two");
            return Err(Error::invalid_at("read_csv", reason, location));
        }
        let sample = sample::sample(&files, &options)?;
        let mut all = sample.schema.clone();
        if let Some(name) = &options.path {
            if let (true, Some(file)) = (all.contains(name), files.first()) {
                let reason = format!("`include_path(\"{name}\")`: there is a column of that name; choose another one");
                return Err(StorageError::BadCsv { url: file.location().to_string(), offset: 0, reason }.into());
            }
            all.insert(name.as_str().into(), DataType::String);
        }
        let all = Arc::new(all);
        let wanted = options
            .usecols
            .as_ref()
            .map(|columns| columns.iter().chain(&options.path).map(|name| name.as_str().into()).collect::<Columns>());
        let pushed = wanted.and_then(|wanted| Pushed::default().projected(&all, &wanted)).unwrap_or_default();
        Ok(CsvScan {
            blocks: whole_ends(
                blocks_of(&files, if options.escape.is_some() { u64::MAX } else { options.blocksize }),
                &options,
            ),
            files: files.into(),
            options: Arc::new(options),
            file_schema: Arc::new(sample.schema),
            header: sample.header.into(),
            all,
            unfiltered: pushed.clone(),
            pushed,
            record: sample.record,
        })
    }

    /// The same with nothing pushed down.
    pub(crate) fn plain(&self) -> CsvScan {
        CsvScan { pushed: self.unfiltered.clone(), ..self.clone() }
    }

    fn largest_block(&self) -> u64 {
        let text = |block: &FileBlock| {
            let compressed = self.files.get(block.file as usize).is_some_and(is_compressed);
            (block.end - block.start).saturating_mul(if compressed { RATIO } else { 1 })
        };
        self.blocks.iter().map(text).max().unwrap_or(0)
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
            pushed: self.pushed.clone(),
        }
    }
}

impl Scan for CsvScan {
    fn schema(&self) -> SchemaRef {
        self.pushed.schema(&self.all)
    }

    fn key(&self) -> Key {
        let key = files_to_key(KeyBuilder::new("frame.read_csv"), self.files.iter()).value(&*self.options);
        self.pushed.add_to_key(add_to_key(key, &*self.all)).finish()
    }

    fn partitions(&self) -> usize {
        self.blocks.len()
    }

    fn rows(&self) -> u64 {
        self.pushed.rows((self.largest_block() as f64 / self.record).ceil() as u64)
    }

    fn describe(&self) -> String {
        let (files, pushed) = (files_described(self.files.iter()), self.pushed.describe(&self.all));
        format!("read_csv {files}: {} blocks, {pushed}", self.blocks.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let pushed = self.pushed.projected(&self.all, columns)?;
        Some(Arc::new(CsvScan { pushed, ..self.clone() }))
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        Some(Arc::new(CsvScan { pushed: self.pushed.filtered(condition), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Csv(Box::new(self.parser()))
    }

    /// What quotes stand before a block is known when all blocks before it have been read.
    fn reads_anywhere(&self) -> bool {
        !(0..self.blocks.len()).any(|number| self.is_chained(number))
    }

    /// The text of the block; columns that are read but not handed on come on top.
    fn scratch(&self) -> u64 {
        self.largest_block()
    }

    fn needs(&self, lowering: &mut Lowering, expr: &FrameExpr) -> Result<Vec<Vec<Edge>>> {
        quotes(lowering, expr, self)
    }
}
