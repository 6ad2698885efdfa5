//! Reading hyper-rectangles of an `.npy` array.
//!
//! A region is a set of equally long runs of contiguous bytes, taken here in the order of the file. Runs are cut into
//! parts and neighbouring parts are joined into pieces of bounded size (with the gap between them, if it is short); pieces are read a few at a
//! time and decoded straight into the result. So the memory beside the result is bounded whatever the shape, and
//! the order of bytes in the file is the order of requests.

use std::any::Any;
use std::ops::Range;

use bytes::Bytes;
use ndarray::{ArrayD, IxDyn};

use super::header::{NpyHeader, open};
use super::runs::{Joined, Piece, Runs, bad_region};
use crate::array::dtype::{Element, with_dtype};
use crate::storage::error::{Result, StorageError};
use crate::storage::read::ObjectRef;

/// How pieces are read: for a disk small enough to stay in cache and be recycled, for a network large and several.
struct Pieces {
    /// Bytes of one request at most; a multiple of every element's size.
    size: u64,
    /// Gaps up to this many bytes are read and thrown away, as that is cheaper than another request.
    gap: u64,
    /// Requests at once.
    at_once: usize,
}

const LOCAL: Pieces = Pieces { size: 1 << 20, gap: 16 << 10, at_once: 1 };
const REMOTE: Pieces = Pieces { size: 8 << 20, gap: 1 << 20, at_once: 4 };

/// Reads a whole array. See [`read_region`].
///
/// # Errors
/// Those of [`open`] and [`read_region`].
pub fn read_array<T: Element>(object: &ObjectRef) -> Result<ArrayD<T>> {
    let header = open(object)?;
    let all: Vec<_> = header.shape.iter().map(|&n| 0..n).collect();
    read_region(object, &header, &all)
}

/// Reads the elements `region[axis].start..region[axis].end` of every axis into an array in C order, whatever
/// the file's order and byte order.
///
/// Memory beside the result: one request of 1 MiB for local files, four of 8 MiB for remote ones. Gaps of up to 16 KiB
/// (local) or 1 MiB (remote) between wanted bytes are read rather than skipped.
///
/// # Errors
/// [`StorageError::WrongDtype`] if `T` is not the file's dtype, [`StorageError::BadRegion`] outside of the shape,
/// or those of [`ObjectRef::read_range`].
pub fn read_region<T: Element>(object: &ObjectRef, header: &NpyHeader, region: &[Range<usize>]) -> Result<ArrayD<T>> {
    let read: Box<dyn Any> = with_dtype!(header.dtype, U => Box::new(read_typed::<U>(object, header, region)?));
    read.downcast::<ArrayD<T>>().map(|array| *array).map_err(|_| StorageError::WrongDtype {
        url: object.location().to_string(),
        found: header.dtype.to_string(),
        asked: T::DTYPE.to_string(),
    })
}

fn read_typed<U: Raw>(object: &ObjectRef, header: &NpyHeader, region: &[Range<usize>]) -> Result<ArrayD<U>> {
    let url = object.location().to_string();
    let runs = Runs::new(header, region, &url)?;
    let pieces = if object.location().scheme().is_remote() { REMOTE } else { LOCAL };
    let lengths: Vec<usize> = region.iter().map(Range::len).collect();
    let length = lengths.iter().product();
    let mut array = ArrayD::from_shape_vec(IxDyn(&lengths), vec![U::default(); length])
        .map_err(|error| bad_region(&url, region, error.to_string()))?;
    let joined = Joined::new(runs.parts(pieces.size), pieces.gap, pieces.size);
    let read = Reader { object, pieces: joined, at_once: pieces.at_once };
    if let (false, Some(mut rest)) = (header.fortran, array.as_slice_mut()) {
        read.each(|bytes| {
            let count = (bytes.len() / size_of::<U>()).min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(count);
            U::decode(bytes, header.big_endian, now);
            rest = later;
        })?;
    } else {
        // In the order of the file, the last axis of the transposed array moves fastest.
        let mut transposed = array.view_mut().reversed_axes();
        let mut targets = transposed.iter_mut();
        let mut decoded = Vec::new();
        read.each(|bytes| {
            decoded.resize(bytes.len() / size_of::<U>(), U::default());
            U::decode(bytes, header.big_endian, &mut decoded);
            decoded.iter().zip(targets.by_ref()).for_each(|(&value, target)| *target = value);
        })?;
    }
    Ok(array)
}

