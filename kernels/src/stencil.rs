//! Weighted sums of neighbouring elements.

use multiversion::multiversion;

use super::number::Number;
use crate::dtype::Element;

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

weighed!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

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
}
