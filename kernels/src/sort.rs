//! Sorting along an axis, in blocks: each block becomes a sorted run, the runs are cut where the blocks of the result begin and
//! end, and each of those is merged from its parts.
//!
//! NaN comes last, and equal elements (both zeros are equal) keep their order, so the result is the only stable one: it does not depend on
//! how the array was cut. Elements are ordered by value, then by run, then by their place in the run.
//!
//! Cuts are exact, but found without all elements in one place (after Frazer and McKellar's samplesort, and regular sampling by Shi and
//! Schaeffer): from every `step`-th element of each run follows for each cut a [`brackets`] of places in each run; only the
//! elements within ([`windows`]) are compared to find the [`cuts`].

use std::cmp::Ordering;

use super::block::Block;
use super::dtype::{Element, with_dtype};
use super::error::{KernelError, Result};
use super::pool;
use super::sorted::{order, wrong_shape};

/// A block sorted along an axis; and where each element was, counted from `origin`.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::sort::sorted;
/// let [values, places] = sorted(&Block::from_vec(&[3], vec![2.0, f64::NAN, 1.0])?, 0, 10)?;
/// assert_eq!(places, Block::from_vec(&[3], vec![12_i64, 10, 11])?);
/// assert_eq!(values.view::<f64>()?[[0]], 1.0);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there is no such axis.
pub fn sorted(block: &Block, axis: usize, origin: usize) -> Result<[Block; 2]> {
    with_dtype!(block.dtype(), T => {
        let mut pairs: Vec<(T, i64)> = Vec::new();
        let mut places = pool::take::<i64>(block.len());
        let values = by_lane::<T>(block, axis, |lane, at, step| {
            pairs.clear();
            pairs.extend(lane.iter().copied().zip(origin as i64..));
            stable(&mut pairs, |pair| pair.0);
            for (number, (slot, pair)) in lane.iter_mut().zip(&pairs).enumerate() {
                *slot = pair.0;
                if let Some(place) = places.get_mut(at + number * step) {
                    *place = pair.1;
                }
            }
        })?;
        Ok([values, Block::from_vec(block.shape(), places)?])
    })
}

/// A block sorted along an axis.
///
/// # Errors
/// If there is no such axis.
pub fn sorted_values(block: &Block, axis: usize) -> Result<Block> {
    with_dtype!(block.dtype(), T => by_lane::<T>(block, axis, |lane, _, _| stable(lane, |&x| x)))
}

/// Sorts by value; equal elements keep their order.
fn stable<T: Element, E: Copy>(elements: &mut [E], value: impl Fn(&E) -> T) {
    let missing = |x: T| x.compare(x).is_none();
    if elements.iter().any(|element| missing(value(element))) {
        elements.sort_by(|a, b| order(&value(a), &value(b)));
    } else {
        // Without NaN there is nothing but one comparison to make.
        elements.sort_by(|a, b| value(a).compare(value(b)).unwrap_or(Ordering::Equal));
    }
}

/// A block whose lanes along an axis have gone through a function, which gets the flat index of the lane's first element and the step
/// between elements.
fn by_lane<T: Element>(block: &Block, axis: usize, mut change: impl FnMut(&mut [T], usize, usize)) -> Result<Block> {
    let shape = block.shape();
    let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let mut made = pool::take::<T>(block.len());
    made.iter_mut().zip(block.view::<T>()?.iter()).for_each(|(slot, &x)| *slot = x);
    if inner == 1 {
        for (number, lane) in made.chunks_mut(length.max(1)).enumerate() {
            change(lane, number * length, 1);
        }
        return Block::from_vec(shape, made);
    }
    let mut line = Vec::with_capacity(length);
    for lane in 0..outer * inner {
        let start = lane / inner.max(1) * length * inner + lane % inner.max(1);
        line.clear();
        line.extend(made.get(start..).unwrap_or_default().iter().step_by(inner).take(length).copied());
        change(&mut line, start, inner);
        let slots = made.get_mut(start..).unwrap_or_default().iter_mut().step_by(inner);
        slots.zip(&line).for_each(|(slot, &x)| *slot = x);
    }
    Block::from_vec(shape, made)
}

