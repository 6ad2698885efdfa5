//! States of one plain value per lane: whole-number sums, products, extremes, truth and counts.

use super::folds::{self, extreme, extreme_start, extremes, with_kind};
use super::lanes::{LaneValues, Reducible};
use super::op::Family;
use super::planes::Target;

/// The lanes of a minimum or maximum that has taken nothing.
pub(super) fn extreme_lanes<T: Reducible>(max: bool, skip: bool, lanes: usize) -> LaneValues {
    T::tag(vec![with_kind!(max, skip, extreme_start::<T>()); lanes])
}

/// Runs the loop for one lane or the loop for many on the lanes that the row goes to.
fn apply<S, T>(
    lanes: &mut [S],
    target: Target,
    row: &[T],
    one: impl FnOnce(&mut S, &[T]),
    many: impl FnOnce(&mut [S], &[T]),
) {
    match target {
        Target::Lane(lane) => lanes.get_mut(lane).map(|state| one(state, row)),
        Target::From(first) => lanes.get_mut(first..first + row.len()).map(|states| many(states, row)),
    };
}

/// Takes a row into states of one value per lane.
pub(super) fn take_plain<T: Reducible>(
    family: Family,
    skip: bool,
    lanes: &mut LaneValues,
    target: Target,
    values: &[T],
) {
    match (family, lanes) {
        (Family::Extreme { max }, lanes) => {
            if let Some(lanes) = T::lanes_mut(lanes) {
                apply(
                    lanes,
                    target,
                    values,
                    // The row's own extreme is a row of one.
                    |best, row| {
                        let x = with_kind!(max, skip, extreme::<T>(row));
                        with_kind!(max, skip, extremes::<T>(std::slice::from_mut(best), &[x]));
                    },
                    |bests, row| with_kind!(max, skip, extremes::<T>(bests, row)),
                );
            }
        }
        (Family::Sum, LaneValues::U64(lanes)) => {
            apply(lanes, target, values, |sum, row| *sum = sum.wrapping_add(folds::whole_total(row)), folds::whole_add)
        }
        (Family::Product, LaneValues::U64(lanes)) => apply(
            lanes,
            target,
            values,
            |product, row| *product = row.iter().fold(*product, |p, x| p.wrapping_mul(x.wrap())),
            folds::whole_multiply,
        ),
        (Family::Product, lanes) => {
            if let Some(lanes) = T::lanes_mut(lanes) {
                apply(
                    lanes,
                    target,
                    values,
                    |product, row| *product = folds::product(*product, row, skip),
                    |products, row| folds::multiply(products, row, skip),
                );
            }
        }
        (Family::Count, LaneValues::U64(lanes)) => apply(
            lanes,
            target,
            values,
            |count, row| *count = count.wrapping_add(folds::count_true(row)),
            folds::count_each,
        ),
        (Family::Any, LaneValues::Bool(lanes)) => {
            apply(lanes, target, values, |any, row| *any = *any || folds::some(row, true), folds::flag::<T, false>)
        }
        (Family::All, LaneValues::Bool(lanes)) => {
            apply(lanes, target, values, |all, row| *all = *all && !folds::some(row, false), folds::flag::<T, true>)
        }
        _ => {}
    }
}
