//! Exact numbers of any length: the value of a sum before its one rounding.
//!
//! [`Fixed`] is sign and magnitude in 64-bit limbs times a power of two. It exists only while a result
//! is made, one per lane, and mostly has two to four limbs.

use smallvec::SmallVec;

use crate::dtype::f16;
use crate::number::CastFrom;

type Limbs = SmallVec<[u64; 8]>;

/// `±limbs · 2^exponent`, limbs from the lowest.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    negative: bool,
    limbs: Limbs,
    exponent: i32,
}

/// A finite float as `mantissa · 2^exponent`, mantissa odd; `None` for zero.
fn decode(x: f64) -> Option<(bool, u64, i32)> {
    let bits = x.to_bits();
    let field = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if field == 0 { fraction } else { fraction | 1 << 52 };
    if mantissa == 0 {
        return None;
    }
    let zeros = mantissa.trailing_zeros();
    Some((bits >> 63 == 1, mantissa >> zeros, field.max(1) - 1075 + zeros as i32))
}

/// `2^exponent`, for exponents from -1074 to 1023.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    if exponent >= -1022 {
        f64::from_bits(((exponent.min(1024) + 1023) as u64) << 52)
    } else {
        f64::from_bits(1 << (exponent + 1074).max(0))
    }
}

impl Fixed {
    /// The sum of `value · 2^scale` over finite values.
    pub(super) fn sum(terms: impl Iterator<Item = (f64, i32)>) -> Fixed {
        let mut parts = SmallVec::<[(bool, u64, i32); 8]>::new();
        let (mut low, mut high) = (i32::MAX, i32::MIN);
        for (value, scale) in terms {
            if let Some((negative, mantissa, exponent)) = decode(value) {
                let exponent = exponent + scale;
                low = low.min(exponent);
                high = high.max(exponent + 64 - mantissa.leading_zeros() as i32);
                parts.push((negative, mantissa, exponent));
            }
        }
        if parts.is_empty() {
            return Fixed { negative: false, limbs: Limbs::new(), exponent: 0 };
        }
        // Room for carries and the sign, in two's complement while adding.
        let bits = (high - low) as usize + parts.len().ilog2() as usize + 2;
        if bits <= 128 {
            let sum = parts.iter().fold(0i128, |sum, &(negative, mantissa, exponent)| {
                let part = i128::from(mantissa) << (exponent - low);
                sum.wrapping_add(if negative { -part } else { part })
            });
            let size = sum.unsigned_abs();
            let limbs = Limbs::from_slice(&[size as u64, (size >> 64) as u64]);
            return Fixed { negative: sum < 0, limbs, exponent: low }.trimmed();
        }
        let mut limbs = Limbs::from_elem(0, bits.div_ceil(64));
        for (negative, mantissa, exponent) in parts {
            let shift = (exponent - low) as usize;
            add_at(&mut limbs, shift / 64, u128::from(mantissa) << (shift % 64), negative);
        }
        let negative = limbs.last().is_some_and(|limb| limb >> 63 == 1);
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
            }
        }
        Fixed { negative, limbs, exponent: low }.trimmed()
    }

    fn trimmed(mut self) -> Fixed {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        self
    }

    /// `count · squares - sum²`: the numerator of a variance, never negative when both are sums
    /// over the same `count` values.
    pub(super) fn spread(count: u64, sum: &Fixed, squares: &Fixed) -> Fixed {
        let mut left = squares.clone();
        left.limbs = multiply(&squares.limbs, &[count]);
        let mut right = multiply(&sum.limbs, &sum.limbs);
        let exponent = if right.is_empty() { left.exponent } else { 2 * sum.exponent };
        let common = if left.limbs.is_empty() { exponent } else { exponent.min(left.exponent) };
        left.limbs = shifted(&left.limbs, left.exponent - common);
        right = shifted(&right, exponent - common);
        left.exponent = common;
        let mut borrow = false;
        for (j, limb) in left.limbs.iter_mut().enumerate() {
            let other = right.get(j).copied().unwrap_or(0);
            let (a, b1) = limb.overflowing_sub(other);
            let (a, b2) = a.overflowing_sub(u64::from(borrow));
            *limb = a;
            borrow = b1 | b2;
        }
        if borrow || right.iter().skip(left.limbs.len()).any(|&limb| limb != 0) {
            // Only a forged state gets here.
            left.limbs.clear();
        }
        left.trimmed()
    }

    /// The leading 128 bits.
    pub(super) fn leading(&self) -> Leading {
        let n = self.limbs.len();
        let limb = |back: usize| n.checked_sub(back).and_then(|j| self.limbs.get(j)).copied().unwrap_or(0);
        let zeros = limb(1).leading_zeros();
        let top = u128::from(limb(1)) << 64 | u128::from(limb(2));
        if n == 0 {
            return Leading { negative: false, mantissa: 0, exponent: 0, sticky: false };
        }
        let (mantissa, dropped) = if zeros == 0 {
            (top, limb(3) != 0)
        } else {
            (top << zeros | u128::from(limb(3) >> (64 - zeros)), limb(3) << zeros != 0)
        };
        let below = self.limbs.get(..n.saturating_sub(3)).unwrap_or(&[]);
        Leading {
            negative: self.negative,
            mantissa,
            exponent: self.exponent + 64 * n as i32 - 128 - zeros as i32,
            sticky: dropped || below.iter().any(|&limb| limb != 0),
        }
    }

    /// The quotient by the product of `divisors` (none of them zero), good to at least 65 bits.
    pub(super) fn divided(&self, divisors: &[u64]) -> Leading {
        let leading = self.leading();
        if let ([divisor], false) = (divisors, leading.sticky) {
            return leading.divided(*divisor);
        }
        // Long division; the zeros below are the places of the quotient's bits.
        let mut limbs = Limbs::from_elem(0, divisors.len() + 1);
        limbs.extend_from_slice(&self.limbs);
        let exponent = self.exponent - 64 * (divisors.len() as i32 + 1);
        let mut sticky = false;
        for &divisor in divisors {
            let divisor = u128::from(divisor.max(1));
            let mut remainder = 0u128;
            for limb in limbs.iter_mut().rev() {
                let part = remainder << 64 | u128::from(*limb);
                *limb = (part / divisor) as u64;
                remainder = part % divisor;
            }
            sticky |= remainder != 0;
        }
        let mut quotient = Fixed { negative: self.negative, limbs, exponent }.trimmed().leading();
        quotient.sticky |= sticky;
        quotient
    }
}

