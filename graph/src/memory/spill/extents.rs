//! Which bytes of a file are free.

use std::collections::{BTreeMap, BTreeSet};

/// A run of bytes in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The free space of a file that grows at its end: best fit among the gaps, neighbours joined. O(log gaps) a call.
#[derive(Debug, Default)]
pub(super) struct Extents {
    /// Length of the gap that begins at an offset.
    gaps: BTreeMap<u64, u64>,
    /// The same gaps by length.
    by_length: BTreeSet<(u64, u64)>,
    end: u64,
    used: u64,
}

impl Extents {
    /// Takes `length` bytes (at least one): the smallest gap that holds them, else the end of the file.
    pub(super) fn take(&mut self, length: u64) -> Extent {
        let length = length.max(1);
        self.used += length;
        if let Some(&(gap, offset)) = self.by_length.range((length, 0)..).next() {
            self.remove(offset, gap);
            self.insert(offset + length, gap - length);
            return Extent { offset, length };
        }
        let offset = self.end;
        self.end += length;
        Extent { offset, length }
    }

    /// Gives bytes back. The file may then be cut at [`end`](Extents::end).
    pub(super) fn give(&mut self, extent: Extent) {
        let Extent { mut offset, mut length } = extent;
        self.used -= length;
        if let Some((&before, &gap)) = self.gaps.range(..offset).next_back()
            && before + gap == offset
        {
            self.remove(before, gap);
            (offset, length) = (before, length + gap);
        }
        if let Some(&gap) = self.gaps.get(&(offset + length)) {
            self.remove(offset + length, gap);
            length += gap;
        }
        if offset + length == self.end {
            self.end = offset;
        } else {
            self.insert(offset, length);
        }
    }

    /// Where the last taken byte ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that are taken.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    fn insert(&mut self, offset: u64, length: u64) {
        if length > 0 {
            self.gaps.insert(offset, length);
            self.by_length.insert((length, offset));
        }
    }

    fn remove(&mut self, offset: u64, length: u64) {
        self.gaps.remove(&offset);
        self.by_length.remove(&(length, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::testing::Rng;
    use proptest::prelude::*;

    #[test]
    fn gaps_are_joined_and_used_again() {
        let mut extents = Extents::default();
        let taken: Vec<Extent> = (0..4).map(|_| extents.take(10)).collect();
        extents.give(taken[0]);
        extents.give(taken[2]);
        extents.give(taken[1]);
        assert_eq!(extents.gaps, BTreeMap::from([(0, 30)]));
        assert_eq!(extents.take(25), Extent { offset: 0, length: 25 });
        extents.give(taken[3]);
        assert_eq!((extents.end(), extents.used()), (25, 25), "what is free at the end is cut off");
    }

    proptest! {
        #[test]
        fn no_byte_is_taken_twice(seed: u64, steps in 1_usize..200) {
            let mut rng = Rng::new(seed);
            let mut extents = Extents::default();
            let mut taken: Vec<Extent> = Vec::new();
            for _ in 0..steps {
                if rng.below(3) == 0 && !taken.is_empty() {
                    let at = rng.below(taken.len());
                    extents.give(taken.swap_remove(at));
                } else {
                    let new = extents.take(1 + rng.below(100) as u64);
                    for old in &taken {
                        prop_assert!(new.offset + new.length <= old.offset || old.offset + old.length <= new.offset);
                    }
                    taken.push(new);
                }
                prop_assert_eq!(extents.used(), taken.iter().map(|extent| extent.length).sum::<u64>());
                let end = taken.iter().map(|extent| extent.offset + extent.length).max().unwrap_or(0);
                prop_assert_eq!(extents.end(), end);
            }
        }
    }
}
