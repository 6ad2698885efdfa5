//! CSV files as partitions: byte ranges of whole records, parsed by polars' own field parser.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | what the user may say |
//! | `sample` | names and types from the first bytes of several files |
//! | `scan` | files cut into blocks; projection and filter that were pushed down |
//! | `tail` | the records of a block whose bytes have been read |
//! | `dialect` | comments, escaped characters, lines that are passed over |
//! | `unpack` | compressed files |
//! | `dates` | texts of dates in formats that nobody gave |
//! | `parse` | records to a `DataFrame` |

mod dates;
mod dialect;
mod options;
mod parse;
mod sample;
mod scan;
mod tail;
mod unpack;

pub use options::CsvOptions;
pub(crate) use parse::{Parser, join};
pub(crate) use sample::without_bom;
pub(crate) use scan::{CsvScan, FileBlock, blocks_of};
pub(crate) use tail::records_of;
pub(crate) use unpack::{is_compressed, unpacked};
