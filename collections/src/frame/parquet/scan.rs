//! Parquet files as partitions, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, Field, PlSmallStr, Schema, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::decode::{ParquetFile, ParquetReader};
use super::footer::{Footer, bad};
use super::hive::{self, Constant};
use super::options::ParquetOptions;
use super::pieces::{Piece, cut, decoded_bytes, stored_bytes};
use super::prune::skipped;
use super::unify::unify;
use crate::error::Result;
use crate::frame::expr::names;
use crate::frame::step::{columns, columns_of, row_bytes};
use crate::frame::wire::{Wire, add_to_key};
use crate::storage::ObjectRef;

/// What the files are; the same for all scans of them.
struct Files {
    files: Arc<[ParquetFile]>,
    footers: Vec<Arc<Footer>>,
    constants: Vec<Constant>,
    options: ParquetOptions,
    schema: SchemaRef,
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
        let files = files.into_iter().enumerate().map(with_constants).collect();
        let files = Files { files, footers, constants, options, schema: Arc::new(schema) };
        Ok(ParquetScan { files: Arc::new(files), partitions, projection: None, predicate: None, pruned: None })
    }

    /// The columns that come out.
    pub(crate) fn schema(&self) -> SchemaRef {
        let all = &self.files.schema;
        let Some(columns) = &self.projection else { return all.clone() };
        let field = |name: &PlSmallStr| Some(Field::new(name.clone(), all.get(name)?.clone()));
        Arc::new(columns.iter().filter_map(field).collect())
    }

    /// All columns of the files.
    pub(crate) fn width(&self) -> usize {
        self.files.schema.len()
    }

    /// What the partitions are: the files' versions, the options and what was pushed down. Pruning changes no row.
    pub(crate) fn key(&self) -> Key {
        let key = self.files.files.iter().fold(KeyBuilder::new("frame.read_parquet"), |key, file| {
            let location = file.object.location().to_string();
            key.bytes(location.as_bytes()).number(file.object.size()).bytes(file.object.version().as_bytes())
        });
        let projection =
            self.projection.as_ref().map(|columns| columns.iter().map(PlSmallStr::as_str).collect::<Vec<_>>());
        add_to_key(key.value(&self.files.options).value(&projection), &self.predicate).finish()
    }

    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// The rows of each partition, from the footers; not known if rows are filtered.
    pub(crate) fn lengths(&self) -> Option<Arc<[u64]>> {
        self.predicate.is_none().then(|| self.read_rows().collect())
    }

    fn read_rows(&self) -> impl Iterator<Item = u64> + '_ {
        self.partitions.iter().map(|pieces| pieces.iter().map(Piece::rows).sum())
    }

    /// The rows of the largest partition; half of them, if they are filtered.
    pub(crate) fn rows(&self) -> u64 {
        let largest = self.read_rows().max().unwrap_or(0);
        if self.predicate.is_some() { largest.div_ceil(2) } else { largest }
    }

    /// The bytes of a row in memory, of the columns that come out, from what the footers tell of texts.
    pub(crate) fn row_bytes(&self) -> f64 {
        let schema = self.schema();
        let (mut bytes, mut rows) = (0_u64, 0_u64);
        for footer in &self.files.footers {
            for group in &footer.metadata.row_groups {
                bytes =
                    bytes.saturating_add(decoded_bytes(group, &schema, schema.iter_names().map(|name| name.as_str())));
                rows += group.num_rows() as u64;
            }
        }
        if rows == 0 { row_bytes(&schema) as f64 } else { bytes as f64 / rows as f64 }
    }

    /// What reading a partition takes beside its result, in bytes: what is fetched, and the columns that only the filter reads.
    pub(crate) fn scratch(&self) -> u64 {
        let schema = &self.files.schema;
        let filtered = self.predicate.as_ref().map_or_else(Vec::new, columns_of);
        let wanted = self.schema();
        let read = || schema.iter_names().filter(|name| wanted.contains(name) || filtered.contains(name));
        let piece = |piece: &Piece| {
            let footer = self.files.footers.get(piece.file as usize);
            let group = footer.and_then(|footer| footer.metadata.row_groups.get(piece.group as usize));
            group.map_or(0, |group| {
                let names = || read().map(|name| name.as_str());
                stored_bytes(group, names()).saturating_add(decoded_bytes(group, schema, names()))
            })
        };
        self.partitions.iter().map(|pieces| pieces.iter().map(piece).fold(0, u64::saturating_add)).max().unwrap_or(0)
    }

    /// The same, giving these of its columns.
    pub(crate) fn projected(&self, columns: Arc<[PlSmallStr]>) -> ParquetScan {
        ParquetScan { projection: Some(columns), ..self.clone() }
    }

    /// The same with one more condition.
    pub(crate) fn filtered(&self, condition: Expr) -> ParquetScan {
        let predicate = match self.predicate.clone() {
            Some(known) => known.and(condition),
            None => condition,
        };
        ParquetScan { predicate: Some(predicate), ..self.clone() }
    }

    /// The same without the row groups that the filter keeps nothing of. The partitions stay, some with fewer rows to read, or none.
    pub(crate) fn pruned(&self) -> Option<ParquetScan> {
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
        Some(ParquetScan {
            partitions: self.partitions.iter().map(left).collect(),
            pruned: Some((read, skip.len())),
            ..self.clone()
        })
    }

    /// What the kernels need.
    pub(crate) fn reader(&self) -> ParquetReader {
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

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
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
