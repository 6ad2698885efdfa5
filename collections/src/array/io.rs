//! `.npy` files in and out.

use std::panic::Location as CallSite;
use std::sync::Arc;

use super::chunks::Chunks;
use super::dtype::Element;
use super::expr::{Expr, Op, StepRange};
use super::handle::Array;
use crate::error::{Error, Result};
use crate::storage::npy;
use crate::storage::{Location, ObjectRef, check_writable};

/// A `.npy` file or object as a lazy array: only its header is read now, and only the blocks that are needed later.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{open_npy, linspace};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("x.npy");
/// let path = path.to_str().unwrap();
/// linspace(0.0, 1.0, 5)?.to_npy(path)?;
/// let x = open_npy::<f64>(path, "auto")?;
/// assert_eq!(x.slice(ndarray::s![1..3])?.compute()?.into_raw_vec_and_offset().0, [0.25, 0.5]);
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the file is missing, is no `.npy` file, is shorter than its header says, or holds elements of another type than `T`.
#[track_caller]
pub fn open_npy<T: Element>(url: &str, chunks: impl Into<Chunks>) -> Result<Array<T>> {
    let at = CallSite::caller();
    let object = ObjectRef::open_url(url)?;
    let header = npy::open(&object)?;
    if header.dtype != T::DTYPE {
        let reason = format!("{url} holds {}, not {}: open it as that and use astype", header.dtype, T::DTYPE);
        return Err(Error::invalid_at("open_npy", reason, at));
    }
    let grid = chunks.into().grid("open_npy", &header.shape, T::DTYPE.size())?;
    let ranges = header.shape.iter().map(|&length| StepRange::all(length)).collect();
    let op = Op::Npy { object, header: Arc::new(header), ranges };
    Ok(Array::from_expr(Expr::new(T::DTYPE, grid, op, None, at)))
}

/// Where a `.npy` file will be written; found out before anything is computed.
///
/// ```
/// use talatat::array::NpyTarget;
/// let target = NpyTarget::new("memory://example/x.npy")?;
/// target.write(&ndarray::array![1.0, 2.0].into_dyn().view())?;
/// assert_eq!(talatat::array::open_npy::<f64>("memory://example/x.npy", "auto")?.shape()?, [2]);
/// # Ok::<(), talatat::Error>(())
/// ```
pub struct NpyTarget {
    location: Location,
}

impl NpyTarget {
    /// Checks that a file can be written.
    ///
    /// # Errors
    /// If the folder is not writable or cannot be made, or the URL cannot be understood.
    pub fn new(url: &str) -> Result<NpyTarget> {
        let location = Location::parse(url)?;
        check_writable(&location)?;
        Ok(NpyTarget { location })
    }

    /// Writes an array. The file appears under its name when it is complete, or not at all.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write<T: Element>(&self, array: &ndarray::ArrayViewD<'_, T>) -> Result<()> {
        Ok(npy::write_array(&self.location, array)?)
    }
}
