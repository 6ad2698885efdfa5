//! Parquet files as partitions, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, PlSmallStr, Schema, SchemaRef};
use polars_parquet::read::RowGroupMetadata;
use talatat_graph::{Key, KeyBuilder};

use super::decode::{ParquetFile, ParquetReader};
use super::footer::{Footer, bad};
use super::hive::{self, Constant};
use super::options::ParquetOptions;
use super::pieces::{Piece, cut, decoded_bytes, stored_bytes};
use super::prune::skipped;
use super::unify::unify;
use crate::error::Result;
use crate::frame::expr::{Columns, Facts};
use crate::frame::kernels::Source;
use crate::frame::scan::{Pushed, Scan, files_described, files_to_key};
use crate::frame::step::columns;
use crate::frame::wire::Wire;
use crate::storage::ObjectRef;

/// What the files are; the same for all scans of them.
struct Files {
    files: Arc<[ParquetFile]>,
    footers: Vec<Arc<Footer>>,
    constants: Vec<Constant>,
    schema: SchemaRef,
    /// The files' versions and the options.
    key: Key,
}

/// Files as partitions.
#[derive(Clone)]
pub(crate) struct ParquetScan {
    files: Arc<Files>,
    partitions: Arc<[Arc<[Piece]>]>,
    pushed: Pushed,
    /// Row groups that are read, and all there are, if that was looked at.
    pruned: Option<(usize, usize)>,
}

impl ParquetScan {
    /// Reads the footers of all files that are not known yet, and cuts the row groups into partitions.
    ///
    /// # Errors
    /// If a footer cannot be read, or the files' columns do not fit each other.
    pub(crate) fn new(files: Vec<ObjectRef>, options: ParquetOptions) -> Result<ParquetScan> {
        let footers = Footer::of_all(&files)?;
        let mut constants = if options.hive { hive::folders(&files) } else { Vec::new() };
        if let Some(name) = &options.path {
            constants.retain(|constant| constant.name != *name);
            let taken = footers.iter().position(|footer| footer.schema.contains(name));
            if let Some(file) = taken.and_then(|at| files.get(at)) {
                let reason = format!("`include_path(\"{name}\")`: there is a column of that name; choose another one");
                return Err(bad(file, reason).into());
            }
            constants.push(hive::paths(&files, name));
        }
        let schema = unify(&files, &footers, &constants, &options)?;
        if let (true, Some(file)) = (schema.is_empty(), files.first()) {
            return Err(bad(file, "there are no columns in the file").into());
        }
        check_constants(&files, &constants, &schema)?;
        let partitions = cut(&footers, &schema, options.partition_bytes).into_iter().map(Arc::from).collect();
        let with_constants = |(number, object): (usize, ObjectRef)| ParquetFile {
            object,
            constants: constants.iter().map(|constant| constant.values.get(number).cloned().flatten()).collect(),
        };
        let files: Arc<[ParquetFile]> = files.into_iter().enumerate().map(with_constants).collect();
        let files = Files { key: key_of(&files, &options), files, footers, constants, schema: Arc::new(schema) };
        Ok(ParquetScan { files: Arc::new(files), partitions, pushed: Pushed::default(), pruned: None })
    }

    fn read_rows(&self) -> impl Iterator<Item = u64> + '_ {
        self.partitions.iter().map(|pieces| pieces.iter().map(Piece::rows).sum())
    }

    /// The row group of a piece.
    fn group(&self, piece: &Piece) -> Option<&RowGroupMetadata> {
        self.files.footers.get(piece.file as usize)?.metadata.row_groups.get(piece.group as usize)
    }

    /// What the kernels need.
    fn reader(&self) -> ParquetReader {
        ParquetReader {
            first: 0,
            files: self.files.files.clone(),
            partitions: self.partitions.clone(),
            schema: Arc::new(Wire((*self.files.schema).clone())),
            constants: self.files.constants.iter().map(|constant| constant.name.clone()).collect(),
            pushed: self.pushed.clone(),
        }
    }
}

impl Scan for ParquetScan {
    fn schema(&self) -> SchemaRef {
        self.pushed.schema(&self.files.schema)
    }