/// Adds or subtracts `part · 2^(64·index)` in two's complement.
fn add_at(limbs: &mut Limbs, index: usize, part: u128, negative: bool) {
    let mut carry = false;
    let words = [part as u64, (part >> 64) as u64];
    for (j, limb) in limbs.iter_mut().skip(index).enumerate() {
        let word = words.get(j).copied().unwrap_or(0);
        if j >= 2 && !carry {
            break;
        }
        let (a, c1, b, c2);
        if negative {
            (a, c1) = limb.overflowing_sub(word);
            (b, c2) = a.overflowing_sub(u64::from(carry));
        } else {
            (a, c1) = limb.overflowing_add(word);
            (b, c2) = a.overflowing_add(u64::from(carry));
        }
        *limb = b;
        carry = c1 | c2;
    }
}

fn multiply(a: &[u64], b: &[u64]) -> Limbs {
    let mut product = Limbs::from_elem(0, if a.is_empty() || b.is_empty() { 0 } else { a.len() + b.len() });
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0u128;
        for (slot, y) in product.iter_mut().skip(i).zip(b.iter().copied().chain([0])) {
            let sum = u128::from(x) * u128::from(y) + u128::from(*slot) + carry;
            *slot = sum as u64;
            carry = sum >> 64;
        }
    }
    product
}

fn shifted(limbs: &[u64], bits: i32) -> Limbs {
    let bits = bits.max(0) as usize;
    if limbs.is_empty() || bits == 0 {
        return SmallVec::from_slice(limbs);
    }
    let mut out = Limbs::from_elem(0, bits / 64);
    let mut carry = 0u128;
    for &limb in limbs {
        let wide = (u128::from(limb) << (bits % 64)) | carry;
        out.push(wide as u64);
        carry = wide >> 64;
    }
    out.push(carry as u64);
    out
}

/// `±(mantissa + something below one) · 2^exponent`; the something is zero when not `sticky`.
/// The mantissa's top bit is set unless it is zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leading {
    negative: bool,
    mantissa: u128,
    exponent: i32,
    sticky: bool,
}

impl Leading {
    /// The quotient of an exact number (not `sticky`).
    fn divided(self, divisor: u64) -> Leading {
        let divisor = u128::from(divisor.max(1));
        let (quotient, remainder) = (self.mantissa / divisor, self.mantissa % divisor);
        let room = quotient.leading_zeros().min(64);
        let more = remainder << room;
        Leading {
            mantissa: (quotient << room) | (more / divisor),
            exponent: self.exponent - room as i32,
            sticky: more % divisor != 0,
            ..self
        }
    }