/// How far apart the samples of runs are: so that all windows together are about as long as a run.
pub fn sample_step(longest: usize, runs: usize, cuts: usize) -> usize {
    longest.div_ceil(2 * runs.max(1) * cuts.max(1)).max(1)
}

/// Every `step`-th element of a run.
///
/// # Errors
/// If the run does not have one axis.
pub fn sample(run: &Block, step: usize) -> Result<Block> {
    with_dtype!(run.dtype(), T => {
        let view = run.view::<T>()?;
        let samples: Vec<T> = view.iter().step_by(step.max(1)).copied().collect();
        Block::from_vec(&[samples.len()], samples)
    })
}

/// A sorted list of what comes from several runs: the run and the place in its list of each.
fn merged_places<T: Element>(lists: &[&[T]]) -> Vec<(usize, usize)> {
    let mut all: Vec<(T, usize, usize)> = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
    for (run, list) in lists.iter().enumerate() {
        all.extend(list.iter().enumerate().map(|(place, &x)| (x, run, place)));
    }
    // Equal ones stay in the order of the runs. Sorted stretches are found and merged.
    stable(&mut all, |entry| entry.0);
    all.into_iter().map(|(_, run, place)| (run, place)).collect()
}

/// What is known of a cut in a run from samples: no less than the first number of its elements come before, no more than the second.
type Bracket = [i64; 2];

/// For each rank, in each run, between which places it is cut: a block of shape `[ranks, runs, 2]`. The samples are those of sorted runs of the
/// given lengths, `step` apart.
///
/// # Errors
/// If the samples are not blocks of one element type.
pub fn brackets(samples: &[&Block], step: usize, lengths: &[usize], ranks: &[usize]) -> Result<Block> {
    let Some(first) = samples.first() else { return Block::from_vec::<i64>(&[ranks.len(), 0, 2], Vec::new()) };
    let order = with_dtype!(first.dtype(), T => {
        let views = samples.iter().map(|samples| samples.view::<T>()).collect::<Result<Vec<_>>>()?;
        let lists: Vec<&[T]> = views.iter().map(|view| view.as_slice().unwrap_or_default()).collect();
        merged_places(&lists)
    });
    // Before the sample that comes next, each run has at least and at most so many elements.
    let mut seen = vec![0_usize; lengths.len()];
    let bracket = |run: usize, seen: usize| -> [usize; 2] {
        let least = if seen == 0 { 0 } else { (seen - 1) * step + 1 };
        [least, (seen * step).min(lengths[run])]
    };
    let all = |seen: &[usize], own: usize| -> Vec<[usize; 2]> {
        let mut brackets: Vec<[usize; 2]> = seen.iter().enumerate().map(|(run, &seen)| bracket(run, seen)).collect();
        // The sample's own run is known exactly.
        brackets[own] = [seen[own] * step; 2];
        brackets
    };
    let mut low: Vec<Vec<usize>> = vec![vec![0; lengths.len()]; ranks.len()];
    let mut high: Vec<Option<Vec<usize>>> = vec![None; ranks.len()];
    let (mut least, mut most) = (0, 0);
    let (mut next_low, mut next_high) = (0, 0);
    let mut before: Option<(Vec<usize>, usize)> = None;
    for &(run, _) in &order {
        let [own_least, own_most] = bracket(run, seen[run]);
        let exact = seen[run] * step;
        let (least_here, most_here) = (least - own_least + exact, most - own_most + exact);
        // The ranks that this sample may be beyond are bounded from below by the sample before it.
        while next_low < ranks.len() && ranks[next_low] < most_here {
            if let Some((seen, own)) = &before {
                low[next_low] = all(seen, *own).iter().map(|bracket| bracket[0]).collect();
            }
            next_low += 1;
        }
        while next_high < ranks.len() && ranks[next_high] <= least_here {
            high[next_high] = Some(all(&seen, run).iter().map(|bracket| bracket[1]).collect());
            next_high += 1;
        }
        before = Some((seen.clone(), run));
        let old = bracket(run, seen[run]);
        seen[run] += 1;
        let new = bracket(run, seen[run]);
        least = least - old[0] + new[0];
        most = most - old[1] + new[1];
    }
    if let Some((seen, own)) = &before {
        for low in &mut low[next_low..] {
            *low = all(seen, *own).iter().map(|bracket| bracket[0]).collect();
        }
    }
    let mut made: Vec<i64> = Vec::with_capacity(ranks.len() * lengths.len() * 2);
    for (low, high) in low.iter().zip(&high) {
        let high = high.as_deref().unwrap_or(lengths);
        made.extend(low.iter().zip(high).flat_map(|(&low, &high)| [low as i64, high.max(low) as i64]));
    }
    Block::from_vec(&[ranks.len(), lengths.len(), 2], made)
}

