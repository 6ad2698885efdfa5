//! What a Zarr array says of itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zarrs::array::codec::api::CodecOptions;
use zarrs::array::{Array, ArrayMetadata, ArrayShardedExt};

use super::store::ZarrStore;
use crate::array::dtype::DType;
use crate::storage::error::{Result, StorageError};
use crate::storage::location::Location;
use crate::storage::npy::parse_descriptor;

/// The names of metadata, of both versions.
pub(super) const METADATA: [&str; 2] = ["zarr.json", ".zarray"];

/// An array as tasks carry it: where it is, and its metadata as it was read or will be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ZarrRef {
    pub(crate) location: Location,
    pub(crate) metadata: Arc<str>,
}

/// An array whose metadata have been understood.
pub(crate) struct ZarrArray {
    pub(super) inner: Array<ZarrStore>,
    pub(super) store: ZarrStore,
    metadata: Arc<str>,
    /// 2 or 3.
    pub(crate) version: u8,
    /// Type of the elements.
    pub(crate) dtype: DType,
    /// Length of each axis.
    pub(crate) shape: Vec<usize>,
    /// What is one object: chunks, or shards.
    pub(crate) chunk: Vec<usize>,
    /// What can be read alone inside of a shard.
    pub(crate) inside: Option<Vec<usize>>,
}

impl ZarrArray {
    /// Reads the metadata: one request, or two for version 2.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::BadZarr`] if there is something else than an array, or one that cannot be
    /// read, [`StorageError::UnsupportedDtype`], a failure of the store.
    pub(crate) fn open(location: &Location) -> Result<ZarrArray> {
        let store = ZarrStore::new(location.clone());
        for name in METADATA {
            if let Some(bytes) = store.read_all(name)? {
                let text = std::str::from_utf8(&bytes);
                let text =
                    text.map_err(|error| bad(location, format!("its metadata in {name} is no text: {error}")))?;
                return ZarrArray::new(ZarrRef { location: location.clone(), metadata: text.into() });
            }
        }
        Err(super::listing::explain_absence(location))
    }

    /// Understands metadata.
    ///
    /// # Errors
    /// As [`ZarrArray::open`], without those of the store.
    pub(crate) fn new(reference: ZarrRef) -> Result<ZarrArray> {
        let ZarrRef { location, metadata } = reference;
        let wrong = |what: &dyn std::fmt::Display| bad(&location, format!("its metadata cannot be used: {what}"));
        let mut value: Value = serde_json::from_str(&metadata).map_err(|error| wrong(&error))?;
        let version = match value.get("zarr_format").and_then(Value::as_u64) {
            Some(2) => 2,
            Some(3) => 3,
            Some(other) => return Err(wrong(&format!("version {other} of the format is not known"))),
            None => return Err(wrong(&"it does not say which version of the format it is of")),
        };
        if value.get("node_type").is_some_and(|kind| kind == "group") {
            return Err(super::listing::is_group(&location));
        }
        // They can be long, nothing of them is needed, and they need not travel with tasks.
        if let Some(object) = value.as_object_mut() {
            object.remove("attributes");
        }
        let metadata = Arc::from(value.to_string());
        let dtype = dtype_of(&value, version, &location)?;
        let understood = match version {
            2 => serde_json::from_value(value.clone()).map(ArrayMetadata::V2),
            _ => serde_json::from_value(value.clone()).map(ArrayMetadata::V3),
        };
        let understood = understood.map_err(|error| wrong(&error))?;
        if let ArrayMetadata::V3(metadata) = &understood
            && let Some((name, _)) = metadata.additional_fields.iter().find(|(_, field)| field.must_understand())
        {
            return Err(wrong(&format!("the field `{name}` must be understood, and is not")));
        }
        let shards = ZarrStore::new(location.clone());
        let inner = Array::new_with_metadata(Arc::new(shards), "/", understood).map_err(|error| wrong(&error))?;
        let shape = sizes(inner.shape()).ok_or_else(|| wrong(&"its shape is too large"))?;
        let chunk = chunk_of(&value, version).ok_or_else(|| {
            wrong(&"only regular grids of chunks can be read; copy it into one, for example with the zarr package of Python")
        })?;
        let bytes = chunk.iter().try_fold(dtype.size(), |bytes, &length| bytes.checked_mul(length));
        if chunk.len() != shape.len() || chunk.contains(&0) || bytes.is_none_or(|bytes| isize::try_from(bytes).is_err())
        {
            return Err(wrong(&format!("chunks of {chunk:?} do not fit the shape {shape:?}")));
        }
        let inside = match inner.is_sharded() {
            true => inner.effective_subchunk_shape().map(|shape| shape.iter().map(|length| length.get()).collect()),
            false => None,
        };
        let inside = inside.and_then(|inside: Vec<u64>| sizes(&inside));
        let store = ZarrStore::new(location.clone());
        Ok(ZarrArray { inner, store, metadata, version, dtype, shape, chunk, inside })
    }

