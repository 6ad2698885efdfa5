//! Mean and spread: exact sums of the values and of their squares.
//!
//! `x²` is `p + e` exactly, with `p` the rounded product and `e = fma(x, x, -p)`, as long as nothing
//! underflows or overflows; values outside that range are squared after scaling by a power of two.
//! With both sums exact, `(n·Σx² - (Σx)²) / (n·(n - ddof))` is evaluated in whole numbers and rounded
//! once: cancellation costs nothing.

use serde::{Deserialize, Serialize};

use super::exact::{Bins, Total};
use super::number::{Fixed, power_of_two};
use super::planes::{Bound, SHORT};
use super::quick::Pair;
use super::simd::{self, Extent, Float, Grain};
use super::slab::{BLOCK, Slab, Target};

/// Squares of magnitudes in between neither overflow nor lose bits.
const SMALL: f64 = f64::from_bits((1023 - 400) << 52);
const LARGE: f64 = f64::from_bits((1023 + 340) << 52);
/// Small values are multiplied, large ones divided by two to this before squaring.
const SHIFT: i32 = 700;

/// Sums of values and of squares per lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Moments {
    sum: Bins,
    squares: Bins,
    /// Squares of the small and of the large values, scaled.
    scaled: Option<Box<[Bins; 2]>>,
}

impl Moments {
    pub(super) fn new(lanes: usize) -> Moments {
        Moments { sum: Bins::new(lanes), squares: Bins::new(lanes), scaled: None }
    }

    /// Adds a slab and its squares.
    pub(super) fn add<F: Float>(&mut self, target: Target, slab: Slab<'_, F>, grain: Grain) {
        match slab.rows() * slab.width() {
            n if n <= SHORT => self.add_blocks::<F, SHORT>(target, slab, grain),
            ..=512 => self.add_blocks::<F, 512>(target, slab, grain),
            _ => self.add_blocks::<F, BLOCK>(target, slab, grain),
        }
    }

    /// As [`Moments::add`], `N` values at a time.
    fn add_blocks<F: Float, const N: usize>(&mut self, target: Target, slab: Slab<'_, F>, grain: Grain) {
        let (mut wide, mut space) = ([0.0; N], [[0.0; N]; 2]);
        slab.for_blocks(target, N, |target, block, _| {
            let extent = simd::extent_of(block);
            self.sum.add_block(target, block, extent, grain);
            let shape = Shape { target, rows: block.rows(), width: block.width() };
            if extent.largest < LARGE && (extent.smallest >= SMALL || extent.largest == 0.0) {
                add_squares(&mut self.squares, shape, block.iter(), &mut space, extent, grain);
            } else {
                for (slots, row) in wide.chunks_mut(block.width()).zip(block.iter()) {
                    for (slot, x) in slots.iter_mut().zip(row) {
                        *slot = x.wide();
                    }
                }
                self.set_apart(shape, &mut wide[..block.rows() * block.width()], &mut space, grain);
            }
        });
    }

    /// Takes the values that cannot be squared as they are out of the block and adds their scaled squares.
    /// What is not finite is dropped: the sum has it.
    #[cold]
    fn set_apart<const N: usize>(&mut self, shape: Shape, block: &mut [f64], space: &mut [[f64; N]; 2], grain: Grain) {
        let scaled = self.scaled.get_or_insert_with(|| {
            let empty = Bins::new(self.squares.lanes());
            Box::new([empty.clone(), empty])
        });
        let mut apart = [[0.0; N]; 2];
        for (j, x) in block.iter_mut().enumerate() {
            let size = x.abs();
            if (SMALL..LARGE).contains(&size) {
                continue;
            }
            let taken = std::mem::take(x);
            if size < SMALL {
                apart[0][j] = taken * power_of_two(SHIFT);
            } else if size.is_finite() {
                apart[1][j] = taken * power_of_two(-SHIFT);
            }
        }
        for (bins, values) in scaled.iter_mut().zip(&apart) {
            let values = &values[..block.len()];
            add_squares(bins, shape, [values].into_iter(), space, simd::extent(values), Grain::F64);
        }
        let extent = simd::extent(block);
        add_squares(&mut self.squares, shape, [&*block].into_iter(), space, extent, grain);
    }

