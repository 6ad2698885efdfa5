//! What becomes of all items: each partition is reduced by itself, then neighbours are merged, eight at a time.

use std::cmp::Ordering;

use talatat_graph::{KernelError, KernelResult, KeyBuilder};

use super::arrange::joined;
use super::exact::ExactSum;
use super::expr::{Op, Size};
use super::facts::Facts;
use super::items::Taken;
use super::{Bag, merging, named};
use crate::delayed::{Delayed, Payload, identity, unique};

/// Fewest items among which the largest are looked for at once.
const FEW: usize = 1024;

impl<T: Payload> Bag<T> {
    /// Folds the items of each partition into a state that begins as `init`, and the states of neighbours, in the order of the bag, into one.
    ///
    /// So that the answer does not depend on the partitions, `init` must change nothing (as 0 in a sum), and `combine` must be associative;
    /// it need not be commutative.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence(["a", "b", "c", "d"], 3);
    /// let joined = bag.fold(String::new(), |all, one| all + one, |left, right| left + &right);
    /// assert_eq!(joined.compute()?, "abcd");
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn fold<S, F, C>(&self, init: S, fold: F, combine: C) -> Delayed<S>
    where
        S: Payload,
        F: Fn(S, T) -> S + Send + Sync + 'static,
        C: Fn(S, S) -> S + Send + Sync + 'static,
    {
        // What the state begins as cannot be compared.
        let function = KeyBuilder::new("fold").number(unique()).finish();
        let begin = init.clone();
        let states = self.each(named::<F>("bag.fold"), function, Facts::known(), Size::of(1, 0), move |_, items| {
            Ok(vec![items.into_iter().fold(begin.clone(), &fold)])
        });
        let merged = states.tree("bag.fold merge", move |inputs| {
            Ok(vec![joined(inputs).into_iter().reduce(&combine).unwrap_or_else(|| init.clone())])
        });
        merged.only()
    }

    /// All items merged into one by an associative function, in the order of the bag; `None` if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let bag = Bag::from_sequence([3, 5, 7], 2);
    /// assert_eq!(bag.reduce(|a, b| a * b).compute()?, Some(105));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn reduce<F>(&self, merge: F) -> Delayed<Option<T>>
    where
        F: Fn(T, T) -> T + Send + Sync + 'static,
    {
        let (merge, name) = (std::sync::Arc::new(merge), named::<F>("bag.reduce"));
        let first = merge.clone();
        let local = self.each(name.clone(), identity::<F>(), self.facts.clone(), Size::of(1, 0), move |_, items| {
            Ok(items.into_iter().reduce(&*first).into_iter().collect())
        });
        let one = local.tree(&format!("{name} merge"), move |inputs| {
            Ok(joined(inputs).into_iter().reduce(&*merge).into_iter().collect())
        });
        one.first()
    }

