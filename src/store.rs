//! Storing arrays into targets of users' own, and as text.

use std::sync::Arc;

use ndarray::SliceInfoElem;
use talatat_collections::Result;
use talatat_collections::array::{Array, Element, SaveText, StoreTarget, StoreWrite, TextWrite};

use crate::compute::Compute;

/// Storing of arrays into targets of users' own, which computes them.
pub trait ToStore<T: Element> {
    /// Computes the array and hands each block to the target, several at once. See [`StoreTarget`].
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use talatat::prelude::*;
    /// use ndarray::{Array, IxDyn};
    /// let target = Arc::new(Mutex::new(Array::<i64, _>::zeros(IxDyn(&[6]))));
    /// talatat::array::arange::<i64>(0, 6, 1)?.rechunk(4)?.store(&target)?;
    /// assert_eq!(target.lock().unwrap().sum(), 15);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`StoreWrite::new`], or if computing or the target fails.
    #[track_caller]
    fn store<S: StoreTarget<T>>(&self, target: &Arc<S>) -> Result<()>;

    /// The same into a region (`s![10..20, ..]`) of a target that has a shape; it must hold whole chunks of the target.
    ///
    /// # Errors
    /// As [`StoreWrite::region`], or if computing or the target fails.
    #[track_caller]
    fn store_region<S: StoreTarget<T>>(&self, target: &Arc<S>, region: impl AsRef<[SliceInfoElem]>) -> Result<()>;
}

impl<T: Element> ToStore<T> for Array<T> {
    fn store<S: StoreTarget<T>>(&self, target: &Arc<S>) -> Result<()> {
        StoreWrite::new(self, target)?.compute()
    }

    fn store_region<S: StoreTarget<T>>(&self, target: &Arc<S>, region: impl AsRef<[SliceInfoElem]>) -> Result<()> {
        StoreWrite::region(self, target, region)?.compute()
    }
}

/// Writing of arrays as text, which computes them.
pub trait ToText {
    /// Computes the array, of one or two axes, and writes it as lines of numbers. See [`TextWrite`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{LoadText, SaveText, arange, loadtxt};
    /// let options = SaveText::new().fmt("%d").delimiter(";").header("even; odd");
    /// arange::<i64>(0, 6, 1)?.reshape([3, 2])?.savetxt("memory://docs/six.csv", &options)?;
    /// let x = loadtxt::<i64>("memory://docs/six.csv", &LoadText::new().delimiter(';'))?;
    /// assert_eq!(x.sum(0)?.compute()?, ndarray::array![6, 9].into_dyn());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`TextWrite::new`], or if computing fails.
    #[track_caller]
    fn savetxt(&self, url: &str, options: &SaveText) -> Result<()>;
}

impl<T: Element> ToText for Array<T> {
    fn savetxt(&self, url: &str, options: &SaveText) -> Result<()> {
        TextWrite::new(self, url, options)?.compute()
    }
}
