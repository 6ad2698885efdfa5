//! Which bin an element lies in.

use multiversion::multiversion;

use crate::block::Block;
use crate::dtype::Element;
use crate::error::{KernelError, Result};
use crate::number::CastFrom;

/// How many elements share a test for being near an edge.
const STRETCH: usize = 64;

/// Adding it to a whole number below 2^32 leaves that number in the low bits: a conversion that every vector unit has.
const MAGIC: f64 = 4_503_599_627_370_496.0;

/// The edges of bins, ascending. A bin has its left edge, the last one both.
pub(super) struct Edges {
    at: Vec<f64>,
    /// If the bins are equal.
    uniform: Option<Uniform>,
}

/// Equal bins: an element's place is computed, not searched.
#[derive(Clone, Copy)]
struct Uniform {
    first: f64,
    last: f64,
    /// Bins for a step of 1.
    scale: f64,
    bins: f64,
    /// Elements that are further from the middle of their bin, in bins, may have come one bin too far.
    certain: f64,
}

impl Edges {
    pub(super) fn new(operation: &'static str, block: &Block, uniform: bool) -> Result<Edges> {
        let wrong = |reason: String| Err(KernelError::Parameter { operation, reason });
        let at: Vec<f64> = block.view::<f64>()?.iter().copied().collect();
        let count = at.len().saturating_sub(1);
        let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
            return wrong("there are no edges: give at least one bin".into());
        };
        if count == 0 || count >= u32::MAX as usize {
            return wrong(format!("{count} bins: give 1 to 2^32 - 2"));
        }
        if let Some(pair) = at.windows(2).find(|pair| !matches!(pair, [a, b] if a <= b)) {
            return wrong(format!("the edge {} comes after {}: edges must ascend", pair[1], pair[0]));
        }
        let bins = count as f64;
        let scale = bins / (last - first);
        // A few roundings of the difference, of the product, and of the edges themselves.
        let near = 8.0 * f64::EPSILON * (bins + (first.abs() + last.abs()) * scale);
        let fits = uniform && scale.is_finite() && scale > 0.0 && near < 0.25;
        let uniform = fits.then_some(Uniform { first, last, scale, bins, certain: 0.5 - near });
        Ok(Edges { at, uniform })
    }

    pub(super) fn bins(&self) -> usize {
        self.at.len() - 1
    }

    /// The bin of each element; [`Edges::bins`] for what is in none.
    pub(super) fn places<T: Element>(&self, x: &[T], places: &mut [u32])
    where
        f64: CastFrom<T>,
    {
        let bins = self.bins();
        let Some(uniform) = self.uniform else {
            for (place, &x) in places.iter_mut().zip(x) {
                let x = f64::cast_from(x);
                let behind = self.at.partition_point(|&edge| edge <= x);
                let inside = behind > 0 && (behind <= bins || x == self.at[bins]);
                *place = if inside { (behind - 1).min(bins - 1) } else { bins } as u32;
            }
            return;
        };
        for (x, places) in x.chunks(STRETCH).zip(places.chunks_mut(STRETCH)) {
            if uniform_places(x, places, uniform) {
                self.correct(x, places);
            }
        }
    }

    /// Places that are one off because of rounding, as NumPy corrects them.
    fn correct<T: Element>(&self, x: &[T], places: &mut [u32])
    where
        f64: CastFrom<T>,
    {
        let bins = self.bins();
        for (place, &x) in places.iter_mut().zip(x) {
            let (x, at) = (f64::cast_from(x), *place as usize);
            let (Some(&low), Some(&high)) = (self.at.get(at), self.at.get(at + 1)) else { continue };
            if x < low {
                *place -= 1;
            } else if x >= high && at + 1 < bins {
                *place += 1;
            }
        }
    }
}

/// The bins of elements between equally spaced edges; says whether any lies so near to an edge that it may be one off.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn uniform_places<T: Element>(x: &[T], places: &mut [u32], uniform: Uniform) -> bool
where
    f64: CastFrom<T>,
{
    let Uniform { first, last, scale, bins, certain } = uniform;
    let most = bins - 1.0;
    let mut odd = 0_u64;
    for (place, &x) in places.iter_mut().zip(x) {
        let x = f64::cast_from(x);
        let at = (x - first) * scale;
        let floor = at.floor();
        let inside = x >= first && x <= last;
        odd |= u64::from(inside & ((at - floor - 0.5).abs() > certain));
        let bin = if floor > most { most } else { floor };
        let bin = if inside { bin } else { bins };
        *place = (bin + MAGIC).to_bits() as u32;
    }
    odd != 0
}

/// The edges of `bins` equal bins between two numbers, as NumPy computes them: half a unit to both sides where there is only one
/// number.
///
/// ```
/// use talatat_kernels::bins::uniform_edges;
/// assert_eq!(uniform_edges(2, 0.0, 1.0)?, [0.0, 0.5, 1.0]);
/// assert_eq!(uniform_edges(1, 3.0, 3.0)?, [2.5, 3.5]);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there are no bins, or an end is not finite, or the ends are in the wrong order.
pub fn uniform_edges(bins: usize, low: f64, high: f64) -> Result<Vec<f64>> {
    let wrong = |reason: String| Err(KernelError::Parameter { operation: "histogram", reason });
    if bins == 0 || bins >= u32::MAX as usize {
        return wrong(format!("{bins} bins: give 1 to 2^32 - 2"));
    }
    if !low.is_finite() || !high.is_finite() {
        return wrong(format!(
            "the range from {low} to {high} is not finite: give one, or fill what is not finite first"
        ));
    }
    if low > high {
        return wrong(format!("the range from {low} to {high} has its ends in the wrong order"));
    }
    let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
    let step = (high - low) / bins as f64;
    let mut edges: Vec<f64> = (0..=bins).map(|edge| edge as f64 * step + low).collect();
    edges[bins] = high;
    Ok(edges)
}
