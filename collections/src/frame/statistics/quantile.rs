//! Quantiles of whole frames.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::{DataType, Expr, QuantileMethod, col};

use super::numeric;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::frame::expr::{FrameExpr, Node};
use crate::frame::kernels::Quantiles;
use crate::frame::step::{self, Step};
use crate::frame::wire::Wire;
use crate::lower::frame::QuantileOf;

impl Frame {
    /// The quantiles of columns: a row for each of `quantiles`, which is the column `quantile`, and a column of float64 for each of `columns`.
    /// Between two values they are interpolated linearly. Missing values are passed over; NaN is larger than all numbers (pandas: missing).
    ///
    /// They are exact, and values are not brought together: partitions tell 1024 of their sorted values of each column, between which
    /// the quantile must be; in a second pass they hand on what lies there, about `2 / 1024` of all. Partitions are read twice: they are
    /// kept, or spilled, in between.
    ///
    /// # Errors
    /// If a column does not exist or is no number or is named `quantile`, or a quantile is not from 0 to 1.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.quantile(["x"], [0.25, 0.5])?.column_names(), ["quantile", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn quantile<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        quantiles: impl IntoIterator<Item = f64>,
    ) -> Result<Frame> {
        self.quantile_with(columns, quantiles, QuantileMethod::Linear)
    }

    /// [`quantile`](Frame::quantile) with another rule of interpolation.
    ///
    /// # Errors
    /// As [`quantile`](Frame::quantile).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df, polars::prelude::QuantileMethod};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.quantile_with(["x"], [0.3], QuantileMethod::Lower)?.partitions(), 1);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn quantile_with<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        quantiles: impl IntoIterator<Item = f64>,
        interpolation: QuantileMethod,
    ) -> Result<Frame> {
        let location = Location::caller();
        let columns = numeric("quantile", &self.node.schema, columns, location)?;
        let node = self.quantiles(columns, quantiles.into_iter().collect(), interpolation, false, location)?;
        Ok(Frame { node })
    }

    /// Quantiles that are nearly right, from 1024 sorted values of each column of each partition: in one pass. The rank of the result is off by
    /// at most a part of `1 / 1024` of the rows (and by as many rows as there are partitions). Otherwise [`quantile`](Frame::quantile).
    ///
    /// # Errors
    /// As [`quantile`](Frame::quantile).
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.approx_quantile(["x"], [0.5])?.column_names(), ["quantile", "x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn approx_quantile<S: AsRef<str>>(
        &self,
        columns: impl IntoIterator<Item = S>,
        quantiles: impl IntoIterator<Item = f64>,
    ) -> Result<Frame> {
        let location = Location::caller();
        let columns = numeric("approx_quantile", &self.node.schema, columns, location)?;
        let quantiles = quantiles.into_iter().collect();
        Ok(Frame { node: self.quantiles(columns, quantiles, QuantileMethod::Linear, true, location)? })
    }

    /// The median of each column: one row of float64. Exact, see [`quantile`](Frame::quantile).
    ///
    /// # Errors
    /// If a column does not exist or is no number.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// let frame = Frame::from_polars(df!("x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.median(["x"])?.column_names(), ["x"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn median<S: AsRef<str>>(&self, columns: impl IntoIterator<Item = S>) -> Result<Frame> {
        let location = Location::caller();
        let columns = numeric("median", &self.node.schema, columns, location)?;
        let medians = columns.iter().map(|name| col(name.as_str())).collect();
        let node = self.quantiles(columns, vec![0.5], QuantileMethod::Linear, false, location)?;
        Ok(Frame { node: FrameExpr::step(node, Step::Select(medians), location)? })
    }

    /// The expression of quantiles of columns of numbers.
    pub(super) fn quantiles(
        &self,
        columns: Vec<String>,
        quantiles: Vec<f64>,
        method: QuantileMethod,
        nearly: bool,
        location: &'static Location<'static>,
    ) -> Result<Node> {
        let invalid = |reason: String| Error::invalid_at("quantile", reason, location);
        if quantiles.is_empty() {
            return Err(invalid("no quantile is asked for; name at least one, as in `[0.5]`".into()));
        }
        if let Some(wrong) = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile)) {
            return Err(invalid(format!("the quantile is {wrong}, but must be from 0 to 1")));
        }
        if columns.iter().any(|name| name == "quantile") {
            return Err(invalid("a column is named `quantile`, as the result's first one; rename it".into()));
        }
        let floats: Vec<Expr> = columns.iter().map(|name| col(name.as_str()).cast(DataType::Float64)).collect();
        let (step, schema) = step::check(Step::Select(floats), &self.node.schema, location)?;
        let node = FrameExpr::step_with(self.node.clone(), step, schema, location);
        let asked = Quantiles { columns, quantiles, method: Wire(method) };
        FrameExpr::custom(Arc::new(QuantileOf { asked, nearly }), vec![node], location)
    }
}