    fn key(&self) -> Key {
        let key = KeyBuilder::new("frame.read_parquet").key(self.files.key);
        self.pushed.add_to_key(key).number(u64::from(self.pruned.is_some())).finish()
    }

    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn rows(&self) -> u64 {
        self.pushed.rows(self.read_rows().max().unwrap_or(0))
    }

    /// The footers say how many rows there are; how many a filter keeps they do not.
    fn facts(&self) -> Facts {
        Facts { lengths: self.pushed.predicate.is_none().then(|| self.read_rows().collect()), ..Facts::default() }
    }

    fn describe(&self) -> String {
        let files = files_described(self.files.files.iter().map(|file| &file.object));
        let pruned = self.pruned.map_or_else(String::new, |(read, all)| format!(", {read} of {all} row groups"));
        let pushed = self.pushed.describe(&self.files.schema);
        format!("read_parquet {files}: {} partitions, {pushed}{pruned}", self.partitions.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let pushed = self.pushed.projected(&self.files.schema, columns)?;
        Some(Arc::new(ParquetScan { pushed, ..self.clone() }))
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        Some(Arc::new(ParquetScan { pushed: self.pushed.filtered(condition), ..self.clone() }))
    }

    fn pruned(&self) -> Option<Arc<dyn Scan>> {
        let predicate = self.pushed.predicate.as_ref().filter(|_| self.pruned.is_none())?;
        let files = &self.files;
        let skip = skipped(&files.footers, &files.constants, &files.schema, &predicate.0);
        let starts: Vec<usize> = files
            .footers
            .iter()
            .scan(0, |next, footer| {
                let start = *next;
                *next += footer.metadata.row_groups.len();
                Some(start)
            })
            .collect();
        let skips = |piece: &Piece| {
            let start = starts.get(piece.file as usize).copied().unwrap_or(usize::MAX);
            skip.get(start.saturating_add(piece.group as usize)).copied().unwrap_or(false)
        };
        let left =
            |pieces: &Arc<[Piece]>| pieces.iter().filter(|piece| !skips(piece)).copied().collect::<Arc<[Piece]>>();
        let read = skip.iter().filter(|skip| !**skip).count();
        Some(Arc::new(ParquetScan {
            partitions: self.partitions.iter().map(left).collect(),
            pruned: Some((read, skip.len())),
            ..self.clone()
        }))
    }

    fn source(&self) -> Source {
        Source::Parquet(Box::new(self.reader()))
    }

    /// What is fetched, and the columns that only the filter reads; before rows are left out, these are whole.
    fn scratch(&self) -> u64 {
        let schema = &self.files.schema;
        let filtered = self.pushed.filters_by();
        let read = self.pushed.read(schema);
        let piece = |piece: &Piece| {
            self.group(piece).map_or(0, |group| {
                let decoded = decoded_bytes(group, schema, filtered.iter().map(PlSmallStr::as_str));
                stored_bytes(group, read.iter_names().map(PlSmallStr::as_str)).saturating_add(decoded)
            })
        };
        self.partitions.iter().map(|pieces| pieces.iter().map(piece).fold(0, u64::saturating_add)).max().unwrap_or(0)
    }
}

fn key_of(files: &[ParquetFile], options: &ParquetOptions) -> Key {
    let key = KeyBuilder::new("frame.parquet_files");
    files_to_key(key, files.iter().map(|file| &file.object)).value(options).finish()
}

/// Texts of folders must be values of the type they are read as.
fn check_constants(files: &[ObjectRef], constants: &[Constant], schema: &Schema) -> Result<()> {
    for constant in constants {
        let dtype = schema.get(&constant.name).unwrap_or(&DataType::String);
        // Most values are those of the file before.
        let mut last = None;
        for (file, value) in files.iter().zip(&constant.values) {
            if last == Some(value) {
                continue;
            }
            last = Some(value);
            let name = PlSmallStr::from(constant.name.as_str());
            if hive::column(&name, value.as_deref(), dtype, 1).is_err() {
                let value = value.as_deref().unwrap_or_default();
                let reason = format!(
                    "the folder `{}` gives no value of type {dtype}; there are {}; choose another type, or \
                     leave such folders out with `.hive(false)`",
                    hive::folder(&constant.name, Some(value)),
                    columns(schema)
                );
                return Err(bad(file, reason).into());
            }
        }
    }
    Ok(())
}
