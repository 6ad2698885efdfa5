//! Reading hyper-rectangles of an `.npy` array.
//!
//! A region is a set of equally long runs of contiguous bytes, taken here in the order of the file. Runs are cut into
//! parts and neighbouring parts are joined into pieces of bounded size (with the gap between them, if it is short); pieces are read a few at a
//! time and decoded straight into the result. So the memory beside the result is bounded whatever the shape, and
//! the order of bytes in the file is the order of requests.

use std::any::Any;
use std::ops::Range;

use bytes::Bytes;
use ndarray::{ArrayD, Axis, IxDyn};

use super::header::{NpyHeader, open};
use super::runs::{Joined, Part, Piece, Runs, bad_region, steps_of};
use crate::array::dtype::{Complex, Element, f16, with_dtype};
use crate::array::range::StepRange;
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
    read_steps(object, header, &steps_of(header, region, &object.location().to_string())?)
}

/// [`read_region`] with steps: elements between the wanted ones are read only where they are fewer bytes than a gap.
pub(crate) fn read_steps<T: Element>(
    object: &ObjectRef,
    header: &NpyHeader,
    ranges: &[StepRange],
) -> Result<ArrayD<T>> {
    let read: Box<dyn Any> = with_dtype!(header.dtype, U => Box::new(read_typed::<U>(object, header, ranges)?));
    read.downcast::<ArrayD<T>>().map(|array| *array).map_err(|_| StorageError::WrongDtype {
        url: object.location().to_string(),
        found: header.dtype.to_string(),
        asked: T::DTYPE.to_string(),
    })
}

fn read_typed<U: Raw>(object: &ObjectRef, header: &NpyHeader, ranges: &[StepRange]) -> Result<ArrayD<U>> {
    let url = object.location().to_string();
    let runs = Runs::new(header, ranges, &url)?;
    let pieces = if object.location().scheme().is_remote() { REMOTE } else { LOCAL };
    let lengths: Vec<usize> = ranges.iter().map(|range| range.length).collect();
    let length = lengths.iter().product();
    let mut array = ArrayD::from_shape_vec(IxDyn(&lengths), vec![U::default(); length])
        .map_err(|error| bad_region(&url, &ranges, error.to_string()))?;
    let joined = Joined::new(runs.parts(pieces.size, pieces.gap), pieces.gap, pieces.size);
    let read = Reader { object, pieces: joined, at_once: pieces.at_once };
    let backwards = |axis: usize| ranges.get(axis).is_some_and(|range| range.step < 0);
    let in_order = !header.fortran && !(0..lengths.len()).any(backwards);
    if let (true, Some(mut rest)) = (in_order, array.as_slice_mut()) {
        read.each(|bytes, part| {
            let count = part.elements::<U>().min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(count);
            U::decode_part(bytes, part, header.big_endian, now);
            rest = later;
        })?;
    } else {
        // In the order of the file: backwards where steps are negative, and in Fortran order the first axis moves fastest.
        let mut view = array.view_mut();
        (0..lengths.len()).filter(|&axis| backwards(axis)).for_each(|axis| view.invert_axis(Axis(axis)));
        let mut view = if header.fortran { view.reversed_axes() } else { view };
        let mut targets = view.iter_mut();
        let mut decoded = Vec::new();
        read.each(|bytes, part| {
            decoded.resize(part.elements::<U>(), U::default());
            U::decode_part(bytes, part, header.big_endian, &mut decoded);
            decoded.iter().zip(targets.by_ref()).for_each(|(&value, target)| *target = value);
        })?;
    }
    Ok(array)
}

impl Part {
    /// How many elements it holds.
    fn elements<U>(&self) -> usize {
        let runs = if self.is_one() { 1 } else { (self.span.end - self.span.start - self.run) / self.stride + 1 };
        (runs * self.run) as usize / size_of::<U>()
    }
}

/// Elements as bytes.
trait Raw: Element {
    /// Decodes as many elements as `out` has.
    fn decode(bytes: &[u8], big_endian: bool, out: &mut [Self]);

    /// Decodes the runs of a part; `bytes` is its span.
    fn decode_part(bytes: &[u8], part: &Part, big_endian: bool, out: &mut [Self]) {
        let run = part.run as usize;
        if part.is_one() {
            Self::decode(bytes, big_endian, out);
        } else if run == size_of::<Self>() {
            let runs = bytes.chunks(part.stride as usize);
            out.iter_mut().zip(runs).for_each(|(to, from)| Self::decode(from, big_endian, std::slice::from_mut(to)));
        } else {
            let runs = bytes.chunks(part.stride as usize);
            let targets = out.chunks_mut((run / size_of::<Self>()).max(1));
            targets.zip(runs).for_each(|(to, from)| Self::decode(from, big_endian, to));
        }
    }
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
raw_numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64);

