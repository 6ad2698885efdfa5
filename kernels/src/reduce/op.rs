//! The table of reductions.

use serde::{Deserialize, Serialize};

use crate::dtype::DType;

/// A reduction along axes, with NumPy's names.
///
/// ```
/// use talatat_kernels::dtype::DType;
/// use talatat_kernels::reduce::ReduceOp;
///
/// assert_eq!(ReduceOp::Sum.output_dtype(DType::I8), DType::I64);
/// assert_eq!(ReduceOp::Var { ddof: 1 }.to_string(), "var(ddof=1)");
/// assert!(ReduceOp::Prod.is_ordered(DType::F64) && ReduceOp::Max.needs_values());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ReduceOp {
    /// Sum. Floats: the exact sum, rounded once; complex numbers: each part. Integers: modulo 2^64. Booleans are counted.
    Sum,
    /// [`ReduceOp::Sum`] without NaN.
    NanSum,
    /// Product, multiplied in the order of the index. Integers: modulo 2^64.
    Prod,
    /// [`ReduceOp::Prod`] without NaN.
    NanProd,
    /// Arithmetic mean: the exact sum over the count, rounded once.
    Mean,
    /// [`ReduceOp::Mean`] without NaN.
    NanMean,
    /// Variance with `ddof` degrees of freedom taken off, rounded once. Of complex numbers the sum of those of both parts.
    Var {
        /// Subtracted from the count in the divisor.
        ddof: u32,
    },
    /// [`ReduceOp::Var`] without NaN.
    NanVar {
        /// Subtracted from the count in the divisor.
        ddof: u32,
    },
    /// Square root of the variance.
    Std {
        /// Subtracted from the count in the divisor.
        ddof: u32,
    },
    /// [`ReduceOp::Std`] without NaN.
    NanStd {
        /// Subtracted from the count in the divisor.
        ddof: u32,
    },
    /// Minimum; NaN if there is one. Complex numbers are ordered by their real, then by their imaginary parts.
    Min,
    /// Maximum; NaN if there is one.
    Max,
    /// Minimum without NaN; NaN if there is nothing else.
    NanMin,
    /// Maximum without NaN; NaN if there is nothing else.
    NanMax,
    /// Whether any element is true (not zero; NaN is true).
    Any,
    /// Whether all elements are true.
    All,
    /// Index of the first minimum; of the first NaN if there is one.
    ArgMin,
    /// Index of the first maximum; of the first NaN if there is one.
    ArgMax,
    /// Index of the first minimum without NaN.
    NanArgMin,
    /// Index of the first maximum without NaN.
    NanArgMax,
    /// Number of elements that are true.
    CountNonzero,
}

/// What reductions of one loop and one state have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Sum,
    Product,
    Mean,
    Spread { ddof: u32, root: bool },
    Extreme { max: bool },
    Position { max: bool },
    Any,
    All,
    Count,
}

impl ReduceOp {
    /// The row of the table: name, family, whether NaN is skipped.
    pub(super) fn row(self) -> (&'static str, Family, bool) {
        use Family as F;
        match self {
            ReduceOp::Sum => ("sum", F::Sum, false),
            ReduceOp::NanSum => ("nansum", F::Sum, true),
            ReduceOp::Prod => ("prod", F::Product, false),
            ReduceOp::NanProd => ("nanprod", F::Product, true),
            ReduceOp::Mean => ("mean", F::Mean, false),
            ReduceOp::NanMean => ("nanmean", F::Mean, true),
            ReduceOp::Var { ddof } => ("var", F::Spread { ddof, root: false }, false),
            ReduceOp::NanVar { ddof } => ("nanvar", F::Spread { ddof, root: false }, true),
            ReduceOp::Std { ddof } => ("std", F::Spread { ddof, root: true }, false),
            ReduceOp::NanStd { ddof } => ("nanstd", F::Spread { ddof, root: true }, true),
            ReduceOp::Min => ("min", F::Extreme { max: false }, false),
            ReduceOp::Max => ("max", F::Extreme { max: true }, false),
            ReduceOp::NanMin => ("nanmin", F::Extreme { max: false }, true),
            ReduceOp::NanMax => ("nanmax", F::Extreme { max: true }, true),
            ReduceOp::Any => ("any", F::Any, false),
            ReduceOp::All => ("all", F::All, false),
            ReduceOp::ArgMin => ("argmin", F::Position { max: false }, false),
            ReduceOp::ArgMax => ("argmax", F::Position { max: true }, false),
            ReduceOp::NanArgMin => ("nanargmin", F::Position { max: false }, true),
            ReduceOp::NanArgMax => ("nanargmax", F::Position { max: true }, true),
            ReduceOp::CountNonzero => ("count_nonzero", F::Count, false),
        }
    }

    pub(super) fn family(self) -> Family {
        self.row().1
    }

    pub(super) fn skips_nan(self) -> bool {
        self.row().2
    }

    /// NumPy's name of the function.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The element type of the result: sums and products of integers widen to 64 bits, means and
    /// spreads are floats (`float32` for `float32`; spreads of complex numbers are real), indices and counts are `int64`.
    pub fn output_dtype(self, input: DType) -> DType {
        match self.family() {
            Family::Sum | Family::Product => input.sum(),
            Family::Mean => input.float(),
            Family::Spread { .. } => input.float().real(),
            Family::Extreme { .. } => input,
            Family::Any | Family::All => DType::Bool,
            Family::Position { .. } | Family::Count => DType::I64,
        }
    }

    /// Whether the answer depends on the order of the elements, so that blocks must be taken one after
    /// the other into one [`Accumulator`](super::Accumulator): true for products of floats and complex numbers only.
    pub fn is_ordered(self, input: DType) -> bool {
        self.family() == Family::Product && input.is_inexact()
    }

    /// Whether reducing no elements is an error, as for minima, maxima and their indices.
    pub fn needs_values(self) -> bool {
        matches!(self.family(), Family::Extreme { .. } | Family::Position { .. })
    }

    /// How many exact sums a lane has: of complex numbers one for each part.
    pub(super) fn parts(self, input: DType) -> usize {
        match self.family() {
            Family::Sum | Family::Mean | Family::Spread { .. } if input.is_complex() => 2,
            _ => 1,
        }
    }

    /// Bytes that an accumulator over `lanes` lanes holds: an upper estimate for floats whose
    /// magnitudes span less than 40 decimal digits, exact or above for all else.
    pub fn state_bytes(self, input: DType, lanes: usize) -> usize {
        let parts = self.parts(input);
        let per_lane = match self.family() {
            Family::Sum if input.is_inexact() => parts * 4 * 8,
            Family::Mean => parts * (4 * 8 + 8),
            Family::Spread { .. } => parts * (4 * 8 + 7 * 8 + 8),
            Family::Product if input.is_complex() => input.size(),
            Family::Sum | Family::Product | Family::Count => 8,
            Family::Extreme { .. } => input.size() + 8,
            Family::Position { .. } => input.size() + 8,
            Family::Any | Family::All => 1,
        };
        lanes.saturating_mul(per_lane).saturating_add(1024)
    }
}

impl std::fmt::Display for ReduceOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.family() {
            Family::Spread { ddof, .. } if ddof != 0 => write!(f, "{}(ddof={ddof})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}
