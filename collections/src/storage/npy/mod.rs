//! `.npy` arrays: headers, regions, whole arrays.
//!
//! The format is NumPy's (versions 1, 2 and 3): a magic string, the length of the header, the header as a Python
//! dictionary with dtype, order and shape, then the elements without gaps. `ndarray-npy` reads and writes the header and
//! encodes elements; what is here besides is the check of a header against the object's size, and reading a
//! hyper-rectangle with few requests and bounded memory.
//!
//! ```
//! use ndarray::array;
//! use talatat_collections::storage::{Location, ObjectRef, npy};
//! let location = Location::parse("memory://npy/example.npy")?;
//! npy::write_array(&location, &array![[1_i32, 2, 3], [4, 5, 6]].into_dyn().view())?;
//!
//! let object = ObjectRef::open(&location)?;
//! let header = npy::open(&object)?;
//! assert_eq!((header.shape.as_slice(), header.dtype.name()), ([2, 3].as_slice(), "int32"));
//! let block = npy::read_region::<i32>(&object, &header, &[0..2, 1..3])?;
//! assert_eq!(block, array![[2, 3], [5, 6]].into_dyn());
//! # Ok::<(), talatat_collections::storage::StorageError>(())
//! ```

mod header;
mod output;
mod region;
mod runs;
mod stack;
mod write;

pub use header::{NpyHeader, open};
#[cfg(feature = "zarr")]
pub(crate) use header::{descriptor, parse_descriptor};
pub(crate) use output::{BUFFER as WRITE_BUFFER, NpyOutput};
pub(crate) use region::read_steps;
pub use region::{read_array, read_region};
pub use runs::region_ranges;
pub(crate) use stack::{StackGuard, StackInfo, StackOutput, stack_files};
pub use write::{write_array, write_elements};
