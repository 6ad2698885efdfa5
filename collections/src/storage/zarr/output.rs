//! Arrays that several tasks write, each whole chunks.
//!
//! A new array is there completely or not at all: a local one is written into a hidden folder beside its place, which gets its name at the
//! end; in a store, what was there loses its metadata first, and the new metadata come last. A region of an array that is there is
//! written chunk by chunk, each of which is there completely or as it was.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayD, ArrayViewD, Axis, Dimension, IxDyn, Slice};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use zarrs::array::ArrayBytes;

use super::array::{METADATA, ZarrArray, ZarrRef, codec_options};
use super::listing::{self, Found};
use super::read::Decoded;
use super::store::ZarrStore;
use crate::array::kernels::pool;
use crate::storage::error::{Result, StorageError};
use crate::storage::folder::{begin_folder, replace_folder};
use crate::storage::location::{Location, Scheme};
use crate::storage::write::check_writable;

/// An array on its way, as tasks know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ZarrOutput {
    /// A local folder that gets its name at the end.
    Folder {
        /// The hidden folder.
        written: ZarrRef,
        /// Where it will be.
        location: Location,
        path: PathBuf,
    },
    /// Objects in place; before them, if there are some, the old ones are removed.
    Objects { written: ZarrRef, replaces: bool },
    /// Chunks of an array that is there.
    Region { written: ZarrRef, origin: Vec<usize> },
}

/// Removes what was written when it is dropped; what has been finished stays.
#[derive(Debug)]
pub(crate) enum ZarrGuard {
    /// The hidden folder, which is gone if it was renamed.
    Folder { _folder: TempDir },
    /// The objects, and whether all are there.
    Objects(Location, AtomicBool),
}

