//! Sums of floats that do not depend on the order of the terms: nothing is rounded before the end.
//!
//! A sum is an integer of 2^-1074, the smallest step between two floats, kept in digits of 32 bits with room for carries (after Neal's
//! superaccumulators). Arrays have a faster one, in a crate that bags do without.

/// Enough for 2^1024 in steps of 2^-1074, and 2^78 terms of it.
const DIGITS: usize = 68;

/// Additions after which digits could overflow.
const MOST: u32 = 1 << 30;

/// The exact sum of some floats.
#[derive(Clone)]
pub struct ExactSum {
    digits: Box<[i64; DIGITS]>,
    added: u32,
    /// The sum of those that are not finite, or 0.
    special: f64,
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum { digits: Box::new([0; DIGITS]), added: 0, special: 0.0 }
    }
}

impl ExactSum {
    pub(super) fn add(&mut self, term: f64) {
        if !term.is_finite() {
            self.special += term;
            return;
        }
        if self.added >= MOST {
            self.carry();
        }
        self.added += 1;
        let bits = term.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
        let (place, mantissa) = if exponent == 0 { (0, fraction) } else { (exponent - 1, fraction | 1 << 52) };
        let shifted = u128::from(mantissa) << (place % 32);
        for (number, digit) in self.digits.iter_mut().skip(place / 32).take(3).enumerate() {
            let part = (shifted >> (32 * number) & 0xffff_ffff) as i64;
            *digit += if term.is_sign_negative() { -part } else { part };
        }
    }

    pub(super) fn merge(&mut self, mut other: ExactSum) {
        self.carry();
        other.carry();
        self.special += other.special;
        self.digits.iter_mut().zip(other.digits.iter()).for_each(|(digit, more)| *digit += more);
        self.added = 1;
    }

    /// Brings all digits but the last, which has the sign, to 0..2^32.
    fn carry(&mut self) {
        let mut carry = 0;
        let last = DIGITS - 1;
        for digit in self.digits.iter_mut().take(last) {
            let sum = *digit + carry;
            carry = sum >> 32;
            *digit = sum & 0xffff_ffff;
        }
        if let Some(digit) = self.digits.last_mut() {
            *digit += carry;
        }
        self.added = 0;
    }

    /// The float next to the sum; of two that are as near, the even one.
    pub(super) fn rounded(mut self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        self.carry();
        let negative = self.digits.last().is_some_and(|digit| *digit < 0);
        if negative {
            self.digits.iter_mut().for_each(|digit| *digit = -*digit);
            self.carry();
        }
        let digit = |at: usize| self.digits.get(at).map_or(0, |&digit| digit as u64);
        let bit = |place: usize| digit(place / 32) >> (place % 32) & 1;
        let Some(top) = self.digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
        let first = 32 * top + 63 - digit(top).leading_zeros() as usize;
        // 53 bits are kept, fewer of the smallest numbers; `place` is that of the last of them.
        let place = first.saturating_sub(52);
        let mantissa = (place..=first).rev().fold(0_u64, |sum, place| sum << 1 | bit(place));
        let half = place > 0 && bit(place - 1) == 1;
        let more = place > 1 && (0..place - 1).any(|place| bit(place) == 1);
        let up = half && (more || mantissa & 1 == 1);
        // A mantissa of 53 bits has its first one in the exponent's place.
        let exponent = if first < 52 { 0 } else { place as u64 };
        let bits = (exponent << 52) + mantissa + u64::from(up);
        let sum = if bits >> 52 >= 0x7ff { f64::INFINITY } else { f64::from_bits(bits) };
        if negative { -sum } else { sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(terms: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        terms.iter().for_each(|&term| sum.add(term));
        sum.rounded()
    }

    #[test]
    fn known_sums() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[f64::from_bits(1), f64::from_bits(2)]).to_bits(), 3);
        assert_eq!(sum(&[f64::MIN_POSITIVE, -f64::from_bits(1)]).to_bits(), (1 << 52) - 1);
        // Half way between two floats: the even one, unless a trace is left.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]), 1.0);
        assert_eq!(sum(&[1.0, half, f64::from_bits(1)]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    proptest! {
        #[test]
        fn one_and_two_terms_are_as_the_processor_adds(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(sum(&[a]), a);
            prop_assert_eq!(sum(&[a, b]), a + b);
        }

        #[test]
        fn order_and_parts_make_no_difference(terms in prop::collection::vec(any::<f64>(), 0..50), cut in 0_usize..50) {
            prop_assume!(terms.iter().all(|term| term.is_finite()));
            let all = sum(&terms);
            let back: Vec<f64> = terms.iter().rev().copied().collect();
            prop_assert_eq!(all.to_bits(), sum(&back).to_bits());
            let (one, two) = terms.split_at(cut.min(terms.len()));
            let (mut first, mut second) = (ExactSum::default(), ExactSum::default());
            one.iter().for_each(|&term| first.add(term));
            two.iter().for_each(|&term| second.add(term));
            second.merge(first);
            prop_assert_eq!(all.to_bits(), second.rounded().to_bits());
        }
    }
}
