//! How an array is written to a Zarr store.

use crate::array::chunks::Chunks;
use crate::array::dtype::{C128, DType, Kind};
use crate::array::grid::Axis;
use crate::array::kernels::Scalar;
use crate::error::Result;
use crate::storage::zarr::{Layout, ZarrCompressor, ZarrVersion};

/// How an array is written to a Zarr store; what is not said is as the zarr package of Python has it.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{ZarrCompressor, ZarrInfo, ZarrOptions, ZarrWrite, zeros};
/// let options = ZarrOptions::new().chunks([10, 20]).shards([100, 40]).compressor(ZarrCompressor::Gzip(5)).fill_value(-1);
/// ZarrWrite::new(&zeros::<i32>([250, 100]), "memory://docs/options.zarr", &options)?.compute()?;
/// let info = ZarrInfo::open("memory://docs/options.zarr")?;
/// assert_eq!((info.chunks, info.shards), (vec![10, 20], Some(vec![100, 40])));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ZarrOptions {
    chunks: Option<Chunks>,
    shards: Option<Chunks>,
    compressor: ZarrCompressor,
    checksum: bool,
    fill: Option<Scalar>,
    version: ZarrVersion,
    pub(super) overwrite: bool,
}

impl ZarrOptions {
    /// Chunks of the array's own lengths, Zstandard, zero where nothing is written, version 3; nothing is overwritten.
    pub fn new() -> Self {
        ZarrOptions::default()
    }

    /// The chunks of the store: what is read at once. Without this they are those of the array, the longest of each axis.
    pub fn chunks(self, chunks: impl Into<Chunks>) -> Self {
        ZarrOptions { chunks: Some(chunks.into()), ..self }
    }

    /// Puts chunks together into shards, each one file or object: whole multiples of the chunks. Version 3 only.
    pub fn shards(self, shards: impl Into<Chunks>) -> Self {
        ZarrOptions { shards: Some(shards.into()), ..self }
    }

    /// How chunks are compressed.
    pub fn compressor(self, compressor: ZarrCompressor) -> Self {
        ZarrOptions { compressor, ..self }
    }

    /// Whether each chunk gets a checksum (CRC-32C) that is compared when the whole chunk is read. Version 3 only.
    pub fn checksum(self, checksum: bool) -> Self {
        ZarrOptions { checksum, ..self }
    }

    /// The value of what is not stored; chunks of nothing but that are left out. Of floats the nearest is taken; an integer must fit.
    pub fn fill_value(self, value: impl Into<Scalar>) -> Self {
        ZarrOptions { fill: Some(value.into()), ..self }
    }

    /// The version of the format.
    pub fn version(self, version: ZarrVersion) -> Self {
        ZarrOptions { version, ..self }
    }

    /// Whether an array that is there may be replaced. Only Zarr arrays ever are.
    pub fn overwrite(self, overwrite: bool) -> Self {
        ZarrOptions { overwrite, ..self }
    }

    /// The layout for an array that is cut along `axes`; the inner error says what cannot be.
    pub(super) fn layout(
        &self,
        dtype: DType,
        shape: &[usize],
        axes: &[Axis],
    ) -> Result<std::result::Result<Layout, String>> {
        let longest =
            |axes: &[Axis]| -> Vec<usize> { axes.iter().map(|axis| axis.longest().unwrap_or(1).max(1)).collect() };
        let lengths = |chunks: &Option<Chunks>| -> Result<Option<std::result::Result<Vec<usize>, String>>> {
            let Some(chunks) = chunks else { return Ok(None) };
            let grid = chunks.grid("to_zarr", shape, dtype.size())?;
            Ok(Some(match grid.axes().iter().position(|axis| !is_regular(axis)) {
                None => Ok(longest(grid.axes())),
                Some(axis) => {
                    Err(format!("chunks along axis {axis} are not of one length, but for the last: give one"))
                }
            }))
        };
        let (chunks, shards) = (lengths(&self.chunks)?, lengths(&self.shards)?);
        let layout = || {
            let chunks = match (chunks, &shards) {
                (Some(chunks), _) => chunks?,
                (None, None) => longest(axes),
                (None, Some(_)) => return Err("shards are made of chunks: give their lengths, too".into()),
            };
            // A shard that holds all of an axis ends where a chunk does.
            let whole = |(axis, &shard): (usize, &usize)| match shard >= shape[axis] {
                true => shard.div_ceil(chunks[axis]) * chunks[axis],
                false => shard,
            };
            let shards = shards.transpose()?.map(|shards| shards.iter().enumerate().map(whole).collect());
            let fill = fill_of(self.fill, dtype)?;
            let (version, compressor, checksum) = (self.version, self.compressor, self.checksum);
            Ok(Layout { version, dtype, shape: shape.to_vec(), chunks, shards, compressor, checksum, fill })
        };
        Ok(layout())
    }
}

/// Whether all chunks have one length, but for the last, which may be shorter.
fn is_regular(axis: &Axis) -> bool {
    axis.lengths().is_none_or(|lengths| match lengths.split_last() {
        Some((last, [first, rest @ ..])) => rest.iter().all(|length| length == first) && last <= first,
        _ => true,
    })
}

/// The fill value as an element: exactly, but for the digits that floats do not have.
fn fill_of(value: Option<Scalar>, dtype: DType) -> std::result::Result<Scalar, String> {
    let Some(value) = value else { return Ok(Scalar::from(false).cast(dtype)) };
    let cast = value.cast(dtype);
    let whole = |kind| matches!(kind, Kind::Bool | Kind::Unsigned | Kind::Signed);
    let lost = value.get::<C128>().im != 0.0 && dtype.kind() != Kind::Complex;
    let same = match (whole(value.dtype().kind()), whole(dtype.kind())) {
        (_, false) => true,
        (true, true) => cast.get::<u64>() == value.get::<u64>() && cast.get::<f64>() == value.get::<f64>(),
        (false, true) => cast.get::<f64>() == value.get::<f64>(),
    };
    match same && !lost {
        true => Ok(cast),
        false => Err(format!("the fill value {value} is no {dtype}: give one that fits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_values_fit_or_are_refused() {
        let fill = |value: Scalar, dtype| fill_of(Some(value), dtype).map(|value| value.get::<f64>());
        assert_eq!(fill(255.into(), DType::U8), Ok(255.0));
        assert_eq!(fill(0.1.into(), DType::F32), Ok(f64::from(0.1_f32)));
        assert!(fill(f64::NAN.into(), DType::F64).is_ok_and(f64::is_nan));
        for (value, dtype) in [
            (Scalar::from(256), DType::U8),
            ((-1).into(), DType::U64),
            (0.5.into(), DType::I32),
            (f64::NAN.into(), DType::I32),
            (2.into(), DType::Bool),
            (u64::MAX.into(), DType::I64),
            (C128::new(1.0, 1.0).into(), DType::F64),
            (C128::new(1.0, 1.0).into(), DType::I8),
        ] {
            assert!(fill(value, dtype).is_err(), "{value} as {dtype}");
        }
    }
}
