//! Texts of dates whose format nobody gave.

use polars::prelude::{
    ChunkFullNull, Column, DataType, Expr, Field, Int64Chunked, IntoColumn, NewChunkedArray, PlSmallStr, PolarsError,
    StringChunked, StringMethods, TimeUnit, polars_err,
};

/// Formats that most files have. A column in one of them is read in one pass; guessing looks at each value several times.
const COMMON: [&str; 3] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"];

/// A column of texts as datetimes: in the format of its first value if that is a common one; what is not is guessed value by value, as polars
/// guesses, years first or last.
pub(super) fn as_dates(column: Expr, name: &PlSmallStr, unit: TimeUnit) -> Expr {
    let field = Field::new(name.clone(), DataType::Datetime(unit, None));
    column.map(move |column| dates(&column, unit), move |_, _| Ok(field.clone()))
}

fn dates(column: &Column, unit: TimeUnit) -> Result<Column, PolarsError> {
    let text = column.str()?;
    let raise = StringChunked::from_slice(PlSmallStr::EMPTY, &["raise"]);
    let first = text.first_non_null().map(|at| text.slice(at as i64, 1));
    let mut read: Option<Int64Chunked> = None;
    for format in COMMON {
        let in_format = |text: &StringChunked| text.as_datetime(Some(format), unit, true, false, None, &raise);
        if let Some(first) = &first
            && in_format(first)?.physical().null_count() == 0
        {
            read = Some(in_format(text)?.physical().clone());
            break;
        }
    }
    let read = match read {
        Some(read) => read,
        // An error only says that the first values look like no date; which one it is is found below.
        None => match text.as_datetime(None, unit, true, false, None, &raise) {
            Ok(read) => read.physical().clone(),
            Err(_) => Int64Chunked::full_null(text.name().clone(), text.len()),
        },
    };
    if read.null_count() == text.null_count() {
        return Ok(read.into_datetime(unit, None).into_column());
    }
    let each = text.iter().zip(read.iter()).map(|(value, read)| match (value, read) {
        (Some(value), None) => {
            let one = StringChunked::from_slice(PlSmallStr::EMPTY, &[value]);
            let guessed = one.as_datetime(None, unit, false, false, None, &raise).ok().and_then(|guess| guess.physical().get(0));
            let type_of = DataType::Datetime(unit, None);
            let wrong = || polars_err!(ComputeError: "could not parse `{value}` as dtype `{type_of}` at column '{}'", text.name());
            guessed.map(Some).ok_or_else(wrong)
        }
        (_, read) => Ok(read),
    });
    let values: Int64Chunked = each.collect::<Result<_, PolarsError>>()?;
    Ok(values.with_name(text.name().clone()).into_datetime(unit, None).into_column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[Option<&str>]) -> Result<Vec<Option<i64>>, String> {
        let column = StringChunked::from_iter_options("t".into(), values.iter().copied()).into_column();
        let read = dates(&column, TimeUnit::Microseconds).map_err(|error| error.to_string())?;
        Ok(read.datetime().unwrap().physical().iter().collect())
    }

    /// Seconds since 1970 of the first of February 2024, 10:30.
    const THEN: i64 = 1_706_783_400_000_000;

    #[test]
    fn common_formats_and_others() {
        for text in ["2024-02-01 10:30:00", "2024-02-01T10:30:00", "2024-02-01 10:30", "01/02/2024 10:30:00"] {
            assert_eq!(read(&[None, Some(text), Some(text)]).unwrap(), [None, Some(THEN), Some(THEN)], "{text}");
        }
        assert_eq!(read(&[None, None]).unwrap(), [None, None]);
        assert_eq!(read(&[]).unwrap(), []);
    }

    #[test]
    fn formats_may_change_from_row_to_row() {
        let mixed = ["2024-02-01 10:30:00", "2024/02/01 10:30:00", "01-02-2024 10:30:00", "2024-02-01 10:30:00.5"];
        let read = read(&mixed.map(Some)).unwrap();
        assert_eq!(read, [THEN, THEN, THEN, THEN + 500_000].map(Some));
    }

    #[test]
    fn what_is_no_date_is_named() {
        for values in [["2024-02-01 10:30:00", "soon"], ["soon", "2024-02-01 10:30:00"]] {
            let error = read(&values.map(Some)).unwrap_err();
            assert_eq!(error, "could not parse `soon` as dtype `datetime[μs]` at column 't'");
        }
    }
}
