//! A block of an array: an n-dimensional array tagged with its element type.

mod codec;
mod part;
mod task;

use std::fmt;

use ndarray::{ArcArray, Array, ArrayD, ArrayView, ArrayViewD, ArrayViewMutD, IxDyn};

use super::error::{KernelError, Result};
use super::lane::{Lane, Slice, SliceMut};
use super::{loops, pool};
use crate::dtype::{DType, Element, for_each_dtype, with_dtype};

/// The typed array inside of a [`Block`], which recycles its buffer when it is dropped.
pub struct Buf<T: Element>(Repr<T>);

enum Repr<T> {
    Owned(Array<T, IxDyn>),
    Shared(ArcArray<T, IxDyn>),
}

impl<T: Element> Buf<T> {
    fn view(&self) -> ArrayViewD<'_, T> {
        match &self.0 {
            Repr::Owned(array) => array.view(),
            Repr::Shared(array) => array.view(),
        }
    }

    /// The array, without a copy if this is its only owner.
    fn into_array(mut self) -> ArrayD<T> {
        match self.take() {
            Repr::Owned(array) => array,
            Repr::Shared(array) => match array.try_into_owned_nocopy() {
                Ok(array) => array,
                Err(shared) => standard_copy(shared.view()),
            },
        }
    }

    /// Leaves an empty array behind.
    fn take(&mut self) -> Repr<T> {
        let empty = Array::from_shape_simple_fn(IxDyn(&[0]), T::default);
        std::mem::replace(&mut self.0, Repr::Owned(empty))
    }
}

impl<T: Element> Drop for Buf<T> {
    fn drop(&mut self) {
        let elements = match &self.0 {
            Repr::Owned(array) => array.len(),
            Repr::Shared(array) => array.len(),
        };
        // Small arrays are not worth the way to the pool.
        if elements * size_of::<T>() < pool::SMALLEST_RETAINED {
            return;
        }
        let array = match self.take() {
            Repr::Owned(array) => Some(array),
            Repr::Shared(array) => array.try_into_owned_nocopy().ok(),
        };
        if let Some(array) = array {
            pool::give(array.into_raw_vec_and_offset().0);
        }
    }
}

impl<T: Element> Clone for Buf<T> {
    fn clone(&self) -> Self {
        match &self.0 {
            Repr::Owned(array) => Buf(Repr::Owned(standard_copy(array.view()))),
            Repr::Shared(array) => Buf(Repr::Shared(array.clone())),
        }
    }
}

/// A copy in row-major order in a buffer of the pool.
fn standard_copy<T: Element>(view: ArrayViewD<'_, T>) -> ArrayD<T> {
    let mut buffer = pool::take::<T>(view.len());
    match view.as_slice() {
        Some(values) => buffer.copy_from_slice(values),
        None if view.ndim() > 0 && view.strides().last() == Some(&1) => {
            let length = view.shape().last().copied().unwrap_or(1).max(1);
            for (to, row) in buffer.chunks_exact_mut(length).zip(view.rows()) {
                match row.to_slice() {
                    Some(row) => to.copy_from_slice(row),
                    None => to.iter_mut().zip(row).for_each(|(to, from)| *to = *from),
                }
            }
        }
        None => buffer.iter_mut().zip(view.iter()).for_each(|(to, from)| *to = *from),
    }
    array_of(view.shape(), buffer)
}

/// An array over a buffer whose length is the product of `shape`.
fn array_of<T: Element>(shape: &[usize], buffer: Vec<T>) -> ArrayD<T> {
    // The length fits by construction; the empty array is never made.
    Array::from_shape_vec(IxDyn(shape), buffer).unwrap_or_else(|_| Array::from_shape_simple_fn(IxDyn(&[0]), T::default))
}