    /// What tasks carry of it.
    pub(crate) fn reference(&self) -> ZarrRef {
        ZarrRef { location: self.store.root().clone(), metadata: self.metadata.clone() }
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &Location {
        self.store.root()
    }

    /// Bytes of a chunk, or of a shard.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        self.bytes_of(&self.chunk)
    }

    /// Whether chunks are stored as they are in memory but for the order of bytes, so that parts of them can be read.
    pub(crate) fn is_raw(&self) -> bool {
        let codecs = self.inner.codecs();
        self.inside.is_none() && codecs.array_to_array_codecs().is_empty() && codecs.bytes_to_bytes_codecs().is_empty()
    }

    /// Bytes of as many elements.
    pub(super) fn bytes_of(&self, lengths: &[usize]) -> u64 {
        lengths.iter().fold(self.dtype.size() as u64, |bytes, &length| bytes.saturating_mul(length as u64))
    }

    /// An error about this array.
    pub(super) fn bad(&self, reason: String) -> StorageError {
        bad(self.store.root(), reason)
    }

    /// An error about one of its chunks.
    pub(super) fn bad_chunk(&self, at: &[u64], what: &str, error: &dyn std::fmt::Display) -> StorageError {
        let key = self.inner.chunk_key(at);
        self.bad(format!("the chunk at {at:?} (object `{key}`) cannot be {what}: {error}"))
    }
}

/// Codecs work on the thread of their task: the threads of the executor are the only ones.
pub(super) fn codec_options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1).with_chunk_concurrent_minimum(1)
}

pub(super) fn bad(location: &Location, reason: String) -> StorageError {
    StorageError::BadZarr { url: location.to_string(), reason }
}

fn sizes(lengths: &[u64]) -> Option<Vec<usize>> {
    lengths.iter().map(|&length| usize::try_from(length).ok()).collect()
}

/// A name that stands alone or in an object.
fn name_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("name").and_then(Value::as_str))
}

fn dtype_of(metadata: &Value, version: u8, location: &Location) -> Result<DType> {
    let field = if version == 2 { "dtype" } else { "data_type" };
    let text = metadata.get(field).ok_or_else(|| bad(location, format!("its metadata has no `{field}`")))?;
    let name = name_of(text);
    let dtype = match version {
        2 => name.and_then(parse_descriptor).map(|(dtype, _)| dtype),
        _ => DType::ALL.iter().copied().find(|dtype| Some(dtype.name()) == name),
    };
    let dtype_name = || name.map_or_else(|| text.to_string(), str::to_owned);
    dtype.ok_or_else(|| StorageError::UnsupportedDtype { url: location.to_string(), dtype: dtype_name() })
}

fn chunk_of(metadata: &Value, version: u8) -> Option<Vec<usize>> {
    let lengths = match version {
        2 => metadata.get("chunks")?,
        _ => {
            let grid = metadata.get("chunk_grid")?;
            (name_of(grid)? == "regular").then_some(grid)?.get("configuration")?.get("chunk_shape")?
        }
    };
    lengths.as_array()?.iter().map(|length| usize::try_from(length.as_u64()?).ok()).collect()
}