/// Elements as bytes.
trait Raw: Element {
    /// Decodes as many elements as `out` has.
    fn decode(bytes: &[u8], big_endian: bool, out: &mut [Self]);
}

macro_rules! raw_numbers {
    ($($T:ty)*) => {
        $(impl Raw for $T {
            fn decode(bytes: &[u8], big_endian: bool, out: &mut [Self]) {
                if let Some(from) = bytes.get(..size_of_val(out)) {
                    bytemuck::cast_slice_mut::<$T, u8>(out).copy_from_slice(from);
                }
                if big_endian != cfg!(target_endian = "big") {
                    out.iter_mut().for_each(|value| {
                        let mut bytes = value.to_ne_bytes();
                        bytes.reverse();
                        *value = <$T>::from_ne_bytes(bytes);
                    });
                }
            }
        })*
    };
}
raw_numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl Raw for bool {
    fn decode(bytes: &[u8], _: bool, out: &mut [Self]) {
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from != 0);
    }
}

/// Reads pieces, a few at once, and hands their parts over in order.
struct Reader<'a, I> {
    object: &'a ObjectRef,
    pieces: Joined<I>,
    at_once: usize,
}

impl<I: Iterator<Item = Range<u64>>> Reader<'_, I> {
    fn each(mut self, mut take: impl FnMut(&[u8])) -> Result<()> {
        loop {
            let pieces: Vec<Piece> = self.pieces.by_ref().take(self.at_once).collect();
            if pieces.is_empty() {
                return Ok(());
            }
            let spans: Vec<Range<u64>> = pieces.iter().map(|piece| piece.span.clone()).collect();
            let read = self.object.read_ranges(&spans)?;
            pieces
                .iter()
                .zip(&read)
                .for_each(|(piece, bytes)| piece.parts.iter().for_each(|part| take(cut(bytes, piece, part))));
        }
    }
}