/// The brackets of one run.
fn brackets_of(brackets: &Block, run: usize) -> Result<Vec<Bracket>> {
    let wrong = || wrong_shape("brackets", &[0, run + 1, 2], brackets.shape());
    let view = brackets.view::<i64>()?;
    let Ok(view) = view.into_dimensionality::<ndarray::Ix3>() else { return Err(wrong()) };
    let (ranks, runs, ends) = view.dim();
    if run >= runs || ends != 2 {
        return Err(wrong());
    }
    Ok((0..ranks).map(|rank| [view[[rank, run, 0]], view[[rank, run, 1]]]).collect())
}

/// The elements of a run within its brackets, one after the other.
///
/// # Errors
/// If the brackets are not those of as many runs.
pub fn windows(block: &Block, brackets: &Block, run: usize) -> Result<Block> {
    let brackets = brackets_of(brackets, run)?;
    with_dtype!(block.dtype(), T => {
        let view = block.view::<T>()?;
        let values = view.as_slice().unwrap_or_default();
        let window = |[low, high]: &Bracket| values.get(*low as usize..*high as usize).unwrap_or_default();
        let all: Vec<T> = brackets.iter().flat_map(window).copied().collect();
        Block::from_vec(&[all.len()], all)
    })
}

/// How many elements of each run come before each rank: a block of shape `[ranks, runs]`, from the brackets and the windows of each run.
///
/// # Errors
/// If brackets and windows do not fit together.
pub fn cuts(brackets: &Block, windows: &[&Block], ranks: &[usize]) -> Result<Block> {
    let all = (0..windows.len()).map(|run| brackets_of(brackets, run)).collect::<Result<Vec<_>>>()?;
    let Some(first) = windows.first() else { return Block::from_vec::<i64>(&[ranks.len(), 0], Vec::new()) };
    let mut made: Vec<i64> = Vec::with_capacity(ranks.len() * windows.len());
    with_dtype!(first.dtype(), T => {
        let views = windows.iter().map(|window| window.view::<T>()).collect::<Result<Vec<_>>>()?;
        let mut rest: Vec<&[T]> = views.iter().map(|view| view.as_slice().unwrap_or_default()).collect();
        for (number, &rank) in ranks.iter().enumerate() {
            let bounds: Vec<Bracket> = all.iter().filter_map(|brackets| brackets.get(number)).copied().collect();
            let mut lists: Vec<&[T]> = Vec::with_capacity(rest.len());
            for (rest, [low, high]) in rest.iter_mut().zip(&bounds) {
                let (list, behind) = rest.split_at_checked((high - low) as usize).unwrap_or((rest, &[]));
                lists.push(list);
                *rest = behind;
            }
            let sure: i64 = bounds.iter().map(|bracket| bracket[0]).sum();
            let mut counts: Vec<i64> = bounds.iter().map(|bracket| bracket[0]).collect();
            let missing = usize::try_from(rank as i64 - sure).unwrap_or(0);
            for (run, _) in merged_places(&lists).into_iter().take(missing) {
                counts[run] += 1;
            }
            made.extend(counts);
        }
    });
    Block::from_vec(&[ranks.len(), windows.len()], made)
}

