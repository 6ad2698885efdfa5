//! Row groups as partitions: small ones joined, very large ones split.

use std::sync::Arc;

use polars::prelude::{DataType, Schema};
use polars_parquet::read::RowGroupMetadata;
use serde::{Deserialize, Serialize};

use super::footer::Footer;

/// Some rows of a row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// The number of the file.
    pub(crate) file: u32,
    /// The number of the row group in it.
    pub(crate) group: u32,
    /// The first row in the row group.
    pub(crate) start: u64,
    /// One past the last row.
    pub(crate) end: u64,
}

impl Piece {
    pub(crate) fn rows(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// Pieces that a partition has at most: each is a request or two, however small it is.
const PIECES: usize = 128;

/// Cuts files into partitions of about `target` decoded bytes. There is at least one partition; it may have no rows.
pub(crate) fn cut(footers: &[Arc<Footer>], schema: &Schema, target: u64) -> Vec<Vec<Piece>> {
    let mut partitions: Vec<Vec<Piece>> = Vec::new();
    let mut open: Vec<Piece> = Vec::new();
    let mut filled: u64 = 0;
    for (file, footer) in footers.iter().enumerate() {
        for (group, metadata) in footer.metadata.row_groups.iter().enumerate() {
            let rows = metadata.num_rows() as u64;
            if rows == 0 {
                continue;
            }
            let bytes = decoded_bytes(metadata, schema, schema.iter_names().map(|name| name.as_str()));
            if filled > 0 && (filled.saturating_add(bytes) > target || open.len() >= PIECES) {
                partitions.push(std::mem::take(&mut open));
                filled = 0;
            }
            let parts = if bytes > 4 * target { bytes.div_ceil(target).min(rows) } else { 1 };
            let cut = |part: u64| (u128::from(rows) * u128::from(part) / u128::from(parts)) as u64;
            let piece = |part| Piece { file: file as u32, group: group as u32, start: cut(part), end: cut(part + 1) };
            if parts > 1 {
                partitions.extend((0..parts).map(|part| vec![piece(part)]));
                continue;
            }
            open.push(piece(0));
            filled = filled.saturating_add(bytes);
        }
    }
    if !open.is_empty() || partitions.is_empty() {
        partitions.push(open);
    }
    partitions
}

/// A guess at the bytes of some columns of a row group in memory. Texts are taken as long as they are in the file before compression.
pub(crate) fn decoded_bytes<'a>(
    group: &RowGroupMetadata,
    schema: &Schema,
    names: impl Iterator<Item = &'a str>,
) -> u64 {
    let rows = group.num_rows() as u64;
    let column = |name: &str| {
        let stored = || -> u64 {
            let chunks = group.columns_under_root_iter(name);
            chunks.map_or(0, |chunks| chunks.map(|chunk| u64::try_from(chunk.uncompressed_size()).unwrap_or(0)).sum())
        };
        match schema.get(name) {
            Some(DataType::String | DataType::Binary) => (16 * rows).saturating_add(stored()),
            Some(DataType::List(_) | DataType::Struct(_)) => (8 * rows).saturating_add(2 * stored()),
            Some(DataType::Boolean) => rows.div_ceil(8),
            Some(DataType::Int8 | DataType::UInt8) => rows,
            Some(DataType::Int16 | DataType::UInt16) => 2 * rows,
            Some(DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date) => 4 * rows,
            Some(_) => 8 * rows,
            None => 0,
        }
    };
    names.map(column).fold(0, u64::saturating_add)
}

/// Bytes of some columns of a row group in the file.
pub(crate) fn stored_bytes<'a>(group: &RowGroupMetadata, names: impl Iterator<Item = &'a str>) -> u64 {
    let chunks = names.filter_map(|name| group.columns_under_root_iter(name)).flatten();
    chunks.map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or(0)).sum()
}