/// The bytes of a part; both lie inside of the piece that was read.
fn cut<'a>(bytes: &'a Bytes, piece: &Piece, part: &Range<u64>) -> &'a [u8] {
    let (from, to) = (part.start - piece.span.start, part.end - piece.span.start);
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{region_ranges, write_array};
    use super::*;
    use crate::storage::{Location, write_atomic};
    use ndarray::{ArrayD, Axis, Slice};
    use proptest::prelude::*;
    use std::io::Write;

    fn location(name: &str) -> Location {
        Location::parse(&format!("memory://npy-region/{name}")).unwrap()
    }

    fn numbered(shape: &[usize]) -> ArrayD<i32> {
        ArrayD::from_shape_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
    }

    fn sliced(array: &ArrayD<i32>, region: &[Range<usize>]) -> ArrayD<i32> {
        let mut view = array.view();
        region
            .iter()
            .enumerate()
            .for_each(|(axis, range)| view.slice_axis_inplace(Axis(axis), Slice::from(range.clone())));
        view.to_owned()
    }

    /// A shape and a region inside of it.
    fn shapes() -> impl Strategy<Value = Vec<(usize, Range<usize>)>> {
        let axis = (0_usize..6).prop_flat_map(|n| (0..=n, 0..=n).prop_map(move |(a, b)| (n, a.min(b)..a.max(b))));
        prop::collection::vec(axis, 0..5)
    }

    proptest! {
        #[test]
        fn regions_are_slices(axes in shapes(), fortran: bool, gap in 0_u64..40) {
            let (shape, region): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
            let array = numbered(&shape);
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            let stored = if fortran {
                let mut stored = ArrayD::zeros(reversed).reversed_axes();
                stored.assign(&array);
                stored
            } else {
                array.clone()
            };
            let location = location("slices");
            write_array(&location, &stored.view()).unwrap();
            let object = ObjectRef::open(&location).unwrap();
            let header = open(&object).unwrap();
            let read = read_region::<i32>(&object, &header, &region).unwrap();
            prop_assert!(read.is_standard_layout());
            prop_assert_eq!(&read, &sliced(&array, &region));

            // The ranges hold the region's bytes, no more than the gaps allow, and do not touch.
            let ranges = region_ranges(&header, &region, gap).unwrap();
            let bytes: u64 = ranges.iter().map(|r| r.end - r.start).sum();
            prop_assert!(bytes >= 4 * read.len() as u64);
            prop_assert!(ranges.windows(2).all(|pair| pair[1].start - pair[0].end > gap));
            if gap == 0 {
                prop_assert_eq!(bytes, 4 * read.len() as u64);
            }
            let whole = object.read_all().unwrap();
            let found: Vec<i32> = ranges
                .iter()
                .flat_map(|r| whole[r.start as usize..r.end as usize].chunks(4).map(|c| i32::from_le_bytes(c.try_into().unwrap())))
                .collect();
            prop_assert!(read.iter().all(|value| found.contains(value)));
        }
    }

    #[test]
    fn large_arrays_span_pieces() {
        let (rows, columns) = (1000, 2001);
        let array = numbered(&[rows, columns]);
        let location = location("large");
        for stored in [array.view(), array.view().reversed_axes()] {
            write_array(&location, &stored).unwrap();
            let object = ObjectRef::open(&location).unwrap();
            assert!(object.size() > 7 * LOCAL.size);
            assert_eq!(read_array::<i32>(&object).unwrap(), stored);
        }
    }

    #[test]
    fn every_dtype_and_both_byte_orders() {
        fn check<U: Raw>(values: &[U], little: &[u8]) {
            let size = size_of::<U>();
            let big: Vec<u8> = little.chunks(size).flat_map(|c| c.iter().rev().copied()).collect();
            for (order, bytes) in [('<', little), ('>', &big)] {
                let kind = match U::DTYPE.name().trim_end_matches(char::is_numeric) {
                    "bool" => 'b',
                    "int" => 'i',
                    "uint" => 'u',
                    _ => 'f',
                };
                let mut text =
                    format!("{{'descr': '{order}{kind}{size}', 'fortran_order': False, 'shape': ({},)}}", values.len());
                text.push('\n');
                let location = location("dtypes");
                write_atomic(&location, |w| {
                    w.write_all(b"\x93NUMPY\x01\x00")?;
                    w.write_all(&(text.len() as u16).to_le_bytes())?;
                    w.write_all(text.as_bytes())?;
                    w.write_all(bytes)
                })
                .unwrap();
                let object = ObjectRef::open(&location).unwrap();
                assert_eq!(read_array::<U>(&object).unwrap().into_raw_vec_and_offset().0, values, "{text}");
                write_array(&location, &ndarray::aview1(values).into_dyn()).unwrap();
                assert_eq!(read_array::<U>(&ObjectRef::open(&location).unwrap()).unwrap().as_slice(), Some(values));
            }
        }
        check(&[true, false, true], &[1, 0, 2]);
        check::<i8>(&[-1, 2], &[255, 2]);
        check::<u8>(&[255, 2], &[255, 2]);
        check::<i16>(&[-2, 258], &[254, 255, 2, 1]);
        check::<u16>(&[258], &[2, 1]);
        check::<i32>(&[-2], &[254, 255, 255, 255]);
        check::<u32>(&[0x0403_0201], &[1, 2, 3, 4]);
        check::<i64>(&[0x0807_0605_0403_0201], &[1, 2, 3, 4, 5, 6, 7, 8]);
        check::<u64>(&[1 << 63], &[0, 0, 0, 0, 0, 0, 0, 128]);
        check::<f32>(&[-0.0, f32::INFINITY], &[0, 0, 0, 128, 0, 0, 128, 127]);
        check::<f64>(&[1.0], &[0, 0, 0, 0, 0, 0, 240, 63]);
    }

    #[test]
    fn wrong_requests_are_explained() {
        let location = location("wrong");
        write_array(&location, &numbered(&[2, 3]).view()).unwrap();
        let object = ObjectRef::open(&location).unwrap();
        let header = open(&object).unwrap();
        assert!(matches!(read_region::<f32>(&object, &header, &[0..2, 0..3]), Err(StorageError::WrongDtype { .. })));
        #[allow(clippy::reversed_empty_ranges)]
        for region in [vec![], vec![0..2, 0..4], vec![2..1, 0..3], vec![0..2, 0..3, 0..0]] {
            assert!(matches!(read_region::<i32>(&object, &header, &region), Err(StorageError::BadRegion { .. })));
        }
    }
}