macro_rules! define_block {
    ($($variant:ident, $rust:ty, $name:literal;)*) => {
        /// A block of an array: an n-dimensional array with its element type known at run time.
        ///
        /// Its buffer comes from and goes back to the [`pool`]. Arrays of users are held shared,
        /// without a copy.
        ///
        /// ```
        /// use ndarray::array;
        /// use talatat_kernels::Block;
        /// let block = Block::from_array(array![[1.5, 2.5], [3.5, 4.5]].into_dyn());
        /// assert_eq!(format!("{block:?}"), "float64[2, 2]");
        /// assert_eq!(block.view::<f64>()?[[1, 0]], 3.5);
        /// assert!(block.view::<f32>().is_err());
        /// # Ok::<(), talatat_kernels::KernelError>(())
        /// ```
        ///
        /// A clone of a block made by [`Block::from_array`] copies the elements; one of a block
        /// that is shared ([`Block::from_shared`], [`Block::into_shared`]) does not.
        #[derive(Clone)]
        #[allow(missing_docs)]
        pub enum Block { $($variant(Buf<$rust>)),* }

        impl Block {
            /// The element type.
            pub fn dtype(&self) -> DType {
                match self { $(Block::$variant(_) => DType::$variant),* }
            }

            /// The shape.
            pub fn shape(&self) -> &[usize] {
                match self {
                    $(
                        Block::$variant(Buf(Repr::Owned(array))) => array.shape(),
                        Block::$variant(Buf(Repr::Shared(array))) => array.shape(),
                    )*
                }
            }

            /// The steps of the axes in memory, in elements.
            pub fn strides(&self) -> &[isize] {
                match self {
                    $(
                        Block::$variant(Buf(Repr::Owned(array))) => array.strides(),
                        Block::$variant(Buf(Repr::Shared(array))) => array.strides(),
                    )*
                }
            }

            /// The same block, whose clones share the elements from now on.
            pub fn into_shared(self) -> Block {
                match self {
                    $(Block::$variant(mut buf) => Block::$variant(Buf(match buf.take() {
                        Repr::Owned(array) => Repr::Shared(array.into_shared()),
                        shared => shared,
                    }))),*
                }
            }
        }
    };
}

for_each_dtype!(define_block);

impl Block {
    /// Takes an array over, without a copy.
    pub fn from_array<T: Element>(array: ArrayD<T>) -> Block {
        T::to_block(Buf(Repr::Owned(array)))
    }

    /// Takes a shared array over, without a copy.
    pub fn from_shared<T: Element>(array: ArcArray<T, IxDyn>) -> Block {
        T::to_block(Buf(Repr::Shared(array)))
    }

    /// A block over a buffer in row-major order.
    ///
    /// # Errors
    /// [`KernelError::ShapeMismatch`] if the product of `shape` is not the buffer's length.
    pub fn from_vec<T: Element>(shape: &[usize], buffer: Vec<T>) -> Result<Block> {
        if elements(shape)? != buffer.len() {
            return Err(KernelError::ShapeMismatch {
                operation: "block from a buffer".to_owned(),
                expected: shape.to_vec(),
                found: vec![buffer.len()],
            });
        }
        Ok(Block::from_array(array_of(shape, buffer)))
    }

    /// A block whose elements are all `value`.
    ///
    /// # Errors
    /// [`KernelError::TooLarge`].
    pub fn full<T: Element>(shape: &[usize], value: T) -> Result<Block> {
        let mut buffer = pool::take::<T>(elements_of::<T>(shape)?);
        buffer.fill(value);
        Block::from_vec(shape, buffer)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of dimensions.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The bytes of the elements.
    pub fn nbytes(&self) -> usize {
        self.len() * self.dtype().size()
    }

    /// The elements.
    ///
    /// # Errors
    /// [`KernelError::DTypeMismatch`] if they are not `T`.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        T::buf(self).map(Buf::view).ok_or_else(|| self.mismatch::<T>("view of a block"))
    }

