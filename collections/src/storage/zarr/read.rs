//! Reading hyper-rectangles of Zarr arrays, with steps.
//!
//! Each chunk that a region touches is read once, on the thread of the task. A chunk that is wanted whole is read with one request;
//! of others the codecs ask for what they need: byte ranges if nothing is compressed, the index and single chunks of a shard.

use std::borrow::Cow;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayView, ArrayViewMutD, Axis, Dimension, IxDyn, Slice};
use zarrs::array::codec::api::{ArrayPartialDecoderTraits, StoragePartialDecoder};
use zarrs::array::{ArrayBytes, ArraySubset, ArrayToBytesCodecTraits};

use super::array::{ZarrArray, codec_options};
use crate::array::dtype::{C64, C128, Element, f16};
use crate::array::kernels::pool;
use crate::array::range::StepRange;
use crate::storage::error::Result;

/// Elements out of the bytes of a decoded chunk.
pub(crate) trait Decoded: Element {
    /// The elements, in this machine's byte order.
    fn values(bytes: &[u8]) -> Cow<'_, [Self]>;
}

macro_rules! decoded_numbers {
    ($($T:ty)*) => {
        $(impl Decoded for $T {
            fn values(bytes: &[u8]) -> Cow<'_, [Self]> {
                let whole = bytes.get(..bytes.len() / size_of::<$T>() * size_of::<$T>()).unwrap_or_default();
                match bytemuck::try_cast_slice(whole) {
                    Ok(values) => Cow::Borrowed(values),
                    Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(whole)),
                }
            }
        })*
    };
}
decoded_numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64 C64 C128);

impl Decoded for bool {
    fn values(bytes: &[u8]) -> Cow<'_, [Self]> {
        bytes.iter().map(|&byte| byte != 0).collect()
    }
}

/// What a range takes of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// The chunk.
    chunk: usize,
    /// The first position of the range that lies in it.
    position: usize,
    /// The indices, from the start of the chunk.
    inside: StepRange,
}

/// The pieces of a range over chunks of one length, in its direction.
fn pieces(range: StepRange, chunk: usize) -> impl Iterator<Item = Piece> {
    let (chunk, step) = (chunk.max(1), range.step.unsigned_abs().max(1));
    let mut position = 0;
    std::iter::from_fn(move || {
        if position >= range.length {
            return None;
        }
        let index = range.at(position);
        let within = index % chunk;
        let more = if range.step > 0 { (chunk - 1 - within) / step } else { within / step };
        let count = (more + 1).min(range.length - position);
        let inside = StepRange { start: within, step: if count == 1 { 1 } else { range.step }, length: count };
        let piece = Piece { chunk: index / chunk, position, inside };
        position += count;
        Some(piece)
    })
}

/// The lowest index of a range, and how many there are up to the highest.
fn span(range: &StepRange) -> (usize, usize) {
    let last = range.last().unwrap_or(range.start);
    let (low, high) = (range.start.min(last), range.start.max(last));
    (low, high - low + 1)
}

/// The part of an array along each axis.
fn part(ranges: &[StepRange], low: impl Fn(usize) -> usize) -> impl Fn(usize) -> Slice {
    move |axis| {
        let (start, length) = ranges.get(axis).map_or((0, 0), span);
        let start = start - low(axis).min(start);
        let step = ranges.get(axis).map_or(1, |range| range.step);
        Slice::new(start as isize, Some((start + length) as isize), step)
    }
}

/// Calls a function with one piece of each axis, for all combinations.
fn combinations(axes: &[Vec<Piece>], mut each: impl FnMut(&[Piece]) -> Result<()>) -> Result<()> {
    let counts: Vec<usize> = axes.iter().map(Vec::len).collect();
    for place in ndarray::indices(IxDyn(&counts)) {
        let pieces: Vec<Piece> =
            axes.iter().zip(place.as_array_view()).filter_map(|(axis, &at)| axis.get(at).copied()).collect();
        each(&pieces)?;
    }
    Ok(())
}

/// The part of the result that pieces fill.
fn target_of<'a, T>(target: &'a mut ArrayViewMutD<'_, T>, pieces: &[Piece]) -> ArrayViewMutD<'a, T> {
    let mut view = target.view_mut();
    for (axis, piece) in pieces.iter().enumerate() {
        view.slice_axis_inplace(Axis(axis), Slice::from(piece.position..piece.position + piece.inside.length));
    }
    view
}

