//! Exact sums of floats, whatever their exponents: [`Bins`] adds the rare cases to [`Planes`].

use super::number::{Fixed, power_of_two};
use super::planes::{Bound, HUGE, Planes};
use super::quick::Pair;
use super::simd::{self, Extent, Float, Grain};
use super::slab::{BLOCK, Slab, Target};

/// Values from [`HUGE`] on are kept times two to the minus this.
const SHIFT: i32 = 400;

/// Exact sums of any floats per lane: NaN and the infinities are summed apart, as are huge values.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Bins {
    lanes: usize,
    planes: Planes,
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Rare {
    /// Sum of the values that are not finite; zero where there are none.
    special: Vec<f64>,
    /// Sum of the huge values times `2^-SHIFT`.
    huge: Planes,
}

/// The sum of one lane.
pub(super) enum Total {
    /// A finite sum.
    Exact(Fixed),
    /// Infinite, or NaN.
    Special(f64),
}

impl Bins {
    pub(super) fn new(lanes: usize) -> Bins {
        Bins { lanes, planes: Planes::new(lanes), rare: None }
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    fn rare(&mut self) -> &mut Rare {
        let lanes = self.lanes;
        self.rare.get_or_insert_with(|| Box::new(Rare { special: vec![0.0; lanes], huge: Planes::new(lanes) }))
    }

    /// Adds a slab.
    pub(super) fn add<F: Float>(&mut self, target: Target, slab: Slab<'_, F>, grain: Grain) {
        slab.for_blocks(target, BLOCK, |target, block, _| self.add_block(target, block, simd::extent_of(block), grain));
    }

    /// Adds a block of known extent: at most [`BLOCK`] values, to lanes of one segment.
    pub(super) fn add_block<F: Float>(&mut self, target: Target, block: Slab<'_, F>, extent: Extent, grain: Grain) {
        if extent.largest >= HUGE || extent.largest.is_nan() {
            self.add_usual(target, block, grain);
        } else if extent.largest != 0.0 {
            self.planes.add(target, block, Bound::new(extent, grain));
        }
    }

    /// Adds a block of values within the bound, itself below [`HUGE`].
    pub(super) fn add_bounded(&mut self, target: Target, block: Slab<'_, f64>, bound: Bound) {
        self.planes.add(target, block, bound);
    }

    /// Adds a block that has values which are not finite or huge: these apart.
    #[cold]
    fn add_usual<F: Float>(&mut self, target: Target, block: Slab<'_, F>, grain: Grain) {
        let mut usual = [0.0; BLOCK];
        let rare = self.rare();
        let mut slots = usual.iter_mut();
        for (i, row) in block.iter().enumerate() {
            for (j, (x, slot)) in row.iter().zip(&mut slots).enumerate() {
                let x = x.wide();
                let lane = target.lane(i, j);
                if x.abs() < HUGE {
                    *slot = x;
                } else if x.is_finite() {
                    rare.huge.add_value(lane, x * power_of_two(-SHIFT));
                } else if let Some(special) = rare.special.get_mut(lane) {
                    *special += x;
                }
            }
        }
        let Some(usual) = Slab::new(&usual, block.rows(), block.width(), block.width()) else {
            return;
        };
        let extent = simd::extent_of(usual);
        if extent.largest != 0.0 {
            self.planes.add(target, usual, Bound::new(extent, grain));
        }
    }

    /// Adds the other's sums, lane by lane.
    pub(super) fn merge(&mut self, other: &Bins) {
        self.planes.merge(&other.planes);
        if let Some(other) = &other.rare {
            let rare = self.rare();
            rare.huge.merge(&other.huge);
            simd::add(&mut rare.special, &other.special);
        }
    }

    /// Finite terms of a lane: `value · 2^scale`.
    fn terms(&self, lane: usize) -> impl Iterator<Item = (f64, i32)> + Clone {
        let huge = self.rare.as_ref().map(|rare| rare.huge.terms(lane)).into_iter().flatten();
        self.planes.terms(lane).map(|x| (x, 0)).chain(huge.map(|x| (x, SHIFT)))
    }

    /// The sum of a lane.
    pub(super) fn total(&self, lane: usize) -> Total {
        match self.special(lane) {
            Some(special) => Total::Special(special),
            None => Total::Exact(Fixed::sum(self.terms(lane))),
        }
    }

    /// The sum of a lane as a pair, if all is of everyday size.
    #[inline(always)]
    pub(super) fn pair(&self, lane: usize) -> Option<Pair> {
        if self.rare.is_some() { None } else { Pair::sum(self.planes.terms(lane)) }
    }

    /// The sum of a lane's values that are not finite, if it has any.
    pub(super) fn special(&self, lane: usize) -> Option<f64> {
        let special = *self.rare.as_ref()?.special.get(lane)?;
        // Canonical, as which NaN comes out of an addition depends on the order.
        (special != 0.0).then_some(if special.is_nan() { f64::NAN } else { special })
    }

    /// The exact sum of a lane of several bins, each of its own scale.
    pub(super) fn combined<'b>(bins: impl Iterator<Item = (&'b Bins, i32)> + Clone, lane: usize) -> Fixed {
        Fixed::sum(bins.flat_map(move |(bins, scale)| bins.terms(lane).map(move |(x, own)| (x, own + scale))))
    }

    pub(super) fn nbytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| rare.special.len() * 8 + rare.huge.nbytes());
        self.planes.nbytes() + rare
    }

    /// Whether the fields can have come from this code (after decoding).
    pub(super) fn is_sound(&self, lanes: usize) -> bool {
        self.lanes == lanes
            && self.planes.is_sound(lanes)
            && self.rare.as_ref().is_none_or(|rare| {
                rare.special.len() == lanes
                    && rare.special.iter().all(|x| *x == 0.0 || !x.is_finite())
                    && rare.huge.is_sound(lanes)
            })
    }
}
