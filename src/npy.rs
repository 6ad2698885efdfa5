//! Writing arrays to `.npy` files.

use talatat_collections::Result;
use talatat_collections::array::{Array, Element, NpyStackWrite, NpyTarget, NpyWrite};

use crate::compute::Compute;

/// Writing of arrays, which computes them.
pub trait ToNpy {
    /// Computes the array and writes it as a `.npy` file to a path or URL. The file appears under its name when it is complete,
    /// or not at all; whether it can be written is found out before anything is computed.
    ///
    /// Each block is written when it has been computed, so the array need not fit in memory (see [`NpyWrite`]). Only an array with
    /// lengths that are known when computed is gathered first.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("ones.npy");
    /// talatat::array::ones::<f32>([3, 4]).to_npy(path.to_str().unwrap())?;
    /// assert_eq!(std::fs::metadata(&path).unwrap().len(), 128 + 3 * 4 * 4);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written or computing fails.
    #[track_caller]
    fn to_npy(&self, url: &str) -> Result<()>;

    /// Computes the array and writes it as a stack of `.npy` files: a folder of its blocks along `axis`, which
    /// [`open_npy_stack`](crate::array::open_npy_stack) opens. See [`NpyStackWrite`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ones, open_npy_stack};
    /// ones::<f32>([30, 4]).rechunk([10, 2])?.to_npy_stack("memory://docs/to_stack", 0)?;
    /// assert_eq!(open_npy_stack::<f32>("memory://docs/to_stack")?.numblocks(), [3, 1]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`NpyStackWrite::new`], or if computing fails.
    #[track_caller]
    fn to_npy_stack(&self, url: &str, axis: isize) -> Result<()>;
}

impl<T: Element> ToNpy for Array<T> {
    fn to_npy(&self, url: &str) -> Result<()> {
        self.check()?;
        if self.chunks().iter().all(Option::is_some) {
            return NpyWrite::new(self, url)?.compute();
        }
        let target = NpyTarget::new(url)?;
        target.write(&self.compute()?.view())
    }

    fn to_npy_stack(&self, url: &str, axis: isize) -> Result<()> {
        NpyStackWrite::new(self, url, axis)?.compute()
    }
}
