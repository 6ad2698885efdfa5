//! What the user may say about CSV files.

use polars::prelude::{DataType, PlSmallStr};
use serde::{Deserialize, Serialize};

/// How to read CSV files; the defaults are pandas' where not said otherwise.
///
/// ```
/// use talatat_collections::frame::{CsvOptions, DataType};
/// let options = CsvOptions::new()
///     .separator(b';')
///     .with_dtype("id", DataType::String)
///     .parse_dates(["when"], Some("%d.%m.%Y %H:%M"))
///     .blocksize(4 << 20);
/// assert_eq!(options, options.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CsvOptions {
    pub(crate) blocksize: u64,
    pub(crate) separator: u8,
    pub(crate) quote: Option<u8>,
    pub(crate) has_header: bool,
    pub(crate) column_names: Option<Vec<String>>,
    pub(crate) null_values: Vec<String>,
    pub(crate) try_parse_dates: bool,
    pub(crate) dates: Vec<(String, Option<String>)>,
    pub(crate) dtypes: Vec<(String, super::super::wire::WireDtype)>,
    pub(crate) sample: u64,
    pub(crate) decimal_comma: bool,
    pub(crate) usecols: Option<Vec<String>>,
    pub(crate) path: Option<String>,
    pub(crate) comment: Option<u8>,
    pub(crate) escape: Option<u8>,
    pub(crate) thousands: Option<u8>,
    pub(crate) skip_rows: usize,
    pub(crate) skip_after_header: usize,
    pub(crate) skip_footer: usize,
    pub(crate) null_values_of: Vec<(String, Vec<String>)>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            blocksize: 16 << 20,
            separator: b',',
            quote: Some(b'"'),
            has_header: true,
            column_names: None,
            null_values: Vec::new(),
            try_parse_dates: false,
            dates: Vec::new(),
            dtypes: Vec::new(),
            sample: 256 << 10,
            decimal_comma: false,
            usecols: None,
            path: None,
            comment: None,
            escape: None,
            thousands: None,
            skip_rows: 0,
            skip_after_header: 0,
            skip_footer: 0,
            null_values_of: Vec::new(),
        }
    }
}

/// The words that pandas reads as missing, besides nothing at all.
const PANDAS_NULLS: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
];

impl CsvOptions {
    /// The defaults: comma, `"` as the quote, a header, blocks of 16 MiB, an empty field is missing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a file that become one partition; a partition holds whole records, so the border moves to the next record's end.
    /// The answer does not depend on it, except for the last digits of float sums.
    pub fn blocksize(mut self, bytes: u64) -> Self {
        self.blocksize = bytes.max(1);
        self
    }

    /// The byte between fields; by default a comma.
    pub fn separator(mut self, separator: u8) -> Self {
        self.separator = separator;
        self
    }

    /// The byte around fields that hold separators or line breaks; `None` if quotes have no meaning. By default `"`.
    ///
    /// With a quote, files of more than one block are cut by counting quotes, one block after the other: text with single quotes
    /// inside of unquoted fields (`6" pipe`) needs `None`.
    pub fn quote_char(mut self, quote: Option<u8>) -> Self {
        self.quote = quote;
        self
    }

    /// Whether the first record of each file holds the column names; by default true. Without, columns are called
    /// `column_1`, `column_2` ... unless [`column_names`](CsvOptions::column_names) says otherwise.
    pub fn has_header(mut self, has_header: bool) -> Self {
        self.has_header = has_header;
        self
    }

