//! The loops of running sums and products.

// Segments are walked side by side: the index that counts is the one within each of them.
#![allow(clippy::needless_range_loop)]

use multiversion::multiversion;

use super::SEGMENT;
use crate::number::Number;

/// How many segments of a row are added side by side.
const SIDE_BY_SIDE: usize = 8;

/// What is known of the elements before a place, for each line: `hi + lo` over all whole segments, `local` since the last one.
pub(super) trait Rule<T> {
    fn identity() -> T;
    fn join(a: T, b: T) -> T;
    /// Takes a segment's result into those before it.
    fn close(hi: T, lo: T, local: T) -> (T, T);
}

pub(super) struct Sums;
pub(super) struct Products;

impl<T: Number> Rule<T> for Sums {
    /// -0.0 for floats, which changes nothing it is added to.
    #[inline(always)]
    fn identity() -> T {
        T::ZERO.neg()
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a.add(b)
    }

    /// Knuth's sum without an error, whose low part is kept. For integers the low part is always 0.
    #[inline(always)]
    fn close(hi: T, lo: T, local: T) -> (T, T) {
        let sum = hi.add(local);
        let part = sum.sub(hi);
        let low = lo.add(hi.sub(sum.sub(part)).add(local.sub(part)));
        let whole = if low == T::ZERO { sum } else { sum.add(low) };
        let rest = low.sub(whole.sub(sum));
        // Infinity has no low part.
        if sum.sub(sum) == T::ZERO { (whole, rest) } else { (sum, T::ZERO) }
    }
}

impl<T: Number> Rule<T> for Products {
    #[inline(always)]
    fn identity() -> T {
        <T as Number>::ONE
    }

    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a.mul(b)
    }

    #[inline(always)]
    fn close(hi: T, lo: T, local: T) -> (T, T) {
        (hi.mul(local), lo)
    }
}

/// How a block lies to the segments.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// Elements of a segment that began before the block.
    pub(super) head: usize,
    /// Whether that segment ends with them.
    pub(super) closes: bool,
    /// Whole segments.
    pub(super) full: usize,
    /// Elements of the last segment, which ends behind the block.
    pub(super) tail: usize,
}

impl Parts {
    pub(super) fn new(origin: usize, length: usize, chained: bool) -> Parts {
        if chained {
            return Parts { head: length, closes: false, full: 0, tail: 0 };
        }
        let begun = origin % SEGMENT;
        let head = if begun == 0 { 0 } else { length.min(SEGMENT - begun) };
        let rest = length - head;
        Parts { head, closes: begun != 0 && head == SEGMENT - begun, full: rest / SEGMENT, tail: rest % SEGMENT }
    }
}

/// One outer index of a block: `length` rows of `inner` elements.
#[derive(Clone, Copy)]
pub(super) struct Sheet {
    pub(super) inner: usize,
    pub(super) parts: Parts,
}

/// The running results of columns `start..start + width`, in place; from `source` if there is one.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn scan_columns<T: Number, R: Rule<T>>(
    out: &mut [T],
    source: Option<&[T]>,
    sheet: Sheet,
    start: usize,
    state: [&mut [T]; 3],
    _rule: R,
) {
    let [hi, lo, local] = state;
    let Parts { head, closes, full, tail } = sheet.parts;
    let width = local.len();
    let mut row = 0;
    let pieces = [(head, closes)].into_iter().chain((0..full).map(|_| (SEGMENT, true))).chain([(tail, false)]);
    for (rows, closes) in pieces {
        for _ in 0..rows {
            let at = row * sheet.inner + start;
            row += 1;
            let Some(out) = out.get_mut(at..at + width) else { return };
            if let Some(source) = source.and_then(|source| source.get(at..at + width)) {
                out.copy_from_slice(source);
            }
            for ((out, local), &hi) in out.iter_mut().zip(local.iter_mut()).zip(hi.iter()) {
                *local = R::join(*local, *out);
                *out = R::join(hi, *local);
            }
        }
        if closes {
            close_all::<T, R>(hi, lo, local);
        }
    }
}

