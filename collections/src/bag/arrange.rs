//! What moves items and changes none.

use std::ops::Range;

use talatat_graph::{KernelResult, KeyBuilder, Value, closure_kernel};

use super::expr::{Op, Size};
use super::items::{Items, Taken};
use super::{Bag, merging};
use crate::delayed::Payload;
use crate::error::{Error, Result};
use crate::lower::run;

impl<T: Payload> Bag<T> {
    /// This bag's items, then another one's. No task is needed for it.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let (one, two) = (Bag::from_sequence([1, 2], 1), Bag::from_sequence([3], 1));
    /// assert_eq!(one.concat(&two).compute()?, [1, 2, 3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn concat(&self, other: &Bag<T>) -> Bag<T> {
        let size = self.node.size.or_larger(other.node.size);
        let mut step = self.step("bag.concat".into(), KeyBuilder::new("other").key(other.node.key).finish(), size);
        step.partitions = self.partitions() + other.partitions();
        // What one says of its items' memory counts for both.
        let facts = if self.facts.is_known() { &self.facts } else { &other.facts };
        Bag::of(step, Op::Concat, vec![self.node.clone(), other.node.clone()], facts.clone())
    }

    /// The same items in the same order, in another number of partitions: neighbours are put together, or each is cut into pieces of about the same
    /// length.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(0..10, 2).repartition(5);
    /// assert_eq!((bag.partitions(), bag.compute()?), (5, (0..10).collect()));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(&self, partitions: usize) -> Bag<T> {
        let (old, new) = (self.partitions(), partitions.max(1));
        if old == new {
            return self.clone();
        }
        let size = if new > old {
            let parts = (new / old).max(1) as u64;
            Size { items: self.node.size.items.div_ceil(parts), bytes: self.node.size.bytes.div_ceil(parts) }
        } else {
            self.node.size.times(old.div_ceil(new) as u64)
        };
        let mut step = self.step("bag.repartition".into(), KeyBuilder::new("to").number(new as u64).finish(), size);
        step.partitions = new;
        let facts = self.facts.clone();
        let cut = closure_kernel("bag.repartition cut", move |task, inputs| {
            let items = Taken::<T>::take(inputs.first_mut())?;
            let (all, parts) = (items.as_slice().len(), run(task.block as usize, old, new).len());
            let mut items = items.into_iter();
            let part = |at| Items::value(items.by_ref().take(run(at, parts, all).len()).collect(), &facts);
            Ok(Value::Parts((0..parts).map(part).collect()))
        });
        let join = merging("bag.repartition", &self.facts, |inputs| Ok(joined(inputs)));
        Bag::of(step, Op::Recut { cut: std::sync::Arc::new(cut), join }, vec![self.node.clone()], self.facts.clone())
    }

    /// Some of the partitions, by number; the others are not computed. A look at a few items costs little that way:
    /// `bag.select_partitions(0..1)?.take(10)`.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(0..9, 3);
    /// assert_eq!(bag.select_partitions(1..2)?.compute()?, [3, 4, 5]);
    /// assert!(bag.select_partitions(2..4).is_err());
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no such partitions.
    #[track_caller]
    pub fn select_partitions(&self, range: Range<usize>) -> Result<Bag<T>> {
        if range.is_empty() || range.end > self.partitions() {
            let reason = format!("partitions {range:?} were asked for, and there are {}", self.partitions());
            return Err(Error::invalid("select_partitions", reason));
        }
        let function = KeyBuilder::new("range").number(range.start as u64).number(range.end as u64).finish();
        let mut step = self.step("bag.select_partitions".into(), function, self.node.size);
        step.partitions = range.len();
        Ok(Bag::of(step, Op::Select(range), vec![self.node.clone()], self.facts.clone()))
    }
}

/// The items of several partitions in one.
pub(super) fn joined<T: Payload>(inputs: Vec<Taken<T>>) -> Vec<T> {
    let mut inputs = inputs.into_iter();
    let mut all = inputs.next().map(Taken::into_vec).unwrap_or_default();
    inputs.for_each(|items| all.extend(items));
    all
}

/// A partition cut into parts, by the part of each item.
pub(super) fn scatter<T: Payload>(
    items: impl Iterator<Item = (usize, T)>,
    parts: usize,
    facts: &super::facts::Facts<T>,
) -> KernelResult<Value> {
    let mut cut: Vec<Vec<T>> = (0..parts).map(|_| Vec::new()).collect();
    for (part, item) in items {
        if let Some(cut) = cut.get_mut(part) {
            cut.push(item);
        }
    }
    Ok(Value::Parts(cut.into_iter().map(|items| Items::value(items, facts)).collect()))
}
