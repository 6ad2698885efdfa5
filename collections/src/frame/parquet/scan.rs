//! Parquet files as partitions, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, Field, PlSmallStr, Schema, SchemaRef};
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
use crate::frame::expr::{Columns, Facts, names};
use crate::frame::kernels::Source;
use crate::frame::scan::Scan;
use crate::frame::step::{columns, columns_of};
use crate::frame::wire::{Wire, add_to_key};
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
    /// The columns that are wanted, in the files' order; `None` for all.
    projection: Option<Arc<[PlSmallStr]>>,
    /// Rows that are not wanted never leave the reader.
    predicate: Option<Expr>,
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
        Ok(ParquetScan { files: Arc::new(files), partitions, projection: None, predicate: None, pruned: None })
    }

    /// All columns of the files.
    fn width(&self) -> usize {
        self.files.schema.len()
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
            projection: self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::to_string).collect()),
            predicate: self.predicate.clone().map(Wire),
        }
    }
}

impl Scan for ParquetScan {
    fn schema(&self) -> SchemaRef {
        let all = &self.files.schema;
        let Some(columns) = &self.projection else { return all.clone() };
        let field = |name: &PlSmallStr| Some(Field::new(name.clone(), all.get(name)?.clone()));
        Arc::new(columns.iter().filter_map(field).collect())
    }

    fn key(&self) -> Key {
        let projection =
            self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::as_str).collect::<Vec<_>>());
        let key = KeyBuilder::new("frame.read_parquet").key(self.files.key).value(&projection);
        add_to_key(key, &self.predicate).number(u64::from(self.pruned.is_some())).finish()
    }

    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn rows(&self) -> u64 {
        let largest = self.read_rows().max().unwrap_or(0);
        if self.predicate.is_some() { largest.div_ceil(2) } else { largest }
    }

    /// The footers say how many rows there are; how many a filter keeps they do not.
    fn facts(&self) -> Facts {
        Facts { lengths: self.predicate.is_none().then(|| self.read_rows().collect()), ..Facts::default() }
    }

    fn describe(&self) -> String {
        let first = self.files.files.first().map_or_else(String::new, |file| file.object.location().to_string());
        let first = first.rsplit('/').next().unwrap_or_default();
        let more = match self.files.files.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let schema = self.schema();
        let columns = match &self.projection {
            None => format!("all {} columns", schema.len()),
            Some(_) => format!("columns [{}] of {}", names(&schema), self.width()),
        };
        let filter = self.predicate.as_ref().map_or_else(String::new, |predicate| format!(" where {predicate}"));
        let pruned = self.pruned.map_or_else(String::new, |(read, all)| format!(", {read} of {all} row groups"));
        format!("read_parquet {first}{more}: {} partitions, {columns}{filter}{pruned}", self.partitions.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let names = self.schema();
        let kept: Arc<[PlSmallStr]> = names.iter_names().filter(|name| columns.contains(*name)).cloned().collect();
        let fewer = kept.len() < names.len();
        fewer.then(|| Arc::new(ParquetScan { projection: Some(kept), ..self.clone() }) as Arc<dyn Scan>)
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        let predicate = match self.predicate.clone() {
            Some(known) => known.and(condition.clone()),
            None => condition.clone(),
        };
        Some(Arc::new(ParquetScan { predicate: Some(predicate), ..self.clone() }))
    }

    fn pruned(&self) -> Option<Arc<dyn Scan>> {
        let predicate = self.predicate.as_ref().filter(|_| self.pruned.is_none())?;
        let files = &self.files;
        let skip = skipped(&files.footers, &files.constants, &files.schema, predicate);
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
        let filtered = self.predicate.as_ref().map_or_else(Vec::new, columns_of);
        let wanted = self.schema();
        let read: Vec<&str> = schema
            .iter_names()
            .filter(|name| wanted.contains(name) || filtered.contains(name))
            .map(PlSmallStr::as_str)
            .collect();
        let piece = |piece: &Piece| {
            self.group(piece).map_or(0, |group| {
                let decoded = decoded_bytes(group, schema, filtered.iter().map(PlSmallStr::as_str));
                stored_bytes(group, read.iter().copied()).saturating_add(decoded)
            })
        };
        self.partitions.iter().map(|pieces| pieces.iter().map(piece).fold(0, u64::saturating_add)).max().unwrap_or(0)
    }
}

fn key_of(files: &[ParquetFile], options: &ParquetOptions) -> Key {
    let key = files.iter().fold(KeyBuilder::new("frame.parquet_files"), |key, file| {
        let location = file.object.location().to_string();
        key.bytes(location.as_bytes()).number(file.object.size()).bytes(file.object.version().as_bytes())
    });
    key.value(options).finish()
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