    /// Rounded to the nearest `f64`, ties to even; infinite when too large.
    pub(super) fn to_f64(self) -> f64 {
        self.rounded(53, -1074)
    }

    /// Rounded once to the nearest `f32`, ties to even; infinite when too large.
    pub(super) fn to_f32(self) -> f32 {
        self.rounded(24, -149) as f32
    }

    /// Rounded once to the nearest `f16`, ties to even; infinite when too large.
    pub(super) fn to_f16(self) -> f16 {
        f16::cast_from(self.rounded(11, -24))
    }

    fn rounded(self, digits: i32, floor: i32) -> f64 {
        let unit = (self.exponent + 128 - digits).max(floor);
        let shift = unit - self.exponent;
        if self.mantissa == 0 {
            return 0.0;
        }
        if shift > 128 {
            return if self.negative { -0.0 } else { 0.0 };
        }
        let kept = if shift == 128 { 0 } else { self.mantissa >> shift };
        let half = 1u128 << (shift - 1);
        let below = self.mantissa & (half | (half - 1));
        let up = below > half || below == half && (self.sticky || kept & 1 == 1);
        let kept = kept as u64 + u64::from(up);
        let size = if unit > 971 { f64::INFINITY } else { kept as f64 * power_of_two(unit) };
        if self.negative { -size } else { size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rounding_at_the_edges_of_the_range() {
        let f = |terms: &[(f64, i32)]| Fixed::sum(terms.iter().copied()).leading();
        assert_eq!(f(&[(1.0, 0), (f64::EPSILON / 2.0, 0)]).to_f64(), 1.0);
        assert_eq!(f(&[(1.0, 0), (f64::EPSILON / 2.0, 0), (1e-300, 0)]).to_f64(), 1.0 + f64::EPSILON);
        assert_eq!(f(&[(f64::MAX, 0), (f64::MAX, 0)]).to_f64(), f64::INFINITY);
        assert_eq!(f(&[(f64::MAX, 0), (f64::MAX, 0), (-f64::MAX, 0)]).to_f64(), f64::MAX);
        assert_eq!(f(&[(f64::MAX, 0), (power_of_two(969), 0)]).to_f64(), f64::MAX);
        assert_eq!(f(&[(f64::MAX, 0), (power_of_two(970), 0)]).to_f64(), f64::INFINITY);
        assert_eq!(f(&[(5e-324, 0), (-1.0, 0), (1.0, 0)]).to_f64(), 5e-324);
        assert_eq!(f(&[(1.0, -1075)]).to_f64(), 0.0);
        assert_eq!(f(&[(1.0, -1075), (1.0, -2000)]).to_f64(), 5e-324);
        assert_eq!(f(&[(-3.0, 0), (1.0, 0)]).to_f64(), -2.0);
        assert_eq!(f(&[]).to_f64().to_bits(), 0);
        assert_eq!(f(&[(f64::from(f32::MAX), 0), (power_of_two(103), 0)]).to_f32(), f32::INFINITY);
        // Rounding to f64 first would make a tie of this.
        assert_eq!(f(&[(1.0, 0), (power_of_two(-24), 0), (power_of_two(-80), 0)]).to_f32(), 1.0 + f32::EPSILON);
    }

    #[test]
    fn division_rounds_the_true_quotient() {
        for (x, n) in [(1.0, 3u64), (2.0, 3), (1e300, 7), (10.0, u64::MAX), (5e-324, 2), (5e-324, 3)] {
            let exact = Fixed::sum([(x, 0)].into_iter());
            // A 53-bit number by a small integer: the hardware division rounds the same true value.
            let expected = if n == u64::MAX { 10.0 / power_of_two(64) } else { x / n as f64 };
            assert_eq!(exact.divided(&[n]).to_f64(), expected, "{x} / {n}");
            assert_eq!(exact.divided(&[n, 1]).to_f64(), expected, "{x} / {n} by long division");
        }
    }

    #[test]
    fn spread_is_exact() {
        let x = [1.0, 1.0 + f64::EPSILON];
        let sum = Fixed::sum(x.iter().map(|&x| (x, 0)));
        let squares = Fixed::sum(x.iter().flat_map(|&x| [(x * x, 0), (x.mul_add(x, -(x * x)), 0)]));
        let spread = Fixed::spread(2, &sum, &squares);
        assert_eq!(spread.divided(&[2, 2]).to_f64(), f64::EPSILON * f64::EPSILON / 4.0);
    }
}
