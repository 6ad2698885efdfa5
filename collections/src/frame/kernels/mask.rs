//! Which rows of groups are kept.

use polars::prelude::{BooleanChunked, DataFrame, Expr, IntoLazy, NewChunkedArray, PlSmallStr, PolarsResult};
use serde::{Deserialize, Serialize};

use super::dense::ends;
use crate::frame::wire::Wire;

/// A condition on rows that looks at their groups.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Mask {
    /// True for rows that are kept.
    pub(crate) expr: Wire<Expr>,
    /// The same, if it asks for the rows at an end of each group: those are found without lists of the groups' rows.
    pub(crate) ends: Option<Ends>,
}

/// The first or last rows of groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ends {
    pub(crate) keys: Vec<String>,
    /// Whether rows with a missing key are in no group.
    pub(crate) dropna: bool,
    pub(crate) last: bool,
    pub(crate) rows: u64,
}

impl Mask {
    /// True for the rows of a frame that are kept.
    pub(crate) fn of(&self, frame: &DataFrame) -> PolarsResult<BooleanChunked> {
        const KEPT: &str = "kept";
        let found = self.ends.as_ref().map(|asked| asked.of(frame)).transpose()?.flatten();
        if let Some(kept) = found {
            return Ok(BooleanChunked::from_slice(PlSmallStr::from_static(KEPT), &kept));
        }
        let kept = frame.clone().lazy().select([self.expr.0.clone().alias(KEPT)]).collect()?;
        Ok(kept.column(KEPT)?.bool()?.clone())
    }
}

impl Ends {
    /// `None` if a key is of a type whose groups are polars' business.
    fn of(&self, frame: &DataFrame) -> PolarsResult<Option<Vec<bool>>> {
        let Some(mut kept) = ends(frame, &self.keys, self.last, self.rows)? else { return Ok(None) };
        for key in self.keys.iter().filter(|_| self.dropna) {
            let column = frame.column(key)?;
            if column.null_count() > 0 {
                let present = column.is_not_null();
                kept.iter_mut().zip(present.iter()).for_each(|(kept, present)| *kept &= present == Some(true));
            }
        }
        Ok(Some(kept))
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{col, df, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::frame::groupby::place_in_group;
    use crate::frame::kernels::ROW;

    proptest! {
        /// The rows that are found in one pass are those that polars finds.
        #[test]
        fn ends_are_those_of_the_expression(
            rows in prop::collection::vec((prop::option::of(0_i64..4), prop::option::of("[ab]?")), 0..40),
            count in 0_u64..4,
            last: bool,
            dropna: bool,
            both: bool,
        ) {
            let (numbers, texts): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let frame = df!("n" => numbers, "t" => texts).unwrap().with_row_index(ROW.into(), None).unwrap();
            let keys: Vec<String> = if both { vec!["n".into(), "t".into()] } else { vec!["n".into()] };
            let by: Vec<Expr> = keys.iter().map(|key| col(key.as_str())).collect();
            let mut expr = place_in_group(last).lt(lit(count as i64)).over(by.as_slice()).unwrap();
            if dropna {
                expr = by.iter().map(|key| key.clone().is_not_null()).reduce(Expr::and).unwrap().and(expr);
            }
            let slow = Mask { expr: Wire(expr), ends: None };
            let fast = Mask { ends: Some(Ends { keys, dropna, last, rows: count }), ..slow.clone() };
            let (slow, fast) = (slow.of(&frame).unwrap(), fast.of(&frame).unwrap());
            prop_assert!(slow.iter().map(|kept| kept == Some(true)).eq(fast.iter().map(|kept| kept == Some(true))));
        }
    }
}
