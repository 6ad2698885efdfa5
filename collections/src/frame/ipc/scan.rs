//! Record batches as partitions, with what was pushed down into reading them.

use std::sync::Arc;

use polars::prelude::{DataType, Expr, Schema, SchemaRef};
use talatat_graph::{Key, KeyBuilder};

use super::file::{Ranges, bad, range_of};
use super::read::{Batch, IpcReader};
use crate::error::Result;
use crate::frame::expr::Columns;
use crate::frame::kernels::Source;
use crate::frame::scan::{Pushed, Scan, files_described, files_to_key};
use crate::frame::step::{columns, row_bytes};
use crate::frame::wire::Wire;
use crate::storage::error::StorageError;
use crate::storage::{ObjectRef, in_parallel};

/// Bytes in the file that a partition has about.
const TARGET: u64 = 32 << 20;
/// Footers that are read at once.
const THREADS: usize = 8;

/// Files as record batches.
#[derive(Clone)]
pub(crate) struct IpcScan {
    files: Arc<[ObjectRef]>,
    partitions: Arc<[Arc<[Batch]>]>,
    /// Bytes in the file of the largest partition.
    largest: u64,
    all: SchemaRef,
    pushed: Pushed,
}

impl IpcScan {
    /// Reads the footers of all files and joins their batches to partitions.
    ///
    /// # Errors
    /// If a footer cannot be read, or the files' columns differ.
    pub(crate) fn new(files: Vec<ObjectRef>) -> Result<IpcScan> {
        let found = in_parallel(&files, THREADS, |file| {
            let metadata = Ranges::new(file).metadata()?;
            let schema: Schema = metadata
                .schema
                .iter_values()
                .map(|field| (field.name.clone(), DataType::from_arrow_field(field)))
                .collect();
            let blocks = metadata.blocks.iter().filter_map(range_of);
            Ok::<_, StorageError>((schema, blocks.map(|range| range.end - range.start).collect::<Vec<u64>>()))
        })?;
        let all = found.first().map(|(schema, _)| schema.clone()).unwrap_or_default();
        let mut partitions: Vec<Vec<Batch>> = vec![Vec::new()];
        let (mut filled, mut largest) = (0, 0);
        for (number, (file, (schema, blocks))) in files.iter().zip(&found).enumerate() {
            let same = schema.len() == all.len() && schema.iter().all(|(name, dtype)| all.get(name) == Some(dtype));
            if let (false, Some(first)) = (same, files.first()) {
                let reason = format!(
                    "the columns are {}, but those of {} are {}; read files of different columns apart",
                    columns(schema),
                    first.location(),
                    columns(&all)
                );
                return Err(bad(file, reason).into());
            }
            for (block, bytes) in blocks.iter().enumerate() {
                if filled > 0 && filled + bytes > TARGET {
                    partitions.push(Vec::new());
                    filled = 0;
                }
                filled += bytes;
                largest = largest.max(filled);
                if let Some(partition) = partitions.last_mut() {
                    partition.push(Batch { file: number as u32, block: block as u32 });
                }
            }
        }
        if let (true, Some(file)) = (all.is_empty(), files.first()) {
            return Err(bad(file, "there are no columns in the file").into());
        }
        Ok(IpcScan {
            files: files.into(),
            partitions: partitions.into_iter().map(Arc::from).collect(),
            largest,
            all: Arc::new(all),
            pushed: Pushed::default(),
        })
    }
}

impl Scan for IpcScan {
    fn schema(&self) -> SchemaRef {
        self.pushed.schema(&self.all)
    }

    fn key(&self) -> Key {
        self.pushed.add_to_key(files_to_key(KeyBuilder::new("frame.read_ipc"), self.files.iter())).finish()
    }

    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// As many as fit the bytes if these are compressed to half.
    fn rows(&self) -> u64 {
        self.pushed.rows(2 * self.largest / row_bytes(&self.all).max(1))
    }

    fn describe(&self) -> String {
        let (files, pushed) = (files_described(self.files.iter()), self.pushed.describe(&self.all));
        format!("read_ipc {files}: {} partitions, {pushed}", self.partitions.len())
    }

    fn projected(&self, columns: &Columns) -> Option<Arc<dyn Scan>> {
        let pushed = self.pushed.projected(&self.all, columns)?;
        Some(Arc::new(IpcScan { pushed, ..self.clone() }))
    }

    fn filtered(&self, condition: &Expr) -> Option<Arc<dyn Scan>> {
        Some(Arc::new(IpcScan { pushed: self.pushed.filtered(condition), ..self.clone() }))
    }

    fn source(&self) -> Source {
        Source::Ipc(Box::new(IpcReader {
            first: 0,
            files: self.files.clone(),
            partitions: self.partitions.clone(),
            schema: Arc::new(Wire((*self.all).clone())),
            pushed: self.pushed.clone(),
        }))
    }

    fn scratch(&self) -> u64 {
        self.largest
    }
}