    /// Names all columns; a header is then passed over.
    pub fn column_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.column_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Words that mean "missing", in all columns, besides an empty field. With any, an empty field in quotes is missing as well,
    /// as in pandas.
    ///
    /// By default there are none: unlike pandas, `NA` and its like are text then, because looking for them
    /// costs time in every field. [`pandas_nulls`](CsvOptions::pandas_nulls) adds them.
    pub fn null_values<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.null_values.extend(words.into_iter().map(Into::into));
        if !self.null_values.iter().any(String::is_empty) {
            self.null_values.push(String::new());
        }
        self
    }

    /// Reads all words as missing that pandas does: `NA`, `N/A`, `NaN`, `NULL`, `None` ...
    pub fn pandas_nulls(self) -> Self {
        self.null_values(PANDAS_NULLS)
    }

    /// Words that mean "missing" in one column, besides those of all columns: pandas' `na_values` with a dict.
    pub fn null_values_of<S: Into<String>>(
        mut self,
        column: impl Into<String>,
        words: impl IntoIterator<Item = S>,
    ) -> Self {
        self.null_values_of.push((column.into(), words.into_iter().map(Into::into).collect()));
        self
    }

    /// The byte with which comments begin, anywhere outside of quotes, to the end of their line. Lines that are nothing else are passed over. By default there are none.
    ///
    /// Quotes in comments count in where a file may be cut: a comment with an odd number of them is an error in files of more than one block.
    pub fn comment(mut self, byte: u8) -> Self {
        self.comment = Some(byte);
        self
    }

    /// The byte that makes the next one an ordinary character, in quotes and outside: `\\`, pandas' `escapechar`. By default there is none.
    ///
    /// Files are not cut then, for whether a quote counts depends on all that stands before it: each is one partition.
    pub fn escape_char(mut self, byte: u8) -> Self {
        self.escape = Some(byte);
        self
    }

    /// The byte between groups of digits, `1,234,567`; pandas' `thousands`. By default there is none. Numbers are read by way of text then, which takes longer.
    pub fn thousands(mut self, byte: u8) -> Self {
        self.thousands = Some(byte);
        self
    }

    /// Lines at the start of each file that are passed over, before the header; pandas' `skiprows`. Blank lines and comments count.
    pub fn skip_rows(mut self, lines: usize) -> Self {
        self.skip_rows = lines;
        self
    }

    /// Records after the header of each file that are passed over, such as units; pandas' `skiprows` with a list.
    pub fn skip_rows_after_header(mut self, records: usize) -> Self {
        self.skip_after_header = records;
        self
    }

    /// Lines at the end of each file that are passed over, such as totals; pandas' `skipfooter`. Blank lines count.
    pub fn skip_footer(mut self, lines: usize) -> Self {
        self.skip_footer = lines;
        self
    }

    /// Whether text that looks like a date or a time in the sample becomes one; by default false, as in pandas.
    pub fn try_parse_dates(mut self, on: bool) -> Self {
        self.try_parse_dates = on;
        self
    }

    /// Columns to read as datetimes, in microseconds. Without a format, years come first or last, as polars guesses from each
    /// block's first value; with one (`"%d.%m.%Y %H:%M"`, chrono's letters) it must fit every value.
    pub fn parse_dates<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>, format: Option<&str>) -> Self {
        let format = format.map(str::to_string);
        self.dates.extend(columns.into_iter().map(|name| (name.into(), format.clone())));
        self
    }

    /// Reads a column as a type, whatever the sample says.
    pub fn with_dtype(mut self, column: impl Into<String>, dtype: DataType) -> Self {
        self.dtypes.push((column.into(), super::super::wire::Wire(dtype)));
        self
    }

    /// Reads columns as types, whatever the sample says: a whole schema, or a part of one.
    pub fn with_dtypes<S: Into<String>>(self, dtypes: impl IntoIterator<Item = (S, DataType)>) -> Self {
        dtypes.into_iter().fold(self, |options, (name, dtype)| options.with_dtype(name, dtype))
    }

    /// Whether floats are written with a comma, `1,5`; by default false. pandas' `decimal=","`.
    pub fn decimal_comma(mut self, on: bool) -> Self {
        self.decimal_comma = on;
        self
    }

    /// The columns to read, in the order of the files; others are not parsed, whatever they hold.
    pub fn usecols<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.usecols = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a last column with the path or URL of each row's file.
    pub fn include_path(mut self, column: impl Into<String>) -> Self {
        self.path = Some(column.into());
        self
    }

    /// Bytes of each sampled file that are read when the frame is made, for names and types; by default 256 KiB. Up to eight files are sampled.
    pub fn sample(mut self, bytes: u64) -> Self {
        self.sample = bytes.max(1);
        self
    }

    /// The type that the user asked for, and the format if it is a date written in one.
    pub(crate) fn asked(&self, column: &str) -> Option<(DataType, Option<&str>)> {
        let dtype = self.dtypes.iter().rev().find(|(name, _)| name == column).map(|(_, dtype)| (dtype.0.clone(), None));
        dtype.or_else(|| {
            let (_, format) = self.dates.iter().rev().find(|(name, _)| name == column)?;
            Some((super::sample::DATETIME, format.as_deref()))
        })
    }

    /// All columns that the user spoke of.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let dtypes = self.dtypes.iter().map(|(name, _)| name.as_str());
        let dates = self.dates.iter().map(|(name, _)| name.as_str());
        let nulls = self.null_values_of.iter().map(|(name, _)| name.as_str());
        dtypes.chain(dates).chain(nulls).chain(self.usecols.iter().flatten().map(String::as_str))
    }

    /// The words that mean "missing" in this column alone.
    pub(crate) fn own_nulls(&self, column: &str) -> impl Iterator<Item = &str> {
        let own = self.null_values_of.iter().filter(move |(name, _)| name == column);
        own.flat_map(|(_, words)| words.iter().map(String::as_str))
    }

    /// The quote of the text that the parser reads: where fields are escaped there is one.
    pub(crate) fn plain_quote(&self) -> Option<u8> {
        self.quote.or(self.escape.map(|_| b'"'))
    }

    /// Two bytes with one meaning, if there are such.
    pub(crate) fn clash(&self) -> Option<(&'static str, &'static str)> {
        let decimal = self.decimal_comma.then_some(b',');
        let bytes = [
            ("separator", Some(self.separator)),
            ("quote_char", self.quote),
            ("comment", self.comment),
            ("escape_char", self.escape),
        ];
        let mut pairs =
            bytes.iter().enumerate().flat_map(|(at, one)| bytes.iter().skip(at + 1).map(move |two| (one, two)));
        let clash = pairs.find(|(one, two)| one.1.is_some() && one.1 == two.1).map(|(one, two)| (one.0, two.0));
        clash.or_else(|| (decimal.is_some() && decimal == self.thousands).then_some(("thousands", "decimal_comma")))
    }

    /// The words that mean "missing", for polars.
    pub(crate) fn nulls(&self) -> Option<Vec<PlSmallStr>> {
        (!self.null_values.is_empty()).then(|| self.null_values.iter().map(|word| word.as_str().into()).collect())
    }
}
