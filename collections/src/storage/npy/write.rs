//! Writing `.npy` arrays.

use std::any::Any;
use std::io::{self, Write};

use ndarray::ArrayViewD;

use super::header::NpyHeader;
use crate::array::dtype::{Element, with_dtype};
use crate::storage::error::{Result, Source};
use crate::storage::location::Location;
use crate::storage::write::write_atomic;

/// Elements encoded at a time.
const CHUNK: usize = 16 << 10;

/// Writes a whole array atomically: in Fortran order if the view is contiguous in that order, else in C order.
///
/// # Errors
/// Those of [`write_atomic`].
pub fn write_array<T: Element>(location: &Location, array: &ArrayViewD<'_, T>) -> Result<()> {
    let transposed = array.view().reversed_axes();
    let fortran = !array.is_standard_layout() && transposed.is_standard_layout();
    let header = NpyHeader::new(T::DTYPE, array.shape(), fortran);
    write_atomic(location, |writer| {
        writer.write_all(&header.to_bytes()?)?;
        write_elements(writer, if fortran { &transposed } else { array })?;
        Ok::<(), Source>(())
    })
}

/// Writes the elements of a block in C order and no header: for an array that is written block by block along its
/// first axis, after [`NpyHeader::to_bytes`]. Any strides; memory is a buffer of 16,384 elements.
///
/// # Errors
/// What the writer returns.
///
/// ```
/// use ndarray::array;
/// use talatat_collections::array::dtype::DType;
/// use talatat_collections::storage::{Location, ObjectRef, npy, write_atomic};
/// use std::io::Write;
/// let location = Location::parse("memory://npy/rows.npy")?;
/// let header = npy::NpyHeader::new(DType::F32, &[3, 2], false).to_bytes()?;
/// write_atomic(&location, |writer| {
///     writer.write_all(&header)?;
///     npy::write_elements(writer, &array![[0_f32, 1.0]].into_dyn().view())?;
///     npy::write_elements(writer, &array![[2_f32, 4.0], [3.0, 5.0]].into_dyn().view())
/// })?;
/// let back = npy::read_array::<f32>(&ObjectRef::open(&location)?)?;
/// assert_eq!(back, array![[0.0, 1.0], [2.0, 4.0], [3.0, 5.0]].into_dyn());
/// # Ok::<(), talatat_collections::storage::StorageError>(())
/// ```
pub fn write_elements<T: Element>(writer: &mut impl Write, block: &ArrayViewD<'_, T>) -> io::Result<()> {
    with_dtype!(T::DTYPE, U => write_as::<T, U>(writer, block))
}

/// `U` is `T`, by its dtype; only here that is known, and the comparison of types is decided when compiled.
fn write_as<T: Element, U: Element>(writer: &mut impl Write, block: &ArrayViewD<'_, T>) -> io::Result<()> {
    let mut elements = block.iter().filter_map(|value| (value as &dyn Any).downcast_ref::<U>().copied());
    let mut chunk: Vec<U> = Vec::with_capacity(CHUNK.min(block.len()));
    let mut bytes = Vec::new();
    loop {
        chunk.clear();
        chunk.extend(elements.by_ref().take(CHUNK));
        if chunk.is_empty() {
            return Ok(());
        }
        bytes.resize(size_of_val(&chunk[..]), 0);
        U::write_le(&chunk, &mut bytes);
        writer.write_all(&bytes)?;
    }
}