    /// The elements, writable; they are copied first if the block is shared.
    ///
    /// # Errors
    /// [`KernelError::DTypeMismatch`] if they are not `T`.
    pub fn view_mut<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        let found = self.dtype();
        let buf = T::buf_mut(self).ok_or(KernelError::DTypeMismatch {
            operation: "view of a block",
            expected: T::DTYPE,
            found,
        })?;
        if let Repr::Shared(_) = &buf.0 {
            let owned = std::mem::replace(buf, Buf(Repr::Owned(array_of(&[0], Vec::new())))).into_array();
            buf.0 = Repr::Owned(owned);
        }
        Ok(match &mut buf.0 {
            Repr::Owned(array) => array.view_mut(),
            Repr::Shared(array) => array.view_mut(),
        })
    }

    /// The array; without a copy if the block is its sole owner.
    ///
    /// # Errors
    /// [`KernelError::DTypeMismatch`] if the elements are not `T`.
    pub fn into_array<T: Element>(mut self) -> Result<ArrayD<T>> {
        let error = self.mismatch::<T>("array of a block");
        let buf = T::buf_mut(&mut self).ok_or(error)?;
        Ok(Buf(buf.take()).into_array())
    }

    /// The elements in row-major order, converted to `to` as
    /// [`CastFrom`](super::number::CastFrom) says; a copy also if they are of that type already.
    pub fn cast(&self, to: DType) -> Block {
        let source = self.packed();
        let source = source.as_ref().unwrap_or(self);
        with_dtype!(to, T => {
            let mut buffer = pool::take::<T>(source.len());
            if let Some(values) = source.memory() {
                loops::cast(values, &mut <T as Lane>::tag_mut(&mut buffer));
            }
            Block::from_array(array_of(self.shape(), buffer))
        })
    }

    /// The elements in the order of memory, if they have no gaps.
    pub(super) fn memory(&self) -> Option<Slice<'_>> {
        with_dtype!(self.dtype(), T => {
            // Both kinds of array hand out slices with the lifetime of the block.
            match &<T as Lane>::buf(self)?.0 {
                Repr::Owned(array) => array.as_slice_memory_order().map(<T as Lane>::tag),
                Repr::Shared(array) => array.as_slice_memory_order().map(<T as Lane>::tag),
            }
        })
    }

    /// The elements in row-major order, if they are so in memory.
    pub(super) fn row_major(&self) -> Option<Slice<'_>> {
        with_dtype!(self.dtype(), T => {
            match &<T as Lane>::buf(self)?.0 {
                Repr::Owned(array) => array.as_slice().map(<T as Lane>::tag),
                Repr::Shared(array) => array.as_slice().map(<T as Lane>::tag),
            }
        })
    }

    /// The elements for overwriting, if the block owns them alone, in row-major order.
    pub(super) fn memory_mut(&mut self) -> Option<SliceMut<'_>> {
        with_dtype!(self.dtype(), T => {
            match &mut <T as Lane>::buf_mut(self)?.0 {
                Repr::Owned(array) => array.as_slice_mut().map(<T as Lane>::tag_mut),
                Repr::Shared(_) => None,
            }
        })
    }

    /// A row-major copy, if the block is not row-major already.
    pub fn packed(&self) -> Option<Block> {
        with_dtype!(self.dtype(), T => {
            let view = <T as Lane>::buf(self)?.view();
            (!view.is_standard_layout()).then(|| Block::from_array(standard_copy(view)))
        })
    }

    fn mismatch<T: Element>(&self, operation: &'static str) -> KernelError {
        KernelError::DTypeMismatch { operation, expected: T::DTYPE, found: self.dtype() }
    }
}

/// The product of a shape.
pub(super) fn elements(shape: &[usize]) -> Result<usize> {
    // Axes of length 0 do not excuse the rest: ndarray counts the others too.
    let product = shape
        .iter()
        .filter(|&&n| n != 0)
        .try_fold(1_usize, |product, &n| product.checked_mul(n))
        .filter(|&product| isize::try_from(product).is_ok());
    match product {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(product) => Ok(product),
        None => Err(KernelError::TooLarge { shape: shape.to_vec() }),
    }
}

