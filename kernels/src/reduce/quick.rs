//! Correctly rounded results the quick way: in pairs of floats with a bound of the error, given up where the bound does
//! not settle the last bit. Then [`super::number`] computes with all digits, so the bits of a result are the same.
//!
//! Pairs after Dekker, "A floating-point technique for extending the available precision" (Numerische Mathematik 18,
//! 1971); the test of the last bit after Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded
//! last bit" (ACM TOMS 17, 1991).

/// `high + low`, off from the true value by at most `error`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    high: f64,
    low: f64,
    error: f64,
}

/// Magnitudes in between are far from underflow and overflow, their squares and products with counts, too.
const SAFE: std::ops::Range<f64> = f64::from_bits((1023 - 300) << 52)..f64::from_bits((1023 + 300) << 52);

fn is_safe(x: f64) -> bool {
    x == 0.0 || SAFE.contains(&x.abs())
}

/// The sum and what its rounding leaves over.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

impl Pair {
    /// The sum of a few terms; `None` if some are too large or too small for this way.
    #[inline(always)]
    pub(super) fn sum(terms: impl Iterator<Item = f64>) -> Option<Pair> {
        let (mut high, mut low, mut error) = (0.0, 0.0, 0.0);
        for term in terms {
            if !is_safe(term) {
                return None;
            }
            let (sum, left) = two_sum(high, term);
            let (lower, lost) = two_sum(low, left);
            (high, low) = (sum, lower);
            error += lost.abs();
        }
        let (high, low) = two_sum(high, low);
        Some(Pair { high, low, error: 2.0 * error })
    }

    /// The sum, correctly rounded.
    #[inline(always)]
    pub(super) fn rounded(self) -> Option<f64> {
        self.settled(0.0)
    }

    /// `high + low`, if an error of `error + more` cannot change its last bit.
    #[inline(always)]
    fn settled(self, more: f64) -> Option<f64> {
        let error = self.error + more;
        if error == 0.0 {
            return is_safe(self.high).then_some(self.high + self.low + 0.0);
        }
        // Room for the roundings of the bound and of the sums in brackets.
        let error = error * (1.0 + 8.0 * f64::EPSILON) + self.low.abs() * f64::EPSILON;
        let (below, above) = (self.high + (self.low - error), self.high + (self.low + error));
        (below == above && is_safe(above)).then_some(above + 0.0)
    }

    /// The quotient by a count below `2^53`, correctly rounded.
    #[inline(always)]
    pub(super) fn divided(self, count: f64) -> Option<f64> {
        if !is_safe(self.high) {
            return None;
        }
        let quotient = self.high / count;
        // Exact: the remainder of a division fits in a float.
        let rest = (-quotient).mul_add(count, self.high);
        let (rest, lost) = two_sum(rest, self.low);
        let low = rest / count;
        let (high, low) = two_sum(quotient, low);
        Pair { high, low, error: (self.error + lost.abs()) / count }.settled((rest / count).abs() * f64::EPSILON)
    }

    /// The nearest `float32` of a correctly rounded `float64`, if rounding twice is rounding once: not next to where
    /// two `float32` are equally near, nor at the ends of their range.
    pub(super) fn single(rounded: f64) -> Option<f32> {
        let usual = rounded == 0.0 || (1e-36..1e38).contains(&rounded.abs());
        let middle = rounded.to_bits() & ((1 << 29) - 1) == 1 << 28;
        (usual && !middle).then_some(rounded as f32)
    }

