//! Exact sums of many lanes at once: one plane of `f64` for each range of exponents.
//!
//! A plane of unit `u` holds for every lane an integer multiple of `2^u`, and is added to only what is
//! such a multiple, so no addition ever rounds. A value `x` is split at a unit by
//! `q = (x + 1.5·2^(52+u)) - 1.5·2^(52+u)`: `q` is `x` rounded to a multiple of `2^u`, and `x - q` is exact
//! and goes to the next lower plane. The planes' units lie 40 bits apart; the first row fixes where. A value
//! puts at most 2^40 units into a plane, so carries are due only every few thousand rows.
//!
//! After Demmel and Nguyen, "Parallel Reproducible Summation" (IEEE Trans. Computers 64, 2015), but with as
//! many planes as the data asks for, so that the sum is not only reproducible but exact (as Neal's
//! superaccumulators, arXiv:1505.05571, are).

use smallvec::SmallVec;

use super::number::power_of_two;
use super::simd::{self, Extent, Float, Grain};
use super::slab::{BLOCK, Slab, Target};
use super::{split, wire};

/// Bits between the units of neighbouring planes.
const STEP: i32 = 40;
/// Additions a lane takes before its carries must be moved up: `LIMIT · 2^40 < 2^52`.
const LIMIT: u32 = 4000;
/// Lanes that share a count of additions; also the longest row worked on at once.
pub(super) const SEGMENT: usize = 1024;
/// The longest row summed in registers: `2^(52-11)` units each leave room for 2^11 values.
pub(super) const ROW: usize = 2048;
/// Rows up to this length get working space of this length: clearing the full one would cost more.
pub(super) const SHORT: usize = 16;
/// Rows from this length on go to their lane one by one.
const LONG: usize = 256;
/// Magnitudes handed to [`Planes`] lie below this, which leaves room for 2^64 of them and for `magic`.
pub(super) const HUGE: f64 = f64::from_bits((700 + 1023) << 52);
const LOWEST: i32 = -1074;

/// One range of exponents.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Plane {
    /// The unit is `2^unit(anchor, level)`.
    level: i32,
    #[serde(with = "wire::small")]
    sums: SmallVec<[f64; 2]>,
}

/// Exact sums of values below [`HUGE`] in magnitude.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Planes {
    lanes: usize,
    /// The unit's exponent at level 0.
    anchor: Option<i32>,
    /// From the highest level to the lowest.
    #[serde(with = "wire::small")]
    planes: SmallVec<[Plane; 3]>,
    /// Additions since the last carry, per segment of lanes.
    #[serde(with = "wire::small")]
    adds: SmallVec<[u32; 4]>,
}

/// Exponent of the leading bit; below all others for zero.
fn exponent(x: f64) -> i32 {
    let bits = x.to_bits() & (u64::MAX >> 1);
    match (bits >> 52) as i32 {
        0 => 63 - bits.leading_zeros() as i32 + LOWEST,
        field => field - 1023,
    }
}

/// Adding and subtracting it rounds to a multiple of `2^unit`.
fn magic(unit: i32) -> f64 {
    1.5 * power_of_two(52 + unit)
}

/// A copy of the row in `f64`, in the front of `buffer`.
fn widened<'b, F: Float, const N: usize>(row: &[F], buffer: &'b mut [f64; N]) -> &'b mut [f64] {
    for (slot, x) in buffer.iter_mut().zip(row) {
        *slot = x.wide();
    }
    &mut buffer[..row.len().min(N)]
}

/// What holds for all values of a row: below `2^top` in magnitude, and multiples of `2^grain`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) top: i32,
    pub(super) grain: i32,
}

impl Bound {
    /// The bound of a row of finite values with the given extent, not all zero.
    pub(super) fn new(extent: Extent, grain: Grain) -> Bound {
        Bound { top: exponent(extent.largest) + 1, grain: (exponent(extent.smallest) - grain.digits).max(grain.floor) }
    }