    /// How many items there are.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence(0..100, 7).filter(|x| x % 2 == 0).count().compute()?, 50);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn count(&self) -> Delayed<u64> {
        let counts = self.each("bag.count".into(), none(), Facts::known(), Size::of(1, 8), |_, items| {
            Ok(vec![items.as_slice().len() as u64])
        });
        counts.tree("bag.count merge", |inputs| Ok(vec![joined(inputs).into_iter().sum()])).only()
    }

    /// The sum of the items: integers of any size but the largest are added without overflow on the way, floats without rounding, so that the sum is the
    /// exact one, rounded once, in any order.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence([1e16, 1.0, -1e16], 3).sum().compute()?, 1.0);
    /// let large = Bag::from_sequence([u8::MAX, 1], 1);
    /// assert!(large.sum().compute().unwrap_err().to_string().contains("256 does not fit into u8"));
    /// assert_eq!(large.map(u64::from).sum().compute()?, 256);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Delayed<T>
    where
        T: Total,
    {
        let sums = self.each("bag.sum".into(), none(), Facts::unknown(), Size::of(1, 16), |_, items| {
            let mut sum = T::Sum::default();
            items.as_slice().iter().for_each(|item| item.add_to(&mut sum));
            Ok(vec![sum])
        });
        let merged = sums.tree("bag.sum merge", |inputs| {
            let mut sum = T::Sum::default();
            joined(inputs).into_iter().for_each(|part| T::merge(&mut sum, part));
            Ok(vec![sum])
        });
        let size = Size::of(1, 8);
        let done = merged.each("bag.sum finish".into(), none(), Facts::known(), size, |_, sums| {
            sums.into_iter().map(T::finish).collect()
        });
        done.only()
    }

    /// The smallest item, the first of equal ones; `None` if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence([3, 1, 2], 2).min().compute()?, Some(1));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn min(&self) -> Delayed<Option<T>>
    where
        T: Ord,
    {
        self.extreme("bag.min", none(), |a, b| b.cmp(a))
    }

    /// The largest item, the first of equal ones; `None` if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence([3, 1, 2], 2).max().compute()?, Some(3));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn max(&self) -> Delayed<Option<T>>
    where
        T: Ord,
    {
        self.extreme("bag.max", none(), T::cmp)
    }

    /// The item with the smallest key, the first of equal ones; `None` if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let words = Bag::from_sequence(["some", "of", "us"], 2);
    /// assert_eq!(words.min_by_key(|word| word.len()).compute()?, Some("of"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn min_by_key<K: Ord, F>(&self, key: F) -> Delayed<Option<T>>
    where
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        self.extreme("bag.min_by_key", identity::<F>(), move |a, b| key(b).cmp(&key(a)))
    }

    /// The item with the largest key, the first of equal ones; `None` if there is none.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// let words = Bag::from_sequence(["of", "some", "them"], 2);
    /// assert_eq!(words.max_by_key(|word| word.len()).compute()?, Some("some"));
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn max_by_key<K: Ord, F>(&self, key: F) -> Delayed<Option<T>>
    where
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        self.extreme("bag.max_by_key", identity::<F>(), move |a, b| key(a).cmp(&key(b)))
    }

    #[track_caller]
    fn extreme(
        &self,
        name: &str,
        function: talatat_graph::Key,
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Delayed<Option<T>> {
        self.largest(name, function, 1, compare).first()
    }

    /// The `k` largest items, the largest first; of equal ones those that come first in the bag, in its order. One partition.
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence([3, 9, 1, 7], 2).topk(2).compute()?, [9, 7]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn topk(&self, k: usize) -> Bag<T>
    where
        T: Ord,
    {
        self.largest("bag.topk", none(), k, T::cmp)
    }

    /// The `k` items with the largest keys, as [`topk`](Bag::topk) gives them. For the smallest, see [`std::cmp::Reverse`].
    ///
    /// ```
    /// use talatat::prelude::*;
    /// use std::cmp::Reverse;
    /// let words = Bag::from_sequence(["some", "of", "these"], 2);
    /// assert_eq!(words.topk_by_key(2, |word| word.len()).compute()?, ["these", "some"]);
    /// assert_eq!(words.topk_by_key(1, |word| Reverse(word.len())).compute()?, ["of"]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn topk_by_key<K: Ord, F>(&self, k: usize, key: F) -> Bag<T>
    where
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        self.largest("bag.topk", identity::<F>(), k, move |a, b| key(a).cmp(&key(b)))
    }

    #[track_caller]
    fn largest(
        &self,
        name: &str,
        function: talatat_graph::Key,
        k: usize,
        compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static,
    ) -> Bag<T> {
        let compare = std::sync::Arc::new(compare);
        let (first, size) = (compare.clone(), Size::of(k as u64, self.facts.guess()));
        let function = KeyBuilder::new("largest").key(function).number(k as u64).finish();
        let local = self.each(name.into(), function, self.facts.clone(), size, move |_, items| {
            Ok(largest_of(items.into_iter(), k, &*first))
        });
        local.tree(&format!("{name} merge"), move |inputs| Ok(largest_of(inputs.into_iter().flatten(), k, &*compare)))
    }

    /// The first `n` items, in one partition. All partitions before them are computed, and, since how many items there are shows only then, those behind,
    /// too: where the first partitions are enough, choose them ([`select_partitions`](Bag::select_partitions)).
    ///
    /// ```
    /// use talatat::prelude::*;
    /// assert_eq!(Bag::from_sequence(0..100, 7).filter(|x| x % 30 == 29).take(2).compute()?, [29, 59]);
    /// # Ok::<(), talatat::Error>(())
    /// ```
    #[track_caller]
    pub fn take(&self, n: usize) -> Bag<T> {
        let size = Size::of(n as u64, self.facts.guess());
        let function = KeyBuilder::new("take").number(n as u64).finish();
        let local = self.each("bag.take".into(), function, self.facts.clone(), size, move |_, items| {
            Ok(items.into_iter().take(n).collect())
        });
        local.tree("bag.take merge", move |inputs| Ok(inputs.into_iter().flatten().take(n).collect()))
    }

    /// Merges neighbours until one partition is left.
    #[track_caller]
    fn tree(
        &self,
        name: &str,
        merge: impl Fn(Vec<Taken<T>>) -> KernelResult<Vec<T>> + Send + Sync + 'static,
    ) -> Bag<T> {
        let mut step = self.step(name.into(), none(), self.node.size);
        step.partitions = 1;
        let kernel = merging(name, &self.facts, merge);
        Bag::of(step, Op::Tree(kernel), vec![self.node.clone()], self.facts.clone())
    }

    /// The first item of a bag of one partition, if there is one.
    #[track_caller]
    fn first(&self) -> Delayed<Option<T>> {
        let size = Size::of(1, size_of::<T>() as u64);
        let first =
            self.each("bag.first".into(), none(), Facts::known(), size, |_, items| Ok(vec![items.into_iter().next()]));
        first.only()
    }
}