/// The parts of a run between cuts; without copies if the run is shared.
///
/// # Errors
/// If the cuts are not those of as many runs.
pub fn split(block: &Block, cuts: &Block, run: usize) -> Result<Vec<Block>> {
    let view = cuts.view::<i64>()?;
    let Ok(view) = view.into_dimensionality::<ndarray::Ix2>() else {
        return Err(wrong_shape("cuts", &[0, run + 1], cuts.shape()));
    };
    if run >= view.ncols() {
        return Err(wrong_shape("cuts", &[view.nrows(), run + 1], cuts.shape()));
    }
    let length = block.len();
    let inner = view.column(run);
    let bounds: Vec<usize> =
        [0].into_iter().chain(inner.iter().map(|&cut| (cut as usize).min(length))).chain([length]).collect();
    bounds.windows(2).map(|pair| block.part(std::slice::from_ref(&(pair[0]..pair[1].max(pair[0]))))).collect()
}

/// One sorted block of parts of runs, in the order of the runs.
///
/// # Errors
/// If the parts are of different types.
pub fn merge(parts: &[&Block]) -> Result<Block> {
    let Some(first) = parts.first() else {
        return Err(KernelError::Arguments { operation: "sort", expected: 1, found: 0 });
    };
    with_dtype!(first.dtype(), T => {
        let mut all = joined::<T>(parts)?;
        stable(&mut all, |&x| x);
        Block::from_vec(&[all.len()], all)
    })
}

/// The places of the elements of parts of runs, in their sorted order.
///
/// # Errors
/// If there are not as many places as elements, or the parts are of different types.
pub fn merge_places(parts: &[&Block], places: &[&Block]) -> Result<Block> {
    let Some(first) = parts.first() else {
        return Err(KernelError::Arguments { operation: "argsort", expected: 1, found: 0 });
    };
    let places = joined::<i64>(places)?;
    with_dtype!(first.dtype(), T => {
        let values = joined::<T>(parts)?;
        if values.len() != places.len() {
            return Err(wrong_shape("argsort", &[values.len()], &[places.len()]));
        }
        let mut pairs: Vec<(T, i64)> = values.into_iter().zip(places).collect();
        stable(&mut pairs, |pair| pair.0);
        Block::from_vec(&[pairs.len()], pairs.into_iter().map(|pair| pair.1).collect())
    })
}

fn joined<T: Element>(parts: &[&Block]) -> Result<Vec<T>> {
    let mut all = pool::take::<T>(parts.iter().map(|part| part.len()).sum());
    let mut slots = all.iter_mut();
    for part in parts {
        // The part comes first: what is asked first is what is lost at the end.
        part.view::<T>()?.iter().zip(slots.by_ref()).for_each(|(&x, slot)| *slot = x);
    }
    Ok(all)
}