#[inline(always)]
pub(super) fn close_all<T: Number, R: Rule<T>>(hi: &mut [T], lo: &mut [T], local: &mut [T]) {
    for ((hi, lo), local) in hi.iter_mut().zip(lo).zip(local) {
        (*hi, *lo) = R::close(*hi, *lo, *local);
        *local = R::identity();
    }
}

/// The running results of one row that lies in one piece, in place; from `source` if there is one.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn scan_row<T: Number, R: Rule<T>>(
    out: &mut [T],
    source: Option<&[T]>,
    parts: Parts,
    state: [&mut T; 3],
    _rule: R,
) {
    let [hi, lo, local] = state;
    let fill = |out: &mut [T], from: usize| {
        if let Some(source) = source.and_then(|source| source.get(from..from + out.len())) {
            out.copy_from_slice(source);
        }
    };
    let follow = |out: &mut [T], hi: T, local: &mut T| {
        for out in out {
            *local = R::join(*local, *out);
            *out = R::join(hi, *local);
        }
    };
    let Some((first, rest)) = out.split_at_mut_checked(parts.head) else { return };
    fill(first, 0);
    follow(first, *hi, local);
    if parts.closes {
        (*hi, *lo) = R::close(*hi, *lo, *local);
        *local = R::identity();
    }
    let mut at = parts.head;
    let (segments, tail) = rest.as_chunks_mut::<SEGMENT>();
    let (groups, singles) = segments.as_chunks_mut::<SIDE_BY_SIDE>();
    for group in groups {
        fill(group.as_flattened_mut(), at);
        at += SIDE_BY_SIDE * SEGMENT;
        let mut sums = [R::identity(); SIDE_BY_SIDE];
        for i in 0..SEGMENT {
            for j in 0..SIDE_BY_SIDE {
                sums[j] = R::join(sums[j], group[j][i]);
                group[j][i] = sums[j];
            }
        }
        for (segment, sum) in group.iter_mut().zip(sums) {
            for out in segment {
                *out = R::join(*hi, *out);
            }
            (*hi, *lo) = R::close(*hi, *lo, sum);
        }
    }
    for segment in singles {
        fill(segment, at);
        at += SEGMENT;
        let mut sum = R::identity();
        follow(segment, *hi, &mut sum);
        (*hi, *lo) = R::close(*hi, *lo, sum);
    }
    fill(tail, at);
    follow(tail, *hi, local);
}

/// The results of whole segments of columns `start..`, then that of the last, which is cut; `rows` has one more row than there
/// are whole segments.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn total_columns<T: Number, R: Rule<T>>(
    x: &[T],
    rows: &mut [T],
    sheet: Sheet,
    start: usize,
    width: usize,
    _rule: R,
) {
    let mut row = sheet.parts.head;
    for number in 0..=sheet.parts.full {
        let count = if number == sheet.parts.full { sheet.parts.tail } else { SEGMENT };
        let at = number * sheet.inner + start;
        let Some(sums) = rows.get_mut(at..at + width) else { return };
        sums.fill(R::identity());
        for _ in 0..count {
            let at = row * sheet.inner + start;
            row += 1;
            let Some(x) = x.get(at..at + width) else { return };
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = R::join(*sum, x);
            }
        }
    }
}

/// [`total_columns`] of one row that lies in one piece.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
pub(super) fn total_row<T: Number, R: Rule<T>>(x: &[T], totals: &mut [T], parts: Parts, _rule: R) {
    let (segments, tail) = x.get(parts.head..).unwrap_or_default().as_chunks::<SEGMENT>();
    let (groups, singles) = segments.as_chunks::<SIDE_BY_SIDE>();
    let mut slots = totals.iter_mut();
    for group in groups {
        let mut sums = [R::identity(); SIDE_BY_SIDE];
        for i in 0..SEGMENT {
            for j in 0..SIDE_BY_SIDE {
                sums[j] = R::join(sums[j], group[j][i]);
            }
        }
        slots.by_ref().zip(sums).for_each(|(slot, sum)| *slot = sum);
    }
    for (x, slot) in singles.iter().map(|segment| &segment[..]).chain([tail]).zip(slots) {
        *slot = x.iter().fold(R::identity(), |sum, &x| R::join(sum, x));
    }
}
