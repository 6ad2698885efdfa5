//! States of one plain value per lane: whole-number sums, products, extremes, truth and counts.

use super::extremes::{column_extremes, extreme_start, run_extremes};
use super::folds::{self, with_kind};
use super::lanes::{LaneValues, Reducible};
use super::op::Family;
use super::slab::{BLOCK, Slab, Target};

/// The lanes of a minimum or maximum that has taken nothing.
pub(super) fn extreme_lanes<T: Reducible>(max: bool, skip: bool, lanes: usize) -> LaneValues {
    T::tag(vec![with_kind!(max, skip, extreme_start::<T>()); lanes])
}

/// Runs the loop for one lane or the loop for many, row by row, on the lanes that the rows go to.
fn apply<S, T>(
    lanes: &mut [S],
    target: Target,
    slab: Slab<'_, T>,
    one: impl Fn(&mut S, &[T]),
    many: impl Fn(&mut [S], &[T]),
) {
    let Some(lanes) = lanes.get_mut(target.lanes(&slab)) else { return };
    match target {
        Target::Runs(_) => lanes.iter_mut().zip(slab.iter()).for_each(|(lane, row)| one(lane, row)),
        Target::Columns(_) => slab.iter().for_each(|row| many(lanes, row)),
    }
}

/// Takes a slab into states of one value per lane.
pub(super) fn take_plain<T: Reducible>(
    family: Family,
    skip: bool,
    lanes: &mut LaneValues,
    target: Target,
    slab: Slab<'_, T>,
) {
    match (family, lanes) {
        (Family::Extreme { max }, lanes) => {
            let Some(lanes) = T::lanes_mut(lanes) else { return };
            slab.for_blocks(target, 2 * BLOCK, |target, block, _| {
                let Some(lanes) = lanes.get_mut(target.lanes(&block)) else { return };
                match target {
                    Target::Runs(_) => with_kind!(max, skip, run_extremes::<T>(lanes, block)),
                    Target::Columns(_) => with_kind!(max, skip, column_extremes::<T>(lanes, block)),
                }
            });
        }
        (Family::Sum, LaneValues::U64(lanes)) => {
            apply(lanes, target, slab, |sum, row| *sum = sum.wrapping_add(folds::whole_total(row)), folds::whole_add)
        }
        (Family::Product, LaneValues::U64(lanes)) => apply(
            lanes,
            target,
            slab,
            |product, row| *product = row.iter().fold(*product, |p, x| p.wrapping_mul(x.wrap())),
            folds::whole_multiply,
        ),
        (Family::Product, lanes) => {
            if let Some(lanes) = T::lanes_mut(lanes) {
                apply(
                    lanes,
                    target,
                    slab,
                    |product, row| *product = folds::product(*product, row, skip),
                    |products, row| folds::multiply(products, row, skip),
                );
            }
        }
        (Family::Count, LaneValues::U64(lanes)) => apply(
            lanes,
            target,
            slab,
            |count, row| *count = count.wrapping_add(folds::count_true(row)),
            folds::count_each,
        ),
        (Family::Any, LaneValues::Bool(lanes)) => {
            apply(lanes, target, slab, |any, row| *any = *any || folds::some(row, true), folds::flag::<T, false>)
        }
        (Family::All, LaneValues::Bool(lanes)) => {
            apply(lanes, target, slab, |all, row| *all = *all && !folds::some(row, false), folds::flag::<T, true>)
        }
        _ => {}
    }
}
