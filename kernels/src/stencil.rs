//! Weighted sums of neighbouring elements.

use multiversion::multiversion;

use super::number::{CastFrom, Number};
use crate::dtype::{C64, C128, Element, f16};

/// Elements that are held in registers while the weights go by.
const LANES: usize = 32;

/// Elements that can be weighed and added up.
pub trait Weighed: Element {
    /// `out[i] = sum(weight * source[offset + i] for (offset, weight) in taps)`, added in the order of the taps. Integers wrap; `bool` is
    /// "or of ands". Elements beyond the end of `source` count as 0.
    fn weigh(source: &[Self], taps: &[(usize, Self)], out: &mut [Self]);
}

/// A loop over registers full of elements; `step` is `sum + weight * element`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn weigh<T: Copy + Default, F: Fn(T, T, T) -> T>(source: &[T], taps: &[(usize, T)], out: &mut [T], step: F) {
    let mut start = 0;
    let mut parts = out.chunks_exact_mut(LANES);
    for part in &mut parts {
        let mut sums = [T::default(); LANES];
        for &(offset, weight) in taps {
            if let Some(values) = source.get(offset + start..).and_then(|rest| rest.first_chunk::<LANES>()) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = step(*sum, weight, *value);
                }
            }
        }
        part.copy_from_slice(&sums);
        start += LANES;
    }
    let rest = parts.into_remainder();
    rest.fill(T::default());
    for &(offset, weight) in taps {
        for (sum, value) in rest.iter_mut().zip(source.get(offset + start..).unwrap_or_default()) {
            *sum = step(*sum, weight, *value);
        }
    }
}

macro_rules! weighed {
    ($($type:ty),*) => {$(
        impl Weighed for $type {
            fn weigh(source: &[Self], taps: &[(usize, Self)], out: &mut [Self]) {
                weigh(source, taps, out, |sum, weight, value| Number::add(sum, Number::mul(weight, value)));
            }
        }
    )*};
}

weighed!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, C64, C128);

/// Added up in `f32`, rounded once.
impl Weighed for f16 {
    fn weigh(source: &[Self], taps: &[(usize, Self)], out: &mut [Self]) {
        let source: Vec<f32> = source.iter().map(|&x| f32::cast_from(x)).collect();
        let taps: Vec<(usize, f32)> = taps.iter().map(|&(offset, weight)| (offset, f32::cast_from(weight))).collect();
        let mut sums = vec![0.0_f32; out.len()];
        f32::weigh(&source, &taps, &mut sums);
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = f16::cast_from(sum));
    }
}

impl Weighed for bool {
    fn weigh(source: &[Self], taps: &[(usize, Self)], out: &mut [Self]) {
        weigh(source, taps, out, |sum, weight, value| sum | (weight & value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_neighbours() {
        let source: Vec<i64> = (0..103).map(|k| k * k).collect();
        let taps = [(0, 1), (3, -2), (4, 5)];
        let mut out = vec![7; 99];
        i64::weigh(&source, &taps, &mut out);
        for (at, found) in out.iter().enumerate() {
            assert_eq!(*found, source[at] - 2 * source[at + 3] + 5 * source[at + 4], "{at}");
        }
        f32::weigh(&[], &[], &mut [1.0]);
    }

    #[test]
    fn truth_values() {
        let mut out = [false; 2];
        bool::weigh(&[true, false, false], &[(0, true), (1, true)], &mut out);
        assert_eq!(out, [true, false]);
    }

    #[test]
    fn halves_and_complex_numbers() {
        let mut out = [f16::ZERO; 2];
        let one = f16::ONE;
        // The second sum is 1 + 2^-11 + 2^-11: in halves each addition would be lost.
        let small = f16::from_f32(1.0 / 2048.0);
        f16::weigh(&[one, one, small, small], &[(0, one), (1, one), (2, one)], &mut out);
        assert_eq!(out, [f16::from_f32(2.0), f16::from_f32(1.0 + 1.0 / 1024.0)]);
        let mut out = [C128::default(); 1];
        C128::weigh(&[C128::new(1.0, 2.0)], &[(0, C128::new(0.0, 1.0))], &mut out);
        assert_eq!(out, [C128::new(-2.0, 1.0)]);
    }
}
