//! Matrices of numbers as text, in and out.

use std::panic::Location as CallSite;
use std::sync::Arc;

use talatat_graph::KeyBuilder;

use crate::array::build::{known_shape, rechunked};
use crate::array::dtype::{DType, Element, Kind};
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::config::chunk_target;
use crate::error::{Error, Result};
use crate::lower::{Operation, Text, TextOutput, TextWriting};
use crate::storage::text::{TextFormat, look};
use crate::storage::{Location, ObjectRef, UnfinishedFile, check_writable};

/// How numbers stand in text, as for NumPy's `loadtxt` and `savetxt`, but for the delimiter, which is a comma unless told otherwise.
///
/// ```
/// use talatat::array::TextOptions;
/// let options = TextOptions::new().delimiter(b'\t').skip_rows(1).use_columns([0, 2]);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    format: TextFormat,
    block: Option<u64>,
}

impl Default for TextOptions {
    fn default() -> Self {
        let format = TextFormat { delimiter: b',', comment: Some(b'#'), skip: 0, columns: Vec::new() };
        TextOptions { format, block: None }
    }
}

impl TextOptions {
    /// Commas, lines that begin with `#` passed over, all columns.
    pub fn new() -> Self {
        TextOptions::default()
    }

    /// The character between fields; blanks around fields do not count.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.format.delimiter = delimiter;
        self
    }

    /// Lines that begin with this are passed over when reading; `None` for none.
    pub fn comments(mut self, comment: impl Into<Option<u8>>) -> Self {
        self.format.comment = comment.into();
        self
    }

    /// Lines at the start that are passed over when reading.
    pub fn skip_rows(mut self, rows: usize) -> Self {
        self.format.skip = rows;
        self
    }

    /// The columns that are read, counted from 0, in this order.
    pub fn use_columns(mut self, columns: impl Into<Vec<usize>>) -> Self {
        self.format.columns = columns.into();
        self
    }

    /// Bytes of text that a block is read from; without this so many that the block has about the target size.
    pub fn block_bytes(mut self, bytes: u64) -> Self {
        self.block = Some(bytes.max(1));
        self
    }
}

fn check_dtype(operation: &str, dtype: DType, at: &'static CallSite<'static>) -> Result<()> {
    if dtype.kind() != Kind::Complex {
        return Ok(());
    }
    let reason = format!("{dtype} has no form as text here: use the real and the imaginary part");
    Err(Error::invalid_at(operation, reason, at))
}

/// A text file or object of numbers as a lazy array of two axes: a row a line, as NumPy's `loadtxt` with `ndmin=2`. Only its first line is read
/// now. Blocks are ranges of bytes, each read by a task of its own, so how many rows there are is known only when they are computed:
/// `persist` first for what needs the shape.
///
/// Fields are not quoted. Integers may not have a decimal point; booleans are 0, 1, true, false, True or False.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{TextOptions, TextWrite, eye, loadtxt};
/// TextWrite::new(&eye::<f64>(3, None, 0), "memory://docs/eye.csv", &TextOptions::new())?.compute()?;
/// let x = loadtxt::<f64>("memory://docs/eye.csv", &TextOptions::new())?;
/// assert_eq!(x.compute()?, ndarray::Array::eye(3).into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the file is missing or has no line of numbers, or there are no such columns. When it is computed: lines of another number of fields, or a
/// field that is no such number, with the byte it stands at.
#[track_caller]
pub fn loadtxt<T: Element>(url: &str, options: &TextOptions) -> Result<Array<T>> {
    let at = CallSite::caller();
    check_dtype("loadtxt", T::DTYPE, at)?;
    let object = ObjectRef::open_url(url)?;
    let format = options.format.clone();
    let (start, fields) = look(&object, &format)?;
    // A number has two characters at least, most have more.
    let length = options.block.unwrap_or_else(|| (2 * chunk_target() / T::DTYPE.size() as u64).max(1));
    let count = usize::try_from(object.size().saturating_sub(start).div_ceil(length)).unwrap_or(usize::MAX).max(1);
    let text = Text { object, format, dtype: T::DTYPE, start, fields, length };
    let origin = text.parameters(KeyBuilder::new("loadtxt.rows")).finish();
    let grid = Grid::new([Axis::Unknown { origin, chunks: count }, Axis::whole(text.columns())]);
    if let Some(reason) = grid.excess() {
        return Err(Error::invalid_at("loadtxt", reason, at));
    }
    Ok(Array::from_expr(Expr::new(T::DTYPE, grid, Op::Custom(Arc::new(text)), [], at)))
}

/// An array that is written as lines of text when it is computed: a row a line, as NumPy's `savetxt`; an array of one axis has one element a
/// line. Floats get the digits that are needed to come back as they are, NaN and infinities as NumPy reads them, booleans 0 and 1.
///
/// Blocks become text in parallel. A local file is appended to in their order, and gets its name at the end; lines for a store
/// are kept in memory until all are there. What was begun is removed with the handle if it was not finished.
#[derive(Clone)]
pub struct TextWrite(Writing);

writing_collection!(TextWrite);

impl TextWrite {
    /// Begins a file: finds out whether it can be written. Of the options only the delimiter matters.
    ///
    /// # Errors
    /// If it cannot be written, the array has not one or two axes or holds complex numbers, a length is known only when computed, or the array
    /// carries an error.
    #[track_caller]
    pub fn new<T: Element>(array: &Array<T>, url: &str, options: &TextOptions) -> Result<TextWrite> {
        const SAVE: &str = "savetxt";
        let at = CallSite::caller();
        let expr = array.expr()?;
        check_dtype(SAVE, T::DTYPE, at)?;
        let shape = known_shape(SAVE, expr, at)?;
        if !(1..=2).contains(&shape.len()) {
            let reason = format!("an array of {} axes is no matrix: reshape it to two", shape.len());
            return Err(Error::invalid_at(SAVE, reason, at));
        }
        let location = Location::parse(url)?;
        let (output, begun) = match UnfinishedFile::begin(&location, &[], 0)? {
            Some((file, guard)) => (TextOutput::File(file), Some(Arc::new(guard) as Arc<dyn Begun>)),
            None => {
                check_writable(&location)?;
                (TextOutput::Object(location), None)
            }
        };
        let rows = expr.grid.axes().iter().take(1).cloned();
        let grid = Grid::new(rows.chain(shape.iter().skip(1).map(|&length| Axis::whole(length))));
        let op = Op::Custom(Arc::new(TextWriting { output, format: options.format.clone() }));
        let expr = Expr::new(T::DTYPE, Grid::default(), op, [rechunked(expr, grid, at)], at);
        Ok(TextWrite(Writing::new(expr, begun)))
    }
}
