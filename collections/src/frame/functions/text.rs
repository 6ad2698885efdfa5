//! What pandas' `.str` has beside polars' expressions. Each stands for itself in an expression; a missing text gives a missing result.

use polars::prelude::{
    Column, DataType, Expr, Field, IntoColumn, IntoSeries, ListBuilderTrait, ListStringChunkedBuilder, NamedFrom,
    PlSmallStr, PolarsResult, Series, StringChunked, StructChunked,
};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::Function;

/// A function of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Text {
    Capitalize,
    Center { width: u32, fill: char },
    Normalize(Form),
    Repeat(u32),
    Rfind(String),
    Rpartition(String),
    Rsplit { by: Option<String>, n: Option<u32> },
    Swapcase,
    Title,
}

/// A normal form of Unicode: what [`normalize`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Composed.
    Nfc,
    /// Decomposed.
    Nfd,
    /// Composed, with characters that stand for others replaced by them.
    Nfkc,
    /// Decomposed, with characters that stand for others replaced by them.
    Nfkd,
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident ($($arg:ident: $type:ty),*) => $text:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(text: impl Into<Expr> $(, $arg: $type)*) -> Expr {
            Function::Text($text).of(vec![text.into()])
        }
    )*};
}

functions! {
    /// The first letter large, all others small.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => [Some("new YORK"), None]).unwrap(), 2);
    /// let made = frame.select([text::capitalize(col("s"))])?.compute()?;
    /// assert!(made.equals_missing(&df!("s" => [Some("New york"), None]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    capitalize() => Text::Capitalize;
    /// The text in the middle of `width` characters, filled up with `fill` on both sides; where they cannot be equal, as Python has it.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["ab", "abcdef"]).unwrap(), 2);
    /// let made = frame.select([text::center(col("s"), 5, '-')])?.compute()?;
    /// assert!(made.equals(&df!("s" => ["--ab-", "abcdef"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    center(width: u32, fill: char) => Text::Center { width, fill };
    /// The text in a normal form of Unicode.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["e\u{301}"]).unwrap(), 1);
    /// let made = frame.select([text::normalize(col("s"), text::Form::Nfc)])?.compute()?;
    /// assert!(made.equals(&df!("s" => ["\u{e9}"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    normalize(form: Form) => Text::Normalize(form);
    /// The text so many times in a row.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["ab"]).unwrap(), 1);
    /// assert!(frame.select([text::repeat(col("s"), 2)])?.compute()?.equals(&df!("s" => ["abab"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    repeat(times: u32) => Text::Repeat(times);
    /// Where `sub` is found last, counted in characters from 0; -1 if it is not: int64. pandas' `rindex` is an error there instead.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["abcab", "x"]).unwrap(), 1);
    /// assert!(frame.select([text::rfind(col("s"), "ab")])?.compute()?.equals(&df!("s" => [3_i64, -1]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    rfind(sub: &str) => Text::Rfind(sub.into());
    /// The texts before the last `separator`, the separator, and the text behind it, as fields `field_0`, `field_1` and `field_2` of a
    /// struct. Where it is not found, the whole text is the last of them, and the others are empty.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["a-b-c", "x"]).unwrap(), 1);
    /// let last = frame.select([text::rpartition(col("s"), "-").struct_().field_by_name("field_2").alias("s")])?;
    /// assert!(last.compute()?.equals(&df!("s" => ["c", "x"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    rpartition(separator: &str) => Text::Rpartition(separator.into());
    /// The text cut at `by`, or at white space, at most `n` times from its end: a list of texts.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["a b c"]).unwrap(), 1);
    /// let made = frame.select([text::rsplit(col("s"), None, Some(1))])?.explode(["s"])?;
    /// assert!(made.compute()?.equals(&df!("s" => ["a b", "c"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    rsplit(by: Option<&str>, n: Option<u32>) => Text::Rsplit { by: by.map(String::from), n };
    /// Large letters small, small ones large.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["Ab"]).unwrap(), 1);
    /// assert!(frame.select([text::swapcase(col("s"))])?.compute()?.equals(&df!("s" => ["aB"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    swapcase() => Text::Swapcase;
    /// The first letter of each word large, all others small; a word ends at what is no letter.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, col, df, text};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("s" => ["new YORK's"]).unwrap(), 1);
    /// assert!(frame.select([text::title(col("s"))])?.compute()?.equals(&df!("s" => ["New York'S"]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    title() => Text::Title;
}