    /// The bounds of the squares rounded to `f64` and of the errors of this rounding; no bound for
    /// errors that are all zero. `digits` are those of the [`Grain`]. Neither overflow nor underflow may occur.
    pub(super) fn of_squares(self, extent: Extent, digits: i32) -> (Bound, Option<Bound>) {
        let (top, grain) = (2 * self.top, 2 * self.grain);
        let squares = Bound { top, grain: grain.max(2 * exponent(extent.smallest) - 52) };
        let exact = top - grain <= 53 || 2 * (digits + 1) <= 53;
        let errors = (!exact).then_some(Bound { top: top - 53, grain });
        (squares, errors)
    }
}

/// How values within a bound are cut: between which planes, the first of them at a position.
enum Cut {
    One(usize),
    Two(usize, [f64; 2]),
    Three(usize, [f64; 3]),
    /// Exponents too far apart: plane after plane is peeled off.
    Many,
}

impl Planes {
    /// Nothing added yet.
    pub(super) fn new(lanes: usize) -> Planes {
        Planes { lanes, anchor: None, planes: SmallVec::new(), adds: SmallVec::from_elem(0, lanes.div_ceil(SEGMENT)) }
    }

    /// The level whose unit suits values below `2^top`, and that unit.
    fn level(&mut self, top: i32) -> (i32, i32) {
        // Two bits in hand for later rows that are a little larger.
        let anchor = *self.anchor.get_or_insert((top + 2 - STEP).max(LOWEST));
        let level = (top - STEP - anchor + STEP - 1).div_euclid(STEP);
        let lowest = (LOWEST - anchor).div_euclid(STEP);
        let level = level.max(lowest);
        (level, self.unit(level))
    }

    fn unit(&self, level: i32) -> i32 {
        (self.anchor.unwrap_or(0) + STEP * level).max(LOWEST)
    }

    /// Position of the plane of a level, made if missing.
    fn plane(&mut self, level: i32) -> usize {
        let found = self.planes.iter().position(|p| p.level <= level).unwrap_or(self.planes.len());
        if self.planes.get(found).is_none_or(|p| p.level != level) {
            self.planes.insert(found, Plane { level, sums: SmallVec::from_elem(0.0, self.lanes) });
        }
        found
    }

    /// Counts additions to the lanes of a segment, carrying before they become too many.
    fn count(&mut self, segment: usize, additions: usize) {
        let additions = additions.min(LIMIT as usize - 2) as u32;
        if self.adds.get(segment).is_some_and(|adds| adds + additions > LIMIT) {
            self.carry(segment);
        }
        if let Some(adds) = self.adds.get_mut(segment) {
            *adds += additions;
        }
    }

    /// Moves what exceeds half a plane's range to the next higher plane, from the lowest on.
    fn carry(&mut self, segment: usize) {
        let range = segment * SEGMENT..((segment + 1) * SEGMENT).min(self.lanes);
        let mut index = self.planes.len();
        while index > 0 {
            index -= 1;
            let Some(level) = self.planes.get(index).map(|p| p.level) else {
                break;
            };
            let unit = self.unit(level + 1);
            let Some(sums) = self.planes.get(index).and_then(|p| p.sums.get(range.clone())) else {
                break;
            };
            if simd::extent(sums).largest <= power_of_two(unit - 1) {
                continue;
            }
            let above = self.plane(level + 1);
            // The plane above is just before this one, new or not, and comes next.
            index = above + 1;
            let (higher, lower) = self.planes.split_at_mut(index);
            if let (Some(higher), Some(lower)) = (higher.last_mut(), lower.first_mut())
                && let (Some(higher), Some(lower)) =
                    (higher.sums.get_mut(range.clone()), lower.sums.get_mut(range.clone()))
            {
                simd::peel(higher, lower, magic(unit));
            }
        }
        if let Some(adds) = self.adds.get_mut(segment) {
            *adds = 2;
        }
    }

    /// Adds a value to a lane.
    pub(super) fn add_value(&mut self, lane: usize, value: f64) {
        self.count(lane / SEGMENT, 1);
        let mut left = value;
        while left != 0.0 {
            let (level, unit) = self.level(exponent(left) + 1);
            let magic = magic(unit);
            let part = (left + magic) - magic;
            let plane = self.plane(level);
            if let Some(sum) = self.planes.get_mut(plane).and_then(|p| p.sums.get_mut(lane)) {
                *sum += part;
            }
            left -= part;
        }
    }

