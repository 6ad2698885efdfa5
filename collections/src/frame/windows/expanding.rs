//! Statistics of all rows so far, of equal weight or of weights that fade.

use std::panic::Location;
use std::sync::Arc;

use polars::prelude::col;

use crate::error::{Error, Result};
use crate::frame::expr::FrameExpr;
use crate::frame::functions::Function;
use crate::frame::functions::along::{Along, Fading, Statistic, Weights};
use crate::frame::kernels::{Run, Running};
use crate::frame::{Frame, GroupBy};
use crate::lower::frame::Carry;

/// The rows so far: of all, or of each group.
#[derive(Clone)]
enum Rows {
    Frame(Frame),
    Groups(GroupBy),
}

impl Rows {
    fn with(
        &self,
        operation: &'static str,
        along: Along,
        columns: &[&str],
        location: &'static Location<'static>,
    ) -> Result<Frame> {
        let frame = match self {
            Rows::Frame(frame) => frame,
            Rows::Groups(groups) => groups.rows(),
        };
        for name in columns {
            let field = frame.field(operation, name, location)?;
            if along.dtype(&field.dtype).is_none() {
                let reason = format!("column `{name}` is of type {}; cast it to a number first", field.dtype);
                return Err(Error::invalid_at(operation, reason, location));
            }
        }
        let output = format!("{}_{}", columns.join("_"), along.statistic.name());
        match self {
            Rows::Frame(frame) => {
                let inputs = columns.iter().map(|name| name.to_string()).collect();
                let carry = Carry { running: Running::Along(along), runs: vec![Run { inputs, output }] };
                Ok(Frame { node: FrameExpr::custom(Arc::new(carry), vec![frame.node.clone()], location)? })
            }
            Rows::Groups(groups) => {
                let inputs = columns.iter().map(|name| col(*name)).collect();
                let made = Function::Along(along).of(inputs).alias(output);
                groups.columns_within(operation, vec![made], true, location)
            }
        }
    }
}

/// A frame with windows that grow from its first row: what [`Frame::expanding`] and [`GroupBy::expanding`] give. Statistics are appended as
/// columns of float64.
#[derive(Clone)]
pub struct Expanding {
    rows: Rows,
    min_periods: u64,
}

/// How weights fade: what [`Frame::ewm`] takes.
///
/// ```
/// use talatat_collections::frame::Ewm;
/// let half = Ewm::halflife(2.0).adjust(false).min_periods(3);
/// assert_ne!(half, Ewm::alpha(0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewm {
    weights: Weights,
    bias: bool,
    min_periods: u64,
}

impl Ewm {
    /// By the smoothing factor itself, above 0 and at most 1.
    pub fn alpha(alpha: f64) -> Ewm {
        Ewm { weights: Weights { alpha, adjust: true, ignore_na: false }, bias: false, min_periods: 0 }
    }

    /// By the centre of mass: `alpha = 1 / (1 + com)`.
    pub fn com(com: f64) -> Ewm {
        Ewm::alpha(1.0 / (1.0 + com))
    }

    /// By the span: `alpha = 2 / (span + 1)`.
    pub fn span(span: f64) -> Ewm {
        Ewm::alpha(2.0 / (span + 1.0))
    }

    /// By the number of rows after which a weight is half of what it was.
    pub fn halflife(rows: f64) -> Ewm {
        Ewm::alpha(1.0 - (-std::f64::consts::LN_2 / rows).exp())
    }

    /// Whether weights are divided by their sum, as if there were nothing before the first row; by default they are.
    pub fn adjust(mut self, adjust: bool) -> Ewm {
        self.weights.adjust = adjust;
        self
    }

    /// Whether weights stay as they are over a missing value; by default they fade.
    pub fn ignore_na(mut self, ignore: bool) -> Ewm {
        self.weights.ignore_na = ignore;
        self
    }

    /// Whether variances and covariances are left as they are; by default their bias is corrected.
    pub fn bias(mut self, bias: bool) -> Ewm {
        self.bias = bias;
        self
    }