impl Text {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Text::Capitalize => "text::capitalize",
            Text::Center { .. } => "text::center",
            Text::Normalize(_) => "text::normalize",
            Text::Repeat(_) => "text::repeat",
            Text::Rfind(_) => "text::rfind",
            Text::Rpartition(_) => "text::rpartition",
            Text::Rsplit { .. } => "text::rsplit",
            Text::Swapcase => "text::swapcase",
            Text::Title => "text::title",
        }
    }

    pub(super) fn field(&self, input: &Field) -> PolarsResult<Field> {
        if *input.dtype() != DataType::String {
            let reason = format!("{} is of texts, and `{}` is {}", self.name(), input.name(), input.dtype());
            return Err(polars::prelude::PolarsError::InvalidOperation(reason.into()));
        }
        let dtype = match self {
            Text::Rfind(_) => DataType::Int64,
            Text::Rsplit { .. } => DataType::List(Box::new(DataType::String)),
            Text::Rpartition(_) => {
                DataType::Struct((0..3).map(|at| Field::new(format!("field_{at}").into(), DataType::String)).collect())
            }
            _ => DataType::String,
        };
        Ok(Field::new(input.name().clone(), dtype))
    }

    pub(super) fn apply(&self, column: &Column) -> PolarsResult<Column> {
        let texts = column.str()?;
        let name = column.name().clone();
        Ok(match self {
            Text::Rfind(sub) => {
                let found = texts.iter().map(|text| text.map(|text| last_place(text, sub)));
                Series::new(name, found.collect::<Vec<Option<i64>>>()).into_column()
            }
            Text::Rsplit { by, n } => {
                let mut lists = ListStringChunkedBuilder::new(name, texts.len(), 4 * texts.len());
                for text in texts.iter() {
                    match text {
                        Some(text) => lists.append_values_iter(pieces(text, by.as_deref(), *n).into_iter()),
                        None => lists.append_null(),
                    }
                }
                lists.finish().into_series().into_column()
            }
            Text::Rpartition(separator) => partitioned(name, texts, separator)?,
            of_one => {
                let made = texts.iter().map(|text| text.map(|text| of_one.changed(text)));
                made.collect::<StringChunked>().with_name(name).into_column()
            }
        })
    }

    /// A text of a text.
    fn changed(&self, text: &str) -> String {
        match self {
            Text::Capitalize => {
                let mut letters = text.chars();
                let first = letters.next().into_iter().flat_map(titled);
                first.chain(letters.as_str().to_lowercase().chars()).collect()
            }
            Text::Center { width, fill } => {
                let (width, have) = (*width as usize, text.chars().count());
                let missing = width.saturating_sub(have);
                let left = missing / 2 + (missing & width & 1);
                let fill = |count| std::iter::repeat_n(*fill, count);
                fill(left).chain(text.chars()).chain(fill(missing - left)).collect()
            }
            Text::Normalize(form) => match form {
                Form::Nfc => text.nfc().collect(),
                Form::Nfd => text.nfd().collect(),
                Form::Nfkc => text.nfkc().collect(),
                Form::Nfkd => text.nfkd().collect(),
            },
            Text::Repeat(times) => text.repeat(*times as usize),
            Text::Swapcase => {
                let swapped = |letter: char| -> Vec<char> {
                    if letter.is_uppercase() {
                        letter.to_lowercase().collect()
                    } else {
                        letter.to_uppercase().collect()
                    }
                };
                text.chars().flat_map(swapped).collect()
            }
            Text::Title => {
                let mut inside = false;
                let mut made = String::with_capacity(text.len());
                for letter in text.chars() {
                    let cased = letter.is_uppercase() || letter.is_lowercase();
                    if inside {
                        made.extend(letter.to_lowercase());
                    } else {
                        made.extend(titled(letter));
                    }
                    inside = cased;
                }
                made
            }
            Text::Rfind(_) | Text::Rpartition(_) | Text::Rsplit { .. } => text.into(),
        }
    }
}

/// A letter at the start of a word: of one that becomes two, the second stays small, as in Python.
fn titled(letter: char) -> impl Iterator<Item = char> {
    let (first, rest): (Vec<char>, Vec<char>) = {
        let mut large = letter.to_uppercase();
        (large.next().into_iter().collect(), large.collect())
    };
    first.into_iter().chain(rest.into_iter().flat_map(char::to_lowercase))
}

fn last_place(text: &str, sub: &str) -> i64 {
    let at = text.rfind(sub).and_then(|at| text.get(..at));
    at.map_or(-1, |before| before.chars().count() as i64)
}

/// The pieces of a text, cut from its end, in their order.
fn pieces<'a>(text: &'a str, by: Option<&str>, n: Option<u32>) -> Vec<&'a str> {
    let most = n.filter(|&n| n > 0).map_or(usize::MAX, |n| n as usize);
    let mut found = Vec::new();
    match by {
        Some(by) => found.extend(text.rsplitn(most.saturating_add(1), by)),
        None => {
            let mut rest = text.trim_end();
            while found.len() < most {
                let Some((before, piece)) = rest.rsplit_once(char::is_whitespace) else { break };
                found.push(piece);
                rest = before.trim_end();
            }
            let rest = if found.len() < most { rest.trim() } else { rest };
            found.extend((!rest.is_empty()).then_some(rest));
        }
    }
    found.retain(|piece| by.is_some() || !piece.is_empty());
    found.reverse();
    found
}

fn partitioned(name: PlSmallStr, texts: &StringChunked, separator: &str) -> PolarsResult<Column> {
    let cut = |text: &'_ str| -> [String; 3] {
        match text.rsplit_once(separator).filter(|_| !separator.is_empty()) {
            Some((before, behind)) => [before.into(), separator.into(), behind.into()],
            None => [String::new(), String::new(), text.into()],
        }
    };
    let mut columns: [Vec<Option<String>>; 3] = Default::default();
    for text in texts.iter() {
        match text.map(cut) {
            Some(parts) => columns.iter_mut().zip(parts).for_each(|(column, part)| column.push(Some(part))),
            None => columns.iter_mut().for_each(|column| column.push(None)),
        }
    }
    let fields: Vec<Series> =
        (0..).zip(columns).map(|(at, column): (usize, _)| Series::new(format!("field_{at}").into(), column)).collect();
    Ok(StructChunked::from_series(name, texts.len(), fields.iter())?.into_column())
}
