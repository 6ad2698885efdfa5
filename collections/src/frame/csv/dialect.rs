//! Dialects: text with comments and escaped characters as the plain text that the parser reads, and lines that are passed over.
//!
//! Where records end is found by counting quotes (`storage/csv_split.rs`), which an escaped quote would upset: files with an escape character are not cut.
//! A quote in a comment would, too; comments with one are refused in files of several blocks.

use std::borrow::Cow;

use super::CsvOptions;
use super::parse::record_ends;

/// Something that stands in the way, at a byte of the text.
pub(super) type Wrong = (usize, String);

/// What the user's bytes mean.
struct Reader<'a> {
    options: &'a CsvOptions,
    /// Whether the text is a whole file.
    whole: bool,
    out: Vec<u8>,
    field: Vec<u8>,
    /// The field must be quoted: it was, or holds what was escaped.
    quoted: bool,
    /// Nothing has been written of the record.
    blank: bool,
}

/// Text without comments and escapes. Fields that had a quote or an escape are quoted, others are as they were.
///
/// # Errors
/// If the cuts between blocks cannot be trusted.
pub(super) fn plain<'t>(text: &'t [u8], options: &CsvOptions, whole: bool) -> Result<Cow<'t, [u8]>, Wrong> {
    if options.comment.is_none() && options.escape.is_none() {
        return Ok(text.into());
    }
    let out = Vec::with_capacity(text.len() + text.len() / 8);
    let reader = Reader { options, whole, out, field: Vec::new(), quoted: false, blank: true };
    Ok(reader.run(text)?.into())
}

impl Reader<'_> {
    fn run(mut self, text: &[u8]) -> Result<Vec<u8>, Wrong> {
        let (comment, escape, quote) = (self.options.comment, self.options.escape, self.options.quote);
        let mut at = 0;
        // Between the quotes of a field.
        let mut inside = false;
        while let Some(&byte) = text.get(at) {
            let next = text.get(at + 1).copied();
            at += 1;
            if Some(byte) == escape {
                // At the end of the text it stands for itself.
                self.field.push(next.unwrap_or(byte));
                self.quoted = true;
                at += usize::from(next.is_some());
            } else if Some(byte) == quote && inside {
                match next == quote {
                    true => {
                        self.field.push(byte);
                        at += 1;
                    }
                    false => inside = false,
                }
            } else if inside {
                self.field.push(byte);
            } else if Some(byte) == quote && self.field.is_empty() && !self.quoted {
                (inside, self.quoted) = (true, true);
            } else if byte == self.options.separator {
                self.end_field();
                self.out.push(byte);
                self.blank = false;
            } else if byte == b'\n' {
                self.end_line(true);
            } else if Some(byte) == comment {
                let rest = text.get(at..).unwrap_or_default();
                let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let told = rest.get(..length).unwrap_or_default();
                if let (Some(quote), false) = (quote, self.whole)
                    && memchr::memchr_iter(quote, told).count() % 2 == 1
                {
                    let reason = "a comment has an odd number of quotes, so that blocks of the file cannot be told apart; read the file as one \
                                  block with `.blocksize(..)`, or, if quotes have no meaning in this text, with `.quote_char(None)`";
                    return Err((at - 1, reason.into()));
                }
                // A line that is nothing but a comment is no line.
                let nothing = self.blank && self.field.is_empty() && !self.quoted;
                at += length + 1;
                self.trim_number();
                self.end_line(!nothing);
            } else {
                self.field.push(byte);
            }
        }
        if inside {
            return Err((text.len(), "a quoted field is never closed".into()));
        }
        self.end_field();
        Ok(self.out)
    }

    /// The space between a number and its comment is no part of it; that behind a text is, as in pandas.
    fn trim_number(&mut self) {
        let trimmed = self.field.trim_ascii_end();
        let number =
            std::str::from_utf8(trimmed).is_ok_and(|text| text.trim_start().replace(',', ".").parse::<f64>().is_ok());
        if number && !self.quoted {
            self.field.truncate(trimmed.len());
        }
    }

    fn end_line(&mut self, shown: bool) {
        let carriage = self.field.last() == Some(&b'\r') && !self.quoted;
        if carriage {
            self.field.pop();
        }
        self.end_field();
        if shown {
            self.out.extend_from_slice(if carriage { b"\r\n" } else { b"\n" });
        }
        self.blank = true;
    }

    fn end_field(&mut self) {
        let quote = self.options.plain_quote();
        // Where quotes mean nothing, one in a field is a character.
        let literal = self.options.quote.is_none() && quote.is_some_and(|quote| self.field.contains(&quote));
        match quote.filter(|_| self.quoted || literal) {
            Some(quote) => {
                // What stands behind a closing quote before the line's end is no part of the field.
                if self.field.last() == Some(&b'\r') {
                    self.field.pop();
                }
                self.out.push(quote);
                for &byte in &self.field {
                    self.out.extend(std::iter::repeat_n(byte, if byte == quote { 2 } else { 1 }));
                }
                self.out.push(quote);
            }
            None => self.out.extend_from_slice(&self.field),
        }
        self.blank &= self.field.is_empty() && !self.quoted;
        self.field.clear();
        self.quoted = false;
    }
}