    /// How many values there must be for a result; by default one.
    pub fn min_periods(mut self, values: u64) -> Ewm {
        self.min_periods = values;
        self
    }

    fn checked(self, location: &'static Location<'static>) -> Result<Ewm> {
        if self.weights.alpha > 0.0 && self.weights.alpha <= 1.0 {
            return Ok(self);
        }
        let reason = format!(
            "the smoothing factor would be {}, but must be above 0 and at most 1: `com` is at least 0, `span` at least 1, `halflife` above 0",
            self.weights.alpha
        );
        Err(Error::invalid_at("ewm", reason, location))
    }
}

/// A frame with windows whose weights fade: what [`Frame::ewm`] and [`GroupBy::ewm`] give. Statistics are appended as columns of float64.
#[derive(Clone)]
pub struct Fade {
    rows: Rows,
    ewm: Ewm,
}

impl Frame {
    /// Windows that reach from the first row to each row. The rows stay as they are; statistics are appended as columns. A window with fewer than
    /// `min_periods` values gives a missing result (pandas' default is 1).
    ///
    /// Partitions are gone through one after the other, each in one pass, while others are read or computed. The result does not
    /// depend on them, not even in its last bits. Missing values are passed over; a float NaN is a number, which stays in all sums behind
    /// it. Medians, quantiles and ranks of all rows so far are not here: they would need them all.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1.0, 3.0, 5.0]).unwrap(), 2);
    /// let means = frame.expanding(1).mean("x")?;
    /// assert!(means.compute()?.equals(&df!("x" => [1.0, 3.0, 5.0], "x_mean" => [1.0, 2.0, 3.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    pub fn expanding(&self, min_periods: u64) -> Expanding {
        Expanding { rows: Rows::Frame(self.clone()), min_periods }
    }

    /// Windows that reach from the first row to each row, whose weights fade with the distance: pandas' `ewm`. Otherwise as
    /// [`expanding`](Frame::expanding).
    ///
    /// # Errors
    /// If the smoothing factor is not above 0 and at most 1.
    ///
    /// ```
    /// use talatat_collections::frame::{Ewm, Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("x" => [1.0, 3.0]).unwrap(), 2);
    /// let means = frame.ewm(Ewm::alpha(0.5).adjust(false))?.mean("x")?;
    /// assert!(means.compute()?.equals(&df!("x" => [1.0, 3.0], "x_mean" => [1.0, 2.0]).unwrap()));
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn ewm(&self, ewm: Ewm) -> Result<Fade> {
        Ok(Fade { rows: Rows::Frame(self.clone()), ewm: ewm.checked(Location::caller())? })
    }
}

impl GroupBy {
    /// Windows that reach from the first row of each group to each of its rows; otherwise [`Frame::expanding`]. Rows stay in their order and
    /// partitions, where pandas puts groups together; rows with a missing key get missing results.
    ///
    /// ```
    /// use talatat_collections::frame::{Frame, df};
    /// # use talatat::Compute;
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// let sums = frame.groupby(["k"])?.expanding(1).sum("x")?.compute()?;
    /// assert!(sums.column("x_sum").unwrap().f64().unwrap().iter().eq([Some(1.0), Some(2.0), Some(5.0)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expanding(&self, min_periods: u64) -> Expanding {
        Expanding { rows: Rows::Groups(self.clone()), min_periods }
    }

    /// Windows over each group whose weights fade; otherwise [`Frame::ewm`] and [`expanding`](GroupBy::expanding).
    ///
    /// # Errors
    /// If the smoothing factor is not above 0 and at most 1.
    ///
    /// ```
    /// use talatat_collections::frame::{Ewm, Frame, df};
    /// let frame = Frame::from_polars(df!("k" => ["a", "b", "a"], "x" => [1.0, 2.0, 4.0]).unwrap(), 2);
    /// assert_eq!(frame.groupby(["k"])?.ewm(Ewm::span(3.0))?.mean("x")?.column_names(), ["k", "x", "x_mean"]);
    /// # Ok::<(), talatat_collections::Error>(())
    /// ```
    #[track_caller]
    pub fn ewm(&self, ewm: Ewm) -> Result<Fade> {
        Ok(Fade { rows: Rows::Groups(self.clone()), ewm: ewm.checked(Location::caller())? })
    }
}

