//! How many values each lane has taken.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::slab::{Slab, Target};
use super::wire;

/// Counts per lane. Rows mostly go to the same run of lanes again and again: such additions are
/// only counted, and spread over the lanes when another run comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Counts {
    #[serde(with = "wire::small")]
    lanes: SmallVec<[u64; 2]>,
    first: usize,
    len: usize,
    /// Due for each lane of `first..first + len`.
    pending: u64,
}

impl Counts {
    pub(super) fn new(lanes: usize) -> Counts {
        Counts { lanes: SmallVec::from_elem(0, lanes), first: 0, len: 0, pending: 0 }
    }

    /// Adds `count` to each of `len` lanes.
    fn add(&mut self, first: usize, len: usize, count: u64) {
        if (self.first, self.len) != (first, len) {
            self.settle();
            (self.first, self.len) = (first, len);
        }
        self.pending = self.pending.saturating_add(count);
    }

    /// Counts all elements of a slab.
    pub(super) fn add_slab<T>(&mut self, target: Target, slab: &Slab<'_, T>) {
        let lanes = target.lanes(slab);
        if !self.lanes.is_empty() && !lanes.is_empty() {
            self.add(lanes.start, lanes.len(), target.depth(slab) as u64);
        }
    }

    /// Counts the true values of a row.
    pub(super) fn add_where(&mut self, target: Target, counted: impl Iterator<Item = bool>) {
        match target {
            Target::Runs(lane) => {
                if let Some(slot) = self.lanes.get_mut(lane) {
                    *slot = slot.saturating_add(counted.filter(|&x| x).count() as u64);
                }
            }
            Target::Columns(first) => {
                for (slot, counted) in self.lanes.iter_mut().skip(first).zip(counted) {
                    *slot = slot.saturating_add(u64::from(counted));
                }
            }
        }
    }

    fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for slot in self.lanes.iter_mut().skip(self.first).take(self.len) {
            *slot = slot.saturating_add(pending);
        }
    }

    pub(super) fn merge(&mut self, other: &Counts) {
        for (lane, slot) in self.lanes.iter_mut().enumerate() {
            *slot = slot.saturating_add(other.get(lane));
        }
    }

    pub(super) fn get(&self, lane: usize) -> u64 {
        let pending = if lane.checked_sub(self.first).is_some_and(|j| j < self.len) { self.pending } else { 0 };
        self.lanes.get(lane).copied().unwrap_or(0).saturating_add(pending)
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// The first lane without a value.
    pub(super) fn first_empty(&self) -> Option<usize> {
        (0..self.lanes.len()).find(|&lane| self.get(lane) == 0)
    }
}