/// The elements along an axis at the indices of another block, which has the same other axes; negative indices count from the end.
///
/// ```
/// use talatat_kernels::Block;
/// use talatat_kernels::sort::take_along;
/// let (x, at) = (Block::from_vec(&[3], vec![5, 6, 7])?, Block::from_vec(&[2], vec![-1_i64, 0])?);
/// assert_eq!(take_along(&x, &at, 0)?, Block::from_vec(&[2], vec![7, 5])?);
/// # Ok::<(), talatat_kernels::KernelError>(())
/// ```
///
/// # Errors
/// If there is no such axis, an index is out of range, or the other axes differ.
pub fn take_along(block: &Block, indices: &Block, axis: usize) -> Result<Block> {
    let (shape, wanted) = (block.shape(), indices.shape());
    let length = *shape.get(axis).ok_or(KernelError::Axis { axis, ndim: shape.len() })?;
    let same =
        shape.len() == wanted.len() && (0..shape.len()).all(|other| other == axis || shape[other] == wanted[other]);
    if !same {
        return Err(wrong_shape("take_along_axis", shape, wanted));
    }
    let inner: usize = shape[axis + 1..].iter().product();
    let (packed, packed_indices) = (block.packed(), indices.packed());
    let (block, indices) = (packed.as_ref().unwrap_or(block), packed_indices.as_ref().unwrap_or(indices));
    let at = indices.view::<i64>()?;
    let at = at.as_slice().unwrap_or_default();
    let sheet = (wanted[axis] * inner).max(1);
    with_dtype!(block.dtype(), T => {
        let view = block.view::<T>()?;
        let values = view.as_slice().unwrap_or_default();
        let mut made = pool::take::<T>(at.len());
        for (place, (slot, &index)) in made.iter_mut().zip(at).enumerate() {
            let row = if index < 0 { index + length as i64 } else { index };
            let source = (place / sheet * length + row as usize) * inner + place % inner.max(1);
            *slot = match values.get(source) {
                Some(&x) if (0..length as i64).contains(&row) => x,
                _ => {
                    return Err(KernelError::Parameter {
                        operation: "take_along_axis",
                        reason: format!("index {index} is out of range for axis {axis} of length {length}"),
                    });
                }
            };
        }
        Block::from_vec(wanted, made)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_cut_and_merged(
            x in prop::collection::vec(prop_oneof![8 => (-20_i32..20).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(-0.0)], 0..400),
            bounds in prop::collection::vec(0_usize..400, 0..5),
            ranks in prop::collection::vec(0_usize..400, 0..5),
            step in 1_usize..40,
        ) {
            let ends = |mut bounds: Vec<usize>| {
                bounds.iter_mut().for_each(|bound| *bound %= x.len() + 1);
                bounds.extend([0, x.len()]);
                bounds.sort_unstable();
                bounds
            };
            let (bounds, ranks) = (ends(bounds), ends(ranks));
            let inner = &ranks[1..ranks.len() - 1];
            let block = |values: &[f64]| Block::from_vec(&[values.len()], values.to_vec()).unwrap();
            let runs: Vec<[Block; 2]> =
                bounds.windows(2).map(|pair| sorted(&block(&x[pair[0]..pair[1]]), 0, pair[0]).unwrap()).collect();
            let samples: Vec<Block> = runs.iter().map(|run| sample(&run[0], step).unwrap()).collect();
            let lengths: Vec<usize> = runs.iter().map(|run| run[0].len()).collect();
            let brackets = brackets(&samples.iter().collect::<Vec<_>>(), step, &lengths, inner).unwrap();
            let windows: Vec<Block> =
                runs.iter().enumerate().map(|(run, parts)| windows(&parts[0], &brackets, run).unwrap()).collect();
            let cuts = cuts(&brackets, &windows.iter().collect::<Vec<_>>(), inner).unwrap();
            let parts = |which: usize| -> Vec<Vec<Block>> {
                runs.iter().enumerate().map(|(run, parts)| split(&parts[which], &cuts, run).unwrap()).collect()
            };
            let (values, places) = (parts(0), parts(1));
            let mut found: Vec<i64> = Vec::new();
            for (number, pair) in ranks.windows(2).enumerate() {
                let of = |parts: &[Vec<Block>]| -> Vec<Block> { parts.iter().map(|run| run[number].clone()).collect() };
                let (values, places) = (of(&values), of(&places));
                let merged = merge_places(&values.iter().collect::<Vec<_>>(), &places.iter().collect::<Vec<_>>()).unwrap();
                prop_assert_eq!(merged.len(), pair[1] - pair[0]);
                found.extend(merged.view::<i64>().unwrap().iter());
            }
            let mut expected: Vec<i64> = (0..x.len() as i64).collect();
            expected.sort_by(|&a, &b| order(&x[a as usize], &x[b as usize]));
            prop_assert_eq!(found, expected);
        }
    }
}