    /// Adds a slab whose bound is below [`HUGE`], to lanes of one segment, with at most [`ROW`] values for each.
    pub(super) fn add<F: Float>(&mut self, target: Target, slab: Slab<'_, F>, bound: Bound) {
        if let Target::Runs(first) = target
            && slab.width() >= LONG
        {
            for (i, row) in slab.iter().enumerate() {
                self.add_to_lane(first + i, row, bound);
            }
            return;
        }
        self.count(target.lanes(&slab).start / SEGMENT, target.depth(&slab));
        match self.cut(bound) {
            Cut::One(plane) => self.spread(target, slab, plane, [0.0]),
            Cut::Two(plane, magics) => self.spread(target, slab, plane, magics),
            Cut::Three(plane, magics) => self.spread(target, slab, plane, magics),
            Cut::Many => self.peel(target, slab),
        }
    }

    /// Chooses, and makes where missing, the planes for values within a bound.
    fn cut(&mut self, bound: Bound) -> Cut {
        let (level, unit) = self.level(bound.top);
        let (below, last) = (self.unit(level - 1), self.unit(level - 2));
        let plane = self.plane(level);
        if bound.grain >= unit {
            return Cut::One(plane);
        }
        if bound.grain < last {
            return Cut::Many;
        }
        self.plane(level - 1);
        if bound.grain >= below {
            return Cut::Two(plane, [magic(unit), 0.0]);
        }
        self.plane(level - 2);
        Cut::Three(plane, [magic(unit), magic(below), 0.0])
    }

    /// Adds the parts of a slab to `P` planes.
    fn spread<F: Float, const P: usize>(&mut self, target: Target, slab: Slab<'_, F>, plane: usize, magics: [f64; P]) {
        let lanes = target.lanes(&slab);
        let Some(planes) = self.planes.get_mut(plane..).and_then(|planes| planes.first_chunk_mut::<P>()) else {
            return;
        };
        let mut sums = planes.each_mut().map(|plane| plane.sums.get_mut(lanes.clone()).unwrap_or_default());
        match target {
            Target::Runs(_) => split::runs(&mut sums, slab, magics),
            Target::Columns(_) => split::columns(&mut sums, slab, magics),
        }
    }

    /// Adds rows with a wide range of exponents, one by one.
    #[cold]
    fn peel<F: Float>(&mut self, target: Target, slab: Slab<'_, F>) {
        for (i, row) in slab.iter().enumerate() {
            match target {
                Target::Runs(first) => {
                    let extent = simd::extent(row);
                    if extent.largest != 0.0 {
                        self.add_to_lane(first + i, row, Bound::new(extent, Grain::F64));
                    }
                }
                Target::Columns(first) if row.len() <= SHORT => self.peel_to_lanes::<F, SHORT>(first, row),
                Target::Columns(first) => self.peel_to_lanes::<F, SEGMENT>(first, row),
            }
        }
    }

    /// Adds a row of at most [`ROW`] values to one lane.
    fn add_to_lane<F: Float>(&mut self, lane: usize, row: &[F], bound: Bound) {
        let bits = row.len().next_power_of_two().ilog2() as i32;
        let unit = (bound.top + bits - 52).max(LOWEST);
        if bound.grain >= unit {
            self.add_value(lane, simd::total(row));
        } else if row.len() > 1 && unit - 1 + bits <= bound.grain + 53 {
            let (high, low) = simd::split_total(row, magic(unit));
            self.add_value(lane, high);
            self.add_value(lane, low);
        } else if row.len() <= SHORT {
            self.peel_to_lane::<F, SHORT>(lane, row);
        } else {
            self.peel_to_lane::<F, ROW>(lane, row);
        }
    }

