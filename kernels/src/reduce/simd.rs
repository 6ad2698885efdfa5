//! The loops over floats that have to be fast: extent, splitting by exponent, adding to planes.
//!
//! All are plain safe loops over fixed-size groups that the compiler turns into vector code, compiled
//! for AVX-512, AVX2 and the baseline, and chosen once at run time. None of them depends on the others'
//! rounding: every addition here is exact by the caller's choice of units.

use multiversion::multiversion;

use super::slab::Slab;

/// Independent running values in a row: enough to fill the vector units whatever their width.
const GROUP: usize = 32;

/// Combines the running values, two halves at a time.
#[inline(always)]
fn halved<T: Copy>(mut values: [T; GROUP], combine: impl Fn(T, T) -> T) -> T {
    for width in [16, 8, 4, 2, 1] {
        for j in 0..width {
            values[j] = combine(values[j], values[j + width]);
        }
    }
    values[0]
}

/// What is known of the lowest bits of a kind of numbers: a nonzero `x` is a multiple of
/// `2^max(exponent(x) - digits, floor)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grain {
    pub(super) digits: i32,
    pub(super) floor: i32,
}

impl Grain {
    /// Any `f64`.
    pub(super) const F64: Grain = Grain { digits: 52, floor: -1074 };
    /// An `f32` widened to `f64`.
    pub(super) const F32: Grain = Grain { digits: 23, floor: -149 };
    /// An integer converted to `f64`.
    pub(super) const INTEGER: Grain = Grain { digits: 52, floor: 0 };
}

/// `f32` or `f64` as the loops need them.
pub(super) trait Float: Copy {
    /// Integer of the same width, for comparing magnitudes by their bits.
    type Bits: Copy + Ord;
    const ZERO: Self::Bits;
    const LAST: Self::Bits;
    fn wide(self) -> f64;
    /// The bits without the sign.
    fn magnitude(self) -> Self::Bits;
    /// One less than a magnitude, with zero going to the end of the order.
    fn below(bits: Self::Bits) -> Self::Bits;
    /// The value with the given magnitude.
    fn value(bits: Self::Bits) -> f64;
    /// The inverse of `below`.
    fn above(bits: Self::Bits) -> Self::Bits;
}

macro_rules! float {
    ($float:ty, $bits:ty) => {
        impl Float for $float {
            type Bits = $bits;
            const ZERO: $bits = 0;
            const LAST: $bits = <$bits>::MAX;
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn magnitude(self) -> $bits {
                self.to_bits() as $bits & <$bits>::MAX
            }
            #[inline(always)]
            fn below(bits: $bits) -> $bits {
                bits.wrapping_sub(1) & <$bits>::MAX
            }
            #[inline(always)]
            fn value(bits: $bits) -> f64 {
                <$float>::from_bits(bits as _) as f64
            }
            #[inline(always)]
            fn above(bits: $bits) -> $bits {
                bits.wrapping_add(1) & <$bits>::MAX
            }
        }
    };
}
float!(f32, i32);
float!(f64, i64);

/// Largest magnitude and smallest nonzero magnitude of a row; both zero when all are zero.
/// NaN counts as larger than infinity, so a row with either has a `largest` that is not finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) largest: f64,
    pub(super) smallest: f64,
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn extent<F: Float>(values: &[F]) -> Extent {
    let (mut high, mut low) = (F::ZERO, F::LAST);
    let (groups, rest) = values.as_chunks::<GROUP>();
    if !groups.is_empty() {
        let mut highs = [F::ZERO; GROUP];
        let mut lows = [F::LAST; GROUP];
        for group in groups {
            for j in 0..GROUP {
                let bits = group[j].magnitude();
                highs[j] = highs[j].max(bits);
                lows[j] = lows[j].min(F::below(bits));
            }
        }
        high = halved(highs, |a, b| a.max(b));
        low = halved(lows, |a, b| a.min(b));
    }
    for &x in rest {
        let bits = x.magnitude();
        high = high.max(bits);
        low = low.min(F::below(bits));
    }
    Extent { largest: F::value(high), smallest: F::value(F::above(low)) }
}