/// No function of the user's is part of a step.
fn none() -> talatat_graph::Key {
    talatat_graph::Key::from_bits(0)
}

/// The `k` largest of some items, the largest first; those that come first, of equal ones.
fn largest_of<T>(items: impl Iterator<Item = T>, k: usize, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if k == 0 {
        return Vec::new();
    }
    let room = k.saturating_mul(2).max(FEW);
    let mut best: Vec<T> = Vec::new();
    let mut full = false;
    for item in items {
        // What is not larger than the last of the best so far is none of them: it comes later.
        if full && best.get(k - 1).is_some_and(|last| compare(&item, last) != Ordering::Greater) {
            continue;
        }
        best.push(item);
        if best.len() >= room {
            // The sort is stable, and those that came first stand first.
            best.sort_by(|a, b| compare(b, a));
            best.truncate(k);
            full = true;
        }
    }
    best.sort_by(|a, b| compare(b, a));
    best.truncate(k);
    best
}

/// Types whose items can be added up.
pub trait Total: Payload {
    /// A sum on its way.
    type Sum: Payload + Default;

    /// Adds the item.
    fn add_to(&self, sum: &mut Self::Sum);

    /// Adds another sum.
    fn merge(sum: &mut Self::Sum, other: Self::Sum);

    /// The sum.
    ///
    /// # Errors
    /// If the type has no such number.
    fn finish(sum: Self::Sum) -> KernelResult<Self>;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Total for $type {
            // No number of items that fits into a machine makes it overflow.
            type Sum = i128;

            fn add_to(&self, sum: &mut i128) {
                *sum += *self as i128;
            }

            fn merge(sum: &mut i128, other: i128) {
                *sum += other;
            }

            fn finish(sum: i128) -> KernelResult<$type> {
                sum.try_into().map_err(|_| {
                    let name = stringify!($type);
                    KernelError::new(format!("the sum {sum} does not fit into {name}: map the items to a larger type before"))
                })
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Total for f64 {
    type Sum = ExactSum;

    fn add_to(&self, sum: &mut ExactSum) {
        sum.add(*self);
    }

    fn merge(sum: &mut ExactSum, other: ExactSum) {
        sum.merge(other);
    }

    fn finish(sum: ExactSum) -> KernelResult<f64> {
        Ok(sum.rounded())
    }
}