impl ZarrGuard {
    /// Says that all has been finished: there is nothing to remove.
    pub(crate) fn finished(&self) {
        if let ZarrGuard::Objects(_, finished) = self {
            finished.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for ZarrGuard {
    fn drop(&mut self) {
        if let ZarrGuard::Objects(location, finished) = self
            && !*finished.get_mut()
        {
            // With metadata it is the array that was there, or a whole one. Nobody is left to hear of a failure here: what stays
            // is never taken for an array.
            if let Ok(Found::Chunks) = listing::find(location) {
                let _ = listing::remove_array(location);
            }
        }
    }
}

fn not_writable(location: &Location, reason: impl Into<String>) -> StorageError {
    StorageError::NotWritable { url: location.to_string(), reason: reason.into() }
}

impl ZarrOutput {
    /// Begins a new array: makes sure that it can be written, and that nothing is there that must stay.
    ///
    /// # Errors
    /// [`StorageError::NotWritable`], [`StorageError::BadZarr`] for metadata that cannot be, or a failure of the store.
    pub(crate) fn begin(
        location: &Location,
        metadata: &str,
        overwrite: bool,
    ) -> Result<(ZarrOutput, ZarrArray, ZarrGuard)> {
        let found = listing::find(location)?;
        let replaces = match found {
            Found::Nothing => false,
            Found::Array | Found::Chunks if overwrite => true,
            Found::Array => {
                let mend = "a Zarr array is there; allow to overwrite it, or write a region of it";
                return Err(not_writable(location, mend));
            }
            Found::Chunks => {
                let mend = "there are chunks without metadata, perhaps of a write that was interrupted; allow to overwrite them";
                return Err(not_writable(location, mend));
            }
            Found::Group => {
                return Err(not_writable(location, "a Zarr group is there; add the name of an array in it"));
            }
            Found::Other(name) => {
                return Err(not_writable(location, format!("`{name}` is there, which is no part of a Zarr array")));
            }
        };
        let understood =
            |location: &Location| ZarrArray::new(ZarrRef { location: location.clone(), metadata: metadata.into() });
        // Errors in metadata name the place that the user named.
        let array = understood(location)?;
        if location.scheme() != Scheme::File {
            check_writable(&location.join(METADATA[0])?)?;
            let output = ZarrOutput::Objects { written: array.reference(), replaces };
            return Ok((output, array, ZarrGuard::Objects(location.clone(), AtomicBool::new(false))));
        }
        let begun = begin_folder(location)?;
        let (hidden, path) = begun.ok_or_else(|| not_writable(location, "it is no path"))?;
        let text = hidden.path().to_str().ok_or_else(|| not_writable(location, "its path is no text"))?;
        let array = understood(&Location::parse(text)?)?;
        let output = ZarrOutput::Folder { written: array.reference(), location: location.clone(), path };
        Ok((output, array, ZarrGuard::Folder { _folder: hidden }))
    }

    /// Where it will be.
    pub(crate) fn location(&self) -> &Location {
        match self {
            ZarrOutput::Folder { location, .. } => location,
            ZarrOutput::Objects { written, .. } | ZarrOutput::Region { written, .. } => &written.location,
        }
    }

    /// The array that chunks are written into.
    pub(crate) fn written(&self) -> &ZarrRef {
        match self {
            ZarrOutput::Folder { written, .. }
            | ZarrOutput::Objects { written, .. }
            | ZarrOutput::Region { written, .. } => written,
        }
    }

    /// Where the first element that is written belongs.
    pub(crate) fn origin(&self, axis: usize) -> usize {
        match self {
            ZarrOutput::Region { origin, .. } => origin.get(axis).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether something has to be removed before the first chunk is written.
    pub(crate) fn must_clear(&self) -> bool {
        matches!(self, ZarrOutput::Objects { replaces: true, .. })
    }

    /// Removes what was there, the metadata first: from then on there is no array until [`finish`](ZarrOutput::finish).
    pub(crate) fn clear(&self) -> Result<()> {
        listing::remove_array(self.location())
    }

    /// All chunks are written: gives the array its metadata and its name.
    pub(crate) fn finish(&self) -> Result<()> {
        let metadata: serde_json::Value = serde_json::from_str(&self.written().metadata).unwrap_or_default();
        let name =
            if metadata.get("zarr_format").is_some_and(|version| *version == 2) { METADATA[1] } else { METADATA[0] };
        let write = |location: &Location| ZarrStore::new(location.clone()).write(name, format!("{metadata:#}").into());
        match self {
            ZarrOutput::Region { .. } => Ok(()),
            ZarrOutput::Objects { written, .. } => write(&written.location),
            ZarrOutput::Folder { written, location, path } => {
                write(&written.location)?;
                replace_folder(&written.location.local_path().unwrap_or_default(), path, location)
            }
        }
    }
}

impl ZarrArray {
    /// Bytes that [`ZarrArray::write`] needs beside the block: a chunk, the same encoded, and what codecs copy.
    pub(crate) fn write_scratch(&self) -> u64 {
        self.chunk_bytes().saturating_mul(3)
    }

    /// Writes a block that begins at `origin`, where a chunk begins, and ends where one ends, or the array.
    ///
    /// # Errors
    /// [`StorageError::BadZarr`] for a chunk that cannot be encoded or written; [`StorageError::BadRegion`] for a block that
    /// would leave a part of a chunk to others.
    pub(crate) fn write<T: Decoded>(&self, origin: &[usize], block: &ArrayViewD<'_, T>) -> Result<()> {
        if T::DTYPE != self.dtype || block.ndim() != self.shape.len() || origin.len() != block.ndim() {
            return Err(self.bad(format!("it holds {} in {} axes", self.dtype, self.shape.len())));
        }
        let ends = |axis: usize| origin[axis] + block.len_of(Axis(axis));
        let starts = |axis: usize| origin[axis].is_multiple_of(self.chunk[axis]);
        let fits = |axis: usize| ends(axis).is_multiple_of(self.chunk[axis]) || ends(axis) == self.shape[axis];
        if let Some(axis) =
            (0..origin.len()).find(|&axis| !starts(axis) || !fits(axis) || ends(axis) > self.shape[axis])
        {
            let region = format!("{}..{} of axis {axis}", origin[axis], ends(axis));
            let reason = format!("it holds a part of a chunk of {}", self.chunk[axis]);
            return Err(StorageError::BadRegion { url: self.store.root().to_string(), region, reason });
        }
        let counts: Vec<usize> =
            block.shape().iter().zip(&self.chunk).map(|(&length, &chunk)| length.div_ceil(chunk)).collect();
        for place in ndarray::indices(IxDyn(&counts)) {
            let place = place.as_array_view();
            let (mut at, mut chunk) = (Vec::with_capacity(place.len()), block.view());
            for (axis, &number) in place.iter().enumerate() {
                let length = self.chunk[axis];
                let end = ((number + 1) * length).min(block.len_of(Axis(axis)));
                chunk.slice_axis_inplace(Axis(axis), Slice::from(number * length..end));
                at.push((origin[axis] / length + number) as u64);
            }
            self.write_chunk(&at, &chunk)?;
        }
        Ok(())
    }

    /// Writes one chunk; what reaches beyond the array becomes the fill value. A chunk of nothing but that is not stored.
    fn write_chunk<T: Decoded>(&self, at: &[u64], elements: &ArrayViewD<'_, T>) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| self.bad_chunk(at, "written", error);
        let copied;
        let values: &[T] = match elements.as_slice() {
            Some(values) if elements.shape() == self.chunk => values,
            _ => {
                copied = self.padded(elements).map_err(|error| failed(&error))?;
                copied.as_slice().unwrap_or_default()
            }
        };
        let bytes = ArrayBytes::new_flen(Cow::Borrowed(bytemuck::cast_slice(values)));
        self.inner.store_chunk_opt(at, bytes, &codec_options()).map_err(|error| failed(&error))
    }

    fn padded<T: Decoded>(&self, elements: &ArrayViewD<'_, T>) -> std::result::Result<ArrayD<T>, ndarray::ShapeError> {
        let mut buffer = pool::take::<T>(self.chunk.iter().product());
        if elements.shape() != self.chunk {
            let fill = T::values(self.inner.fill_value().as_ne_bytes()).first().copied();
            buffer.fill(fill.unwrap_or_default());
        }
        let mut chunk = ArrayD::from_shape_vec(IxDyn(&self.chunk), buffer)?;
        let mut part = chunk.view_mut();
        elements
            .shape()
            .iter()
            .enumerate()
            .for_each(|(axis, &length)| part.slice_axis_inplace(Axis(axis), Slice::from(0..length)));
        part.assign(elements);
        Ok(chunk)
    }
}
