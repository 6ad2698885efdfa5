//! The loops over slices, compiled for several instruction sets.
//!
//! Each function here is compiled for AVX-512, for AVX2 with fused multiply-add, and for what the
//! build targets; the best is chosen once, when the program runs. The operation comes in as a
//! function item or a small closure and is inlined into all three, so an operation is one line
//! where it is named and its loop is vectorised by the compiler.
//!
//! Big operations must be `#[inline(always)]` functions passed by name: a closure around them may
//! be too large to be inlined, and a call per element costs the vectorisation.
//! Slices of unequal length are processed to the end of the shortest.

use multiversion::multiversion;

use super::lane::{Lane, Slice, SliceMut};
use super::number::CastFrom;
use crate::dtype::with_dtype;

/// `out[i] = f(x[i])`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn map1<T: Copy, U, F: Fn(T) -> U>(x: &[T], out: &mut [U], f: F) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

/// `out[i] = f(a[i], b[i])`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn map2<T: Copy, V: Copy, U, F: Fn(T, V) -> U>(a: &[T], b: &[V], out: &mut [U], f: F) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
}

/// `out[i] = f(a[i], b)`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn map1_with<T: Copy, V: Copy, U, F: Fn(T, V) -> U>(a: &[T], b: V, out: &mut [U], f: F) {
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a, b);
    }
}

/// `out[i] = if condition[i] { a[i] } else { b[i] }`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn select<T: Copy>(condition: &[bool], a: &[T], b: &[T], out: &mut [T]) {
    for (((out, &condition), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
        *out = if condition { a } else { b };
    }
}

/// `out[i] = f(x[i])`; returns whether `odd` holds for some `x[i]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn map1_checked<T: Copy, U, F: Fn(T) -> U, P: Fn(T) -> bool>(x: &[T], out: &mut [U], f: F, odd: P) -> bool {
    let mut found = 0_u64;
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
        found |= u64::from(odd(x));
    }
    found != 0
}

/// `out[i] = f(start + i * step)`, wrapping.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub fn progression<T, F: Fn(i64) -> T>(start: i64, step: i64, out: &mut [T], f: F) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = f(start.wrapping_add((i as i64).wrapping_mul(step)));
    }
}

/// Converts the elements of one slice to the type of another, as [`CastFrom`] says.
pub fn cast(x: Slice<'_>, out: &mut SliceMut<'_>) {
    with_dtype!(x.dtype(), S => with_dtype!(out.dtype(), D => {
        if let (Some(x), Some(out)) = (<S as Lane>::slice(&x), <D as Lane>::slice_mut(out)) {
            map1(x, out, <D as CastFrom<S>>::cast_from);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progressions_wrap() {
        let mut out = [0; 4];
        progression(i64::MAX, 1, &mut out, |i| i);
        assert_eq!(out, [i64::MAX, i64::MIN, i64::MIN + 1, i64::MIN + 2]);
        progression(7, -3, &mut out, |i| i);
        assert_eq!(out, [7, 4, 1, -2]);
    }

    #[test]
    fn checked_map_finds_one() {
        let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let mut out = vec![0.0; 100];
        assert!(map1_checked(&x, &mut out, |x| x + 1.0, |x| x == 77.0));
        assert!(!map1_checked(&x, &mut out, |x| x + 1.0, |x| x == 77.5));
        assert_eq!(out[99], 100.0);
    }
}
