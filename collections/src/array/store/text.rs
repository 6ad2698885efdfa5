//! Matrices of numbers as text, in and out.

use std::panic::Location as CallSite;
use std::sync::Arc;

use talatat_graph::KeyBuilder;

use crate::array::build::{invalid, known_shape, rechunked};
use crate::array::dtype::{Element, Kind, with_dtype};
use crate::array::expr::{Expr, Op};
use crate::array::grid::{Axis, Grid};
use crate::array::handle::Array;
use crate::array::kernels::{Block, KernelError};
use crate::array::store::writing::{Begun, Writing, writing_collection};
use crate::config::chunk_target;
use crate::error::{Error, Result};
use crate::lower::{Operation, Text, TextOutput, TextWriting};
use crate::storage::text::{RowFormat, TextElement, TextFormat, shortest};
use crate::storage::{Location, ObjectRef, UnfinishedFile, check_writable};

/// How numbers are read from text, with the names and defaults of NumPy's `loadtxt` and `genfromtxt`.
///
/// ```
/// use talatat::array::LoadText;
/// let options = LoadText::new().delimiter(',').skiprows(1).usecols([0, -1]).max_rows(100);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadText {
    delimiter: Option<char>,
    comments: String,
    skip: usize,
    columns: Vec<isize>,
    rows: Option<usize>,
    block: Option<u64>,
}

impl Default for LoadText {
    fn default() -> Self {
        LoadText { delimiter: None, comments: "#".into(), skip: 0, columns: Vec::new(), rows: None, block: None }
    }
}

impl LoadText {
    /// Fields with white space between them, the rest of a line after `#` passed over, all lines, all columns.
    pub fn new() -> Self {
        LoadText::default()
    }

    /// The character between fields, one of ASCII; white space around fields does not count.
    pub fn delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// What a comment begins with, which goes to the end of its line; nothing for none.
    pub fn comments(mut self, comments: impl Into<String>) -> Self {
        self.comments = comments.into();
        self
    }

    /// Lines at the start that are passed over, comments among them (`skip_header` of `genfromtxt`).
    pub fn skiprows(mut self, rows: usize) -> Self {
        self.skip = rows;
        self
    }

    /// The columns that are read, in this order, counted from 0, or from -1 backwards. Lines need only have these.
    pub fn usecols(mut self, columns: impl Into<Vec<isize>>) -> Self {
        self.columns = columns.into();
        self
    }

    /// The most rows that are read. The text up to there is looked through when the array is made, so the number of rows is known.
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Bytes of text that a block is read from; without this so many that the block has about the target size.
    pub fn block_bytes(mut self, bytes: u64) -> Self {
        self.block = Some(bytes.max(1));
        self
    }

    fn array<T: Element>(
        &self,
        operation: &str,
        url: &str,
        fill: Option<String>,
        at: &'static CallSite<'static>,
    ) -> Result<Array<T>> {
        let invalid = |reason: String| Error::invalid_at(operation, reason, at);
        check_unpacked(operation, url, at)?;
        let delimiter = match self.delimiter {
            Some(other) if !other.is_ascii() || matches!(other, '\n' | '\r') => {
                return Err(invalid(format!("the delimiter {other:?} is no character of ASCII within a line")));
            }
            other => other.map(|delimiter| delimiter as u8),
        };
        let comments = self.comments.clone();
        let format = TextFormat { delimiter, comments, skip: self.skip, columns: self.columns.clone(), fill };
        let object = ObjectRef::open_url(url)?;
        let mut start = format.look(&object)?;
        if self.rows == Some(0) {
            start.fields = 0;
        }
        // A number has two characters at least, most have more.
        let length = self.block.unwrap_or_else(|| (2 * chunk_target() / T::DTYPE.size() as u64).max(1));
        let counted = match self.rows {
            Some(rows) => Some(format.count(&object, start, rows, length)?),
            None if start.fields == 0 => Some((start.offset, Vec::new())),
            None => None,
        };
        let columns = Axis::whole(format.width(start));
        let end = counted.as_ref().map_or(object.size(), |(end, _)| *end);
        let text = Text { object, format, dtype: T::DTYPE, start, end, length };
        let rows = match counted {
            Some((_, counts)) => Axis::from_lengths(counts),
            None => {
                let count = end.saturating_sub(start.offset).div_ceil(length);
                let origin = text.parameters(KeyBuilder::new("loadtxt.rows")).finish();
                Axis::Unknown { origin, chunks: usize::try_from(count).unwrap_or(usize::MAX).max(1) }
            }
        };
        let grid = Grid::new([rows, columns]);
        if let Some(reason) = grid.excess() {
            return Err(invalid(reason));
        }
        Ok(Array::from_expr(Expr::new(T::DTYPE, grid, Op::Custom(Arc::new(text)), [], at)))
    }
}

