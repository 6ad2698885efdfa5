//! Zarr arrays, versions 2 and 3: their chunks, read and written whole.
//!
//! Metadata and codecs are those of the [`zarrs`] crate; what is here is how they get at our stores, which chunks a region needs, and how
//! an array is written so that nothing that is half there can be taken for a whole.

mod array;
mod layout;
mod listing;
mod output;
mod read;
mod store;

pub(crate) use array::{ZarrArray, ZarrRef};
pub(crate) use layout::Layout;
pub use layout::{BloscCodec, ZarrCompressor, ZarrVersion};
pub(crate) use output::{ZarrGuard, ZarrOutput};
