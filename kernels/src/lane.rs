//! What kernels need of an element type beside its arithmetic: the way from run-time tags to
//! typed slices, and its bytes on the wire.

use std::ops::Range;

use super::block::{Block, Buf};
use super::pool::{Shelf, Shelves};
use super::program::Scratch;
use super::scalar::{Scalar, cast_scalar};
use crate::dtype::{C64, C128, Complex, DType, Element, f16, for_each_dtype};

/// The way from run-time tags to an element type: slices, blocks, scratch, bytes.
///
/// Implemented for the element types and not meant to be implemented or called elsewhere; it
/// makes the functions of [`Block`] and [`Program`](super::Program) generic.
pub trait Lane: super::reduce::Reducible + Sized {
    /// The slice, if its elements are of this type.
    fn slice<'a>(slice: &Slice<'a>) -> Option<&'a [Self]>;
    /// The slice, if its elements are of this type.
    fn slice_mut<'a, 'b>(slice: &'b mut SliceMut<'a>) -> Option<&'b mut [Self]>;
    /// Tags a slice.
    fn tag(slice: &[Self]) -> Slice<'_>;
    /// Tags a slice.
    fn tag_mut(slice: &mut [Self]) -> SliceMut<'_>;
    /// The element as a scalar.
    fn to_scalar(self) -> Scalar;
    /// Converts any scalar to this type.
    fn from_scalar(scalar: Scalar) -> Self;
    /// Writes the elements as little-endian bytes; `out` has `size_of::<Self>()` bytes for each.
    fn write_le(values: &[Self], out: &mut [u8]);
    /// Reads little-endian bytes; false if some bytes are no value of the type (`bool`).
    fn read_le(bytes: &[u8], out: &mut [Self]) -> bool;
    #[doc(hidden)]
    fn to_block(buf: Buf<Self>) -> Block
    where
        Self: Element;
    #[doc(hidden)]
    fn buf(block: &Block) -> Option<&Buf<Self>>
    where
        Self: Element;
    #[doc(hidden)]
    fn buf_mut(block: &mut Block) -> Option<&mut Buf<Self>>
    where
        Self: Element;
    #[doc(hidden)]
    fn shelf(shelves: &mut Shelves) -> &mut Shelf<Self>;
    #[doc(hidden)]
    fn slots(scratch: &Scratch) -> &[Vec<Self>];
    #[doc(hidden)]
    fn slots_mut(scratch: &mut Scratch) -> &mut Vec<Vec<Self>>;
}