macro_rules! statistics {
    ($($of:ident: $name:ident ($self:ident, $column:ident $(, $arg:ident: $type:ty)*), $columns:expr, $statistic:expr; $doc:literal;)*) => {$(
        impl $of {
            #[doc = $doc]
            /// It is appended as a column named after what it is of and the statistic.
            ///
            /// # Errors
            /// If a column does not exist or is not of numbers.
            #[track_caller]
            pub fn $name(&$self, $column: &str $(, $arg: $type)*) -> Result<Frame> {
                $self.appended($statistic, &$columns, Location::caller())
            }
        }
    )*};
}

statistics! {
    Expanding: sum(self, column), [column], Statistic::Sum; "The sum of the values so far.";
    Expanding: mean(self, column), [column], Statistic::Mean; "The mean of the values so far.";
    Expanding: min(self, column), [column], Statistic::Min; "The smallest value so far; NaN is passed over.";
    Expanding: max(self, column), [column], Statistic::Max; "The largest value so far; NaN is passed over.";
    Expanding: count(self, column), [column], Statistic::Count; "How many values so far are not missing; `min_periods` counts rows.";
    Expanding: first(self, column), [column], Statistic::First; "The first value so far.";
    Expanding: last(self, column), [column], Statistic::Last; "The last value so far.";
    Expanding: var(self, column, ddof: u8), [column], Statistic::Var(ddof); "The variance of the values so far.";
    Expanding: std(self, column, ddof: u8), [column], Statistic::Std(ddof); "The standard deviation of the values so far.";
    Expanding: sem(self, column, ddof: u8), [column], Statistic::Sem(ddof); "The standard error of the mean of the values so far.";
    Expanding: skew(self, column), [column], Statistic::Skew; "The skewness of the values so far, unbiased.";
    Expanding: kurt(self, column), [column], Statistic::Kurt; "The excess kurtosis of the values so far, unbiased.";
    Expanding: cov(self, column, other: &str, ddof: u8), [column, other], Statistic::Cov(ddof); "The covariance of two columns so far, of the rows in which neither is missing.";
    Expanding: corr(self, column, other: &str), [column, other], Statistic::Corr; "The correlation of two columns so far, of the rows in which neither is missing.";
    Fade: mean(self, column), [column], self.fading(Fading::Mean); "The mean of the values so far.";
    Fade: sum(self, column), [column], self.fading(Fading::Sum); "The sum of the values so far; weights must be adjusted.";
    Fade: var(self, column), [column], self.fading(Fading::Var { bias: self.ewm.bias }); "The variance of the values so far.";
    Fade: std(self, column), [column], self.fading(Fading::Std { bias: self.ewm.bias }); "The standard deviation of the values so far.";
    Fade: cov(self, column, other: &str), [column, other], self.fading(Fading::Cov { bias: self.ewm.bias }); "The covariance of two columns so far, of the rows in which neither is missing.";
    Fade: corr(self, column, other: &str), [column, other], self.fading(Fading::Corr); "The correlation of two columns so far, of the rows in which neither is missing.";
}

impl Expanding {
    fn appended(&self, statistic: Statistic, columns: &[&str], location: &'static Location<'static>) -> Result<Frame> {
        self.rows.with("expanding", Along { statistic, least: self.min_periods }, columns, location)
    }
}

impl Fade {
    fn fading(&self, what: Fading) -> Statistic {
        Statistic::Fading(what, self.ewm.weights)
    }

    fn appended(&self, statistic: Statistic, columns: &[&str], location: &'static Location<'static>) -> Result<Frame> {
        if matches!(statistic, Statistic::Fading(Fading::Sum, Weights { adjust: false, .. })) {
            return Err(Error::invalid_at("ewm", "a sum has no weights that are not adjusted", location));
        }
        self.rows.with("ewm", Along { statistic, least: self.ewm.min_periods.max(1) }, columns, location)
    }
}