/// The product of a shape whose bytes memory can address.
pub(super) fn elements_of<T>(shape: &[usize]) -> Result<usize> {
    let count = elements(shape)?;
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(count),
        _ => Err(KernelError::TooLarge { shape: shape.to_vec() }),
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype(), self.shape())
    }
}

impl<T: Element> fmt::Debug for Buf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", T::DTYPE, self.view().shape())
    }
}

/// Equal types, shapes and elements (NaN differs from itself).
impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.dtype() == other.dtype()
            && with_dtype!(self.dtype(), T => match (self.view::<T>(), other.view::<T>()) {
                (Ok(a), Ok(b)) => a == b,
                _ => false,
            })
    }
}

impl<T: Element> From<ArrayView<'_, T, IxDyn>> for Block {
    /// A row-major copy.
    fn from(view: ArrayView<'_, T, IxDyn>) -> Self {
        Block::from_array(standard_copy(view))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;

    #[test]
    fn owned_arrays_come_back_without_a_copy() {
        let array = Array2::<f64>::ones((30, 40)).into_dyn();
        let address = array.as_ptr();
        let block = Block::from_array(array);
        assert_eq!((block.dtype(), block.shape(), block.nbytes()), (DType::F64, &[30, 40][..], 9600));
        let array = block.into_shared().into_array::<f64>().unwrap();
        assert_eq!(array.as_ptr(), address);
    }

    #[test]
    fn shared_arrays_are_not_copied_until_written() {
        let array = array![1, 2, 3].into_dyn().into_shared();
        let mut block = Block::from_shared(array.clone());
        assert_eq!(block.view::<i32>().unwrap().as_ptr(), array.as_ptr());
        block.view_mut::<i32>().unwrap()[0] = 9;
        assert_eq!(array[0], 1);
        assert_eq!(block.view::<i32>().unwrap()[0], 9);
    }

    #[test]
    fn dropping_a_block_recycles_its_buffer() {
        // A size no other test uses.
        let len = 33_333_331;
        drop(Block::full(&[len], 7_u8).unwrap());
        assert_eq!(pool::take::<u8>(len)[len - 1], 7);
    }

    #[test]
    fn casts_keep_the_logical_order() {
        let array = array![[1.5, 2.5], [-3.5, 0.0]].into_dyn();
        let transposed = Block::from_array(array.reversed_axes());
        let cast = transposed.cast(DType::I32);
        assert_eq!(cast.view::<i32>().unwrap(), array![[1, -3], [2, 0]].into_dyn());
        let truth = transposed.cast(DType::Bool);
        assert!(!truth.view::<bool>().unwrap()[[1, 1]]);
    }

    #[test]
    fn wrong_types_and_shapes_are_errors() {
        let mut block = Block::full(&[2], true).unwrap();
        assert!(block.view::<u8>().is_err());
        assert!(block.view_mut::<u8>().is_err());
        assert!(block.clone().into_array::<u8>().is_err());
        assert!(Block::from_vec(&[2, 2], vec![1_u8]).is_err());
        assert!(Block::full(&[usize::MAX, 2], 1_u8).is_err());
        assert!(Block::full(&[usize::MAX / 4, 0], 1_f64).is_ok());
        assert!(Block::full(&[usize::MAX, usize::MAX, 0], 1_f64).is_err());
    }

    #[test]
    fn strided_blocks_are_packed() {
        let array = Array2::from_shape_fn((4, 4), |(i, j)| (4 * i + j) as i64).into_dyn().into_shared();
        let sliced = array.slice(s![..;2, ..;-1]).to_owned().into_dyn();
        let mut shared = array.clone();
        shared.slice_collapse(s![..;2, ..;-1]);
        let block = Block::from_shared(shared);
        assert!(block.memory().is_none());
        assert_eq!(block.packed().unwrap(), Block::from_array(sliced));
    }
}