    pub(super) fn merge(&mut self, other: &Moments) {
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        if let Some(theirs) = &other.scaled {
            match &mut self.scaled {
                Some(mine) => mine.iter_mut().zip(theirs.iter()).for_each(|(a, b)| a.merge(b)),
                None => self.scaled = Some(theirs.clone()),
            }
        }
    }

    /// The variance of a lane of `count` values with `ddof` degrees of freedom taken off, correctly
    /// rounded; NaN without degrees of freedom or with values that are not finite.
    pub(super) fn variance(&self, lane: usize, count: u64, ddof: u32) -> f64 {
        let freedom = count.saturating_sub(u64::from(ddof));
        if let Some(variance) = self.quick_variance(lane, count, freedom) {
            return variance;
        }
        let Total::Exact(sum) = self.sum.total(lane) else {
            return f64::NAN;
        };
        if freedom == 0 {
            return f64::NAN;
        }
        let scaled = self.scaled.iter().flat_map(|scaled| scaled.iter().zip([-2 * SHIFT, 2 * SHIFT]));
        let squares = Bins::combined(std::iter::once((&self.squares, 0)).chain(scaled), lane);
        let spread = Fixed::spread(count, &sum, &squares);
        match count.checked_mul(freedom) {
            Some(divisor) => spread.divided(&[divisor]).to_f64(),
            None => spread.divided(&[count, freedom]).to_f64(),
        }
    }

    /// As [`Moments::variance`], if that can be had from pairs of floats.
    #[inline(always)]
    fn quick_variance(&self, lane: usize, count: u64, freedom: u64) -> Option<f64> {
        let divisor = count.checked_mul(freedom).filter(|divisor| (1..1 << 53).contains(divisor))?;
        if self.scaled.is_some() {
            return None;
        }
        let spread = Pair::spread(count as f64, self.sum.pair(lane)?, self.squares.pair(lane)?)?;
        if spread.is_positive() { spread.divided(divisor as f64) } else { None }
    }

    pub(super) fn nbytes(&self) -> usize {
        let scaled = self.scaled.iter().flat_map(|scaled| scaled.iter()).map(Bins::nbytes).sum::<usize>();
        self.sum.nbytes() + self.squares.nbytes() + scaled
    }

    /// Whether the fields can have come from this code (after decoding).
    pub(super) fn is_sound(&self, lanes: usize) -> bool {
        self.sum.is_sound(lanes)
            && self.squares.is_sound(lanes)
            && self.scaled.iter().flat_map(|scaled| scaled.iter()).all(|bins| bins.is_sound(lanes))
    }
}

/// The form of a block, and its lanes.
#[derive(Clone, Copy)]
struct Shape {
    target: Target,
    rows: usize,
    width: usize,
}

/// Adds the exact squares of a block of at most `N` values, in rows or all at once, all zero or in the range for it.
fn add_squares<'v, F: Float + 'v, const N: usize>(
    bins: &mut Bins,
    shape: Shape,
    rows: impl Iterator<Item = &'v [F]>,
    space: &mut [[f64; N]; 2],
    extent: Extent,
    grain: Grain,
) {
    if extent.largest == 0.0 {
        return;
    }
    let (squares, errors) = Bound::new(extent, grain).of_squares(extent, grain.digits);
    let [p, e] = space;
    let mut start = 0;
    for row in rows {
        if let (Some(p), Some(e)) = (p.get_mut(start..start + row.len()), e.get_mut(start..start + row.len())) {
            simd::square(row, p, e);
        }
        start += row.len();
    }
    let block = |values| Slab::new(values, shape.rows, shape.width, shape.width);
    if let Some(squared) = block(&p[..]) {
        bins.add_bounded(shape.target, squared, squares);
    }
    if let Some(errors) = errors
        && let Some(rounded) = block(&e[..])
    {
        bins.add_bounded(shape.target, rounded, errors);
    }
}