    /// `count · squares - sum²`, for sums over the same `count` values, `count` below `2^53`.
    #[inline(always)]
    pub(super) fn spread(count: f64, sum: Pair, squares: Pair) -> Option<Pair> {
        if !is_safe(sum.high) || !is_safe(squares.high) {
            return None;
        }
        let left = count * squares.high;
        let left_low = count.mul_add(squares.high, -left) + count * squares.low;
        let right = sum.high * sum.high;
        let right_low = sum.high.mul_add(sum.high, -right) + 2.0 * sum.high * sum.low;
        let (high, rest) = two_sum(left, -right);
        let low = rest + (left_low - right_low);
        // Every low part is below 2^-52 of its high part, and half a dozen roundings of such parts, and the square of
        // the sum's low part, are left out.
        let size = left.abs() + right;
        let error = count * squares.error
            + 2.0 * (sum.high.abs() + sum.low.abs()) * sum.error
            + sum.error * sum.error
            + size * (4.0 * f64::EPSILON * f64::EPSILON);
        let (high, low) = two_sum(high, low);
        Some(Pair { high, low, error })
    }

    /// Whether it is positive beyond doubt.
    pub(super) fn is_positive(&self) -> bool {
        self.high > 2.0 * (self.low.abs() + self.error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::number::Fixed;
    use super::*;

    fn terms() -> impl Strategy<Value = Vec<f64>> {
        // Terms as planes have them: some bits each, at distances of 40 bits, with ties and near ties among them.
        let term = prop_oneof![
            (-4096..4096_i64).prop_map(|x| x as f64),
            any::<i32>().prop_map(f64::from),
            (-(1_i64 << 53)..1 << 53).prop_map(|x| x as f64)
        ];
        prop::collection::vec(term, 1..6).prop_flat_map(|terms| {
            prop::collection::vec(prop::sample::select(vec![-80, -53, -40, -1, 0, 40]), terms.len())
                .prop_map(move |shifts| terms.iter().zip(shifts).map(|(x, e)| x * 2f64.powi(e)).collect())
        })
    }

    fn exact(terms: &[f64]) -> Fixed {
        Fixed::sum(terms.iter().map(|&x| (x, 0)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_settled_is_right(terms in terms(), count in 1..1_u64 << 30) {
            let pair = Pair::sum(terms.iter().copied()).unwrap();
            if let Some(sum) = pair.rounded() {
                prop_assert_eq!(sum.to_bits(), exact(&terms).leading().to_f64().to_bits());
            }
            if let Some(mean) = pair.divided(count as f64) {
                prop_assert_eq!(mean.to_bits(), exact(&terms).divided(&[count]).to_f64().to_bits());
            }
        }

        #[test]
        fn spreads_are_right(values in prop::collection::vec(-1e3..1e3_f64, 2..40), mean in prop::sample::select(vec![0.0, 1.0, 1e5])) {
            let values: Vec<f64> = values.iter().map(|x| x + mean).collect();
            let squares: Vec<f64> = values.iter().flat_map(|x| [x * x, x.mul_add(*x, -(x * x))]).collect();
            let (sum, square_sum) = (Pair::sum(values.iter().copied()).unwrap(), Pair::sum(squares.iter().copied()).unwrap());
            let n = values.len() as u64;
            let spread = Fixed::spread(n, &exact(&values), &exact(&squares)).divided(&[n * n]).to_f64();
            let pair = Pair::spread(n as f64, sum, square_sum).unwrap();
            if pair.is_positive() && let Some(found) = pair.divided((n * n) as f64) {
                prop_assert_eq!(found.to_bits(), spread.to_bits());
            }
        }
    }

    #[test]
    fn everyday_numbers_are_settled() {
        let mut settled = 0;
        for k in 1..1000 {
            let x = f64::from(k).sqrt();
            let sum = Pair::sum([x * 1024.0, x / 1e9, 1e-20].into_iter()).unwrap();
            let squares = Pair::sum([x * x * 2048.0 * 1024.0, 1e-9].into_iter()).unwrap();
            settled += u32::from(sum.rounded().is_some());
            settled += u32::from(sum.divided(7.0).is_some());
            settled += u32::from(Pair::spread(7.0, sum, squares).and_then(|pair| pair.divided(42.0)).is_some());
        }
        assert!(settled > 2980, "{settled} of 2997");
    }
}
