//! `.npy` files in and out.

use std::panic::Location as CallSite;
use std::sync::Arc;

use crate::array::build::{known_shape, rechunked};
use crate::array::chunks::Chunks;
use crate::array::dtype::Element;
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::range::StepRange;
use crate::array::shape::reshape::run_grid;
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::error::{Error, Result};
use crate::storage::npy::{self, NpyOutput};
use crate::storage::{Guard, Location, ObjectRef, check_writable};

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
    Ok(Array::from_expr(Expr::new(T::DTYPE, grid, op, [], at)))
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

/// An array that is written to a `.npy` file or object when it is computed: each block by a task, so that the array need not fit in memory.
/// A last task gives the file its name. What has been begun is removed with the handle if it was not finished; so it is computed once.
///
/// Local files are written in place, in the blocks of the array; if those are narrow, in Fortran order where that gives longer runs.
/// Objects in stores are uploaded in parts of 8 MiB of the flat array, those up to that size at once.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{NpyWrite, open_npy, zeros};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("x.npy");
/// let write = NpyWrite::new(&zeros::<f32>([100, 100]).rechunk(10)?, path.to_str().unwrap())?;
/// assert!(write.explain()?.to_string().contains("write to"));
/// assert!(!path.exists());
/// write.compute()?;
/// assert_eq!(open_npy::<f32>(path.to_str().unwrap(), "auto")?.shape()?, [100, 100]);
/// # Ok::<(), talatat::Error>(())
/// ```
#[derive(Clone)]
pub struct NpyWrite(Writing);

writing_collection!(NpyWrite);

/// Runs of at least this many bytes are as good as any.
const LONG_RUN: usize = 4 << 10;

impl NpyWrite {
    /// Begins a file or object: finds out whether it can be written and writes nothing that can be seen under its name.
    ///
    /// # Errors
    /// If it cannot be written, a length is known only when computed, or the array carries an error.
    #[track_caller]
    pub fn new<T: Element>(array: &Array<T>, url: &str) -> Result<NpyWrite> {
        let at = CallSite::caller();
        let expr = array.expr()?;
        let shape = known_shape("to_npy", expr, at)?;
        let size = T::DTYPE.size();
        let runs = [run_bytes(expr.grid.axes().iter().rev(), size), run_bytes(expr.grid.axes().iter(), size)];
        let fortran = runs[0] < LONG_RUN.min(runs[1]);
        let (output, begun) = NpyOutput::begin(&Location::parse(url)?, T::DTYPE, &shape, fortran)?;
        let input = match &output {
            NpyOutput::File(..) => expr.clone(),
            NpyOutput::Whole(..) => rechunked(expr, Grid::whole(&shape), at),
            NpyOutput::Parts(_, _, part) => {
                let flat = Grid::new([Axis::regular(shape.iter().product(), *part)]);
                match shape.len() {
                    1 => rechunked(expr, flat, at),
                    _ => {
                        let input = rechunked(expr, run_grid(&shape, *part), at);
                        Expr::new(expr.dtype, flat, Op::Reshape, [input], at)
                    }
                }
            }
        };
        let op = Op::Write(Arc::new(output));
        let expr = Expr::new(T::DTYPE, Grid::default(), op, [input], at);
        Ok(NpyWrite(Writing::new(expr, begun.map(|guard| Arc::new(guard) as Arc<dyn Begun>))))
    }
}

/// Bytes of a run of elements in a file, with the axes from the fastest to the slowest.
fn run_bytes<'a>(fastest_first: impl Iterator<Item = &'a Axis>, size: usize) -> usize {
    let mut bytes = size;
    for axis in fastest_first {
        bytes = bytes.saturating_mul(axis.longest().unwrap_or(1));
        if axis.chunks() > 1 {
            break;
        }
    }
    bytes
}

impl Begun for Guard {
    fn finished(&self) {
        Guard::finished(self);
    }
}