impl ZarrArray {
    /// Bytes beside the result that [`ZarrArray::read`] needs for a region of at most `block` elements along each axis.
    pub(crate) fn read_scratch(&self, ranges: &[StepRange], block: &[usize]) -> u64 {
        let stepped = ranges.iter().any(|range| range.step.unsigned_abs() > 1 && range.length > 1);
        let decoded = match &self.inside {
            Some(inside) if stepped => self.bytes_of(inside),
            Some(_) => self.bytes_of(block).min(self.chunk_bytes()),
            None if self.is_raw() => self.bytes_of(block).min(self.chunk_bytes()),
            None => self.chunk_bytes(),
        };
        let index = self.inside.as_ref().map_or(0, |inside| self.bytes_of(inside));
        // As it is stored, and as it is decoded: twice, as a transposed or checked chunk is copied once more.
        decoded.saturating_mul(3).saturating_add(index.saturating_mul(2))
    }

    /// Reads the elements of a region, in C order. What was never written is the fill value.
    ///
    /// # Errors
    /// [`StorageError::BadZarr`] for a chunk that cannot be read or decoded.
    pub(crate) fn read<T: Decoded>(&self, ranges: &[StepRange]) -> Result<ArrayD<T>> {
        let lengths: Vec<usize> = ranges.iter().map(|range| range.length).collect();
        let shape = |error: ndarray::ShapeError| self.bad(format!("a region of {lengths:?}: {error}"));
        let buffer = pool::take::<T>(lengths.iter().product());
        let mut array = ArrayD::from_shape_vec(IxDyn(&lengths), buffer).map_err(shape)?;
        if T::DTYPE != self.dtype || ranges.len() != self.shape.len() {
            return Err(self.bad(format!("it holds {} in {} axes", self.dtype, self.shape.len())));
        }
        if array.is_empty() {
            return Ok(array);
        }
        let axes: Vec<Vec<Piece>> =
            ranges.iter().zip(&self.chunk).map(|(range, &chunk)| pieces(*range, chunk).collect()).collect();
        let mut view = array.view_mut();
        combinations(&axes, |pieces| self.read_chunk::<T>(pieces, target_of(&mut view, pieces)))?;
        Ok(array)
    }

    fn read_chunk<T: Decoded>(&self, pieces: &[Piece], target: ArrayViewMutD<'_, T>) -> Result<()> {
        let at: Vec<u64> = pieces.iter().map(|piece| piece.chunk as u64).collect();
        let inside: Vec<StepRange> = pieces.iter().map(|piece| piece.inside).collect();
        let spans: Vec<(usize, usize)> = inside.iter().map(span).collect();
        // The last chunk of an axis reaches beyond the array.
        let length = |axis: usize| self.chunk[axis].min(self.shape[axis] - pieces[axis].chunk * self.chunk[axis]);
        let whole = spans.iter().enumerate().all(|(axis, &(low, count))| low == 0 && count == length(axis));
        let stepped = inside.iter().any(|range| range.step.unsigned_abs() > 1);
        match &self.inside {
            Some(chunk) if stepped => self.read_shard(&at, chunk, &inside, target),
            _ if whole => self.read_whole(&at, &inside, target),
            _ => {
                let decoder = self.decoder(&at)?;
                self.read_box(&at, &*decoder, &vec![0; inside.len()], &inside, target)
            }
        }
    }

    /// One request, all of the chunk decoded, checksums compared.
    fn read_whole<T: Decoded>(&self, at: &[u64], inside: &[StepRange], mut target: ArrayViewMutD<'_, T>) -> Result<()> {
        let bytes = self.inner.retrieve_chunk_if_exists_opt::<ArrayBytes<'static>>(at, &codec_options());
        match bytes.map_err(|error| self.bad_chunk(at, "read", &error))? {
            Some(bytes) => self.assign(at, bytes, &self.chunk, inside, |_| 0, target),
            None => {
                let fill = T::values(self.inner.fill_value().as_ne_bytes()).first().copied();
                target.fill(fill.unwrap_or_default());
                Ok(())
            }
        }
    }