macro_rules! define_lane {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// A slice tagged with its element type.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs)]
        pub enum Slice<'a> { $($variant(&'a [$rust])),* }

        /// A writable slice tagged with its element type.
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub enum SliceMut<'a> { $($variant(&'a mut [$rust])),* }

        impl Slice<'_> {
            /// The element type.
            pub fn dtype(&self) -> DType {
                match self { $(Slice::$variant(_) => DType::$variant),* }
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                match self { $(Slice::$variant(x) => x.len()),* }
            }

            /// Whether there are no elements.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        impl<'a> Slice<'a> {
            /// The elements of a range, which must be inside.
            pub(super) fn sub(&self, range: Range<usize>) -> Slice<'a> {
                match *self { $(Slice::$variant(x) => Slice::$variant(&x[range])),* }
            }

            /// The elements as they are in memory.
            pub(super) fn bytes(self) -> &'a [u8] {
                match self { $(Slice::$variant(x) => bytemuck::cast_slice(x)),* }
            }
        }

        impl SliceMut<'_> {
            /// The element type.
            pub fn dtype(&self) -> DType {
                match self { $(SliceMut::$variant(_) => DType::$variant),* }
            }

            /// The elements, read only.
            pub(super) fn as_slice(&self) -> Slice<'_> {
                match self { $(SliceMut::$variant(x) => Slice::$variant(x)),* }
            }

            /// The elements of a range, which must be inside.
            pub(super) fn sub_mut(&mut self, range: Range<usize>) -> SliceMut<'_> {
                match self { $(SliceMut::$variant(x) => SliceMut::$variant(&mut x[range])),* }
            }
        }

        $(impl Lane for $rust {
            fn slice<'a>(slice: &Slice<'a>) -> Option<&'a [Self]> {
                match *slice {
                    Slice::$variant(x) => Some(x),
                    _ => None,
                }
            }

            fn slice_mut<'a, 'b>(slice: &'b mut SliceMut<'a>) -> Option<&'b mut [Self]> {
                match slice {
                    SliceMut::$variant(x) => Some(x),
                    _ => None,
                }
            }

            fn tag(slice: &[Self]) -> Slice<'_> {
                Slice::$variant(slice)
            }

            fn tag_mut(slice: &mut [Self]) -> SliceMut<'_> {
                SliceMut::$variant(slice)
            }

            fn to_scalar(self) -> Scalar {
                Scalar::$variant(self)
            }

            fn from_scalar(scalar: Scalar) -> Self {
                cast_scalar(scalar)
            }

            fn write_le(values: &[Self], out: &mut [u8]) {
                let chunks = out.as_chunks_mut::<{ size_of::<$rust>() }>().0;
                for (to, &value) in chunks.iter_mut().zip(values) {
                    *to = value.to_wire();
                }
            }

            fn read_le(bytes: &[u8], out: &mut [Self]) -> bool {
                let mut valid = true;
                let chunks = bytes.as_chunks::<{ size_of::<$rust>() }>().0;
                for (to, &from) in out.iter_mut().zip(chunks) {
                    let (value, ok) = <$rust>::from_wire(from);
                    *to = value;
                    valid &= ok;
                }
                valid
            }

            fn to_block(buf: Buf<Self>) -> Block {
                Block::$variant(buf)
            }

            fn buf(block: &Block) -> Option<&Buf<Self>> {
                match block {
                    Block::$variant(x) => Some(x),
                    _ => None,
                }
            }

            fn buf_mut(block: &mut Block) -> Option<&mut Buf<Self>> {
                match block {
                    Block::$variant(x) => Some(x),
                    _ => None,
                }
            }

            fn shelf(shelves: &mut Shelves) -> &mut Shelf<Self> {
                &mut shelves.$variant
            }

            fn slots(scratch: &Scratch) -> &[Vec<Self>] {
                &scratch.$variant
            }

            fn slots_mut(scratch: &mut Scratch) -> &mut Vec<Vec<Self>> {
                &mut scratch.$variant
            }
        })*
    };
}

/// One value as bytes on the wire.
trait Wire<const N: usize>: Sized {
    fn to_wire(self) -> [u8; N];
    /// The value, and whether the bytes are valid.
    fn from_wire(bytes: [u8; N]) -> (Self, bool);
}

impl Wire<1> for bool {
    #[inline(always)]
    fn to_wire(self) -> [u8; 1] {
        [u8::from(self)]
    }

    #[inline(always)]
    fn from_wire([byte]: [u8; 1]) -> (Self, bool) {
        (byte != 0, byte <= 1)
    }
}

macro_rules! implement_wire {
    ($($t:ty),*) => {$(
        impl Wire<{ size_of::<$t>() }> for $t {
            #[inline(always)]
            fn to_wire(self) -> [u8; size_of::<$t>()] {
                self.to_le_bytes()
            }

            #[inline(always)]
            fn from_wire(bytes: [u8; size_of::<$t>()]) -> (Self, bool) {
                (<$t>::from_le_bytes(bytes), true)
            }
        }
    )*};
}

implement_wire!(i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64);

macro_rules! implement_wire_of_pairs {
    ($($t:ty, $part:ty, $bits:ty;)*) => {$(
        impl Wire<{ size_of::<$t>() }> for $t {
            // The real part comes first, so in the low half of the number that both are put together to.
            #[inline(always)]
            fn to_wire(self) -> [u8; size_of::<$t>()] {
                let (re, im) = (<$bits>::from(self.re.to_bits()), <$bits>::from(self.im.to_bits()));
                (re | (im << (8 * size_of::<$part>()))).to_le_bytes()
            }

            #[inline(always)]
            fn from_wire(bytes: [u8; size_of::<$t>()]) -> (Self, bool) {
                let both = <$bits>::from_le_bytes(bytes);
                let part = |bits| <$part>::from_bits(bits);
                (Complex { re: part(both as _), im: part((both >> (8 * size_of::<$part>())) as _) }, true)
            }
        }
    )*};
}

implement_wire_of_pairs! { C64, f32, u64; C128, f64, u128; }

for_each_dtype!(define_lane);
