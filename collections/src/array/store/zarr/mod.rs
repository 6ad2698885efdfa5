//! Zarr arrays in and out.

mod options;
mod write;

use std::panic::Location as CallSite;
use std::sync::Arc;

use crate::array::dtype::{DType, Element};
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Axis, Grid, MOST_BLOCKS};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::config::chunk_target;
use crate::error::{Error, Result};
use crate::lower::Zarr;
use crate::storage::Location;
use crate::storage::zarr::ZarrArray;
pub use crate::storage::zarr::{BloscCodec, ZarrCompressor, ZarrVersion};
pub use options::ZarrOptions;
pub use write::ZarrWrite;

/// A Zarr array, version 2 or 3, as a lazy array: only its metadata are read now, and only the chunks that are needed later.
///
/// Blocks are the chunks of the store (the shards, if it has such), or several of them up to the chunk target
/// ([`chunk_target`], 128 MiB unless set); of a shard that is larger than that, chunks. No chunk is read for two
/// blocks. Slices become reads of the chunks they touch. What was never written is the fill value.
///
/// Understood are all element types of arrays, of either byte order, in C or Fortran order, raw or compressed with Blosc, Zstandard,
/// gzip or zlib, with CRC-32C checksums, transposed, in shards. `url` is a path, `memory://`, `s3://` or `gs://`; an array in a group is
/// `group/array`.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{ZarrOptions, ZarrWrite, linspace, open_zarr};
/// ZarrWrite::new(&linspace(0.0, 1.0, 5)?, "memory://docs/open.zarr", &ZarrOptions::new())?.compute()?;
/// let x = open_zarr::<f64>("memory://docs/open.zarr")?;
/// assert_eq!(x.slice(ndarray::s![1..3])?.compute()?.into_raw_vec_and_offset().0, [0.25, 0.5]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If there is no array, it has elements of another type than `T`, or codecs that are not known.
#[track_caller]
pub fn open_zarr<T: Element>(url: &str) -> Result<Array<T>> {
    let at = CallSite::caller();
    let array = ZarrArray::open(&Location::parse(url)?)?;
    if array.dtype != T::DTYPE {
        let reason = format!("{url} holds {}, not {}: open it as that and use astype", array.dtype, T::DTYPE);
        return Err(Error::invalid_at("open_zarr", reason, at));
    }
    let grid = grid_of(&array).map_err(|reason| Error::invalid_at("open_zarr", format!("{url}: {reason}"), at))?;
    let ranges = array.shape.iter().map(|&length| StepRange::all(length)).collect();
    let op = Op::Custom(Arc::new(Zarr { array: Arc::new(array), ranges }));
    Ok(Array::from_expr(Expr::new(T::DTYPE, grid, op, [], at)))
}

/// Blocks of whole chunks.
fn grid_of(array: &ZarrArray) -> std::result::Result<Grid, String> {
    let target = chunk_target() as usize / array.dtype.size();
    let chunk = match &array.inside {
        Some(inside) if elements(&array.chunk) > target => inside,
        _ => &array.chunk,
    };
    let lengths = multiples(&array.shape, chunk, target);
    let blocks = array.shape.iter().zip(&lengths).map(|(&length, &block)| length.div_ceil(block.max(1)).max(1));
    if blocks.fold(1, usize::saturating_mul) > MOST_BLOCKS {
        return Err(format!(
            "its chunks of {chunk:?} are too many for shape {:?}: set a larger chunk target",
            array.shape
        ));
    }
    let grid = Grid::new(array.shape.iter().zip(&lengths).map(|(&length, &block)| Axis::regular(length, block)));
    grid.excess().map_or(Ok(grid), Err)
}

fn elements(lengths: &[usize]) -> usize {
    lengths.iter().fold(1, |count, &length| count.saturating_mul(length))
}

/// Lengths that are multiples of those of chunks, of about `target` elements: doubled along the axis with the fewest chunks in a block
/// (the last one of several) while there is room.
fn multiples(shape: &[usize], chunk: &[usize], target: usize) -> Vec<usize> {
    let mut counts = vec![1_usize; shape.len()];
    let mut lengths = chunk.to_vec();
    loop {
        let elements = elements(&lengths);
        let axes = (0..shape.len()).rev().filter(|&axis| lengths[axis] < shape[axis]);
        match axes.min_by_key(|&axis| counts[axis]) {
            Some(axis) if elements.saturating_mul(2) <= target => {
                counts[axis] *= 2;
                lengths[axis] = chunk[axis].saturating_mul(counts[axis]);
            }
            _ => return lengths,
        }
    }
}

/// What a Zarr array says of itself: to find out which type to open it as.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{DType, ZarrInfo, ZarrOptions, ZarrWrite, ones};
/// ZarrWrite::new(&ones::<f32>([10, 20]), "memory://docs/info.zarr", &ZarrOptions::new())?.compute()?;
/// let info = ZarrInfo::open("memory://docs/info.zarr")?;
/// assert_eq!((info.dtype, info.shape.as_slice(), info.version), (DType::F32, [10, 20].as_slice(), 3));
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZarrInfo {
    /// Type of the elements.
    pub dtype: DType,
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Length of a chunk along each axis: what is read at once.
    pub chunks: Vec<usize>,
    /// Length of a shard along each axis: what is written at once, if the array has shards.
    pub shards: Option<Vec<usize>>,
    /// Version of the format: 2 or 3.
    pub version: u8,
}

impl ZarrInfo {
    /// Reads the metadata of an array.
    ///
    /// # Errors
    /// Those of [`open_zarr`], but for the type.
    pub fn open(url: &str) -> Result<ZarrInfo> {
        let array = ZarrArray::open(&Location::parse(url)?)?;
        let (chunks, shards) = match array.inside {
            Some(inside) => (inside, Some(array.chunk)),
            None => (array.chunk, None),
        };
        Ok(ZarrInfo { dtype: array.dtype, shape: array.shape, chunks, shards, version: array.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_chunks() {
        assert_eq!(multiples(&[100, 100], &[10, 10], 100), [10, 10]);
        assert_eq!(multiples(&[100, 100], &[10, 10], 800), [20, 40]);
        assert_eq!(multiples(&[100, 100], &[10, 10], 1 << 20), [160, 160]);
        assert_eq!(multiples(&[365, 72, 144], &[1, 72, 144], 100_000), [8, 72, 144]);
        assert_eq!(multiples(&[10], &[64], 1), [64]);
        assert_eq!(multiples(&[0, 5], &[1, 5], 100), [1, 5]);
        assert_eq!(multiples(&[], &[], 100), Vec::<usize>::new());
    }
}
