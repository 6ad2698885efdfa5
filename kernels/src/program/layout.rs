//! Axes and tiles of an evaluation: which axes can be run through as one, and how the block is cut.

use smallvec::SmallVec;

/// Elements of a tile: about five registers of 8 bytes each stay in a first-level cache of 32 KiB,
/// and the cost of starting an instruction is spread over enough elements.
const TILE: usize = 768;

/// Side of a tile where an input is read across its memory: whole cache lines are used.
const SQUARE: usize = 32;

/// The most elements of a tile.
pub(super) const LARGEST_TILE: usize = if TILE > SQUARE * SQUARE { TILE } else { SQUARE * SQUARE };

pub(super) type Dims = SmallVec<[usize; 4]>;
pub(super) type Steps = SmallVec<[i64; 4]>;

/// The axes of a block with neighbours merged where all streams step evenly through them, and the
/// extents of a tile along them.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The lengths of the merged axes; at least one.
    pub(super) dims: Dims,
    /// The first of the block's axes in each merged axis, and one past the last.
    groups: SmallVec<[(u8, u8); 4]>,
    /// The steps of each stream along the merged axes, one stream after the other.
    steps: SmallVec<[i64; 16]>,
    /// The extents of a tile (less at the ends).
    pub(super) tile: Dims,
    /// The merged axis from which on runs go over axes.
    pub(super) run_axis: usize,
}

impl Layout {
    /// Merges axes of a block of `shape` (no axis empty). `streams` has for each stream its steps
    /// along the axes; `inputs` of them, the first, are of memory. Axes are not merged with those before them
    /// where `parts` says so, and runs go along the axes after the last such place.
    pub(super) fn new(shape: &[usize], streams: &[Steps], inputs: usize, parts: impl Fn(usize) -> bool) -> Layout {
        let mut layout = Layout::default();
        let mut before_flat = 0;
        let mut steps: SmallVec<[Steps; 4]> = SmallVec::new();
        for (axis, &n) in shape.iter().enumerate() {
            if axis > 0 && parts(axis) {
                before_flat = layout.dims.len();
            }
            if n == 1 {
                continue;
            }
            let here: Steps = streams.iter().map(|steps| steps[axis]).collect();
            let mergeable = layout.dims.len() > before_flat;
            match (layout.dims.last_mut(), layout.groups.last_mut(), steps.last_mut()) {
                (Some(last), Some(group), Some(above))
                    if mergeable
                        && above.iter().zip(&here).all(|(above, here)| *above == here.wrapping_mul(n as i64)) =>
                {
                    *last *= n;
                    group.1 = axis as u8 + 1;
                    *above = here;
                }
                _ => {
                    layout.dims.push(n);
                    layout.groups.push((axis as u8, axis as u8 + 1));
                    steps.push(here);
                }
            }
        }
        if layout.dims.len() == before_flat {
            // Nothing to run over: runs of one element.
            layout.dims.push(1);
            layout.groups.push((shape.len() as u8, shape.len() as u8));
            steps.push(Steps::from_elem(0, streams.len()));
        }
        layout.run_axis = before_flat;
        for stream in 0..streams.len() {
            layout.steps.extend(steps.iter().map(|steps| steps[stream]));
        }
        layout.cut(inputs);
        layout
    }

    /// The steps of a stream along the merged axes.
    pub(super) fn steps(&self, stream: usize) -> &[i64] {
        let n = self.dims.len();
        &self.steps[stream * n..(stream + 1) * n]
    }

    /// Chooses the extents of tiles.
    fn cut(&mut self, inputs: usize) {
        let last = self.dims.len() - 1;
        self.tile = SmallVec::from_elem(1, self.dims.len());
        let mut left = TILE;
        // An input that runs along another axis than the last wants tiles wide along both.
        let across = (0..inputs).find_map(|input| {
            let steps = self.steps(input);
            let near = |axis: &usize| steps[*axis].unsigned_abs();
            let best = (0..=last).filter(|axis| steps[*axis] != 0).min_by_key(near)?;
            (steps[last] != 0 && near(&best) < near(&last)).then_some(best)
        });
        if let Some(axis) = across {
            self.tile[last] = self.dims[last].min(SQUARE);
            self.tile[axis] = self.dims[axis].min((TILE / self.tile[last]).max(SQUARE));
            left = (TILE / (self.tile[last] * self.tile[axis])).max(1);
        }
        for axis in (0..=last).rev() {
            let wanted = (self.tile[axis] * left).min(self.dims[axis]);
            left /= wanted.div_ceil(self.tile[axis]);
            self.tile[axis] = wanted;
            if left <= 1 || wanted < self.dims[axis] {
                break;
            }
        }
    }

