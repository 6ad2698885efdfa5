//! Writing arrays to Zarr stores.

use ndarray::SliceInfoElem;
use talatat_collections::Result;
use talatat_collections::array::{Array, Element, ZarrOptions, ZarrWrite};

use crate::compute::Compute;

/// Writing of arrays to Zarr stores, which computes them.
pub trait ToZarr {
    /// Computes the array and writes it as a new Zarr array (version 3, Zstandard, in the chunks of the array) to a path or URL. See [`ZarrWrite`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use talatat::array::{ones, open_zarr};
    /// ones::<f32>([30, 40]).rechunk(10)?.to_zarr("memory://docs/to.zarr")?;
    /// assert_eq!(open_zarr::<f32>("memory://docs/to.zarr")?.shape()?, [30, 40]);
    /// assert!(ones::<f32>([3]).to_zarr("memory://docs/to.zarr").is_err(), "something is there");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it cannot be written or something is there, lengths are not known (persist the array first), or computing fails.
    #[track_caller]
    fn to_zarr(&self, url: &str) -> Result<()>;

    /// [`ToZarr::to_zarr`] with options: chunks, shards, the compressor, the fill value, the version, whether an array may be replaced.
    ///
    /// # Errors
    /// As [`ToZarr::to_zarr`], and if options do not fit.
    #[track_caller]
    fn to_zarr_with(&self, url: &str, options: &ZarrOptions) -> Result<()>;

    /// Computes the array and writes it into a region (`s![10..20, ..]`) of a Zarr array that is there. The region must hold whole
    /// chunks, or shards; one that does not is refused before anything is computed. See [`ZarrWrite::region`].
    ///
    /// # Errors
    /// As [`ZarrWrite::region`], or if computing fails.
    #[track_caller]
    fn to_zarr_region(&self, url: &str, region: impl AsRef<[SliceInfoElem]>) -> Result<()>;
}

impl<T: Element> ToZarr for Array<T> {
    fn to_zarr(&self, url: &str) -> Result<()> {
        ZarrWrite::new(self, url, &ZarrOptions::new())?.compute()
    }

    fn to_zarr_with(&self, url: &str, options: &ZarrOptions) -> Result<()> {
        ZarrWrite::new(self, url, options)?.compute()
    }

    fn to_zarr_region(&self, url: &str, region: impl AsRef<[SliceInfoElem]>) -> Result<()> {
        ZarrWrite::region(self, url, region)?.compute()
    }
}