/// NumPy unpacks by the name; here that would give each block all of the file to read.
fn check_unpacked(operation: &str, url: &str, at: &'static CallSite<'static>) -> Result<()> {
    match [".gz", ".bz2", ".xz", ".lzma"].iter().find(|end| url.ends_with(**end)) {
        Some(end) => {
            Err(Error::invalid_at(operation, format!("{url} is packed ({end}), which is not done here: unpack it"), at))
        }
        None => Ok(()),
    }
}

/// A text file or object of numbers as a lazy array of two axes: a row a line, as NumPy's `loadtxt` with `ndmin=2`. Only its first line is read
/// now. Blocks are ranges of bytes, each read by a task of its own, so how many rows there are is known only when they are computed:
/// `persist` first for what needs the shape, or give [`max_rows`](LoadText::max_rows).
///
/// As with NumPy, lines without data are passed over, all lines have as many fields as the first one unless
/// [`usecols`](LoadText::usecols) are given, integers have no decimal point, booleans are integers, and complex numbers stand as `1+2j`. A text
/// without data gives no rows. Fields are not quoted, and lines end with a newline.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{LoadText, SaveText, TextWrite, eye, loadtxt};
/// TextWrite::new(&eye::<f64>(3, 3, 0), "memory://docs/eye.txt", &SaveText::new())?.compute()?;
/// let x = loadtxt::<f64>("memory://docs/eye.txt", &LoadText::new())?;
/// assert_eq!(x.compute()?, ndarray::Array2::<f64>::eye(3).into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// If the file is missing or packed, the delimiter cannot be one, or there are no such columns. When it is computed: lines of another number of fields,
/// or a field that is no such number, with the byte where its line begins.
#[track_caller]
pub fn loadtxt<T: Element>(url: &str, options: &LoadText) -> Result<Array<T>> {
    options.array("loadtxt", url, None, CallSite::caller())
}

/// [`loadtxt`] for text with gaps, as NumPy's `genfromtxt` with two axes: a field that is empty or no number becomes `filling_values`; without that NaN for
/// floats, -1 for integers (0 for those without a sign), `false` for booleans. Booleans are `True` and `False` here.
///
/// ```
/// use talatat::prelude::*;
/// use talatat::array::{LoadText, genfromtxt};
/// # use talatat::storage::{Location, write_atomic};
/// # use std::io::Write;
/// # write_atomic(&Location::parse("memory://docs/gaps.csv")?, |to| to.write_all(b"1,,3\n4,n/a,6\n"))?;
/// // 1,,3
/// // 4,n/a,6
/// let x = genfromtxt::<i64>("memory://docs/gaps.csv", &LoadText::new().delimiter(','), 0)?;
/// assert_eq!(x.compute()?, ndarray::array![[1, 0, 3], [4, 0, 6]].into_dyn());
/// # Ok::<(), talatat::Error>(())
/// ```
///
/// # Errors
/// As [`loadtxt`], but for fields that are no numbers; integers that are too large are refused.
#[track_caller]
pub fn genfromtxt<T: Element>(url: &str, options: &LoadText, filling_values: impl Into<Option<T>>) -> Result<Array<T>> {
    let at = CallSite::caller();
    let fill = match filling_values.into() {
        Some(value) => {
            let failed = |error: KernelError| invalid("genfromtxt", &error, at);
            let value = Block::full::<T>(&[], value).map_err(failed)?;
            let mut numbers = Vec::new();
            with_dtype!(value.dtype(), E => {
                value.view::<E>().map_err(failed)?.iter().for_each(|value| value.numbers(&mut numbers));
            });
            match numbers.as_slice() {
                [re, im] => format!("{}{}j", shortest(*re), signed(&shortest(*im))),
                numbers => numbers.iter().copied().map(shortest).collect(),
            }
        }
        None => match T::DTYPE.kind() {
            Kind::Bool => "false".into(),
            Kind::Unsigned => "0".into(),
            Kind::Signed => "-1".into(),
            Kind::Float | Kind::Complex => "nan".into(),
        },
    };
    options.array("genfromtxt", url, Some(fill), at)
}

/// The imaginary part has a sign.
fn signed(part: &str) -> String {
    if part.starts_with('-') { part.into() } else { format!("+{part}") }
}