macro_rules! raw_pairs {
    ($($T:ty)*) => {
        $(impl Raw for Complex<$T> {
            fn decode(bytes: &[u8], big_endian: bool, out: &mut [Self]) {
                <$T as Raw>::decode(bytes, big_endian, bytemuck::cast_slice_mut(out));
            }
        })*
    };
}
raw_pairs!(f32 f64);

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

impl<I: Iterator<Item = Part>> Reader<'_, I> {
    fn each(mut self, mut take: impl FnMut(&[u8], &Part)) -> Result<()> {
        loop {
            let pieces: Vec<Piece> = self.pieces.by_ref().take(self.at_once).collect();
            if pieces.is_empty() {
                return Ok(());
            }
            let spans: Vec<Range<u64>> = pieces.iter().map(|piece| piece.span.clone()).collect();
            let read = self.object.read_ranges(&spans)?;
            pieces.iter().zip(&read).for_each(|(piece, bytes)| {
                piece.parts.iter().for_each(|part| take(cut(bytes, piece, &part.span), part))
            });
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
    use ndarray::Slice;
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

    proptest! {
        #[test]
        fn steps_are_slices(axes in prop::collection::vec((1_usize..9, 0_usize..9, -4_isize..5, 0_usize..9), 0..4), fortran: bool) {
            let shape: Vec<usize> = axes.iter().map(|&(n, ..)| n).collect();
            let range = |&(n, start, step, length): &(usize, usize, isize, usize)| {
                let (start, step) = (start % n, if step == 0 { 5 } else { step });
                let most = if step > 0 { n - 1 - start } else { start } / step.unsigned_abs() + 1;
                StepRange { start, step, length: length.min(most) }
            };
            let ranges: Vec<StepRange> = axes.iter().map(range).collect();
            let array = numbered(&shape);
            let stored = if fortran {
                let mut stored = ArrayD::zeros(IxDyn(&shape.iter().rev().copied().collect::<Vec<_>>())).reversed_axes();
                stored.assign(&array);
                stored
            } else {
                array.clone()
            };
            let location = location("steps");
            write_array(&location, &stored.view()).unwrap();
            let object = ObjectRef::open(&location).unwrap();
            let read = read_steps::<i32>(&object, &open(&object).unwrap(), &ranges).unwrap();
            let lengths: Vec<usize> = ranges.iter().map(|range| range.length).collect();
            let expected = ArrayD::from_shape_fn(IxDyn(&lengths), |at| {
                let index: Vec<usize> = ranges.iter().enumerate().map(|(axis, range)| range.at(at[axis])).collect();
                array[IxDyn(&index)]
            });
            prop_assert!(read.is_standard_layout());
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn long_steps_span_pieces() {
        let array = numbered(&[3, 1_000_003]);
        for stored in [array.view(), array.view().reversed_axes()] {
            let location = location("long-steps");
            write_array(&location, &stored).unwrap();
            let object = ObjectRef::open(&location).unwrap();
            let header = open(&object).unwrap();
            for step in [-3, 2, 5000] {
                let short = StepRange { start: 2, step: -2, length: 2 };
                let long = StepRange { start: if step < 0 { 1_000_002 } else { 1 }, step, length: 200 };
                let long = StepRange { length: if step == 5000 { 200 } else { 333_333 }, ..long };
                let flip = stored.shape()[0] != 3;
                let ranges = if flip { [long, short] } else { [short, long] };
                let read = read_steps::<i32>(&object, &header, &ranges).unwrap();
                let read = if flip { read.reversed_axes() } else { read };
                assert!(
                    read.indexed_iter().all(|(at, &value)| value == array[[short.at(at[0]), long.at(at[1])]]),
                    "{step}"
                );
            }
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
            // Of complex numbers each part on its own.
            let part = if U::DTYPE.is_complex() { size / 2 } else { size };
            let big: Vec<u8> = little.chunks(part).flat_map(|c| c.iter().rev().copied()).collect();
            for (order, bytes) in [('<', little), ('>', &big)] {
                let kind = match U::DTYPE.name().trim_end_matches(char::is_numeric) {
                    "bool" => 'b',
                    "int" => 'i',
                    "uint" => 'u',
                    "complex" => 'c',
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
        check::<Complex<f32>>(&[Complex::new(1.0, -2.0)], &[0, 0, 128, 63, 0, 0, 0, 192]);
        check::<Complex<f64>>(&[Complex::new(1.0, 0.0)], &[0, 0, 0, 0, 0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 0]);
        check::<f16>(&[f16::ONE, f16::NEG_INFINITY], &[0, 60, 0, 252]);
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
        for (step, length) in [(1, 4), (2, 3), (-1, 2), (isize::MAX, 4)] {
            let ranges = [StepRange::all(2), StepRange { start: 0, step, length }];
            assert!(matches!(read_steps::<i32>(&object, &header, &ranges), Err(StorageError::BadRegion { .. })));
        }
    }
}
