//! Mean and spread: exact sums of the values and of their squares.
//!
//! `x²` is `p + e` exactly, with `p` the rounded product and `e = fma(x, x, -p)`, as long as nothing
//! underflows or overflows; values outside that range are squared after scaling by a power of two.
//! With both sums exact, `(n·Σx² - (Σx)²) / (n·(n - ddof))` is evaluated in whole numbers and rounded
//! once: cancellation costs nothing.

use serde::{Deserialize, Serialize};

use super::exact::{Bins, Total};
use super::number::{Fixed, power_of_two};
use super::planes::{Bound, SHORT, Target};
use super::simd::{self, Extent, Float, Grain};

/// Values squared at once.
const PIECE: usize = 512;
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

    /// Adds a row and its squares.
    pub(super) fn add<F: Float>(&mut self, target: Target, values: &[F], grain: Grain) {
        if values.len() <= SHORT {
            self.add_pieces::<F, SHORT>(target, values, grain);
        } else {
            self.add_pieces::<F, PIECE>(target, values, grain);
        }
    }

    /// As [`Moments::add`], `N` values at a time.
    fn add_pieces<F: Float, const N: usize>(&mut self, target: Target, values: &[F], grain: Grain) {
        let (mut wide, mut space) = ([0.0; N], [[0.0; N]; 2]);
        for (row, offset) in values.chunks(N).zip((0..).step_by(N)) {
            let target = target.after(offset);
            let extent = simd::extent(row);
            self.sum.add_row(target, row, extent, grain);
            for (slot, x) in wide.iter_mut().zip(row) {
                *slot = x.wide();
            }
            let row = &mut wide[..row.len()];
            if extent.largest < LARGE && (extent.smallest >= SMALL || extent.largest == 0.0) {
                add_squares(&mut self.squares, target, row, &mut space, extent, grain);
            } else {
                self.set_apart(target, row, &mut space, grain);
            }
        }
    }

    /// Takes the values that cannot be squared as they are out of the row and adds their scaled squares.
    /// What is not finite is dropped: the sum has it.
    #[cold]
    fn set_apart<const N: usize>(&mut self, target: Target, row: &mut [f64], space: &mut [[f64; N]; 2], grain: Grain) {
        let scaled = self.scaled.get_or_insert_with(|| {
            let empty = Bins::new(self.squares.lanes());
            Box::new([empty.clone(), empty])
        });
        let mut apart = [[0.0; N]; 2];
        for (j, x) in row.iter_mut().enumerate() {
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
            let values = &values[..row.len()];
            add_squares(bins, target, values, space, simd::extent(values), Grain::F64);
        }
        add_squares(&mut self.squares, target, row, space, simd::extent(row), grain);
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

/// Adds the exact squares of a row of at most `N` values, all zero or in the range for it.
fn add_squares<const N: usize>(
    bins: &mut Bins,
    target: Target,
    row: &[f64],
    space: &mut [[f64; N]; 2],
    extent: Extent,
    grain: Grain,
) {
    if extent.largest == 0.0 {
        return;
    }
    let (squares, errors) = Bound::new(extent, grain).of_squares(extent, grain.digits);
    let [p, e] = space.each_mut().map(|space| &mut space[..row.len()]);
    simd::square(row, p, e);
    bins.add_bounded(target, p, squares);
    if let Some(errors) = errors {
        bins.add_bounded(target, e, errors);
    }
}