    /// As [`Planes::add_to_lane`] for a row with a wide range of exponents.
    #[cold]
    fn peel_to_lane<F: Float, const N: usize>(&mut self, lane: usize, row: &[F]) {
        let bits = row.len().next_power_of_two().ilog2() as i32;
        let mut rest = [0.0; N];
        let rest = widened(row, &mut rest);
        loop {
            let largest = simd::extent(rest).largest;
            if largest == 0.0 {
                break;
            }
            let unit = (exponent(largest) + 1 + bits - 52).max(LOWEST);
            let sum = simd::peel_total(rest, magic(unit));
            self.add_value(lane, sum);
        }
    }

    /// Adds a row with a wide range of exponents to one lane each.
    #[cold]
    fn peel_to_lanes<F: Float, const N: usize>(&mut self, first: usize, row: &[F]) {
        let mut rest = [0.0; N];
        let rest = widened(row, &mut rest);
        loop {
            let largest = simd::extent(rest).largest;
            if largest == 0.0 {
                break;
            }
            let (level, unit) = self.level(exponent(largest) + 1);
            let plane = self.plane(level);
            let range = first..first + rest.len();
            if let Some(sums) = self.planes.get_mut(plane).and_then(|p| p.sums.get_mut(range)) {
                simd::peel(sums, rest, magic(unit));
            }
        }
    }

    /// The planes' values of one lane; their sum is the lane's sum. Each is below `2^53` units.
    pub(super) fn terms(&self, lane: usize) -> impl Iterator<Item = f64> + Clone {
        self.planes.iter().filter_map(move |p| p.sums.get(lane).copied())
    }

    /// Adds the other's sums, lane by lane.
    pub(super) fn merge(&mut self, other: &Planes) {
        let room = self.adds.iter().zip(&other.adds).all(|(a, b)| a.saturating_add(*b) <= LIMIT);
        if self.planes.is_empty() {
            self.clone_from(other);
        } else if room && self.anchor == other.anchor {
            for plane in &other.planes {
                let mine = self.plane(plane.level);
                if let Some(mine) = self.planes.get_mut(mine) {
                    simd::add(&mut mine.sums, &plane.sums);
                }
            }
            for (a, b) in self.adds.iter_mut().zip(&other.adds) {
                *a += b;
            }
        } else {
            // Other units: their planes are rows of values like any other.
            for plane in &other.planes {
                Slab::row(&plane.sums).for_blocks(Target::Columns(0), BLOCK, |target, slab, _| {
                    let extent = simd::extent_of(slab);
                    if extent.largest != 0.0 {
                        self.add(target, slab, Bound::new(extent, Grain::F64));
                    }
                });
            }
        }
    }

    pub(super) fn nbytes(&self) -> usize {
        self.planes.iter().map(|p| p.sums.len() * 8 + size_of::<Plane>()).sum::<usize>() + self.adds.len() * 4
    }

    /// Whether the fields can have come from this code (after decoding).
    pub(super) fn is_sound(&self, lanes: usize) -> bool {
        let anchor = self.anchor.unwrap_or(0);
        self.lanes == lanes
            && self.adds.len() == lanes.div_ceil(SEGMENT)
            && self.adds.iter().all(|&adds| adds <= LIMIT)
            && (LOWEST..=700).contains(&anchor)
            && (self.anchor.is_some() || self.planes.is_empty())
            && self.planes.windows(2).all(|pair| matches!(pair, [a, b] if a.level > b.level))
            && self.planes.iter().all(|plane| {
                let levels = (LOWEST - anchor).div_euclid(STEP)..=(800 - anchor).div_euclid(STEP);
                levels.contains(&plane.level) && plane.sums.len() == lanes && {
                    // Multiples of the unit, below 53 bits of it and in range.
                    let unit = self.unit(plane.level);
                    let (magic, limit) = (magic(unit), power_of_two((unit + 53).min(800)));
                    let whole = |x: f64| (x + magic) - magic == x || (x / 2.0 + magic) - magic == x / 2.0;
                    plane.sums.iter().all(|&sum| sum.abs() < limit && (sum.abs() >= limit / 4.0 || whole(sum)))
                }
            })
    }
}