    /// The most elements a tile has.
    pub(super) fn tile_len(&self) -> usize {
        self.tile.iter().product()
    }

    /// The last of the block's axes in a merged axis: a step along the one is a step along the other.
    pub(super) fn axis(&self, merged: usize) -> usize {
        self.groups.get(merged).map_or(0, |group| usize::from(group.1).saturating_sub(1))
    }

    /// The index in the block of the element at `index` of the merged axes.
    pub(super) fn position(&self, shape: &[usize], index: &[usize], position: &mut [usize]) {
        position.fill(0);
        for (&(first, end), &index) in self.groups.iter().zip(index) {
            let mut rest = index;
            for axis in (usize::from(first)..usize::from(end)).rev() {
                position[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
        }
    }
}

/// Calls `f` for every index of `dims` in row-major order.
pub(super) fn for_each_index(dims: &[usize], mut f: impl FnMut(&[usize])) {
    let mut index = Dims::from_elem(0, dims.len());
    loop {
        f(&index);
        let mut axis = dims.len();
        loop {
            let Some(next) = axis.checked_sub(1) else {
                return;
            };
            axis = next;
            index[axis] += 1;
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize], streams: &[&[i64]], parts: &[usize]) -> Layout {
        let streams: Vec<Steps> = streams.iter().map(|steps| Steps::from_slice(steps)).collect();
        Layout::new(shape, &streams, streams.len(), |axis| parts.contains(&axis))
    }

    #[test]
    fn contiguous_axes_become_one() {
        let all = layout(&[2, 3, 4], &[&[12, 4, 1], &[12, 4, 1]], &[]);
        assert_eq!(&all.dims[..], [24]);
        let rows = layout(&[2, 3, 4], &[&[12, 4, 1]], &[2]);
        assert_eq!((&rows.dims[..], rows.run_axis), (&[6, 4][..], 1));
        let columns = layout(&[2, 3, 4], &[&[12, 4, 1]], &[1]);
        assert_eq!((&columns.dims[..], columns.run_axis), (&[2, 12][..], 1));
        let none = layout(&[2, 3, 1], &[&[3, 1, 1]], &[2]);
        assert_eq!((&none.dims[..], none.run_axis), (&[6, 1][..], 1));
        let apart = layout(&[2, 1, 3], &[&[3, 3, 1]], &[1]);
        assert_eq!((&apart.dims[..], apart.run_axis), (&[2, 3][..], 1));
    }

    #[test]
    fn broadcasts_and_transposes_stay_apart() {
        assert_eq!(&layout(&[2, 3], &[&[3, 1], &[0, 1]], &[]).dims[..], [2, 3]);
        assert_eq!(&layout(&[2, 3], &[&[1, 2]], &[]).dims[..], [2, 3]);
        assert_eq!(&layout(&[1, 3, 1, 2], &[&[99, 2, 77, 1]], &[]).dims[..], [6]);
        assert_eq!(&layout(&[], &[&[]], &[]).dims[..], [1]);
        assert_eq!(&layout(&[1, 1], &[], &[1]).dims[..], [1]);
    }

    #[test]
    fn tiles_are_square_across_memory() {
        let square = layout(&[1000, 1000], &[&[1, 1000], &[1000, 1]], &[]);
        assert_eq!(&square.tile[..], [32, 32]);
        let thin = layout(&[5000, 3], &[&[1, 5000]], &[]);
        assert_eq!(&thin.tile[..], [256, 3]);
        let flat = layout(&[5000, 3], &[&[3, 1]], &[1]);
        assert_eq!(&flat.tile[..], [256, 3]);
    }

    #[test]
    fn positions() {
        let rows = layout(&[2, 3, 1, 4], &[&[12, 4, 4, 1]], &[3]);
        let mut position = [9; 4];
        rows.position(&[2, 3, 1, 4], &[5, 2], &mut position);
        assert_eq!(position, [1, 2, 0, 2]);
    }
}