/// How arrays are written as text, with the names and defaults of NumPy's `savetxt`.
///
/// ```
/// use talatat::array::SaveText;
/// let options = SaveText::new().fmt("%.3f").delimiter(", ").header("x, y");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveText {
    fmt: String,
    delimiter: String,
    newline: String,
    header: String,
    footer: String,
    comments: String,
}

impl Default for SaveText {
    fn default() -> Self {
        SaveText {
            fmt: "%.18e".into(),
            delimiter: " ".into(),
            newline: "\n".into(),
            header: String::new(),
            footer: String::new(),
            comments: "# ".into(),
        }
    }
}

impl SaveText {
    /// Numbers as `%.18e`, blanks between them.
    pub fn new() -> Self {
        SaveText::default()
    }

    /// The format of numbers: `%d %i %u`, `%e %f %g` and their capitals, or `%s`, which gives the shortest text that comes back as it is; with flags,
    /// width and precision as in C. One for all, or as many as a row has numbers, with what stands between them.
    pub fn fmt(mut self, fmt: impl Into<String>) -> Self {
        self.fmt = fmt.into();
        self
    }

    /// What stands between numbers.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = delimiter.into();
        self
    }

    /// What ends a line.
    pub fn newline(mut self, newline: impl Into<String>) -> Self {
        self.newline = newline.into();
        self
    }

    /// Text before the numbers, as a comment.
    pub fn header(mut self, header: impl Into<String>) -> Self {
        self.header = header.into();
        self
    }

    /// Text after the numbers, as a comment.
    pub fn footer(mut self, footer: impl Into<String>) -> Self {
        self.footer = footer.into();
        self
    }

    /// What comments begin with.
    pub fn comments(mut self, comments: impl Into<String>) -> Self {
        self.comments = comments.into();
        self
    }

    fn comment(&self, text: &str) -> String {
        let SaveText { comments, newline, .. } = self;
        if text.is_empty() {
            return String::new();
        }
        format!("{comments}{}{newline}", text.replace('\n', &format!("\n{comments}")))
    }
}

/// An array that is written as lines of text when it is computed: a row a line, as NumPy's `savetxt`; an array of one axis has one element a
/// line.
///
/// Blocks become text in parallel. A local file is appended to in their order, and gets its name at the end; lines for a store
/// are kept in memory until all are there. What was begun is removed with the handle if it was not finished.
#[derive(Clone)]
pub struct TextWrite(Writing);

writing_collection!(TextWrite);

impl TextWrite {
    /// Begins a file: finds out whether it can be written.
    ///
    /// # Errors
    /// If it cannot be written, the array has not one or two axes, the format is none for its rows, a length is known only when
    /// computed, or the array carries an error. When it is computed: NaN or an infinity as an integer.
    #[track_caller]
    pub fn new<T: Element>(array: &Array<T>, url: &str, options: &SaveText) -> Result<TextWrite> {
        const SAVE: &str = "savetxt";
        let at = CallSite::caller();
        let expr = array.expr()?;
        check_unpacked(SAVE, url, at)?;
        let shape = known_shape(SAVE, expr, at)?;
        if !(1..=2).contains(&shape.len()) {
            let reason = format!("an array of {} axes is no matrix: reshape it to two", shape.len());
            return Err(Error::invalid_at(SAVE, reason, at));
        }
        let columns = shape.get(1).copied().unwrap_or(1);
        let row = with_dtype!(T::DTYPE, E => RowFormat::new::<E>(&options.fmt, &options.delimiter, columns));
        let row = row.map_err(|reason| Error::invalid_at(SAVE, reason, at))?.ended(&options.newline);
        let (header, footer) = (options.comment(&options.header), options.comment(&options.footer));
        let location = Location::parse(url)?;
        let (output, begun) = match UnfinishedFile::begin(&location, header.as_bytes(), header.len() as u64)? {
            Some((file, guard)) => (TextOutput::File(file), Some(Arc::new(guard) as Arc<dyn Begun>)),
            None => {
                check_writable(&location)?;
                (TextOutput::Object(location), None)
            }
        };
        let rows = expr.grid.axes().iter().take(1).cloned();
        let grid = Grid::new(rows.chain(shape.iter().skip(1).map(|&length| Axis::whole(length))));
        let op = Op::Custom(Arc::new(TextWriting { output, row, header, footer }));
        let expr = Expr::new(T::DTYPE, Grid::default(), op, [rechunked(expr, grid, at)], at);
        Ok(TextWrite(Writing::new(expr, begun)))
    }
}
