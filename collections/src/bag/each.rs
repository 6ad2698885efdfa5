//! What is done partition by partition. Runs of these verbs become one task a partition.

use std::fmt::Display;
use std::sync::Arc;

use talatat_graph::{KernelError, KeyBuilder, TaskContext, Value, closure_kernel};

use super::expr::{Op, Size};
use super::facts::Facts;
use super::items::{Items, Taken};
use super::{Bag, named};
use crate::delayed::{Payload, identity};
use crate::error::{Error, Result};

impl<T: Payload> Bag<T> {
    /// What a function makes of each item, in the order of the bag.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(["1", "22"], 2);
    /// assert_eq!(bag.map(str::len).compute()?, [1, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Payload, F>(&self, function: F) -> Bag<U>
    where
        F: Fn(T) -> U + Send + Sync + 'static,
    {
        let (facts, size) = self.like::<U>();
        self.each(named::<F>("bag.map"), identity::<F>(), facts, size, move |_, items| {
            Ok(items.into_iter().map(&function).collect())
        })
    }

    /// [`map`](Bag::map) with a function that may fail: the first item that does ends the computation, with an error that says which one it was.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(["1", "2", "many"], 2);
    /// let error = bag.try_map(|text| text.parse::<i64>()).compute().unwrap_err().to_string();
    /// assert!(error.contains("item 1 of partition 1: invalid digit"), "{error}");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map<U: Payload, E: Display, F>(&self, function: F) -> Bag<U>
    where
        F: Fn(T) -> std::result::Result<U, E> + Send + Sync + 'static,
    {
        let (facts, size) = self.like::<U>();
        self.each(named::<F>("bag.try_map"), identity::<F>(), facts, size, move |block, items| {
            let call = |(at, item)| {
                function(item).map_err(|error| KernelError::new(format!("item {at} of partition {block}: {error}")))
            };
            items.into_iter().enumerate().map(call).collect()
        })
    }

    /// The items that a function says yes to, in the order of the bag.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(0..10, 3);
    /// assert_eq!(bag.filter(|x| x % 4 == 1).compute()?, [1, 5, 9]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn filter<F>(&self, keep: F) -> Bag<T>
    where
        F: Fn(&T) -> bool + Send + Sync + 'static,
    {
        self.each(named::<F>("bag.filter"), identity::<F>(), self.facts.clone(), self.node.size, move |_, items| {
            Ok(items.filtered(&keep))
        })
    }

    /// All that a function makes of each item, in the order of the bag. `None` and `Some` are such, too: then it is a filter and a map in one.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(["1", "-", "3"], 2);
    /// assert_eq!(bag.flat_map(|text| text.parse::<i64>().ok()).compute()?, [1, 3]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<U: Payload, I, F>(&self, function: F) -> Bag<U>
    where
        I: IntoIterator<Item = U>,
        F: Fn(T) -> I + Send + Sync + 'static,
    {
        let (facts, size) = self.like::<U>();
        self.each(named::<F>("bag.flat_map"), identity::<F>(), facts, size, move |_, items| {
            Ok(items.into_iter().flat_map(&function).collect())
        })
    }

    /// What a function makes of whole partitions, one after the other. This is the only verb whose answer may depend on the partitions.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence([3, 1, 2, 0], 2);
    /// let sorted = bag.map_partitions(|mut items| { items.sort(); items });
    /// assert_eq!(sorted.compute()?, [1, 3, 0, 2]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn map_partitions<U: Payload, F>(&self, function: F) -> Bag<U>
    where
        F: Fn(Vec<T>) -> Vec<U> + Send + Sync + 'static,
    {
        let (facts, size) = self.like::<U>();
        self.each(named::<F>("bag.map_partitions"), identity::<F>(), facts, size, move |_, items| {
            Ok(function(items.into_vec()))
        })
    }

    /// Pairs of items that stand at the same places of two bags, in their order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(1..=3, 2);
    /// let squares = bag.map(|x| x * x);
    /// assert_eq!(bag.zip(&squares)?.compute()?, [(1, 1), (2, 4), (3, 9)]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the bags have different numbers of partitions; that partitions have different numbers of items is an error of the run.
    #[track_caller]
    pub fn zip<U: Payload>(&self, other: &Bag<U>) -> Result<Bag<(T, U)>> {
        if self.partitions() != other.partitions() {
            let reason = format!(
                "one bag has {} partitions, the other {}: zip bags that were made of the same one, without filters between",
                self.partitions(),
                other.partitions()
            );
            return Err(Error::invalid("zip", reason));
        }
        let facts = self.facts.pair(&other.facts);
        let size = Size::of(self.node.size.items, facts.guess());
        let step = self.step("bag.zip".into(), KeyBuilder::new("zip").key(other.node.key).finish(), size);
        let given = facts.clone();
        let run = move |task: TaskContext, inputs: &mut [Value]| {
            let (one, rest) =
                inputs.split_first_mut().map_or((None, None), |(one, rest)| (Some(one), rest.first_mut()));
            let (one, other) = (Taken::<T>::take(one)?, Taken::<U>::take(rest)?);
            let (left, right) = (one.as_slice().len(), other.as_slice().len());
            if left != right {
                let block = task.block;
                return Err(KernelError::new(format!("partition {block} has {left} items here and {right} there")));
            }
            Ok(Items::value(one.into_iter().zip(other).collect(), &given))
        };
        let kernel = Arc::new(closure_kernel("bag.zip", run));
        Ok(Bag::of(step, Op::Each(kernel), vec![self.node.clone(), other.node.clone()], facts))
    }

    /// Weight and size of as many items of another type.
    pub(super) fn like<U: Payload>(&self) -> (Facts<U>, Size) {
        let facts = Facts::known();
        let size = Size::of(self.node.size.items, facts.guess());
        (facts, size)
    }
}
