//! How an array will be stored: its metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::array::dtype::{C128, DType, Kind};
use crate::array::kernels::Scalar;
use crate::storage::npy::descriptor;

/// How chunks are compressed.
///
/// ```
/// use talatat::array::{BloscCodec, ZarrCompressor};
/// assert_eq!(ZarrCompressor::default(), ZarrCompressor::Zstd(0));
/// let fast = ZarrCompressor::Blosc(BloscCodec::Lz4, 5);
/// # let _ = fast;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZarrCompressor {
    /// Not at all: then parts of chunks can be read, too.
    None,
    /// Zstandard, with a level from -7 to 22; 0 is its usual one.
    Zstd(i32),
    /// Gzip, with a level from 0 to 9.
    Gzip(u32),
    /// Blosc, which sorts the bytes of elements by their places first, with a codec and a level from 0 to 9. A chunk has at most 2 GiB.
    Blosc(BloscCodec, u8),
}

impl Default for ZarrCompressor {
    /// What the zarr package of Python does unless told otherwise.
    fn default() -> Self {
        ZarrCompressor::Zstd(0)
    }
}

/// What Blosc compresses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum BloscCodec {
    Lz4,
    Lz4hc,
    Zstd,
    Zlib,
    BloscLz,
    Snappy,
}

impl BloscCodec {
    fn name(self) -> &'static str {
        match self {
            BloscCodec::Lz4 => "lz4",
            BloscCodec::Lz4hc => "lz4hc",
            BloscCodec::Zstd => "zstd",
            BloscCodec::Zlib => "zlib",
            BloscCodec::BloscLz => "blosclz",
            BloscCodec::Snappy => "snappy",
        }
    }
}

/// A version of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ZarrVersion {
    V2,
    #[default]
    V3,
}

/// An array that is to be written.
pub(crate) struct Layout {
    pub(crate) version: ZarrVersion,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) chunks: Vec<usize>,
    pub(crate) shards: Option<Vec<usize>>,
    pub(crate) compressor: ZarrCompressor,
    pub(crate) checksum: bool,
    /// Of the array's type.
    pub(crate) fill: Scalar,
}

impl Layout {
    /// The metadata; an error says which of the options cannot be.
    pub(crate) fn metadata(&self) -> Result<String, String> {
        let level = |level: i64, from: i64, to: i64| match (from..=to).contains(&level) {
            true => Ok(level),
            false => Err(format!("a compression level of {level}: give one from {from} to {to}")),
        };
        match self.compressor {
            ZarrCompressor::None => 0,
            ZarrCompressor::Zstd(given) => level(given.into(), -7, 22)?,
            ZarrCompressor::Gzip(given) => level(given.into(), 0, 9)?,
            ZarrCompressor::Blosc(_, given) => level(given.into(), 0, 9)?,
        };
        let value = match self.version {
            ZarrVersion::V2 if self.shards.is_some() => return Err("version 2 has no shards: use version 3".into()),
            ZarrVersion::V2 if self.checksum => return Err("version 2 has no checksums here: use version 3".into()),
            ZarrVersion::V2 => self.version_2(),
            ZarrVersion::V3 => self.version_3()?,
        };
        serde_json::to_string_pretty(&value).map_err(|error| error.to_string())
    }

    fn version_2(&self) -> Value {
        let compressor = match self.compressor {
            ZarrCompressor::None => Value::Null,
            ZarrCompressor::Zstd(level) => json!({ "id": "zstd", "level": level }),
            ZarrCompressor::Gzip(level) => json!({ "id": "gzip", "level": level }),
            ZarrCompressor::Blosc(codec, level) => {
                json!({ "id": "blosc", "cname": codec.name(), "clevel": level, "shuffle": 1, "blocksize": 0 })
            }
        };
        json!({
            "zarr_format": 2,
            "shape": self.shape,
            "chunks": self.chunks,
            "dtype": descriptor(self.dtype),
            "compressor": compressor,
            "fill_value": fill(self.fill),
            "order": "C",
            "filters": null,
            "dimension_separator": ".",
        })
    }

    fn version_3(&self) -> Result<Value, String> {
        let bytes = match self.dtype.size() {
            1 => json!({ "name": "bytes" }),
            _ => json!({ "name": "bytes", "configuration": { "endian": "little" } }),
        };
        let checksum = json!({ "name": "crc32c" });
        let mut codecs = vec![bytes.clone()];
        codecs.extend(match self.compressor {
            ZarrCompressor::None => None,
            ZarrCompressor::Zstd(level) => {
                Some(json!({ "name": "zstd", "configuration": { "level": level, "checksum": false } }))
            }
            ZarrCompressor::Gzip(level) => Some(json!({ "name": "gzip", "configuration": { "level": level } })),
            ZarrCompressor::Blosc(codec, level) => Some(json!({ "name": "blosc", "configuration": {
                "cname": codec.name(), "clevel": level, "shuffle": "shuffle", "typesize": self.dtype.size(), "blocksize": 0
            } })),
        });
        codecs.extend(self.checksum.then(|| checksum.clone()));
        let mut outer = &self.chunks;
        if let Some(shards) = &self.shards {
            if let Some(axis) = (0..shards.len()).find(|&axis| !shards[axis].is_multiple_of(self.chunks[axis])) {
                let (shard, chunk) = (shards[axis], self.chunks[axis]);
                let near = (shard / chunk).max(1) * chunk;
                return Err(format!(
                    "shards of {shard} along axis {axis} are no whole number of chunks of {chunk}: give {near}, for example"
                ));
            }
            codecs = vec![json!({ "name": "sharding_indexed", "configuration": {
                "chunk_shape": self.chunks,
                "codecs": codecs,
                "index_codecs": [{ "name": "bytes", "configuration": { "endian": "little" } }, checksum],
                "index_location": "end",
            } })];
            outer = shards;
        }
        Ok(json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": self.shape,
            "data_type": self.dtype.name(),
            "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": outer } },
            "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
            "fill_value": fill(self.fill),
            "codecs": codecs,
            "attributes": {},
        }))
    }
}

fn fill(value: Scalar) -> Value {
    let float = |value: f64| match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        value => json!(value),
    };
    match (value.dtype().kind(), value) {
        (Kind::Complex, value) => {
            let value = value.get::<C128>();
            json!([float(value.re), float(value.im)])
        }
        (Kind::Float, value) => float(value.get()),
        (_, Scalar::Bool(value)) => json!(value),
        (_, Scalar::U64(value)) => json!(value),
        (_, other) => json!(other.get::<i64>()),
    }
}
