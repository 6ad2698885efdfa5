//! Slabs of floats into planes: every value is cut at fixed powers of two, and the parts of a lane are added up.
//!
//! A lane's sums stay in registers over the rows of a slab. No addition rounds, by the caller's choice of units, so
//! their order is free.

use multiversion::multiversion;

use super::simd::Float;
use super::slab::Slab;

/// Lanes, or running sums of one lane, that are worked on together.
const WIDE: usize = 32;
const NARROW: usize = 8;

/// The parts of a value, from the highest; adding and subtracting a magic number rounds to a multiple of its unit.
/// The last magic number is not used: the last part is the rest.
#[inline(always)]
fn parts<const P: usize>(x: f64, magics: &[f64; P]) -> [f64; P] {
    let mut rest = x;
    let mut parts = [0.0; P];
    for p in 0..P - 1 {
        let q = (rest + magics[p]) - magics[p];
        parts[p] = q;
        rest -= q;
    }
    parts[P - 1] = rest;
    parts
}

/// Adds the parts of element `j` of every row to lane `j` of each plane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn columns<F: Float, const P: usize>(planes: &mut [&mut [f64]; P], slab: Slab<'_, F>, magics: [f64; P]) {
    let width = planes.iter().fold(slab.width(), |width, plane| width.min(plane.len()));
    let mut start = 0;
    while start + WIDE <= width {
        columns_of::<F, P, WIDE>(planes, slab, &magics, start);
        start += WIDE;
    }
    while start + NARROW <= width {
        columns_of::<F, P, NARROW>(planes, slab, &magics, start);
        start += NARROW;
    }
    while start < width {
        columns_of::<F, P, 1>(planes, slab, &magics, start);
        start += 1;
    }
}

/// `N` columns from `start` on.
#[inline(always)]
fn columns_of<F: Float, const P: usize, const N: usize>(
    planes: &mut [&mut [f64]; P],
    slab: Slab<'_, F>,
    magics: &[f64; P],
    start: usize,
) {
    let mut sums = [[0.0; N]; P];
    for p in 0..P {
        if let Some(lanes) = planes[p].get(start..).and_then(|lanes| lanes.first_chunk::<N>()) {
            sums[p] = *lanes;
        }
    }
    for row in slab.iter() {
        let Some(row) = row.get(start..).and_then(|row| row.first_chunk::<N>()) else { break };
        for j in 0..N {
            let parts = parts(row[j].wide(), magics);
            for p in 0..P {
                sums[p][j] += parts[p];
            }
        }
    }
    for p in 0..P {
        if let Some(lanes) = planes[p].get_mut(start..).and_then(|lanes| lanes.first_chunk_mut::<N>()) {
            *lanes = sums[p];
        }
    }
}

/// Adds the parts of all elements of row `i` to lane `i` of each plane.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx512cd+avx2+fma+bmi2", "x86_64+avx2+fma+bmi2"))]
pub(super) fn runs<F: Float, const P: usize>(planes: &mut [&mut [f64]; P], slab: Slab<'_, F>, magics: [f64; P]) {
    for (i, row) in slab.iter().enumerate() {
        let mut sums = [[0.0; NARROW]; P];
        let (groups, rest) = row.as_chunks::<NARROW>();
        for group in groups {
            for j in 0..NARROW {
                let parts = parts(group[j].wide(), &magics);
                for p in 0..P {
                    sums[p][j] += parts[p];
                }
            }
        }
        // A zero has no parts.
        let mut last = [0.0; NARROW];
        for (slot, x) in last.iter_mut().zip(rest) {
            *slot = x.wide();
        }
        for j in 0..NARROW {
            let parts = parts(last[j], &magics);
            for p in 0..P {
                sums[p][j] += parts[p];
            }
        }
        for p in 0..P {
            let mut sum = sums[p];
            for half in [4, 2, 1] {
                for j in 0..half {
                    sum[j] += sum[j + half];
                }
            }
            if let Some(lane) = planes[p].get_mut(i) {
                *lane += sum[0];
            }
        }
    }
}