/// The extent of a slab: in one go where its rows follow each other.
pub(super) fn extent_of<F: Float>(slab: Slab<'_, F>) -> Extent {
    if let Some(values) = slab.flat() {
        return extent(values);
    }
    let none = Extent { largest: 0.0, smallest: f64::INFINITY };
    let both = slab.iter().map(extent).fold(none, |a, b| Extent {
        // NaN is larger than all.
        largest: if a.largest >= b.largest || a.largest.is_nan() { a.largest } else { b.largest },
        smallest: if b.largest == 0.0 { a.smallest } else { a.smallest.min(b.smallest) },
    });
    Extent { smallest: if both.largest == 0.0 { 0.0 } else { both.smallest }, ..both }
}

/// The sum, in any order (exact by the caller's choice of the row).
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn total<F: Float>(values: &[F]) -> f64 {
    let mut sum = 0.0;
    let (groups, rest) = values.as_chunks::<GROUP>();
    if !groups.is_empty() {
        let mut sums = [0.0; GROUP];
        for group in groups {
            for j in 0..GROUP {
                sums[j] += group[j].wide();
            }
        }
        sum = halved(sums, |a, b| a + b);
    }
    for x in rest {
        sum += x.wide();
    }
    sum
}

/// Splits every value, below `magic / 3`, at the unit of `magic` and sums high parts and low parts.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn split_total<F: Float>(values: &[F], magic: f64) -> (f64, f64) {
    // All `x + magic` are of one exponent, so their bits are counts of units and add up as integers:
    // a vector unit has other places for these than for the floats.
    let (mut high, mut low) = (0u64, 0.0);
    let (groups, rest) = values.as_chunks::<GROUP>();
    if !groups.is_empty() {
        let mut highs = [0u64; GROUP];
        let mut lows = [0.0; GROUP];
        for group in groups {
            for j in 0..GROUP {
                let x = group[j].wide();
                let q = x + magic;
                highs[j] = highs[j].wrapping_add(q.to_bits());
                lows[j] += x - (q - magic);
            }
        }
        high = halved(highs, u64::wrapping_add);
        low = halved(lows, |a, b| a + b);
    }
    for x in rest {
        let x = x.wide();
        let q = x + magic;
        high = high.wrapping_add(q.to_bits());
        low += x - (q - magic);
    }
    let units = high.wrapping_sub(magic.to_bits().wrapping_mul(values.len() as u64)) as i64;
    (units as f64 * (magic / 1.5 * f64::EPSILON), low)
}

/// Takes the part above the unit of `magic` from every value and returns the sum of these parts.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn peel_total(values: &mut [f64], magic: f64) -> f64 {
    let mut sums = [0.0; 8];
    let mut sum = 0.0;
    let (groups, rest) = values.as_chunks_mut::<8>();
    for group in groups {
        for j in 0..8 {
            let q = (group[j] + magic) - magic;
            sums[j] += q;
            group[j] -= q;
        }
    }
    for x in rest {
        let q = (*x + magic) - magic;
        sum += q;
        *x -= q;
    }
    sum + sums.iter().sum::<f64>()
}

/// `plane[j] += values[j]`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn add<F: Float>(plane: &mut [f64], values: &[F]) {
    for (sum, x) in plane.iter_mut().zip(values) {
        *sum += x.wide();
    }
}

/// Moves the part above the unit of `magic` from every value to the plane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn peel(plane: &mut [f64], values: &mut [f64], magic: f64) {
    for (sum, x) in plane.iter_mut().zip(values) {
        let q = (*x + magic) - magic;
        *sum += q;
        *x -= q;
    }
}

/// `squares[j] + errors[j]` is the exact square of `values[j]` (the error by fused multiply-add).
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn square<F: Float>(values: &[F], squares: &mut [f64], errors: &mut [f64]) {
    for ((x, s), e) in values.iter().zip(squares).zip(errors) {
        let x = x.wide();
        let p = x * x;
        *s = p;
        *e = x.mul_add(x, -p);
    }
}