/// The place behind so many records, blank ones included.
///
/// # Errors
/// If there are fewer, and the file goes on.
pub(super) fn after_records(text: &[u8], count: usize, quote: Option<u8>, ends: bool) -> Result<usize, Wrong> {
    match (count, ends) {
        (0, _) => Ok(0),
        (count, ends) => match (record_ends(text, quote).nth(count - 1), ends) {
            (Some(end), _) => Ok(end),
            (None, true) => Ok(text.len()),
            (None, false) => Err((text.len(), format!("there are fewer than {count} lines here: {LARGER}"))),
        },
    }
}

/// The place before so many records at the end of a file, blank ones included.
///
/// # Errors
/// If there are fewer, and the text does not begin with the file.
pub(super) fn before_records(text: &[u8], count: usize, quote: Option<u8>, begins: bool) -> Result<usize, Wrong> {
    if count == 0 {
        return Ok(text.len());
    }
    let mut ends: Vec<usize> = record_ends(text, quote).collect();
    if ends.last().is_none_or(|end| *end < text.len()) {
        ends.push(text.len());
    }
    match ends.len().checked_sub(count) {
        Some(0) if begins => Ok(0),
        Some(left) if left > 0 => Ok(left.checked_sub(1).and_then(|at| ends.get(at)).copied().unwrap_or(0)),
        None if begins => Ok(0),
        _ => Err((0, format!("there are not {count} lines to leave out in the last block: {LARGER}"))),
    }
}

const LARGER: &str = "choose larger blocks with `.blocksize(..)`, or a larger `.sample(..)`";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, options: CsvOptions) -> String {
        String::from_utf8(plain(text.as_bytes(), &options, true).unwrap().into_owned()).unwrap()
    }

    #[test]
    fn comments() {
        let options = || CsvOptions::new().comment(b'#');
        assert_eq!(read("# \"one\n1,2# more\n\"#\",3\n\n  #x\n#", options()), "1,2\n\"#\",3\n\n  \n");
        assert_eq!(read("x #\n1, 2.5 #\n", options()), "x \n1, 2.5\n");
        assert_eq!(read("1,2\r\n#x\r\n\"3\",4\r\n", options()), "1,2\r\n\"3\",4\r\n");
        assert_eq!(plain(b"1\n# it\"s\n", &options(), false).unwrap_err().0, 2);
        assert!(plain(b"1\n# \"its\"\n", &options(), false).is_ok());
    }

    #[test]
    fn escapes() {
        let options = || CsvOptions::new().escape_char(b'\\');
        assert_eq!(read(r#""5\" pipe",a\,b,c\\"#, options()), r#""5"" pipe","a,b","c\""#);
        assert_eq!(read("a\\\nb,\"\",\"x\"\"y\"\n", options()), "\"a\nb\",\"\",\"x\"\"y\"\n");
        assert_eq!(read("5\" pipe,a\\,b\n", options().quote_char(None)), "\"5\"\" pipe\",\"a,b\"\n");
        assert_eq!(read("x\\", options()), "\"x\\\"");
        assert!(plain(b"\"a\\\"", &options(), true).is_err());
    }

    #[test]
    fn lines() {
        let text = b"a\n\"b\nc\"\nd";
        assert_eq!(after_records(text, 2, Some(b'"'), true).unwrap(), 8);
        assert_eq!(after_records(text, 9, Some(b'"'), true).unwrap(), 9);
        assert!(after_records(text, 9, Some(b'"'), false).is_err());
        assert_eq!([1, 2, 3, 4].map(|count| before_records(text, count, Some(b'"'), true).unwrap()), [8, 2, 0, 0]);
        assert!(before_records(text, 3, Some(b'"'), false).is_err());
    }
}