    fn decoder(&self, at: &[u64]) -> Result<Arc<dyn ArrayPartialDecoderTraits>> {
        let failed = |error: &dyn std::fmt::Display| self.bad_chunk(at, "read", error);
        let object = StoragePartialDecoder::new(Arc::new(self.store.pinned()), self.inner.chunk_key(at));
        let shape = self.inner.chunk_shape(at).map_err(|error| failed(&error))?;
        let (dtype, fill) = (self.inner.data_type(), self.inner.fill_value());
        let decoder = self.inner.codecs().partial_decoder(Arc::new(object), &shape, dtype, fill, &codec_options());
        decoder.map_err(|error| failed(&error))
    }

    /// The chunks in a shard that are touched, one after the other.
    fn read_shard<T: Decoded>(
        &self,
        at: &[u64],
        chunk: &[usize],
        inside: &[StepRange],
        mut target: ArrayViewMutD<'_, T>,
    ) -> Result<()> {
        let decoder = self.decoder(at)?;
        let axes: Vec<Vec<Piece>> =
            inside.iter().zip(chunk).map(|(range, &chunk)| pieces(*range, chunk).collect()).collect();
        combinations(&axes, |pieces| {
            let origin: Vec<usize> = pieces.iter().zip(chunk).map(|(piece, &chunk)| piece.chunk * chunk).collect();
            let inside: Vec<StepRange> = pieces.iter().map(|piece| piece.inside).collect();
            self.read_box(at, &*decoder, &origin, &inside, target_of(&mut target, pieces))
        })
    }

    /// The smallest box around a region of a chunk.
    fn read_box<T: Decoded>(
        &self,
        at: &[u64],
        decoder: &dyn ArrayPartialDecoderTraits,
        origin: &[usize],
        inside: &[StepRange],
        target: ArrayViewMutD<'_, T>,
    ) -> Result<()> {
        let spans: Vec<(usize, usize)> = inside.iter().map(span).collect();
        let range =
            |(&(low, count), &origin): (&(usize, usize), &usize)| (origin + low) as u64..(origin + low + count) as u64;
        let ranges: Vec<std::ops::Range<u64>> = spans.iter().zip(origin).map(range).collect();
        let bytes = decoder.partial_decode(&ArraySubset::new_with_ranges(&ranges), &codec_options());
        let bytes = bytes.map_err(|error| self.bad_chunk(at, "read", &error))?;
        let shape: Vec<usize> = spans.iter().map(|&(_, count)| count).collect();
        self.assign(at, bytes, &shape, inside, |axis| spans.get(axis).map_or(0, |&(low, _)| low), target)
    }

    /// Copies a region out of decoded bytes, which begin at `low` along each axis.
    fn assign<T: Decoded>(
        &self,
        at: &[u64],
        bytes: ArrayBytes<'_>,
        shape: &[usize],
        inside: &[StepRange],
        low: impl Fn(usize) -> usize,
        mut target: ArrayViewMutD<'_, T>,
    ) -> Result<()> {
        let wrong = |error: &dyn std::fmt::Display| self.bad_chunk(at, "decoded", error);
        let bytes = bytes.into_fixed().map_err(|error| wrong(&error))?;
        let values = T::values(&bytes);
        let mut view = ArrayView::from_shape(IxDyn(shape), &values).map_err(|error| wrong(&error))?;
        let part = part(inside, low);
        (0..shape.len()).for_each(|axis| view.slice_axis_inplace(Axis(axis), part(axis)));
        if view.shape() != target.shape() {
            return Err(wrong(&format!("{:?} elements where {:?} were asked for", view.shape(), target.shape())));
        }
        target.assign(&view);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_the_range(chunk in 1_usize..7, start in 0_usize..30, step in -9_isize..9, length in 0_usize..12) {
            prop_assume!(step != 0);
            let most = if step > 0 { usize::MAX } else { start / step.unsigned_abs() + 1 };
            let range = StepRange { start, step, length: length.min(most) };
            let mut seen = Vec::new();
            for piece in pieces(range, chunk) {
                prop_assert_eq!(piece.position, seen.len());
                prop_assert!(piece.inside.length > 0);
                for at in 0..piece.inside.length {
                    let inside = piece.inside.at(at);
                    prop_assert!(inside < chunk);
                    seen.push(piece.chunk * chunk + inside);
                }
            }
            let wanted: Vec<usize> = (0..range.length).map(|at| range.at(at)).collect();
            prop_assert_eq!(seen, wanted);
        }
    }
}
